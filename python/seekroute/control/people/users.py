"""Accounts of people."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, select

from seekroute.control import checks
from seekroute.control.audit import Actor, AuditLog
from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.models import new_id
from seekroute.control.people.passwords import Passwords
from seekroute.control.people.tables import INSTANCE_ROLES, User, memberships, users
from seekroute.control.queries import add, change, rows

__all__ = ["Users", "checked_email", "email_key"]

_MOST_EMAIL: Final = 254
# Not what RFC 5322 allows, but what mail servers take: one @, a dot behind it, nothing hidden.
_EMAIL: Final = re.compile(
    r"[^\s@<>\"(),:;\\\[\]]+@[^\s@<>\"(),:;\\\[\]]+\.[^\s@<>\"(),:;\\\[\].]+"
)


def email_key(email: str) -> str:
    """By what two spellings of an address are one.

    >>> email_key(" Ann@Example.com ") == email_key("ann@example.com")
    True
    """
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def checked_email(email: str) -> str:
    """An address as it is stored. Raises ControlError where it is none."""
    email = email.strip()
    hidden = any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in email)
    if len(email) > _MOST_EMAIL or hidden or not _EMAIL.fullmatch(email):
        raise ControlError("email: expected an address such as ann@example.com")
    return email


Rows = list[User]


class Users:
    """The accounts of a control plane, as `ControlPlane.users`. Thread-safe; blocks on the disk.

    A user is named by its id or its address. Every method raises ControlError.

    Args:
        database: where they are.
        audit: where changes are told.
        now: the time in seconds since 1970.
    """

    def __init__(self, database: Database, audit: AuditLog, now: Callable[[], int]) -> None:
        self._database = database
        self._audit = audit
        self._now = now
        self.passwords: Final = Passwords()

    def create(
        self,
        email: str,
        *,
        name: str,
        password: str | None = None,
        instance_role: str | None = None,
        verified: bool = False,
        by: Actor | None = None,
    ) -> User:
        """Make an account.

        Args:
            email: its address, which no other account has.
            name: how it is shown.
            password: with which it signs in; None: it cannot, until one is set.
            instance_role: `operator`, `support` or None.
            verified: whether it is known that mail to the address reaches the person.
            by: who makes it.
        """
        draft = self.draft(email, name=name, password=password, instance_role=instance_role)
        with self._database.write() as connection:
            return self.add(connection, draft, verified=verified, by=by)

    def draft(
        self,
        email: str,
        *,
        name: str,
        password: str | None = None,
        instance_role: str | None = None,
    ) -> User:
        """A row that `add` stores. The password is hashed here, outside of any transaction."""
        email = checked_email(email)
        if instance_role is not None:
            _check_instance_role(instance_role)
        now = self._now()
        return User(
            id=new_id("user"),
            email=email,
            email_key=email_key(email),
            name=checks.name(name, of="account"),
            password_hash=None if password is None else self.passwords.hash(password, email=email),
            instance_role=instance_role,
            created_at=now,
            updated_at=now,
        )

    def add(
        self,
        connection: Connection,
        draft: User,
        *,
        verified: bool = False,
        by: Actor | None = None,
    ) -> User:
        """Store a draft in the caller's transaction."""
        if rows(connection, User, users.c.email_key == draft.email_key):
            raise ControlError("there is already an account of that address")
        if verified:
            draft = replace(draft, email_verified_at=self._now())
        row = add(connection, draft)
        after = {"email": row.email, "name": row.name, "instance_role": row.instance_role}
        self._audit.note(connection, by, "user.create", row.id, after=after)
        return row

    def none_yet(self, connection: Connection) -> bool:
        """Whether there has never been an account."""
        return connection.scalar(select(users.c.id).limit(1)) is None

    def get(self, user: str) -> User:
        """One account, by its id or address."""
        with self._database.read() as connection:
            return self.find(connection, user)

    def find(self, connection: Connection, user: str) -> User:
        """As `get`, in the caller's transaction."""
        found = rows(
            connection, User, (users.c.id == user) | (users.c.email_key == email_key(user))
        )
        if not found:
            raise ControlError("there is no account of that id or address")
        return found[0]

    def known(self, email: str) -> User | None:
        """The account of an address, if there is one."""
        with self._database.read() as connection:
            found = rows(connection, User, users.c.email_key == email_key(email))
            return found[0] if found else None

    def named(self, ids: Collection[str]) -> Rows:
        """The accounts with these ids."""
        with self._database.read() as connection:
            return rows(connection, User, users.c.id.in_(ids)) if ids else []

    def list(self, *, q: str = "", after: str = "", limit: int = 50) -> Rows:
        """Accounts by address.

        Args:
            q: the beginning of the address.
            after: the address behind which to go on.
            limit: at most so many.
        """
        where = [users.c.email_key.startswith(email_key(q), autoescape=True)] if q else []
        if after:
            where.append(users.c.email_key > email_key(after))
        with self._database.read() as connection:
            return rows(connection, User, *where, order=(users.c.email_key,), limit=limit)

    def password_user(self, email: str, password: str) -> User | None:
        """The account that signs in by these; None for every reason that it cannot, after the same
        work."""
        with self._database.read() as connection:
            found = rows(connection, User, users.c.email_key == email_key(email))
        user = found[0] if found else None
        right = self.passwords.matches(password, user.password_hash if user else None)
        if not right or user is None or user.disabled:
            return None
        assert user.password_hash is not None, "it matched"
        if self.passwords.is_outdated(user.password_hash):
            self._change(user.id, {"password_hash": self.passwords.rehash(password)}, None, "")
        return user

    def set_password(self, user: str, password: str, *, by: Actor | None = None) -> User:
        """Give an account another password."""
        row = self.get(user)
        hashed = self.passwords.hash(password, email=row.email)
        return self._change(row.id, {"password_hash": hashed}, by, "user.password")

    def set_name(self, user: str, name: str, *, by: Actor | None = None) -> User:
        """Change how an account is shown."""
        return self._change(user, {"name": checks.name(name, of="account")}, by, "user.name")

    def set_instance_role(self, user: str, role: str | None, *, by: Actor | None = None) -> User:
        """Make someone `operator` or `support`, or neither. One operator has to stay."""
        return self.edit(user, instance_role=role, by=by)

    def disable(self, user: str, *, by: Actor | None = None) -> User:
        """Let an account sign in no more. What it made stays. One operator has to stay."""
        return self.edit(user, disabled=True, by=by)

    def enable(self, user: str, *, by: Actor | None = None) -> User:
        """Undo `disable`."""
        return self.edit(user, disabled=False, by=by)

    def edit(self, user: str, *, by: Actor | None = None, **values: Any) -> User:
        """Change what an account may do, all of it or nothing. One operator has to stay.

        Args:
            user: its id or address.
            by: who.
            values: of `instance_role` and `disabled` those that change.
        """
        new: dict[str, Any] = {}
        if "instance_role" in values:
            if values["instance_role"] is not None:
                _check_instance_role(values["instance_role"])
            new["instance_role"] = values["instance_role"]
        if "disabled" in values and self.get(user).disabled != values["disabled"]:
            new["disabled_at"] = self._now() if values["disabled"] else None
        return self._change(user, new, by, "user.edit")

    def signed_in(self, user: str, methods: str, *, by: Actor) -> None:
        """Write down that somebody has signed in, and how."""
        with self._database.write() as connection:
            row = self.find(connection, user)
            change(connection, row, last_seen_at=self._now())
            self._audit.note(connection, by, "session.open", row.id, after={"methods": methods})

    def note_reset(self, user: User, *, by: Actor) -> None:
        """Write down that somebody has made a link by which the user sets a new password."""
        with self._database.write() as connection:
            self._audit.note(connection, by, "user.reset_link", user.id)

    def _change(self, user: str, values: dict[str, Any], by: Actor | None, action: str) -> User:
        with self._database.write() as connection:
            row = self.find(connection, user)
            if all(getattr(row, name) == value for name, value in values.items()):
                return row
            if action:
                told = {} if "password_hash" in values else values
                self._audit.change(connection, by, action, row, told)
            changed = change(connection, row, **values, updated_at=self._now())
            self._check_operators(connection, row)
            return changed

    def _check_operators(self, connection: Connection, before: User) -> None:
        """Raises ControlError where an operator went, and none is left."""
        if before.instance_role != "operator" or before.disabled:
            return
        live = (users.c.instance_role == "operator") & users.c.disabled_at.is_(None)
        if connection.execute(select(users.c.id).where(live).limit(1)).first() is None:
            raise ControlError("the last operator cannot be taken away: make another one first")

    def orgs_of(self, user_id: str) -> Sequence[tuple[str, str]]:
        """The ids of the organizations that a user is in, and what it is there."""
        query = (
            select(memberships.c.org_id, memberships.c.role)
            .where(memberships.c.user_id == user_id)
            .order_by(memberships.c.created_at, memberships.c.org_id)
        )
        with self._database.read() as connection:
            return [(row.org_id, row.role) for row in connection.execute(query)]


def _check_instance_role(role: str) -> None:
    if role not in INSTANCE_ROLES:
        raise ControlError(f"instance_role: expected {' or '.join(INSTANCE_ROLES)}; found {role!r}")
