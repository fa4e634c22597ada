"""ControlPlane: the record of all that is kept of organizations, apps, keys and orders."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from seekroute.closable import Closable
from seekroute.control import feed
from seekroute.control.apps import Apps
from seekroute.control.database import Database
from seekroute.control.feed import ChangeBatch
from seekroute.control.key_table import KeyTable, pepper_bound, tell_profile, told_profile
from seekroute.control.keys import Keys
from seekroute.control.limits import LimitBook
from seekroute.control.orders import OrderBook
from seekroute.control.orgs import Orgs
from seekroute.control.pepper import load_pepper, require_pepper
from seekroute.control.queries import CoreKey
from seekroute.control.questions import QuestionBook
from seekroute.control.reloads import ReloadBook


class ControlPlane(Closable):
    """What is kept of one data directory, a part for each kind. Thread-safe; blocks on the disk.

    Rows that methods return are copies of that moment: to change one changes nothing.
    `org`, `app` and `key` parameters take an id or, for organizations and apps, a name. A key is
    also found by its own text. Every method, also of the parts, raises ControlError: what is named
    does not exist, a value is not acceptable, or the database failed.

    Attributes:
        orgs: organizations.
        apps: their apps.
        keys: their API keys.
        orders: what commands ask of the owner of the ledger.
        limits: of requests and tokens, what operators have said of whom.
        reloads: what commands ask of the server's configuration.
        questions: what they ask of its providers.

    Args:
        data_dir: the data directory; made where it is missing.
        environ: where SEEKROUTE_PEPPER is looked up.
        clock: the time in seconds since 1970.
        anew: make a new control.db where it is lost; else that is an error.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     with ControlPlane(Path(directory)) as control:
        ...         org = control.orgs.create("acme")
        ...         row, key = control.keys.create(org.id, name="ci", profile="seekroute",
        ...                                        prefix="sk-sr-")
        ...         len(key), row.label == f"sk-sr-...{key[-4:]}"
        (55, True)
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        anew: bool = False,
    ) -> None:
        self._clock = clock
        self._database = Database(data_dir, anew=anew)
        try:
            with self._database.read() as connection:
                bound = pepper_bound(connection)
            self._pepper = load_pepper(
                self._database.path.parent,
                environ=os.environ if environ is None else environ,
                # Where nothing can be written, none can be made either.
                has_keys=bound is not None or self._database.read_only,
            )
            require_pepper(self._pepper, bound, self._database.path)
        except BaseException:
            self._database.close()
            raise
        self.orgs: Final = Orgs(self._database, self._now)
        self.apps: Final = Apps(self._database, self._now)
        table = KeyTable(self._pepper, self._database.path, self._now)
        self.keys: Final = Keys(self._database, table, self.orgs, self._now)
        self.orders: Final = OrderBook(self._database, self._now)
        self.limits: Final = LimitBook(self._database, self._now)
        self.reloads: Final = ReloadBook(self._database, self._now)
        self.questions: Final = QuestionBook(self._database, self._now)

    @property
    def pepper(self) -> bytes:
        """The secret of the MACs, for the core. Never to be logged."""
        return self._pepper

    def backup(self, path: Path) -> None:
        """Copy the database as of one moment, also while it is in use; `path` must not exist.

        The pepper is not in it: without that, no key in the copy works.
        """
        self._database.backup(path)

    def version(self) -> int:
        """A number that is another one after each change of anything here, by any process.

        Cheap enough for many times a second; what has changed is for the other methods to say.
        """
        return self._database.version()

    @property
    def path(self) -> Path:
        """The database's file."""
        return self._database.path

    def check(self) -> None:
        """Look whether the file can still be read, as whoever opens it now would. Some 0.3 ms.

        Raises:
            ControlError: it is gone, damaged, or another file than the one that was opened.
        """
        self._database.check()

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def told_profile(self) -> str:
        """The profile that the last start of a server was told beside its configuration, a name or
        a path: new keys get that one. "" where it was told none."""
        with self._database.read() as connection:
            return told_profile(connection)

    def tell_profile(self, profile: str) -> None:
        """Write down what `told_profile` returns; "" forgets it."""
        if self.told_profile() != profile:
            with self._database.write() as connection:
                tell_profile(connection, profile)

    # --- the running server ----------------------------------------------------------------------

    def change_cursor(self) -> int:
        """Where the change feed is now. Take it before `core_keys`, so that no change is missed."""
        with self._database.read() as connection:
            return feed.last_change(connection)

    def core_keys(self) -> Iterator[CoreKey]:
        """Every key that is not revoked, as the core takes it.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as directory:
            ...     with ControlPlane(Path(directory)) as control:
            ...         cursor = control.change_cursor()
            ...         keys = list(control.core_keys())
            ...         keys, control.changes_since(cursor).keys
            ([], [])
        """
        after = ""
        while True:
            with self._database.read() as connection:
                page = feed.keys_after(connection, after, limit=feed.PAGE)
            yield from page
            if len(page) < feed.PAGE:
                return
            after = page[-1].key_id

    def changes_since(self, cursor: int, *, limit: int = feed.PAGE) -> ChangeBatch:
        """The key changes after `cursor`, by this process or another, at most `limit`."""
        with self._database.read() as connection:
            return feed.changes_after(connection, cursor, limit=limit)

    def _now(self) -> int:
        return int(self._clock())
