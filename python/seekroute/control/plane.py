"""ControlPlane: the record of all that is kept of organizations, apps, keys and orders."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

from seekroute.closable import Closable
from seekroute.control import feed
from seekroute.control.apps import Apps
from seekroute.control.audit import Actor, AuditLog, command_line
from seekroute.control.database import Database
from seekroute.control.feed import ChangeBatch
from seekroute.control.key_table import KeyTable, pepper_bound, tell_profile, told_profile
from seekroute.control.keys import Keys
from seekroute.control.limits import LimitBook
from seekroute.control.models import Organization, organizations
from seekroute.control.orders import OrderBook
from seekroute.control.orgs import Orgs
from seekroute.control.pepper import load_pepper, require_pepper
from seekroute.control.queries import CoreKey, rows
from seekroute.control.questions import QuestionBook
from seekroute.control.reloads import ReloadBook

if TYPE_CHECKING:
    from seekroute.control.people.members import Members
    from seekroute.control.people.second_factors import SecondFactors
    from seekroute.control.people.sessions import Sessions
    from seekroute.control.people.tables import User
    from seekroute.control.people.users import Users


_SETUP_S: Final = 24 * 3600


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
        audit: who changed what.

    Args:
        data_dir: the data directory; made where it is missing.
        environ: where SEEKROUTE_PEPPER is looked up.
        clock: the time in seconds since 1970.
        anew: make a new control.db where it is lost; else that is an error.
        actor: who changes things where a method is not told; None: whoever runs this command.

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
        actor: Actor | None = None,
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
        self.audit: Final = AuditLog(
            self._database, self._pepper, self._now, actor or command_line()
        )
        self.orgs: Final = Orgs(self._database, self.audit, self._now)
        self.apps: Final = Apps(self._database, self.audit, self._now)
        table = KeyTable(self._pepper, self._database.path, self._now)
        self.keys: Final = Keys(self._database, table, self.orgs, self.audit, self._now)
        self.orders: Final = OrderBook(self._database, self._now, self.audit)
        self.limits: Final = LimitBook(self._database, self.audit, self._now)
        self.reloads: Final = ReloadBook(self._database, self._now)
        self.questions: Final = QuestionBook(self._database, self._now)

    @cached_property
    def users(self) -> Users:
        """The accounts of people. Needs the extra `console`."""
        from seekroute.control.people.users import Users

        return Users(self._database, self.audit, self._now)

    @cached_property
    def sessions(self) -> Sessions:
        """Who is signed in, and tokens that are good for one thing, once."""
        from seekroute.control.people.sessions import Sessions

        return Sessions(self._database, self._now)

    @cached_property
    def second_factors(self) -> SecondFactors:
        """Codes of an app, and recovery codes. Needs the extra `console`."""
        from seekroute.control.people.second_factors import SecondFactors

        return SecondFactors(self._database, self.users, self.audit, self._pepper, self._now)

    @cached_property
    def members(self) -> Members:
        """Who belongs to an organization, as what, and who is invited."""
        from seekroute.control.people.members import Members

        return Members(self._database, self.users, self.audit, self._now)

    def has_people(self) -> bool:
        """Whether anybody has an account."""
        with self._database.read() as connection:
            return connection.execute(text("SELECT 1 FROM users LIMIT 1")).first() is not None

    def setup_token(self) -> str | None:
        """A token that `set_up` takes once, within a day; None where there is an account already.
        Earlier ones hold no longer."""
        if self.has_people():
            return None
        self.sessions.void("setup")
        return self.sessions.make_token("setup", "", lasts_s=_SETUP_S)

    def set_up(
        self, token: str, email: str, *, name: str, password: str, org: str, address: str = ""
    ) -> User | None:
        """Make the first operator, who owns an organization, in one step.

        Args:
            token: of `setup_token`.
            email: of the account.
            name: how the person is shown.
            password: with which it signs in.
            org: the name of the organization; made where it is missing, with unlimited credit.
            address: from where it is done.

        Returns:
            The account; None where the token does not hold, or somebody else was first.
        """
        draft = self.users.draft(email, name=name, password=password, instance_role="operator")
        by = Actor("user", draft.id, draft.email, address)
        with self._database.write() as connection:
            if not self.users.none_yet(connection):
                return None
            if self.sessions.spend("setup", token, connection=connection) is None:
                return None
            found = rows(connection, Organization, organizations.c.name == org)
            owner = found[0] if found else self.orgs.create_within(connection, org, None, by=by)
            user = self.users.add(connection, draft, by=by)
            self.members.add_in(connection, owner.id, user, "owner", by)
            return user

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
