"""What is charged when a provider reports no usage: the core's estimate, end to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from seekroute.gateway import estimate_prompt, estimate_tokens
from seekroute.testing import Status, Stream
from serving import MODEL, RunningServer, chat_body
from token_texts import LANGUAGES

WORDS = {text.name: text.text for text in LANGUAGES}


@pytest.fixture
def server(gateways: Callable[[str], RunningServer]) -> RunningServer:
    """A gateway of the default profile."""
    return gateways("seekroute")


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


def usage_of(server: RunningServer, prompt: str, answer: str, *, stream: bool) -> dict[str, Any]:
    """The usage a client sees for an answer that came without one."""
    fields: dict[str, Any] = {"messages": [{"role": "user", "content": prompt}]}
    if stream:
        pieces = [answer[at : at + 5] for at in range(0, len(answer), 5)]
        events = [chunk({"role": "assistant", "content": ""})]
        events += [chunk({"content": piece}) for piece in pieces]
        server.mock.queue(Stream([*events, chunk({}, "stop")]))
        got = server.chat(stream=True, stream_options={"include_usage": True}, **fields)
        assert got.status == 200
        events_back = [line[6:] for line in got.body.split(b"\n\n") if line.startswith(b"data: {")]
        found = json.loads(events_back[-1])["usage"]
    else:
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        body = {"id": "x", "object": "chat.completion", "created": 1, "choices": [choice]}
        server.mock.queue(Status(200, body=body))
        found = server.chat(**fields).json()["usage"]
    usage: dict[str, Any] = found
    return usage


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("repeat", [1, 300], ids=["short", "longer than is kept"])
def test_missing_usage_is_the_estimate(server: RunningServer, stream: bool, repeat: int) -> None:
    prompt, answer = WORDS["russian"] * repeat, WORDS["english"]
    usage = usage_of(server, prompt, answer, stream=stream)
    body = chat_body(model=MODEL, messages=[{"role": "user", "content": prompt}])
    assert usage["prompt_tokens"] == estimate_prompt(body)[0]
    assert usage["completion_tokens"] == estimate_tokens(answer.encode())[0]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_scripts_are_weighed_not_their_bytes(server: RunningServer) -> None:
    true = {text.name: text.tokens for text in LANGUAGES}
    for name in ("english", "hindi", "chinese"):
        usage = usage_of(server, "Go on.", WORDS[name], stream=True)
        assert abs(usage["completion_tokens"] / true[name] - 1) <= 0.2


def test_an_empty_answer_costs_no_completion(server: RunningServer) -> None:
    usage = usage_of(server, "Say nothing.", "", stream=False)
    assert usage["completion_tokens"] == 0
    assert usage["prompt_tokens"] > 0
