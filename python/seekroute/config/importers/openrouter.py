"""OpenRouter's answer of `GET /models`: prices per token as decimal strings."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from seekroute.config.catalog import Catalog
from seekroute.config.importers.rows import (
    MILLION,
    Imported,
    Rows,
    Unusable,
    amount,
    expect,
    features,
    listed_date,
    listing,
    mapping,
    modalities,
    read_json,
    whole,
)

__all__ = ["from_openrouter"]

_PER_TOKEN = {
    "prompt": "input",
    "completion": "output",
    "input_cache_read": "cache_read",
    "input_cache_write": "cache_write",
    "input_cache_write_1h": "cache_write_1h",
    "internal_reasoning": "reasoning",
    "audio": "audio_input",
    "audio_output": "audio_output",
    "input_audio_cache": "audio_cache_read",
    "image_token": "image_input",
}
_CONDITIONS = frozenset({"min_prompt_tokens", "utc_start", "utc_end"})
# Prices of things that are not sold here, or that repeat the price of tokens.
_OTHER = frozenset({"discount", "image", "image_output", "overrides", "web_search"})
PROVIDER = "openrouter"


def from_openrouter(
    text: str | bytes,
    *,
    checked_on: date,
    providers: Collection[str] | None = None,
    known: Catalog | None = None,
    source: str = "openrouter",
) -> Imported:
    """Reads OpenRouter's model list; every model gets one endpoint at the provider `openrouter`.

    Args:
        text: The answer's body.
        checked_on: When it was fetched.
        providers: Our ids of the providers to take; the list is empty without `openrouter`.
        known: A catalog whose ids are used for endpoints that it has.
        source: Name of the source that prices are marked with.

    Raises:
        ConfigError: This is not that answer.
    """
    body = read_json(text, "OpenRouter")
    # The answer, or what is in it: many keep the rows alone.
    rows_of = body.get("data") if isinstance(body, dict) else body
    data = expect(rows_of, list, "OpenRouter")
    rows = Rows(source=source, checked_on=checked_on, providers=providers, known=known)
    for model in data if rows.wants(PROVIDER) else ():
        row = str(mapping(model).get("id") or "?")
        try:
            _take(rows, row, mapping(model))
        except Unusable as reason:
            rows.skip(row, str(reason))
    return rows.done()


def _take(rows: Rows, row: str, model: dict[str, Any]) -> None:
    if not isinstance(model.get("id"), str) or "/" not in row:
        raise Unusable("no id")
    if row.startswith("~"):
        raise Unusable("a name that moves to newer models")
    shape = mapping(model.get("architecture"))
    embeds = listing(shape.get("output_modalities")) == ["embeddings"]
    output = ("embedding",) if embeds else modalities(shape.get("output_modalities"))
    if not embeds and output != ("text",):
        raise Unusable(f"answers hold {', '.join(output)}, which the list prices by token")
    pricing = mapping(model.get("pricing"))
    if any((amount(pricing.get(key)) or 0) < 0 for key in ("prompt", "completion")):
        raise Unusable("the price varies")
    price: dict[str, Any] = _prices(rows, row, pricing)
    # A field of that kind is what a request costs on top of its tokens.
    request = amount(pricing.get("request"))
    if request:
        price |= rows.price(row, {"per_request": request})
    tiers, variants = _overrides(rows, row, listing(pricing.get("overrides")))
    if tiers:
        price["tiers"] = tiers
    if variants:
        price["variants"] = variants
    created = whole(model.get("created"))
    provider = mapping(model.get("top_provider"))
    can = listing(model.get("supported_parameters"))
    rows.add(
        row,
        PROVIDER,
        row,
        {
            "name": str(model.get("name") or "").partition(": ")[2] or str(model.get("name") or ""),
            "created": datetime.fromtimestamp(created, UTC).date() if created else None,
            "knowledge": model.get("knowledge_cutoff"),
            "expires": listed_date(model.get("expiration_date")),
            "context": whole(model.get("context_length")),
            "max_output": whole(provider.get("max_completion_tokens")),
            "input": modalities(shape.get("input_modalities")),
            "output": output,
            "features": features(
                tools="tools" in can,
                structured_output="structured_outputs" in can,
                reasoning="reasoning" in can,
                temperature="temperature" in can,
            ),
            "price": price,
            "free": not any(part for part in price.values() if part not in ("0", [])),
        },
    )


def _prices(rows: Rows, row: str, pricing: dict[str, Any]) -> dict[str, str]:
    found: dict[str, Decimal | None] = {}
    for key, value in pricing.items():
        unit = _PER_TOKEN.get(key)
        per_token = amount(value) if unit else None
        if unit and per_token is not None:
            found[unit] = per_token * MILLION
        elif unit is None and key not in {*_CONDITIONS, *_OTHER, "request"}:
            rows.note(row, f"the price {key} is not one of ours")
    return rows.price(row, found)


def _overrides(rows: Rows, row: str, overrides: list[Any]) -> tuple[list[Any], list[Any]]:
    tiers: dict[int, dict[str, Any]] = {}
    variants: list[dict[str, Any]] = []
    for entry in overrides:
        prices = _prices(rows, row, mapping(entry))
        above = whole(mapping(entry).get("min_prompt_tokens"))
        start, end = (whole_or_zero(mapping(entry).get(key)) for key in ("utc_start", "utc_end"))
        if above is not None and (start, end) == (None, None):
            tiers[above] = {**tiers.get(above, {}), **prices, "above": above}
        elif above is None and start is not None and end is not None:
            hours = f"{start // 100:02}:{start % 100:02}-{end // 100:02}:{end % 100:02}"
            # Of theirs the last one wins, of ours the first.
            variants.insert(0, {"hours": hours, **prices})
        else:
            raise Unusable("a price under conditions that have no form here")
    if tiers and variants:
        raise Unusable("prices by length and by hour at once")
    return [tiers[above] for above in sorted(tiers)], variants


def whole_or_zero(value: object) -> int | None:
    """An integer of 0 or more; None for anything else."""
    return 0 if value is not None and value == 0 else whole(value)
