"""pydantic's genai-prices: prices per million with tiers, dates, hours and service tiers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from seekroute.config.catalog import Catalog
from seekroute.config.importers.rows import (
    Imported,
    Rows,
    Unusable,
    amount,
    expect,
    listing,
    mapping,
    read_json,
    whole,
)

__all__ = ["from_genai_prices"]

_UNITS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "output_audio_mtok": "audio_output",
    "cache_audio_read_mtok": "audio_cache_read",
    "input_image_mtok": "image_input",
    "output_image_mtok": "image_output",
    "requests_kcount": "per_request",
}
_MAX_RULES = 200


def from_genai_prices(
    text: str | bytes,
    *,
    checked_on: date,
    providers: Collection[str] | None = None,
    known: Catalog | None = None,
    source: str = "genai-prices",
) -> Imported:
    """Reads genai-prices' `data.json`.

    A model is taken under each name that its rules match exactly; of names that only begin or
    end so, there is no saying which exist. Prices that were over on `checked_on` are left out;
    those to come are variants that begin on their day. Batch prices are passed over.

    Args:
        text: The file.
        checked_on: When it was fetched.
        providers: Our ids of the providers to take; None for all.
        known: A catalog whose ids and context lengths are used for endpoints that it has.
        source: Name of the source that prices are marked with.

    Raises:
        ConfigError: This is not that file.
    """
    data = expect(read_json(text, "genai-prices"), list, "genai-prices")
    rows = Rows(source=source, checked_on=checked_on, providers=providers, known=known)
    limits = {
        (endpoint.provider, endpoint.model): endpoint.context or model.context
        for model in (known.models if known else ())
        for endpoint in model.endpoints
    }
    for provider in data:
        listed = str(mapping(provider).get("id"))
        ours = rows.wants(listed)
        for model in map(mapping, listing(mapping(provider).get("models")) if ours else ()):
            for name in _names(model):
                row = f"{listed}/{name}"
                try:
                    _take(rows, row, ours, name, model, limits.get((ours, name)), checked_on)
                except Unusable as reason:
                    rows.skip(row, str(reason))
    return rows.done()


def _names(model: dict[str, Any]) -> list[str]:
    """The model's own name and those that its rules match exactly."""
    names = [str(model.get("id"))]
    rules: list[Any] = [model.get("match")]
    for _ in range(_MAX_RULES):
        if not rules:
            break
        rule = mapping(rules.pop())
        rules += listing(rule.get("or"))
        if isinstance(rule.get("equals"), str):
            names.append(rule["equals"])
    return list(dict.fromkeys(names))


def _take(
    rows: Rows,
    row: str,
    ours: str,
    name: str,
    model: dict[str, Any],
    context: int | None,
    today: date,
) -> None:
    if model.get("deprecated"):
        raise Unusable("deprecated")
    price = _price(rows, row, model.get("prices"), today)
    variants = []
    for entry in listing(model.get("price_variants")):
        variants += _service(rows, row, mapping(entry), today)
    # A service tier says more than a date, so it comes first.
    variants += price.get("variants", ())
    if variants:
        price["variants"] = variants
    rows.add(
        row,
        ours,
        name,
        {
            "name": str(model.get("name") or ""),
            "context": whole(model.get("context_window")) or context,
            "price": price,
            "free": not any(part for part in price.values() if part not in ("0", [])),
        },
    )


def _price(rows: Rows, row: str, prices: Any, today: date) -> dict[str, Any]:
    """The base price with dated and hourly variants."""
    if isinstance(prices, dict):
        return _one(rows, row, prices)
    entries = [mapping(entry) for entry in listing(prices)]
    if not entries:
        raise Unusable("no price")
    # The last entry whose condition holds counts.
    plain: dict[str, Any] | None = None
    hourly: list[dict[str, Any]] = []
    coming: list[tuple[date, dict[str, Any]]] = []
    for entry in entries:
        constraint = mapping(entry.get("constraint"))
        start, hours = _start(constraint), _hours(constraint)
        if hours:
            hourly.insert(0, {"hours": hours, **_one(rows, row, entry.get("prices"))})
        elif start is None or start <= today:
            plain = entry
        else:
            coming.append((start, entry))
    if plain is None:
        raise Unusable("no price holds yet")
    price = _one(rows, row, plain.get("prices"))
    if coming and hourly:
        raise Unusable("prices by date and by hour at once")
    variants = hourly + [
        # The latest first, as the first whose day has come is taken.
        {"tiers": [], **_one(rows, row, entry.get("prices")), "valid_from": start}
        for start, entry in sorted(coming, key=lambda found: found[0], reverse=True)
    ]
    return {**price, "variants": variants} if variants else price


def _start(constraint: dict[str, Any]) -> date | None:
    value = constraint.get("start_date")
    try:
        return date.fromisoformat(value) if value is not None else None
    except (TypeError, ValueError):
        raise Unusable("a date that is none") from None


def _hours(constraint: dict[str, Any]) -> str:
    start, end = constraint.get("start_time"), constraint.get("end_time")
    if start is None and end is None:
        return ""
    if not (isinstance(start, str) and isinstance(end, str) and start[-1:] == end[-1:] == "Z"):
        raise Unusable("hours that are not in UTC")
    return f"{start[:5]}-{end[:5]}"


def _service(rows: Rows, row: str, entry: dict[str, Any], today: date) -> list[dict[str, Any]]:
    """The variant of a service tier, or nothing where it is none of ours."""
    when = mapping(entry.get("when"))
    tier = when.get("service_tier")
    start = _start(mapping(entry.get("constraint")))
    if list(when) != ["service_tier"] or tier == "default":
        return []
    prices = _one(rows, row, entry.get("prices"))
    if not prices:
        return []
    variant = {"service_tier": tier, "tiers": [], **prices}
    # A start in the past only says since when the list has known the price.
    return [variant | ({"valid_from": start} if start and start > today else {})]


def _one(rows: Rows, row: str, prices: Any) -> dict[str, Any]:
    """One set of prices. Where a unit has tiers, the others keep their base price in them."""
    base: dict[str, Decimal | None] = {}
    tiers: dict[int, dict[str, Decimal | None]] = {}
    for key, value in mapping(prices).items():
        unit = _UNITS.get(key)
        if value is None:
            continue
        if unit is None:
            rows.note(row, f"the price {key} is not one of ours")
            continue
        scale = Decimal(1000) if unit == "per_request" else Decimal(1)
        if isinstance(value, dict):
            for tier in map(mapping, listing(value.get("tiers"))):
                start = whole(tier.get("start"))
                if start is None:
                    raise Unusable("a tier without a threshold")
                tiers.setdefault(start, {})[unit] = amount(tier.get("price"))
            value = value.get("base")
        found = amount(value)
        base[unit] = None if found is None else found / scale
    price: dict[str, Any] = rows.price(row, base)
    below: dict[str, str] = {}
    listed = []
    for start in sorted(tiers):
        # A unit without a step here keeps the price of the step before.
        below |= rows.price(row, tiers[start])
        listed.append({"above": start, **below})
    return {**price, "tiers": listed} if listed else price
