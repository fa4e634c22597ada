"""What `ledger verify` and `doctor` show of the orders that control.db and the ledger differ in."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seekroute.cli.money import amounts
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.control.comparison import Comparison
    from seekroute.ledger import Ledger, Row


def broken_text(report: Row) -> str:
    """What `Ledger.verify` found; empty where the ledger is sound."""
    if not report["rule"]:
        return ""
    return f"{report['rule']} is broken at entry {report['seq']}: {report['why']}"


def refuse_broken(ledger: Ledger) -> None:
    """Raises SeekrouteError where the journal itself is broken: what is booked in it is lost."""
    why = broken_text(ledger.verify())
    if why:
        raise SeekrouteError(f"{why}. Keep a copy of {ledger.path}, and restore a backup first")


def compared_orders(folder: Path, ledger: Ledger) -> tuple[Comparison, dict[str, str]] | None:
    """All differences and the names of organizations; None where there is no control.db.

    Needs no pepper: a folder of copies has none.
    """
    from seekroute.control.comparison import compare
    from seekroute.control.database import Database
    from seekroute.control.orders import OrderBook
    from seekroute.control.revisions import DATABASE_FILE

    if not os.path.exists(folder / DATABASE_FILE):
        return None
    with closing(Database(folder)) as database:
        orders = OrderBook(database, lambda: int(time.time()))
        return compare(orders, ledger), orders.org_names()


def lacking_text(found: Comparison, folder: Path) -> str:
    """What is wrong, and what to do about it; empty where nothing is."""
    from seekroute.control import comparison
    from seekroute.control.lost import unknown_text

    parts = [comparison.lacking_text(found)]
    if found.unknown_orgs:
        parts.append(unknown_text(folder, found.unknown_orgs))
    return "; ".join(filter(None, parts))


def comparison_lines(found: Comparison, names: dict[str, str]) -> Iterator[str]:
    """A line for each difference that is named, and how many are not."""
    from seekroute.control.comparison import DIFFERENCES

    for what, word in DIFFERENCES.items():
        for each in found.named[what]:
            yield f"{word}: {each.told(names)}"
        more = found.counts[what] - len(found.named[what])
        if more:
            yield f"{word}: {more} more"


def comparison_fields(found: Comparison, names: dict[str, str]) -> dict[str, Any]:
    """The same as JSON."""
    from seekroute.control.comparison import DIFFERENCES

    return {
        "compared": found.compared,
        "counts": found.counts,
        "unknown_orgs": found.unknown_orgs,
        **{
            what: [
                {
                    "id": each.id,
                    "kind": each.kind,
                    "org": names.get(each.org_id or "", each.org_id),
                    "org_id": each.org_id,
                    "generation": each.generation,
                    **amounts({"amount": each.amount_nano}),
                }
                for each in found.named[what]
            ]
            for what in DIFFERENCES
        },
    }
