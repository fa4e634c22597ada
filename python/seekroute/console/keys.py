"""An organization's API keys, for its pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field

from seekroute.api.call import RefusedError, unreadable
from seekroute.api.keys import key_use
from seekroute.console import shapes
from seekroute.console.call import Answer, Body, Call, take
from seekroute.console.desk import Desk
from seekroute.console.fields import Moment, Money, Name, page_of, text_of
from seekroute.control import ControlError
from seekroute.control.errors import StaleError
from seekroute.control.models import ApiKey
from seekroute.control.people.roles import Grant
from seekroute.ledger import Ledger, LedgerError

Strategy = Literal["balanced", "cost", "latency", "quality"]
Reset = Literal["never", "daily", "weekly", "monthly"]

MANAGEMENT_PREFIX: Final = "mgmt-"
_DAY_S: Final = 24 * 3600
_LIVE: Final = ("active", "disabled")
# A management key ends by itself, unless something else was said.
_MANAGEMENT_S: Final = 90 * _DAY_S


class NewKey(Body):
    """A key to be made."""

    name: Name
    limit: Money = None
    limit_reset: Reset = "never"
    expires_at: Moment = None
    expires_in: int | None = Field(None, ge=60, le=3650 * _DAY_S)
    models: list[str] | None = None
    app: str | None = None
    store_answers: bool = False
    auto_strategy: Strategy | None = None


class KeyEdit(Body):
    """What changes of a key."""

    name: Name | None = None
    limit: Money = None
    limit_reset: Reset | None = None
    expires_at: Moment = None
    models: list[str] | None = None
    store_answers: bool | None = None
    auto_strategy: Strategy | None = None
    disabled: bool | None = None


class _NewManagementKey(Body):
    name: Name
    expires_at: Moment = None


def listed(call: Call, desk: Desk) -> Answer:
    """GET keys."""
    page = page_of(call.query)
    state = text_of(call.query, "state", "active", "disabled", "revoked", "all")
    states = {"": _LIVE, "all": (*_LIVE, "revoked")}.get(state, (state,))
    member = text_of(call.query, "member")
    rows = desk.control.keys.page(
        call.org,
        q=call.query.get("q", ""),
        created_by=call.only_by or member or None,
        before=_before(page.cursor),
        limit=page.limit + 1,
        states=states,
    )
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    people = creators(desk, rows)
    found = [{**shapes.key(row, creator=people.get(row.created_by)), **use_of(call, desk, row)}
             for row in rows]  # fmt: skip
    cursor = f"{rows[-1].created_at}.{rows[-1].id}" if more else None
    return Answer({"data": found, "next": cursor})


def one(call: Call, desk: Desk) -> Answer:
    """GET keys/{id}."""
    row = found(call, desk)
    people = creators(desk, [row])
    told = {**shapes.key(row, creator=people.get(row.created_by)), **use_of(call, desk, row)}
    return Answer({"data": told})


def create(call: Call, desk: Desk) -> Answer:
    """POST keys: the key itself is in this answer, and nowhere ever again."""
    row, text = make(call, desk, take(call, NewKey))
    return Answer({"data": shapes.key(row, creator=call.caller.user), "key": text}, status=201)


def edit(call: Call, desk: Desk) -> Answer:
    """PATCH keys/{id}: what is given changes, within a second. `If-Match` is the row's version."""
    row = change(call, desk, found(call, desk), take(call, KeyEdit))
    return Answer({"data": shapes.key(row)})


def revoke(call: Call, desk: Desk) -> Answer:
    """DELETE keys/{id}: it is like one that never was from now on."""
    desk.control.keys.revoke(found(call, desk).id, by=call.caller.actor)
    return Answer(status=204)


def roll(call: Call, desk: Desk) -> Answer:
    """POST keys/{id}/roll: another text, and the old one ends; id, name and rights stay."""
    try:
        row, text = desk.control.keys.roll(found(call, desk).id, by=call.caller.actor)
    except ControlError as error:
        raise RefusedError("conflict", str(error)) from error
    return Answer({"data": shapes.key(row), "key": text})


# --- management keys ------------------------------------------------------------------------------


def management_keys(call: Call, desk: Desk) -> Answer:
    """GET management-keys."""
    rows = desk.control.keys.page(call.org, kind="management", limit=100)
    people = creators(desk, rows)
    return Answer({"data": [shapes.key(row, creator=people.get(row.created_by)) for row in rows]})


def create_management_key(call: Call, desk: Desk) -> Answer:
    """POST management-keys: a key that changes keys, and asks no model."""
    body = take(call, _NewManagementKey)
    ends = body.expires_at if "expires_at" in body.given() else int(call.now) + _MANAGEMENT_S
    new = NewKey.model_construct(
        name=body.name, expires_at=ends, _fields_set={"name", "expires_at"}
    )
    row, text = make(call, desk, new, kind="management")
    return Answer({"data": shapes.key(row, creator=call.caller.user), "key": text}, status=201)


def revoke_management_key(call: Call, desk: Desk) -> Answer:
    """DELETE management-keys/{id}."""
    desk.control.keys.revoke(found(call, desk, kind="management").id, by=call.caller.actor)
    return Answer(status=204)


# --- shared with the management API ---------------------------------------------------------------


