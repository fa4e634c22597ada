"""Databases that were there and are gone: a start must not go on as if there had never been any.

`control.db` and `ledger.db` lie in one data directory. Of a lost control.db the other file and what
is left beside it tell; of a lost ledger control.db itself, which keeps the identity of the ledger
that its orders were booked in. A directory with neither is a first start.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from seekroute.control.directory import sync_directory
from seekroute.control.errors import ControlError
from seekroute.control.revisions import DATABASE_FILE

if TYPE_CHECKING:
    from seekroute.control.orders import OrderBook
    from seekroute.ledger import Ledger

__all__ = ["Anew", "LostDatabaseError", "guard_control", "lost_ledger", "open_ledger", "why_lost"]

# What may be begun anew, by one start that is told so.
Anew = Literal["control", "ledger"]

_LEDGER: Final = "ledger.db"
# Until its log is first written back, a ledger is a page that tells nothing.
_FIRST_PAGE: Final = 4096
# What SQLite and the ledger leave beside a database. Not the lock: that is made before the file.
_BESIDE: Final = ("-wal", "-shm", "-journal", ".mark")


class LostDatabaseError(ControlError):
    """A database is gone, or another one is in its place; the text says what to do."""


def guard_control(data_dir: Path, *, anew: bool = False) -> None:
    """Call before control.db is opened. Changes nothing, unless `anew`.

    Args:
        data_dir: an existing directory.
        anew: begin a new one; what is left of the old one is put aside.

    Raises:
        LostDatabaseError: it is gone, and `anew` was not said; or it was, and it is there.
    """
    path = data_dir / DATABASE_FILE
    if _is_there(path):
        if anew:
            raise LostDatabaseError(
                f"{path} is there: --new-control is said once, when it is lost; leave it out"
            )
        return
    others = [*_left_of(path), *([data_dir / _LEDGER] if _is_there(data_dir / _LEDGER) else [])]
    others += _left_of(data_dir / _LEDGER)
    if not others:
        return
    if not anew:
        raise LostDatabaseError(
            f"{path} is gone, though {others[0].name} is there: organizations and keys were in it. "
            "Restore a backup of it, or begin with a new one, without them: seekroute serve "
            "--new-control, said once"
        )
    _put_aside(path)


def lost_ledger(orders: OrderBook, data_dir: Path) -> str:
    """Why no ledger may be begun in a data directory; empty where it is there or never was."""
    path = data_dir / _LEDGER
    if _is_there(path):
        return ""
    if orders.ledger_id() is None and not _left_of(path) and not orders.booked(0, 1):
        return ""
    return (
        f"{path} is gone, though there was one: balances, payments and charges were in it. Restore "
        "a backup of it, or begin with a new one, without them: seekroute serve --new-ledger, said "
        "once; seekroute credits replay then books the payments again that control.db knows"
    )


def why_lost(data_dir: Path) -> str:
    """`lost_ledger()` of a directory whose control.db is not open; empty where there is none."""
    from contextlib import closing

    from seekroute.control.database import Database
    from seekroute.control.orders import OrderBook

    if not _is_there(data_dir / DATABASE_FILE):
        return ""
    with closing(Database(data_dir)) as database:
        return lost_ledger(OrderBook(database, lambda: int(time.time())), data_dir)


def open_ledger(
    orders: OrderBook,
    data_dir: Path,
    *,
    orphans: Literal["expire", "charge"] = "expire",
    anew: bool = False,
) -> Ledger:
    """Opens the ledger of a data directory for writing; makes it where there never was one.

    Args:
        orders: of its control.db, which is told the ledger's identity.
        orphans: see `Ledger`.
        anew: begin a new one in the place of one that is gone, or take the one that is there for
            it. What is left of an old one is put aside.

    Raises:
        LostDatabaseError: it is gone or another one, and `anew` was not said; or it was, and the
            right one is there.
        LedgerError: it cannot be opened.
    """
    from seekroute.ledger import Ledger, identity_of

    path = data_dir / _LEDGER
    bound = orders.ledger_id()
    there = _is_there(path)
    found = identity_of(path) if there else ""
    if there and not found and bound is not None and path.stat().st_size <= _FIRST_PAGE:
        if not anew:
            raise LostDatabaseError(
                f"{path} has nothing of the ledger that was there: it was in {path.name}-wal, "
                "which is gone. Restore a backup, or begin with a new ledger, without it: "
                "seekroute serve --new-ledger, said once"
            )
        there = False
    if not there and not anew:
        why = lost_ledger(orders, data_dir)
        if why:
            raise LostDatabaseError(why)
    if there and not anew and bound is not None and found not in ("", bound):
        raise LostDatabaseError(
            f"{path} is not the ledger of {data_dir / DATABASE_FILE}, but another one: put the "
            "right one in its place, or go on with this one: seekroute serve --new-ledger, said "
            "once"
        )
    if there and anew and found in ("", bound):
        raise LostDatabaseError(
            f"{path} is there: --new-ledger is said once, when it is lost; leave it out"
        )
    if not there and anew:
        _put_aside(path)
    ledger = Ledger(path, orphans=orphans)
    try:
        if ledger.identity != bound:
            orders.bind_ledger(ledger.identity)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _is_there(path: Path) -> bool:
    """Whether it is a file with anything in it: an empty one is what a truncated one is."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError:
        return True  # whoever opens it says why it cannot be used


def _left_of(path: Path) -> list[Path]:
    """What is left of a database whose own file is gone."""
    return [each for each in _beside(path) if _is_there(each)]


def _beside(path: Path) -> Iterator[Path]:
    for suffix in _BESIDE:
        yield path.with_name(path.name + suffix)


def _put_aside(path: Path) -> None:
    """Renames what is left of a database: it must not be taken for the new one's, nor be lost."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    try:
        for each in _left_of(path):
            each.rename(each.with_name(f"{each.name}.lost-{stamp}"))
        sync_directory(path.parent)
    except OSError as error:
        raise ControlError(f"cannot rename what is left of {path}: {error.strerror}") from error
