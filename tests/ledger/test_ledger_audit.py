"""The history check of the fault tests finds what is wrong: each lie here is one it must see."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from ledger_audit import Audit, Order
from ledger_load import Asked, ask
from ledger_world import Customer, World, run, world
from seekroute.money import nano


@dataclass
class Story:
    """What everybody has seen; the ledger agrees with it."""

    place: World
    customer: Customer
    asked: dict[str, Asked]
    orders: dict[str, Order]
    sent: list[str]

    def told(self) -> None:
        """Has it checked."""
        audit = Audit(self.place)
        audit.ordered(self.orders.values())
        audit.heard(self.asked.values())
        self.place.upstream.asked[:] = self.sent
        audit.check(replay=True)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    async def live() -> Story:
        async with world(tmp_path_factory.mktemp("audit")) as place:
            customer = place.customer("acme", "0.05")
            await place.serve()
            asked = [
                await ask(place, customer, "paid", max_tokens=20),
                await ask(place, customer, "streamed", streamed=True, max_tokens=20),
                await ask(place, customer, "faulty", "refuse", max_tokens=20),
                await ask(place, customer, "dear", max_tokens=16_000, n=8),
            ]
            await place.stop()
            paid = asked[0]
            orders = [Order("topup", "first:acme", customer.org, nano("0.05"), "ok")]
            orders.append(Order("refund", "back", paid.id, 5, "ok"))
            with place.ledger() as ledger:
                assert ledger.refund("back", paid.id, 5).result == "ok"
            assert [each.outcome for each in asked] == ["ok", "ok", "failed", "refused"]
            return Story(
                place,
                customer,
                {each.token: each for each in asked},
                {each.id: each for each in orders},
                list(place.upstream.asked),
            )

    return run(live())


def test_a_true_story_passes(story: Story) -> None:
    copy.copy(story).told()


def test_what_nobody_knows_may_be_either_way(story: Story) -> None:
    told = replace(story, asked=dict(story.asked), orders=dict(story.orders))
    told.asked["paid"] = Asked("paid", story.customer.org, "answer", False)  # there
    told.asked["gone"] = Asked("gone", story.customer.org, "answer", False)  # not there
    told.orders["first:acme"] = replace(told.orders["first:acme"], outcome="unknown")
    told.orders["gone"] = Order("topup", "gone", story.customer.org, 7)
    told.told()


def _lose_answer(story: Story) -> None:
    story.asked["lost"] = replace(story.asked["paid"], token="lost")


def _lose_failure(story: Story) -> None:
    story.asked["lost"] = replace(story.asked["faulty"], token="lost")


def _change_cost(story: Story) -> None:
    story.asked["streamed"] = replace(story.asked["streamed"], cost=1)


def _change_id(story: Story) -> None:
    story.asked["streamed"] = replace(story.asked["streamed"], id="gen-other")


def _refuse_and_charge(story: Story) -> None:
    story.asked["paid"] = replace(story.asked["paid"], outcome="refused")


def _fail_and_charge(story: Story) -> None:
    story.asked["paid"] = replace(story.asked["paid"], outcome="failed")


def _charge_nobody(story: Story) -> None:
    del story.asked["paid"]


def _charge_another(story: Story) -> None:
    story.asked["paid"] = replace(story.asked["paid"], org="org_other")


def _send_without_hold(story: Story) -> None:
    story.sent.append("dear")


def _send_twice(story: Story) -> None:
    story.sent.append("paid")


def _lose_order(story: Story) -> None:
    story.orders["lost"] = Order("topup", "lost", story.customer.org, 7, "ok")


def _book_unordered(story: Story) -> None:
    del story.orders["back"]


def _book_another_amount(story: Story) -> None:
    story.orders["back"] = replace(story.orders["back"], amount=6)


@pytest.mark.parametrize(
    ("lie", "found"),
    [
        (_lose_answer, "was lost"),
        (_lose_failure, "was lost"),
        (_change_cost, "settled"),
        (_change_id, "gen-other"),
        (_refuse_and_charge, "refused"),
        (_fail_and_charge, "failed"),
        (_charge_nobody, "nobody asked"),
        (_charge_another, "org_other"),
        (_send_without_hold, "without a hold"),
        (_send_twice, "sent twice"),
        (_lose_order, "was lost"),
        (_book_unordered, "nobody ordered"),
        (_book_another_amount, "refund"),
    ],
)
def test_a_lie_is_found(story: Story, lie: Callable[[Story], None], found: str) -> None:
    told = replace(story, asked=dict(story.asked), orders=dict(story.orders), sent=list(story.sent))
    lie(told)
    with pytest.raises(AssertionError, match=found):
        told.told()
