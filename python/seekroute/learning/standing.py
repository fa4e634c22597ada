"""How a model has done of late, against what was expected of it.

What is expected of a model is a chance for each prompt. Ratings of late say by how much the
logarithm of its odds is too low or too high: the shift. It is the maximum of the likelihood of the
ratings with a normal prior around 0, so a few ratings move it little, and old ones count less.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["HALF_LIFE", "LATEST", "MOST_SHIFT", "Voice", "allowances", "shift_of", "voices"]

LATEST: Final = 400
"""Ratings of a model that are looked at."""
HALF_LIFE: Final = 50.0
"""Ratings after which one counts half."""
MOST_SHIFT: Final = 5.0
"""The core's bound."""
_PRIOR: Final = 20.0  # ratings that the prior counts as
_SHARE: Final = 0.25  # of all that is known, the prior included: what an organization may say
# Of a chance: the core's bound on what anything is believed to be.
_LEAST: Final = 0.01
_STEPS: Final = 50
_STILL: Final = 1e-10  # a step that is no longer is the last


@dataclass(frozen=True, slots=True)
class Voice:
    """A rating of one model.

    Attributes:
        org: whose key has given it.
        expected: the chance that the model serves the prompt well, without a shift.
        score: 0 (bad) to 1 (good).
        weight: 1 of a rating; less of what only hints at one.
    """

    org: str
    expected: float
    score: float
    weight: float = 1.0


def voices(given: Sequence[Voice], trusted: Collection[str]) -> list[Voice]:
    """The ratings with the weights that they have by age and by whose they are.

    What an organization says that is not trusted counts at most a quarter of all that is known of
    the model, the prior included: whoever has a key can lie.

    Args:
        given: of one model, the latest first.
        trusted: ids of organizations.

    >>> one = [Voice("org_a", 0.5, 1.0)] * 100
    >>> round(sum(each.weight for each in voices(one, set())), 2)
    6.67
    """
    aged = [
        Voice(each.org, each.expected, each.score, each.weight * 0.5 ** (place / HALF_LIFE))
        for place, each in enumerate(given[:LATEST])
    ]
    whole: dict[str, float] = {}
    for each in aged:
        whole[each.org] = whole.get(each.org, 0.0) + each.weight
    heard = allowances(whole, trusted, _PRIOR)
    return [
        Voice(each.org, each.expected, each.score, each.weight * heard[each.org] / whole[each.org])
        for each in aged
        if whole[each.org] > 0
    ]


def allowances(
    said: Mapping[str, float], trusted: Collection[str], prior: float
) -> dict[str, float]:
    """How much of what each organization says is heard: of one that is not trusted at most a
    quarter of all, the prior included.

    Args:
        said: weights of ratings, by organization.
        trusted: ids of organizations.
        prior: what is known without any rating, as a weight.

    >>> allowances({"org_a": 900.0, "org_b": 90.0}, {"org_b"}, prior=30.0)
    {'org_a': 40.0, 'org_b': 90.0}
    """
    heard = dict(said)
    # What one may say depends on what all others do: from above to the fixed point.
    for _ in range(_STEPS):
        for org, most in said.items():
            if org not in trusted:
                others = prior + sum(heard.values()) - heard[org]
                heard[org] = min(most, others * _SHARE / (1 - _SHARE))
    return heard


def shift_of(heard: Sequence[Voice]) -> float:
    """By how much the logarithm of a model's odds is to be raised.

    Args:
        heard: as `voices` gives them.

    >>> shift_of([])
    0.0
    >>> shift_of(voices([Voice("org_a", 0.8, 0.0)] * 50, {"org_a"})) < -1
    True
    """
    odds = [_logit(each.expected) for each in heard]
    shift = 0.0
    for _ in range(_STEPS):
        # A rating of middling chance has a spread of 1/4, so the prior counts as _PRIOR of them.
        slope, bend = -shift * _PRIOR / 4, _PRIOR / 4
        for each, logit in zip(heard, odds, strict=True):
            chance = 1 / (1 + math.exp(-(logit + shift)))
            slope += each.weight * (each.score - chance)
            bend += each.weight * chance * (1 - chance)
        move = max(-1.0, min(1.0, slope / bend))
        shift = max(-MOST_SHIFT, min(MOST_SHIFT, shift + move))
        if abs(move) < _STILL:
            break
    return shift


def _logit(chance: float) -> float:
    bounded = min(max(chance, _LEAST), 1 - _LEAST)
    return math.log(bounded / (1 - bounded))
