"""Organizations: who owns keys, and owes for them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from seekroute.control import checks
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
        now: the time in seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    def create(self, name: str, credit_line: int | None = 0) -> Organization:
        """Make an organization.

        Args:
            name: its own; 1 to 200 characters.
            credit_line: how far below zero its balance may go, in nano-USD. 0 is prepaid, None
                unlimited.
        """
        with self._database.write() as connection:
            return self.create_within(connection, name, credit_line)

    def list(self) -> Rows:
        """All organizations, oldest first."""
        order = (organizations.c.created_at, organizations.c.name)
        with self._database.read() as connection:
            return rows(connection, Organization, order=order)

    def get(self, org: str) -> Organization:
        """One organization."""
        with self._database.read() as connection:
            return find_org(connection, org)

    def suspend(self, org: str) -> Organization:
        """Turn all keys of an organization away with 403 until it is resumed."""
        return self._set_suspended(org, self._now())

    def resume(self, org: str) -> Organization:
        """Undo `suspend`."""
        return self._set_suspended(org, None)

    def set_credit_line(self, org: str, line: int | None) -> Organization:
        """Let an organization's balance go `line` nano-USD below zero; None: without a limit."""
        line = checks.credit(line, of="credit line")
        with self._database.write() as connection:
            row = find_org(connection, org)
            if row.credit_line_nano != line:
                row = change(connection, row, credit_line_nano=line, updated_at=self._now())
                announce(connection, api_keys.c.org_id == row.id)
            return row

    def create_within(self, connection: Connection, name: str, line: int | None) -> Organization:
        """As `create`, in the caller's transaction."""
        name = checks.name(name, of="organization")
        if whose := _OWN.get(name.casefold()):
            raise ControlError(
                f"{name!r} stands for {whose}, in logs, balances and the ledger: choose another "
                "name"
            )
        if rows(connection, Organization, organizations.c.name == name):
            raise ControlError(f"there is already an organization named {name!r}")
        now = self._now()
        org = Organization(
            id=new_id("org"),
            name=name,
            created_at=now,
            updated_at=now,
            credit_line_nano=checks.credit(line, of="credit line"),
        )
        return add(connection, org)

    def _set_suspended(self, org: str, moment: int | None) -> Organization:
        with self._database.write() as connection:
            row = find_org(connection, org)
            if row.suspended != (moment is not None):
                row = change(connection, row, suspended_at=moment, updated_at=self._now())
                announce(connection, api_keys.c.org_id == row.id)
            return row
