"""API keys: made once, found by id or text, limited, revoked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select

from seekroute.control import checks
from seekroute.control.database import Database
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
        now: the time in seconds since 1970.
    """

    def __init__(
        self, database: Database, table: KeyTable, orgs: Orgs, now: Callable[[], int]
    ) -> None:
        self._database = database
        self._table = table
        self._orgs = orgs
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

        Returns:
            The key's row, and the key.
        """
        with self._database.write() as connection:
            owner = find_org(connection, org)
            return self._table.add(
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
            )

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
            return self._table.add(
                connection, prefix, org_id=owner.id, profile=profile, name="first key"
            )

    def list(self, org: str | None = None) -> Rows:
        """The keys of one organization or of all, revoked ones too, oldest first."""
        order = (api_keys.c.created_at, api_keys.c.name, api_keys.c.id)
        with self._database.read() as connection:
            where = () if org is None else (api_keys.c.org_id == find_org(connection, org).id,)
            return rows(connection, ApiKey, *where, order=order)

    def get(self, key: str) -> ApiKey:
        """One key, by its id or its text."""
        with self._database.read() as connection:
            return self._table.find(connection, key)

    def disable(self, key: str) -> ApiKey:
        """Turn a key away with 403 until `enable`."""
        return self._set_disabled(key, self._now())

    def enable(self, key: str) -> ApiKey:
        """Undo `disable`."""
        return self._set_disabled(key, None)

    def revoke(self, key: str) -> ApiKey:
        """Revoke a key permanently: from now on it is like one that never was (401)."""
        with self._database.write() as connection:
            row = self._table.find(connection, key)
            if row.revoked_at is None:
                row = self._table.change(connection, row, {"revoked_at": self._now()})
            return row

    def set_limit(self, key: str, limit_nano: int | None, *, reset: str | None = None) -> ApiKey:
        """Limit what a key may spend, in nano-USD; None: no limit. Without `reset` that stays."""
        values: dict[str, Any] = {"limit_nano": checks.credit(limit_nano, of="limit")}
        if reset is not None:
            values["limit_reset"] = checks.limit_reset(reset)
        return self._change(key, values)

    def set_store_answers(self, key: str, on: bool) -> ApiKey:
        """Whether answers are kept for repeats of an Idempotency-Key."""
        return self._change(key, {"store_answers": on})

    def set_auto_strategy(self, key: str, strategy: str | None) -> ApiKey:
        """How requests for `auto` choose that do not say it; None: as the settings say."""
        return self._change(key, {"auto_strategy": checks.auto_strategy(strategy)})

    def roll(self, key: str) -> tuple[ApiKey, str]:
        """Give a key a new text and end the old one at once; id, name and rights stay.

        Returns:
            The key's row, and the new key.
        """
        with self._database.write() as connection:
            return self._table.roll(connection, self._table.find_live(connection, key))

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

    def _set_disabled(self, key: str, moment: int | None) -> ApiKey:
        with self._database.write() as connection:
            row = self._table.find_live(connection, key)
            if row.disabled != (moment is not None):
                row = self._table.change(connection, row, {"disabled_at": moment})
            return row

    def _change(self, key: str, values: dict[str, Any]) -> ApiKey:
        with self._database.write() as connection:
            row = self._table.find_live(connection, key)
            if any(getattr(row, name) != value for name, value in values.items()):
                row = self._table.change(connection, row, values)
            return row
