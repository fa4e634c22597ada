"""One key's requests that lack the rest of their body leave the connections to others."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from seekroute.server.answers import Refusal
from seekroute.server.limits import Limits
from seekroute.server.unfinished import UnfinishedRequests
from serving import (
    Answer,
    RunningServer,
    chat_body,
    parse_answers,
    post_bytes,
    read_until,
    read_until_closed,
    running_server,
)

BODY = chat_body(max_tokens=5)
LIMITS = Limits(
    max_unfinished_per_key=6,
    max_unfinished_per_org=9,
    max_unfinished_unpaid=3,
    max_connections=400,
    fresh_s=0,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path, limits=LIMITS) as running:
        yield running


def new_key(server: RunningServer, org: str, paid: int = 0) -> str:
    """A key of `org`, which is made and gets nano-USD where it is not there yet."""
    control = server.service.control
    if org not in [each.name for each in control.orgs.list()]:
        made = control.orgs.create(org)
        if paid:
            assert server.service.ledger is not None
            server.service.ledger.topup(f"test:{org}", made.id, paid)
    return server.another_key(org)


def sent_by(key: str, *lines: str) -> bytes:
    return post_bytes(BODY, f"Authorization: Bearer {key}", *lines)


class Holder:
    """Holds requests of keys that lack their last byte."""

    def __init__(self, server: RunningServer, stack: contextlib.ExitStack) -> None:
        self._server = server
        self._stack = stack
        self.held: list[socket.socket] = []

    def hold(self, key: str) -> None:
        """One more, which is let in."""
        client = self._stack.enter_context(self._server.connect())
        sent = sent_by(key, "Expect: 100-continue")
        client.sendall(sent[: -len(BODY)])
        read_until(client, b"100 Continue\r\n\r\n")
        client.sendall(BODY[:-1])
        self.held.append(client)

    def refused(self, key: str, path: str = "/v1/chat/completions") -> Answer:
        """The answer to one more, which comes before its body and ends the connection."""
        with self._server.connect() as client:
            head = post_bytes(BODY, f"Authorization: Bearer {key}", path=path)[: -len(BODY)]
            client.sendall(head)
            (answer,) = parse_answers(read_until_closed(client))
        # OpenRouter's path has numbers for codes.
        code = 429 if path.startswith("/api/") else "rate_limit_exceeded"
        assert (answer.status, answer.code) == (429, code)
        assert answer.json()["error"]["type"] == "rate_limit_error"
        assert answer.headers["connection"] == "close"
        assert int(answer.headers["retry-after"]) > 0
        return answer

    def finish(self) -> list[int]:
        """The statuses of all that are held, once they are complete."""
        for client in self.held:
            client.sendall(BODY[-1:])
        return [int(read_until(each, b"\r\n\r\n").split(b" ")[1]) for each in self.held]


@pytest.fixture
def holder(server: RunningServer) -> Iterator[Holder]:
    with contextlib.ExitStack() as stack:
        yield Holder(server, stack)


def test_a_key_without_credit_holds_few(server: RunningServer, holder: Holder) -> None:
    poor, paying = new_key(server, "poor"), new_key(server, "paid", 10**12)
    for _ in range(3):
        holder.hold(poor)
    for path in ("/v1/chat/completions", "/v1/quote", "/api/v1/chat/completions"):
        message = holder.refused(poor, path).json()["error"]["message"]
        assert "no credit" in message, path
    assert server.chat_with(paying).status == 200
    another = new_key(server, "poor")
    assert "no credit" in holder.refused(another).json()["error"]["message"]  # one customer
    assert holder.finish() == [402] * 3
    holder.hold(poor)  # there is room again


def test_a_key_that_pays_holds_more_and_an_organization_yet_more(
    server: RunningServer, holder: Holder
) -> None:
    first, second = (new_key(server, "paid", 10**12) for _ in range(2))
    for _ in range(6):
        holder.hold(first)
    assert "this key" in holder.refused(first).json()["error"]["message"]
    for _ in range(3):
        holder.hold(second)
    assert "this organization" in holder.refused(second).json()["error"]["message"]
    holder.hold(new_key(server, "rich", 10**12))
    assert holder.finish() == [200] * 10


def test_whole_requests_of_a_key_are_not_counted(server: RunningServer) -> None:
    poor = new_key(server, "poor")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(30)]
        for client in clients:
            client.sendall(sent_by(poor))
        for client in clients:
            assert b" 402 " in read_until(client, b"\r\n\r\n")


def test_who_leaves_or_is_too_slow_makes_room(tmp_path: Path) -> None:
    limits = Limits(max_unfinished_unpaid=1, max_connections=400, body_s=0.2)
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        poor = new_key(server, "poor")
        slow = Holder(server, stack)
        slow.hold(poor)
        assert b" 408 " in read_until(slow.held[0], b"\r\n\r\n")
        slow.hold(poor)
        slow.held[1].close()
        with server.connect() as client:  # the server sees what was before
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: g\r\n\r\n")
            read_until(client, b'{"status":"ok"}')
        slow.hold(poor)


def test_one_key_cannot_take_every_connection(tmp_path: Path) -> None:
    # Who has no credit holds its most, and goes on: others are answered at once.
    limits = Limits(max_connections=64, max_strangers_per_address=16, fresh_s=0, linger_s=0.2)
    with running_server(tmp_path, limits=limits) as server, contextlib.ExitStack() as stack:
        poor, paying = new_key(server, "poor"), new_key(server, "paid", 10**12)
        for _ in range(120):
            client = stack.enter_context(server.connect())
            with contextlib.suppress(ConnectionError):
                client.sendall(sent_by(poor)[:-1])
        for _ in range(5):
            assert server.chat_with(paying).status == 200


def test_the_count_follows_credit_and_connections() -> None:
    asked = []

    def count(limits: Limits, *, pays: bool) -> int:
        requests = UnfinishedRequests(limits)
        places = 0
        with contextlib.suppress(Refusal):
            while places < 5000:
                ticket = requests.enter("key", "org")
                if requests.asks_for_credit(ticket):
                    asked.append(places)
                    requests.check(ticket, pays=pays)
                places += 1
        return places

    assert count(Limits(), pays=True) == 256
    asked.clear()
    assert count(Limits(), pays=False) == 16
    assert asked == [16]  # the ledger is not read for those before
    # Few connections: an eighth is a key's, a sixty-fourth one's without credit.
    assert count(Limits(max_connections=320), pays=True) == 40
    assert count(Limits(max_connections=320), pays=False) == 5
    assert count(Limits(max_connections=1), pays=False) == 1


def test_the_count_is_of_keys_and_organizations_alone_that_have_some() -> None:
    requests = UnfinishedRequests(Limits())
    tickets = [requests.enter(f"key{n % 7}", "org") for n in range(20)]
    assert requests.senders == 8
    for ticket in tickets:
        requests.leave(ticket)
    assert requests.senders == 0
