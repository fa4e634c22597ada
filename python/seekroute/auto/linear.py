"""Logistic regression on hashed words and counters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seekroute.auto.scoring import COUNTERS, WORD_BUCKETS, Features
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of a counter against a word, whose square is one of those that add up to 1: the less, the more a
# counter's weight is held back.
_COUNTER_SCALE = 0.1
_C = 1.0  # of the outcomes against the squares of the weights
_MOST_STEPS = 400


def _sparse() -> Any:
    try:
        import scipy.optimize
        import scipy.sparse
    except ImportError:
        raise SeekrouteError("training needs SciPy: pip install 'seekroute[router]'") from None
    return scipy


@dataclass(frozen=True)
class Design:
    """The rows that a regression is fitted to, and how the core gets to the same numbers.

    Attributes:
        rarity: float32, of each word: what `WeighWords` multiplies by.
        matrix: words, then counters.
        mean: of the counters.
        scale: what they are multiplied by.
    """

    rarity: NDArray[np.float32]
    matrix: Any
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    def at(self, rows: NDArray[np.bool_]) -> Design:
        """The same of some of the rows."""
        return self if rows.all() else replace(self, matrix=self.matrix[rows])


def design(features: Features, rows: NDArray[np.intp]) -> Design:
    """The design of the rows at these places."""
    scipy = _sparse()
    ends = features.ends.astype(np.int64)
    words = scipy.sparse.csr_matrix(
        (
            1.0 + np.log(features.counts.astype(np.float64)),
            features.buckets.astype(np.int32),
            np.concatenate([[0], ends]),
        ),
        shape=(len(features), WORD_BUCKETS),
    )[rows]
    seen = np.bincount(words.indices, minlength=WORD_BUCKETS)
    rarity = np.log((1 + len(rows)) / (1 + seen)) + 1
    words = words.multiply(rarity[None, :]).tocsr()
    length = np.sqrt(np.asarray(words.multiply(words).sum(axis=1)).ravel())
    words = words.multiply(1 / np.maximum(length, 1e-12)[:, None]).tocsr()
    counters = features.dense[rows, :COUNTERS].astype(np.float64)
    mean = counters.mean(axis=0)
    spread = counters.std(axis=0)
    scale = np.where(spread > 1e-6, _COUNTER_SCALE / np.maximum(spread, 1e-6), 0.0)
    matrix = scipy.sparse.hstack(
        [words, scipy.sparse.csr_matrix((counters - mean) * scale)]
    ).tocsr()
    return Design(rarity.astype(np.float32), matrix, mean, scale)


def fit_linear(made: Design, outcomes: NDArray[np.float64], *, copies: int = 1) -> dict[str, Any]:
    """Fits outcomes between 0 and 1.

    Args:
        made: The rows.
        outcomes: Of each row.
        copies: How many rows are of one prompt: together they count as one.

    Returns:
        The members `words`, `counters` and `bias` of a model's weights, on words as the core weighs
        them and on counters as they are.
    """
    scipy = _sparse()
    cost = _C / copies
    # Only words that occur have a weight.
    used = np.flatnonzero(np.diff(made.matrix.tocsc().indptr))
    matrix = made.matrix[:, used]
    across = matrix.T.tocsr()

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = matrix @ weights[:-1] + weights[-1]
        chance = 1 / (1 + np.exp(-odds))
        value = np.logaddexp(0, odds).sum() - outcomes @ odds
        error = chance - outcomes
        slope = np.append(cost * (across @ error) + weights[:-1], cost * error.sum())
        return float(cost * value + weights[:-1] @ weights[:-1] / 2), slope

    found = scipy.optimize.minimize(
        loss,
        np.zeros(len(used) + 1),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": _MOST_STEPS},
    )
    weights = np.zeros(WORD_BUCKETS + COUNTERS)
    weights[used] = found.x[:-1]
    counters = weights[WORD_BUCKETS:] * made.scale
    return {
        "words": weights[:WORD_BUCKETS].astype(np.float32).tobytes(),
        "counters": counters.astype(np.float32).tobytes(),
        "bias": float(found.x[-1] - counters @ made.mean),
    }
