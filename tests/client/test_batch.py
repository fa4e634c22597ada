"""`map` over the real core and a real mock provider."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas
import pytest

import seekroute
from seekroute.client import AsyncClient, Client
from seekroute.client.batch.map import (
    CheckpointError,
    MapOptions,
    MapProgress,
    NotRunError,
    Results,
    Surroundings,
    _prepare,
    _writer_of,
)
from seekroute.client.batch.run import Run
from seekroute.client.spend.budget import Budgets
from seekroute.testing import (
    Answer,
    Gate,
    MockProvider,
    Raw,
    RecordedRequest,
    Reply,
    Status,
    Text,
    Usage,
)
from serving import RunningServer

MODEL = "openai/gpt-4o-mini"


def settings_of(mock: MockProvider) -> dict[str, Any]:
    provider = {
        "base_url": mock.base_url,
        "api_key": "sk-upstream",
        "allow_http": True,
        "allow_private": True,
    }
    return {"providers": {"openai": provider}}


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    with MockProvider() as running:
        yield running


@pytest.fixture(scope="module")
def shared(provider: MockProvider) -> Iterator[Client]:
    with Client(**settings_of(provider)) as running:
        yield running


@pytest.fixture
def mock(provider: MockProvider) -> MockProvider:
    provider.reset()
    provider.default = Answer()
    return provider


@pytest.fixture
def client(shared: Client, mock: MockProvider) -> Client:
    shared.reset_spend()
    return shared


def prompt_of(request: RecordedRequest) -> str:
    text: str = request.json["messages"][-1]["content"]
    return text


def prompts_seen(mock: MockProvider) -> list[str]:
    return [prompt_of(request) for request in mock.requests]


def echo(request: RecordedRequest) -> Reply:
    return Text(f"re: {prompt_of(request)}", usage=Usage(1000, 100))


def test_answers_come_in_the_order_of_the_prompts(client: Client, mock: MockProvider) -> None:
    mock.default = lambda request: Text(prompt_of(request).upper(), usage=Usage(1000, 100))
    results = client.map([f"p{i}" for i in range(100)], MODEL, progress=False, temperature=0.5)
    assert results.texts == [f"P{i}" for i in range(100)]
    assert results.complete
    assert len(results) == 100
    answer = results[7]
    assert isinstance(answer, seekroute.ChatCompletion)
    assert (answer.text, answer.provider, answer.cost) == ("P7", "openai", Decimal("0.00021"))
    assert answer.latency > 0
    assert answer.request_id
    assert results.cost == results.spent == client.spend == Decimal("0.021")
    assert results.usage.prompt_tokens == 100_000
    assert results.usage.total_tokens == 110_000
    assert 0 < results.latency.p50 <= results.latency.p99 <= results.latency.longest
    assert {request.json["temperature"] for request in mock.requests} == {0.5}


def test_prompts_of_every_kind(client: Client, mock: MockProvider) -> None:
    results = client.map(
        [
            "text é",
            [{"role": "user", "content": "messages"}],
            {
                "messages": [{"role": "user", "content": "fields"}],
                "max_tokens": 3,
                "model": "gpt-4o",
            },
        ],
        MODEL,
        system="Be brief.",
        max_tokens=9,
        seed=None,
        extra_body={"service_tier": "flex"},
        progress=False,
    )
    assert results.complete
    sent = {prompt_of(request): request.json for request in mock.requests}
    assert set(sent) == {"text é", "messages", "fields"}
    for body in sent.values():
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert body["service_tier"] == "flex"
        assert "seed" not in body
    # In the field that this provider reads.
    assert sent["text é"]["max_completion_tokens"] == 9
    assert sent["fields"]["max_completion_tokens"] == 3
    assert sent["fields"]["model"] == "gpt-4o"


@pytest.mark.parametrize(
    ("prompts", "fields", "kind", "words"),
    [
        ("one prompt", {}, TypeError, "put a single prompt into a list"),
        (5, {}, TypeError, "expected an iterable"),
        ([7], {}, TypeError, r"prompts\[0\]: expected a text"),
        (["a", {"n": 1}], {}, ValueError, r"prompts\[1\]: .*needs `messages`"),
        ([[object()]], {}, TypeError, r"prompts\[0\]: .*not JSON serializable"),
        (["\ud800"], {}, ValueError, r"prompts\[0\]: .*surrogates"),
        (["a"], {"timeout": 3}, TypeError, "takes no 'timeout': use client.with_options"),
        (["a"], {"stream": True}, ValueError, "leave `stream` out"),
        (["a"], {"concurrency": 0}, ValueError, "concurrency: expected a whole number"),
        (["a"], {"on_error": "ignore"}, ValueError, "on_error: expected"),
        (["a"], {"max_cost": "a lot"}, ValueError, "max_cost: expected USD"),
        (["a"], {"max_cost": -1}, ValueError, "max_cost: expected 0 to"),
        (["a"], {"deadline": 0}, ValueError, "deadline: expected seconds"),
        (["a"], {"progress": 3}, TypeError, "progress: expected"),
        (["a"], {"temperature": object()}, TypeError, "not JSON serializable"),
        (["a"], {"messages": []}, ValueError, "messages as prompts"),
    ],
)
def test_bad_arguments_are_named(
    client: Client, prompts: Any, fields: dict[str, Any], kind: type[Exception], words: str
) -> None:
    fields = {"progress": False, **fields}
    with pytest.raises(kind, match=words):
        client.map(prompts, MODEL, **fields)


def test_no_more_than_asked_are_in_flight_and_generators_are_read_slowly(
    client: Client, mock: MockProvider
) -> None:
    gate = Gate()
    mock.default = Text("ok", gate=gate)
    taken = itertools.count()
    last = 0

    def prompts() -> Iterator[str]:
        nonlocal last
        for last in taken:
            if last == 30:
                return
            yield f"p{last}"

    done: list[Results] = []
    thread = threading.Thread(
        target=lambda: done.append(client.map(prompts(), MODEL, concurrency=5, progress=False))
    )
    thread.start()
    mock.wait_for_requests(5)
    assert last == 4
    for number in range(6, 31):
        gate.release(1)
        mock.wait_for_requests(number)
        assert last <= number
    gate.open()
    thread.join(20)
    assert done[0].complete
    assert done[0].exhausted
    assert len(mock.requests) == 30


def test_an_empty_run(client: Client) -> None:
    results = client.map([], MODEL, progress=False)
    assert results.complete
    assert list(results) == []
    assert results.cost == 0
    assert results.latency.p50 == 0
    assert "0 of 0" in str(results.summary())


@pytest.mark.parametrize("on_error", ["return", "skip"])
def test_errors_stay_where_they_belong(client: Client, mock: MockProvider, on_error: Any) -> None:
    mock.on(lambda request: prompt_of(request) == "p2", Status(400))
    results = client.map([f"p{i}" for i in range(5)], MODEL, progress=False, on_error=on_error)
    assert list(results.errors) == [2]
    assert isinstance(results.errors[2], seekroute.BadRequestError)
    assert len(results.ok) == 4
    assert not results.complete
    if on_error == "return":
        assert results[2] is results.errors[2]
        assert results.texts[2] is None
        assert results[-1].text == "Hello! You said: p4"  # type: ignore[union-attr]
    else:
        assert len(results) == 4
        assert all(text is not None for text in results.texts)


def test_raise_ends_the_run_and_keeps_what_there_was(client: Client, mock: MockProvider) -> None:
    mock.on(lambda request: prompt_of(request) == "p3", Status(400))
    with pytest.raises(seekroute.BadRequestError) as caught:
        client.map(
            [f"p{i}" for i in range(100)], MODEL, progress=False, on_error="raise", concurrency=1
        )
    partial = caught.value.partial  # type: ignore[attr-defined]
    assert partial.texts[:3] == [f"Hello! You said: p{i}" for i in range(3)]
    assert partial.stopped
    assert partial.skipped == list(range(4, 100))
    assert len(mock.requests) == 4


def test_a_broken_generator_ends_the_run_and_keeps_what_there_was(
    client: Client, mock: MockProvider
) -> None:
    ended = threading.Event()
    client._backend.gateway.on_record(lambda record: ended.set())  # type: ignore[attr-defined]

    def prompts() -> Iterator[str]:
        yield "p0"
        assert ended.wait(20)
        raise LookupError("no more")

    with pytest.raises(LookupError) as caught:
        client.map(prompts(), MODEL, progress=False, concurrency=2)
    partial = caught.value.partial  # type: ignore[attr-defined]
    assert partial.texts == ["Hello! You said: p0"]
    assert not partial.exhausted


class Faulty:
    """Refuses, breaks and limits at random, but answers every prompt within a few tries."""

    def __init__(self, seed: int, part: float) -> None:
        self._rng = random.Random(seed)
        self._part = part
        self._lock = threading.Lock()
        self.tries: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def __call__(self, request: RecordedRequest) -> Reply:
        prompt = prompt_of(request)
        with self._lock:
            self.tries[prompt] += 1
            if self.tries[prompt] > 2 or self._rng.random() >= self._part:
                return echo(request)
            kind = self._rng.choice(["limited", "failed", "broken", "cut"])
            self.faults[kind] += 1
        if kind == "limited":
            return Status(429, headers={"retry-after-ms": "5"})
        if kind == "failed":
            return Status(500)
        if kind == "broken":
            return Raw([("head", 200, {"Content-Length": "100"}), ("send", b'{"id'), ("rst",)])
        return Raw([("head", 200, {"Content-Length": "10"}), ("send", b'{"choices"'), ("fin",)])


def test_ten_thousand_prompts_with_faults(mock: MockProvider) -> None:
    faulty = Faulty(7, 0.004)
    mock.default = faulty
    with Client(**settings_of(mock)) as client:
        results = client.map(
            (f"p{i}" for i in range(10_000)), MODEL, concurrency=64, progress=False
        )
        assert results.complete
        assert results.texts == [f"re: p{i}" for i in range(10_000)]
        assert min(faulty.faults[kind] for kind in ("limited", "failed", "broken", "cut")) > 0
        assert results.retries > 0
        assert results.pauses > 0
        # Nothing was asked more often than it failed.
        assert sum(faulty.tries.values()) == 10_000 + sum(faulty.faults.values())
        assert results.cost == client.spend == client.usage().cost == 10_000 * Decimal("0.00021")


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Echo:
    """A lane whose answers come when the test lets them."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.started: list[tuple[float, str]] = []
        self.running: list[Any] = []

    def start(self, job: Any) -> None:
        self.started.append((self.clock.now, job.body.decode()))
        self.running.append(job)

    def flush(self) -> None:
        pass

    def cancel(self, job: Any) -> None:
        self.running.remove(job)
        job.gone = True
        job.arrive(job)

    def close(self) -> None:
        pass

    def answer(self, job: Any, status: int = 200, **headers: str) -> None:
        self.running.remove(job)
        job.status = status
        job.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        job.parts = b'{"choices": []}' if status == 200 else b'{"error": {"message": "no"}}'
        job.arrive(job)


