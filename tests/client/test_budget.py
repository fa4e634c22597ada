"""Budgets: what is refused, what is charged, and to whom."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

import seekroute
from routings import NO_MEMORY
from seekroute.client import AsyncClient, Client
from seekroute.client.spend.budget import Budgets
from seekroute.client.spend.prices import Estimate, Estimator
from seekroute.errors import BudgetExceededError
from seekroute.money import nano_at_most
from seekroute.testing import Answer, Gate, MockProvider, Raw, Status, Text, Usage
from serving import RunningServer

MODEL = "openai/gpt-4o-mini"
HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]
PRICE = Decimal("0.00021")  # of 1000 and 100 tokens, at 0.15 and 0.60 USD a million


def settings_of(mock: MockProvider) -> dict[str, Any]:
    provider = {
        "base_url": mock.base_url,
        "api_key": "sk-upstream",
        "allow_http": True,
        "allow_private": True,
    }
    return {"providers": {"openai": provider}, "max_retries": 0}


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    with MockProvider() as running:
        yield running


@pytest.fixture(scope="module")
def client(provider: MockProvider) -> Iterator[Client]:
    with Client(**settings_of(provider), routing=NO_MEMORY) as running:
        yield running


@pytest.fixture
def mock(provider: MockProvider) -> Iterator[MockProvider]:
    provider.reset()
    provider.default = Text("ok", usage=Usage(1000, 100))
    yield provider
    provider.default = Answer()


@pytest.mark.parametrize(
    ("amount", "nano"),
    [("0.50", 500_000_000), (0.1, 100_000_000), (1, 10**9), (Decimal("1e-9"), 1), ("0", 0)],
)
def test_amounts(amount: Any, nano: int) -> None:
    assert nano_at_most(amount, "x") == nano


@pytest.mark.parametrize("amount", ["a lot", -1, float("nan"), float("inf"), None, "1e10", ""])
def test_amounts_that_are_none(amount: Any) -> None:
    with pytest.raises(ValueError, match="x: expected"):
        nano_at_most(amount, "x")


def test_what_is_spent_is_charged_and_the_next_call_refused(
    client: Client, mock: MockProvider
) -> None:
    with client.budget("0.0004") as budget:
        client.ask("Hello!", MODEL)
        assert budget.spent == PRICE
        assert budget.left == Decimal("0.00019")
        client.ask("Hello!", MODEL)  # its least cost is far below what is left
        assert budget.spent == 2 * PRICE
        assert budget.left == 0
        with pytest.raises(BudgetExceededError, match=r"0\.0004 USD has 0 left") as caught:
            client.ask("Hello!", MODEL)
        assert not caught.value.retryable
    assert len(mock.requests) == 2
    client.ask("Hello!", MODEL)  # outside
    assert budget.spent == 2 * PRICE


def test_a_call_that_cannot_fit_is_refused_before_it_is_sent(
    client: Client, mock: MockProvider
) -> None:
    with client.budget("0.0004"):
        with pytest.raises(BudgetExceededError, match="this call needs"):
            client.ask("long " * 200_000, MODEL)
        client.ask("short", MODEL)
    assert len(mock.requests) == 1


def test_nothing_is_asked_of_an_empty_budget(client: Client, mock: MockProvider) -> None:
    with client.budget(0), pytest.raises(BudgetExceededError):
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert not mock.requests


def test_nested_budgets_are_all_charged(client: Client, mock: MockProvider) -> None:
    with client.budget("1") as outer:
        with client.budget("0.0002") as inner:
            client.ask("Hello!", MODEL)
            with pytest.raises(BudgetExceededError, match=r"budget of 0\.0002 USD"):
                client.ask("Hello!", MODEL)
        client.ask("Hello!", MODEL)
    assert inner.spent == PRICE
    assert outer.spent == 2 * PRICE


def test_a_budget_goes_on_where_it_was(client: Client, mock: MockProvider) -> None:
    budget = client.budget("1")
    for _ in range(2):
        with budget:
            client.ask("Hello!", MODEL)
    with budget, budget:
        client.ask("Hello!", MODEL)
    assert budget.spent == 3 * PRICE


def test_running_calls_count(client: Client, mock: MockProvider) -> None:
    gate = Gate()
    mock.default = Text("late", usage=Usage(1000, 100), gate=gate)
    with client.budget("0.001") as budget:
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=context.run,
            args=(lambda: client.ask("Hello!", MODEL, max_tokens=1600),),
        )
        thread.start()
        mock.wait_for_requests(1)
        assert budget.spent == 0
        assert budget.left < Decimal("0.00005")
        with pytest.raises(BudgetExceededError, match="held for running calls"):
            client.ask("long " * 2000, MODEL)
        gate.open()
        thread.join()
        assert budget.left == Decimal("0.001") - PRICE


def test_a_budget_covers_all_threads_unless_it_is_for_this_one(
    client: Client, mock: MockProvider
) -> None:
    with ThreadPoolExecutor(4) as pool:
        with client.budget("1", everywhere=False) as mine:
            list(pool.map(lambda _: client.ask("Hello!", MODEL), range(8)))
        with client.budget("1") as everywhere:
            list(pool.map(lambda _: client.ask("Hello!", MODEL), range(8)))
        with client.budget("0.0003"):
            with pytest.raises(BudgetExceededError):
                list(pool.map(lambda _: client.ask("Hello!", MODEL), range(8)))
            assert len(mock.requests) < 20
    assert mine.spent == 0
    assert everywhere.spent == 8 * PRICE
    client.ask("Hello!", MODEL)
    assert everywhere.spent == 8 * PRICE


def test_a_budget_that_was_never_entered_says_so(client: Client) -> None:
    with pytest.warns(RuntimeWarning, match="with client.budget"):
        client.budget("1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with client.budget("1"):
            pass
        client.map([], MODEL, max_cost="1", progress=False)
        with pytest.raises(ValueError, match="expected USD"):
            client.budget("a lot")


def test_a_gateway_without_prices_cannot_keep_a_budget_and_says_so(mock: MockProvider) -> None:
    # The mock provider itself as the gateway: it names no prices.
    with Client(base_url=mock.base_url, api_key="x") as client, client.budget("0.00001"):
        with pytest.warns(RuntimeWarning, match="names no prices"):
            client.ask("Hello!", MODEL)
        with warnings.catch_warnings():  # once is enough
            warnings.simplefilter("error")
            client.ask("Hello!", MODEL)


def test_streams_are_charged(client: Client, mock: MockProvider) -> None:
    with client.budget("1") as budget:
        for _ in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
            pass
        assert budget.spent == PRICE
        assert budget.left == 1 - PRICE


def test_a_stream_that_is_dropped_is_charged_when_it_has_ended(mock: MockProvider) -> None:
    gate = Gate()
    gate.release(2)
    mock.queue(Text("one two three", gate=gate))
    with Client(**settings_of(mock)) as client, client.budget("1") as budget:
        with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
            next(iter(stream))
        # The core has booked the dropped one when a later one has been answered.
        mock.wait_for_abort(1)
        client.ask("Hello!", MODEL)
        assert budget.spent == client.spend >= PRICE
        assert budget.left == 1 - budget.spent  # nothing is still set aside


def test_failed_calls_give_back_what_was_set_aside(client: Client, mock: MockProvider) -> None:
    with client.budget("1") as budget:
        for reply in (Status(500), Status(400), Raw([("rst",)])):
            mock.queue(reply)
            with pytest.raises(seekroute.APIError):
                client.ask("Hello!", MODEL)
        with pytest.raises(seekroute.NotFoundError):
            client.ask("Hello!", "no-such-model")
        assert budget.spent == 0
        assert budget.left == 1


def test_listing_models_is_free(client: Client) -> None:
    with client.budget(0):
        assert client.models.list().data


def test_the_caller_s_request_id_stays(client: Client, mock: MockProvider) -> None:
    with client.budget("1") as budget:
        answer = client.chat.completions.create(
            model=MODEL, messages=HELLO, extra_headers={"X-Request-Id": "mine-1"}
        )
    assert answer.request_id == "mine-1"
    assert budget.spent == PRICE


def test_map_stops_at_a_budget(client: Client, mock: MockProvider) -> None:
    with client.budget("0.0105") as budget:
        results = client.map([f"p{i}" for i in range(99)], MODEL, progress=False, max_tokens=100)
    assert results.stopped == "budget"
    assert budget.spent == results.spent <= Decimal("0.0105")
    assert len(results.ok) >= 40
    assert len(results.skipped) == 99 - len(results.ok)
    assert budget.left == Decimal("0.0105") - budget.spent


def test_tasks_have_budgets_of_their_own(mock: MockProvider) -> None:
    async def spend(client: AsyncClient, calls: int) -> Decimal:
        async with client.budget("1", everywhere=False) as budget:
            for _ in range(calls):
                await client.ask("Hello!", MODEL)
        return budget.spent

    async def main() -> None:
        async with AsyncClient(**settings_of(mock)) as client:
            with client.budget("1") as outer:
                spent = await asyncio.gather(*(spend(client, calls) for calls in (1, 2, 3)))
            assert spent == [PRICE, 2 * PRICE, 3 * PRICE]
            assert outer.spent == 6 * PRICE
            with pytest.raises(BudgetExceededError):
                async with client.budget(0):
                    await client.ask("Hello!", MODEL)

    asyncio.run(main())


def test_over_http(gateway: RunningServer) -> None:
    gateway.mock.on(lambda request: True, Text("ok", usage=Usage(1000, 100)))
    with Client(base_url=gateway.base_url, api_key=gateway.key) as client:
        with client.budget("0.0006") as budget:
            client.ask("Hello!", MODEL)
            assert budget.spent == PRICE
            for _ in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
                pass
            assert budget.spent == 2 * PRICE
            with pytest.raises(seekroute.NotFoundError):
                client.ask("Hello!", "no-such-model")
            assert budget.spent == 2 * PRICE
            client.ask("Hello!", MODEL)
            with pytest.raises(BudgetExceededError):
                client.ask("Hello!", MODEL)
        assert client.usage()[MODEL].calls == 3
        assert client.usage().cost == client.spend == 3 * PRICE


def test_over_http_with_asyncio(gateway: RunningServer) -> None:
    gateway.mock.on(lambda request: True, Text("ok", usage=Usage(1000, 100)))

    async def main() -> None:
        async with AsyncClient(base_url=gateway.base_url, api_key=gateway.key) as client:
            async with client.budget("1") as budget:
                await client.ask("Hello!", MODEL)
                async with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
                    async for _ in stream:
                        pass
            assert budget.spent == client.usage().cost == 2 * PRICE

    asyncio.run(main())


def test_many_threads_never_lose_a_nano() -> None:
    budgets = Budgets()
    budget = budgets.budget("1000", everywhere=True)

    def work(_: int) -> None:
        for _ in range(200):
            hold = budgets.hold(Estimate(1, 10))
            hold.settle(7)
            hold.settle(7)

    with budget, ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert budget.spent == 8 * 200 * Decimal("7e-9")
    assert budget.left == 1000 - budget.spent


def test_estimates_are_the_gateways_quotes(client: Client) -> None:
    local: Any = client._backend
    estimator = Estimator(local.gateway)

    def request(**fields: Any) -> bytes:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}], **fields}
        return json.dumps(body).encode()

    open_ended = estimator.estimate(request(), limited=False)
    limited = estimator.estimate(request(max_tokens=10), limited=True)
    twice = estimator.estimate(request(max_tokens=10, n=2), limited=True)
    assert open_ended is not None
    assert limited is not None
    assert twice is not None
    assert 0 < limited.minimum <= limited.expected < open_ended.expected
    assert twice.minimum > limited.minimum
    assert limited.expected < twice.expected
    automatic = estimator.estimate(request(model="auto"), limited=False)
    assert automatic is not None
    assert automatic.minimum == 0 < automatic.expected
    assert estimator.estimate(request(model="no/such"), limited=False) is None
    assert estimator.estimate(b"no JSON", limited=False) is None
