"""What the owner of a key sees of its money: credits, requests and days.

The shapes are OpenRouter's, with members of our own beside theirs; what we do not have is null.
Money is an exact JSON number of USD, written from integers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from seekroute.api.call import ApiAnswer, ApiCall, RefusedError, Sources, Viewer
from seekroute.money import usd

if TYPE_CHECKING:
    from seekroute.api.models import ModelList
    from seekroute.ledger import Ledger, Row

__all__ = [
    "Usd",
    "activity",
    "credits",
    "encode",
    "find",
    "generation",
    "stamp",
]

_EPOCH: Final = date(1970, 1, 1)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DEFAULT_DAYS: Final = 30
_MOST_DAYS: Final = 366
_MOST_ROWS: Final = 10_000  # of one answer: about 4 MB
_MOST_OFFSET: Final = 10**9
_MOST_PAIRS: Final = 20
_MOST_ID: Final = 200
# Of OpenRouter's parameters those that ask for what there is not here.
_NOT_HERE: Final = {
    "api_key_hash": "give `key`, a key's id",
    "user_id": "keys have no users here; give `key`, a key's id",
    "workspace_id": "there are no workspaces here",
}


class Usd(int):
    """Nano-USD that JSON has as USD: a number without an exponent, exact.

    >>> encode([Usd(1_234_500_000), Usd(-5), Usd(0)])
    b'[1.2345,-0.000000005,0]'
    """

    __slots__ = ()


def encode(value: Any) -> bytes:
    """A document as JSON, in which `Usd` is exact."""
    return _json(value).encode()


def _json(value: Any) -> str:
    if isinstance(value, Usd):
        return usd(value, places=0)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value)


# --- credits --------------------------------------------------------------------------------------


def credits(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /credits: what the viewer's organization has paid in, used and has left."""
    viewer = call.viewer
    account = sources.books().account(viewer.org)
    available, held, owed = account["available"], account["held"], account["owed"]
    usage = account["charged"] - account["refunded"]
    line = viewer.credit_line
    data = {
        # By rule L4 of the ledger (docs/ledger.md): without reading its entries.
        "total_credits": Usd(available + held - owed + usage),
        "total_usage": Usd(usage),
        "available": Usd(available),
        "held": Usd(held),
        "owed": Usd(owed),
        "credit_line": None if line is None else Usd(line),
    }
    return ApiAnswer(encode({"data": data}))


# --- one request ----------------------------------------------------------------------------------


def find(ledger: Ledger, org: str, query: str) -> Row:
    """The request that `id` in a query names, once it has ended. Waits for the disk.

    Raises:
        RefusedError: it is unknown, runs, or belongs to another organization, all alike.
        LedgerError: the ledger cannot be read.
    """
    given = _parsed(query, ("id",))
    id = given.get("id", "")
    if not id:
        raise RefusedError("missing_required_parameter", "id: expected a generation's id", "id")
    if len(id) > _MOST_ID:
        raise RefusedError("invalid_value", f"id: expected at most {_MOST_ID} characters", "id")
    row = ledger.generation(id)
    if row is None or row["org"] != org or row["state"] == "held":
        raise RefusedError(
            "not_found",
            "there is no such generation, or it has not ended yet: its id is the `id` of the "
            "answer and its header x-generation-id",
            "id",
        )
    return row


