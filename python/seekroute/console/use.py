"""What an organization has used, for its pages: money at a glance, days, requests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlencode

from seekroute.api import account
from seekroute.api.call import ApiCall, RefusedError, Sources, Viewer, unreadable
from seekroute.console import shapes
from seekroute.console.call import Answer, Call
from seekroute.console.desk import Desk
from seekroute.console.fields import page_of, text_of
from seekroute.control.people.roles import Grant, Right, grant_of
from seekroute.ledger import LedgerError, Row

_DAYS: Final = 30
_TOP: Final = 5
# A filter that finds little looks at so many rows, or so long, and says how far it came.
_MOST_SCANNED: Final = 50_000
_SCAN_S: Final = 0.15
_SCAN_STEP: Final = 1000
_LOOKED_FOR_FAILURES: Final = 1000
# Requests, cost and failures, of each day, model and key: `("model", id)`.
_Sums = dict[tuple[str, Any], list[int]]
# Names that the gateway's API gives to amounts of USD.
_MONEY: Final = frozenset(
    ("total_cost", "usage", "held", "refunded", "upstream_inference_cost", "cost")
)


def overview(call: Call, desk: Desk) -> Answer:
    """GET overview: balance, today, thirty days by model and by key, the newest failures."""
    # Everybody of the organization sees its balance; of its use each as far as its role goes.
    seen = grant_of(Right.SEE_USE, call.role or call.user.instance_role)
    call = replace(call, grant=seen)
    org = desk.control.orgs.get(call.org)
    money = desk.account(call.org)
    if desk.ledger is None:
        return Answer({"org": shapes.organization(org), "ledger": False})
    today = datetime.fromtimestamp(call.now, UTC).date()
    first = today - timedelta(days=_DAYS - 1)
    only = _only_key(call, desk)
    sums: _Sums = {}
    days = [first + timedelta(days=each) for each in range(_DAYS)]
    try:
        for day in days:
            for row in desk.ledger.day_rows(call.org, account.day_of(day), by_key=True):
                if only is not None and row["key"] not in only:
                    continue
                for place in (("day", day), ("model", row["model"]), ("key", row["key"])):
                    found = sums.setdefault(place, [0, 0, 0])
                    for n, name in enumerate(("requests", "cost", "failed")):
                        found[n] += row[name]
    except LedgerError as error:
        raise unreadable(error) from error
    told_days = []
    for day in days:
        requests, cost, failed = sums.get(("day", day), (0, 0, 0))
        told_days.append(
            {
                "date": day.isoformat(),
                "requests": requests,
                "cost": shapes.money(cost),
                "failed": failed,
            }
        )
    return Answer(
        {
            "org": shapes.organization(org),
            "ledger": True,
            "balance": {
                "available": shapes.money(money["available"]),
                "held": shapes.money(money["held"]),
                "owed": shapes.money(money["owed"]),
                "credit_line": shapes.money(org.credit_line_nano),
            },
            "days": told_days,
            "models": _top(desk, sums, "model"),
            "keys": _top(desk, sums, "key"),
            "failures": _newest_failures(call, desk, only),
        }
    )


def models(call: Call, desk: Desk) -> Answer:
    """GET models: as `GET /v1/models`, for whoever is signed in."""
    profile = desk.plan.profiles[0]
    body = desk.plan.model_list.payload(style=profile.model_ids, base=profile.base_path)
    return Answer({"data": json.loads(body)["data"]})


def activity(call: Call, desk: Desk) -> Answer:
    """GET activity: as `GET /v1/activity`, with the names of keys."""
    only = _only_key(call, desk)
    query = {name: value for name, value in call.query.items() if value}
    if only is not None:
        query["group_by"] = "key"
    answer = _ask(account.activity, call, desk, query)
    rows = answer["data"]
    if only is not None:
        rows = [row for row in rows if row["key_id"] in only]
    names = _key_names(desk, {row["key_id"] for row in rows if "key_id" in row})
    for row in rows:
        if "key_id" in row:
            row["key_name"] = names.get(row["key_id"], row["key_id"])
    return Answer({"data": rows, "has_more": answer["has_more"]})


def generations(call: Call, desk: Desk) -> Answer:
    """GET generations: requests, newest first; of a `key`, a `model`, or by `status`."""
    page = page_of(call.query)
    key = call.query.get("key", "")
    only = _only_key(call, desk)
    if only is not None and key not in only:
        # A member's own rows are those of one of its keys at a time.
        if key or len(only) != 1:
            raise RefusedError("invalid_value", "key: expected one of your own keys", "key")
        (key,) = only
    model = call.query.get("model", "")
    status = text_of(call.query, "status", "ok", "failed")

    def matches(row: Row) -> bool:
        return (not model or model in (row["model"], row["requested_model"])) and (
            not status or is_failed(row) == (status == "failed")
        )

    before = page.number
    if not (model or status):
        rows = _rows(desk, call.org, key=key, before=before, limit=page.limit)
        next = rows[-1]["n"] if len(rows) == page.limit else None
        scanned_to = None
    else:
        rows, next, scanned_to = search(
            desk, call.org, matches, key=key, before=before, limit=page.limit
        )
    return Answer(
        {
            "data": _lines(desk, rows),
            "next": None if next is None else str(next),
            "scanned_to": None if scanned_to is None else account.stamp(scanned_to),
        }
    )


def generation(call: Call, desk: Desk) -> Answer:
    """GET generations/{id}: all that `GET /v1/generation` tells of one request."""
    told = _ask(account.generation, call, desk, {"id": call.params["id"]})["data"]
    only = _only_key(call, desk)
    if only is not None and told["key_id"] not in only:
        raise RefusedError("not_found", "there is no such request")
    names = _key_names(desk, {told["key_id"]})
    return Answer({"data": {**told, "key_name": names.get(told["key_id"])}})


# --- shared ---------------------------------------------------------------------------------------


def _ask(handler: Any, call: Call, desk: Desk, query: dict[str, str]) -> dict[str, Any]:
    """What a handler of the gateway's API answers, with amounts as strings."""
    asked = ApiCall(Viewer(call.org), query=urlencode(query), now=call.now)
    try:
        answer = handler(asked, Sources(desk.plan.model_list, desk.ledger))
    except LedgerError as error:
        raise unreadable(error) from error
    found: dict[str, Any] = _with_strings(json.loads(answer.body, parse_float=Decimal))
    return found


