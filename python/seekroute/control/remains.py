"""What is left of databases that are gone, and whether control.db may be opened beside it.

This is what opening control.db itself asks; `seekroute.control.lost` asks the rest.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seekroute.control.directory import sync_directory
from seekroute.control.errors import ControlError
from seekroute.control.revisions import BUSY_SECONDS, DATABASE_FILE
from seekroute.file_names import LEDGER as _LEDGER
from seekroute.files import why_no_file

if TYPE_CHECKING:
    from seekroute.control.orders import OrderBook

__all__ = [
    "FIRST_PAGE",
    "TRACES",
    "LostDatabaseError",
    "both_gone",
    "guard_control",
    "is_hollow",
    "is_there",
    "left_of",
    "put_aside",
    "take_over",
    "unknown_orgs",
]

# Until its log is first written back, a database is a page that tells nothing.
FIRST_PAGE: Final = 4096
# What SQLite and the ledger leave beside a database. Not the lock: that is made before the file.
_BESIDE: Final = ("-wal", "-shm", "-journal", ".mark")
# What is made in a data directory after control.db, and outlives it.
TRACES: Final = ("pepper", "refused.jsonl", "first-key")


class LostDatabaseError(ControlError):
    """A database is gone, or another one is in its place; the text says what to do."""


def guard_control(data_dir: Path, *, anew: bool = False) -> bool:
    """Call before control.db is opened. Changes nothing, unless `anew`.

    Args:
        data_dir: an existing directory.
        anew: begin a new one where it is lost; what is left of the old one is put aside.

    Returns:
        Whether one was there and may be used. Who said `anew` then asks `take_over()`.

    Raises:
        LostDatabaseError: it is gone, or nothing is in it, and `anew` was not said.
    """
    path = data_dir / DATABASE_FILE
    if why := why_no_file(path):
        raise LostDatabaseError(why)
    there = is_there(path)
    hollow = there and is_hollow(path)
    if there and not hollow:
        return True
    others = [*left_of(path), *([data_dir / _LEDGER] if is_there(data_dir / _LEDGER) else [])]
    others += left_of(data_dir / _LEDGER)
    traces = [data_dir / name for name in TRACES if is_there(data_dir / name)]
    if hollow:  # its own log was read just now
        others = [each for each in others if not each.name.startswith(path.name)]
    if not others and not traces:
        return False
    if not anew:
        if not hollow and not is_there(data_dir / _LEDGER) and left_of(data_dir / _LEDGER):
            raise LostDatabaseError(both_gone(path, left_of(data_dir / _LEDGER)[0]))
        what = (
            f"has nothing of what was in it, which was in {path.name}-wal" if hollow else "is gone"
        )
        if not others:
            raise LostDatabaseError(
                f"{path} {what}, and so is {_LEDGER} if there was one, though {traces[0].name} is "
                "there: organizations, keys and balances were in them. Restore a backup of both, "
                "or begin with new ones, without them: seekroute serve --new-control, said once; "
                "or take an empty folder"
            )
        raise LostDatabaseError(
            f"{path} {what}, though {others[0].name} is there: organizations and keys were in it. "
            "Restore a backup of it, or begin with a new one, without them: seekroute serve "
            "--new-control, said once"
        )
    if not hollow:
        put_aside(path)
    return False


def take_over(orders: OrderBook, data_dir: Path, *, begun: bool) -> None:
    """Gives a row to each organization that the ledger has money of and control.db does not know.

    Args:
        orders: of a control.db for which `anew` was said.
        begun: whether it is a new one. Else there has to be something to take over.

    Raises:
        LostDatabaseError: nothing was lost.
    """
    unknown = unknown_orgs(orders, data_dir)
    if not unknown and not begun:
        raise LostDatabaseError(
            f"{data_dir / DATABASE_FILE} is there: --new-control is said once, when it is lost; "
            "leave it out"
        )
    orders.adopt_orgs(unknown)


def both_gone(control: Path, left: Path) -> str:
    return (
        f"{control} is gone, and so is {_LEDGER}, of which {left.name} is left: organizations, "
        "keys and balances were in them. Restore a backup of both, or begin with new ones, "
        "without them: seekroute serve --new-control --new-ledger, said once"
    )


def unknown_orgs(orders: OrderBook, data_dir: Path) -> tuple[str, ...]:
    """Of a ledger that nobody opens here for writing; none where it cannot be read."""
    from seekroute.ledger import Ledger, LedgerError

    path = data_dir / _LEDGER
    if not is_there(path):
        return ()
    try:
        with Ledger(path, read_only=True) as ledger:
            return orders.unknown_orgs(ledger)
    except LedgerError:
        return ()  # whoever needs it says why


def is_hollow(path: Path) -> bool:
    """Whether a control.db has no table: its log, which had them, is gone or never was written."""
    try:
        if path.stat().st_size > FIRST_PAGE:
            return False
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None
    except (OSError, sqlite3.Error):
        return False  # whoever opens it says why it cannot be used


def is_there(path: Path) -> bool:
    """Whether it is a file with anything in it: an empty one is what a truncated one is."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False
    except OSError:
        return True  # whoever opens it says why it cannot be used


def left_of(path: Path) -> list[Path]:
    """What is left of a database whose own file is gone."""
    return [each for each in _beside(path) if is_there(each)]


def _beside(path: Path) -> Iterator[Path]:
    for suffix in _BESIDE:
        yield path.with_name(path.name + suffix)


def put_aside(path: Path) -> None:
    """Renames what is left of a database: it must not be taken for the new one's, nor be lost."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    try:
        for each in left_of(path):
            each.rename(each.with_name(f"{each.name}.lost-{stamp}"))
        sync_directory(path.parent)
    except OSError as error:
        raise ControlError(f"cannot rename what is left of {path}: {error.strerror}") from error
