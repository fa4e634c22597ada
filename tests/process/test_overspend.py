"""500 at once against a balance that pays for k of them: exactly k are sent."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from asked_upstream import Upstream, prompt
from ledger_audit import Audit, Order
from ledger_load import Asked, ask
from ledger_world import MODEL, Customer, World, run, world
from seekroute.money import nano
from serving import running_server

CROWD = 500
MAX_TOKENS = 20


@dataclass(frozen=True)
class Place:
    """What the crowd has to know."""

    port: int
    upstream: Upstream


async def hold_of(place: Place | World, customer: Customer) -> int:
    """What a request of the crowd sets aside, in nano-USD, as a quote tells."""
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    body = json.dumps(
        {
            "model": MODEL,
            "messages": [{"role": "user", "content": prompt("gated")}],
            "max_tokens": MAX_TOKENS,
        }
    )
    writer.write(
        f"POST /v1/quote HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {customer.key}\r\n"
        f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    answer = (await reader.read()).partition(b"\r\n\r\n")[2]
    writer.close()
    await writer.wait_closed()
    most = json.loads(answer, parse_float=Decimal)["cost"]["max"]
    return int(Decimal(most) * 10**9)


async def rush(place: Place | World, customer: Customer, covered: int) -> list[Asked]:
    """All ask at once; the upstream answers nobody until everybody was let in or refused."""
    upstream = place.upstream

    async def one(number: int) -> Asked:
        asked = await ask(
            place,
            customer,
            f"crowd-{number}",
            "gated",
            streamed=number % 2 == 0,
            max_tokens=MAX_TOKENS,
        )
        upstream.changed.set()
        return asked

    waiting = [asyncio.create_task(one(number)) for number in range(CROWD)]
    await upstream.until(
        lambda: len(upstream.asked) + sum(task.done() for task in waiting) >= CROWD
    )
    assert len(upstream.asked) == covered
    upstream.gate.set()
    return await asyncio.gather(*waiting)


def check_crowd(crowd: list[Asked], hold: int, covered: int, spare: int) -> None:
    """Who passed paid, and who did not was told what would have been enough."""
    passed = [asked for asked in crowd if asked.outcome == "ok"]
    refused = [asked for asked in crowd if asked.outcome == "refused"]
    assert (len(passed), len(refused)) == (covered, CROWD - covered)
    for asked in refused:
        assert (asked.status, asked.code) == (402, "insufficient_credits")
        facts = asked.error["metadata"]
        assert Decimal(facts["needed"]) * 10**9 == hold
        # What the others' holds had left at that moment: whole holds, and what is spare.
        left = Decimal(facts["available"]) * 10**9
        assert left == spare, facts
        assert 0 <= facts["affordable_max_tokens"] < MAX_TOKENS
        # It will be there again when those have ended.
        assert Decimal(facts["held"]) * 10**9 == hold * covered
        assert b"x-should-retry: true" in asked.headers


CASES = pytest.mark.parametrize(("threads", "covered"), [(1, 37), (2, 1), (4, 123), (8, 499)])


@CASES
def test_exactly_what_the_balance_covers_passes(tmp_path: Path, threads: int, covered: int) -> None:
    async def main() -> None:
        async with world(tmp_path, engine_threads=threads) as place:
            customer = place.customer("crowd")
            await place.serve()
            hold = await hold_of(place, customer)
            await place.stop()
            # One nano-USD less than one more would need.
            amount = hold * (covered + 1) - 1
            audit = Audit(place)
            audit.ordered([Order("topup", "all", customer.org, amount, "ok")])
            with place.ledger() as ledger:
                ledger.topup("all", customer.org, amount)
            await place.serve()
            crowd = await rush(place, customer, covered)
            check_crowd(crowd, hold, covered, hold - 1)
            audit.heard(crowd)
            audit.check()
            await place.stop()
            audit.check()

    run(main())


@CASES
def test_exactly_what_the_keys_limit_covers_passes(
    tmp_path: Path, threads: int, covered: int
) -> None:
    async def main() -> None:
        upstream = Upstream()
        await upstream.start()
        provider = {
            "base_url": upstream.base_url,
            "api_key": "upstream-key",
            "allow_http": True,
            "allow_private": True,
        }
        with running_server(
            tmp_path,
            mock="off",
            providers={"openai": provider},
            credits={"enabled": True},
            engine_threads=threads,
        ) as server:
            ledger = server.service.ledger
            assert ledger is not None
            org = server.service.control.orgs.get("default").id
            ledger.topup("plenty", org, nano("1000"))
            place = Place(server.port, upstream)
            customer = Customer(org, server.key)
            hold = await hold_of(place, customer)
            (key,) = server.service.control.keys.list()
            server.service.control.keys.set_limit(key.id, hold * (covered + 1) - 1)
            server.service.sync_keys()
            crowd = await rush(place, customer, covered)
            check_crowd(crowd, hold, covered, hold - 1)
            rows = ledger.rows(org=org, limit=CROWD)
            assert len(rows) == covered
            assert ledger.balance(org).available == nano("1000") - sum(x["cost"] for x in rows)
            assert ledger.verify()["rule"] == ""
        await upstream.stop()

    run(main())
