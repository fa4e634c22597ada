"""The measures of a router between a strong and a weak model.

As in RouteLLM (Ong et al., 2024): the score of each prompt is cut at ten quantiles, and at each cut
the prompts above it go to the strong model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CUTS = 10
_BINS = 15  # of the calibration error


@dataclass(frozen=True)
class Curve:
    """What quality costs.

    Attributes:
        share: Of prompts that go to the strong model, in percent, ascending.
        quality: Mean outcome at that share, in percent.
        apgr: The area under the curve above the weak model's quality, as a share of the strong
            model's lead: 0 is the weak model, 1 the strong one at once, 0.5 a fair coin.
        cpt50: Percent of prompts that go to the strong model to have half of its lead.
        cpt80: The same for four fifths.
    """

    share: NDArray[np.float64]
    quality: NDArray[np.float64]
    apgr: float
    cpt50: float
    cpt80: float


def cost_quality(
    score: NDArray[np.floating],
    strong: NDArray[np.float64],
    weak: NDArray[np.float64],
    seed: int = 0,
) -> Curve:
    """The curve of a score, which is higher where the strong model should be asked.

    Args:
        score: Of each prompt. Equal scores are parted by chance.
        strong: The strong model's outcomes, 0 to 1.
        weak: The weak model's.
        seed: Of that chance.

    >>> half = np.array([1.0, 0.0] * 50)
    >>> round(cost_quality(half, half, np.zeros(100)).apgr, 2)
    0.75
    """
    score = np.asarray(score, np.float64)
    # Ranks, so that the seed decides between equals and nothing else.
    order = np.lexsort((np.random.default_rng(seed).random(len(score)), score))
    ranks = np.empty(len(score))
    ranks[order] = np.arange(len(score))
    cuts = np.quantile(ranks, np.linspace(0, 1, _CUTS + 1))
    share, quality = [], []
    for place, cut in enumerate(cuts):
        to_strong = ranks >= cut if place < _CUTS else ranks > cut
        share.append(100 * to_strong.mean())
        quality.append(100 * np.where(to_strong, strong, weak).mean())
    shares, qualities = np.array(share[::-1]), np.array(quality[::-1])
    low, lead = 100 * weak.mean(), 100 * (strong.mean() - weak.mean())
    if lead == 0:
        return Curve(shares, qualities, float("nan"), float("nan"), float("nan"))
    apgr = (np.trapezoid(qualities, shares) / 100 - low) / lead
    half, most = (float(np.interp(part * lead + low, qualities, shares)) for part in (0.5, 0.8))
    return Curve(shares, qualities, float(apgr), half, most)


def calibration_error(quality: NDArray[np.floating], outcomes: NDArray[np.float64]) -> float:
    """How far probabilities are from what happened: the mean over bins of equal width, weighted by
    how many are in each (ECE).

    >>> calibration_error(np.full(4, 0.25), np.array([1.0, 0.0, 0.0, 0.0]))
    0.0
    """
    bins = np.minimum((np.asarray(quality, np.float64) * _BINS).astype(int), _BINS - 1)
    error = 0.0
    for each in np.unique(bins):
        inside = bins == each
        error += inside.mean() * abs(quality[inside].mean() - outcomes[inside].mean())
    return float(error)
