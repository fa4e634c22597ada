"""Clients that are made again and again, as cells of a notebook do, and dropped without close()."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seekroute
from in_process import HELLO, MODEL, PATIENCE, SAID
from seekroute.ledger import Ledger, LedgerError


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def collect(before: set[threading.Thread]) -> None:
    """Collects what was dropped, and waits for the ends of threads that were not there before."""
    gc.collect()
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("seekroute"):
            thread.join(PATIENCE)
            assert not thread.is_alive(), thread.name


def use_and_drop() -> None:
    client = seekroute.Client(mock="on")
    assert client.ask("Hello!", MODEL).text == SAID


def use_and_drop_async() -> None:
    async def ask() -> str:
        client = seekroute.AsyncClient(mock="on")
        return str((await client.ask("Hello!", MODEL)).text)

    assert asyncio.run(ask()) == SAID


def drop_unused() -> None:
    seekroute.Client(mock="on")
    seekroute.AsyncClient(mock="on")


def drop_what_was_derived() -> None:
    assert seekroute.Client(mock="on").with_options(timeout=9).ask("Hello!", MODEL).text == SAID


def drop_inside_a_loop() -> None:
    async def main() -> None:
        for _ in range(2):
            client = seekroute.AsyncClient(mock="on")
            await client.ask("Hello!", MODEL)
            del client
            gc.collect()
            await asyncio.sleep(0)
        other = seekroute.AsyncClient(mock="on")
        assert (await other.ask("Hello!", MODEL)).text == SAID
        await other.close()

    asyncio.run(main())


def drop_an_sdk_client() -> None:
    llm = seekroute.openai_client(mock="on")
    said: Any = llm.chat.completions.create(model=MODEL, messages=HELLO)
    assert said.choices[0].message.content == SAID


@pytest.mark.parametrize(
    "drop",
    [
        use_and_drop,
        use_and_drop_async,
        drop_unused,
        drop_what_was_derived,
        drop_inside_a_loop,
        drop_an_sdk_client,
    ],
)
def test_a_dropped_client_leaves_no_thread_and_no_descriptor(drop: Callable[[], None]) -> None:
    threads = set(threading.enumerate())
    drop()  # what is made once for all
    collect(threads)
    # Gateways of other tests run in this process, and may just open a connection: what leaks
    # does so each time.
    seen = []
    for _ in range(3):
        before = threading.active_count(), descriptors()
        for _ in range(5):
            drop()
        collect(threads)
        after = threading.active_count(), descriptors()
        if after <= before:
            return
        seen.append((before, after))
    raise AssertionError(seen)


def test_a_stream_outlives_the_name_of_its_client() -> None:
    stream = seekroute.Client(mock="on").chat.completions.create(
        model=MODEL, messages=HELLO, stream=True
    )
    gc.collect()
    assert "".join(stream.texts()) == SAID

    async def main() -> str:
        stream = await seekroute.AsyncClient(mock="on").chat.completions.create(
            model=MODEL, messages=HELLO, stream=True
        )
        gc.collect()
        return "".join([piece async for piece in stream.texts()])

    assert asyncio.run(main()) == SAID


def test_a_cell_with_a_ledger_can_be_run_again(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    book = seekroute.Client(mock="on", ledger=path)
    book.ask("Hello!", MODEL)
    first = book
    book = seekroute.Client(mock="on", ledger=path)  # the cell once more, before the name is free
    book.ask("Hello!", MODEL)
    first.ask("Hello!", MODEL)
    assert len(book.activity()) <= 1
    assert book.credits().total_usage == first.credits().total_usage == 3 * first_cost(book)
    first.close()
    assert book.ask("Hello!", MODEL).text == SAID
    assert book.ledger is not None
    assert len(book.ledger.rows()) == 4
    assert book.ledger.verify()["rule"] == ""
    book.close()
    with Ledger(path) as other:  # nobody has it any more
        assert len(other.rows()) == 4


def first_cost(client: seekroute.Client) -> Any:
    assert client.ledger is not None
    return client.generation(client.ledger.rows()[-1]["generation"]).total_cost


def test_a_dropped_client_lets_go_of_its_ledger(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    threads = set(threading.enumerate())
    for count in range(3):
        book = seekroute.Client(mock="on", ledger=path)
        book.ask("Hello!", MODEL)
        assert book.ledger is not None
        assert len(book.ledger.rows()) == count + 1
        del book
        gc.collect()
    collect(threads)
    with Ledger(path) as other:
        assert len(other.rows()) == 3


def test_a_ledger_that_this_process_has_open_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "spend.db"
    with Ledger(path), pytest.raises(LedgerError, match="open in this process") as busy:
        seekroute.Client(mock="on", ledger=path)
    assert "another process" not in str(busy.value)