def _with_strings(value: Any, name: str = "") -> Any:
    """Amounts of money as strings, exact; other numbers as they are."""
    if isinstance(value, dict):
        return {each: _with_strings(inner, each) for each, inner in value.items()}
    if isinstance(value, list):
        return [_with_strings(each) for each in value]
    if name in _MONEY and isinstance(value, int | Decimal):
        return str(value)
    return float(value) if isinstance(value, Decimal) else value


def _only_key(call: Call, desk: Desk) -> frozenset[str] | None:
    """The ids of the keys whose use the caller may see; None: all of the organization's."""
    own = call.only_by
    if own is None:
        return None
    rows = desk.control.keys.page(
        call.org, created_by=own, states=("active", "disabled", "revoked"), limit=1000
    )
    return frozenset(row.id for row in rows)


def _key_names(desk: Desk, ids: set[str]) -> dict[str, str]:
    return {row.id: row.name for row in desk.control.keys.named(ids)}


def _top(desk: Desk, sums: _Sums, kind: str) -> list[dict[str, Any]]:
    """The models or keys that cost most, then those that were asked most."""
    of_kind = ((name, found) for (each, name), found in sums.items() if each == kind)
    top = sorted(of_kind, key=lambda each: (-each[1][1], -each[1][0], each[0]))[:_TOP]
    names = _key_names(desk, {id for id, _ in top}) if kind == "key" else {}
    return [
        {"id": id, "name": names.get(id, id), "requests": n, "cost": shapes.money(cost)}
        for id, (n, cost, _) in top
    ]


def is_failed(row: Row) -> bool:
    """Whether a request was answered with an error, or its stream ended with one."""
    return row["state"] == "expired" or (row["status"] or 0) >= 400 or bool(row["error"])


def _rows(desk: Desk, org: str, *, key: str, before: int | None, limit: int) -> list[Row]:
    try:
        return desk.books().rows(org=org, key=key, before=before, limit=limit)
    except LedgerError as error:
        raise unreadable(error) from error


def search(
    desk: Desk,
    org: str,
    matches: Callable[[Row], bool],
    *,
    key: str,
    before: int | None,
    limit: int,
    most: int = _MOST_SCANNED,
) -> tuple[list[Row], int | None, int | None]:
    """Looks for rows, newest first, for a bounded time and among a bounded number.

    Returns:
        Rows that match; the `n` from where to go on, None at the end; the moment of the last row
        that was looked at, where the search ended before it had enough.
    """
    found: list[Row] = []
    began, scanned = time.monotonic(), 0
    rows: list[Row] = []
    while scanned < most and time.monotonic() - began < _SCAN_S:
        rows = _rows(desk, org, key=key, before=before, limit=_SCAN_STEP)
        for row in rows:
            before = row["n"]
            if matches(row):
                found.append(row)
                if len(found) == limit:
                    return found, before, None
        if len(rows) < _SCAN_STEP:
            return found, None, None
        scanned += len(rows)
    return found, before, rows[-1]["created"]


def _newest_failures(call: Call, desk: Desk, only: frozenset[str] | None) -> list[dict[str, Any]]:
    """A few of the failures among the newest requests; none for whoever sees sums alone."""
    if call.grant is Grant.SUMS:
        return []
    rows = _rows(desk, call.org, key="", before=None, limit=_LOOKED_FOR_FAILURES)
    failed = [row for row in rows if is_failed(row) and (only is None or row["key"] in only)]
    return _lines(desk, failed[:_TOP])


def _lines(desk: Desk, rows: list[Row]) -> list[dict[str, Any]]:
    names = _key_names(desk, {row["key"] for row in rows})
    providers = desk.plan.model_list.provider_names
    return [_line(row, names, providers) for row in rows]


def _line(row: Row, names: dict[str, str], providers: Any) -> dict[str, Any]:
    known = row["state"] not in ("expired", "held")
    return {
        "id": row["generation"],
        "request_id": row["request_id"],
        "created_at": account.stamp(row["created"]),
        "state": row["state"],
        "model": row["model"],
        "requested_model": row["requested_model"],
        "provider": providers.get(row["provider"], row["provider"]) or None,
        "key_id": row["key"] or None,
        "key_name": names.get(row["key"]),
        "status": row["status"] if known else None,
        "error": row["error"] or None,
        "settlement": row["settlement"],
        "prompt_tokens": row["prompt_tokens"] if known else None,
        "completion_tokens": row["completion_tokens"] if known else None,
        "cost": shapes.money(row["cost"]),
        "first_ms": (row["first_content_us"] or 0) / 1000 or None,
        "total_ms": (row["total_us"] or 0) / 1000 if known else None,
        "streamed": bool(row["streamed"]),
    }
