"""What the HTTP side asks of the money before the core does, and adds to what the core says."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from seekroute.api.keys import with_balance
from seekroute.api.table import Who
from seekroute.gateway import CoreError
from seekroute.ledger import LedgerError
from seekroute.server.answers import HttpCall
from seekroute.server.viewers import viewer_of

# Nano-USD. The smallest hold of a priced model: the 256 tokens of answer that a request without a
# length is held for at least, at 0.04 USD a million. Less buys nothing, so it is no credit.
_LEAST_CREDIT: Final = 10_000


async def quoted(call: HttpCall, quote: bytes) -> bytes:
    """Adds to a quote what the caller has: `balance`, with the answer to whether it is enough.

    Args:
        quote: the core's, of a request that would be taken.

    Raises:
        RefusedError: the ledger cannot be read.
    """
    service = call.service
    if service.ledger is None:
        return quote
    viewer = viewer_of(call, Who.CALLER)
    if not viewer.key:
        return quote
    async with service.ledger_reads:
        return await asyncio.to_thread(with_balance, quote, service.ledger, viewer, now=time.time())


async def has_credit(call: HttpCall, key_id: str, org: str) -> bool:
    """Whether the organization may have money for a request, as far as is known without a hold.

    Less than `_LEAST_CREDIT` is none. What its running requests hold counts. True also where there
    is no ledger, or none that can be read: the hold says so.
    """
    service = call.service
    if service.ledger is None or not key_id:
        return True
    try:
        line = service.rights_of_key(call.authorization).credit_line
    except CoreError:  # revoked a moment ago: it is refused
        return True
    if line is None:
        return True
    async with service.ledger_reads:
        try:
            found = await asyncio.to_thread(service.ledger.balance, org)
        except LedgerError:
            return True
    # As the ledger holds: of the line what is not owed yet.
    return found.available + found.held + max(0, line - found.owed) >= _LEAST_CREDIT
