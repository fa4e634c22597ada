"""A weight of cost that holds what is to be spent, on traffic of any kind."""

from __future__ import annotations

import random

import pytest

from seekroute.learning.spending import MOST_WEIGHT, Offer, Target, chosen, cost_weight_for


def traffic(seed: int, count: int = 300) -> list[list[Offer]]:
    """Requests of a few models, the dearer the better, more or less."""
    draw = random.Random(seed)
    size, unit = draw.randint(2, 5), draw.choice([1, 1000, 10**9])
    requests = []
    for _ in range(count):
        length = draw.randint(1, 2000)
        offers = [
            Offer(min(0.99, draw.gauss(0.6 + 0.08 * place, 0.05)), unit * length * 3**place)
            for place in range(size)
        ]
        requests.append(offers)
    return requests


def mean_cost(requests: list[list[Offer]], weight: float) -> float:
    return sum(each.cost_pico for each in chosen(requests, weight)) / len(requests)


@pytest.mark.parametrize("seed", range(40))
def test_spends_what_it_may_and_no_more(seed: int) -> None:
    requests = traffic(seed)
    least, most = mean_cost(requests, MOST_WEIGHT), mean_cost(requests, 0)
    for part in (0.1, 0.5, 0.9):
        wanted = int(least + part * (most - least))
        weight = cost_weight_for(requests, Target(pico_per_request=wanted))
        spent = mean_cost(requests, weight)
        assert spent <= wanted
        # A little less weight would spend more than it may: nothing is left unspent for nothing.
        assert weight == 0 or mean_cost(requests, weight * 0.998) > wanted
    assert cost_weight_for(requests, Target(pico_per_request=int(2 * most) + 1)) == 0


@pytest.mark.parametrize("seed", range(10))
def test_holds_a_share_of_the_dearest_on_traffic_that_comes_later(seed: int) -> None:
    before, after = traffic(seed, 500), traffic(seed, 1000)[500:]
    weight = cost_weight_for(before, Target(dearest_share=0.3))
    dearest = sum(
        each.cost_pico == max(offer.cost_pico for offer in offers)
        for each, offers in zip(chosen(after, weight), after, strict=True)
    )
    assert dearest / len(after) == pytest.approx(0.3, abs=0.07)


def test_what_cannot_be_held_gives_the_most_weight() -> None:
    offers = [Offer(0.8, 1000), Offer(0.7, 1000)]
    assert cost_weight_for([offers] * 5, Target(pico_per_request=10)) == MOST_WEIGHT
