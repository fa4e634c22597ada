"""What spending costs in quality so that `balanced` holds a target on the traffic of late.

A weight of cost that is set once spends more or less as the traffic changes. So it is found anew
from the last choices, whose offers are kept: the weight with which they would have met the target,
as the core itself would have chosen. The mean cost, and the share of the dearest model, fall as the
weight rises, so halving finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    *("LATEST_CHOICES", "LEAST_CHOICES", "MOST_WEIGHT"),
    *("Offer", "Target", "chosen", "cost_weight_for"),
]

LATEST_CHOICES: Final = 500
LEAST_CHOICES: Final = 50
"""With fewer the configuration's weight holds."""
MOST_WEIGHT: Final = 100.0
"""The core's bound."""
_STEPS: Final = 40
# What the core asks for beside the weight, and a choice of what is given whole does not depend on.
_REST: Final[dict[str, Any]] = {
    "strategy": "balanced",
    "cost_slack": 0.05,
    "stay": 0.0,
    "explore": 0.0,
    "learn": False,
    "weights": None,
    "vectors": None,
}


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be held; one of the two.

    Attributes:
        pico_per_request: what a request costs on the mean, in pico-USD.
        dearest_share: the share of requests that goes to the dearest model that could serve.
    """

    pico_per_request: int | None = None
    dearest_share: float | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a model would have taken for a request: its expected quality and pico-USD."""

    quality: float
    cost_pico: int


def cost_weight_for(requests: Sequence[Sequence[Offer]], target: Target) -> float:
    """The least weight of cost by which the requests do not spend more than the target.

    Args:
        requests: the offers for each, one at least and as many as a pool may have models.
        target: what is to be held.

    Returns:
        0 to 100; 100 where not even that is enough.

    >>> offers = [Offer(0.8, 1000), Offer(0.7, 100)]
    >>> cost_weight_for([offers] * 10, Target(pico_per_request=5000))
    0.0
    >>> round(cost_weight_for([offers] * 10, Target(dearest_share=0.0)), 3)
    0.111
    """
    keeps = _measure(requests, target)
    if keeps(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not keeps(high):
        if high >= MOST_WEIGHT:
            return MOST_WEIGHT
        low, high = high, min(2 * high, MOST_WEIGHT)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    return high


def chosen(requests: Sequence[Sequence[Offer]], weight: float) -> list[Offer]:
    """Whom the core chooses for each request in a balance with that weight of cost."""
    from seekroute import _core

    size = max(map(len, requests), default=0)
    names = [str(place) for place in range(size)]
    pool = [{"id": name, "quality": 0.5, "names": [name], "aliases": []} for name in names]
    router = _core.AutoRouter({**_REST, "models": pool, "cost_weight": weight})
    found = []
    for offers in requests:
        quality = [each.quality for each in offers] + [0.0] * (size - len(offers))
        given = [(place, each.cost_pico, 0, False) for place, each in enumerate(offers)]
        found.append(offers[router.rank(quality, given, "balanced")[0][0]])
    return found


def _measure(requests: Sequence[Sequence[Offer]], target: Target) -> Callable[[float], bool]:
    """Whether the requests keep to the target with a weight."""
    most_pico, most_share = target.pico_per_request, target.dearest_share
    dearest = [max(each.cost_pico for each in offers) for offers in requests]

    def keeps(weight: float) -> bool:
        costs = [each.cost_pico for each in chosen(requests, weight)]
        if most_pico is not None:
            return sum(costs) <= most_pico * len(costs)
        assert most_share is not None
        of_dearest = sum(cost == most for cost, most in zip(costs, dearest, strict=True))
        return of_dearest <= most_share * len(costs)

    return keeps
