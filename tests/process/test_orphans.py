"""A server that dies with 10,000 requests under way: the next one gives all their holds back."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger_audit import Audit, Order
from ledger_load import Asked
from ledger_orphans import leave_orphans
from ledger_world import RECOVERY, run, world
from seekroute.money import nano

ORPHANS = 10_000


@pytest.mark.parametrize("whole", [False, True])
def test_all_orphans_are_given_back_before_the_first_answer(tmp_path: Path, whole: bool) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("many", "100")
            leave_orphans(place, customer, ORPHANS)
            with place.ledger(read_only=True) as ledger:
                balance = ledger.balance(customer.org)
                assert balance.held >= ORPHANS
                assert balance.available + balance.held == nano("100")

            recovery = await place.serve(whole=whole)
            assert recovery.own < RECOVERY, recovery
            audit = Audit(place)
            audit.ordered([Order("topup", "first:many", customer.org, nano("100"), "ok")])
            audit.heard(
                Asked(f"orphan-{number}", customer.org, "silent", False)
                for number in range(ORPHANS)
            )
            audit.check(replay=True)  # the whole balance is back, and nothing is held
            assert len(audit.rows) == ORPHANS
            for row in audit.rows.values():
                assert (row["state"], row["cost"]) == ("expired", 0)
                assert row["lost_bound"] == row["held"] > 0
            await place.stop()

    run(main())