class Bench:
    """A run whose every step the test makes."""

    def __init__(self, count: int, **options: Any) -> None:
        self.clock = Clock()
        self.lane = Echo(self.clock)
        self.arrived: list[Any] = []
        self.budgets = Budgets()
        around = Surroundings(
            self.budgets,
            None,
            timeout=options.pop("timeout", math.inf),
            clock=self.clock,
            rng=random.Random(1),
        )
        options = {"progress": False, "concurrency": 3, **options}
        wanted = MapOptions("m", **options)
        self.run: Run = _prepare(
            (f"p{i}" for i in range(count)),
            _writer_of(wanted),
            wanted,
            around,
            lambda: self.lane,
            self.arrived.append,
        )
        self.timeout = self.run.step(())

    def step(self, seconds: float = 0.0) -> float | None:
        self.clock.now += seconds
        arrived, self.arrived[:] = list(self.arrived), []
        self.timeout = self.run.step(arrived)
        return self.timeout


def test_a_pause_holds_everybody_and_ends_by_itself() -> None:
    bench = Bench(9)
    assert bench.timeout is None  # only an answer changes anything
    first, second, third = bench.lane.running
    bench.lane.answer(first, 429, retry_after="10")
    bench.lane.answer(second)
    timeout = bench.step()
    assert timeout is not None
    assert 10 <= timeout <= 12.5
    assert bench.lane.running == [third]
    bench.lane.answer(third)
    assert bench.step(5.0) == pytest.approx(timeout - 5.0)
    assert bench.lane.running == []
    bench.step(timeout - 5.0)
    assert [job.index for job in bench.lane.running] == [0, 3, 4]
    while bench.lane.running:
        bench.lane.answer(bench.lane.running[0])
        bench.step()
    assert bench.run.finished
    assert bench.run.close().complete


