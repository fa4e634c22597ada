"""Processes that die at named places of the core, at one hit after another.

They need a core with these places compiled in: `script/failpoints` builds it, which script/test
does. SEEKROUTE_FAILPOINT_CORE names the folder to put first on PYTHONPATH, if it is another.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT
from ledger_audit import Audit, Order
from ledger_load import Load, Mix
from ledger_orders import book, operate
from ledger_orphans import leave_orphans
from ledger_world import PATIENCE, RECOVERY, Customer, run, world
from seekroute.ledger import FILE_NAME, Ledger
from seekroute.money import nano

SEED = int(os.environ.get("SEEKROUTE_SEED", "11"))
HITS = 20
PACKAGE = Path(os.environ.get("SEEKROUTE_FAILPOINT_CORE", ROOT / "build/failpoints/package"))
pytestmark = [
    pytest.mark.skipif(
        not list(PACKAGE.glob("seekroute/_core*.so")),
        reason=f"no core with failpoints in {PACKAGE}: script/failpoints builds it",
    ),
    pytest.mark.timeout(300),
]
# What a server does on its own for its requests.
SERVING = (
    "after_hold_commit",
    "after_upstream_send",
    "mid_stream",
    "after_upstream_end",
    "in_settle",
    "before_settle_commit",
    "after_settle_commit",
)
KILLED = -signal.SIGKILL


def failing(point: str, hit: int) -> dict[str, str]:
    """The environment of a process that dies at this hit."""
    return {
        "PYTHONPATH": os.pathsep.join([str(PACKAGE), os.environ.get("PYTHONPATH", "")]),
        "SEEKROUTE_FAILPOINT": f"{point}:abort@{hit}",
    }


def hits(point: str) -> list[int]:
    """Some early ones, which are of a server's first requests, and some late ones."""
    return sorted({*range(1, 11), *random.Random(f"{SEED}.{point}").sample(range(11, 150), 10)})


def topup(number: int, customer: Customer, padding: int = 0) -> Order:
    """An order of a cent; its id may be as long as is needed to fill the log."""
    return Order("topup", f"t:{number}:" + "-" * padding, customer.org, nano("0.01"))


# --- the server -----------------------------------------------------------------------------------


@pytest.mark.parametrize("point", SERVING)
def test_a_server_dies_while_it_serves(tmp_path: Path, point: str) -> None:
    assert len(hits(point)) == HITS

    async def life(name: str, threads: int, of: Sequence[int]) -> None:
        async with world(tmp_path / name, engine_threads=threads) as place:
            customer = place.customer("acme")
            audit = Audit(place)
            orders = [Order("topup", "first", customer.org, nano("50"))]
            audit.ordered(orders)
            assert await book(place, orders) == 0
            rng = random.Random(f"{SEED}.{point}.{name}")
            for hit in of:
                recovery = await place.ready(place.start(environ=failing(point, hit)))
                assert recovery.own < RECOVERY, recovery
                audit.check()
                load = Load(place, Mix([customer], connections=8), f"{name}.{hit}", rng)
                load.begin()
                async with asyncio.timeout(PATIENCE):
                    assert await place.ended() == KILLED, place.said()
                    await load.end()
                audit.heard(load.asked)
            await place.serve(whole=True)
            audit.check(replay=True)
            await place.stop()
            audit.check(replay=True)

    async def both() -> None:
        numbers = hits(point)
        await asyncio.gather(life("a", 1, numbers[::2]), life("b", 3, numbers[1::2]))

    run(both())


# --- orders, copies, the log ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("point", "orders_a_hit", "padding"), [("in_order", 1, 0), ("in_write_back", 40, 80_000)]
)
def test_an_operator_dies_while_it_books(
    tmp_path: Path, point: str, orders_a_hit: int, padding: int
) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("acme")
            for hit in range(1, HITS + 1):
                for file in place.data_dir.glob(f"{FILE_NAME}*"):
                    file.unlink()
                audit = Audit(place)
                orders = [topup(n, customer, padding) for n in range((hit + 1) * orders_a_hit)]
                audit.ordered(orders)
                assert await book(place, orders, environ=failing(point, hit)) == KILLED
                unknown = [order for order in orders if order.outcome == "unknown"]
                assert unknown
                await operate(place, [])  # as a start does it
                audit.check()
                # What nobody knows anything of is ordered again, and booked once.
                assert await book(place, unknown) == 0
                assert all(order.outcome == "ok" for order in orders)
                audit.check(replay=True)
                with place.ledger(read_only=True) as ledger:
                    expected = len(orders) * nano("0.01")
                    assert ledger.balance(customer.org).available == expected

    run(main())


