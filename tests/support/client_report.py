"""What a client program of another interpreter tried, and what it has to have found.

The program (`openai2_script.py`, `node/clients.mjs`) runs every case in one go against a gateway
whose provider follows `script_mock`, and prints one JSON object with an entry for each case.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

from seekroute.testing import Raw, RecordedRequest, Reply, Status, Text, ToolCalls
from serving import MODEL, RunningServer

_HANGING = {"id": "x", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}


def script_mock(server: RunningServer) -> None:
    """Makes the provider behave as the last message asks."""
    tries = itertools.count()

    def second_time_lucky(request: RecordedRequest) -> Reply:
        if next(tries) == 0:
            return Status(429, headers={"retry-after-ms": "20"})
        return Text("at last")

    hang = Raw(
        [
            ("head", 200, {"Content-Type": "text/event-stream"}),
            ("send", b"data: " + json.dumps(_HANGING).encode() + b"\n\n"),
            ("hang",),
        ]
    )
    behaviours: dict[str, Any] = {
        "weather": ToolCalls([("get_weather", {"city": "Málaga"})]),
        "limit": Status(429, headers={"retry-after": "7"}),
        "down": Status(503),
        "credentials": Status(401),
        "refuse": Status(400, body={"error": {"message": "no such tone"}}),
        "retry": second_time_lucky,
        "hang": hang,
    }
    for word, reply in behaviours.items():
        server.mock.on(says(word), reply)


def says(word: str) -> Callable[[RecordedRequest], bool]:
    """Whether the last message of a request is `word`."""
    return lambda request: last_message(request) == word


def last_message(request: RecordedRequest) -> Any:
    messages = request.fields.get("messages") or [{}]
    return messages[-1].get("content")


EXPECTED: dict[str, Any] = {
    "whole": {
        "object": "chat.completion",
        "model": MODEL,
        "text": "Hello! You said: Hello!",
        "finish": "stop",
        "tokens": 13,
        "cost": True,
        "same_id": True,
        "provider": "mock",
        "request_id": "from-the-client-1",
    },
    # Without include_usage, usage rides on the last chunk, and every chunk has a choice.
    "stream": {
        "text": "Hello! You said: Hello!",
        "ids": 1,
        "usages": 1,
        "last_has_usage": True,
        "without_choices": 0,
        "finish": "stop",
    },
    "stream_usage": {
        "text": "Hello! You said: Hello!",
        "ids": 1,
        "usages": 1,
        "last_has_usage": True,
        "without_choices": 1,
        "finish": "stop",
    },
    "tools": {
        "name": "get_weather",
        "arguments": {"city": "Málaga"},
        "finish": "tool_calls",
        "final": "The tool answered: 21 degrees",
    },
    "tools_stream": {
        "name": "get_weather",
        "arguments": {"city": "Málaga"},
        "finish": "tool_calls",
    },
    "structured": ["name", "population"],
    "image_input": "Hello! You said: What is this?",
    "image_output": True,
    "choices": ["Hello! You said: Hello!", "Hello! You said: Hello!"],
    "logprobs": {"text": "Hello! You said: Hello!", "top": [2]},
    "models": {"listed": True, "one": "openai/gpt-4o-mini"},
    # As base64 and as floats the numbers are the same, and one text needs no array.
    "embeddings": {
        "object": "list",
        "model": "openai/text-embedding-3-small",
        "indexes": [0, 1],
        "lengths": [1536, 1536],
        "tokens": 4,
        "cost": True,
        "same": True,
        "short": 8,
        "of_tokens": 2,
    },
    "error_embeddings": {"status": 400, "code": "invalid_value", "param": "input"},
    "error_embeddings_model": {"status": 404, "code": "model_not_found", "param": "model"},
    "error_key": {"status": 401, "code": "invalid_api_key"},
    "error_model": {"status": 404, "code": "model_not_found", "param": "model"},
    "error_parameter": {"status": 400, "code": "invalid_value", "param": "max_tokens"},
    "error_refused": {"status": 400, "code": "upstream_invalid_request"},
    "error_limit": {"status": 429, "code": "upstream_rate_limited", "retry_after": "7"},
    "error_down": {"status": 503, "code": "upstream_unavailable"},
    "error_credentials": {"status": 502, "code": "upstream_auth_error"},
    "retry": "at last",
    "cancel": "Hel",
}


def check_case(report: dict[str, Any], case: str) -> None:
    """Checks one entry of a report; what it says beyond the expected does not matter."""
    found, expected = report[case], EXPECTED[case]
    if isinstance(expected, dict):
        found = {name: found.get(name) for name in expected}
    assert found == expected
