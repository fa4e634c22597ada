"""What spending costs in quality so that `balanced` holds a target on the traffic of late.

A weight of cost that is set once spends more or less as the traffic changes. So it is found anew
from the last choices, whose offers are kept: the weight with which they would have met the target.
The mean cost, and the share of the dearest model, fall as the weight rises, so halving finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["LATEST_CHOICES", "LEAST_CHOICES", "MOST_WEIGHT", "Offer", "Target", "cost_weight_for"]

LATEST_CHOICES: Final = 500
LEAST_CHOICES: Final = 50
"""With fewer the configuration's weight holds."""
MOST_WEIGHT: Final = 100.0
"""The core's bound."""
_STEPS: Final = 40
_SAME_QUALITY: Final = 0.01  # the core's: between two that are no further apart the price decides
# Above the bound that was found: the core has qualities of less precision.
_MARGIN: Final = 1.0001


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
        requests: the offers for each.
        target: what is to be held.

    Returns:
        0 to 100; 100 where not even that is enough.

    >>> offers = [Offer(0.8, 1000), Offer(0.7, 100)]
    >>> cost_weight_for([offers] * 10, Target(pico_per_request=5000))
    0.0
    >>> round(cost_weight_for([offers] * 10, Target(dearest_share=0.0)), 3)
    0.111
    """
    spends = _measure(target)
    if spends(requests, 0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not spends(requests, high):
        if high >= MOST_WEIGHT:
            return MOST_WEIGHT
        low, high = high, min(2 * high, MOST_WEIGHT)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if spends(requests, middle) else (middle, high)
    return min(high * _MARGIN, MOST_WEIGHT)


def _measure(target: Target) -> Callable[[Sequence[Sequence[Offer]], float], bool]:
    """Whether requests keep to the target with a weight."""

    def by_cost(requests: Sequence[Sequence[Offer]], weight: float) -> bool:
        assert target.pico_per_request is not None
        spent = sum(_pick(offers, weight).cost_pico for offers in requests)
        return spent <= target.pico_per_request * len(requests)

    def by_share(requests: Sequence[Sequence[Offer]], weight: float) -> bool:
        assert target.dearest_share is not None
        dearest = sum(
            _pick(offers, weight).cost_pico == max(each.cost_pico for each in offers)
            for offers in requests
        )
        return dearest <= target.dearest_share * len(requests)

    return by_cost if target.pico_per_request is not None else by_share


def _pick(offers: Sequence[Offer], weight: float) -> Offer:
    """As the core chooses in a balance."""
    best = max(each.quality for each in offers)
    reference = min(each.cost_pico for each in offers if each.quality == best)

    def key(each: Offer) -> tuple[float, int]:
        if each.cost_pico == 0:
            return each.quality, 0
        part = each.cost_pico / reference if reference else 1e6
        return each.quality - weight * part, -each.cost_pico

    chosen = max(offers, key=key)
    # Who is hardly better is no dearer than a choice by quality would be.
    alike = min(each.cost_pico for each in offers if each.quality >= best - _SAME_QUALITY)
    if chosen.cost_pico <= alike:
        return chosen
    return max((each for each in offers if each.cost_pico == alike), key=lambda each: each.quality)
