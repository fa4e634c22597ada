"""Limits over real sockets: who is refused, what is told, and that no slot leaks."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from limited import held_stream, limit, sample
from seekroute.file_names import ROUTING_STATE
from seekroute.money import nano
from serving import PATIENCE, RunningServer, read_until_closed, running_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path) as running:
        yield running


def test_the_sixty_first_of_sixty_is_told_the_true_wait(server: RunningServer) -> None:
    # So slow that the test's own time refills nothing.
    limit(server, requests_per_minute=1, burst_requests=60)
    for left in range(59, -1, -1):
        answer = server.chat()
        assert answer.status == 200
        assert answer.headers["x-ratelimit-limit-requests"] == "60"
        assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
    refused = server.chat()
    assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
    wait = int(refused.headers["retry-after-ms"])
    assert 0 < wait <= 60_000
    assert refused.headers["retry-after"] == str(-(-wait // 1000))
    fact = refused.json()["error"]["metadata"]["limit"]
    assert fact == {
        "scope": "org",
        "dimension": "requests_per_minute",
        "limit": 1,
        "remaining": 0,
        "window": 60,
        "exact": True,
    }
    assert len(server.mock.requests) == 60
    limit(server)
    assert server.chat().status == 200


def test_every_answer_tells_what_is_left(server: RunningServer) -> None:
    limit(server, requests_per_minute=1, burst_requests=9, tokens_per_minute=10**6, concurrent=3)
    whole = server.chat()
    stream = server.chat(stream=True)
    unknown = server.chat(model="no/such")
    broken = server.request("POST", "/v1/chat/completions", b"{")
    nowhere = server.request("GET", "/v1/nowhere")
    left = [
        (each.status, each.headers.get("x-ratelimit-remaining-requests"))
        for each in (whole, stream, unknown, broken, nowhere)
    ]
    assert left == [(200, "8"), (200, "7"), (404, "7"), (400, "7"), (404, "7")]
    assert whole.headers["x-ratelimit-limit-tokens"] == "1000000"
    assert whole.headers["x-ratelimit-limit-concurrent"] == "3"
    assert whole.headers["x-ratelimit-remaining-concurrent"] == "2"
    assert whole.headers["x-ratelimit-reset-requests"].endswith("s")
    # What is asked of the gateway itself takes nothing.
    for path in ("/v1/models", "/v1/key", "/v1/credits"):
        told = server.request("GET", path)
        assert (told.status, told.headers["x-ratelimit-remaining-requests"]) == (200, "7")
    server.gateway.set_limits("gateway", "", {"requests_per_minute": 1000})
    stranger = server.chat_with("sk-sr-nobody")
    assert stranger.status == 401
    assert not [name for name in stranger.headers if "ratelimit" in name]


def test_slots_are_free_again_however_a_request_ends(server: RunningServer) -> None:
    limit(server, concurrent=3)
    for round_ in range(4):
        with contextlib.ExitStack() as stack:
            held = [held_stream(server, stack) for _ in range(3)]
            refused = server.chat()
            assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
            assert refused.headers["retry-after-ms"] == "1000"
            assert refused.json()["error"]["metadata"]["limit"]["exact"] is False
            # One ends, and another is left by its client.
            held[0][1].open()
            assert b"[DONE]" in read_until_closed(held[0][0])
            held[1][0].close()
            server.mock.wait_for_abort(round_ + 1)
            held[2][1].open()
            read_until_closed(held[2][0])
        for _ in range(3):
            assert server.chat().status == 200
    assert sample(server, "seekroute_limit_leaks_total") == 0


def test_a_limit_may_be_lowered_while_requests_run(server: RunningServer) -> None:
    limit(server, concurrent=5)
    with contextlib.ExitStack() as stack:
        held = [held_stream(server, stack) for _ in range(2)]
        limit(server, concurrent=1)
        assert server.chat().status == 429
        for client, gate in held:
            gate.open()
            assert b"[DONE]" in read_until_closed(client)
    # A slot is free when its transfer is over, a moment after its client has all of it.
    until = time.monotonic() + PATIENCE
    while server.chat().status != 200:
        assert time.monotonic() < until


def test_a_prompt_above_the_burst_is_refused_for_good(server: RunningServer) -> None:
    limit(server, tokens_per_minute=10, burst_tokens=2)
    refused = server.chat()
    assert (refused.status, refused.code) == (400, "request_too_large_for_limit")
    assert "retry-after" not in refused.headers


def test_a_key_brings_its_own_limits(server: RunningServer) -> None:
    core = server.gateway.core
    key = next(server.service.control.core_keys())

    def put(limits: Mapping[str, int]) -> None:
        core.put_keys([key], lambda _: limits, stand_ins=False)

    put({"requests_per_day": 2})
    assert [server.chat().status for _ in range(3)] == [200, 200, 429]
    put({"requests_per_day": 3})
    assert [server.chat().status for _ in range(2)] == [200, 429]
    put({"requests_per_day": 0})
    closed = server.chat()
    assert (closed.status, closed.headers["x-should-retry"]) == (429, "false")
    assert "retry-after" not in closed.headers
    put({})
    assert server.chat().status == 200


@pytest.mark.parametrize(
    "limits",
    [
        {"requests": 1},
        {"requests_per_minute": -1},
        {"requests_per_minute": 4_000_000_001},
        {"burst_tokens": 0},
        {"concurrent": "many"},
    ],
    ids=lambda limits: json.dumps(limits),
)
def test_what_is_no_limit_is_refused(server: RunningServer, limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(limits))):
        server.gateway.set_limits("gateway", "", limits)
    for scope, named in [("key", "k"), ("team", "t"), ("org", ""), ("gateway", "g")]:
        with pytest.raises(ValueError, match=r"scope|id"):
            server.gateway.set_limits(scope, named, {"concurrent": 1})


def test_what_is_used_stays_used_over_a_restart(tmp_path: Path) -> None:
    limits = {
        "defaults": {"key": {"requests_per_minute": 1, "burst_requests": 4}},
        "gateway": {"requests_per_day": 6},
    }
    with running_server(tmp_path, limits_=limits) as server:
        key = server.key
        assert [server.chat().status for _ in range(3)] == [200, 200, 200]
    assert b"sk-sr-" not in (tmp_path / ROUTING_STATE).read_bytes()
    with running_server(tmp_path, limits_=limits) as server:
        assert [server.chat_with(key).status for _ in range(2)] == [200, 429]
        # Another key has its own minute, and the gateway's day goes on.
        assert [server.chat().status for _ in range(2)] == [200, 200]
        refused = server.chat()
        assert refused.status == 429
        assert refused.json()["error"]["metadata"]["limit"]["scope"] == "gateway"


def test_limits_of_a_day_go_on_after_a_restart(tmp_path: Path) -> None:
    limits = {"defaults": {"key": {"requests_per_day": 5}, "org": {"requests_per_day": 50}}}
    with running_server(tmp_path, limits_=limits, credits={"enabled": True}) as server:
        org = server.service.control.orgs.get("default").id
        assert server.service.ledger is not None
        server.service.ledger.topup("test:1", org, nano("1"))
        key = server.key
        for _ in range(3):
            assert server.chat().status == 200
    with running_server(tmp_path, limits_=limits, credits={"enabled": True}) as server:
        told = server.request("GET", "/v1/key", headers={"Authorization": f"Bearer {key}"})
        assert told.headers["x-ratelimit-remaining-requests"] == "2"
        assert [server.chat_with(key).status for _ in range(3)] == [200, 200, 429]
        # Another key of the organization has its own, and the organization's go on, too.
        assert server.chat().headers["x-ratelimit-remaining-requests"] == "4"