def generation(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /generation: one request of the viewer's organization, once it has ended."""
    row = find(sources.books(), call.viewer.org, call.query)
    return ApiAnswer(encode({"data": _generation(row, call.viewer, sources.models)}))


def _generation(row: Row, viewer: Viewer, models: ModelList) -> dict[str, Any]:
    name = models.provider_names
    # Of a request whose process died nothing is known but what was held.
    known = row["state"] != "expired"
    total, content = row["total_us"] or 0, row["first_content_us"] or 0
    overhead = row["overhead_us"] or 0
    upstream = row["upstream_cost"] if known and viewer.shows_upstream_cost else None
    tokens = {kind: row[f"{kind}_tokens"] if known else None for kind in _TOKENS}
    return {
        "id": row["generation"],
        "request_id": row["request_id"],
        "created_at": stamp(row["created"]),
        "model": row["model"],
        "provider_name": name.get(row["provider"], row["provider"]) or None,
        "total_cost": Usd(row["cost"]),
        "usage": Usd(row["cost"]),
        "upstream_inference_cost": None if upstream is None else Usd(upstream),
        "cache_discount": None,
        "is_byok": False,
        "tokens_prompt": tokens["prompt"],
        "tokens_completion": tokens["completion"],
        "native_tokens_prompt": tokens["prompt"],
        "native_tokens_completion": tokens["completion"],
        "native_tokens_completion_images": None,
        "native_tokens_reasoning": tokens["reasoning"],
        "native_tokens_cached": tokens["cached"],
        "streamed": bool(row["streamed"]),
        "cancelled": row["settlement"] in ("partial", "cancelled"),
        "finish_reason": row["finish_reason"] or None,
        "native_finish_reason": None,
        "service_tier": row["service_tier"] or None,
        "latency": _ms(total) if known else None,
        "generation_time": _ms(max(0, total - overhead)) if known else None,
        "moderation_latency": None,
        "provider_responses": [_attempt(each, name) for each in row["attempts"]],
        # A row does not say it: a model is asked by one API alone.
        "api_type": models.api_of(row["model"]),
        "data_region": "global",
        "origin": "",
        **dict.fromkeys(_UNKNOWN),
        # Ours.
        "settlement": row["settlement"],
        "status": row["status"] if known else None,
        "error": row["error"] or None,
        "key_id": row["key"] or None,
        "requested_model": row["requested_model"],
        "price_revision": row["price_revision"],
        "held": Usd(row["held"]),
        "refunded": Usd(row["refunded"]),
        "native_tokens_cache_write": tokens["cache_write"],
        "usage_estimated": bool(row["estimated"]),
        "time_to_first_token": _ms(content) if content else None,
        "overhead": _ms(overhead) if known else None,
        "ended_at": stamp(row["ended"] // 1000, row["ended"] % 1000),
    }


_TOKENS: Final = ("prompt", "completion", "reasoning", "cached", "cache_write")
# OpenRouter's names for what no gateway of one's own keeps.
_UNKNOWN: Final = (
    *("app_id", "external_user", "http_referer", "num_fetches", "num_input_audio_prompt"),
    *("num_media_completion", "num_media_prompt", "num_search_results", "preset_id"),
    *("response_cache_source_id", "router", "session_id", "upstream_id", "user_agent"),
    *("web_search_engine", "workspace_id"),
)


def _attempt(row: Row, name: Mapping[str, str]) -> dict[str, Any]:
    return {
        "provider_name": name.get(row["provider"], row["provider"]),
        "model_permaslug": row["model"],
        "status": row["status"] or None,  # 0: no answer came
        "latency": _ms(row["waited_us"]),
        "is_byok": False,
        "error": row["error"] or None,
    }


def _ms(microseconds: int) -> float:
    return microseconds / 1000


def stamp(seconds: int, milliseconds: int | None = None) -> str:
    """Unix seconds as ISO 8601 in UTC.

    >>> stamp(0), stamp(1, 50)
    ('1970-01-01T00:00:00Z', '1970-01-01T00:00:01.050Z')
    """
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}Z" if milliseconds is None else f"{text}.{milliseconds:03d}Z"


# --- days -----------------------------------------------------------------------------------------


def activity(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /activity: requests, tokens and cost by day and model."""
    ledger, viewer = sources.books(), call.viewer
    given = _parsed(call.query, ("date", "from", "to", "key", "group_by", "limit", "offset"))
    today = datetime.fromtimestamp(call.now, UTC).date()
    first, last = _span(given, today)
    by_key = _by_key(given)
    limit = _count(given, "limit", _MOST_ROWS, least=1, most=_MOST_ROWS)
    offset = _count(given, "offset", 0, least=0, most=_MOST_OFFSET)
    rows = ledger.days(
        viewer.org,
        key=given.get("key", ""),
        by_key=by_key,
        first=day_of(first),
        last=day_of(last),
        limit=limit,
        offset=offset,
    )
    more = False
    if len(rows) == limit:
        more = bool(
            ledger.days(
                viewer.org,
                key=given.get("key", ""),
                by_key=by_key,
                first=day_of(first),
                last=day_of(last),
                limit=1,
                offset=offset + limit,
            )
        )
    return ApiAnswer(encode({"data": [_item(row, by_key) for row in rows], "has_more": more}))


def _item(row: Row, by_key: bool) -> dict[str, Any]:
    item = {
        "date": (_EPOCH + timedelta(seconds=row["day"])).isoformat(),
        "model": row["model"],
        "model_permaslug": row["model"],
        # Days are summed over providers.
        "endpoint_id": "",
        "provider_name": "",
        "usage": Usd(row["cost"]),
        "byok_usage_inference": 0,
        "requests": row["requests"],
        "prompt_tokens": row["prompt_tokens"],
        "completion_tokens": row["completion_tokens"],
        "reasoning_tokens": row["reasoning_tokens"],
        "cached_tokens": row["cached_tokens"],
        "failed": row["failed"],
    }
    return {**item, "key_id": row["key"]} if by_key else item


def _span(given: Mapping[str, str], today: date) -> tuple[date, date]:
    """First and last day, both included. By default the last 30 days that are over."""
    if "date" in given:
        for name in ("from", "to"):
            if name in given:
                raise RefusedError("invalid_value", f"give date, or from and to: not {name}", name)
        only = _date(given, "date", today)
        return only, only
    yesterday = today - timedelta(days=1)
    start = _date(given, "from", None)
    last = _date(given, "to", yesterday if start is None else max(yesterday, start))
    first = max(_EPOCH, last - timedelta(days=_DEFAULT_DAYS - 1)) if start is None else start
    if first > last:
        raise RefusedError("invalid_value", "from: expected no day after `to`", "from")
    if (last - first).days >= _MOST_DAYS:
        raise RefusedError("invalid_value", f"from: expected at most {_MOST_DAYS} days", "from")
    return first, last


def _date(given: Mapping[str, str], name: str, default: date | None) -> Any:
    text = given.get(name)
    if text is None:
        return default
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        found = date.fromisoformat(text)
    except ValueError:
        found = date.min
    if found < _EPOCH:
        raise RefusedError("invalid_value", f"{name}: expected a day such as 2027-01-31", name)
    return found


def _by_key(given: Mapping[str, str]) -> bool:
    grouping = given.get("group_by")
    if grouping not in (None, "key"):
        raise RefusedError("invalid_value", "group_by: expected `key`, or nothing", "group_by")
    return grouping == "key"


def _count(given: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise RefusedError("invalid_value", f"{name}: expected {least} to {most}", name)
    return int(text)


def day_of(day: date) -> int:
    return (day - _EPOCH).days


def _parsed(query: str, names: Sequence[str]) -> dict[str, str]:
    """The parameters of a query; an unknown one, or one that is given twice, is refused."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PAIRS)
    except ValueError:
        raise RefusedError("invalid_value", f"expected at most {_MOST_PAIRS} parameters") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in _NOT_HERE and "date" in names:
            raise RefusedError("invalid_value", f"{name}: {_NOT_HERE[name]}", name)
        if name not in names:
            known = ", ".join(names)
            raise RefusedError("invalid_value", f"no such parameter; there are: {known}", name)
        if name in found:
            raise RefusedError("invalid_value", f"{name} is given twice", name)
        found[name] = value
    return found
