"""`@ai-sdk/openai` under /v1 and `@openrouter/sdk` under /api/v1, which check what they get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from client_report import last_message
from node_clients import FOLDER, run_node
from seekroute.testing import Raw
from serving import MODEL, RunningServer, running_server

EVENTS = {"Content-Type": "text/event-stream"}


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    chunk = {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


BROKEN = Raw(
    [
        ("head", 200, EVENTS),
        ("send", event({"role": "assistant", "content": "Hel"})),
        ("send", event({"content": "lo"})),
        ("fin",),
    ]
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway with credits, whose provider does as the last message asks."""
    credits = {"enabled": True}
    with running_server(tmp_path_factory.mktemp("sdks"), credits=credits) as running:
        running.mock.on(lambda request: last_message(request) == "break", BROKEN)
        yield running


def report_of(kind: str, server: RunningServer, base: str) -> dict[str, Any]:
    url = f"http://127.0.0.1:{server.port}{base}"
    found: dict[str, Any] = json.loads(run_node(FOLDER / "sdks.mjs", kind, url, server.key, MODEL))
    return found


@pytest.fixture(scope="module")
def ai_sdk(server: RunningServer) -> dict[str, Any]:
    return report_of("ai-sdk", server, "/v1")


@pytest.fixture(scope="module")
def openrouter(server: RunningServer) -> dict[str, Any]:
    return report_of("openrouter", server, "/api/v1")


GREETING = "Hello! You said: Hello!"


def test_ai_sdk_reads_a_stream(ai_sdk: dict[str, Any]) -> None:
    assert ai_sdk["stream"] == {"text": GREETING, "reasoning": "", "errors": 0, "finish": "stop"}


def test_ai_sdk_sees_that_a_stream_broke(ai_sdk: dict[str, Any]) -> None:
    assert ai_sdk["broken"] == {"text": "Hello", "reasoning": "", "errors": 1, "finish": "error"}


@pytest.mark.parametrize("kind", ["ai_sdk", "openrouter"])
def test_vectors(kind: str, request: pytest.FixtureRequest) -> None:
    report: dict[str, Any] = request.getfixturevalue(kind)
    assert report["vectors"] == {"lengths": [1536, 1536], "tokens": 4}


def test_openrouter_reads_a_stream(openrouter: dict[str, Any]) -> None:
    whole = {"text": GREETING, "reasoning": ""}
    assert openrouter["whole"] == whole
    assert openrouter["stream"] == {**whole, "errors": 0, "finish": "stop"}


def test_openrouter_sees_that_a_stream_broke(openrouter: dict[str, Any]) -> None:
    assert openrouter["broken"] == {
        "text": "Hello",
        "reasoning": "",
        "errors": 1,
        "finish": "error",
    }


@pytest.mark.parametrize("call", ["models", "credits", "providers"])
def test_openrouter_reads(openrouter: dict[str, Any], call: str) -> None:
    assert openrouter[call] is True


def test_openrouter_reads_the_key(openrouter: dict[str, Any]) -> None:
    key = openrouter["key"]
    assert key["label"].startswith("sk-sr-")
    assert key["organizationId"].startswith("org_")
    assert (key["workspaceId"], key["allowedDataRegions"]) == (None, ["global"])
    assert key["freeModelDailyRequests"] == {"limit": 0, "remaining": 0, "used": 0}


def test_openrouter_reads_the_endpoints(openrouter: dict[str, Any]) -> None:
    endpoint = openrouter["endpoints"]
    assert endpoint["providerName"] == "Mock"
    takes = {"auto": True, "function": True, "none": True, "required": True}
    assert endpoint["supportsToolChoice"] == takes
