"""The queries that the control plane's methods share."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, NoReturn, TypeVar, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    Table,
    Text,
    and_,
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
from seekroute.control.people.tables import (
    Invitation,
    Membership,
    User,
    invitations,
    memberships,
    users,
)
from seekroute.rate_limits import LIMIT_NAMES, NAMES, Limits

_Named = TypeVar("_Named", Organization, App)
_Record = TypeVar("_Record", Organization, App, ApiKey, User, Membership, Invitation)
_WithId = TypeVar("_WithId", Organization, App, ApiKey, User, Invitation)

# Names that an unknown one is compared with, and how many are told.
_MOST_COMPARED = 10_000
_MOST_NEAR = 3
_LISTS = {"organization": "orgs list", "app": "apps list"}

_TABLES: dict[type, Table] = {
    Organization: organizations,
    App: apps,
    ApiKey: api_keys,
    User: users,
    Membership: memberships,
    Invitation: invitations,
}

# What an organization has ever ordered of payments; one that waits counts, a refused one does not.
PAYMENTS = (credit_orders.c.kind == "topup") & (credit_orders.c.state != "refused")


class CoreKey(NamedTuple):
    """A key as the core takes it: by place, for a server may start with a million of them. Truths
    are 0 and 1, as in control.db."""

    mac: bytes
    key_id: str
    org_id: str
    profile: str
    disabled: int = 0  # itself, or its organization is suspended
    expires_at: int | None = None
    models: list[str] | None = None
    app_pending: int = 0
    credit_line_nano: int | None = 0
    limit_nano: int | None = None
    limit_reset: str = "never"
    store_answers: int = 0
    auto_strategy: str | None = None
    app_id: str | None = None
    model_limits: dict[str, Limits] | None = None
    has_paid: int = 0
    # Its own limits, in the order of NAMES.
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_day: int | None = None
    tokens_per_day: int | None = None
    concurrent: int | None = None
    burst_requests: int | None = None
    burst_tokens: int | None = None
    queue_ms: int | None = None
    queue_weight: int | None = None
    hedge: int | None = None

    @property
    def limits(self) -> Limits:
        """Its own, those that are said."""
        said = ((name, getattr(self, name)) for name in NAMES)
        return {name: value for name, value in said if value is not None}


assert CoreKey._fields[-len(NAMES) :] == NAMES

# The members of CoreKey, in their order; of the two that are JSON, the text.
CORE_KEY = (
    api_keys.c.mac,
    api_keys.c.id,
    api_keys.c.org_id,
    api_keys.c.profile,
    # A management key asks for nothing but changes, and not the core for those.
    type_coerce(
        or_(
            api_keys.c.disabled_at.is_not(None),
            organizations.c.suspended_at.is_not(None),
            api_keys.c.kind == "management",
        ),
        Integer,
    ).label("disabled"),
    api_keys.c.expires_at,
    type_coerce(api_keys.c.models, Text).label("models"),
    type_coerce(and_(apps.c.status.is_not(None), apps.c.status != "approved"), Integer).label(
        "app_pending"
    ),
    organizations.c.credit_line_nano,
    api_keys.c.limit_nano,
    api_keys.c.limit_reset,
    type_coerce(api_keys.c.store_answers, Integer).label("store_answers"),
    api_keys.c.auto_strategy,
    api_keys.c.app_id,
    # Each as an array: the model and, by LIMIT_NAMES, its figures. NULL: none.
    select(
        func.nullif(
            func.json_group_array(
                func.json_array(
                    key_model_limits.c.model, *(key_model_limits.c[name] for name in LIMIT_NAMES)
                )
            ),
            "[]",
        )
    )
    .where(key_model_limits.c.key_id == api_keys.c.id)
    .scalar_subquery()
    .label("model_limits"),
    type_coerce(
        exists().where(credit_orders.c.org_id == organizations.c.id, PAYMENTS), Integer
    ).label("has_paid"),
    *(limits.c[name] for name in NAMES),
)


def rows(
    connection: Connection,
    kind: type[_Record],
    *where: ColumnElement[bool],
    order: tuple[ColumnElement[Any], ...] = (),
    limit: int | None = None,
) -> list[_Record]:
    """The rows that meet all conditions; of those, in `order`, the first `limit`."""
    query = select(_TABLES[kind]).where(*where).order_by(*order).limit(limit)
    return [kind(**row._mapping) for row in connection.execute(query)]


def add(connection: Connection, row: _Record) -> _Record:
    """Store a new row. Returns it."""
    # Not asdict(), which copies what is in the values too.
    values = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    connection.execute(insert(_TABLES[type(row)]).values(values))
    return row


def change(connection: Connection, row: _WithId, **values: Any) -> _WithId:
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
        refuse_unknown(connection, organizations, ref, "organization")
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
        refuse_unknown(connection, apps, ref, "app", *where[1:])
    return _one(found, ref, "an app")


def refuse_unknown(
    connection: Connection, table: Table, ref: str, noun: str, *which: ColumnElement[bool]
) -> NoReturn:
    """Raises ControlError: nothing in `table` has this id or name; the nearest names, or where
    all are listed."""
    shown = "of that name" if looks_valid(ref) else repr(ref)  # a misplaced key stays unsaid
    names = connection.scalars(select(table.c.name).where(*which).limit(_MOST_COMPARED)).all()
    near = [] if looks_valid(ref) else get_close_matches(ref, names, n=_MOST_NEAR)
    hint = f"did you mean {', '.join(near)}?" if near else f"seekroute {_LISTS[noun]} shows all"
    raise ControlError(f"there is no {noun} {shown}: {hint}")


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
    """Of a row of `CORE_KEY`."""
    key = CoreKey._make(row)
    if key.models is None and key.model_limits is None:
        return key
    models, model_limits = cast("Any", (key.models, key.model_limits))  # JSON still
    return key._replace(
        models=None if models is None else json.loads(models),
        model_limits=None if model_limits is None else _by_model(model_limits),
    )


def _by_model(text: str) -> dict[str, Limits]:
    found: dict[str, Limits] = {}
    for model, *values in json.loads(text):
        said = zip(LIMIT_NAMES, values, strict=True)
        found[model] = {name: value for name, value in said if value is not None}
    return found
