"""Requests that wait for room in their limits, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from limited import held_stream, limit, sample
from seekroute.server.upkeep import Upkeep
from seekroute.testing import Exchange, Text
from serving import (
    PATIENCE,
    RunningServer,
    parse_answers,
    read_until,
    read_until_closed,
    running_server,
)

WAITS = "x-seekroute-queue-ms: 60000"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path) as running:
        yield running


@dataclass
class Crowd:
    """How many requests are upstream."""

    now: int = 0
    most: int = 0


@dataclass(frozen=True)
class Counted(Text):
    """A reply that takes a while and is counted meanwhile."""

    crowd: Crowd = field(default_factory=Crowd)

    async def play(self, exchange: Exchange) -> None:
        self.crowd.now += 1
        self.crowd.most = max(self.crowd.most, self.crowd.now)
        await asyncio.sleep(0.01)
        self.crowd.now -= 1  # before its end is sent: after that another may come
        await super().play(exchange)


def crowd_of(server: RunningServer, stack: contextlib.ExitStack, count: int) -> list[socket.socket]:
    """So many requests at once, each with a connection of its own."""
    clients = [stack.enter_context(contextlib.closing(server.connect())) for _ in range(count)]
    for client in clients:
        client.sendall(server.chat_bytes("Connection: close", WAITS))
    return clients


def until(server: RunningServer, waiting: int) -> None:
    """Until so many wait."""
    done = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if sample(server, "seekroute_queue_depth") == waiting:
            return
        done.wait(0.01)
    raise AssertionError(f"{sample(server, 'seekroute_queue_depth')} wait, not {waiting}")


@pytest.mark.parametrize("threads", [1, 2])
def test_five_hundred_take_turns_at_ten_slots(tmp_path: Path, threads: int) -> None:
    with (
        running_server(
            tmp_path, engine_threads=threads, limits_={"queue": {"per_org": 1000}}
        ) as server,
        contextlib.ExitStack() as stack,
    ):
        limit(server, concurrent=10)
        crowd = Crowd()
        server.mock.default = Counted("served", crowd=crowd)
        clients = crowd_of(server, stack, 500)
        answers = [parse_answers(read_until_closed(client))[0] for client in clients]
        assert [answer.status for answer in answers] == [200] * 500
        assert crowd.most == 10
        assert len(server.mock.requests) == 500
        assert sample(server, "seekroute_queue_depth") == 0
        assert sample(server, "seekroute_queue_wait_seconds_count") >= 480
        assert sample(server, "seekroute_limit_leaks_total") == 0


def test_who_finds_the_queue_full_is_refused_with_a_figure(server: RunningServer) -> None:
    limit(server, concurrent=10)
    crowd = Crowd()
    server.mock.default = Counted("served", crowd=crowd)
    with contextlib.ExitStack() as stack:
        clients = crowd_of(server, stack, 500)
        answers = [parse_answers(read_until_closed(client))[0] for client in clients]
    served = [answer for answer in answers if answer.status == 200]
    refused = [answer for answer in answers if answer.status == 429]
    assert len(served) + len(refused) == 500
    assert len(served) >= 110
    assert crowd.most <= 10
    assert len(server.mock.requests) == len(served)
    assert {answer.headers["retry-after-ms"] for answer in refused} <= {"1000"}


def test_a_wait_in_vain_says_how_long_it_was(server: RunningServer) -> None:
    limit(server, concurrent=1)
    with contextlib.ExitStack() as stack:
        held_stream(server, stack)
        refused = server.request(
            "POST",
            "/v1/chat/completions",
            json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode(),
            {"Content-Type": "application/json", "x-seekroute-queue-ms": "50"},
        )
        assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
        assert refused.json()["error"]["metadata"]["queued_ms"] >= 50
        assert refused.headers["retry-after-ms"] == "1000"


def test_the_operators_wait_is_for_who_names_none(tmp_path: Path) -> None:
    with (
        running_server(tmp_path, limits_={"queue_ms": 60_000}) as server,
        contextlib.ExitStack() as stack,
    ):
        limit(server, concurrent=1)
        _, gate = held_stream(server, stack)
        client = stack.enter_context(contextlib.closing(server.connect()))
        client.sendall(server.chat_bytes("Connection: close"))
        until(server, 1)
        impatient = stack.enter_context(contextlib.closing(server.connect()))
        impatient.sendall(server.chat_bytes("Connection: close", "x-seekroute-queue-ms: 0"))
        assert parse_answers(read_until_closed(impatient))[0].status == 429
        gate.open()
        assert parse_answers(read_until_closed(client))[0].status == 200


def test_a_key_or_its_organization_says_how_long_its_requests_wait(server: RunningServer) -> None:
    [key] = server.service.control.keys.list()
    for scope, id in (("key", key.id), ("org", key.org_id)):
        server.service.control.limits.set(scope, id, {"concurrent": 1, "queue_ms": 60_000})
        server.service.sync_keys()
        with contextlib.ExitStack() as stack:
            _, gate = held_stream(server, stack)
            client = stack.enter_context(contextlib.closing(server.connect()))
            client.sendall(server.chat_bytes("Connection: close"))
            until(server, 1)
            gate.open()
            assert parse_answers(read_until_closed(client))[0].status == 200
        server.service.control.limits.set(scope, id, {"concurrent": None, "queue_ms": None})
        server.service.sync_keys()
        assert server.service.control.limits.get(scope, id) == {}


def test_a_revoked_key_waits_no_longer(server: RunningServer) -> None:
    limit(server, concurrent=1)
    [key] = server.service.control.keys.list()
    with contextlib.ExitStack() as stack:
        held_stream(server, stack)
        [waits] = crowd_of(server, stack, 1)
        until(server, 1)
        server.service.control.keys.revoke(key.id)
        server.service.sync_keys()
        [answer] = parse_answers(read_until_closed(waits))
        assert answer.status == 401
        assert sample(server, "seekroute_queue_depth") == 0


def test_slots_that_nobody_has_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    found = iter((0, 2, 2, 5))
    core = SimpleNamespace(census=lambda: next(found))
    upkeep: Any = SimpleNamespace(_gateway=SimpleNamespace(core=core), _leaks=0)
    with caplog.at_level("ERROR", logger="seekroute.server"):
        for _ in range(4):
            assert Upkeep._take_census(upkeep) is False
    assert [record.getMessage().split()[0] for record in caplog.records] == ["2", "3"]


def test_a_client_that_leaves_gives_its_place_up(server: RunningServer) -> None:
    limit(server, concurrent=1)
    with contextlib.ExitStack() as stack:
        _, gate = held_stream(server, stack)
        [leaves] = crowd_of(server, stack, 1)
        until(server, 1)
        leaves.close()
        until(server, 0)
        [stays] = crowd_of(server, stack, 1)
        gate.open()
        assert parse_answers(read_until_closed(stays))[0].status == 200
    assert len(server.mock.requests) == 2


def test_a_stop_tells_those_that_wait(server: RunningServer) -> None:
    limit(server, concurrent=1)
    with contextlib.ExitStack() as stack:
        held_stream(server, stack)
        [waits] = crowd_of(server, stack, 1)
        until(server, 1)
        server.gateway.core.stop()
        [answer] = parse_answers(read_until_closed(waits))
        assert answer.status == 503


def test_a_stream_is_told_where_it_stands(server: RunningServer) -> None:
    limit(server, concurrent=1)
    with contextlib.ExitStack() as stack:
        _, gate = held_stream(server, stack)
        client = stack.enter_context(contextlib.closing(server.connect()))
        client.sendall(
            server.chat_bytes(
                "Connection: close", WAITS, "x-seekroute-queue-progress: 1", stream=True
            )
        )
        begun = read_until(client, b": queue position=1 waited_ms=1")
        gate.open()
        [answer] = parse_answers(begun + read_until_closed(client))
        assert answer.status == 200
        assert answer.body.endswith(b"data: [DONE]\n\n")


def test_a_wait_out_of_range_is_refused(server: RunningServer) -> None:
    answers: list[Any] = []
    for wait in ("-1", "60001", "soon"):
        with contextlib.closing(server.connect()) as client:
            client.sendall(server.chat_bytes("Connection: close", f"x-seekroute-queue-ms: {wait}"))
            answers += parse_answers(read_until_closed(client))
    assert [answer.status for answer in answers] == [400] * 3
