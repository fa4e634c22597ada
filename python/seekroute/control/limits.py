"""Limits of requests and tokens: what operators have said of keys, apps, organizations, models and
the gateway."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from seekroute.control.errors import ControlError
from seekroute.control.models import api_keys, apps, key_model_limits, limits
from seekroute.control.queries import announce
from seekroute.rate_limits import (
    BOUNDS,
    LIMIT_NAMES,
    NAMES,
    SCOPES,
    SWITCHES,
    Limits,
    bursts_alone,
    names_of,
    scopes_of,
)

if TYPE_CHECKING:
    from seekroute.control.audit import Actor, AuditLog
    from seekroute.control.database import Database

GATEWAY: Final = "gateway"
PAGE: Final = 1000  # changes of limits in memory at once
_NOUNS: Final = {
    "key": "a key",
    "app": "an app",
    "org": "an organization",
    "model": "a model",
    GATEWAY: "the gateway",
}


@dataclass(frozen=True, slots=True)
class LimitChange:
    """What holds of one scope since a change. `limits` is empty where nothing is said any more."""

    seq: int
    scope: str
    id: str
    limits: Limits


class LimitBook:
    """The limits in control.db. Thread-safe; blocks on the disk. Part of a `ControlPlane`.

    A scope is `key`, `app`, `org` or `model`, with an id, or `gateway`, without one; of a key there
    may be more for single models. Every method raises ControlError: a value is not acceptable, the
    key was revoked, or the database failed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from seekroute.control import ControlPlane
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     with ControlPlane(Path(directory)) as control:
        ...         org = control.orgs.create("acme")
        ...         said = control.limits.set("org", org.id, {"requests_per_minute": 60})
        ...         said, control.limits.set("org", org.id, {"requests_per_minute": None})
        ({'requests_per_minute': 60}, {})
    """

    def __init__(self, database: Database, audit: AuditLog, now: Callable[[], int]) -> None:
        self._database = database
        self._audit = audit
        self._now = now

    def get(self, scope: str, id: str = "", *, model: str = "") -> dict[str, int]:
        """What is said of one, and of a key also for one model; empty where nothing is."""
        with self._database.read() as connection:
            return _said(connection, *_place(scope, id, model))

    def for_models(self, key_id: str) -> dict[str, dict[str, int]]:
        """What is said of a key for single models, by their ids."""
        table = key_model_limits
        query = select(table).where(table.c.key_id == key_id).order_by(table.c.model)
        with self._database.read() as connection:
            return {row.model: _values(row._mapping) for row in connection.execute(query)}

    def all(self, scope: str) -> dict[str, dict[str, int]]:
        """What is said of all of a scope, by id."""
        query = select(limits).where(limits.c.scope == scope)
        with self._database.read() as connection:
            found = {row.id: _values(row._mapping) for row in connection.execute(query)}
        return {id: said for id, said in found.items() if said}

    def set(
        self,
        scope: str,
        id: str,
        values: Mapping[str, int | None],
        *,
        model: str = "",
        by: Actor | None = None,
    ) -> dict[str, int]:
        """Say something of one: None takes a limit back, what is not named stays.

        Args:
            model: of a key, the id of the one model that it is said for.
            by: who says it.

        Returns:
            All that is said of it then.
        """
        _check(scope, id, values)
        if model and scope != "key":
            raise ControlError("limits for one model are of a key")
        if model and (other := sorted(set(values) - set(LIMIT_NAMES))):
            raise ControlError(f"{other[0]} is for all models of a key: set it without a model")
        table, place = _place(scope, id, model)
        with self._database.write() as connection:
            before = _said(connection, table, place)
            merged = {**before, **values}
            after = {name: value for name, value in merged.items() if value is not None}
            if alone := bursts_alone(after):
                raise ControlError(alone)
            if after == before:
                return after
            if scope == "key":
                _check_live(connection, id)
            # Rows with a number stay, or a server could not see that nothing is said any more.
            row: dict[str, Any] = {
                name: after.get(name) for name in (LIMIT_NAMES if model else NAMES)
            }
            row["updated_at"] = self._now()
            if not model:
                row["seq"] = last_limit_change(connection) + 1
            which = [table.c[name] == value for name, value in place.items()]
            if model and not after:
                connection.execute(delete(table).where(*which))
            elif connection.execute(update(table).where(*which).values(row)).rowcount == 0:
                connection.execute(insert(table).values(row | place))
            if scope == "key":
                announce(connection, api_keys.c.id == id)
            self._audit.note(
                connection,
                by,
                "limits.set",
                id or scope,
                org=_org_of(connection, scope, id),
                before=before,
                after={**after, "model": model} if model else after,
            )
            return after

    def changed_after(self, seq: int) -> list[LimitChange]:
        """What was said after `seq`, in order, but for keys, whose limits come with them.

        At most `PAGE`: where there are as many, ask again after the last one.
        """
        # By scope and number, which has an index: the rows of a million keys are not read.
        shared = [scope for scope in SCOPES if scope != "key"]
        query = (
            select(limits)
            .where(limits.c.scope.in_(shared), limits.c.seq > seq)
            .order_by(limits.c.seq)
            .limit(PAGE)
        )
        with self._database.read() as connection:
            return [
                LimitChange(row.seq, row.scope, row.id, _values(row._mapping))
                for row in connection.execute(query)
            ]


def _org_of(connection: Connection, scope: str, id: str) -> str | None:
    """Whose the limits of a key, an app or an organization are; of others nobody's alone."""
    table = {"key": api_keys, "app": apps}.get(scope)
    if table is not None:
        return connection.scalar(select(table.c.org_id).where(table.c.id == id))
    return id if scope == "org" else None


def last_limit_change(connection: Connection) -> int:
    """The number of the last change."""
    return connection.scalar(select(func.max(limits.c.seq))) or 0


def _place(scope: str, id: str, model: str) -> tuple[Table, dict[str, str]]:
    """Where something is said of one: the table and the key of its row."""
    if model:
        return key_model_limits, {"key_id": id, "model": model}
    return limits, {"scope": scope, "id": id}


def _said(connection: Connection, table: Table, place: Mapping[str, str]) -> dict[str, int]:
    query = select(table).where(*(table.c[name] == value for name, value in place.items()))
    row = connection.execute(query).one_or_none()
    return {} if row is None else _values(row._mapping)


def _values(row: Mapping[Any, Any]) -> dict[str, int]:
    said = {name: row[name] for name in NAMES if row.get(name) is not None}
    return {name: bool(value) if name in SWITCHES else value for name, value in said.items()}


def _check(scope: str, id: str, values: Mapping[str, int | None]) -> None:
    if scope not in SCOPES or (id == "") != (scope == GATEWAY):
        raise ControlError(f"nothing is limited by {scope!r} {id!r}")
    for name, value in values.items():
        if name not in BOUNDS:
            raise ControlError(f"there is no limit {name!r}")
        if name not in names_of(scope):
            who = " or ".join(_NOUNS[each] for each in scopes_of(name))
            raise ControlError(f"{name} is set for {who}, not for {_NOUNS[scope]}")
        least, most = BOUNDS[name]
        if value is not None and not least <= value <= most:
            raise ControlError(f"expected {least} to {most} as {name}, found {value}")


def _check_live(connection: Connection, key_id: str) -> None:
    live = select(api_keys.c.id).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    if connection.scalar(live) is None:
        raise ControlError(f"the key {key_id} was revoked, or never was: it needs no limits")
