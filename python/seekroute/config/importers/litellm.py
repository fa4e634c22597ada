"""LiteLLM's `model_prices_and_context_window.json`: one flat row a model, prices per token."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
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
    mapping,
    read_json,
    whole,
)

__all__ = ["from_litellm", "price_of"]

_PER_TOKEN = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "cache_read_input_audio_token_cost": "audio_cache_read",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
}
_PER_UNIT = {"input_cost_per_request": "per_request", "output_cost_per_image": "per_image"}
_TIER = re.compile(r"(.+)_above_([0-9]+)k_tokens((?:_flex|_priority)?)")
_SERVICE = re.compile(r"(.+)_(flex|priority)")
_MODES = {"chat": ("text",), "image_generation": ("image",), "embedding": ("embedding",)}
_REASONS = {"completion": "speaks the old completions protocol"}


def from_litellm(
    text: str | bytes,
    *,
    checked_on: date,
    providers: Collection[str] | None = None,
    known: Catalog | None = None,
    source: str = "litellm",
) -> Imported:
    """Reads LiteLLM's price file: rows of the modes chat, image_generation and embedding.

    Batch prices are passed over, as batches are not sold here.

    Args:
        text: The file.
        checked_on: When it was fetched.
        providers: Our ids of the providers to take; None for all.
        known: A catalog whose ids are used for endpoints that it has.
        source: Name of the source that prices are marked with.

    Raises:
        ConfigError: This is not that file.
    """
    data = expect(read_json(text, "LiteLLM"), dict, "LiteLLM")
    rows = Rows(source=source, checked_on=checked_on, providers=providers, known=known)
    for name, entry in data.items():
        if name == "sample_spec":
            continue
        fields = mapping(entry)
        listed = fields.get("litellm_provider")
        if not isinstance(listed, str):
            rows.skip(name, "no provider")
            continue
        ours = rows.wants(listed)
        if not ours:
            continue
        upstream = name.removeprefix(f"{listed}/")
        try:
            _take(rows, name, ours, upstream, fields, checked_on)
        except Unusable as reason:
            rows.skip(name, str(reason))
    return rows.done()


def _take(
    rows: Rows, row: str, ours: str, upstream: str, fields: dict[str, Any], today: date
) -> None:
    mode = str(fields.get("mode"))
    if mode not in _MODES:
        raise Unusable(f"it {_REASONS.get(mode, 'is of the mode ' + mode)}")
    expires = listed_date(fields.get("deprecation_date"))
    if expires and expires <= today:
        raise Unusable(f"deprecated since {expires}")
    price: dict[str, Any] = price_of(rows, row, fields)
    held = {
        "text": True,
        "image": fields.get("supports_vision"),
        "audio": fields.get("supports_audio_input"),
        "video": fields.get("supports_video_input"),
        "file": fields.get("supports_pdf_input"),
    }
    # A chat model that does not say how much it answers says so in max_tokens.
    limit = fields.get("max_output_tokens") or fields.get("max_tokens")
    context = whole(fields.get("max_input_tokens")) or whole(fields.get("max_tokens"))
    if context is None and mode == "image_generation":
        raise Unusable("no context length")
    rows.add(
        row,
        ours,
        upstream,
        {
            "expires": expires,
            "context": context,
            "max_output": whole(limit),
            "dimensions": whole(fields.get("output_vector_size")) if mode == "embedding" else None,
            "input": tuple(name for name, flag in held.items() if flag is True),
            "output": _MODES[mode],
            "features": features(
                tools=fields.get("supports_function_calling"),
                structured_output=fields.get("supports_response_schema"),
                reasoning=fields.get("supports_reasoning"),
            ),
            "price": price,
        },
    )


def price_of(rows: Rows, row: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The price in the fields of a row, as the catalog has it.

    Raises:
        Unusable: An amount is none, or out of range.
    """
    base: dict[str, Decimal | None] = {}
    # Service tier -> threshold -> prices; threshold 0 is the tier's own base.
    tiers: dict[str, dict[int, dict[str, Decimal | None]]] = {"": {}}
    for key, value in fields.items():
        if "cost" not in key or isinstance(value, dict | list | str) or value is None:
            continue
        if unit := _PER_TOKEN.get(key):
            base[unit] = _million(value)
        elif unit := _PER_UNIT.get(key):
            base[unit] = amount(value)
        elif match := _TIER.fullmatch(key):
            name, threshold, service = match.groups()
            if unit := _PER_TOKEN.get(name):
                group = tiers.setdefault(service.strip("_"), {})
                group.setdefault(int(threshold) * 1000, {})[unit] = _million(value)
        elif match := _SERVICE.fullmatch(key):
            name, service = match.groups()
            if unit := _PER_TOKEN.get(name):
                tiers.setdefault(service, {}).setdefault(0, {})[unit] = _million(value)
        elif not key.endswith("_batches"):
            rows.note(row, f"the price {key} is not one of ours")
    price: dict[str, Any] = rows.price(row, base)

    def listed(group: dict[int, dict[str, Decimal | None]]) -> list[dict[str, Any]]:
        return [{"above": at, **rows.price(row, group[at])} for at in sorted(group) if at]

    if tiers[""]:
        price["tiers"] = listed(tiers.pop(""))
    tiers.pop("", None)
    variants = [
        {
            "service_tier": service,
            **rows.price(row, group.get(0, {})),
            # Without a word on long prompts, the tier's prices hold for them too.
            "tiers": listed(group),
        }
        for service, group in sorted(tiers.items())
    ]
    if variants:
        price["variants"] = variants
    return price


def _million(value: object) -> Decimal | None:
    found = amount(value)
    return None if found is None else found * MILLION
