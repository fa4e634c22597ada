"""Bytes of large bodies are taken as they arrive, and no two bodies wait for one another."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
import socket
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seekroute.server.answers import Refusal
from seekroute.server.body_budget import BodyBudget, Lease, Sender
from seekroute.server.cycle import Cycle
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

BOUNDS = {"total": 100, "per_key": 70, "per_org": 80, "unpaid": 40}


@dataclass(eq=False)
class Body:
    """A body that arrives in pieces, and is asked for again when it was refused."""

    sender: Sender
    size: int
    lease: Lease | None = None
    got: int = 0
    whole: bool = False
    answered: bool = False
    told: list[Refusal] = field(default_factory=list)

    def scopes(self) -> Iterator[tuple[str, int]]:
        yield "all", BOUNDS["total"]
        if self.sender.key_id:
            yield self.sender.key_id, BOUNDS["per_key"]
            yield self.sender.org, BOUNDS["per_org"]
        if not self.sender.pays:
            yield "unpaid", BOUNDS["unpaid"]

    def counts_in(self, scope: str) -> bool:
        return scope in [name for name, _ in self.scopes()]

    def begin(self, budget: BodyBudget) -> None:
        with contextlib.suppress(Refusal):
            self.lease = budget.open(self.sender, self.size, self.give_way)

    def give_way(self, refusal: Refusal) -> None:
        assert not self.whole
        self.told.append(refusal)
        self.lease, self.got = None, 0

    def grow(self, piece: int) -> Refusal | None:
        assert self.lease is not None
        piece = min(piece, self.size - self.got)
        try:
            self.lease.grow(piece)
        except Refusal as refusal:
            self.lease.release()
            self.lease, self.got = None, 0
            return refusal
        self.got += piece
        if self.got == self.size:
            self.whole = True
            self.lease.arrived()
        return None

    def answer(self) -> None:
        assert self.lease is not None
        self.answered = True
        self.lease.release()


def random_bodies(rng: random.Random) -> list[Body]:
    senders = [
        Sender(f"k{n}", f"o{n % 3}", pays=n % 3 != 2) if n else Sender("", "") for n in range(6)
    ]
    return [
        Body(sender, rng.randint(1, 40)) for sender in rng.choices(senders, k=rng.randint(2, 14))
    ]


def check(budget: BodyBudget, bodies: list[Body]) -> None:
    held = [each for each in bodies if each.lease is not None and not each.answered]
    assert budget.taken == sum(each.got for each in held) <= BOUNDS["total"]
    for each in held:
        for scope, bound in each.scopes():
            assert sum(x.got for x in held if x.counts_in(scope)) <= bound


@pytest.mark.parametrize("seed", range(300))
def test_bodies_that_arrive_at_once_all_come_through(seed: int) -> None:
    rng = random.Random(seed)
    budget = BodyBudget(**BOUNDS)
    bodies = random_bodies(rng)
    arriving: list[Body] = []  # the oldest first, by their first bytes
    steps = 0
    while not all(each.answered for each in bodies):
        steps += 1
        assert steps < 20_000, "nobody gets on"
        body = rng.choice([each for each in bodies if not each.answered])
        if body.whole:
            if rng.random() < 0.3:
                body.answer()
        elif body.lease is None:
            body.begin(budget)
        else:
            first = not body.got
            refused = body.grow(rng.randint(1, 12))
            if refused is not None and arriving and arriving[0] is body:
                # The oldest gives way to whole bodies alone.
                assert any(
                    sum(x.size for x in bodies if x.whole and not x.answered and x.counts_in(scope))
                    + body.size
                    > bound
                    for scope, bound in body.scopes()
                )
            if refused is None and first:
                arriving.append(body)
        arriving = [each for each in arriving if each.got and not each.whole]
        check(budget, bodies)
    assert (budget.taken, budget.senders) == (0, 0)


def test_of_two_that_do_not_fit_the_younger_gives_way() -> None:
    budget = BodyBudget(total=100, per_key=100, per_org=100, unpaid=20)
    a, b = Body(Sender("a1", "a"), 60), Body(Sender("b1", "b"), 60)
    for each in (a, b):
        each.begin(budget)
        assert each.lease is not None
    assert a.grow(50) is None
    assert b.grow(50) is None
    assert a.grow(10) is None
    assert a.whole
    assert [each.code for each in b.told] == ["overloaded"]
    assert budget.taken == 60
    b.begin(budget)
    assert b.lease is None  # its size is known: it would not fit beside the other one
    a.answer()
    b.begin(budget)
    assert b.grow(60) is None


def test_the_younger_is_refused_where_it_is_the_one_that_grows() -> None:
    budget = BodyBudget(total=100, per_key=100, per_org=100, unpaid=20)
    a, b = Body(Sender("a1", "a"), 60), Body(Sender("b1", "b"), 60)
    for each in (a, b):
        each.begin(budget)
    assert a.grow(50) is None
    assert b.grow(50) is None
    refused = b.grow(10)
    assert refused is not None
    assert (refused.code, a.told, budget.taken) == ("overloaded", [], 50)


def test_only_those_under_the_same_bound_give_way() -> None:
    budget = BodyBudget(total=1000, per_key=100, per_org=500, unpaid=20)
    mine, other, own = (
        Body(Sender("a1", "a"), 60),
        Body(Sender("a2", "a"), 60),
        Body(Sender("a1", "a"), 60),
    )
    for each in (mine, own, other):
        each.begin(budget)
    for each in (mine, own, other):
        assert each.grow(50) is None
    assert mine.grow(10) is None
    assert (len(own.told), other.told) == (1, [])


# --- end to end -----------------------------------------------------------------------------------

BODY = chat_body(messages=[{"role": "user", "content": "word " * 80_000}])
LIMITS = {
    "max_body_bytes": 500_000,
    "max_request_bytes": 900_000,
    "max_key_request_bytes": 900_000,
    "max_org_request_bytes": 900_000,
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path, limits_=LIMITS, credits={"enabled": False}) as running:
        yield running


def begin(server: RunningServer, stack: contextlib.ExitStack) -> socket.socket:
    """A connection whose large body has been let in, and has sent nothing."""
    client = stack.enter_context(server.connect())
    key = f"Authorization: Bearer {server.key}"
    sent = post_bytes(BODY, key, "Expect: 100-continue", "Connection: close")
    client.sendall(sent[: -len(BODY)])
    read_until(client, b"100 Continue\r\n\r\n")
    return client


def taken(server: RunningServer, size: int) -> None:
    """Waits until so many bytes are taken: each question is answered after what came before."""
    for _ in range(1000):
        if server.service.bodies.taken == size:
            return
        assert server.request("GET", "/livez").status == 200
    raise AssertionError(f"{server.service.bodies.taken} bytes are taken, not {size}")


def whole(client: socket.socket) -> Answer:
    (answer,) = parse_answers(read_until_closed(client))
    return answer


def test_what_is_declared_takes_no_room(server: RunningServer) -> None:
    with contextlib.ExitStack() as stack:
        clients = [begin(server, stack) for _ in range(4)]  # together more than there is room
        taken(server, 0)
        for client in clients:
            client.sendall(BODY[:1000])
        taken(server, 4000)
        for client in clients[:2]:
            client.sendall(BODY[1000:])
            assert whole(client).status == 200
        taken(server, 2000)


def test_a_key_has_twice_its_bound_on_the_way() -> None:
    budget = BodyBudget(total=1000, per_key=100, per_org=1000, unpaid=20)
    bodies = [Body(Sender("a1", "a"), 50) for _ in range(5)]
    for each in bodies:
        each.begin(budget)
    assert [each.lease is not None for each in bodies] == [True] * 4 + [False]
    other = Body(Sender("a2", "a"), 50)
    other.begin(budget)
    assert other.lease is not None  # what is declared takes nothing from others
    assert bodies[0].grow(50) is None
    bodies[4].begin(budget)
    assert bodies[4].lease is None  # it is still there
    bodies[0].answer()
    bodies[4].begin(budget)
    assert bodies[4].lease is not None


def test_two_bodies_never_wait_for_one_another(server: RunningServer) -> None:
    with contextlib.ExitStack() as stack:
        bodies = [begin(server, stack) for _ in range(3)]
        for index, client in enumerate(bodies):
            client.sendall(BODY[:290_000])
            taken(server, 290_000 * (index + 1))
        bodies[0].sendall(BODY[290_000:])
        assert whole(bodies[0]).status == 200
        refused = whole(bodies[2])  # the youngest, though it sent nothing more
        assert (refused.status, refused.code) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["connection"] == "close"
        bodies[1].sendall(BODY[290_000:])
        assert whole(bodies[1]).status == 200
        taken(server, 0)


def test_what_ended_a_body_holds_none_of_it() -> None:
    # What the error's traceback leads to has the body: it must not wait for the garbage collector.
    async def ends() -> weakref.ref[Refusal]:
        protocol: Any = SimpleNamespace(loop=asyncio.get_running_loop())
        scope = {"method": "POST", "http_version": "1.1"}
        cycle = Cycle(protocol, scope, keep_alive=True, needs_continue=False, default_headers=[])
        cycle.interrupt(Refusal("overloaded", "too many"))
        try:
            await cycle.receive()
        except Refusal as refusal:
            return weakref.ref(refusal)
        raise AssertionError("it was not ended")

    gc.disable()
    try:
        assert asyncio.run(ends())() is None
    finally:
        gc.enable()


LARGE = 3 << 20  # more than what the core keeps for another provider


def test_a_body_that_its_provider_has_takes_no_room(tmp_path: Path) -> None:
    body = chat_body(messages=[{"role": "user", "content": "word " * (LARGE // 5)}])
    bounds = {
        "max_body_bytes": 4 << 20,
        "max_request_bytes": 4 << 20,
        "max_key_request_bytes": 4 << 20,
        "max_org_request_bytes": 4 << 20,
    }
    gate = Gate()
    with running_server(tmp_path, limits_=bounds, credits={"enabled": False}) as server:
        server.mock.queue(*(Text("late", gate=gate) for _ in range(7)))
        sent = post_bytes(body, f"Authorization: Bearer {server.key}", "Connection: close")
        with contextlib.ExitStack() as stack:
            clients = []
            for _ in range(7):  # each fits alone
                client = stack.enter_context(server.connect())
                client.sendall(sent)
                clients.append(client)
                server.mock.wait_for_requests(len(clients))
                taken(server, 0)
            gate.open()
            for client in clients:
                assert whole(client).status == 200
