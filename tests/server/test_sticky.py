"""Requests of one conversation go where the last one was answered, for the sake of its cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from seekroute.testing import MockProvider, Status, Text, Usage
from serving import RunningServer, chat_body, running_server

MODEL = "acme/cached"
PRICE = {"input": "3", "cache_read": "0.3", "output": "15"}
NAMES = ("first", "second", "third")
COLD = Text("Hello.", usage=Usage(100, 10))
WARM = Text("Hello.", usage=Usage(100, 10, cached_tokens=80))


@pytest.fixture
def three(tmp_path: Any) -> Iterator[tuple[RunningServer, dict[str, MockProvider]]]:
    """A gateway before three providers that cost the same."""
    endpoints = [{"provider": name, "model": "up", "price": PRICE} for name in NAMES]
    with MockProvider() as a, MockProvider() as b, MockProvider() as c:
        mocks = dict(zip(NAMES, (a, b, c), strict=True))
        for mock in mocks.values():
            mock.default = COLD
        providers = {
            name: {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
            for name, mock in mocks.items()
        }
        settings: dict[str, Any] = {
            "models": [{"id": MODEL, "context": 128_000, "endpoints": endpoints}],
            "providers": providers,
        }
        with running_server(tmp_path, **settings) as server:
            yield server, mocks


def ask(server: RunningServer, **fields: Any) -> str:
    """Who answers."""
    answer = server.chat(model=MODEL, **fields)
    assert answer.status == 200, answer.body
    return answer.headers["x-seekroute-provider"]


def test_a_session_stays_where_it_was_answered(
    three: tuple[RunningServer, dict[str, MockProvider]],
) -> None:
    server, _ = three
    for name in ("session_id", "prompt_cache_key"):
        asked = {ask(server, **{name: "chat-1"}) for _ in range(12)}
        assert len(asked) == 1, name
    headers = {"Content-Type": "application/json", "X-Session-Id": "chat-2"}
    body = chat_body(model=MODEL)
    answers = [server.request("POST", "/v1/chat/completions", body, headers) for _ in range(12)]
    assert len({answer.headers["x-seekroute-provider"] for answer in answers}) == 1
    # Another session of the same prompt is drawn anew.
    assert len({ask(server, session_id=f"s{i}") for i in range(40)}) == 3


def test_the_same_prompt_stays_only_where_a_cache_knew_it(
    three: tuple[RunningServer, dict[str, MockProvider]],
) -> None:
    server, mocks = three
    assert len({ask(server) for _ in range(40)}) == 3
    for mock in mocks.values():
        mock.default = WARM
    ask(server)
    assert len({ask(server) for _ in range(12)}) == 1


def test_a_session_moves_when_its_provider_fails_and_stays_there(
    three: tuple[RunningServer, dict[str, MockProvider]],
) -> None:
    server, mocks = three
    home = ask(server, session_id="s")
    mocks[home].default = Status(500)
    moved = ask(server, session_id="s")
    assert moved != home
    mocks[home].default = COLD
    assert {ask(server, session_id="s") for _ in range(12)} == {moved}


def test_the_report_says_whether_a_cache_was_followed(
    three: tuple[RunningServer, dict[str, MockProvider]],
) -> None:
    server, _ = three
    headers = {"Content-Type": "application/json", "X-Seekroute-Explain": "1"}

    def told(**fields: Any) -> Any:
        body = chat_body(model=MODEL, **fields)
        answer = server.request("POST", "/v1/chat/completions", body, headers)
        return answer.json()["seekroute"]["sticky"]

    assert told(session_id="s") == "miss"
    assert told(session_id="s") == "hit"
    assert told(session_id="s", provider={"order": ["first"]}) == "yielded:order"