def test_the_deadline_cancels_what_runs_and_reports_the_rest() -> None:
    bench = Bench(9, deadline=30.0)
    bench.lane.answer(bench.lane.running[0])
    assert bench.step(10.0) == 20.0
    bench.step(20.0)
    bench.step()
    assert bench.run.finished
    results = bench.run.close()
    assert results.stopped == "deadline"
    assert results.skipped == [1, 2, 3]
    assert not results.exhausted
    assert [type(item) for item in results[1:]] == [NotRunError] * 3


def test_a_try_that_takes_too_long_is_cancelled_and_not_made_again(
    client: Client, mock: MockProvider
) -> None:
    mock.queue(Raw([("hang",)]))
    quick = client.with_options(timeout=0.3)
    results = quick.map([f"p{i}" for i in range(9)], MODEL, progress=False)
    [error] = results.errors.values()
    assert isinstance(error, seekroute.APITimeoutError)
    assert sum(text is not None for text in results.texts) == 8
    assert results.retries == 0
    mock.wait_for_abort(1)


def test_the_timeout_is_that_of_each_try() -> None:
    bench = Bench(9, timeout=30.0)
    assert bench.timeout == 30.0
    first = bench.lane.running[0]
    bench.lane.answer(bench.lane.running[1])
    assert bench.step(10.0) == 20.0
    assert len(bench.lane.running) == 3
    assert bench.step(20.0) == 10.0  # the two old ones are cancelled, one is from 10.0
    assert first not in bench.lane.running
    bench.step()
    assert bench.lane.running[0].began == 10.0
    assert [job.began for job in bench.lane.running[1:]] == [30.0, 30.0]
    assert bench.run._schedule.retries == 0
    assert len(bench.run.results.errors) == 2


