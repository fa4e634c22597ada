"""Organizations: who owns keys, and owes for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from seekroute.control import checks
from seekroute.control.audit import Actor, AuditLog
from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.models import Organization, api_keys, new_id, organizations
from seekroute.control.queries import add, announce, change, find_org, rows
from seekroute.local_org import LOCAL_ORG, OPERATOR_ORG

Rows = list[Organization]

# What names mean that are no customer's.
_OWN = {LOCAL_ORG: "whoever asks without a key", OPERATOR_ORG: "what the gateway asks by itself"}


class Orgs:
    """The organizations of a control plane, as `ControlPlane.orgs`. Thread-safe; blocks on the
    disk.

    An organization is named by its id or its name. Every method raises ControlError.

    Args:
        database: where they are.
        audit: where changes are told.
        now: the time in seconds since 1970.
    """

    def __init__(self, database: Database, audit: AuditLog, now: Callable[[], int]) -> None:
        self._database = database
        self._audit = audit
        self._now = now

    def create(
        self, name: str, credit_line: int | None = 0, *, by: Actor | None = None
    ) -> Organization:
        """Make an organization.

        Args:
            name: its own; 1 to 200 characters.
            credit_line: how far below zero its balance may go, in nano-USD. 0 is prepaid, None
                unlimited.
            by: who makes it.
        """
        with self._database.write() as connection:
            return self.create_within(connection, name, credit_line, by=by)

    def list(self) -> Rows:
        """All organizations, oldest first."""
        order = (organizations.c.created_at, organizations.c.name)
        with self._database.read() as connection:
            return rows(connection, Organization, order=order)

    def get(self, org: str) -> Organization:
        """One organization."""
        with self._database.read() as connection:
            return find_org(connection, org)

    def exists(self, org_id: str) -> bool:
        """Whether there is an organization with this id."""
        with self._database.read() as connection:
            return bool(rows(connection, Organization, organizations.c.id == org_id))

    def suspend(self, org: str, *, by: Actor | None = None) -> Organization:
        """Turn all keys of an organization away with 403 until it is resumed."""
        return self.edit(org, suspended=True, by=by)

    def resume(self, org: str, *, by: Actor | None = None) -> Organization:
        """Undo `suspend`."""
        return self.edit(org, suspended=False, by=by)

    def set_credit_line(
        self, org: str, line: int | None, *, by: Actor | None = None
    ) -> Organization:
        """Let an organization's balance go `line` nano-USD below zero; None: without a limit."""
        return self.edit(org, credit_line_nano=line, by=by)

    def edit(self, org: str, *, by: Actor | None = None, **values: Any) -> Organization:
        """Change some of what an organization is, all of it or nothing.

        Args:
            org: its id or name.
            by: who.
            values: of `name`, `credit_line_nano` and `suspended` those that change.
        """
        with self._database.write() as connection:
            row = find_org(connection, org)
            new: dict[str, Any] = {}
            if "name" in values:
                new["name"] = self._free_name(connection, values["name"], row.id)
            if "credit_line_nano" in values:
                new["credit_line_nano"] = checks.credit(
                    values["credit_line_nano"], of="credit line"
                )
            if "suspended" in values and row.suspended != values["suspended"]:
                new["suspended_at"] = self._now() if values["suspended"] else None
            if all(getattr(row, name) == value for name, value in new.items()):
                return row
            self._audit.change(connection, by, "org.edit", row, new, org=row.id)
            row = change(connection, row, **new, updated_at=self._now())
            announce(connection, api_keys.c.org_id == row.id)
            return row

    def create_within(
        self, connection: Connection, name: str, line: int | None, *, by: Actor | None = None
    ) -> Organization:
        """As `create`, in the caller's transaction."""
        name = self._free_name(connection, name)
        now = self._now()
        org = Organization(
            id=new_id("org"),
            name=name,
            created_at=now,
            updated_at=now,
            credit_line_nano=checks.credit(line, of="credit line"),
        )
        after = {"name": org.name, "credit_line_nano": org.credit_line_nano}
        self._audit.note(connection, by, "org.create", org.id, org=org.id, after=after)
        return add(connection, org)

    def _free_name(self, connection: Connection, name: str, own: str = "") -> str:
        """A name that no other organization than `own` has. Raises ControlError."""
        name = checks.name(name, of="organization")
        if whose := _OWN.get(name.casefold()):
            raise ControlError(
                f"{name!r} stands for {whose}, in logs, balances and the ledger: choose another "
                "name"
            )
        found = rows(connection, Organization, organizations.c.name == name)
        if found and found[0].id != own:
            raise ControlError(f"there is already an organization named {name!r}")
        return name