def found(call: Call, desk: Desk, *, kind: str = "inference") -> ApiKey:
    """The key that the path names, if the caller may see it. Raises RefusedError."""
    row = desk.control.keys.in_org(call.org, call.params["id"])
    own = call.only_by
    if row is None or row.kind != kind or (own is not None and row.created_by != own):
        raise RefusedError("not_found", "there is no such key")
    return row


def make(
    call: Call, desk: Desk, body: NewKey, *, kind: str = "inference", created_by: str = ""
) -> tuple[ApiKey, str]:
    """Makes a key in the caller's organization. Raises RefusedError."""
    given = body.given()
    if given.get("expires_at") is not None and body.expires_in is not None:
        raise RefusedError("invalid_value", "expires_in: give it or expires_at", "expires_in")
    ends = body.expires_at if body.expires_in is None else int(call.now) + body.expires_in
    limit: int | None = body.limit
    reset: str = body.limit_reset
    if kind == "inference":
        limit, reset = _within_member_limit(call, desk, limit, reset)
    profile = desk.plan.profiles[0]
    try:
        return desk.control.keys.create(
            call.org,
            name=body.name,
            profile=profile.name,
            prefix=profile.key_prefix + (MANAGEMENT_PREFIX if kind == "management" else ""),
            expires_at=ends,
            models=body.models,
            app=body.app,
            limit_nano=limit,
            limit_reset=reset,
            store_answers=body.store_answers,
            auto_strategy=body.auto_strategy,
            kind=kind,
            created_by=created_by or (call.caller.user.id if call.caller.user else None),
            by=call.caller.actor,
        )
    except ControlError as error:
        raise RefusedError("invalid_value", str(error)) from error


def change(call: Call, desk: Desk, row: ApiKey, body: KeyEdit) -> ApiKey:
    """Changes a key by what is given. Raises RefusedError."""
    values = body.given()
    renamed = {"limit": "limit_nano"}
    changed = {renamed.get(name, name): value for name, value in values.items()}
    for name in ("name", "limit_reset", "store_answers", "disabled"):
        if name in changed and changed[name] is None:
            raise RefusedError("invalid_value", f"{name}: expected a value, not null", name)
    if "limit_nano" in changed or "limit_reset" in changed:
        limit, reset = _within_member_limit(
            call,
            desk,
            changed.get("limit_nano", row.limit_nano),
            changed.get("limit_reset", row.limit_reset),
        )
        changed |= {"limit_nano": limit, "limit_reset": reset}
    try:
        return desk.control.keys.edit(
            row.id, by=call.caller.actor, version=_version(call), **changed
        )
    except StaleError as error:
        raise RefusedError("precondition_failed", str(error)) from error
    except ControlError as error:
        raise RefusedError("invalid_value", str(error)) from error


def creators(desk: Desk, rows: list[ApiKey]) -> Mapping[str | None, Any]:
    """The people who made keys, by id."""
    ids = {row.created_by for row in rows if row.created_by is not None}
    return {each.id: each for each in desk.control.users.named(ids)}


def use_of(call: Call, desk: Desk, row: ApiKey) -> dict[str, Any]:
    """What a key has spent, as strings of USD; nothing without a ledger."""
    if desk.ledger is None:
        return {}
    try:
        use = key_use(
            desk.ledger, row.org_id, row.id, row.limit_nano, row.limit_reset, now=call.now
        )
        last = last_used(desk.ledger, row)
    except LedgerError as error:
        raise unreadable(error) from error
    told = {"last_used_at": shapes.moment(last)}
    names = ("limit_remaining", "usage", "usage_daily", "usage_weekly", "usage_monthly")
    return told | {name: shapes.money(use[name]) for name in names}


def last_used(ledger: Ledger, row: ApiKey) -> int | None:
    """When a key was last used, in Unix seconds; None: never, or its rows are pruned."""
    found = ledger.rows(org=row.org_id, key=row.id, limit=1)
    return found[0]["created"] if found else None


def _within_member_limit(
    call: Call, desk: Desk, limit: int | None, reset: str
) -> tuple[int | None, str]:
    """Limit and reset of a member's key: at most what the member may spend in a month."""
    if call.grant is not Grant.OWN:
        return limit, reset
    membership = desk.control.members.get(call.org, call.user.id)
    most = None if membership is None else membership.monthly_limit_nano
    if most is None:
        return limit, reset
    if limit is None:
        return most, "monthly"
    # Of no reset there is one window, ever; of weeks six can touch a month.
    per_month = {"daily": 31, "weekly": 6}.get(reset, 1)
    if limit * per_month <= most:
        return limit, reset
    raise RefusedError(
        "permission_denied",
        f"limit: at most {shapes.money(most)} USD a month, which is set for you here",
        "limit",
    )


def _version(call: Call) -> int | None:
    text = call.headers.get("if-match", "").strip('" ')
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise RefusedError("invalid_value", "If-Match: expected the row's version")
    return int(text)


def _before(cursor: str) -> tuple[int, str] | None:
    if not cursor:
        return None
    moment, _, id = cursor.partition(".")
    if not (moment.isascii() and moment.isdigit() and len(moment) < 16 and id):
        raise RefusedError("invalid_value", "cursor: expected the `next` of a page", "cursor")
    return int(moment), id
