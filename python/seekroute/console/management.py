"""The management API: an organization's keys for programs, in OpenRouter's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import urlencode

from seekroute.api import account
from seekroute.api.account import Usd
from seekroute.api.call import ApiCall, Handler, RefusedError, Sources, Viewer, unreadable
from seekroute.api.keys import key_use
from seekroute.console import keys, shapes
from seekroute.console.call import Answer, Body, Call, take
from seekroute.console.desk import Desk
from seekroute.console.fields import Moment, Name
from seekroute.control.models import ApiKey
from seekroute.ledger import LedgerError
from seekroute.money import nano

_PAGE: Final = 100
_MOST_OFFSET: Final = 10_000_000


class _New(Body):
    """OpenRouter's fields; a limit is a JSON number of USD there, or a string here."""

    name: Name
    limit: Any = None
    limit_reset: Literal["daily", "weekly", "monthly"] | None = None
    expires_at: Moment = None
    include_byok_in_limit: bool = False
    creator_user_id: str | None = None
    workspace_id: str | None = None
    models: list[str] | None = None
    app: str | None = None
    store_answers: bool = False
    auto_strategy: keys.Strategy | None = None


class _Edit(Body):
    name: Name | None = None
    disabled: bool | None = None
    limit: Any = None
    limit_reset: Literal["daily", "weekly", "monthly"] | None = None
    expires_at: Moment = None
    include_byok_in_limit: bool | None = None
    models: list[str] | None = None
    store_answers: bool | None = None
    auto_strategy: keys.Strategy | None = None


def listed(call: Call, desk: Desk) -> Answer:
    """GET /keys: 100 at a time, the newest first; those that work, unless more are asked for."""
    offset = _number(call, "offset", 0, _MOST_OFFSET)
    limit = _number(call, "limit", 1, _PAGE, default=_PAGE)
    workspace = call.query.get("workspace_id", call.org)
    if workspace != call.org:
        raise RefusedError(
            "invalid_value", "workspace_id: expected the organization of the key", "workspace_id"
        )
    disabled = _truth(call, "include_disabled")
    rows = desk.control.keys.page(
        call.org,
        q=call.query.get("q", ""),
        states=("active", "disabled") if disabled else ("active",),
        live_at=None if _truth(call, "include_expired") else int(call.now),
        offset=offset,
        limit=limit,
    )
    return Answer({"data": [_told(call, desk, row) for row in rows]})


def create(call: Call, desk: Desk) -> Answer:
    """POST /keys: the key itself is in this answer, and nowhere ever again."""
    body = take(call, _New)
    if body.workspace_id not in (None, call.org):
        raise RefusedError(
            "invalid_value", "workspace_id: expected the organization of the key", "workspace_id"
        )
    creator = ""
    if body.creator_user_id is not None:
        if desk.control.members.role(call.org, body.creator_user_id) is None:
            raise RefusedError(
                "invalid_value", "creator_user_id: no such member", "creator_user_id"
            )
        creator = body.creator_user_id
    new = keys.NewKey.model_construct(
        _fields_set={"expires_at"},
        name=body.name,
        limit=_limit(body.limit),
        limit_reset=body.limit_reset or "never",
        expires_at=body.expires_at,
        models=body.models,
        app=body.app,
        store_answers=body.store_answers,
        auto_strategy=body.auto_strategy,
    )
    row, text = keys.make(call, desk, new, created_by=creator)
    return Answer({"data": _told(call, desk, row), "key": text}, status=201)


def one(call: Call, desk: Desk) -> Answer:
    """GET /keys/{hash}."""
    return Answer({"data": _told(call, desk, keys.found(call, desk))})


def edit(call: Call, desk: Desk) -> Answer:
    """PATCH /keys/{hash}: what is given changes."""
    body = take(call, _Edit)
    given = {name: value for name, value in body.given().items() if name != "include_byok_in_limit"}
    if "limit" in given:
        given["limit"] = _limit(body.limit)
    if "limit_reset" in given:
        given["limit_reset"] = body.limit_reset or "never"
    change = keys.KeyEdit.model_construct(_fields_set=set(given), **given)
    row = keys.change(call, desk, keys.found(call, desk), change)
    return Answer({"data": _told(call, desk, row)})


def delete(call: Call, desk: Desk) -> Answer:
    """DELETE /keys/{hash}: revokes it."""
    desk.control.keys.revoke(keys.found(call, desk).id, by=call.caller.actor)
    return Answer({"deleted": True})


def roll(call: Call, desk: Desk) -> Answer:
    """POST /keys/{hash}/roll: another text for the same key."""
    row = keys.found(call, desk)
    if row.revoked:
        raise RefusedError("conflict", "the key is revoked, and that is final: make a new one")
    row, text = desk.control.keys.roll(row.id, by=call.caller.actor)
    return Answer({"data": _told(call, desk, row), "key": text})