def test_of_unknown_prices_one_prompt_goes_first() -> None:
    bench = Bench(9, max_cost="0.01")
    assert len(bench.lane.running) == 1
    bench.lane.answer(bench.lane.running[0], x_seekroute_cost="0.004")
    bench.step()
    assert len(bench.lane.running) == 1  # 0.004 spent, 0.004 set aside, no room for another
    bench.lane.answer(bench.lane.running[0], x_seekroute_cost="0.001")
    bench.step()
    assert len(bench.lane.running) == 2  # a mean of 0.0025, twice, in 0.005
    for job in list(bench.lane.running):
        bench.lane.answer(job, x_seekroute_cost="0.0025")
    bench.step()
    assert bench.run.finished
    results = bench.run.close()
    assert results.spent == Decimal("0.01")
    assert results.stopped == "max_cost"
    assert results.skipped == [4]


def test_failed_tries_cost_too() -> None:
    bench = Bench(1)
    bench.lane.answer(bench.lane.running[0], 500, x_seekroute_cost="0.003")
    timeout = bench.step()
    assert timeout is not None
    bench.step(timeout)
    bench.lane.answer(bench.lane.running[0], x_seekroute_cost="0.004")
    bench.step()
    results = bench.run.close()
    assert results.spent == results.cost == results.ok[0].cost == Decimal("0.007")
    assert results.retries == 1


