"""Clients that leave at any byte of an answer, and changes while an answer runs."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from asked_upstream import PIECE, PIECES, PROMPT_TOKENS
from ledger_audit import Audit, Order
from ledger_load import Asked, Connection, ask
from ledger_world import MODEL, PATIENCE, Customer, World, run, world
from seekroute.ledger import Balance
from seekroute.money import nano
from seekroute.testing import Gate, Text, Usage
from serving import RunningServer, parse_answers, read_until, read_until_closed, running_server

# Nano-USD a token, of the model that everybody asks for here.
PROMPT_PRICE = 150
COMPLETION_PRICE = 600
# Bytes between the moments at which clients leave.
EVERY = 13
# Clients at once.
CROWD = 16


async def leave(place: World, customer: Customer, verb: str, until: int) -> list[Asked]:
    """Has one client leave after each `EVERY`-th byte before `until`, with FIN and with RST."""
    moments = itertools.product(range(0, until, EVERY), ("fin", "rst"))
    gone: list[Asked] = []

    async def clients() -> None:
        connection = Connection(place)
        for after, form in moments:
            asked = await connection.ask(
                customer,
                f"{verb}-{after:05}-{form}",
                verb,
                streamed=True,
                leave_after=after,
                reset=form == "rst",
                max_tokens=20,
            )
            gone.append(asked)
        await connection.close()

    await asyncio.gather(*(clients() for _ in range(CROWD)))
    return gone


async def until_settled(place: World) -> None:
    """Waits until nothing is held."""
    async with asyncio.timeout(PATIENCE):
        with place.ledger(read_only=True) as ledger:
            while any(balance.held for balance in ledger.balances().values()):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("verb", ["held", "answer"])
def test_who_leaves_pays_for_what_was_sent(tmp_path: Path, verb: str) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("walker", "100")
            audit = Audit(place)
            audit.ordered([Order("topup", "first:walker", customer.org, nano("100"), "ok")])
            await place.serve()
            # How long an answer is, to its last piece: the upstream has its end held back.
            first = await ask(
                place,
                customer,
                "held-first-fin",
                "held",
                streamed=True,
                leave_when=lambda data: data.count(PIECE.encode()) == PIECES,
                max_tokens=20,
            )
            # The head tells times, which may be some digits shorter than the first one's.
            until = first.received - 10 if verb == "held" else first.received + 800
            gone = [first, *await leave(place, customer, verb, until)]
            if verb == "held":
                # Nothing but its client's leaving ends such an answer.
                sent, left = set(place.upstream.asked), place.upstream.left
                await place.upstream.until(lambda: sent <= left)
            await until_settled(place)
            audit.heard(gone)
            audit.check(replay=True)
            check_charges(audit, gone, verb)
            await place.stop()
            audit.check()

    run(main())


def check_charges(audit: Audit, gone: list[Asked], verb: str) -> None:
    seen: Counter[str] = Counter()
    for asked in gone:
        row = audit.rows.get(asked.token)
        if row is None:
            assert asked.received == 0, f"{asked} has no row"
            continue
        settlement = row["settlement"]
        seen[settlement] += 1
        used = row["prompt_tokens"] * PROMPT_PRICE + row["completion_tokens"] * COMPLETION_PRICE
        assert row["cost"] == min(used, row["held"]), row
        if settlement == "cancelled":
            assert (asked.received, row["cost"]) == (0, 0), (asked, row)
        elif settlement == "partial":
            assert row["prompt_tokens"] > 0, row
            assert row["completion_tokens"] >= 0, row
        else:
            # Its client left while the end was on its way.
            assert (settlement, verb) == ("exact", "answer"), row
            assert row["cost"] == PROMPT_TOKENS * PROMPT_PRICE + PIECES * COMPLETION_PRICE
    assert seen["partial"] >= 1, seen
    assert verb == "held" or seen["exact"] >= 1, seen


# --- changes while an answer runs -----------------------------------------------------------------


def dearer(value: Any) -> Any:
    """The same with every rate ten times as high."""
    if isinstance(value, list):
        return [dearer(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {name: dearer(each) for name, each in value.items()}
    if "rates" in made:
        made["rates"] = {name: f"{Decimal(x) * 10:f}" for name, x in made["rates"].items()}
    return made


def revoke(server: RunningServer) -> None:
    (key,) = server.service.control.keys.list()
    server.service.control.keys.revoke(key.id)
    server.service.sync_keys()


def suspend(server: RunningServer) -> None:
    server.service.control.orgs.suspend("default")
    server.service.sync_keys()


def raise_prices(server: RunningServer) -> None:
    server.service.gateway.core.install(dearer(server.snapshot()))


def remove_model(server: RunningServer) -> None:
    snapshot = server.snapshot()
    models = [each for each in snapshot["models"] if each["id"] != MODEL]
    assert len(models) < len(snapshot["models"])
    names = {name: to for name, to in snapshot["names"].items() if to != MODEL}
    server.service.gateway.core.install({**snapshot, "models": models, "names": names})


@pytest.mark.parametrize(
    ("change", "then"), [(revoke, 401), (suspend, 403), (raise_prices, 200), (remove_model, 404)]
)
def test_an_answer_ends_as_it_began(tmp_path: Path, change: Any, then: int) -> None:
    gate = Gate()
    usage = Usage(100, 10)
    with running_server(tmp_path, credits={"enabled": True}) as server:
        org = server.service.control.orgs.get("default").id
        ledger = server.service.ledger
        assert ledger is not None
        ledger.topup("t:1", org, nano("1"))
        server.mock.queue(Text("before after", chunks=["before ", "after"], gate=gate, usage=usage))
        server.mock.queue(Text("next", usage=usage))
        with server.connect() as stream:
            stream.sendall(server.chat_bytes("Connection: close", stream=True))
            gate.release(2)
            begun = read_until(stream, b"before ")
            change(server)
            after = server.chat()
            assert after.status == then
            gate.open()
            (answer,) = parse_answers(begun + read_until_closed(stream))
        assert answer.body.endswith(b"data: [DONE]\n\n")
        rows = {row["streamed"]: row for row in ledger.rows(org=org)}
        charge = 100 * PROMPT_PRICE + 10 * COMPLETION_PRICE
        assert (rows[1]["state"], rows[1]["cost"]) == ("settled", charge)
        spent = charge
        if then == 200:
            assert rows[0]["cost"] == 10 * charge
            spent += 10 * charge
        else:
            assert set(rows) == {1}
        assert ledger.balance(org) == Balance(nano("1") - spent, 0, 0)
        assert ledger.verify()["rule"] == ""
