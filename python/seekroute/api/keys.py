"""What the holder of an API key sees of it: its limit, what it has spent, and what is left."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from seekroute.api.account import Usd, day_of, encode
from seekroute.api.call import ApiAnswer, ApiCall, RefusedError, Sources, Viewer, unreadable
from seekroute.errors import SeekrouteError
from seekroute.ledger import LedgerError
from seekroute.money import nano_at_least
from seekroute.rate_limits import LIMIT_NAMES

if TYPE_CHECKING:
    from seekroute.ledger import Ledger, Row

__all__ = ["balance", "key", "key_use", "with_balance"]

_NOTE: Final = "of this key; `limits` and `model_limits` have all of them"
_NO_DAY: Final = 10**9  # after every day there is


def key(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /key: what the viewer's key is, and what it has spent."""
    viewer = call.viewer
    assert sources.keys is not None, "only a gateway with keys is asked about one"
    try:
        info = sources.keys.info(viewer.key)
        limits = sources.limits_of(viewer.key, viewer.profile)
        of_models = sources.model_limits_of(viewer.key)
    except SeekrouteError as error:
        raise RefusedError(
            "store_unavailable", "the key's data cannot be read; try again"
        ) from error
    info["data"]["limits"] = {name: limits.get(name) for name in LIMIT_NAMES}
    info["data"]["model_limits"] = {
        model: {name: said.get(name) for name in LIMIT_NAMES} for model, said in of_models.items()
    }
    if (requests := limits.get("requests_per_minute")) is not None:  # 0 lets nothing pass
        info["data"]["rate_limit"] = {"requests": requests, "interval": "1m", "note": _NOTE}
    if sources.ledger is not None:
        limit, reset = viewer.key_limit, viewer.limit_reset
        info["data"] |= key_use(sources.ledger, viewer.org, viewer.key, limit, reset, now=call.now)
    return ApiAnswer(encode(info))


def key_use(
    ledger: Ledger, org: str, key: str, limit: int | None, reset: str | None, *, now: float
) -> dict[str, Any]:
    """The members of `GET /v1/key` that the ledger knows. Waits for the disk.

    Args:
        limit: nano-USD that the key may spend in its window; None: any amount.
        reset: when the window begins anew: `daily`, `weekly` (on Mondays), `monthly` or `never`;
            in UTC.
        now: Unix seconds.

    Raises:
        LedgerError: the ledger cannot be read.
    """
    today = datetime.fromtimestamp(now, UTC).date()
    windows = _windows(today)
    window = windows.get(reset or "", (0, _NO_DAY))
    use = ledger.key_use(
        org,
        key,
        day=windows["daily"],
        week=windows["weekly"],
        month=windows["monthly"],
        window=window,
    )
    left = None if limit is None else Usd(max(0, limit - use["window"] - use["held"]))
    return {
        "limit": None if limit is None else Usd(limit),
        "limit_remaining": left,
        "limit_reset": reset if limit is not None and reset in windows else None,
        "usage": Usd(use["total"]),
        "usage_daily": Usd(use["daily"]),
        "usage_weekly": Usd(use["weekly"]),
        "usage_monthly": Usd(use["monthly"]),
    }


def _windows(today: date) -> dict[str, tuple[int, int]]:
    """The running windows, each from its first day to the first of the next one. What a clock that
    ran ahead has dated later is in none of them."""
    monday = day_of(today) - today.weekday()
    first = today.replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    return {
        "daily": (day_of(today), day_of(today) + 1),
        "weekly": (monday, monday + 7),
        "monthly": (day_of(first), day_of(next_first)),
    }


# --- what a quote adds ----------------------------------------------------------------------------


def with_balance(quote: bytes, ledger: Ledger, viewer: Viewer, *, now: float) -> bytes:
    """A quote with what the viewer has: `balance`, and whether it is enough. Waits for the disk.

    Args:
        quote: the core's, of a request that would be taken.
        now: Unix seconds.

    Raises:
        RefusedError: the ledger cannot be read.
    """
    hold = json.loads(quote, parse_float=Decimal, parse_int=Decimal)["hold"]
    limit, reset = viewer.key_limit, viewer.limit_reset
    try:
        left = key_use(ledger, viewer.org, viewer.key, limit, reset, now=now)["limit_remaining"]
        account = ledger.account(viewer.org)
    except LedgerError as error:
        raise unreadable(error) from error
    found = balance(account, viewer, left, nano_at_least(hold["min"]))
    return quote[:-1] + b',"balance":' + encode(found) + b"}"


def balance(account: Row, viewer: Viewer, key_left: int | None, needed: int) -> dict[str, Any]:
    """What a quote says of the money there is.

    Args:
        account: of `Ledger.account`.
        key_left: what the key's own limit leaves; None: it has none.
        needed: the least that is held for the request.
    """
    left = []
    if viewer.credit_line is not None:
        # As the ledger holds: of the line what is not owed yet.
        left.append(account["available"] + max(0, viewer.credit_line - account["owed"]))
    if key_left is not None:
        left.append(key_left)
    spendable = min(left) if left else None
    return {
        "available": Usd(account["available"]),
        "spendable": None if spendable is None else Usd(spendable),
        "affordable": spendable is None or needed <= spendable,
    }
