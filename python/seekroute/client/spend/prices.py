"""What a request will cost, as far as one can know before: the gateway's own quote.

This is for caps, which need to know when to say no; what was really paid comes from the records.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from seekroute.gateway import CHAT, IN_PROCESS
from seekroute.money import nano_at_least

if TYPE_CHECKING:
    from seekroute.gateway import Gateway


class Estimate(NamedTuple):
    """Nano-USD: no answer costs less than `minimum`; `expected` is what is set aside for it."""

    minimum: int
    expected: int


class Estimator:
    """Estimates by the quotes of a gateway in this process. Thread-safe.

    Args:
        gateway: Whose prices count.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def estimate(self, request: bytes, *, limited: bool, surface: str = CHAT) -> Estimate | None:
        """What a request may cost; None where the gateway would refuse it, at no cost.

        Args:
            request: Its JSON.
            limited: Whether it limits its answer; then `expected` assumes that the limit is used
                up, else it is that of an answer of usual length.
            surface: What it is spoken in.
        """
        status, _, body = self._gateway.core.quote(surface, request, None, None, IN_PROCESS)
        if status != 200:
            return None
        quote = json.loads(body, parse_float=Decimal)
        cost = quote["cost"]
        expected = cost["max"] if limited and cost["max"] is not None else cost["expected"]
        # The router may pick another model then: nothing is certain to be paid.
        minimum = 0 if quote["strategy"] == "auto" else cost["min"]
        return Estimate(nano_at_least(Decimal(minimum)), nano_at_least(Decimal(expected)))


def is_limited(fields: Mapping[str, Any]) -> bool:
    """Whether request fields limit the length of the answer."""
    return any(
        isinstance(fields.get(name), int) for name in ("max_tokens", "max_completion_tokens")
    )
