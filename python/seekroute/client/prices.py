"""What a request will cost, as far as one can know before: from its size and the price table.

Whole numbers of nano-USD throughout. This is for caps, which only need to know when to say no; what
was really paid comes from the core.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

# A token of English is about 4 bytes, of most other scripts 3 or fewer: rather too many tokens.
_BYTES_PER_TOKEN = 3
# No ordinary text packs more bytes into a token: the floor of what a prompt can cost.
_MOST_BYTES_PER_TOKEN = 16
# Output tokens expected of a request that sets no limit.
_USUAL_OUTPUT = 512
# Tokens expected of an image or a file sent as a data URL, whose bytes are not text.
_DATA_URL_TOKENS = 1000
_DATA_URL = re.compile(rb'"data:[^"]{64,}"')
_PICO_PER_USD = Decimal(10) ** 12
_PICO_PER_NANO = 1000


class Estimate(NamedTuple):
    """Nano-USD: no answer costs less than `minimum`; `expected` is what is set aside for it."""

    minimum: int
    expected: int


class _Rates(NamedTuple):
    """Pico-USD a unit."""

    prompt: int
    cheapest_prompt: int
    output: int
    request: int


def _rates(price: Mapping[str, Any]) -> list[_Rates]:
    """The rates a price table may come to: each variant, each tier."""
    tables: list[Mapping[str, str]] = []
    for variant in price.get("variants", [{"rates": price}]):
        tables.append(variant["rates"])
        tables.extend(tier["rates"] for tier in variant.get("tiers", ()))
    factor = 10000 + int(price.get("markup_bps", 0))
    return [_rates_of(table, factor) for table in tables]


def _rates_of(table: Mapping[str, str], factor: int) -> _Rates:
    def pico(*names: str) -> int:
        text = next((table[name] for name in names if name in table), "0")
        return int(Decimal(text) * _PICO_PER_USD * factor / 10000)

    prompt = pico("input")
    return _Rates(
        prompt, min(prompt, pico("cache_read", "input")), pico("output"), pico("per_request")
    )


class Estimator:
    """Estimates from the price tables of a snapshot. Immutable, so thread-safe.

    Args:
        snapshot: what `seekroute.config.build_snapshot` gave the core.

    Example:
        >>> from seekroute.client.prices import Estimator
        >>> price = {"input": "0.000001", "output": "0.000002"}
        >>> model = {"id": "m", "candidates": [{"price": price}]}
        >>> estimator = Estimator({"models": [model], "names": {"m": "m"}, "auto_names": []})
        >>> estimator.estimate("m", b"x" * 300, max_tokens=10)
        Estimate(minimum=18000, expected=120000)
    """

    def __init__(self, snapshot: Mapping[str, Any]) -> None:
        self._prices: dict[str, Sequence[_Rates]] = {}
        self._tables: dict[str, list[Mapping[str, Any]]] = {}
        for model in snapshot["models"]:
            if model["candidates"]:
                self._tables[model["id"]] = [c["price"] for c in model["candidates"]]
        self._names: Mapping[str, str] = snapshot["names"]
        self._auto = frozenset(snapshot["auto_names"])
        self._default = snapshot.get("default_model", "")

    def _rates_of(self, model: str) -> Sequence[_Rates]:
        if model not in self._prices:  # at most one entry for each model of the catalog
            tables = self._tables.get(model, [])
            self._prices[model] = [rates for table in tables for rates in _rates(table)]
        return self._prices[model]

    def estimate(
        self, model: str, request: bytes, *, max_tokens: int | None = None, n: int = 1
    ) -> Estimate | None:
        """What a request may cost; None for a model whose prices are not known here.

        Args:
            model: any accepted spelling.
            request: its JSON.
            max_tokens: the limit it sets, if any; with one, `expected` assumes it is used up.
            n: how many answers it asks for.
        """
        automatic = model in self._auto
        rates = self._rates_of(self._default if automatic else self._names.get(model, model))
        if not rates:
            return None
        size, images = len(request), 0
        if b'"data:' in request:
            text, images = _DATA_URL.subn(b"", request)
            size = len(text)
        tokens = size // _BYTES_PER_TOKEN + images * _DATA_URL_TOKENS
        fewest = size // _MOST_BYTES_PER_TOKEN
        output = (_USUAL_OUTPUT if max_tokens is None else max_tokens) * max(n, 1)
        dear = max(tokens * r.prompt + output * r.output + r.request for r in rates)
        # The router may pick any model: nothing is certain to be paid.
        cheap = 0 if automatic else min(fewest * r.cheapest_prompt + r.request for r in rates)
        return Estimate(cheap // _PICO_PER_NANO, -(-dear // _PICO_PER_NANO))


def limits_of(fields: Mapping[str, Any]) -> tuple[int | None, int]:
    """The output limit and the number of answers that request fields set."""
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    count = fields.get("n")
    return (
        limit if isinstance(limit, int) else None,
        count if isinstance(count, int) and count > 0 else 1,
    )
