"""The queries that the control plane's methods share."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Table,
    Text,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    type_coerce,
    update,
)

from seekroute.control.errors import ControlError
from seekroute.control.key_text import looks_valid
from seekroute.control.models import (
    LEAST_OF_ID,
    ApiKey,
    App,
    Organization,
    api_keys,
    apps,
    credit_orders,
    is_short_id,
    is_too_short_id,
    key_changes,
    key_model_limits,
    limits,
    organizations,
    without_mark,
)
from seekroute.rate_limits import LIMIT_NAMES, NAMES

CoreKey = dict[str, Any]
_Named = TypeVar("_Named", Organization, App)
_Record = TypeVar("_Record", Organization, App, ApiKey)

_TABLES: dict[type, Table] = {Organization: organizations, App: apps, ApiKey: api_keys}

# What an organization has ever ordered of payments; one that waits counts, a refused one does not.
PAYMENTS = (credit_orders.c.kind == "topup") & (credit_orders.c.state != "refused")
# What decides a key's rights: of its own row, of the organization's and the app's, and its limits.
CORE_KEY = (
    api_keys.c.id,
    api_keys.c.org_id,
    api_keys.c.profile,
    api_keys.c.disabled_at,
    api_keys.c.expires_at,
    type_coerce(api_keys.c.models, Text).label("models"),  # as it is stored: JSON
    api_keys.c.limit_nano,
    api_keys.c.limit_reset,
    type_coerce(api_keys.c.store_answers, Integer).label("store_answers"),
    api_keys.c.app_id,
    organizations.c.suspended_at,
    organizations.c.credit_line_nano,
    exists().where(credit_orders.c.org_id == organizations.c.id, PAYMENTS).label("has_paid"),
    apps.c.status,
    limits.c.seq.label("limits_said"),  # NULL: nothing is
    # Of those for one model, each as an array: the model and, by LIMIT_NAMES, its figures.
    select(
        func.json_group_array(
            func.json_array(
                key_model_limits.c.model, *(key_model_limits.c[name] for name in LIMIT_NAMES)
            )
        )
    )
    .where(key_model_limits.c.key_id == api_keys.c.id)
    .scalar_subquery()
    .label("model_limits"),
    *(limits.c[name] for name in NAMES),
)


def rows(
    connection: Connection,
    kind: type[_Record],
    *where: ColumnElement[bool],
    order: tuple[ColumnElement[Any], ...] = (),
) -> list[_Record]:
    """The rows that meet all conditions."""
    query = select(_TABLES[kind]).where(*where).order_by(*order)
    return [kind(**row._mapping) for row in connection.execute(query)]


def add(connection: Connection, row: _Record) -> _Record:
    """Store a new row. Returns it."""
    # Not asdict(), which copies what is in the values too.
    values = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    connection.execute(insert(_TABLES[type(row)]).values(values))
    return row


def change(connection: Connection, row: _Record, **values: Any) -> _Record:
    """Store other values in a row. Returns the row as it is then."""
    table = _TABLES[type(row)]
    connection.execute(update(table).where(table.c.id == row.id).values(values))
    return dataclasses.replace(row, **values)


def announce(connection: Connection, which: ColumnElement[bool]) -> None:
    """Put the keys that `which` selects at the end of the change feed."""
    macs = select(api_keys.c.mac).where(which)
    connection.execute(delete(key_changes).where(key_changes.c.mac.in_(macs)))
    connection.execute(insert(key_changes).from_select(["mac"], macs))


def find_org(connection: Connection, ref: str) -> Organization:
    """The organization with this id, or else this name."""
    table = organizations
    ref = without_mark(ref)
    found = rows(connection, Organization, or_(table.c.id == ref, table.c.name == ref))
    if not found and is_short_id(ref):
        found = rows(connection, Organization, table.c.id.startswith(ref, autoescape=True))
    if not found:
        refuse_short_id(connection, organizations, ref)
    return _one(found, ref, "an organization")


def find_app(connection: Connection, ref: str, org: Organization | None) -> App:
    """The app with this id, or else this name; of one organization or of any."""
    ref = without_mark(ref)
    where = [or_(apps.c.id == ref, apps.c.name == ref)]
    if org is not None:
        where.append(apps.c.org_id == org.id)
    found = rows(connection, App, *where)
    if not found and is_short_id(ref):
        begins = apps.c.id.startswith(ref, autoescape=True)
        found = rows(connection, App, begins, *where[1:])
    if not found:
        refuse_short_id(connection, apps, ref, *where[1:])
    return _one(found, ref, "an app")


def refuse_short_id(
    connection: Connection, table: Table, ref: str, *which: ColumnElement[bool]
) -> None:
    """Raises ControlError where an id of `table` begins with `ref`, which is too short to tell
    that it is meant."""
    if not is_too_short_id(ref):
        return
    begins = table.c.id.startswith(ref, autoescape=True)
    if connection.execute(select(table.c.id).where(begins, *which).limit(1)).first():
        raise ControlError(
            f"{ref} is too short to tell which is meant: give at least {LEAST_OF_ID} characters "
            "of the id"
        )


def _one(found: list[_Named], ref: str, kind: str) -> _Named:
    for row in found:
        if row.id == ref:
            return row
    if not found:
        shown = "of that name" if looks_valid(ref) else repr(ref)  # a misplaced key stays unsaid
        raise ControlError(f"there is no {kind.partition(' ')[2]} {shown}")
    if len(found) > 1:
        raise ControlError(f"{ref!r} is the name of more than {kind}: give the id instead")
    return found[0]


def joined_with_rights(keys: FromClause) -> FromClause:
    """`keys`, which has the columns of `api_keys`, beside what `CORE_KEY` needs."""
    return (
        keys.outerjoin(organizations, organizations.c.id == api_keys.c.org_id)
        .outerjoin(apps, apps.c.id == api_keys.c.app_id)
        .outerjoin(limits, (limits.c.scope == "key") & (limits.c.id == api_keys.c.id))
    )


def core_key(row: Sequence[Any]) -> CoreKey:
    """A row that begins with `CORE_KEY` as the core takes it. Its limits are shared: not to be
    changed in place."""
    # By place: of a million keys the names of a row take seconds.
    (
        key_id,
        org_id,
        profile,
        disabled_at,
        expires_at,
        models,
        limit_nano,
        limit_reset,
        store_answers,
        app_id,
        suspended_at,
        credit_line_nano,
        has_paid,
        app_status,
        limits_said,
        model_limits,
        *figures,
    ) = row[: len(CORE_KEY)]
    key = {
        "key_id": key_id,
        "org_id": org_id,
        "profile": profile,
        "disabled": disabled_at is not None or suspended_at is not None,
        "expires_at": expires_at,
        "models": None if models is None else json.loads(models),
        "app_pending": app_status not in (None, "approved"),
        "credit_line_nano": credit_line_nano,
        "limit_nano": limit_nano,
        "limit_reset": limit_reset,
        "has_paid": bool(has_paid),
        "store_answers": bool(store_answers),
        "app_id": app_id,
        "limits": {} if limits_said is None else _limits_of(tuple(figures)),
    }
    if model_limits != "[]":
        key["model_limits"] = _by_model(model_limits)
    return key


def _by_model(text: str) -> dict[str, dict[str, int]]:
    found = {}
    for model, *values in json.loads(text):
        said = zip(LIMIT_NAMES, values, strict=True)
        found[model] = {name: value for name, value in said if value is not None}
    return found


@functools.lru_cache(maxsize=1024)
def _limits_of(figures: tuple[int | None, ...]) -> dict[str, int]:
    """Most keys have the limits of others."""
    said = zip(NAMES, figures, strict=True)
    return {name: value for name, value in said if value is not None}
