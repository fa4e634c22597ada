"""Scripted faults of a provider, through a whole gateway with a ledger: what the client sees, and
what it is charged."""

from __future__ import annotations

import json
import queue
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from email.utils import formatdate
from typing import Any

import pytest

from seekroute.ledger import Ledger
from seekroute.money import nano
from seekroute.testing import Raw
from serving import PATIENCE, Answer, RunningServer, chat_body, running_server
from shared import shared_folder

CORPUS = shared_folder() / "corpora" / "upstream-faults" / "scenarios.json"
MODEL = "acme/faulty"
# Scripts longer than this are not played byte by byte.
MAX_SINGLE_BYTES = 2000
NANO = Decimal("1e-9")

# The corpus's prices: 3000, 300 and 15000 nano-USD per token of input, cached input and output.
MODELS = [
    {
        "id": MODEL,
        "context": 128_000,
        "endpoints": [
            {
                "provider": "openai",
                "model": "up-model",
                "price": {"input": "3", "cache_read": "0.3", "output": "15"},
            }
        ],
    }
]


def byte_by_byte(steps: list[list[Any]]) -> list[list[Any]]:
    """The same script with one byte in each TCP segment."""
    return [["bytes1", step[1]] if step[0] == "send" else step for step in steps]


def size_of(steps: list[list[Any]]) -> int:
    """About how many bytes a script sends."""
    return sum(len(step[1]) * 3 // 4 for step in steps if step[0] == "send")


def scenarios() -> list[Any]:
    """The corpus as test parameters, as it is and byte by byte; one that skips without it."""
    if not CORPUS.exists():
        skip = pytest.mark.skip(reason=f"{CORPUS} is absent: set SEEKROUTE_SHARED")
        return [pytest.param({}, [], id="absent", marks=skip)]
    found = []
    for scenario in json.loads(CORPUS.read_text())["scenarios"]:
        name, steps = scenario["id"], scenario["steps"]
        found.append(pytest.param(scenario, steps, id=name))
        paced = any(step[0] == "sleep_ms" for step in steps)
        if 0 < size_of(steps) <= MAX_SINGLE_BYTES and not paced:
            found.append(pytest.param(scenario, byte_by_byte(steps), id=f"{name}-by-bytes"))
    return found


@dataclass
class Faulty:
    """A gateway with short deadlines, and how its exchanges ended."""

    server: RunningServer
    ledger: Ledger
    records: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def next_record(self) -> Any:
        """The record of the exchange that ends next; it may follow the answer's last byte."""
        return self.records.get(timeout=PATIENCE)

    def begin(self) -> None:
        """The provider has never failed, and has nothing to answer yet."""
        self.server.mock.reset()
        self.server.gateway.core.reset_health("mock")


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    deadlines = {
        "first_byte_timeout_ms": 1000,
        "first_content_timeout_ms": 1000,
        "idle_timeout_ms": 1000,
        "total_timeout_ms": 2000,
    }
    data_dir = tmp_path_factory.mktemp("faults")
    credits = {"enabled": True}
    with running_server(data_dir, models=MODELS, timeouts=deadlines, credits=credits) as server:
        assert server.service.ledger is not None
        made = Faulty(server, server.service.ledger)
        made.ledger.topup("test:1", server.service.control.orgs.get("default").id, nano("1000"))
        server.gateway.on_record(made.records.put)
        yield made


#: Where the gateway says more than the corpus knew: 402 is an account without money, not a refused
#: key.
MORE_PRECISE = {"status-402": "502 upstream_no_credit"}


@pytest.mark.parametrize(("scenario", "steps"), scenarios())
def test_what_the_client_sees(
    faulty: Faulty, scenario: dict[str, Any], steps: list[list[Any]]
) -> None:
    server = faulty.server
    faulty.begin()
    server.mock.queue(Raw.from_steps(steps))
    answer = server.chat(model=MODEL, stream=scenario["stream"])

    record = faulty.next_record()
    # Whatever it was, the next request is served, once the provider is asked again.
    faulty.server.gateway.core.reset_health("mock")
    assert server.chat(model=MODEL).status == 200
    assert faulty.next_record().status == 200

    check_nothing_leaked(answer)
    expect = scenario["expect"]
    check_client(answer, MORE_PRECISE.get(scenario["id"], expect["client"]))
    check_charge(answer, record, expect)
    check_row(faulty.ledger, record, expect["basis"])
    assert record.attempts == 1
    assert server.mock.errors == []


def check_nothing_leaked(answer: Answer) -> None:
    """Of the upstream's headers and secrets nothing comes through."""
    assert b"LEAK" not in answer.body
    assert "set-cookie" not in answer.headers
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
    for private in (b"up-model", b"127.0.0.1"):
        assert private not in answer.body


def events_of(answer: Answer) -> list[str]:
    """The data of the events of a stream."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    parts = answer.body.decode().split("\n\n")
    assert parts.pop() == "", "the stream ends inside an event"
    assert all(part.startswith("data: ") for part in parts)
    return [part.removeprefix("data: ") for part in parts]


def check_client(answer: Answer, expected: str) -> None:
    """Compares an answer with the corpus's words for it."""
    if expected == "complete+[DONE]":
        assert answer.status == 200
        events = events_of(answer)
        assert events.count("[DONE]") == 1
        assert events[-1] == "[DONE]"
        chunks = [json.loads(event) for event in events[:-1]]
        assert [bool(chunk.get("usage")) for chunk in chunks[:-1]] == [False] * (len(chunks) - 1)
        assert chunks[-1]["usage"]["total_tokens"] >= 0
        assert {chunk["model"] for chunk in chunks} == {MODEL}
        assert len({chunk["id"] for chunk in chunks}) == 1
    elif match := re.fullmatch(r"error-event:(\w+),no \[DONE\]", expected):
        assert answer.status == 200
        events = events_of(answer)
        assert "[DONE]" not in events
        *chunks, last = map(json.loads, events)
        assert "Hel" in [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
        assert not any("error" in chunk for chunk in chunks)
        assert list(last) == ["error"]
        assert last["error"]["code"] == match[1]
    elif expected == "502/503 upstream error if no fallback":
        assert answer.status in (502, 503)
        assert answer.code in ("upstream_error", "upstream_unavailable")
    elif expected in ("400 passed through, sanitised", "413 passed through"):
        assert answer.status == int(expected[:3])
        assert answer.code == "upstream_invalid_request"
        assert "nope key" in answer.json()["error"]["message"]
    else:
        match = re.match(r"(\d{3}) (\w+)", expected)
        assert match, f"unknown expectation {expected!r}"
        assert (answer.status, answer.code) == (int(match[1]), match[2])
        if "Retry-After" in expected:
            assert answer.headers["retry-after"] == "7"


def check_charge(answer: Answer, record: Any, expect: dict[str, Any]) -> None:
    """Compares what was charged with the corpus, to the nano-USD."""
    if expect["basis"] == "none":
        assert record.cost_nano == 0
        return
    assert record.estimated == (expect["basis"] == "estimated")
    last = json.loads(events_of(answer)[-2], parse_float=Decimal)
    assert Decimal(last["usage"]["cost"]) == record.cost_nano * NANO
    if expect["basis"] == "estimated":
        assert 0 < record.cost_nano < 1_000_000
        assert 0 < last["usage"]["completion_tokens"] < 1000
    else:
        assert record.cost_nano == expect["charge_nano"]


def check_row(ledger: Ledger, record: Any, basis: str) -> None:
    """The ledger has the charge, and how it was found."""
    row = ledger.generation(record.generation_id)
    assert row is not None
    assert row["cost"] == record.cost_nano
    assert row["cost"] <= row["held"]
    assert row["settlement"] == record.settlement
    expected = {
        "none": ("failed", "free"),
        "provider": ("exact", "free"),  # a count of nothing is free
        "estimated": ("estimated",),
    }
    assert row["settlement"] in expected[basis]
    assert row["state"] == ("voided" if row["settlement"] == "failed" else "settled")
    assert len(row["attempts"]) == record.attempts


def test_corpus_is_what_these_tests_know() -> None:
    if not CORPUS.exists():
        pytest.skip(f"{CORPUS} is absent: set SEEKROUTE_SHARED")
    assert len(json.loads(CORPUS.read_text())["scenarios"]) == 37


@pytest.mark.parametrize(
    ("ending", "code"), [("rst", "upstream_truncated"), ("hang", "upstream_idle_timeout")]
)
def test_end_inside_a_stream_is_told(faulty: Faulty, ending: str, code: str) -> None:
    faulty.begin()
    chunk = {"index": 0, "delta": {"role": "assistant", "content": "Hel"}, "finish_reason": None}
    event = b"data: " + json.dumps({"id": "x", "choices": [chunk]}).encode() + b"\n\n"
    head = ("head", 200, {"Content-Type": "text/event-stream"})
    faulty.server.mock.queue(Raw([head, ("send", event), (ending,)]))
    answer = faulty.server.request("POST", "/v1/chat/completions", chat_body(stream=True))
    record = faulty.next_record()
    check_client(answer, f"error-event:{code},no [DONE]")
    assert (record.error, record.cost_nano) == (code, 0)
    check_row(faulty.ledger, record, "none")


@pytest.mark.parametrize(
    ("ahead", "least", "most"), [(90, 80, 90), (-90, 0, 1), (90_000_000, 86_400, 86_400)]
)
def test_a_date_to_try_again_at_is_kept(faulty: Faulty, ahead: int, least: int, most: int) -> None:
    faulty.begin()
    headers = {"Retry-After": formatdate(time.time() + ahead, usegmt=True), "Content-Length": "2"}
    faulty.server.mock.queue(Raw([("head", 429, headers), ("send", b"{}")]))
    answer = faulty.server.chat(model=MODEL)
    faulty.next_record()
    assert answer.status == 429
    # What is past asks for no wait, which needs no header.
    assert least <= int(answer.headers.get("retry-after", 0)) <= most


def test_the_ledger_is_sound_after_all_of_it(faulty: Faulty) -> None:
    assert faulty.ledger.verify()["rule"] == ""
    (balance,) = faulty.ledger.balances().values()
    assert balance.held == 0
