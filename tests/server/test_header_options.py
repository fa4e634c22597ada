"""What a client asks for in headers: how long its request may take, and what is no such wish."""

from __future__ import annotations

import time

import pytest

from seekroute.testing import Raw
from serving import Answer, RunningServer, chat_body


def chat(gateway: RunningServer, name: str, value: str, **fields: object) -> Answer:
    """One chat completion with one more header."""
    headers = {"Content-Type": "application/json", name: value}
    return gateway.request("POST", "/v1/chat/completions", chat_body(**fields), headers)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_may_shorten_the_time_of_its_request(gateway: RunningServer, stream: bool) -> None:
    gateway.mock.queue(Raw.from_steps([["hang"]]))
    begun = time.monotonic()
    answer = chat(gateway, "X-Seekroute-Timeout-Ms", "300", stream=stream)
    took = time.monotonic() - begun
    assert answer.status == 504, answer.body
    assert answer.json()["error"]["code"] == "upstream_timeout"
    assert 0.3 <= took < 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-seekroute-timeout-ms", "0"),
        ("x-seekroute-timeout-ms", "soon"),
        ("x-seekroute-timeout-ms", "-1"),
        ("x-seekroute-timeout-ms", "86400001"),
        ("x-seekroute-queue-ms", "60001"),
        ("x-seekroute-queue-ms", "1.5"),
        ("x-seekroute-queue-progress", "maybe"),
        ("x-seekroute-explain", "yes"),
        ("x-seekroute-explain", ""),
        ("x-session-id", ""),
        ("x-session-id", "s" * 257),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(
    gateway: RunningServer, name: str, value: str
) -> None:
    answer = chat(gateway, name, value)
    assert answer.status == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("invalid_value", name)
    assert "expected" in error["message"]
    assert not gateway.mock.requests


@pytest.mark.parametrize("value", ["1", "true", "Enabled", "0", "FALSE", "disabled"])
def test_a_switch_is_on_or_off(gateway: RunningServer, value: str) -> None:
    answer = chat(gateway, "x-seekroute-explain", value)
    assert answer.status == 200, answer.body
    assert ("seekroute" in answer.json()) == (value.lower() in ("1", "true", "enabled"))
    assert chat(gateway, "x-seekroute-queue-progress", value, stream=True).status == 200
