"""Databases that were there and are gone: a start must not go on as if there had never been any.

`control.db` and `ledger.db` lie in one data directory. Of a lost control.db the other file and what
is left beside it tell; of a lost ledger control.db itself, which keeps the identity of the ledger
that its orders were booked in. Of both, what else a server leaves in its directory. A directory
with nothing of that is a first start.

Every organization that the ledger has money of is in control.db, or nobody serves: organizations
are never deleted, so one that is not there was lost. Who goes on without it says so once, and it
gets a row again.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.orders import OrderBook
from seekroute.control.remains import (
    FIRST_PAGE,
    LostDatabaseError,
    both_gone,
    is_hollow,
    is_there,
    left_of,
    put_aside,
    unknown_orgs,
)
from seekroute.control.revisions import DATABASE_FILE
from seekroute.file_names import LEDGER as _LEDGER
from seekroute.files import why_no_file

if TYPE_CHECKING:
    from seekroute.ledger import Ledger

__all__ = [
    "Anew",
    "LostDatabaseError",
    "MockBesideCustomersError",
    "guard_anew",
    "guard_customers",
    "guard_owners",
    "lost_ledger",
    "open_ledger",
    "opened",
    "read_ledger",
    "unknown_text",
    "why_lost",
]

# Who has paid, as far as a ledger alone can tell.
_SOMEBODY: Final = "a customer"
# What may be begun anew, by one start that is told so.
Anew = Literal["control", "ledger"]


def guard_anew(
    data_dir: Path, anew: Collection[Anew], *, ledger: bool, mock_chosen: bool = True
) -> None:
    """Call before a start that was told to begin control.db anew. Changes nothing.

    What would be refused once there is a new control.db is refused here, before.

    Args:
        data_dir: where the databases are, or were.
        anew: all that this start was told.
        ledger: whether it opens the ledger.
        mock_chosen: False where the mock provider would answer though nobody asked for it.

    Raises:
        LostDatabaseError: the ledger is lost too, and was not named; or it was, and is there.
        MockBesideCustomersError: the ledger has payments, and the mock was not chosen.
        LedgerError: it is there, and cannot be opened.
    """
    if "control" not in anew:
        return
    if not mock_chosen and _has_received(data_dir):
        raise MockBesideCustomersError(_mock_text(_SOMEBODY))
    if not ledger:
        return
    control, path = data_dir / DATABASE_FILE, data_dir / _LEDGER
    there = is_there(control) and not is_hollow(control) and not why_no_file(control)
    left = [] if is_there(path) else left_of(path)
    why = why_lost(data_dir) if there else why_no_file(path)
    if not there and left and not why:
        why = both_gone(control, left[0])
    if why and "ledger" not in anew:
        raise LostDatabaseError(why)
    if not why and "ledger" in anew and is_there(path):
        opened(path, read_only=True).close()  # a damaged one is told as one
        raise LostDatabaseError(_not_lost(path))
    # One of an older schema has an identity, and is upgraded by the start.
    if not why and not there and is_there(path) and not _identity_of(path):
        opened(path, read_only=True).close()


def _not_lost(path: Path) -> str:
    return f"{path} is there: --new-ledger is said once, when it is lost; leave it out"


def guard_owners(orders: OrderBook, data_dir: Path) -> None:
    """Call before a server serves without opening the ledger that may be there.

    Raises:
        LostDatabaseError: the ledger has money of organizations that control.db does not know.
    """
    unknown = unknown_orgs(orders, data_dir)
    if unknown:
        raise LostDatabaseError(unknown_text(data_dir, unknown))


class MockBesideCustomersError(ControlError):
    """Nobody asked for the mock provider, and there are customers; the text says what to do."""


def guard_customers(orders: OrderBook, data_dir: Path) -> None:
    """Call before the mock provider is started because no provider has a key.

    That is how a service looks which has lost its configuration or its environment: it would sell
    echoes.

    Raises:
        MockBesideCustomersError: somebody has paid.
    """
    payer = orders.first_payer() or (_SOMEBODY if _has_received(data_dir) else "")
    if payer:
        raise MockBesideCustomersError(_mock_text(payer))


def _mock_text(payer: str) -> str:
    return (
        f"No provider has a key, but {payer} has paid. Set a key (OPENAI_API_KEY, "
        "DEEPSEEK_API_KEY, …), or start with --mock on. If keys should be there: is this the "
        "right --config and environment?"
    )


def _has_received(data_dir: Path) -> bool:
    """Whether the ledger has payments: control.db may be a new one. Not where it is unreadable."""
    from seekroute.ledger import Ledger, LedgerError

    path = data_dir / _LEDGER
    if not is_there(path):
        return False
    try:
        with Ledger(path, read_only=True) as ledger:
            return ledger.operator()["cash"] != 0
    except LedgerError:
        return False  # whoever needs it says why


def unknown_text(data_dir: Path, unknown: Sequence[str]) -> str:
    """What to do about organizations that only the ledger knows; there is at least one."""
    more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
    return (
        f"{data_dir / DATABASE_FILE} does not know {unknown[0]}{more}, of whom {_LEDGER} has "
        "money: it is an older copy, or its log was lost. Restore a newer backup, or go on with "
        "this one: seekroute serve --new-control, said once, takes them over under their ids, "
        "without keys"
    )


def lost_ledger(orders: OrderBook, data_dir: Path) -> str:
    """Why no ledger of a data directory may be used or begun; empty where it is the right one,
    or never was one."""
    path = data_dir / _LEDGER
    if why := why_no_file(path):
        return why
    bound = orders.ledger_id()
    if not is_there(path):
        if bound is None and not left_of(path) and not orders.booked(0, 1):
            return ""
        return (
            f"{path} is gone, though there was one: balances, payments and charges were in it. "
            "Restore a backup of it, or begin with a new one, without them: seekroute serve "
            "--new-ledger, said once; seekroute credits replay then books the payments again that "
            "control.db knows"
        )
    if bound is None:
        return ""
    found = _identity_of(path)
    if not found and path.stat().st_size <= FIRST_PAGE:
        return (
            f"{path} has nothing of the ledger that was there: it was in {path.name}-wal, "
            "which is gone. Restore a backup, or begin with a new ledger, without it: "
            "seekroute serve --new-ledger, said once"
        )
    if found not in ("", bound):
        return (
            f"{path} is not the ledger of {data_dir / DATABASE_FILE}, but another one: put the "
            "right one in its place, or go on with this one: seekroute serve --new-ledger, said "
            "once"
        )
    return ""


def why_lost(data_dir: Path) -> str:
    """`lost_ledger()` of a directory whose control.db is not open; empty where there is none."""
    if not is_there(data_dir / DATABASE_FILE):
        return ""
    with closing(Database(data_dir)) as database:
        return lost_ledger(OrderBook(database, lambda: int(time.time())), data_dir)


def read_ledger(orders: OrderBook, data_dir: Path) -> Ledger:
    """Opens the ledger of a data directory for reading; also while another process writes it.

    Raises:
        LostDatabaseError: it is gone, or another one is in its place.
        LedgerError: it cannot be opened.
    """
    if lost := lost_ledger(orders, data_dir):
        raise LostDatabaseError(lost)
    return opened(data_dir / _LEDGER, read_only=True)


def opened(
    path: Path, *, read_only: bool = False, orphans: Literal["expire", "charge"] = "expire"
) -> Ledger:
    """`Ledger(...)`; a damaged file's error names it, and says what to do.

    Raises:
        LedgerError: it cannot be opened.
    """
    from seekroute.ledger import Ledger, LedgerError

    try:
        return Ledger(path, read_only=read_only, orphans=orphans)
    except LedgerError as error:
        if error.code != "storage_corrupt":
            raise
        cause = str(error).removeprefix(f"{path} is damaged: ")
        cause = cause.removesuffix("; restore a backup of it")
        raise LedgerError(
            error.code,
            f"{path} is damaged: {cause}. Stop the server, move {path.name}, {path.name}-wal, "
            f"{path.name}-shm and {path.name}.mark away, and restore a backup of it; or begin with "
            "a new one, without its balances, payments and charges: seekroute serve --new-ledger, "
            "said once; seekroute credits replay then books the payments again that control.db "
            "knows",
        ) from None


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
            it, with its organizations. What is left of an old one is put aside.

    Raises:
        LostDatabaseError: it is gone or another one, and `anew` was not said; or it was, and the
            right one is there; or control.db does not know whose money is in it.
        LedgerError: it cannot be opened.
    """
    path = data_dir / _LEDGER
    bound = orders.ledger_id()
    why = lost_ledger(orders, data_dir)
    if why and not anew:
        raise LostDatabaseError(why)
    there = is_there(path)
    if there and anew and not why:
        opened(path, read_only=True).close()  # a damaged one is told as one
        raise LostDatabaseError(_not_lost(path))
    if anew and (not there or not _identity_of(path)):
        put_aside(path)
    ledger = opened(path, orphans=orphans)
    try:
        if unknown := orders.unknown_orgs(ledger):
            if not anew:
                raise LostDatabaseError(unknown_text(data_dir, unknown))
            orders.adopt_orgs(unknown)
        if ledger.identity != bound:
            orders.bind_ledger(ledger.identity)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _identity_of(path: Path) -> str:
    from seekroute.ledger import identity_of

    return identity_of(path)
