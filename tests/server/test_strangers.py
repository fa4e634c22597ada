"""Who holds connections without a key, by slow heads and slow bodies, stops nobody else."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connection_places import Place
from seekroute.server.connection_table import ConnectionTable, Standing
from seekroute.server.limits import Limits
from seekroute.testing import Gate, Text
from serving import (
    PATIENCE,
    Answer,
    RunningServer,
    chat_body,
    parse_answers,
    post_bytes,
    read_until,
    read_until_closed,
    running_server,
)

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: g\r\n\r\n"
# What a stranger sends, of which nothing follows.
SLOW = {
    "head": b"GET /livez HTTP/1.1\r\nHost: g\r\n",
    "body": post_bytes(b"{", "Authorization: Bearer sk-sr-none").replace(
        b"Content-Length: 1", b"Content-Length: 100"
    ),
    "body without a key": post_bytes(b"{").replace(b"Content-Length: 1", b"Content-Length: 100"),
    "chunks": post_bytes(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"),
    "body of no route": b"POST /nowhere HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\n{",
}


def connect_from(server: RunningServer, address: str) -> socket.socket:
    return socket.create_connection(
        ("127.0.0.1", server.port), timeout=PATIENCE, source_address=(address, 0)
    )


def served_from(server: RunningServer, address: str, sent: bytes) -> Answer:
    with connect_from(server, address) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return next(each for each in parse_answers(read_until_closed(client)) if each.status > 100)


def metric(server: RunningServer, name: str) -> float:
    return next(value for key, _, value in server.service.samples() if key == name)


@pytest.mark.parametrize("what", SLOW)
@pytest.mark.parametrize("bound", [6, 1000])
def test_strangers_of_one_address_stop_nobody(tmp_path: Path, what: str, bound: int) -> None:
    limits = Limits(
        max_connections=16,
        reserved_connections=1,
        max_strangers_per_address=bound,
        fresh_s=0,
        linger_s=600,
        linger_most_s=600,
    )
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        for _ in range(60):
            stranger = stack.enter_context(connect_from(server, "127.0.0.1"))
            with contextlib.suppress(ConnectionError):
                stranger.sendall(SLOW[what])
            # It has been read, or the next one would take the place of one that has sent nothing.
            assert served_from(server, "127.0.0.2", LIVEZ).status == 200
        assert served_from(server, "127.0.0.2", server.chat_bytes()).status == 200
        assert served_from(server, "127.0.0.2", LIVEZ).status == 200
        assert metric(server, "seekroute_http_strangers_closed_total") > 0
        if bound == 6 and what == "head":
            # They themselves are told.
            assert metric(server, "seekroute_http_connections") <= 6 + 32 + 1


def test_room_is_made_by_the_address_with_most_strangers(tmp_path: Path) -> None:
    limits = Limits(max_connections=6, reserved_connections=1, fresh_s=0, linger_s=0.2)
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        slow = stack.enter_context(connect_from(server, "127.0.0.3"))
        idle = stack.enter_context(connect_from(server, "127.0.0.3"))
        slow.sendall(SLOW["head"])
        idle.sendall(LIVEZ)
        read_until(idle, b'{"status":"ok"}')
        many = [stack.enter_context(connect_from(server, "127.0.0.1")) for _ in range(3)]
        for each in many:
            each.sendall(SLOW["head"])
            assert served_from(server, "127.0.0.2", LIVEZ).status == 200  # the last place
        stack.enter_context(connect_from(server, "127.0.0.2"))
        assert served_from(server, "127.0.0.2", LIVEZ).status == 200
        (told,) = parse_answers(read_until_closed(many[0]))
        assert (told.status, told.code) == (503, "overloaded")
        slow.sendall(b"\r\n")
        read_until(slow, b'{"status":"ok"}')
        idle.sendall(LIVEZ)
        read_until(idle, b'{"status":"ok"}')


@contextlib.contextmanager
def slow_bodies(server: RunningServer, count: int) -> Iterator[list[socket.socket]]:
    """Connections with a good key, whose bodies lack their last byte."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(count)]
        for client in clients:
            sent = server.chat_bytes("Expect: 100-continue", "Connection: close")
            client.sendall(sent[: -len(chat_body())])
            read_until(client, b"100 Continue\r\n\r\n")
            client.sendall(chat_body()[:-1])
        yield clients


