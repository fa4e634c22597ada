"""What `seekroute doctor` finds, and what it finds about the ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from seekroute.cli.comparison import broken_text, compared_orders, comparison_lines, lacking_text
from seekroute.cli.shared import is_begun
from seekroute.errors import SeekrouteError
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.ledger import Ledger

# A journal of this size is replayed in about a second.
_VERIFIED_BYTES = 32 * 1024 * 1024
# A write-ahead log grows past this only while a reader stays open.
_MOST_LOG_BYTES = 256 * 1024 * 1024
_ORDER_LATE_S = 60
_MOST_TOLD = 10  # differences of one finding; ledger verify names more

Level = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    message: str
    hint: str = ""


def ledger_findings(folder: Path, *, enabled: bool) -> Iterator[Finding]:
    """Whether the ledger of a data directory is sound, and orders are being booked."""
    from seekroute.control.lost import opened
    from seekroute.ledger import FILE_NAME

    path = folder / FILE_NAME
    said = list(_waiting_orders(folder))
    yield from said
    if not os.path.exists(path):
        return  # the first start makes it
    if not enabled:
        yield Finding(
            "ledger",
            "warning",
            f"{path} is there, but credits are off: nothing is charged or recorded",
            "set credits.enabled to true",
        )
    try:
        with opened(path, read_only=True) as ledger:
            size = path.stat().st_size
            report = ledger.verify() if size <= _VERIFIED_BYTES else None
            organizations = len(ledger.balances())
            compared = list(_compared(folder, ledger))
    except SeekrouteError as error:
        if str(error) not in (each.message for each in said):  # lost: a finding already
            hint = "restore a backup if the file is damaged"
            yield Finding("ledger", "failed", str(error), hint)
        return
    if report is None:
        yield Finding(
            "ledger",
            "ok",
            f"{path}: {size // 1_000_000} MB, {number_of(organizations, 'organization')}; too "
            "large to be replayed here",
            "seekroute ledger verify replays it",
        )
    elif report["rule"]:
        yield Finding(
            "ledger",
            "failed",
            f"{path}: {broken_text(report)}",
            "keep a copy of the file, and restore a backup",
        )
    else:
        yield Finding(
            "ledger",
            "ok",
            f"{path}: {organizations} "
            f"{'organization' if organizations == 1 else 'organizations'}; ledger OK",
        )
    yield from compared
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size > _MOST_LOG_BYTES:
        yield Finding(
            "ledger",
            "warning",
            f"{log} has {log.stat().st_size // 1_000_000} MB: something reads the ledger and does "
            "not end",
        )


def _compared(folder: Path, ledger: Ledger) -> Iterator[Finding]:
    """What counts as booked and is not in the ledger, and the other way round."""
    compared = compared_orders(folder, ledger)
    if compared is None:
        return
    found, names = compared
    if not any(found.counts.values()) and not found.unknown_orgs:
        agreed = number_of(
            found.compared,
            "order is in the ledger as it was given",
            "orders are in the ledger as they were given",
        )
        yield Finding("orders", "ok", agreed)
    lines = list(comparison_lines(found, names))
    if lacking := lacking_text(found, folder):
        what = "; ".join(lines[:_MOST_TOLD]) or "organizations are missing in control.db"
        yield Finding("orders", "failed", what, lacking)
    elif lines:
        yield Finding(
            "orders",
            "warning",
            "; ".join(lines[:_MOST_TOLD]),
            "was control.db restored from an older copy? Given again by its id, an order is known",
        )


def _waiting_orders(folder: Path) -> Iterator[Finding]:
    from seekroute.control import ControlPlane
    from seekroute.control.lost import lost_ledger

    if not is_begun(folder):
        return
    try:
        with ControlPlane(folder) as control:
            waiting = control.orders.list(pending=True)
            lost = lost_ledger(control.orders, folder)
    except SeekrouteError:
        return  # said already, of the data
    if lost:
        yield Finding("ledger", "failed", lost)
    late = [order for order in waiting if order.created_at < time.time() - _ORDER_LATE_S]
    if late:
        why = next((f": {order.error}" for order in late if order.error), "")
        count = number_of(len(late), "order waits", "orders wait")
        yield Finding(
            "orders",
            "warning",
            f"{count} to be booked{why}",
            "a server with credits.enabled books them, or the next seekroute credits add",
        )
