"""`kill -9` at random moments, again and again in one data directory: no money is lost.

`script/test --kills N` sets how often (default: 50), SEEKROUTE_SEED which moments. Half of the
kills are of a server with one engine thread, half of one with three.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ledger_audit import Audit, Order
from ledger_load import Load, Mix
from ledger_orders import book
from ledger_world import PATIENCE, RECOVERY, Customer, Recovery, World, run, world
from seekroute.control import ControlPlane
from seekroute.money import nano

KILLS = int(os.environ.get("SEEKROUTE_KILLS", "50"))
SEED = int(os.environ.get("SEEKROUTE_SEED", "11"))


class Killer:
    """One data directory, its customers, and how they fare."""

    def __init__(self, place: World, name: str, rng: random.Random) -> None:
        self.world = place
        self.name = name
        self.rng = rng
        self.audit = Audit(place)
        self.kills = 0
        self.recoveries: list[Recovery] = []
        self.outcomes: Counter[str] = Counter()
        self.customers: list[Customer] = []
        self._unknown: list[Order] = []  # an operator will give them again
        self._stored: list[Order] = []  # in control.db, for a server to book
        self._orders = 0
        self._refundable: list[Any] = []

    async def go(self, kills: int) -> None:
        self.customers = [self.world.customer(name) for name in ("rich", "poor")]
        await self.operate(kill=False)
        rounds = 0
        while self.kills < kills:
            rounds += 1
            if rounds % 12 == 5:
                await self.kill_start()
            elif rounds % 6 == 3:
                await self.operate(kill=self.rng.random() < 0.7)
            else:
                await self.kill_load(rounds)
        self.recoveries.append(await self.world.serve(whole=True))
        async with asyncio.timeout(PATIENCE):
            while self._stored:  # it books what the dead ones have not
                await asyncio.to_thread(self.look_at_stored)
                await asyncio.sleep(0.05)
        await asyncio.to_thread(self.audit.check, replay=True)
        await self.world.stop()
        self.audit.check(replay=True)

    async def kill_start(self) -> None:
        """Kills a server that is about to serve, maybe while it gives back orphans' holds."""
        self.world.start(whole=self.rng.random() < 0.2)
        await asyncio.sleep(self.rng.uniform(0.1, 1.0))  # the moment of the kill
        self.kill()

    async def kill_load(self, round_: int) -> None:
        """Kills a server under load."""
        rng = self.rng
        self.recoveries.append(await self.world.serve(whole=round_ % 10 == 0))
        await asyncio.to_thread(self.look_at_stored)
        await asyncio.to_thread(self.audit.check)
        if rng.random() < 0.3:
            await asyncio.to_thread(self.store_order)
        mix = Mix([*self.customers, self.customers[0]], connections=rng.randint(8, 16))
        load = Load(self.world, mix, f"{self.name}.{round_}", rng)
        load.begin()
        await asyncio.sleep(rng.uniform(0.01, 0.4))  # the moment of the kill
        if rng.random() < 0.1:
            self.world.terminate()
            await asyncio.sleep(rng.uniform(0, 0.05))  # in the middle of its end
        self.kill()
        await load.end()
        self.audit.heard(load.asked)
        self.outcomes.update(each.outcome for each in load.asked)

    def kill(self) -> None:
        assert self.world.process is not None
        self.kills += self.world.process.poll() is None
        self.world.kill()

    async def operate(self, *, kill: bool) -> None:
        """Books orders, by a process that may be killed before it has booked all."""
        orders = self._unknown
        for customer, usd in zip(self.customers, ("25", "0.001"), strict=True):
            orders.append(self.order("topup", customer.org, nano(usd)))
        charged = [row for row in self.audit.rows.values() if row["cost"] > 0]
        for row in charged[-400 : len(self._refundable) - 400 : 40]:
            if row["generation"] not in self._refundable:
                self._refundable.append(row["generation"])
                amount = self.rng.randint(1, row["cost"])
                orders.append(self.order("refund", row["generation"], amount))
        self.audit.ordered(orders)
        moment = self.rng.uniform(0.1, 0.4) if kill else None
        self.kills += await book(self.world, orders, kill_after=moment) == -signal.SIGKILL
        self._unknown = [order for order in orders if order.outcome == "unknown"]
        assert kill or not self._unknown

    def store_order(self) -> None:
        """Gives an order to the server that runs, as a command does."""
        order = self.order("topup", self.customers[1].org, nano("0.0002"))
        self.audit.ordered([order])
        with ControlPlane(self.world.data_dir) as control:
            control.orders.put("topup", id=order.id, org=order.about, amount_nano=order.amount)
        self._stored.append(order)

    def look_at_stored(self) -> None:
        """What was answered as booked has to be in the ledger from now on."""
        with ControlPlane(self.world.data_dir) as control:
            for order in self._stored:
                found = control.orders.get(order.id)
                assert found.state in ("pending", "booked"), found
                if found.state == "booked":
                    order.outcome = "ok"
        self._stored = [order for order in self._stored if order.outcome == "unknown"]

    def order(self, kind: Any, about: str, amount: int) -> Order:
        self._orders += 1
        return Order(kind, f"{self.name}:{self._orders}", about, amount)


@pytest.mark.timeout(120 + KILLS * 5)
def test_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def life(threads: int) -> Killer:
        name = f"t{threads}"
        async with world(tmp_path / name, engine_threads=threads) as place:
            killer = Killer(place, name, random.Random(f"{SEED}.{name}"))
            await killer.go(-(-KILLS // 2))
            return killer

    async def both() -> list[Killer]:
        return await asyncio.gather(life(1), life(3))

    began = time.monotonic()
    try:
        killers = run(both())
    except BaseException as error:
        error.add_note(f"again: SEEKROUTE_SEED={SEED} SEEKROUTE_KILLS={KILLS}")
        raise
    took = time.monotonic() - began
    recoveries = [each for killer in killers for each in killer.recoveries]
    kills = sum(killer.kills for killer in killers)
    outcomes = sum((killer.outcomes for killer in killers), Counter[str]())
    with capsys.disabled():
        own, wall = ([getattr(x, name) for x in recoveries] for name in ("own", "wall"))
        sys.stdout.write(
            f"\n{kills} kills in {took:.0f} s, {sum(outcomes.values())} requests {dict(outcomes)}; "
            f"ready again: p50 {statistics.median(own):.2f} s, at most {max(own):.2f} s "
            f"(with the wait for a core: {statistics.median(wall):.2f} s, {max(wall):.2f} s); "
            f"charges later than their answers and lost: {sum(x.audit.late for x in killers)}\n"
        )
    assert kills >= KILLS
    assert outcomes["ok"] > kills
    assert {"failed", "left", "unknown"} <= set(outcomes)
    assert kills < 100 or outcomes["refused"] > 0
    assert max(own) < RECOVERY
