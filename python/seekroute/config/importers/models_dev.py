"""models.dev's `api.json`: providers with URLs and keys' variables, models, prices per million."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

from pydantic import ValidationError

from seekroute.config.catalog import Catalog
from seekroute.config.catalog_schema import Provider
from seekroute.config.importers.rows import (
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

__all__ = ["from_models_dev"]

_UNITS = {
    "input": "input",
    "output": "output",
    "cache_read": "cache_read",
    "cache_write": "cache_write",
    "reasoning": "reasoning",
    "input_audio": "audio_input",
    "output_audio": "audio_output",
}
# Keys that rows of the list have by mistake.
_MISNAMED = {
    "cache_input": "cache_read",
    "cached_input": "cache_read",
    "cached_write": "cache_write",
}
# Not prices of ours: they repeat `tiers` in an older shape.
_REPEATED = frozenset({"tiers", "context_over_200k"})


def from_models_dev(
    text: str | bytes,
    *,
    checked_on: date,
    providers: Collection[str] | None = None,
    known: Catalog | None = None,
    source: str = "models-dev",
) -> Imported:
    """Reads models.dev's `api.json`.

    Deprecated models are left out; so are models whose answers hold images, as the list gives
    their price per image token as the price of text.

    Args:
        text: The file.
        checked_on: When it was fetched.
        providers: Our ids of the providers to take; None for all.
        known: A catalog whose ids are used for endpoints that it has.
        source: Name of the source that prices are marked with.

    Raises:
        ConfigError: This is not that file.
    """
    data = expect(read_json(text, "models.dev"), dict, "models.dev")
    rows = Rows(source=source, checked_on=checked_on, providers=providers, known=known)
    for listed, provider in data.items():
        models = mapping(mapping(provider).get("models"))
        ours = rows.wants(listed)
        if not ours:
            continue
        _describe(rows, ours, mapping(provider))
        for upstream, model in models.items():
            row = f"{listed}/{upstream}"
            try:
                _take(rows, row, ours, upstream, mapping(model))
            except Unusable as reason:
                rows.skip(row, str(reason))
    return rows.done()


def _describe(rows: Rows, ours: str, provider: dict[str, Any]) -> None:
    url = provider.get("api")
    if not isinstance(url, str):
        return
    try:
        rows.result.providers[ours] = Provider(
            name=str(provider.get("name") or ours),
            base_url=url,
            env=tuple(str(name) for name in listing(provider.get("env"))),
            docs=str(provider.get("doc") or ""),
        )
    except ValidationError:
        rows.note(ours, "its base URL is not usable as it stands")


def _take(rows: Rows, row: str, provider: str, upstream: str, model: dict[str, Any]) -> None:
    if model.get("status") == "deprecated":
        raise Unusable("deprecated")
    held = mapping(model.get("modalities"))
    output = modalities(held.get("output"))
    if output != ("text",):
        raise Unusable(f"answers hold {', '.join(output)}, whose prices the list mixes up")
    cost = model.get("cost")
    if not isinstance(cost, dict):
        raise Unusable("no price")
    price: dict[str, Any] = _prices(rows, row, cost)
    tiers = []
    for tier in map(mapping, listing(cost.get("tiers"))):
        size = whole(mapping(tier.get("tier")).get("size"))
        if size is None:
            raise Unusable("a tier without a threshold")
        tiers.append({"above": size, **_prices(rows, row, {**tier, "tier": None})})
    if tiers:
        price["tiers"] = sorted(tiers, key=lambda tier: int(tier["above"]))
    limit = mapping(model.get("limit"))
    rows.add(
        row,
        provider,
        upstream,
        {
            "name": str(model.get("name") or ""),
            "created": listed_date(model.get("release_date")),
            "knowledge": model.get("knowledge"),
            "context": whole(limit.get("context")),
            "max_output": whole(limit.get("output")),
            "input": modalities(held.get("input")),
            "features": features(
                tools=model.get("tool_call"),
                structured_output=model.get("structured_output"),
                reasoning=model.get("reasoning"),
                temperature=model.get("temperature"),
            ),
            "price": price,
            "free": not any(part for part in price.values() if part not in ("0", [])),
        },
    )


def _prices(rows: Rows, row: str, cost: dict[str, Any]) -> dict[str, str]:
    found = {}
    for key, value in cost.items():
        unit = _UNITS.get(key) or _MISNAMED.get(key)
        if unit is None:
            if value is not None and key not in _REPEATED:
                rows.note(row, f"the price {key} is not one of ours")
            continue
        if key in _MISNAMED:
            rows.note(row, f"{key} read as {unit}")
        found[unit] = amount(value)
    return rows.price(row, found)
