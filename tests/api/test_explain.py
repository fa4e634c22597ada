"""`X-Seekroute-Explain` and `X-OpenRouter-Metadata`: how an answer was routed, told on request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seekroute.testing import MockProvider, Status, Text
from serving import RunningServer, chat_body, running_server

MODEL = "test/two-providers"


@pytest.fixture(scope="module")
def first() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


@pytest.fixture(scope="module")
def second() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, first: MockProvider, second: MockProvider
) -> Iterator[RunningServer]:
    free = {"input": "0", "output": "0"}
    providers = {
        name: {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
        for name, mock in (("first", first), ("second", second))
    }
    endpoints = [
        {"provider": "first", "model": "one", "price": free},
        {"provider": "second", "model": "two", "price": free},
    ]
    models = [{"id": MODEL, "context": 1000, "aliases": ["two"], "endpoints": endpoints}]
    data_dir: Path = tmp_path_factory.mktemp("explain")
    # As listed, so that it is the first that fails.
    with running_server(
        data_dir,
        providers=providers,
        models=models,
        default_model=MODEL,
        routing={"balance": "listed"},
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(first: MockProvider, second: MockProvider) -> None:
    first.reset()
    second.reset()


def _ask(server: RunningServer, header: str, value: str = "1", **fields: Any) -> Any:
    headers = {"Content-Type": "application/json", header: value}
    body = chat_body(**{"model": MODEL, **fields})
    return server.request("POST", "/v1/chat/completions", body, headers)


def _events(body: bytes) -> list[dict[str, Any]]:
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


AVAILABLE = [
    {"provider": "first", "model": MODEL, "upstream_model": "one", "selected": False},
    {"provider": "second", "model": MODEL, "upstream_model": "two", "selected": True},
]


def test_an_answer_tells_its_attempts(server: RunningServer, first: MockProvider) -> None:
    first.queue(Status(503))
    found = _ask(server, "X-Seekroute-Explain").json()["seekroute"]
    candidates = found.pop("candidates")
    assert [(row["endpoint"], row["group"]) for row in candidates] == [("first", 0), ("second", 0)]
    assert found.pop("seed") >= 0
    assert all(attempt.pop("ms") >= 0 for attempt in found["attempts"])
    assert found == {
        "sort": "default",
        "explored": False,
        "sticky": "off",
        "requested": MODEL,
        "strategy": "direct",
        "region": None,
        "summary": f"{MODEL} by second, after first (503)",
        "attempt": 2,
        "is_byok": False,
        "endpoints": {"total": 2, "available": AVAILABLE},
        "attempts": [
            {"provider": "first", "model": MODEL, "status": 503, "error": "upstream_unavailable"},
            {"provider": "second", "model": MODEL, "status": 200},
        ],
        "limits": {"requests": None, "tokens": None, "concurrent": None, "queued_ms": 0},
    }


def test_openrouters_header_gives_openrouters_name(server: RunningServer) -> None:
    answer = _ask(server, "X-OpenRouter-Metadata", "enabled", model="auto").json()
    assert answer["openrouter_metadata"]["strategy"] == "auto"
    assert answer["openrouter_metadata"]["requested"] == "auto"
    assert "seekroute" not in answer


def test_nobody_is_told_who_did_not_ask(server: RunningServer) -> None:
    assert "seekroute" not in server.chat(model=MODEL).json()
    assert "seekroute" not in _ask(server, "X-Seekroute-Explain", "0").json()


@pytest.mark.parametrize("usage", [True, False])
def test_a_stream_tells_in_its_last_chunk_once(
    server: RunningServer, first: MockProvider, usage: bool
) -> None:
    first.queue(Text("a b c"))
    options = {"include_usage": usage}
    answer = _ask(server, "X-Seekroute-Explain", model="two", stream=True, stream_options=options)
    events = _events(answer.body)
    assert [i for i, event in enumerate(events) if "seekroute" in event] == [len(events) - 1]
    assert events[-1]["seekroute"]["strategy"] == "alias"
    assert events[-1]["usage"]["total_tokens"] > 0


def test_an_error_tells_what_was_tried(
    server: RunningServer, first: MockProvider, second: MockProvider
) -> None:
    first.queue(Status(500))
    second.queue(Status(429))
    answer = _ask(server, "X-Seekroute-Explain")
    assert answer.status >= 400
    statuses = [attempt["status"] for attempt in answer.json()["seekroute"]["attempts"]]
    assert statuses == [500, 429]


def test_a_refusal_before_any_model_was_found_has_nothing_to_tell(server: RunningServer) -> None:
    answer = _ask(server, "X-Seekroute-Explain", model="no/such")
    assert answer.status == 404
    assert "seekroute" not in answer.json()
