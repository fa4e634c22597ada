"""Prices as the core takes them: complete tables of exact decimals, every fall-back resolved."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from decimal import Context, Decimal
from typing import Any

from seekroute.config.catalog import Catalog
from seekroute.config.catalog_schema import CatalogModel, Endpoint, Source, unix_day
from seekroute.config.price_schema import UNITS, Price, Rates, Tier

__all__ = ["endpoint_table", "per_token", "plain", "price_table", "revision_of", "sold_at"]

_MILLION_EXPONENT = 6
_PER_UNIT = frozenset({"per_request", "per_image"})
_BASIS = 10_000
# Wider than any price times any markup, so that a product is never rounded.
_EXACT = Context(prec=60)
# Each falls back on a unit that stands before it in UNITS.
_FALL_BACK = {
    "cache_read": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
    "audio_input": "input",
    "audio_output": "output",
    "audio_cache_read": "cache_read",
    "image_input": "input",
    "image_output": "output",
}


def plain(amount: Decimal) -> str:
    """`amount` without exponent or trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@functools.lru_cache(maxsize=4096)
def per_token(per_million: str) -> str:
    """Converts USD per million tokens to USD per token, exactly.

    Args:
        per_million: A plain decimal with at most 6 decimals.

    Example:
        >>> per_token("0.0028")
        '0.0000000028'
    """
    # Moving the decimal point is exact; a division would round to the context's precision.
    return plain(Decimal(per_million).scaleb(-_MILLION_EXPONENT))


def _rates(rates: Rates, base: Rates | None = None) -> dict[str, str]:
    """Every unit's price; what `rates` does not name is taken from `base`, then falls back."""
    named: dict[str, str] = {}
    for unit in UNITS:
        price = getattr(rates, unit)
        if price is None and base is not None:
            price = getattr(base, unit)
        if price is not None:
            named[unit] = plain(Decimal(price)) if unit in _PER_UNIT else per_token(price)
    fall_back = _FALL_BACK
    if "audio_input" in named:
        # Audio has its own price, so the discount for cached text says nothing about audio.
        fall_back = {**fall_back, "audio_cache_read": "audio_input"}
    result: dict[str, str] = {}
    for unit in UNITS:
        price = named.get(unit)
        result[unit] = price if price is not None else result.get(fall_back.get(unit, ""), "0")
    return result


def _over(rates: Rates, base: Rates) -> Rates:
    """`rates` with the prices of `base` where it names none."""
    return Rates(
        **{unit: getattr(rates, unit) or getattr(base, unit) for unit in UNITS},
    )


def _tiers(tiers: tuple[Tier, ...], below: Rates) -> list[dict[str, Any]]:
    return [{"above": tier.above, "rates": _rates(tier, below)} for tier in tiers]


def price_table(price: Price, markup_bps: int, revision: str) -> dict[str, Any]:
    """The price of an endpoint as the core takes it.

    Args:
        price: As in the catalog, in USD per million tokens, per request and per image.
        markup_bps: Added to it, in basis points; -10000 makes it free, and less is refused.
        revision: Stored with every request that is billed by this table.

    Returns:
        `revision`, `markup_bps` and `variants`: the variants in their order and the base price
        last, each with all its rates in USD per single unit.

    Raises:
        ValueError: The markup is below -10000.

    Example:
        >>> from seekroute.config.catalog import Price
        >>> table = price_table(Price(input="2", output="8", cache_read="0.5"), 0, "2026-07-02")
        >>> rates = table["variants"][-1]["rates"]
        >>> rates["output"], rates["reasoning"], rates["cache_read"], rates["cache_write"]
        ('0.000008', '0.000008', '0.0000005', '0.000002')
    """
    if markup_bps < -_BASIS:
        raise ValueError("expected a markup of at least -10000 basis points")
    variants = []
    for variant in price.variants:
        start, end = variant.minutes
        variants.append(
            {
                "service_tier": variant.service_tier or "",
                "from": unix_day(variant.valid_from),
                "until": unix_day(variant.valid_until),
                "day_start": start,
                "day_end": end,
                "rates": _rates(variant, price),
                "tiers": _tiers(variant.tiers or (), _over(variant, price)),
            }
        )
    variants.append(
        {
            "service_tier": "",
            "from": 0,
            "until": 0,
            "day_start": 0,
            "day_end": 0,
            "rates": _rates(price),
            "tiers": _tiers(price.tiers, price),
        }
    )
    return {"revision": revision, "markup_bps": markup_bps, "variants": variants}


def revision_of(endpoint: Endpoint, sources: Mapping[str, Source]) -> str:
    """Names an endpoint's price: the day it was checked, and a digest of its figures.

    The same price has the same revision wherever it is written down; another price has another.
    """
    checked = endpoint.checked_on
    if checked is None and endpoint.source in sources:
        checked = sources[endpoint.source].checked_on
    digest = hashlib.sha256(_figures(endpoint.price).encode()).hexdigest()[:8]
    return f"{checked.isoformat()}-{digest}" if checked else digest


def _figures(price: Price) -> str:
    def listed(value: Any) -> Any:
        if isinstance(value, tuple):
            return [listed(part) for part in value]
        if isinstance(value, Rates):
            found = {f.name: getattr(value, f.name) for f in fields(value)}
            return {k: listed(v) for k, v in sorted(found.items()) if v not in (None, ())}
        return str(value)

    return json.dumps(listed(price), separators=(",", ":"))


def endpoint_table(catalog: Catalog, model: CatalogModel, endpoint: Endpoint) -> dict[str, Any]:
    """The price table of one of a model's endpoints, with the catalog's markup."""
    markup = catalog.markup.of(model.id, endpoint.provider)
    return price_table(endpoint.price, markup, revision_of(endpoint, catalog.sources))


@functools.lru_cache(maxsize=8192)
def sold_at(rate: str, markup_bps: int) -> str:
    """A provider's rate with the markup, exactly: what clients pay.

    Example:
        >>> sold_at("0.0000025", 550)
        '0.0000026375'
    """
    if not markup_bps:
        return rate
    whole = _EXACT.multiply(Decimal(rate), Decimal(_BASIS + markup_bps))
    return plain(whole.scaleb(-4, _EXACT))
