"""API keys: made once, found by id or text, limited, revoked."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from seekroute.control import checks
from seekroute.control.audit import Actor, AuditLog
from seekroute.control.database import Database
from seekroute.control.errors import StaleError
from seekroute.control.key_table import KeyTable
from seekroute.control.models import ApiKey, Organization, api_keys, organizations
from seekroute.control.orgs import Orgs
from seekroute.control.queries import find_app, find_org, rows

Rows = list[ApiKey]


class Keys:
    """The API keys of a control plane, as `ControlPlane.keys`. Thread-safe; blocks on the disk.

    A key is named by its id or its own text. Every method raises ControlError.

    Args:
        database: where they are.
        table: their rows, under the pepper.
        orgs: who owns them.
        audit: where changes are told.
        now: the time in seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        table: KeyTable,
        orgs: Orgs,
        audit: AuditLog,
        now: Callable[[], int],
    ) -> None:
        self._database = database
        self._table = table
        self._orgs = orgs
        self._audit = audit
        self._now = now

    def create(
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
        auto_strategy: str | None = None,
        kind: str = "inference",
        created_by: str | None = None,
        by: Actor | None = None,
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
            auto_strategy: how its requests for `auto` choose that do not say it themselves:
                `balanced`, `cost`, `latency` or `quality`; None: as the settings say.
            kind: `inference`, or `management`: one that changes keys and asks no model.
            created_by: the id of the user whose key it is; None: nobody's own.
            by: who makes it.

        Returns:
            The key's row, and the key.
        """
        with self._database.write() as connection:
            owner = find_org(connection, org)
            row, text = self._table.add(
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
                auto_strategy=checks.auto_strategy(auto_strategy),
                kind=kind,
                created_by=created_by,
            )
            self._audit.note(
                connection, by, "key.create", row.id, org=owner.id, after=_told_of(row)
            )
            return row, text

    def create_first(self, *, profile: str, prefix: str) -> tuple[ApiKey, str] | None:
        """Make the organization `default` and a key in it, if there has never been any key.

        That organization is the operator's own: its credit is unlimited.

        Returns:
            The key's row, and the key; None where there is a key already.
        """
        with self._database.write() as connection:
            if connection.scalar(select(api_keys.c.id).limit(1)) is not None:
                return None
            found = rows(connection, Organization, organizations.c.name == "default")
            owner = found[0] if found else self._orgs.create_within(connection, "default", None)
            row, text = self._table.add(
                connection, prefix, org_id=owner.id, profile=profile, name="first key"
            )
            self._audit.note(
                connection, None, "key.create", row.id, org=owner.id, after=_told_of(row)
            )
            return row, text

    def list(self, org: str | None = None) -> Rows:
        """The keys of one organization or of all, revoked ones too, oldest first."""
        order = (api_keys.c.created_at, api_keys.c.name, api_keys.c.id)
        with self._database.read() as connection:
            where = () if org is None else (api_keys.c.org_id == find_org(connection, org).id,)
            return rows(connection, ApiKey, *where, order=order)

    def page(
        self,
        org_id: str,
        *,
        q: str = "",
        states: Sequence[str] = ("active", "disabled"),
        kind: str = "inference",
        created_by: str | None = None,
        live_at: int | None = None,
        before: tuple[int, str] | None = None,
        offset: int = 0,
        limit: int = 50,
    ) -> Rows:
        """Keys of an organization, the newest first.

        Args:
            org_id: its id.
            q: an id, the last four characters of a key, or the beginning of a name; empty: all.
            states: of `active`, `disabled` and `revoked`.
            kind: `inference` or `management`.
            created_by: only those of the user with this id.
            live_at: only those that have not expired by then, in seconds since 1970.
            before: `created_at` and `id` of the key behind which to go on.
            offset: how many to leave out, where there is no `before`.
            limit: at most so many.
        """
        c = api_keys.c
        state = {
            "active": c.revoked_at.is_(None) & c.disabled_at.is_(None),
            "disabled": c.revoked_at.is_(None) & c.disabled_at.is_not(None),
            "revoked": c.revoked_at.is_not(None),
        }
        where = [c.org_id == org_id, c.kind == kind, or_(*(state[each] for each in states))]
        if q:
            begins = c.name.startswith(q, autoescape=True)
            ends = [c.last4 == q[-4:]] if len(q) >= 4 else []
            where.append(or_(c.id == q, begins, *ends))
        if created_by is not None:
            where.append(c.created_by == created_by)
        if live_at is not None:
            where.append(c.expires_at.is_(None) | (c.expires_at > live_at))
        if before is not None:
            moment, id = before
            where.append((c.created_at < moment) | (c.created_at == moment) & (c.id < id))
        query = (
            select(api_keys)
            .where(*where)
            .order_by(c.created_at.desc(), c.id.desc())
            .offset(offset)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [ApiKey(**row._mapping) for row in connection.execute(query)]

    def named(self, ids: Collection[str]) -> Rows:
        """The keys with these ids."""
        with self._database.read() as connection:
            return rows(connection, ApiKey, api_keys.c.id.in_(ids)) if ids else []

    def in_org(self, org_id: str, key_id: str) -> ApiKey | None:
        """The key with this id, if it is of that organization."""
        with self._database.read() as connection:
            found = rows(connection, ApiKey, api_keys.c.id == key_id, api_keys.c.org_id == org_id)
            return found[0] if found else None

    def get(self, key: str) -> ApiKey:
        """One key, by its id or its text."""
        with self._database.read() as connection:
            return self._table.find(connection, key)

    def disable(self, key: str, *, by: Actor | None = None) -> ApiKey:
        """Turn a key away with 403 until `enable`."""
        return self._set_disabled(key, self._now(), by)

    def enable(self, key: str, *, by: Actor | None = None) -> ApiKey:
        """Undo `disable`."""
        return self._set_disabled(key, None, by)

    def revoke(self, key: str, *, by: Actor | None = None) -> ApiKey:
        """Revoke a key permanently: from now on it is like one that never was (401)."""
        with self._database.write() as connection:
            row = self._table.find(connection, key)
            if row.revoked_at is None:
                row = self._table.change(connection, row, {"revoked_at": self._now()})
                self._audit.note(connection, by, "key.revoke", row.id, org=row.org_id)
            return row

    def set_limit(
        self,
        key: str,
        limit_nano: int | None,
        *,
        reset: str | None = None,
        by: Actor | None = None,
    ) -> ApiKey:
        """Limit what a key may spend, in nano-USD; None: no limit. Without `reset` that stays."""
        values: dict[str, Any] = {"limit_nano": checks.credit(limit_nano, of="limit")}
        if reset is not None:
            values["limit_reset"] = checks.limit_reset(reset)
        return self._change(key, values, by)

    def set_store_answers(self, key: str, on: bool, *, by: Actor | None = None) -> ApiKey:
        """Whether answers are kept for repeats of an Idempotency-Key."""
        return self._change(key, {"store_answers": on}, by)

    def set_auto_strategy(
        self, key: str, strategy: str | None, *, by: Actor | None = None
    ) -> ApiKey:
        """How requests for `auto` choose that do not say it; None: as the settings say."""
        return self._change(key, {"auto_strategy": checks.auto_strategy(strategy)}, by)

    def edit(
        self,
        key: str,
        *,
        by: Actor | None = None,
        version: int | None = None,
        **values: Any,
    ) -> ApiKey:
        """Change some of what a key is, in one step.

        Args:
            key: its id.
            by: who.
            version: the `updated_at` that the change was made for; another one is refused.
            values: of `name`, `limit_nano`, `limit_reset`, `expires_at`, `models`, `disabled`,
                `store_answers` and `auto_strategy` those that change.

        Raises:
            StaleError: the key has been changed since.
        """
        kept: dict[str, Any] = {}
        for name, value in values.items():
            if name == "disabled":
                continue  # a moment, which stays where it is disabled already
            kept[name] = _CHECKED[name](value, self._now())
        with self._database.write() as connection:
            row = self._table.find_live(connection, key)
            if version is not None and version != row.updated_at:
                raise StaleError("the key has been changed since: read it again")
            if "disabled" in values and row.disabled != values["disabled"]:
                kept["disabled_at"] = self._now() if values["disabled"] else None
            return self._changed(connection, row, kept, by)

    def roll(self, key: str, *, by: Actor | None = None) -> tuple[ApiKey, str]:
        """Give a key a new text and end the old one at once; id, name and rights stay.

        Returns:
            The key's row, and the new key.
        """
        with self._database.write() as connection:
            row, text = self._table.roll(connection, self._table.find_live(connection, key))
            self._audit.note(connection, by, "key.roll", row.id, org=row.org_id)
            return row, text

    def info(self, key: str) -> dict[str, Any]:
        """What `GET /v1/key` answers: OpenRouter's shape, `{"data": {...}}`.

        Limits are null and usages 0 here: a server with a ledger fills them in.
        """
        row = self.get(key)
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

    def _set_disabled(self, key: str, moment: int | None, by: Actor | None) -> ApiKey:
        with self._database.write() as connection:
            row = self._table.find_live(connection, key)
            if row.disabled != (moment is not None):
                row = self._changed(connection, row, {"disabled_at": moment}, by)
            return row

    def _change(self, key: str, values: dict[str, Any], by: Actor | None) -> ApiKey:
        with self._database.write() as connection:
            row = self._table.find_live(connection, key)
            return self._changed(connection, row, values, by)

    def _changed(
        self, connection: Connection, row: ApiKey, values: dict[str, Any], by: Actor | None
    ) -> ApiKey:
        if all(getattr(row, name) == value for name, value in values.items()):
            return row
        self._audit.change(connection, by, "key.edit", row, values, org=row.org_id)
        return self._table.change(connection, row, values)


# What may be edited, and how it is checked.
_CHECKED: Final[dict[str, Callable[[Any, int], Any]]] = {
    "name": lambda value, _: checks.name(value, of="key"),
    "limit_nano": lambda value, _: checks.credit(value, of="limit"),
    "limit_reset": lambda value, _: checks.limit_reset(value),
    "expires_at": checks.expiry,
    "models": lambda value, _: checks.models(value),
    "store_answers": lambda value, _: value,
    "auto_strategy": lambda value, _: checks.auto_strategy(value),
}


def _told_of(row: ApiKey) -> dict[str, Any]:
    """What the audit log says of a new key."""
    names = ("name", "kind", "models", "expires_at", "limit_nano", "limit_reset", "created_by")
    return {"label": row.label, **{name: getattr(row, name) for name in names}}
