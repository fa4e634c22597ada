"""Large request bodies: how many bytes are taken at once, and that nobody waits for another's."""

from __future__ import annotations

import contextlib
import itertools
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seekroute.gateway import CHAT, SERVER
from seekroute.server.answers import Refusal
from seekroute.server.body_budget import BodyBudget, Lease, Sender
from seekroute.server.limits import Limits
from seekroute.server.protocol import HttpProtocol
from seekroute.testing import Gate, Text
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

SIZE = 400_000
BODY = chat_body(messages=[{"role": "user", "content": "word " * (SIZE // 5)}])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A gateway that takes three large bodies at once, two of one key."""
    bounds = {
        "max_body_bytes": 500_000,
        "max_request_bytes": 1_400_000,
        "max_key_request_bytes": 1_000_000,
        "max_org_request_bytes": 1_400_000,
    }
    with running_server(tmp_path, limits_=bounds, credits={"enabled": False}) as running:
        yield running


def large(key: str, *lines: str) -> bytes:
    return post_bytes(BODY, f"Authorization: Bearer {key}", "Connection: close", *lines)


@contextlib.contextmanager
def unfinished(server: RunningServer, key: str) -> Iterator[socket.socket]:
    """A connection whose body lacks its last byte."""
    with server.connect() as client:
        client.sendall(large(key, "Expect: 100-continue").partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        read_until(client, b"100 Continue\r\n\r\n")  # it was let in
        client.sendall(BODY[:-1])
        yield client


def answer_to(server: RunningServer, key: str) -> Answer:
    with server.connect() as client:
        client.sendall(large(key))
        (answer,) = parse_answers(read_until_closed(client))
    return answer


def finish(client: socket.socket) -> Answer:
    client.sendall(BODY[-1:])
    (answer,) = parse_answers(read_until_closed(client))
    return answer


def test_bytes_of_a_key_are_bounded_while_they_arrive(server: RunningServer) -> None:
    other = server.another_key()
    with unfinished(server, server.key) as first, unfinished(server, server.key):
        refused = answer_to(server, server.key)
        assert (refused.status, refused.code) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        assert "this key" in refused.json()["error"]["message"]
        assert server.chat().status == 200  # small bodies are not counted
        assert answer_to(server, other).status == 200
        assert finish(first).status == 200
        assert answer_to(server, server.key).status == 200  # there is room again
    assert answer_to(server, server.key).status == 200  # a client that left gives its bytes back


def test_bytes_of_all_are_bounded(server: RunningServer) -> None:
    other = server.another_key()
    with (
        unfinished(server, server.key),
        unfinished(server, server.key),
        unfinished(server, other) as last,
    ):
        refused = answer_to(server, other)
        assert (refused.status, refused.code) == (503, "overloaded")
        assert "this key" not in refused.json()["error"]["message"]
        assert finish(last).status == 200


def test_a_body_counts_until_its_provider_answers(server: RunningServer) -> None:
    gate = Gate()
    server.mock.queue(Text("a", gate=gate), Text("b", gate=gate))
    with server.connect() as first, server.connect() as second:
        for client in (first, second):
            client.sendall(large(server.key))
        server.mock.wait_for_requests(2)
        assert answer_to(server, server.key).status == 503
        gate.open()
        for client in (first, second):
            assert parse_answers(read_until_closed(client))[0].status == 200
    assert answer_to(server, server.key).status == 200


def test_chunks_count_as_they_come(server: RunningServer) -> None:
    head = post_bytes(b"", f"Authorization: Bearer {server.key}").replace(
        b"Content-Length: 0", b"Transfer-Encoding: chunked"
    )
    with unfinished(server, server.key), unfinished(server, server.key), server.connect() as third:
        third.sendall(head + b"%x\r\n%b\r\n" % (300_000, BODY[:300_000]))
        (refused,) = parse_answers(read_until_closed(third))
        assert (refused.status, refused.code) == (503, "overloaded")


def test_many_keys_of_an_organization_are_one_customer(tmp_path: Path) -> None:
    bounds = {
        "max_body_bytes": 500_000,
        "max_request_bytes": 1_400_000,
        "max_key_request_bytes": 500_000,
        "max_org_request_bytes": 1_000_000,
    }
    with running_server(tmp_path, limits_=bounds, credits={"enabled": False}) as server:
        keys = [server.key, *(server.another_key() for _ in range(3))]
        server.service.control.orgs.create("other")
        stranger = server.another_key("other")
        with unfinished(server, keys[0]) as first, unfinished(server, keys[1]):
            for key in keys[2:]:
                refused = answer_to(server, key)
                assert (refused.status, refused.code) == (503, "overloaded")
                assert "this organization" in refused.json()["error"]["message"]
            assert answer_to(server, stranger).status == 200
            assert finish(first).status == 200
            assert answer_to(server, keys[2]).status == 200


def test_who_has_no_credit_holds_one_large_body_at_most(tmp_path: Path) -> None:
    bounds = {"max_body_bytes": 500_000, "max_request_bytes": 1_400_000}
    with running_server(tmp_path, limits_=bounds) as server:
        for name in ("poor", "paid", "line"):
            server.service.control.orgs.create(name)
        server.service.control.orgs.set_credit_line("line", 10**12)
        poor = [server.another_key("poor") for _ in range(2)]
        paid, line = server.another_key("paid"), server.another_key("line")
        assert server.service.ledger is not None
        # A nano-USD less than any request is held for.
        server.service.ledger.topup("test:0", server.service.control.orgs.get("poor").id, 9_999)
        server.service.ledger.topup("test:1", server.service.control.orgs.get("paid").id, 10**12)
        assert answer_to(server, poor[0]).status == 402  # it was read: its model may be free
        with unfinished(server, poor[0]) as first:
            for key in poor:
                with server.connect() as client:
                    client.sendall(large(key).partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
                    (refused,) = parse_answers(read_until_closed(client))  # without its body
                assert (refused.status, refused.code) == (402, "insufficient_credits")
            assert answer_to(server, paid).status == 200
            assert answer_to(server, line).status == 200
            assert finish(first).status == 402
        assert server.service.bodies.taken == 0


def test_a_large_body_whose_key_cannot_be_used_takes_no_room(server: RunningServer) -> None:
    control = server.service.control
    key, revoked = control.keys.create("default", name="gone", profile="seekroute", prefix="sk-sr-")
    control.keys.revoke(key.id)
    server.service.sync_keys()
    held = [(), *((f"Authorization: Bearer {each}",) for each in ("sk-sr-none", revoked))]
    for path in ("/v1/chat/completions", "/v1/quote"):
        for lines in held:
            head = post_bytes(b"", *lines, path=path)
            sized = head.replace(b"Content-Length: 0", b"Content-Length: %d" % SIZE)
            chunked = head.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
            for sent in (sized, chunked + b"%x\r\n%b" % (SIZE, BODY[:70_000])):
                with server.connect() as client:
                    client.sendall(sent)
                    (refused,) = parse_answers(read_until_closed(client))
                assert refused.status == 401, (path, lines)
                assert server.service.bodies.taken == 0


def test_a_chunked_body_is_measured_like_any(tmp_path: Path) -> None:
    with running_server(
        tmp_path, limits_={"max_body_bytes": 1024}, credits={"enabled": False}
    ) as server:
        head = (
            large(server.key)
            .partition(b"\r\n\r\n")[0]
            .replace(b"Content-Length: %d" % len(BODY), b"Transfer-Encoding: chunked")
        )
        fill = len(chat_body(messages=[{"role": "user", "content": ""}]))
        for size, status in ((1024, 200), (1025, 413), (5000, 413)):
            body = chat_body(messages=[{"role": "user", "content": "x" * (size - fill)}])
            assert len(body) == size
            for cuts in (1, 2):
                step = -(-size // cuts)
                parts = [body[at : at + step] for at in range(0, size, step)]
                chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in parts)
                with server.connect() as client:
                    client.sendall(head + b"\r\n\r\n" + chunks + b"0\r\n\r\n")
                    answer = parse_answers(read_until_closed(client))[0]
                assert answer.status == status, (size, cuts)
                if status == 413:
                    assert answer.code == "request_too_large"


def take(budget: BodyBudget, sender: Sender, size: int) -> Lease:
    """A body that is here at once, and does not give way."""
    lease = budget.open(sender, size)
    lease.grow(size)
    return lease


def test_the_budget_gives_back_what_it_gave() -> None:
    budget = BodyBudget(total=100, per_key=60, per_org=70, unpaid=20)
    a1, a2 = Sender("a1", "a"), Sender("a2", "a")
    first = take(budget, a1, 50)
    with pytest.raises(Refusal, match="this key"):
        take(budget, a1, 11)
    with pytest.raises(Refusal, match="this organization"):
        take(budget, a2, 21)
    second = take(budget, Sender("b1", "b"), 40)
    with pytest.raises(Refusal, match="as many bytes"):
        take(budget, Sender("c1", "c"), 11)
    with pytest.raises(Refusal, match="as many bytes"):
        second.grow(11)
    first.release()
    first.release()
    second.grow(11)
    assert budget.taken == 51
    poor = take(budget, Sender("d1", "d", pays=False), 20)
    with pytest.raises(Refusal, match="no credit"):
        take(budget, Sender("e1", "e", pays=False), 1)
    poor.release()
    second.release()
    assert (budget.taken, budget.senders) == (0, 0)
    without_key = take(budget, Sender("", ""), 100)  # callers without a key are not one another
    without_key.release()
    assert budget.taken == 0


# --- beside one another ---------------------------------------------------------------------------


def test_a_small_request_does_not_wait_for_large_ones(tmp_path: Path) -> None:
    # To read them all takes seconds; a small request has to find its turn between two of them.
    body = chat_body(messages=[{"role": "user", "content": "some words to read. " * 200_000}])
    with running_server(tmp_path) as server:
        org = server.service.control.orgs.get("default").id
        assert server.service.ledger is not None
        server.service.ledger.topup("test:1", org, 10**12)
        sent = post_bytes(body, f"Authorization: Bearer {server.key}", "Connection: close")
        ended = []

        def large() -> None:
            with server.connect() as client:
                with contextlib.suppress(ConnectionError):  # refused while it was sending
                    client.sendall(sent)
                ended.append(parse_answers(read_until_closed(client))[0].status)

        threads = [threading.Thread(target=large) for _ in range(10)]
        for thread in threads:
            thread.start()
        took = []
        while any(thread.is_alive() for thread in threads):
            began = time.monotonic()
            assert server.chat(max_tokens=5).status == 200
            took.append(time.monotonic() - began)
    assert ended == [200] * 10
    assert len(took) >= 3, "the large ones were over too soon to be beside"
    # The provider, who parses them all, is in this very process: the last ones wait for it.
    assert sorted(took)[len(took) // 2] < 0.5
    assert sorted(took)[len(took) * 9 // 10] < 2.0


@pytest.mark.parametrize("how", ["leaves", "stops"])
def test_who_ends_while_the_body_is_read_is_not_sent(tmp_path: Path, how: str) -> None:
    body = chat_body(messages=[{"role": "user", "content": "some words to read. " * 400_000}])
    with running_server(tmp_path, credits={"enabled": False}) as server:
        core = server.service.core
        ids = [
            core.submit(CHAT, body, f"Bearer {server.key}".encode(), None, SERVER) for _ in range(8)
        ]
        core.flush()
        if how == "leaves":
            for each in ids:
                core.cancel(each)
        else:
            core.stop()
        until = time.monotonic() + 20
        while core.active() and time.monotonic() < until:
            time.sleep(0.01)
        assert core.active() == 0
        assert len(server.mock.requests) <= 1  # one may have been read by then


# --- refused --------------------------------------------------------------------------------------


def refused_head(server: RunningServer, size: int) -> bytes:
    head = post_bytes(b"", f"Authorization: Bearer {server.key}")
    return head.replace(b"Content-Length: 0", b"Content-Length: %d" % size)


def test_a_refused_body_is_read_in_turns(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: dict[int, list[float]] = {}
    receive = HttpProtocol.data_received

    def noted(self: HttpProtocol, data: bytes) -> None:
        if self._discard:
            pieces.setdefault(id(self), []).append(self.loop.time())
        receive(self, data)

    monkeypatch.setattr(HttpProtocol, "data_received", noted)
    size = 16_000_000
    with server.connect() as first, server.connect() as second:
        for client in (first, second):
            client.sendall(refused_head(server, size))
            client.sendall(b" " * size)  # all of it, before a look at the answer
        for client in (first, second):
            (answer,) = parse_answers(read_until_closed(client))
            assert answer.status == 413
    assert len(pieces) == 2
    for times in pieces.values():
        gaps = [after - before for before, after in itertools.pairwise(times)]
        assert len(gaps) > 8
        # Nobody else waits for more than a piece of each. A busy machine may be late with one.
        assert statistics.median(gaps) > 0.005


@pytest.mark.parametrize("sends_on", [False, True])
def test_the_rest_of_a_refused_body_is_not_waited_for_long(tmp_path: Path, sends_on: bool) -> None:
    limits = Limits(
        linger_s=600 if sends_on else 0.1, linger_most_s=0.3 if sends_on else 600, body_s=600
    )
    with running_server(tmp_path, limits=limits) as server, server.connect() as client:
        client.sendall(refused_head(server, 10**12))
        assert b" 413 " in read_until(client, b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sends_on:
                client.sendall(b" ")
        read_until_closed(client)
