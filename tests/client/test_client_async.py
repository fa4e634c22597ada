"""AsyncClient over its event loops, and cancellation, through real sockets."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvloop

import seekroute
from client_modes import HELLO, MODEL, providers_at
from seekroute.testing import Gate, MockProvider, Raw, Status, Text
from serving import running_server

Make = Callable[..., seekroute.AsyncClient]
HANG = Raw([("hang",)])
# A cancelled call has to end its upstream's within this.
CANCEL_SECONDS = 0.1


@pytest.fixture(params=["local", "remote"])
def make(request: pytest.FixtureRequest, mock: MockProvider, tmp_path: Path) -> Iterator[Make]:
    """Makes clients of either kind, with `mock` behind them."""
    providers = providers_at(mock)
    if request.param == "local":
        yield lambda **options: seekroute.AsyncClient(providers=providers, **options)
        return
    with running_server(tmp_path, mock="off", providers=providers) as server:
        yield lambda **options: seekroute.AsyncClient(
            base_url=server.base_url, api_key=server.key, **options
        )


async def hello(client: seekroute.AsyncClient) -> str:
    return (await client.ask("Hello!", MODEL)).text


async def pieces(client: seekroute.AsyncClient) -> list[str]:
    async with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        return [piece async for piece in stream.texts()]


ANSWER = "Hello! You said: Hello!"


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_several_loops_one_after_another(make: Make, run: Callable[[Any], Any]) -> None:
    client = make()
    for _ in range(3):
        assert run(hello(client)) == ANSWER
        assert "".join(run(pieces(client))) == ANSWER
    run(client.close())
    with pytest.raises(seekroute.APIConnectionError, match="closed"):
        run(hello(client))


def test_a_loop_that_was_cut_off_leaves_the_next_one_alone(make: Make, mock: MockProvider) -> None:
    client = make()
    mock.queue(HANG)

    async def abandon() -> None:
        waiting = asyncio.ensure_future(hello(client))
        await asyncio.to_thread(mock.wait_for_requests, 1)
        assert not waiting.done()  # asyncio.run cancels it at its end

    asyncio.run(abandon())
    assert asyncio.run(hello(client)) == ANSWER
    asyncio.run(client.close())


def test_several_loops_at_once(make: Make) -> None:
    client = make()
    wrong: list[Any] = []
    ready = threading.Barrier(4)

    async def many(name: str) -> None:
        await asyncio.to_thread(ready.wait, 20)
        for number in range(10):
            said = f"{name}-{number}"
            whole, text = await asyncio.gather(client.ask(said, MODEL), pieces(client))
            if said not in whole.text or "".join(text) != ANSWER:
                wrong.append((whole, text))

    def run(name: str) -> None:
        try:
            asyncio.run(many(name))
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)
    assert asyncio.run(hello(client)) == ANSWER
    asyncio.run(client.close())


def test_a_second_loop_takes_over_while_the_first_waits(make: Make, mock: MockProvider) -> None:
    client, gate = make(), Gate()
    mock.queue(Text("a b c", gate=gate))
    first: list[Any] = []
    thread = threading.Thread(target=lambda: first.append(asyncio.run(pieces(client))))
    thread.start()
    mock.wait_for_requests(1)
    assert asyncio.run(hello(client)) == ANSWER
    gate.open()
    thread.join(30)
    assert "".join(first[0]) == "a b c"
    asyncio.run(client.close())


def test_many_calls_on_one_loop(make: Make, mock: MockProvider) -> None:
    async def main() -> None:
        async with make() as client:
            asked = [client.ask(f"number {i}", MODEL) for i in range(100)]
            answers = await asyncio.gather(*asked)
            assert [f"number {i}" in answer.text for i, answer in enumerate(answers)] == [
                True
            ] * 100
            assert client.spend == sum(answer.cost or 0 for answer in answers) > 0

    asyncio.run(main())
    assert not mock.errors


def _cancels(coroutine: str) -> Callable[[seekroute.AsyncClient], Any]:
    async def stream(client: seekroute.AsyncClient) -> Any:
        running = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        return [chunk async for chunk in running]

    return {"whole": hello, "stream": stream, "context": pieces}[coroutine]


@pytest.mark.parametrize("kind", ["whole", "stream", "context"])
def test_a_cancelled_task_cancels_its_upstream(make: Make, mock: MockProvider, kind: str) -> None:
    gate = Gate()
    gate.release(2)

    async def one(reply: Any, client: seekroute.AsyncClient, number: int) -> float:
        mock.queue(reply)
        task = asyncio.ensure_future(_cancels(kind)(client))
        await asyncio.to_thread(mock.wait_for_requests, number)
        task.cancel()
        cancelled = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        aborted = await asyncio.to_thread(mock.wait_for_abort, number)
        assert aborted.aborted_at is not None
        return aborted.aborted_at - cancelled

    async def both() -> list[float]:
        async with make() as client:
            begun = HANG if kind == "whole" else Text("a b c", gate=gate)
            return [await one(HANG, client, 1), await one(begun, client, 2)]

    assert max(asyncio.run(both())) < CANCEL_SECONDS


@pytest.mark.parametrize("how", ["close", "context", "drop"])
def test_leaving_a_stream_cancels_the_upstream(make: Make, mock: MockProvider, how: str) -> None:
    gate = Gate()
    gate.release(2)  # the role and one word

    async def main() -> None:
        async with make() as client:
            mock.queue(Text("a b c d", gate=gate))
            stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            await anext(aiter(stream))
            if how == "close":
                await stream.close()
            elif how == "context":
                async with stream:
                    pass
            del stream
            gc.collect()
            await asyncio.to_thread(mock.wait_for_abort)

    asyncio.run(main())


def test_closing_ends_what_still_runs(make: Make, mock: MockProvider) -> None:
    async def main() -> None:
        client = make(max_retries=0)
        mock.queue(HANG)
        waiting = asyncio.ensure_future(hello(client))
        await asyncio.to_thread(mock.wait_for_requests, 1)
        await client.close()
        with pytest.raises(seekroute.APIConnectionError):
            await asyncio.wait_for(waiting, 10)
        await client.close()

    asyncio.run(main())


def test_a_timeout_ends_the_upstream_too(make: Make, mock: MockProvider) -> None:
    async def main() -> None:
        async with make(max_retries=0, timeout=0.1) as client:
            mock.queue(HANG)
            with pytest.raises(seekroute.APITimeoutError) as caught:
                await hello(client)
            assert not caught.value.retryable  # the provider may answer, and charge, all the same
            await asyncio.to_thread(mock.wait_for_abort)

    asyncio.run(main())


def test_silence_within_a_stream_is_a_timeout(make: Make, mock: MockProvider) -> None:
    gate = Gate()
    gate.release(2)

    async def main() -> list[Any]:
        async with make() as client:
            mock.queue(Text("a b c d", gate=gate))
            stream = await client.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True, timeout=0.2
            )
            first = await anext(aiter(stream))
            with pytest.raises(seekroute.APITimeoutError):
                await stream.get_final_completion()
            return [first]

    assert asyncio.run(main())
    mock.wait_for_abort()


def test_waiting_for_the_next_try_can_be_cancelled(make: Make, mock: MockProvider) -> None:
    async def main() -> None:
        async with make() as client:
            mock.queue(Status(429, headers={"retry-after": "30"}))
            task = asyncio.ensure_future(hello(client))
            await asyncio.to_thread(mock.wait_for_requests, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 10


def test_the_spend_has_what_the_records_have(mock: MockProvider) -> None:
    """In process the core says what a call has cost, whoever listened to its end."""
    gate = Gate()
    gate.release(3)

    async def main() -> None:
        async with seekroute.AsyncClient(providers=providers_at(mock)) as client:
            ended: asyncio.Queue[Any] = asyncio.Queue()
            client._backend.gateway.on_record(ended.put_nowait)  # type: ignore[attr-defined]
            whole = await client.ask("Hello!", MODEL)
            mock.queue(Text("a b c d", gate=gate))
            stream = await client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            await anext(aiter(stream))
            await stream.close()
            records = [await asyncio.wait_for(ended.get(), 10) for _ in range(2)]
            assert stream.cost is None
            assert records[1].error == "client_closed"
            # Of what nobody waited for, the estimate counts too.
            counted = sum(record.cost_nano for record in records) + records[1].suspected_nano
            assert client.spend == Decimal(counted).scaleb(-9)
            assert client.spend >= (whole.cost or 0) > 0

    asyncio.run(main())