def test_who_has_shown_a_key_does_not_count(tmp_path: Path) -> None:
    limits = Limits(max_strangers_per_address=2, fresh_s=0)
    gate = Gate()
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        running = []
        for _ in range(4):
            server.mock.queue(Text("late", gate=gate))
            client = stack.enter_context(server.connect())
            client.sendall(server.chat_bytes(stream=True))
            running.append(client)
            server.mock.wait_for_requests(len(running))
        bodies = stack.enter_context(slow_bodies(server, 4))
        for _ in range(6):
            stack.enter_context(server.connect()).sendall(SLOW["head"])
            assert served_from(server, "127.0.0.2", LIVEZ).status == 200
        gate.open()
        for client in running:
            read_until(client, b"data: [DONE]\n\n")
        for client in bodies:
            client.sendall(chat_body()[-1:])
            assert parse_answers(read_until_closed(client))[0].status == 200
        assert metric(server, "seekroute_http_strangers_closed_total") == 4


def test_the_next_request_has_to_show_its_key_anew(tmp_path: Path) -> None:
    limits = Limits(max_strangers_per_address=2, fresh_s=0)
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(3)]
        for client in clients:
            # Its second request begins while the first one is being answered.
            client.sendall(server.chat_bytes() + SLOW["head"])
            read_until(client, b'"usage"')
            assert served_from(server, "127.0.0.2", LIVEZ).status == 200
        assert b"HTTP/1.1 503 " in read_until_closed(clients[0])
        assert metric(server, "seekroute_http_strangers_closed_total") == 1


def test_a_proxy_is_one_address_and_bursts(tmp_path: Path) -> None:
    # Whole requests follow one another; who has only just come need not go.
    limits = Limits(max_strangers_per_address=4)
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        burst = [stack.enter_context(server.connect()) for _ in range(30)]
        for client in burst:
            client.sendall(LIVEZ[:-2])
        for client in burst:
            client.sendall(LIVEZ[-2:])
        for client in burst:
            read_until(client, b'{"status":"ok"}')
        assert metric(server, "seekroute_http_strangers_closed_total") == 0


def test_the_table_counts_strangers_by_address() -> None:
    table = ConnectionTable(Limits(max_strangers_per_address=2))
    mine, other = [Place() for _ in range(4)], Place()
    assert table.begin("b", other)
    for place in mine[:3]:
        assert table.begin("a", place)
    assert [each.gone for each in (*mine, other)] == [True, False, False, False, False]
    table.vouch(mine[1])
    table.vouch(mine[1])  # twice is harmless
    assert table.begin("a", mine[3])
    assert not mine[2].gone
    table.rest("a", mine[3])  # it was answered without a key
    assert table.begin("a", Place())
    assert not mine[2].gone
    assert table.begin("a", Place())
    assert mine[2].gone
    assert table.strangers_closed == 2


def test_too_many_that_have_only_just_come_may_not_stay_long() -> None:
    table = ConnectionTable(Limits(max_strangers_per_address=2))
    assert table.begin("a", Place(fresh=True))
    assert table.begin("a", Place(fresh=True))
    assert not table.begin("a", Place(fresh=True))


def test_a_flood_of_one_address_is_not_protected_by_its_youth() -> None:
    table = ConnectionTable(Limits(max_connections=8, max_strangers_per_address=4))
    flood = [Place(fresh=True) for _ in range(8)]
    for place in flood:
        table.begin("a", place)
    assert table.arrive("b", 9) is Standing.SERVED
    assert [each.gone for each in flood] == [True] + [False] * 7
    assert table.arrive("a", 9) is Standing.PROBES_ONLY  # it has as many already
    silent = ConnectionTable(Limits(max_connections=8, max_strangers_per_address=4))
    idle = Place()
    silent.rest("c", idle)
    flood = [Place(fresh=True) for _ in range(7)]
    for place in flood:
        silent.rest("a", place, fresh=True)
    assert silent.arrive("b", 9) is Standing.SERVED
    assert (flood[0].gone, idle.gone) == (True, False)
