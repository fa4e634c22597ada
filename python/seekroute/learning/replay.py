"""What another way to choose would have cost and scored on the requests that there were.

Of a request only the model that answered was rated, so the score of another policy is estimated
from those requests for which it would have chosen the same model, each weighted by the inverse of
the chance that it had (self-normalised inverse propensity: Swaminathan and Joachims, 2015). What it
would have cost is known of every request, as the offers are kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from seekroute.learning.book import RatingBook
from seekroute.learning.database import LearningError
from seekroute.learning.looks import NO_TEXT, Looks, qualities

__all__ = ["Replayed", "replay"]

_SURE: Final = 1.96  # standard errors on each side: 95 %


@dataclass(frozen=True, slots=True)
class Replayed:
    """A policy on the stored traffic.

    Attributes:
        policy: its name; `as it was` is what was done.
        requests: rated requests that it was asked about.
        agreed: for how many of them it chooses what was chosen.
        cost_pico: what a request is expected to cost, in pico-USD.
        score: the mean that is expected, 0 to 1; NaN where it never agrees.
        within: half of the interval that has the truth 19 times of 20.
        effective: how many equally weighted requests tell as much.
    """

    policy: str
    requests: int
    agreed: int
    cost_pico: float
    score: float
    within: float
    effective: float


@dataclass(frozen=True, slots=True)
class _Logged:
    offers: list[tuple[int, int, int, bool]]
    chosen: int
    chance: float
    score: float
    quality: Sequence[float]


def replay(book: RatingBook, settings: dict[str, Any], policies: Sequence[str]) -> list[Replayed]:
    """What policies would have done.

    Args:
        book: where the ratings are.
        settings: what chooses: `auto` of the core's snapshot, with any weights.
        policies: strategies.

    Returns:
        What was done, then each policy.

    Raises:
        LearningError: there is no rated request whose models are still there.
    """
    names = [row["id"] for row in settings["models"]]
    router = Looks().router(settings)
    logged = _logged(book, router, names)
    if not logged:
        raise LearningError("there is no rated request of the models that auto chooses from")
    done = [each.score for each in logged]
    mean = sum(done) / len(done)
    spread = math.sqrt(sum((score - mean) ** 2 for score in done)) / len(done)
    found = [
        Replayed(
            "as it was",
            len(logged),
            len(logged),
            _mean_cost(logged, [each.chosen for each in logged]),
            mean,
            _SURE * spread,
            len(logged),
        )
    ]
    for policy in policies:
        picks = [router.rank(each.quality, each.offers, policy)[0][0] for each in logged]
        found.append(_estimated(policy, logged, picks))
    return found


def _logged(book: RatingBook, router: Any, names: Sequence[str]) -> list[_Logged]:
    kept = []
    for choice, ratings in book.rated():
        chosen = choice.offers[0]
        scores = {each.source: each.score for each in ratings if each.model == chosen[0]}
        score = scores.get("shadow", scores.get("feedback"))
        if score is None or chosen[0] not in names or choice.served != chosen[0]:
            continue
        offers = [
            (names.index(model), cost, latency, last)
            for model, _, cost, latency, last, _ in choice.offers
            if model in names
        ]
        kept.append((offers, names.index(chosen[0]), chosen[5], score, choice.looks))
    looks = [each[4] for each in kept]
    found = qualities(router, [each or NO_TEXT for each in looks], [bool(each) for each in looks])
    size = len(names)
    return [
        _Logged(offers, chosen, chance, score, found[place * size : (place + 1) * size])
        for place, (offers, chosen, chance, score, _) in enumerate(kept)
        if chance > 0
    ]


def _mean_cost(logged: Sequence[_Logged], picks: Sequence[int]) -> float:
    costs = [
        next(cost for model, cost, _, _ in each.offers if model == pick)
        for each, pick in zip(logged, picks, strict=True)
    ]
    return sum(costs) / len(costs)


def _estimated(policy: str, logged: Sequence[_Logged], picks: Sequence[int]) -> Replayed:
    agreed = [
        (1 / each.chance, each.score)
        for each, pick in zip(logged, picks, strict=True)
        if pick == each.chosen
    ]
    whole = sum(weight for weight, _ in agreed)
    score = within = math.nan
    effective = 0.0
    if whole > 0:
        score = sum(weight * each for weight, each in agreed) / whole
        spread = math.sqrt(sum((weight * (each - score)) ** 2 for weight, each in agreed)) / whole
        within, effective = _SURE * spread, whole**2 / sum(weight**2 for weight, _ in agreed)
    cost = _mean_cost(logged, picks)
    return Replayed(policy, len(logged), len(agreed), cost, score, within, effective)
