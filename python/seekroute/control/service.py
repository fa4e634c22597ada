"""ControlPlane: everything that can be done to organizations, apps and keys."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from seekroute.control import checks
from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.keys import key_mac, looks_valid, make_key
from seekroute.control.models import ApiKey, App, KeyChange, Meta, Organization, new_id
from seekroute.control.pepper import load_pepper
from seekroute.control.queries import (
    CoreKey,
    announce,
    core_key,
    find_app,
    find_org,
    with_rights,
)

_PAGE = 1000  # rows in memory at once when all keys are read
_PEPPER_CHECK = "pepper_check"


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Key changes in their order.

    Attributes:
        cursor: what the next `changes_since` starts from.
        changes: (MAC, key as the core takes it); None instead of a key means: remove it.
        more: whether further changes wait; then ask again at once.
    """

    cursor: int
    changes: list[tuple[bytes, CoreKey | None]]
    more: bool


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
    ) -> None:
        self._clock = clock
        self._database = Database(data_dir)
        try:
            with self._database.read() as session:
                bound = session.get(Meta, _PEPPER_CHECK)
            self._pepper = load_pepper(
                self._database.path.parent,
                environ=os.environ if environ is None else environ,
                has_keys=bound is not None,
            )
            self._require_pepper(bound)
        except BaseException:
            self._database.close()
            raise

    @property
    def pepper(self) -> bytes:
        """The secret of the MACs, for the core. Never to be logged."""
        return self._pepper

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

    def create_org(self, name: str) -> Organization:
        """Make an organization. Its name is its own: 1 to 200 characters."""
        with self._database.write() as session:
            return self._add_org(session, name)

    def list_orgs(self) -> list[Organization]:
        """All organizations, oldest first."""
        query = select(Organization).order_by(Organization.created_at, Organization.name)
        with self._database.read() as session:
            return list(session.scalars(query))

    def get_org(self, org: str) -> Organization:
        """One organization."""
        with self._database.read() as session:
            return find_org(session, org)

    def suspend_org(self, org: str) -> Organization:
        """Turn all keys of an organization away with 403 until it is resumed."""
        return self._set_suspended(org, self._now())

    def resume_org(self, org: str) -> Organization:
        """Undo `suspend_org`."""
        return self._set_suspended(org, None)

    # --- apps ------------------------------------------------------------------------------------

    def create_app(self, org: str, *, name: str) -> App:
        """Make an app, `pending` until `approve_app`: until then its keys get 403."""
        with self._database.write() as session:
            owner = find_org(session, org)
            name = checks.name(name, of="app")
            if session.scalar(select(App.id).where(App.org_id == owner.id, App.name == name)):
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
            session.add(app)
            return app

    def list_apps(self, org: str | None = None) -> list[App]:
        """The apps of one organization or of all, oldest first."""
        query = select(App).order_by(App.created_at, App.name)
        with self._database.read() as session:
            if org is not None:
                query = query.where(App.org_id == find_org(session, org).id)
            return list(session.scalars(query))

    def approve_app(self, app: str, *, org: str | None = None) -> App:
        """Let an app's keys work. `org` tells apps of the same name apart."""
        return self._set_status(app, org, "approved")

    def reject_app(self, app: str, *, org: str | None = None) -> App:
        """Turn an app's keys away with 403. `org` tells apps of the same name apart."""
        return self._set_status(app, org, "rejected")

    # --- keys ------------------------------------------------------------------------------------

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

        Returns:
            The key's row, and the key.
        """
        with self._database.write() as session:
            return self._add_key(
                session,
                org,
                name=name,
                profile=profile,
                prefix=prefix,
                expires_at=expires_at,
                models=models,
                app=app,
            )

    def create_first_key(self, *, profile: str, prefix: str) -> tuple[ApiKey, str] | None:
        """Make the organization `default` and a key in it, if there has never been any key.

        Returns:
            The key's row, and the key; None where there is a key already.
        """
        with self._database.write() as session:
            if session.scalar(select(ApiKey.id).limit(1)) is not None:
                return None
            query = select(Organization).where(Organization.name == "default")
            org = session.scalar(query) or self._add_org(session, "default")
            session.flush()
            return self._add_key(session, org.id, name="first key", profile=profile, prefix=prefix)

    def list_keys(self, org: str | None = None) -> list[ApiKey]:
        """The keys of one organization or of all, revoked ones too, oldest first."""
        query = select(ApiKey).order_by(ApiKey.created_at, ApiKey.name, ApiKey.id)
        with self._database.read() as session:
            if org is not None:
                query = query.where(ApiKey.org_id == find_org(session, org).id)
            return list(session.scalars(query))

    def get_key(self, key: str) -> ApiKey:
        """One key, by its id or its text."""
        with self._database.read() as session:
            return self._find_key(session, key)

    def disable_key(self, key: str) -> ApiKey:
        """Turn a key away with 403 until `enable_key`."""
        return self._set_disabled(key, self._now())

    def enable_key(self, key: str) -> ApiKey:
        """Undo `disable_key`."""
        return self._set_disabled(key, None)

    def revoke_key(self, key: str) -> ApiKey:
        """End a key for good: from now on it is like one that never was (401)."""
        with self._database.write() as session:
            row = self._find_key(session, key)
            if row.revoked_at is None:
                row.revoked_at = row.updated_at = self._now()
                announce(session, ApiKey.id == row.id)
            return row

    def roll_key(self, key: str) -> tuple[ApiKey, str]:
        """Give a key a new text and end the old one at once; id, name and rights stay.

        Returns:
            The key's row, and the new key.
        """
        with self._database.write() as session:
            row = self._find_live_key(session, key)
            text = make_key(row.prefix)
            old_mac = row.mac
            self._bind_pepper(session)
            row.mac = key_mac(self._pepper, text)
            row.last4 = text[-4:]
            row.updated_at = self._now()
            session.execute(delete(KeyChange).where(KeyChange.mac == old_mac))
            session.execute(insert(KeyChange).values(mac=old_mac))
            session.flush()
            announce(session, ApiKey.id == row.id)
            return row, text

    def key_info(self, key: str) -> dict[str, Any]:
        """What `GET /v1/key` answers: OpenRouter's shape, `{"data": {...}}`.

        There is no ledger yet, so no key has a limit and no usage is counted: limits are null and
        usages 0.
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
        with self._database.read() as session:
            return session.scalar(select(func.max(KeyChange.seq))) or 0

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
            query = (
                with_rights(select(ApiKey))
                .where(ApiKey.revoked_at.is_(None), ApiKey.id > after)
                .order_by(ApiKey.id)
                .limit(_PAGE)
            )
            with self._database.read() as session:
                rows = session.execute(query).all()
            for row in rows:
                yield row.ApiKey.mac, core_key(row)
            if len(rows) < _PAGE:
                return
            after = rows[-1].ApiKey.id

    def changes_since(self, cursor: int, *, limit: int = _PAGE) -> ChangeBatch:
        """The key changes after `cursor`, by this process or another, at most `limit`.

        One indexed query: cheap enough for four times a second.
        """
        feed: Any = select(KeyChange, ApiKey)  # Any: Select's type parameters depend on its release
        feed = feed.outerjoin_from(KeyChange, ApiKey, ApiKey.mac == KeyChange.mac)
        query = with_rights(feed).where(KeyChange.seq > cursor).order_by(KeyChange.seq).limit(limit)
        with self._database.read() as session:
            rows = session.execute(query).all()
        changes = []
        for row in rows:
            live = row.ApiKey is not None and row.ApiKey.revoked_at is None
            changes.append((row.KeyChange.mac, core_key(row) if live else None))
        return ChangeBatch(
            cursor=rows[-1].KeyChange.seq if rows else cursor,
            changes=changes,
            more=len(rows) == limit,
        )

    # --- private ---------------------------------------------------------------------------------

    def _now(self) -> int:
        return int(self._clock())

    def _add_org(self, session: Session, name: str) -> Organization:
        name = checks.name(name, of="organization")
        if session.scalar(select(Organization.id).where(Organization.name == name)):
            raise ControlError(f"there is already an organization named {name!r}")
        now = self._now()
        org = Organization(id=new_id("org"), name=name, created_at=now, updated_at=now)
        session.add(org)
        return org

    def _add_key(
        self,
        session: Session,
        org: str,
        *,
        name: str,
        profile: str,
        prefix: str,
        expires_at: int | None = None,
        models: Sequence[str] | None = None,
        app: str | None = None,
    ) -> tuple[ApiKey, str]:
        owner = find_org(session, org)
        text = make_key(prefix)
        now = self._now()
        row = ApiKey(
            id=new_id("key"),
            org_id=owner.id,
            app_id=None if app is None else find_app(session, app, owner).id,
            profile=checks.name(profile, of="profile"),
            name=checks.name(name, of="key"),
            prefix=prefix,
            last4=text[-4:],
            mac=key_mac(self._pepper, text),
            models=checks.models(models),
            created_at=now,
            updated_at=now,
            expires_at=checks.expiry(expires_at, now),
        )
        self._bind_pepper(session)
        session.add(row)
        session.flush()
        announce(session, ApiKey.id == row.id)
        return row, text

    def _set_suspended(self, org: str, moment: int | None) -> Organization:
        with self._database.write() as session:
            row = find_org(session, org)
            if row.suspended != (moment is not None):
                row.suspended_at, row.updated_at = moment, self._now()
                announce(session, ApiKey.org_id == row.id)
            return row

    def _set_status(self, app: str, org: str | None, status: str) -> App:
        with self._database.write() as session:
            row = find_app(session, app, None if org is None else find_org(session, org))
            if row.status != status:
                row.status, row.updated_at = status, self._now()
                announce(session, ApiKey.app_id == row.id)
            return row

    def _set_disabled(self, key: str, moment: int | None) -> ApiKey:
        with self._database.write() as session:
            row = self._find_live_key(session, key)
            if row.disabled != (moment is not None):
                row.disabled_at, row.updated_at = moment, self._now()
                announce(session, ApiKey.id == row.id)
            return row

    def _find_key(self, session: Session, key: str) -> ApiKey:
        if looks_valid(key):
            mac = key_mac(self._pepper, key)
            row = session.scalar(select(ApiKey).where(ApiKey.mac == mac))
            if row is None or not hmac.compare_digest(row.mac, mac):
                raise ControlError("that key is not one of this data directory")  # not quoted!
            return row
        row = session.get(ApiKey, key)
        if row is None:
            # Not quoted either: it may be a mistyped key.
            raise ControlError("no such key: give the id that `seekroute keys list` shows, key_…")
        return row

    def _find_live_key(self, session: Session, key: str) -> ApiKey:
        row = self._find_key(session, key)
        if row.revoked:
            raise ControlError(f"{row.id} is revoked, and that is final: make a new key")
        return row

    def _pepper_check(self) -> bytes:
        return hmac.new(self._pepper, b"seekroute pepper check", hashlib.sha256).digest()

    def _require_pepper(self, bound: Meta | None) -> None:
        if bound is not None and not hmac.compare_digest(bound.value, self._pepper_check()):
            raise ControlError(
                f"the pepper is not the one that the keys in {self._database.path} were made "
                "with: restore the right `pepper` file, or set SEEKROUTE_PEPPER to its value"
            )

    def _bind_pepper(self, session: Session) -> None:
        """Tie the database to this pepper with its first key; refuse another one later."""
        bound = session.get(Meta, _PEPPER_CHECK)
        self._require_pepper(bound)
        if bound is None:
            session.add(Meta(name=_PEPPER_CHECK, value=self._pepper_check()))
