"""ControlPlane: everything that can be done to organizations, apps and keys."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, select

from seekroute.control import checks, feed
from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.feed import ChangeBatch
from seekroute.control.key_table import KeyTable, pepper_bound, tell_profile, told_profile
from seekroute.control.models import (
    ApiKey,
    App,
    Organization,
    api_keys,
    apps,
    new_id,
    organizations,
)
from seekroute.control.orders import LOCAL_ORG, OrderBook
from seekroute.control.pepper import load_pepper, require_pepper
from seekroute.control.queries import CoreKey, add, announce, change, find_app, find_org, rows


class ControlPlane:
    """Organizations, apps and API keys of one data directory. Thread-safe; blocks on the disk.

    Rows that methods return are copies of that moment: to change one changes nothing.
    `org`, `app` and `key` parameters take an id or, for organizations and apps, a name. A key is
    also found by its own text. Every method raises ControlError: what is named does not
    exist, a value is not acceptable, or the database failed.

    Args:
        data_dir: the data directory; made where it is missing.
        environ: where SEEKROUTE_PEPPER is looked up.
        clock: the time in seconds since 1970.
        anew: make a new control.db where it is lost; else that is an error.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     with ControlPlane(Path(directory)) as control:
        ...         org = control.create_org("acme")
        ...         row, key = control.create_key(org.id, name="ci", profile="seekroute",
        ...                                       prefix="sk-sr-")
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
        self._orders = OrderBook(self._database, self._now)
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
            self._keys = KeyTable(self._pepper, self._database.path, self._now)
        except BaseException:
            self._database.close()
            raise

    @property
    def pepper(self) -> bytes:
        """The secret of the MACs, for the core. Never to be logged."""
        return self._pepper

    @property
    def orders(self) -> OrderBook:
        """What commands ask of the owner of the ledger."""
        return self._orders

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # --- organizations ---------------------------------------------------------------------------

    def create_org(self, name: str, credit_line: int | None = 0) -> Organization:
        """Make an organization.

        Args:
            name: its own; 1 to 200 characters.
            credit_line: how far below zero its balance may go, in nano-USD. 0 is prepaid, None
                unlimited.
        """
        with self._database.write() as connection:
            return self._add_org(connection, name, credit_line)

    def list_orgs(self) -> list[Organization]:
        """All organizations, oldest first."""
        order = (organizations.c.created_at, organizations.c.name)
        with self._database.read() as connection:
            return rows(connection, Organization, order=order)

    def get_org(self, org: str) -> Organization:
        """One organization."""
        with self._database.read() as connection:
            return find_org(connection, org)

    def suspend_org(self, org: str) -> Organization:
        """Turn all keys of an organization away with 403 until it is resumed."""
        return self._set_suspended(org, self._now())

    def resume_org(self, org: str) -> Organization:
        """Undo `suspend_org`."""
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

    # --- apps ------------------------------------------------------------------------------------

    def create_app(self, org: str, *, name: str) -> App:
        """Make an app, `pending` until `approve_app`: until then its keys get 403."""
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
            return add(connection, app)

    def list_apps(self, org: str | None = None) -> list[App]:
        """The apps of one organization or of all, oldest first."""
        order = (apps.c.created_at, apps.c.name)
        with self._database.read() as connection:
            where = () if org is None else (apps.c.org_id == find_org(connection, org).id,)
            return rows(connection, App, *where, order=order)

    def approve_app(self, app: str, *, org: str | None = None) -> App:
        """Let an app's keys work. `org` tells apps of the same name apart."""
        return self._set_status(app, org, "approved")

    def reject_app(self, app: str, *, org: str | None = None) -> App:
        """Turn an app's keys away with 403. `org` tells apps of the same name apart."""
        return self._set_status(app, org, "rejected")

    # --- keys ------------------------------------------------------------------------------------

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

    def create_key(
        self,
        org: str,
        *,
        name: str,
        profile: str,
        prefix: str,
        expires_at: int | None = None,
        models: Sequence[str] | None = None,
        app: str | None = None,
        limit_nano: int | None = None,
        limit_reset: str = "never",
        store_answers: bool = False,
    ) -> tuple[ApiKey, str]:
        """Make a key. Its text is returned here and can never be had again.

        Args:
            org: who owns it.
            name: what it is for; need not be unique.
            profile: the profile it works with.
            prefix: how it begins: `sk-sr-`.
            expires_at: when it stops working, unix seconds, in the future; None: never.
            models: ids and `author/*` patterns it may use; None: all.
            app: the organization's app it belongs to; None: none.
            limit_nano: the most it may spend until the reset, in nano-USD; None: no limit.
            limit_reset: `never`, `daily`, `weekly` or `monthly`, in UTC.
            store_answers: whether answers are kept for repeats of an Idempotency-Key.

        Returns:
            The key's row, and the key.
        """
        with self._database.write() as connection:
            owner = find_org(connection, org)
            return self._keys.add(
                connection,
                prefix,
                org_id=owner.id,
                app_id=None if app is None else find_app(connection, app, owner).id,
                profile=checks.name(profile, of="profile"),
                name=checks.name(name, of="key"),
                models=checks.models(models),
                expires_at=checks.expiry(expires_at, self._now()),
                limit_nano=checks.credit(limit_nano, of="limit"),
                limit_reset=checks.limit_reset(limit_reset),
                store_answers=store_answers,
            )

    def create_first_key(self, *, profile: str, prefix: str) -> tuple[ApiKey, str] | None:
        """Make the organization `default` and a key in it, if there has never been any key.

        That organization is the operator's own: its credit is unlimited.

        Returns:
            The key's row, and the key; None where there is a key already.
        """
        with self._database.write() as connection:
            if connection.scalar(select(api_keys.c.id).limit(1)) is not None:
                return None
            found = rows(connection, Organization, organizations.c.name == "default")
            owner = found[0] if found else self._add_org(connection, "default", None)
            return self._keys.add(
                connection, prefix, org_id=owner.id, profile=profile, name="first key"
            )

    def list_keys(self, org: str | None = None) -> list[ApiKey]:
        """The keys of one organization or of all, revoked ones too, oldest first."""
        order = (api_keys.c.created_at, api_keys.c.name, api_keys.c.id)
        with self._database.read() as connection:
            where = () if org is None else (api_keys.c.org_id == find_org(connection, org).id,)
            return rows(connection, ApiKey, *where, order=order)

    def get_key(self, key: str) -> ApiKey:
        """One key, by its id or its text."""
        with self._database.read() as connection:
            return self._keys.find(connection, key)

    def disable_key(self, key: str) -> ApiKey:
        """Turn a key away with 403 until `enable_key`."""
        return self._set_disabled(key, self._now())

    def enable_key(self, key: str) -> ApiKey:
        """Undo `disable_key`."""
        return self._set_disabled(key, None)

    def revoke_key(self, key: str) -> ApiKey:
        """Revoke a key permanently: from now on it is like one that never was (401)."""
        with self._database.write() as connection:
            row = self._keys.find(connection, key)
            if row.revoked_at is None:
                row = self._keys.change(connection, row, {"revoked_at": self._now()})
            return row

    def set_key_limit(
        self, key: str, limit_nano: int | None, *, reset: str | None = None
    ) -> ApiKey:
        """Limit what a key may spend, in nano-USD; None: no limit. Without `reset` that stays."""
        values: dict[str, Any] = {"limit_nano": checks.credit(limit_nano, of="limit")}
        if reset is not None:
            values["limit_reset"] = checks.limit_reset(reset)
        return self._change_key(key, values)

    def set_store_answers(self, key: str, on: bool) -> ApiKey:
        """Whether answers are kept for repeats of an Idempotency-Key."""
        return self._change_key(key, {"store_answers": on})

    def roll_key(self, key: str) -> tuple[ApiKey, str]:
        """Give a key a new text and end the old one at once; id, name and rights stay.

        Returns:
            The key's row, and the new key.
        """
        with self._database.write() as connection:
            return self._keys.roll(connection, self._keys.find_live(connection, key))

    def key_info(self, key: str) -> dict[str, Any]:
        """What `GET /v1/key` answers: OpenRouter's shape, `{"data": {...}}`.

        Limits are null and usages 0 here: a server with a ledger fills them in.
        """
        row = self.get_key(key)
        expires = None if row.expires_at is None else time.gmtime(row.expires_at)
        usages = {
            f"{kind}{period}": 0
            for kind in ("usage", "byok_usage")
            for period in ("", "_daily", "_weekly", "_monthly")
        }
        return {
            "data": {
                "label": row.label,
                "creator_user_id": None,
                "organization_id": row.org_id,
                "workspace_id": None,
                "allowed_data_regions": ["global"],
                "free_model_daily_requests": {"limit": 0, "remaining": 0, "used": 0},
                "limit": None,
                "limit_remaining": None,
                "limit_reset": None,
                "include_byok_in_limit": False,
                **usages,
                "is_free_tier": False,
                "is_management_key": False,
                "is_provisioning_key": False,
                "expires_at": expires and time.strftime("%Y-%m-%dT%H:%M:%SZ", expires),
                "rate_limit": {"requests": -1, "interval": "10s", "note": "deprecated"},
            }
        }

    # --- the running server ----------------------------------------------------------------------

    def change_cursor(self) -> int:
        """Where the change feed is now. Take it before `core_keys`, so that no change is missed."""
        with self._database.read() as connection:
            return feed.last_change(connection)

    def core_keys(self) -> Iterator[tuple[bytes, CoreKey]]:
        """(MAC, key as the core takes it) of every key that is not revoked.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as directory:
            ...     with ControlPlane(Path(directory)) as control:
            ...         cursor = control.change_cursor()
            ...         keys = dict(control.core_keys())
            ...         keys, control.changes_since(cursor).changes
            ({}, [])
        """
        after = ""
        while True:
            with self._database.read() as connection:
                page = feed.keys_after(connection, after, limit=feed.PAGE)
            for _, mac, key in page:
                yield mac, key
            if len(page) < feed.PAGE:
                return
            after = page[-1][0]

    def changes_since(self, cursor: int, *, limit: int = feed.PAGE) -> ChangeBatch:
        """The key changes after `cursor`, by this process or another, at most `limit`."""
        with self._database.read() as connection:
            return feed.changes_after(connection, cursor, limit=limit)

    # --- private ---------------------------------------------------------------------------------

    def _now(self) -> int:
        return int(self._clock())

    def _add_org(self, connection: Connection, name: str, line: int | None) -> Organization:
        name = checks.name(name, of="organization")
        if name.casefold() == LOCAL_ORG:
            raise ControlError(
                f"{name!r} stands for whoever asks without a key, in logs, balances and the "
                "ledger: choose another name"
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

    def _set_status(self, app: str, org: str | None, status: str) -> App:
        with self._database.write() as connection:
            row = find_app(connection, app, None if org is None else find_org(connection, org))
            if row.status != status:
                row = change(connection, row, status=status, updated_at=self._now())
                announce(connection, api_keys.c.app_id == row.id)
            return row

    def _set_disabled(self, key: str, moment: int | None) -> ApiKey:
        with self._database.write() as connection:
            row = self._keys.find_live(connection, key)
            if row.disabled != (moment is not None):
                row = self._keys.change(connection, row, {"disabled_at": moment})
            return row

    def _change_key(self, key: str, values: dict[str, Any]) -> ApiKey:
        with self._database.write() as connection:
            row = self._keys.find_live(connection, key)
            if any(getattr(row, name) != value for name, value in values.items()):
                row = self._keys.change(connection, row, values)
            return row