def members(call: Call, desk: Desk) -> Answer:
    """GET /organization/members."""
    offset = _number(call, "offset", 0, _MOST_OFFSET)
    limit = _number(call, "limit", 1, _PAGE, default=50)
    rows, total = desk.control.members.list(call.org, offset=offset, limit=limit)
    found = []
    for row, person in rows:
        first, _, last = person.name.rpartition(" ")
        found.append(
            {
                "id": person.id,
                "email": person.email,
                "first_name": first or last,
                "last_name": last if first else "",
                "role": "org:admin" if row.role in ("owner", "admin") else "org:member",
                "seekroute_role": row.role,
            }
        )
    return Answer({"data": found, "total_count": total})


# --- what ordinary keys ask of the gateway itself -------------------------------------------------


def credits(call: Call, desk: Desk) -> Answer:
    """GET /credits: of the organization."""
    return _ask(account.credits, call, desk, call.query)


def activity(call: Call, desk: Desk) -> Answer:
    """GET /activity: of the organization, or of one key by OpenRouter's `api_key_hash`."""
    query = dict(call.query)
    if (hash := query.pop("api_key_hash", None)) is not None:
        if "key" in query:
            raise RefusedError("invalid_value", "key: give it or api_key_hash", "key")
        query["key"] = hash
    return _ask(account.activity, call, desk, query)


def generation(call: Call, desk: Desk) -> Answer:
    """GET /generation: one request of the organization, once it has ended."""
    return _ask(account.generation, call, desk, call.query)


def own_key(call: Call, desk: Desk) -> Answer:
    """GET /key: what the management key is."""
    key = call.caller.key
    assert key is not None, "a route for programs"
    told = desk.control.keys.info(key.id)
    told["data"] |= {"is_management_key": True, "is_provisioning_key": True}
    return Answer(told)


def _ask(handler: Handler, call: Call, desk: Desk, query: Mapping[str, str]) -> Answer:
    """Has a handler of the gateway's API answer for the organization."""
    asked = ApiCall(Viewer(call.org), query=urlencode(query), now=call.now)
    try:
        return Answer(handler(asked, Sources(desk.plan.model_list, desk.ledger)).body)
    except LedgerError as error:
        raise unreadable(error) from error


def _told(call: Call, desk: Desk, row: ApiKey) -> dict[str, Any]:
    """A key in OpenRouter's shape, with members of our own behind."""
    zero = Usd(0)
    use: dict[str, Any] = dict.fromkeys(
        ("usage", "usage_daily", "usage_weekly", "usage_monthly"), zero
    )
    limit = None if row.limit_nano is None else Usd(row.limit_nano)
    use |= {"limit": limit, "limit_remaining": limit, "limit_reset": None}
    last = None
    if desk.ledger is not None:
        try:
            use = key_use(
                desk.ledger, row.org_id, row.id, row.limit_nano, row.limit_reset, now=call.now
            )
            last = keys.last_used(desk.ledger, row)
        except LedgerError as error:
            raise unreadable(error) from error
    return {
        "hash": row.id,
        "name": row.name,
        "label": row.label,
        "disabled": row.disabled or row.revoked,
        **use,
        "include_byok_in_limit": False,
        **dict.fromkeys(
            ("byok_usage", "byok_usage_daily", "byok_usage_weekly", "byok_usage_monthly"), zero
        ),
        "created_at": shapes.moment(row.created_at),
        "updated_at": shapes.moment(row.updated_at),
        "expires_at": shapes.moment(row.expires_at),
        "last_used_at": shapes.moment(last),
        "external_user": None,
        "creator_user_id": row.created_by,
        "workspace_id": row.org_id,
        # Ours.
        "models": row.models,
        "app_id": row.app_id,
        "revoked": row.revoked,
        "store_answers": row.store_answers,
        "auto_strategy": row.auto_strategy,
    }


def _limit(value: Any) -> int | None:
    """A limit in USD: a JSON number, as OpenRouter's clients send it, or an exact string."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise RefusedError("invalid_type", "limit: expected USD, or null", "limit")
    try:
        # What a float prints is what was meant.
        return nano(value if isinstance(value, str) else repr(value))
    except ValueError as error:
        raise RefusedError("invalid_value", f"limit: {error}", "limit") from error


def _truth(call: Call, name: str) -> bool:
    text = call.query.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise RefusedError("invalid_value", f"{name}: expected true or false", name)
    return text in ("true", "1")


def _number(call: Call, name: str, least: int, most: int, *, default: int | None = None) -> int:
    text = call.query.get(name)
    if text is None:
        return least if default is None else default
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise RefusedError("invalid_value", f"{name}: expected {least} to {most}", name)
    return int(text)
