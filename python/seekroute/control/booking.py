"""Books the orders of control.db in the ledger: what a server and a command do alike.

An order is booked in the ledger first and marked in control.db after. A process that dies in
between leaves it pending; it is booked again under the same id, which changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from seekroute.control.comparison import booked_pages, entries_of, is_entry_of
from seekroute.control.database import Database
from seekroute.control.directory import InstanceLock
from seekroute.control.errors import ControlError, DirectoryInUseError
from seekroute.control.lost import LostDatabaseError, open_ledger, read_ledger
from seekroute.control.models import CreditOrder
from seekroute.control.orders import UNDELIVERED, OrderBook, Outcome
from seekroute.control.revisions import DATABASE_FILE
from seekroute.ledger import FILE_NAME, Booked, Ledger, LedgerError

__all__ = ["ORDERS_AT_ONCE", "book", "book_again", "book_pending", "carry_out", "still_waits"]

Orphans = Literal["expire", "charge"]

ORDERS_AT_ONCE: Final = 100  # in one look of a server
WAIT_S: Final = 10.0
_POLL_S: Final = 0.05
_NO_LEDGER: Final = (
    "the server that runs here keeps no ledger: set credits.enabled to true and start it again"
)
_REFUSALS: Final = {
    "conflict": "the ledger has another order of this id, with other arguments: choose another id",
    "invalid": "the balance would grow beyond what the ledger can count",
    "unknown": (
        "there is nothing to refund: the request is unknown, was not charged, or its charge was "
        "rolled up by a prune"
    ),
    "too_much": "that is more than what is left of the request's charge",
}


def book(ledger: Ledger, order: CreditOrder) -> Outcome:
    """Books one order; once for its id, however often it is called.

    Raises:
        LedgerError: the disk fails, or the ledger is closed to money. Whether the order was booked
            is then unknown: ask again.
    """
    if order.kind == "prune":
        assert order.older_than_ms is not None
        entries, requests = ledger.prune(order.older_than_ms)
        return Outcome(
            state="booked", result="ok", pruned_entries=entries, pruned_requests=requests
        )
    booked = _booked(ledger, order)
    balance = booked.balance
    # `exists`: a process that died before it could say so has booked it.
    done = booked.result in ("ok", "exists")
    return Outcome(
        state="booked" if done else "refused",
        result=booked.result,
        available_nano=balance.available,
        held_nano=balance.held,
        owed_nano=balance.owed,
        error=None if done else _REFUSALS.get(booked.result, f"refused: {booked.result}"),
    )


def _booked(ledger: Ledger, order: CreditOrder) -> Booked:
    assert order.amount_nano is not None
    if order.kind == "refund":
        if order.id.startswith(UNDELIVERED):
            return ledger.undelivered(order.id, order.generation or "", order.amount_nano)
        return ledger.refund(order.id, order.generation or "", order.amount_nano)
    org = order.org_id or ""
    if order.kind == "topup":
        return ledger.topup(order.id, org, order.amount_nano)
    chargeback = order.kind == "chargeback"
    return ledger.adjust(order.id, org, order.amount_nano, order.note, chargeback=chargeback)


def book_pending(orders: OrderBook, ledger: Ledger | None, *, limit: int = ORDERS_AT_ONCE) -> int:
    """Books what waits, in order. Ends early where the ledger fails; the rest goes on waiting.

    Args:
        orders: of the control plane.
        ledger: None where this process owns the data directory but keeps no ledger: then it only
            writes down why the orders wait.
        limit: the most orders.

    Returns:
        How many were booked or refused.
    """
    finished = 0
    for order in orders.pending(limit):
        if ledger is None:
            orders.delay(order, _NO_LEDGER)
            continue
        try:
            outcome = book(ledger, order)
        except LedgerError as error:
            orders.delay(order, str(error))
            break
        orders.finish(order, outcome)
        finished += 1
    return finished


def carry_out(
    orders: OrderBook,
    data_dir: Path,
    order: CreditOrder,
    *,
    wait_s: float = WAIT_S,
    orphans: Orphans = "expire",
) -> CreditOrder:
    """Sees to it that an order is booked: by the server that runs, or else by this process.

    Booked is what is in the ledger: an order that only control.db counts as booked (the ledger was
    restored from an older copy) is booked again.

    Args:
        orders: of the control plane.
        data_dir: its directory.
        order: what `orders.put` returned.
        wait_s: how long another process may take.
        orphans: see `Ledger`: what the server that is configured here would do with them.

    Returns:
        The order as it is then: booked or refused. Of one that had been booked before, with the
        balance of now, and `exists`.

    Raises:
        ControlError: it still waits; the text says why. It will be booked, once.
        LedgerError: this process cannot open the ledger.
    """
    if order.state == "booked" and order.kind != "prune":
        there = _found_booked(orders, data_dir, order)
        if there is not None:
            return there
        order = orders.reopen(order)
    return _waited_for(orders, data_dir, order, wait_s=wait_s, orphans=orphans)


def book_again(
    orders: OrderBook,
    data_dir: Path,
    *,
    dry_run: bool = False,
    wait_s: float = WAIT_S,
    orphans: Orphans = "expire",
) -> Iterator[CreditOrder]:
    """Sees to it that whatever control.db counts as booked is in the ledger, in order.

    Each is booked under its id, so once, however often this is repeated or killed. What the ledger
    has under the same id with other arguments is left alone.

    Args:
        dry_run: book nothing, but in copies of both databases, which are removed again: what a
            replay would do is what it does there. They take their room in the folder for temporary
            files.
        wait_s: how long another process may take for one order.
        orphans: see `carry_out`.

    Yields:
        Each order that the ledger lacks as it is now, in the copies after `dry_run`. A refund whose
        request the ledger does not know any more is refused.

    Raises:
        ControlError: one still waits; the text says why. It will be booked, once.
        LedgerError: the ledger cannot be read or opened.
    """
    if dry_run:
        if any(map(any, _missing_pages(orders, data_dir))):
            with _copies(orders, data_dir) as (copied, folder):
                yield from book_again(copied, folder, wait_s=wait_s, orphans=orphans)
        return
    for missing in _missing_pages(orders, data_dir):
        waiting = [orders.reopen(order) for order in missing]
        for order in waiting:
            yield _waited_for(orders, data_dir, order, wait_s=wait_s, orphans=orphans)


def _missing_pages(orders: OrderBook, data_dir: Path) -> Iterator[list[CreditOrder]]:
    """What counts as booked and is not in the ledger, in pages."""
    for page in booked_pages(orders):
        with read_ledger(orders, data_dir) as ledger:
            entries = entries_of(ledger, page)
        yield [order for order, entry in zip(page, entries, strict=True) if entry is None]


@contextmanager
def _copies(orders: OrderBook, data_dir: Path) -> Iterator[tuple[OrderBook, Path]]:
    """Both databases of a directory in a folder of their own, for as long as they are looked at."""
    with TemporaryDirectory(prefix="seekroute-") as name:
        folder = Path(name)
        # In this order: what is booked by the first copy is in the ledger by the second.
        orders.backup(folder / DATABASE_FILE)
        with read_ledger(orders, data_dir) as ledger:
            ledger.backup(folder / FILE_NAME)
        with closing(Database(folder)) as database:
            yield OrderBook(database, lambda: int(time.time())), folder


def _found_booked(orders: OrderBook, data_dir: Path, order: CreditOrder) -> CreditOrder | None:
    """An order that counts as booked with the balance of now; None where the ledger lacks it."""
    with read_ledger(orders, data_dir) as ledger:
        (entry,) = ledger.find_orders([(order.kind, order.id)])
        if entry is None or not is_entry_of(entry, order):
            return None  # if it is another one, the ledger says so
        balance = ledger.balance(entry["org"])
    return replace(
        order,
        result="exists",
        available_nano=balance.available,
        held_nano=balance.held,
        owed_nano=balance.owed,
    )


def _waited_for(
    orders: OrderBook,
    data_dir: Path,
    order: CreditOrder,
    *,
    wait_s: float,
    orphans: Orphans,
) -> CreditOrder:
    """An order once it is booked or refused, by whoever has the directory."""
    found = orders.get(order.id)
    if found.state != "pending":
        return found
    deadline = time.monotonic() + wait_s
    while True:
        # Whoever has the directory may have ended, and another may have begun, since the last time.
        try:
            _book_here(orders, data_dir, orphans)
        except DirectoryInUseError:
            pass
        except LostDatabaseError as error:
            raise LostDatabaseError(f"{error}. {still_waits(order)}") from error
        except LedgerError as error:
            raise LedgerError(error.code, f"{error}. {still_waits(order)}") from error
        found = orders.get(order.id)
        if found.state != "pending":
            return found
        if time.monotonic() >= deadline:
            why = found.error or f"no answer from the process that has {data_dir}"
            raise ControlError(f"{why}. {still_waits(order)}")
        time.sleep(_POLL_S)


def _book_here(orders: OrderBook, data_dir: Path, orphans: Orphans) -> None:
    """Books everything that waits, if nobody else has the directory."""
    with (
        InstanceLock(data_dir, serving=False),
        open_ledger(orders, data_dir, orphans=orphans) as ledger,
    ):
        while book_pending(orders, ledger) == ORDERS_AT_ONCE:
            pass


def still_waits(order: CreditOrder) -> str:
    """What to know about an order that was given but is not booked yet."""
    return (
        f"The order {order.id} is stored and will be booked once; see seekroute credits orders, "
        "and do not give it again under another id"
    )
