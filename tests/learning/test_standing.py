"""How a model has done of late: what moves it, how fast, and who cannot."""

from __future__ import annotations

import math
import random

import pytest

from seekroute.learning.standing import MOST_SHIFT, Voice, allowances, shift_of, voices

MINE = {"org_mine"}


def shift(given: list[Voice]) -> float:
    return shift_of(voices(given, MINE))


def chance(expected: float, shift: float) -> float:
    return 1 / (1 + math.exp(-(math.log(expected / (1 - expected)) + shift)))


def test_what_is_as_expected_moves_nothing() -> None:
    given = [Voice("org_mine", 0.8, score) for score in (1, 1, 1, 1, 0)] * 40
    assert abs(shift(given)) < 0.05


def test_a_few_ratings_move_little_and_many_move_to_what_they_say() -> None:
    few, many = (shift([Voice("org_mine", 0.8, 0.0)] * count) for count in (2, 400))
    assert -0.3 < few < 0
    assert chance(0.8, many) < 0.2
    assert many >= -MOST_SHIFT


def test_new_ratings_count_more_than_old_ones() -> None:
    bad, good = ([Voice("org_mine", 0.5, score)] * 100 for score in (0.0, 1.0))
    assert shift([*bad, *good]) < 0 < shift([*good, *bad])


def test_traffic_leaves_a_model_that_degrades_within_200_ratings() -> None:
    """Two models; the better one gets worse in the middle, and only who answers is rated."""
    runs = [_degraded(seed) for seed in range(30)]
    assert sum(runs) / len(runs) > 0.92
    assert sum(share == 1 for share in runs) > 20


def _degraded(seed: int) -> float:
    """The share of the other model in the end."""
    draw = random.Random(seed)
    expected, true = {"a": 0.8, "b": 0.7}, {"a": 0.8, "b": 0.7}
    given: dict[str, list[Voice]] = {"a": [], "b": []}

    def served() -> str:
        best = max(given, key=lambda each: chance(expected[each], shift(given[each])))
        model = draw.choice("ab") if draw.random() < 0.03 else best
        score = float(draw.random() < true[model])
        given[model].insert(0, Voice("org_mine", expected[model], score))
        return best

    for _ in range(300):
        served()
    true["a"] = 0.3
    for _ in range(200):
        served()
    return [served() for _ in range(20)].count("b") / 20


def test_an_organization_that_is_not_trusted_has_a_quarter_of_the_say() -> None:
    liars = [Voice("org_liar", 0.8, 0.0)] * 200
    honest = [Voice("org_mine", 0.8, score) for score in (1, 1, 1, 1, 0)] * 40
    mixed = [each for pair in zip(liars, honest, strict=True) for each in pair]
    heard = voices(mixed, MINE)
    said = {org: sum(v.weight for v in heard if v.org == org) for org in ("org_liar", "org_mine")}
    assert said["org_liar"] <= 0.25 * (sum(said.values()) + 20) + 1e-9
    # Alone it cannot do more than the prior lets it.
    alone = shift_of(voices(liars, MINE))
    assert chance(0.8, alone) > 0.6
    assert chance(0.8, shift([*liars])) == chance(0.8, alone)


@pytest.mark.parametrize("seed", range(200))
def test_nobody_is_heard_beyond_its_share(seed: int) -> None:
    draw = random.Random(seed)
    said = {f"org_{i}": draw.choice([0.5, 3.0, 40.0, 5000.0]) for i in range(draw.randint(1, 6))}
    trusted = {org for org in said if draw.random() < 0.3}
    heard = allowances(said, trusted, 20.0)
    whole = 20.0 + sum(heard.values())
    for org, weight in heard.items():
        assert 0 <= weight <= said[org]
        if org in trusted:
            assert weight == said[org]
        else:
            assert weight <= 0.25 * whole + 1e-6
            # And nobody is heard less than it may be.
            assert weight == said[org] or weight >= 0.25 * whole - 1e-6
