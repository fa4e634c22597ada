"""The ledger file of a data directory: balances, orders, requests, checks, copies.

`Ledger` is the core's file with Python's manners: errors of one class, and context management. One
process writes a file (a running server, or a command while no server runs); any number read it
meanwhile. All amounts are integers in nano-USD; `seekroute.money` converts.

No other library may open the file while it is in use, Python's `sqlite3` included.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from seekroute import _core, forks
from seekroute.closable import Closable
from seekroute.errors import SeekrouteError
from seekroute.file_names import LEDGER
from seekroute.files import why_no_file

__all__ = [
    "FILE_NAME",
    "Balance",
    "Ledger",
    "LedgerError",
    "Row",
    "identity_of",
]

# Its name in a data directory.
FILE_NAME: Final = LEDGER

_PAGE: Final = 1000

Row = dict[str, Any]
"""One row of an answer; money is nano-USD, `created` and `day` Unix seconds, `at` milliseconds."""


class LedgerError(SeekrouteError):
    """The ledger cannot do it; the text says why and what to do.

    Attributes:
        code: the word of the wire's errors: `store_unavailable`, `storage_full`,
            `storage_corrupt`.
        retry_after_ms: when it may be possible again, in milliseconds; 0: nobody knows.
    """

    def __init__(self, code: str, message: str, retry_after_ms: int = 0) -> None:
        self.code = code
        self.retry_after_ms = retry_after_ms
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Balance:
    """What an organization has, in nano-USD.

    Attributes:
        available: what new requests may be paid with.
        held: set aside for requests that run.
        owed: what the organization owes; top-ups repay it first.
    """

    available: int
    held: int
    owed: int


@dataclass(frozen=True, slots=True)
class Booked:
    """What became of an order.

    Attributes:
        result: `ok`; `exists`: it had been booked before, with the same arguments; `conflict`: with
            others; `invalid`, `unknown`, `too_much`: refused. Only `ok` has written anything.
        balance: of the organization, afterwards.
    """

    result: str
    balance: Balance


class Ledger(Closable):
    """A ledger file. Thread-safe; every method waits for the disk. A context manager.

    Args:
        path: the file; made where it is missing, unless `read_only`.
        read_only: another process writes it. Orders then raise ValueError.
        orphans: what becomes of requests that ran when the last process died: `expire` gives their
            holds back, `charge` charges what is known to have been delivered.

    Raises:
        LedgerError: the file is in use by another writer, damaged, newer, or no ledger; from every
            method also where the disk fails.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     with Ledger(Path(directory) / "ledger.db") as ledger:
        ...         ledger.topup("invoice:17", "acme", nano("5.00")).result
        ...         ledger.topup("invoice:17", "acme", nano("5.00")).result
        ...         ledger.balance("acme")
        'ok'
        'exists'
        Balance(available=5000000000, held=0, owed=0)
    """

    def __init__(
        self,
        path: Path,
        *,
        read_only: bool = False,
        orphans: Literal["expire", "charge"] = "expire",
    ) -> None:
        self.path: Final = path
        # Who shares this object; `close` of the last closes the file.
        self._users = 1
        if why := why_no_file(path):
            raise LedgerError("store_unavailable", why)
        try:
            with _translated():
                self._file = _core.LedgerFile(str(path), read_only=read_only, orphans=orphans)
        except LedgerError as error:
            if read_only or path.resolve() not in _files.open:
                raise
            raise LedgerError(
                error.code, f"{path} is open in this process already: close it there first"
            ) from None
        if not read_only:
            _files.open[path.resolve()] = self
        forks.watch(self)

    @classmethod
    def shared(cls, path: Path) -> Ledger:
        """The ledger that another client of this process has open, or a new one.

        Each one who got it calls `close()` once; the last call closes the file.
        """
        with _files.lock:
            found = _files.shared.get(path.resolve())
            if found is None or found._users == 0:
                found = _files.shared[path.resolve()] = cls(path)
            else:
                found._users += 1
            return found

    def after_fork(self) -> None:
        """The file's one writer is a thread of the parent."""
        file = self.__dict__.pop("_file", None)  # gone already in the child of a child
        if file is not None:
            forks.forget(file)

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name != "_file":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            raise LedgerError(
                "store_unavailable",
                f"{self.path} was opened before a fork: it belongs to the parent process",
            )

    @property
    def core(self) -> _core.LedgerFile:
        """The core's object, for a `Gateway`."""
        return self._file

    @property
    def trouble(self) -> str:
        """Why no money is taken until a restart; empty while it is. Does not wait."""
        return self._file.trouble

    @property
    def blocked(self) -> str:
        """The code of what refuses holds and orders for the time being, `storage_full` or
        `store_unavailable`; empty as soon as a write has succeeded again. Does not wait."""
        return self._file.blocked

    def close(self) -> None:
        """Writes what waits and lets go of the file. Idempotent."""
        with _files.lock:
            self._users = max(self._users - 1, 0)
            if self._users == 0 and "_file" in self.__dict__:
                self._file.close()
                if _files.open.get(self.path.resolve()) is self:
                    del _files.open[self.path.resolve()]

    # --- orders: each is durable when it returns, and booked once for its id ----------------------

    def topup(self, id: str, org: str, amount: int) -> Booked:
        """Money came in. `id` names the payment: its source, a colon, the event."""
        return self._booked(self._file.topup, id, org, amount)

    def adjust(
        self, id: str, org: str, amount: int, note: str, *, chargeback: bool = False
    ) -> Booked:
        """Gives credit, or takes it (`amount` < 0); what cannot be taken is owed.

        Args:
            note: why; stays in the journal.
            chargeback: the payment itself was reversed, so the money is gone from the cash account.
        """
        return self._booked(self._file.adjust, id, org, amount, note, chargeback=chargeback)

    def refund(self, id: str, generation: str, amount: int) -> Booked:
        """Gives back part of what a request was charged, at most all of it."""
        return self._booked(self._file.refund, id, generation, amount)

    def undelivered(self, id: str, generation: str, amount: int) -> Booked:
        """Gives back a charge whose answer the gateway kept from its client, and frees the
        request's `Idempotency-Key`, both at once. Of an `amount` of 0 only the latter."""
        return self._booked(self._file.undelivered, id, generation, amount)

    def prune(self, older_than_ms: int) -> tuple[int, int]:
        """Rolls up what is older (Unix milliseconds): the numbers of entries and requests gone."""
        with _translated():
            return self._file.prune(older_than_ms)

    # --- questions --------------------------------------------------------------------------------

    def balance(self, org: str) -> Balance:
        """Of one organization, by id; zeros where it has no entry yet."""
        with _translated():
            available, held, debt, *_ = self._file.balance(org)
        return Balance(available, held, -debt)

    def operator(self) -> dict[str, int]:
        """The operator's accounts: `cash` (received: negative), `revenue`, `loss` (negative)."""
        with _translated():
            *_, cash, revenue, loss = self._file.balance("")
        return {"cash": cash, "revenue": revenue, "loss": loss}

    def balances(self) -> dict[str, Balance]:
        """Of every organization that has an entry, by id."""
        with _translated():
            rows = self._file.balances()
        return {row["org"]: Balance(row["available"], row["held"], -row["debt"]) for row in rows}

    def generation(self, id: str) -> Row | None:
        """One request with its `attempts` and what was `refunded`; None where it is unknown."""
        if not _is_text(id):
            return None
        with _translated():
            return self._file.generation(id)

    def find_requests(self, id: str, *, begins: bool, most: int) -> list[str]:
        """The answers' ids of at most `most` requests that `id` may mean, newest first: by their
        request_id, for which the whole ledger is read, and where it `begins` one, by that id."""
        with _translated():
            rows = self._file.find_requests(id, begins=begins, most=most) if _is_text(id) else []
        return [row["generation"] for row in rows]

    def rows(
        self, *, org: str = "", key: str = "", before: int | None = None, limit: int = 100
    ) -> list[Row]:
        """Requests, newest first; the last one's `n` as `before` gives the next page."""
        with _translated():
            return self._file.rows(org=org, key=key, before=before, limit=limit)

    def activity(
        self, *, org: str = "", key: str = "", since: int = 0, until: int | None = None
    ) -> list[Row]:
        """Sums by UTC day, key and model, of the days of two Unix times, both included."""
        with _translated():
            return self._file.activity(org=org, key=key, since=since, until=until)

    def key_charges(self) -> dict[str, int]:
        """What each key was charged in all, in nano-USD, by its id; refunds are not taken off."""
        with _translated():
            return {row["key"]: row["cost"] for row in self._file.key_charges()}

    def account(self, org: str) -> Row:
        """Its `available`, `held` and `owed`, and what it was `charged` and `refunded` in all: as
        of one moment. What it ever paid in or was given is
        `available + held - owed + charged - refunded`."""
        with _translated():
            row = self._file.account(org)
        row["owed"] = -row.pop("debt")
        return row

    def key_use(
        self,
        org: str,
        key: str,
        *,
        day: tuple[int, int],
        week: tuple[int, int],
        month: tuple[int, int],
        window: tuple[int, int],
    ) -> dict[str, int]:
        """What requests of one key were charged, refunds not taken off, and what is held for them.

        Args:
            day: the first day of which `daily` is summed, and the first after it, counted from 1970
                in UTC; so `week` for `weekly`, `month` for `monthly`, and `window` for `window` and
                `held`.

        Returns:
            These, and the `total`.
        """
        with _translated():
            return self._file.key_use(org, key, day=day, week=week, month=month, window=window)

    def days(
        self,
        org: str,
        *,
        key: str = "",
        by_key: bool = False,
        first: int,
        last: int,
        limit: int,
        offset: int = 0,
    ) -> list[Row]:
        """Sums by UTC day and model, and by key where asked, oldest first, of one organization.

        Args:
            first: the first day, counted from 1970; `last` is included.
            limit: rows at most, 1 to 10,000; `offset` are skipped.
        """
        with _translated():
            return self._file.days(
                org, key=key, by_key=by_key, first=first, last=last, limit=limit, offset=offset
            )

    def day_rows(self, org: str, day: int, *, key: str = "", by_key: bool = False) -> Iterator[Row]:
        """The same of one day, all of them, read in pages."""
        offset = 0
        while True:
            page = self.days(
                org, key=key, by_key=by_key, first=day, last=day, limit=_PAGE, offset=offset
            )
            yield from page
            if len(page) < _PAGE:
                return
            offset += _PAGE

    def entries(self, after: int = 0) -> Iterator[Row]:
        """Journal entries in order, read in pages."""
        while True:
            with _translated():
                page = self._file.entries(after, _PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1]["seq"]

    def order_pages(self, page: int = _PAGE) -> Iterator[list[Row]]:
        """What was booked by order, pruned or not, by kind and id: `kind`, `id`, `org`, `amount`,
        `note`, `generation`.

        Args:
            page: rows of one page at most, 1 to 10,000; what was booked meanwhile may be in them.
        """
        kind, id = 0, ""
        while True:
            with _translated():
                rows = self._file.orders(kind, id, page)
            if rows:
                yield rows
            if len(rows) < page:
                return
            kind, id = rows[-1]["entry_kind"], rows[-1]["id"]

    def find_orders(self, names: Sequence[tuple[str, str]]) -> list[Row | None]:
        """Rows as `order_pages` has them, one for each (kind, id); None: it was never booked."""
        with _translated():
            return self._file.find_orders(names)

    @property
    def identity(self) -> str:
        """What tells this ledger and its copies from all others. Empty before its first start."""
        with _translated():
            return self._file.identity

    def verify(self) -> Row:
        """Replays the whole journal: `rule` (the first that is broken, or ""), `seq`, `why`,
        and how many `entries` and `requests` were read."""
        with _translated():
            return self._file.verify()

    def backup(self, path: Path) -> None:
        """Copies the file as of one moment, also while it is written; `path` must not exist."""
        with _translated():
            self._file.backup(str(path))

    def _booked(self, order: Any, *arguments: Any, **options: Any) -> Booked:
        with _translated():
            result, available, held, debt = order(*arguments, **options)
        return Booked(result, Balance(available, held, -debt))


class _Files:
    """The files that this process writes, by their resolved paths; `shared`: by clients."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a garbage collection may close one anywhere
        self.open: weakref.WeakValueDictionary[Path, Ledger] = weakref.WeakValueDictionary()
        self.shared: weakref.WeakValueDictionary[Path, Ledger] = weakref.WeakValueDictionary()
        forks.watch(self)

    def after_fork(self) -> None:
        """All are the parent's."""
        self.__init__()  # type: ignore[misc]


_files = _Files()


def _is_text(id: str) -> bool:
    """Whether the core takes it: a word of the command line need not be UTF-8."""
    try:
        id.encode()
    except UnicodeEncodeError:
        return False
    return True


def identity_of(path: Path) -> str:
    """What tells a ledger and its copies from all others, of whatever schema; empty where that
    cannot be read: opening it says why."""
    try:
        with _translated():
            return _core.ledger_identity(str(path))
    except LedgerError:
        return ""


class _translated:
    """Raises what the core throws as LedgerError."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, _core.CoreError):
            raise LedgerError(error.code, error.message, error.retry_after_ms) from None
