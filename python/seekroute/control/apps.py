"""Apps of organizations: the operator approves each before its keys work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from sqlalchemy import select

from seekroute.control import checks
from seekroute.control.audit import Actor, AuditLog
from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.models import App, api_keys, apps, new_id
from seekroute.control.queries import add, announce, change, find_app, find_org, rows

Rows = list[App]
PAGE: Final = 1000  # ids of keys in memory at once


class Apps:
    """The apps of a control plane, as `ControlPlane.apps`. Thread-safe; blocks on the disk.

    An app and an organization are named by id or name. Every method raises ControlError.

    Args:
        database: where they are.
        audit: where changes are told.
        now: the time in seconds since 1970.
    """

    def __init__(self, database: Database, audit: AuditLog, now: Callable[[], int]) -> None:
        self._database = database
        self._audit = audit
        self._now = now

    def create(self, org: str, *, name: str, by: Actor | None = None) -> App:
        """Make an app, `pending` until `approve`: until then its keys get 403."""
        with self._database.write() as connection:
            owner = find_org(connection, org)
            name = checks.name(name, of="app")
            if rows(connection, App, apps.c.org_id == owner.id, apps.c.name == name):
                raise ControlError(f"{owner.name!r} already has an app named {name!r}")
            now = self._now()
            app = App(
                id=new_id("app"),
                org_id=owner.id,
                name=name,
                status="pending",
                created_at=now,
                updated_at=now,
            )
            self._audit.note(
                connection, by, "app.create", app.id, org=owner.id, after={"name": name}
            )
            return add(connection, app)

    def list(self, org: str | None = None) -> Rows:
        """The apps of one organization or of all, oldest first."""
        order = (apps.c.created_at, apps.c.name)
        with self._database.read() as connection:
            where = () if org is None else (apps.c.org_id == find_org(connection, org).id,)
            return rows(connection, App, *where, order=order)

    def get(self, app: str, *, org: str | None = None) -> App:
        """One app. `org` tells apps of the same name apart."""
        with self._database.read() as connection:
            owner = None if org is None else find_org(connection, org)
            return find_app(connection, app, owner)

    def keys(self, app_id: str) -> Iterator[str]:
        """The ids of all keys that the app with this id ever had. Reads pages of them."""
        last = ""
        while True:
            query = (
                select(api_keys.c.id)
                .where(api_keys.c.app_id == app_id, api_keys.c.id > last)
                .order_by(api_keys.c.id)
                .limit(PAGE)
            )
            with self._database.read() as connection:
                page = connection.scalars(query).all()
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1]

    def approve(self, app: str, *, org: str | None = None, by: Actor | None = None) -> App:
        """Let an app's keys work. `org` tells apps of the same name apart."""
        return self._set_status(app, org, "approved", by)

    def reject(self, app: str, *, org: str | None = None, by: Actor | None = None) -> App:
        """Turn an app's keys away with 403. `org` tells apps of the same name apart."""
        return self._set_status(app, org, "rejected", by)

    def _set_status(self, app: str, org: str | None, status: str, by: Actor | None) -> App:
        with self._database.write() as connection:
            row = find_app(connection, app, None if org is None else find_org(connection, org))
            if row.status != status:
                values = {"status": status}
                self._audit.change(connection, by, "app.status", row, values, org=row.org_id)
                row = change(connection, row, status=status, updated_at=self._now())
                announce(connection, api_keys.c.app_id == row.id)
            return row