@pytest.mark.parametrize("said", ["-1", "much", "NaN"])
def test_a_price_that_is_none_does_not_spoil_the_answer(said: str) -> None:
    bench = Bench(1)
    bench.lane.answer(bench.lane.running[0], x_seekroute_cost=said)
    bench.step()
    results = bench.run.close()
    assert results.complete
    assert results.ok[0].cost is None


def test_a_retry_that_cannot_be_paid_is_not_lost() -> None:
    bench = Bench(3, max_cost="0.01", concurrency=1)
    bench.lane.answer(bench.lane.running[0], x_seekroute_cost="0.006")
    bench.step()
    assert bench.run.finished
    assert bench.run.close().skipped == [1]


def test_max_cost_holds_and_what_was_not_asked_is_named(client: Client, mock: MockProvider) -> None:
    # 0.00006075 USD an answer: no more than is expected of it, so that nothing exceeds the cap by
    # the difference, however many run at once.
    mock.default = lambda request: Text(prompt_of(request), usage=Usage(5, 100))
    results = client.map(
        [f"p{i}" for i in range(200)], MODEL, progress=False, max_cost="0.0030375", max_tokens=100
    )
    assert results.stopped == "max_cost"
    assert 40 <= len(results.ok) <= 50
    assert results.spent == len(results.ok) * Decimal("0.00006075") <= Decimal("0.0030375")
    assert results.skipped == list(range(len(results.ok), 200))
    assert len(results) == 200
    assert isinstance(results[199], NotRunError)
    assert "not asked: max_cost" in results.to_json()
    assert list(results.to_pandas().prompt) == [f"p{i}" for i in range(200)]
    assert len(mock.requests) == len(results.ok)


def test_prompts_of_a_column_that_were_not_asked_are_kept(
    client: Client, mock: MockProvider
) -> None:
    mock.default = echo
    column = pandas.Series(["a", "b", "c"], index=[7, 5, 6])
    results = client.map(column, MODEL, progress=False, max_cost="0.0000001")
    assert results.skipped == [0, 1, 2]
    assert [row["prompt"] for row in results.rows()] == ["a", "b", "c"]


def test_max_cost_counts_what_the_checkpoint_holds(
    client: Client, mock: MockProvider, tmp_path: Path
) -> None:
    mock.default = echo
    options: dict[str, Any] = {"progress": False, "checkpoint": tmp_path / "r", "max_tokens": 100}
    prompts = [f"p{i}" for i in range(20)]
    client.map(prompts[:10], MODEL, **options)
    results = client.map(prompts, MODEL, max_cost="0.0021", **options)
    assert results.restored == 10
    assert results.spent == 0
    assert results.skipped == list(range(10, 20))
    assert len(mock.requests) == 10


def test_a_checkpoint_is_gone_on_from(client: Client, mock: MockProvider, tmp_path: Path) -> None:
    mock.default = echo
    path = tmp_path / "run.jsonl"
    mock.on(lambda request: prompt_of(request) == "p3" and len(mock.requests) < 20, Status(400))
    prompts = [f"p{i}" for i in range(10)]
    first = client.map(prompts, MODEL, progress=False, checkpoint=path)
    assert list(first.errors) == [3]
    prompts[5] = "changed"
    second = client.map(prompts, MODEL, progress=False, checkpoint=path)
    assert second.restored == 8
    assert sorted(prompts_seen(mock)[10:]) == ["changed", "p3"]
    assert list(second.errors) == [3]
    assert second.texts[5] == "re: changed"
    assert second.texts[9] == first.texts[9] == "re: p9"
    assert second[9].cost == first[9].cost  # type: ignore[union-attr]
    with pytest.raises(CheckpointError, match="temperature: not given there, 1 here"):
        client.map(prompts, MODEL, progress=False, checkpoint=path, temperature=1)


