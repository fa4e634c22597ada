"""Many connections, and the end of one: who is refused, who is let in still, what is lost."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connection_places import Place
from seekroute.server.connection_table import ConnectionTable, Standing, client_group
from seekroute.server.limits import Limits
from seekroute.testing import Gate, Text
from serving import (
    RunningServer,
    parse_answers,
    read_until,
    read_until_closed,
    running_server,
)

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: g\r\n\r\n"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[RunningServer]:
    """A gateway for four connections, and one more for probes."""
    limits = Limits(max_connections=4, reserved_connections=1, linger_s=0.2)
    with running_server(tmp_path, limits=limits) as server:
        yield server


@contextlib.contextmanager
def busy(server: RunningServer, count: int) -> Iterator[Gate]:
    """So many connections are being answered."""
    gate = Gate()
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            server.mock.queue(Text("late", gate=gate))
            client = stack.enter_context(server.connect())
            client.sendall(server.chat_bytes(stream=True))
        server.mock.wait_for_requests(count)
        try:
            yield gate
        finally:
            gate.open()


def metric(server: RunningServer, name: str) -> float:
    return next(value for key, _, value in server.service.samples() if key == name)


# --- too many -------------------------------------------------------------------------------------


def test_a_full_gateway_answers_probes_and_tells_the_others(
    small: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "seekroute.http"), busy(small, 4):
        with small.connect() as client:
            client.sendall(small.chat_bytes())
            (refused,) = parse_answers(read_until_closed(client))
            assert (refused.status, refused.code) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) > 0
        for _ in range(3):  # its place is free again each time
            with small.connect() as client:
                client.sendall(LIVEZ)
                (alive,) = parse_answers(read_until_closed(client))
                assert (alive.status, alive.headers["connection"]) == (200, "close")
        with small.connect() as probing, small.connect() as late:
            (refused,) = parse_answers(read_until_closed(late))  # without a word from it
            assert (refused.status, refused.code) == (503, "overloaded")
            probing.sendall(LIVEZ)
            assert parse_answers(read_until_closed(probing))[0].status == 200
    said = [each.getMessage() for each in caplog.records if "connections" in each.getMessage()]
    assert len(said) == 1  # once a minute
    assert "all 4 connections are taken" in said[0]
    assert metric(small, "seekroute_http_connections_refused_total") == 1


def test_who_rests_makes_room_for_who_asks(small: RunningServer) -> None:
    with small.connect() as first, small.connect() as second:
        for client in (first, second):
            client.sendall(LIVEZ)
            read_until(client, b'{"status":"ok"}')
        with busy(small, 2):
            answer = small.request("GET", "/v1/models")
        assert answer.status == 200
        assert first.recv(1) == b""  # it had rested longest
        second.sendall(LIVEZ)
        read_until(second, b'{"status":"ok"}')
    assert metric(small, "seekroute_http_connections_refused_total") == 0
    assert metric(small, "seekroute_http_idle_connections_closed_total") == 1


def test_idle_connections_of_an_address_are_bounded(tmp_path: Path) -> None:
    limits = Limits(max_idle_per_address=2, fresh_s=0)
    with (
        running_server(tmp_path, limits=limits) as server,
        server.connect() as first,
        server.connect() as second,
        server.connect() as third,
    ):
        # Not a byte has come, but one may be on its way: it is told.
        (refused,) = parse_answers(read_until_closed(first))
        assert (refused.status, refused.code) == (503, "overloaded")
        for client in (second, third):
            client.sendall(LIVEZ)
            read_until(client, b'{"status":"ok"}')


def test_silent_connections_of_an_address_are_bounded_too(tmp_path: Path) -> None:
    limits = Limits(max_idle_per_address=8, fresh_s=1.0, first_byte_s=600)
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(30)]
        for client in silent[8:]:
            assert read_until_closed(client) == b""  # within fresh_s, in which a byte may come
        assert metric(server, "seekroute_http_connections") == 8
        silent[7].sendall(LIVEZ)
        read_until(silent[7], b'{"status":"ok"}')


def test_a_burst_of_one_address_is_served(tmp_path: Path) -> None:
    limits = Limits(max_idle_per_address=8)
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        burst = [stack.enter_context(server.connect()) for _ in range(30)]
        for client in burst:
            client.sendall(LIVEZ)
        for client in burst:
            read_until(client, b'{"status":"ok"}')


def test_the_bound_is_of_each_address() -> None:
    table = ConnectionTable(Limits(max_idle_per_address=2))
    mine, other = [Place() for _ in range(3)], Place()
    table.rest("b", other)
    for place in mine:
        assert table.rest("a", place)
    assert [each.gone for each in (*mine, other)] == [True, False, False, False]
    table.wake(mine[1])
    table.wake(mine[1])  # twice is harmless
    table.rest("a", mine[1])
    assert not mine[2].gone
    table.rest("a", Place())
    assert mine[2].gone
    assert not other.gone


def test_who_has_only_just_come_need_not_go() -> None:
    table = ConnectionTable(Limits(max_connections=1, max_idle_per_address=1))
    fresh = Place(fresh=True)
    table.rest("a", fresh, fresh=True)
    assert table.arrive("b", 2) is Standing.PROBES_ONLY
    assert not table.rest("a", Place(fresh=True), fresh=True)  # there are more than may be
    fresh.fresh = False
    assert table.arrive("b", 3) is Standing.SERVED
    assert fresh.gone


def test_room_is_made_behind_those_that_need_not_go() -> None:
    table = ConnectionTable(Limits(max_connections=100, max_idle_per_address=1000))
    for _ in range(100):
        table.rest("a", Place(fresh=True), fresh=True)
    idle, later = Place(), Place()
    table.rest("b", idle)
    table.rest("c", later)
    assert table.arrive("d", 101) is Standing.SERVED
    assert (idle.gone, later.gone) == (True, False)
    assert table.arrive("c", 101) is Standing.SERVED  # the own first
    assert later.gone
    assert table.arrive("d", 101) is Standing.PROBES_ONLY


def test_refusals_come_in_steps() -> None:
    table = ConnectionTable(Limits(max_connections=4, reserved_connections=2))
    found = [table.arrive("a", count) for count in (4, 5, 6, 7, 38)]
    assert found == [
        Standing.SERVED,
        Standing.PROBES_ONLY,
        Standing.PROBES_ONLY,
        Standing.REFUSED,
        Standing.REFUSED,
    ]
    refused = [Place() for _ in range(32)]
    assert all(table.linger(each) for each in refused)
    assert table.linger(refused[0])  # once
    assert not table.linger(Place())
    assert table.arrive("a", 32 + 6) is Standing.PROBES_ONLY  # they take none of the reserve
    assert table.arrive("a", 32 + 7) is Standing.CUT
    table.gone(refused[0])
    assert table.arrive("a", 31 + 7) is Standing.REFUSED
    assert table.refused == 4


def test_the_reserve_is_for_probes_while_others_linger(tmp_path: Path) -> None:
    limits = Limits(max_connections=4, reserved_connections=2, linger_s=600)
    with (
        running_server(tmp_path, limits=limits) as server,
        busy(server, 4),
        contextlib.ExitStack() as stack,
    ):
        for number in range(50):  # more than may linger; none of them closes
            refused = stack.enter_context(server.connect())
            refused.sendall(server.chat_bytes())
            came = (
                read_until_closed(refused) if number >= 32 else read_until(refused, b"overloaded")
            )
            assert b" 200 " not in came
        for _ in range(20):
            probe = stack.enter_context(server.connect())
            probe.sendall(LIVEZ)
            assert b" 200 " in read_until(probe, b'{"status":"ok"}')


@pytest.mark.parametrize(
    ("client", "group"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("2001:db8:1:2:3::9", 5), "20010db800010002"),
        (("2001:db8:1:2:ffff::1", 5), "20010db800010002"),
        (("fe80::1%eth0", 5), "fe80000000000000"),
        (None, ""),
    ],
)
def test_what_counts_as_one_address(client: tuple[str, int] | None, group: str) -> None:
    assert client_group(client) == group


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_line", ["1.1", "1.0"])
def test_bytes_behind_the_last_request_lose_no_answer(tmp_path: Path, request_line: str) -> None:
    words = "word " * 400_000
    with running_server(tmp_path) as server:
        server.mock.queue(Text(words))
        with server.connect(receive_buffer=4096) as client:
            sent = server.chat_bytes("Connection: close")
            client.sendall(sent.replace(b"HTTP/1.1", b"HTTP/" + request_line.encode(), 1))
            came = read_until(client, b"\r\n\r\n")  # the answer is on its way, its end is not
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: g\r\n\r\n" * 100)
            came += read_until_closed(client)
        (answer,) = parse_answers(came)
        assert answer.json()["choices"][0]["message"]["content"] == words
        assert answer.headers["connection"] == "close"


def test_a_closed_connection_does_not_wait_for_who_has_closed(tmp_path: Path) -> None:
    with running_server(tmp_path, limits=Limits(linger_s=600)) as server:
        with server.connect() as client:
            client.sendall(server.chat_bytes("Connection: close"))
            client.shutdown(socket.SHUT_WR)
            assert read_until_closed(client)
        with server.connect() as client:
            client.sendall(server.chat_bytes("Connection: close"))
            assert read_until_closed(client)
        server.stop()
        server.thread.join(20)
        assert not server.thread.is_alive()