def test_a_copy_that_is_not_whole_has_no_name(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("acme", "5")
            for hit in range(1, HITS + 1):
                copies = [tmp_path / f"{hit}-{number}.db" for number in range(1, hit + 1)]
                lines: list[Any] = []
                for copy in copies:
                    lines += [["topup", copy.name, customer.org, 1], ["backup", str(copy)]]
                code, _ = await operate(place, lines, environ=failing("in_backup", hit))
                assert code == KILLED
                assert not copies.pop().exists()
                for copy in copies:
                    with Ledger(copy, read_only=True) as ledger:
                        assert ledger.verify()["rule"] == ""
                    copy.unlink()
            # What a copy left behind does not stand in the way of the next.
            code, said = await operate(place, [["backup", str(tmp_path / f"{HITS}-{HITS}.db")]])
            assert (code, said) == (0, ["ready", "ok"])

    run(main())


def test_a_prune_that_dies_loses_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("acme")
            booked: dict[str, Order] = {}
            for hit in range(1, HITS + 1):
                orders = [topup(hit * 1000 + n, customer) for n in range(2 * hit + 2)]
                lines: list[Any] = []
                for order in orders:
                    lines.append([order.kind, order.id, order.about, order.amount])
                    lines.append(["prune", int(time.time() * 1000) + 3_600_000])
                code, said = await operate(place, lines, environ=failing("in_prune", hit))
                assert code == KILLED
                for order, result in zip(orders, said[1::2], strict=False):
                    assert result == "ok"
                    booked[order.id] = order
                with place.ledger() as ledger:
                    assert ledger.verify()["rule"] == ""
                    balance = ledger.balance(customer.org).available
                    known = sum(order.amount for order in booked.values())
                    # The order of the prune that died had been answered, but maybe not heard.
                    assert balance in (known, known + nano("0.01"))
                    # Pruned orders keep their ids: nothing is booked twice.
                    for order in orders:
                        again = ledger.topup(order.id, order.about, order.amount)
                        assert again.result in ("ok", "exists")
                        assert again.result == "exists" or order.id not in booked
                        booked[order.id] = order
                    whole = sum(order.amount for order in booked.values())
                    assert ledger.balance(customer.org).available == whole

    run(main())


# --- starting -------------------------------------------------------------------------------------


def test_a_start_dies_before_all_orphans_are_given_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("acme", "100")
            leave_orphans(place, customer, 10_000)
            with place.ledger(read_only=True) as ledger:
                held = ledger.balance(customer.org).held
            saved = tmp_path / "saved"
            shutil.copytree(place.data_dir, saved)
            # A transaction gives 1,024 back; the tenth is the last.
            for hit in range(1, 11):
                shutil.rmtree(place.data_dir)
                shutil.copytree(saved, place.data_dir)
                for _ in range(2):  # the second one dies later: what was given back is not held
                    code, said = await operate(place, [], environ=failing("in_expire", hit))
                    assert (code, said) in ((KILLED, []), (0, ["ready"]))
                    if hit <= 5:
                        assert code == KILLED
                code, said = await operate(place, [])
                assert (code, said) == (0, ["ready"])
                with place.ledger(read_only=True) as ledger:
                    assert ledger.verify()["rule"] == ""
                    balance = ledger.balance(customer.org)
                    assert (balance.available, balance.held) == (nano("100"), 0)
                    expired = [x for x in ledger.entries() if x["kind"] == "expire"]
                    assert sum(x["available"] for x in expired) == held
                    assert len({x["generation"] for x in expired}) == len(expired) == 10_000

    run(main())


def test_a_first_start_dies_while_it_makes_its_tables(tmp_path: Path) -> None:
    async def main() -> None:
        for round_ in range(HITS):
            async with world(tmp_path / str(round_)) as place:
                place.customer("acme")
                code, said = await operate(place, [], environ=failing("in_migration", 1))
                assert (code, said) == (KILLED, [])
                code, said = await operate(place, [["topup", "t", "acme", 5]])
                assert (code, said) == (0, ["ready", "ok"])
                with place.ledger(read_only=True) as ledger:
                    assert ledger.verify()["rule"] == ""

    run(main())