def test_a_hopeless_run_ends(client: Client, mock: MockProvider) -> None:
    mock.default = Status(429, headers={"retry-after": "86400"})
    results = client.map([f"p{i}" for i in range(100)], MODEL, progress=False, concurrency=2)
    assert results.stopped == "rate limit"
    assert len(mock.requests) <= 4
    assert len(results.skipped) >= 98


def test_closing_the_client_ends_a_run(mock: MockProvider) -> None:
    gate = Gate()
    mock.default = Text("late", gate=gate)
    client = Client(**settings_of(mock))
    done: list[Any] = []
    thread = threading.Thread(
        target=lambda: done.append(client.map(["a", "b"], MODEL, progress=False))
    )
    thread.start()
    mock.wait_for_requests(2)
    client.close()
    thread.join(20)
    assert [type(error).__name__ for error in done[0].errors.values()] == ["APIConnectionError"] * 2


def test_progress_is_told(client: Client) -> None:
    told: list[MapProgress] = []
    client.map([f"p{i}" for i in range(50)], MODEL, progress=told.append)
    assert told[-1].done == told[-1].total == 50
    assert told[-1].errors == 0
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert told[-1].cost == client.spend


def test_the_bar_shows_cost(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    client.map(["a", "b"], MODEL)
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert f"{client.spend:f} USD" in shown


def interrupt_at(mock: MockProvider, count: int) -> threading.Thread:
    def wait() -> None:
        mock.wait_for_requests(count, timeout=20)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_ctrl_c_keeps_what_is_there(client: Client, mock: MockProvider, tmp_path: Path) -> None:
    gate = Gate()
    mock.on(lambda request: int(prompt_of(request)[1:]) >= 40, Text("late", gate=gate))
    path = tmp_path / "run.jsonl"
    thread = interrupt_at(mock, 44)
    with pytest.raises(KeyboardInterrupt) as caught:
        client.map(
            [f"p{i}" for i in range(100)],
            MODEL,
            progress=False,
            concurrency=4,
            checkpoint=path,
        )
    thread.join()
    partial = caught.value.partial  # type: ignore[attr-defined]
    assert partial.stopped == "interrupted"
    assert partial.texts[:40] == [f"Hello! You said: p{i}" for i in range(40)]
    assert partial.skipped == list(range(40, 100))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    mock.wait_for_abort(4)
    gate.open()
    again = client.map([f"p{i}" for i in range(100)], MODEL, progress=False, checkpoint=path)
    assert again.complete
    assert again.restored == 40


def test_ctrl_c_reaches_the_caller_s_own_code(client: Client) -> None:
    never = threading.Event()

    def prompts() -> Iterator[str]:
        yield "a"
        os.kill(os.getpid(), signal.SIGINT)
        never.wait(20)
        yield "b"

    with pytest.raises(KeyboardInterrupt):
        client.map(prompts(), MODEL, progress=False)


# --- asyncio --------------------------------------------------------------------------------------


def test_async_map(mock: MockProvider, tmp_path: Path) -> None:
    mock.default = Faulty(3, 0.02)

    async def main() -> None:
        async with AsyncClient(**settings_of(mock)) as client:
            runs = await asyncio.gather(
                client.map([f"p{i}" for i in range(500)], MODEL, progress=False),
                client.map((f"q{i}" for i in range(500)), MODEL, progress=False, concurrency=3),
            )
            assert runs[0].texts == [f"re: p{i}" for i in range(500)]
            assert runs[1].texts == [f"re: q{i}" for i in range(500)]
            assert client.spend == runs[0].cost + runs[1].cost

    asyncio.run(main())


def test_cancelling_an_async_map_keeps_what_is_there(mock: MockProvider) -> None:
    gate = Gate()
    mock.on(lambda request: prompt_of(request) != "p0", Text("late", gate=gate))

    async def main() -> None:
        async with AsyncClient(**settings_of(mock)) as client:
            task = asyncio.create_task(
                client.map([f"p{i}" for i in range(10)], MODEL, progress=False, concurrency=2)
            )
            await asyncio.to_thread(mock.wait_for_requests, 3)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            assert caught.value.partial.texts[0] == "Hello! You said: p0"  # type: ignore[attr-defined]
            assert len(caught.value.partial.skipped) == 9  # type: ignore[attr-defined]
            await asyncio.to_thread(mock.wait_for_abort, 2)

    asyncio.run(main())


# --- over HTTP ------------------------------------------------------------------------------------


def test_map_over_http(gateway: RunningServer) -> None:
    gateway.mock.on(lambda request: True, Faulty(5, 0.05))
    before = threading.active_count()  # other tests' gateways run in this process
    with Client(base_url=gateway.base_url, api_key=gateway.key) as client:
        results = client.map([f"p{i}" for i in range(200)], MODEL, progress=False)
        assert results.texts == [f"re: p{i}" for i in range(200)]
        assert results.cost == client.spend == client.usage().cost == 200 * Decimal("0.00021")
        assert results.usage.prompt_tokens == 200_000
        assert results[0].provider  # type: ignore[union-attr]
        assert threading.active_count() < before + 12


def test_a_price_that_nobody_says_is_none(mock: MockProvider) -> None:
    # The mock provider itself as the gateway: it knows no prices.
    with Client(base_url=mock.base_url, api_key="x") as client:
        results = client.map(["a"], "m", progress=False)
    assert results[0].cost is None  # type: ignore[union-attr]
    assert results.cost == 0
    assert results.rows()[0]["cost"] is None
    assert '"cost": null' in results.to_json()
    assert len(results.to_pandas()) == 1


@pytest.mark.parametrize("cap", ["max_cost", "budget"])
def test_a_cap_without_prices_ends_the_run(mock: MockProvider, cap: str) -> None:
    prompts = [f"p{i}" for i in range(50)]
    with Client(base_url=mock.base_url, api_key="x") as client:
        block = client.budget("1") if cap == "budget" else contextlib.nullcontext()
        own = {"max_cost": "1"} if cap == "max_cost" else {}
        with block, pytest.raises(seekroute.NotSupportedError, match="no prices") as refused:
            client.map(prompts, "m", progress=False, **own)
        assert "max_cost" in str(refused.value)
        partial: Any = refused.value.partial  # type: ignore[attr-defined]
        assert len(partial.ok) == len(mock.requests) == 1


def test_async_map_over_http(gateway: RunningServer) -> None:
    async def main() -> None:
        async with AsyncClient(base_url=gateway.base_url, api_key=gateway.key) as client:
            results = await client.map([f"p{i}" for i in range(50)], MODEL, progress=False)
            assert results.texts == [f"Hello! You said: p{i}" for i in range(50)]
            assert client.spend == results.cost > 0

    asyncio.run(main())


def test_a_wrong_key_ends_a_run_over_http(gateway: RunningServer) -> None:
    with Client(base_url=gateway.base_url, api_key="sk-wrong") as client:
        results = client.map([f"p{i}" for i in range(100)], MODEL, progress=False, concurrency=2)
    assert results.stopped == "authentication"
    assert 1 <= len(results.errors) <= 2
    assert isinstance(results.errors[0], seekroute.AuthenticationError)
    assert len(results.skipped) >= 98
