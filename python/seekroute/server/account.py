"""The routes about money: the caller's key, credits, requests, days and receipts.

Every answer is about the organization of the key that asks; what belongs to another one does not
exist. The ledger is read in threads, of which few run at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from seekroute import account as shapes
from seekroute.errors import SeekrouteError
from seekroute.money import nano_at_least
from seekroute.server.answers import HttpCall, Refusal
from seekroute.server.routes import KEY_MESSAGES, identify

if TYPE_CHECKING:
    from seekroute.ledger import Ledger
    from seekroute.server.service import KeyMoney

T = TypeVar("T")

_log: Final = logging.getLogger("seekroute.http")

# Nano-USD. The smallest hold of a priced model: the 256 tokens of answer that a request without a
# length is held for at least, at 0.04 USD a million. Less buys nothing, so it is no credit.
_LEAST_CREDIT: Final = 10_000

_JSON: Final = b"application/json"
_UNREADABLE: Final = {
    "storage_corrupt": "the ledger is damaged: whoever runs this gateway has to restore a backup",
    "storage_full": "the ledger's disk is full: whoever runs this gateway has to make room",
    "store_unavailable": "the ledger cannot be read now; try again",
}


class _Caller(NamedTuple):
    key_id: str
    org: str
    profile: str


def _caller(call: HttpCall) -> _Caller:
    """Whose key it is. Requests without one are nobody's, also where they are served.

    Raises:
        Refusal: there is no key, or none that may be used.
    """
    found = _Caller(*identify(call))
    if not found.key_id:
        raise Refusal("missing_api_key", KEY_MESSAGES["missing_api_key"])
    return found


async def key(call: HttpCall) -> None:
    """GET /v1/key: what the caller's key is, and what it has spent."""
    caller = _caller(call)
    service = call.service
    try:
        info = await asyncio.to_thread(service.control.key_info, caller.key_id)
    except SeekrouteError as error:
        raise Refusal("store_unavailable", "the key's data cannot be read; try again") from error
    if service.ledger is not None:
        money = service.money_of_key(caller.key_id)
        info["data"] |= await _read(call, lambda ledger: _key_use(ledger, caller, money))
    await call.plain(shapes.encode(info), _JSON)


async def credits(call: HttpCall) -> None:
    """GET /v1/credits: what the caller's organization has paid in, used and has left."""
    await _answer(call, "/credits")


async def generation(call: HttpCall) -> None:
    """GET /v1/generation: one request of the caller's organization, once it has ended."""
    await _answer(call, "/generation")


async def activity(call: HttpCall) -> None:
    """GET /v1/activity: requests, tokens and cost by day and model."""
    await _answer(call, "/activity")


async def receipt(call: HttpCall) -> None:
    """GET /v1/receipt: what one request cost, signed for the holder of the key that asks."""
    caller = _caller(call)
    row = await _read(call, lambda ledger: shapes.find(ledger, caller.org, _query(call)))
    from seekroute import receipts

    authorization = call.authorization or b""  # it named a key, or we were not here
    token = authorization.partition(b" ")[2].strip(b" ").decode("ascii")
    issued = receipts.issue(row, call.service.control.pepper)
    await call.plain(receipts.serialize(receipts.sign(issued, token)), _JSON)


async def quoted(call: HttpCall, quote: bytes) -> bytes:
    """Adds to a quote what the caller has: `balance`, with the answer to whether it is enough.

    Args:
        quote: the core's, of a request that would be taken.
    """
    service = call.service
    if service.ledger is None:
        return quote
    caller = _Caller(*identify(call))
    if not caller.key_id:
        return quote
    hold = json.loads(quote, parse_float=Decimal, parse_int=Decimal)["hold"]
    needed = nano_at_least(hold["min"])
    viewer = _viewer(call, caller)
    money = service.money_of_key(caller.key_id)

    def balance(ledger: Ledger) -> bytes:
        left = _key_use(ledger, caller, money)["limit_remaining"]
        return shapes.encode(shapes.balance(ledger.account(caller.org), viewer, left, needed))

    return quote[:-1] + b',"balance":' + await _read(call, balance) + b"}"


async def has_credit(call: HttpCall, key_id: str, org: str) -> bool:
    """Whether the organization may have money for a request, as far as is known without a hold.

    Less than `_LEAST_CREDIT` is none. What its running requests hold counts. True also where there
    is no ledger, or none that can be read: the hold says so.
    """
    service = call.service
    line = service.money_of_key(key_id).credit_line
    if service.ledger is None or not key_id or line is None:
        return True
    from seekroute.ledger import LedgerError

    async with service.ledger_reads:
        try:
            found = await asyncio.to_thread(service.ledger.balance, org)
        except LedgerError:
            return True
    # As the ledger holds: of the line what is not owed yet.
    return found.available + found.held + max(0, line - found.owed) >= _LEAST_CREDIT


async def _answer(call: HttpCall, path: str) -> None:
    viewer = _viewer(call, _caller(call))
    query = _query(call)
    await call.plain(
        await _read(call, lambda ledger: shapes.answer(path, query, ledger, viewer)), _JSON
    )


def _key_use(ledger: Ledger, caller: _Caller, money: KeyMoney) -> dict[str, Any]:
    limit, reset = money.limit, money.limit_reset
    return shapes.key_use(ledger, caller.org, caller.key_id, limit, reset, now=time.time())


def _viewer(call: HttpCall, caller: _Caller) -> shapes.Viewer:
    service = call.service
    profile = service.profiles.get(caller.profile, service.default_profile)
    providers = json.loads(service.model_list.providers())["data"]
    return shapes.Viewer(
        caller.org,
        service.money_of_key(caller.key_id).credit_line,
        profile.shows_upstream_cost,
        {each["slug"]: each["name"] for each in providers},
    )


def _query(call: HttpCall) -> str:
    query: bytes = call.scope.get("query_string", b"")
    return query.decode("latin-1")


async def _read(call: HttpCall, ask: Callable[[Ledger], T]) -> T:
    """Asks the ledger in a thread.

    Raises:
        Refusal: there is none, it cannot be read, or `ask` refuses.
    """
    ledger = call.service.ledger
    if ledger is None:
        raise Refusal("not_found", shapes.OFF)
    from seekroute.ledger import LedgerError

    async with call.service.ledger_reads:
        try:
            return await asyncio.to_thread(ask, ledger)
        except shapes.RefusedError as error:
            raise Refusal(error.code, error.message, param=error.param) from None
        except LedgerError as error:
            # SQLite's own words name files; they are in the log.
            _log.error("the ledger cannot be read: %s", error)
            code = error.code if error.code in _UNREADABLE else "store_unavailable"
            raise Refusal(code, _UNREADABLE[code]) from error
