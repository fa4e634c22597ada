"""The answers of `GET /v1/models` and `GET /v1/models/{id}`: OpenAI's fields and OpenRouter's."""

from __future__ import annotations

import calendar
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    # A server unpickles a finished list, and shall not load the catalog's schema with it.
    from seekroute.config.catalog import Catalog, CatalogModel, Endpoint

__all__ = ["ModelList", "is_allowed", "models_payload"]

Style = Literal["full", "bare"]

_ALWAYS = ("max_tokens", "seed", "stop", "stream", "top_p")
_BY_FEATURE = {
    "reasoning": ("include_reasoning", "reasoning", "reasoning_effort"),
    "structured_output": ("response_format", "structured_outputs"),
    "temperature": ("temperature",),
    "tools": ("parallel_tool_calls", "tool_choice", "tools"),
}


def is_allowed(model_id: str, allow: Sequence[str] | None) -> bool:
    """Whether a key with this allow-list may use the model.

    Args:
        model_id: Full id.
        allow: Full ids and `author/*` patterns; None allows everything.
    """
    if allow is None:
        return True
    author = model_id.partition("/")[0]
    return any(entry in (model_id, f"{author}/*") for entry in allow)


class ModelList:
    """The models that can be used now, each rendered once. Immutable and thread-safe.

    Args:
        catalog: From `catalog_of`.
        snapshot: From `build_snapshot` with the same catalog.

    Example:
        >>> from seekroute.config import Settings, build_snapshot, packaged_catalog, profiles_of
        >>> settings, catalog = Settings(), packaged_catalog()
        >>> snapshot = build_snapshot(
        ...     settings, catalog, profiles_of(settings), {"OPENAI_API_KEY": "sk-example"})
        >>> ModelList(catalog, snapshot).one("gpt-4o-mini")[:26]
        b'{"id":"openai/gpt-4o-mini"'
    """

    def __init__(self, catalog: Catalog, snapshot: Mapping[str, Any]) -> None:
        self._names: Mapping[str, str] = snapshot["names"]
        self._full: dict[str, bytes] = {}
        self._bare: dict[str, bytes] = {}
        for entry in snapshot["models"]:
            if not entry["candidates"]:
                continue
            model = catalog.get(entry["id"])
            row = _row(catalog, model, _endpoint_used(model, entry["candidates"]))
            self._full[model.id] = _encode(row)
            # A slug that means another model first would not lead back here.
            if self._names.get(model.slug) == model.id:
                row["id"] = model.slug
            self._bare[model.id] = _encode(row)

    def payload(self, *, style: Style = "full", allow: Sequence[str] | None = None) -> bytes:
        """The body of `GET /v1/models`.

        Args:
            style: How ids are spelled: the profile's `model_ids`.
            allow: The key's allow-list; None for no restriction.
        """
        rows = self._full if style == "full" else self._bare
        body = b",".join(row for model_id, row in rows.items() if is_allowed(model_id, allow))
        return b'{"object":"list","data":[' + body + b"]}"

    def one(
        self, name: str, *, style: Style = "full", allow: Sequence[str] | None = None
    ) -> bytes | None:
        """The body of `GET /v1/models/{name}`, or None for 404.

        Args:
            name: Full id, slug or alias.
            style: As in `payload`.
            allow: As in `payload`.
        """
        model_id = self._names.get(name)
        if model_id is None or not is_allowed(model_id, allow):
            return None
        return (self._full if style == "full" else self._bare).get(model_id)


def models_payload(
    catalog: Catalog,
    snapshot: Mapping[str, Any],
    *,
    style: Style = "full",
    allow: Sequence[str] | None = None,
) -> bytes:
    """The body of `GET /v1/models`, once; keep a `ModelList` to answer many."""
    return ModelList(catalog, snapshot).payload(style=style, allow=allow)


def _encode(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def _endpoint_used(model: CatalogModel, candidates: Sequence[Mapping[str, Any]]) -> Endpoint:
    """The endpoint that a request would reach first; the mock stands in for the first."""
    chosen = candidates[0]["provider"]
    for endpoint in model.endpoints:
        if endpoint.provider == chosen:
            return endpoint
    return model.endpoints[0]


# OpenRouter's names of the prices that are listed only where the endpoint has one of its own.
_OWN_PRICES = {
    "cache_read": "input_cache_read",
    "cache_write": "input_cache_write",
    "cache_write_1h": "input_cache_write_1h",
    "reasoning": "internal_reasoning",
    "audio_input": "audio",
    "audio_output": "audio_output",
    "audio_cache_read": "input_audio_cache",
    "image_input": "image_token",
}


def _pricing(catalog: Catalog, model: CatalogModel, endpoint: Endpoint) -> dict[str, Any]:
    """What clients pay, markup included, as OpenRouter lists it."""
    from seekroute.config.prices import endpoint_table, sold_at

    table = endpoint_table(catalog, model, endpoint)
    markup = table["markup_bps"]
    base = table["variants"][-1]

    def sold(rates: Mapping[str, str], unit: str) -> str:
        return sold_at(rates[unit], markup)

    result: dict[str, Any] = {
        "prompt": sold(base["rates"], "input"),
        "completion": sold(base["rates"], "output"),
        "request": sold(base["rates"], "per_request"),
        # Per generated image of an image model; prompts with images pay by their tokens.
        "image": sold(base["rates"], "per_image") if model.is_image else "0",
    }
    own = {u: name for u, name in _OWN_PRICES.items() if getattr(endpoint.price, u) is not None}
    result |= {name: sold(base["rates"], unit) for unit, name in own.items()}

    def override(rates: Mapping[str, str], condition: dict[str, int]) -> dict[str, Any]:
        named = {"input": "prompt", "output": "completion", **own}
        return condition | {name: sold(rates, unit) for unit, name in named.items()}

    overrides = [
        override(tier["rates"], {"min_prompt_tokens": tier["above"]}) for tier in base["tiers"]
    ]
    # Of OpenRouter's overrides the last one wins, of ours the first.
    for variant in reversed(table["variants"][:-1]):
        if variant["day_start"] == variant["day_end"] or any(
            variant[other] for other in ("service_tier", "from", "until")
        ):
            continue  # by tier or date: OpenRouter has no word for it
        window = {"utc_start": _clock(variant["day_start"]), "utc_end": _clock(variant["day_end"])}
        overrides.append(override(variant["rates"], window))
        overrides += [
            override(tier["rates"], {"min_prompt_tokens": tier["above"], **window})
            for tier in variant["tiers"]
        ]
    if overrides:
        result["overrides"] = overrides
    return result


def _clock(minutes: int) -> int:
    """Minutes of the day as a number HHMM."""
    return minutes // 60 * 100 + minutes % 60


def _cutoff(knowledge: str | None) -> str | None:
    """A knowledge cutoff as the last day it covers."""
    if knowledge is None or len(knowledge) == 10:
        return knowledge
    year, _, month = knowledge.partition("-")
    last = calendar.monthrange(int(year), int(month or 12))[1]
    return f"{year}-{month or 12}-{last}"


def _row(catalog: Catalog, model: CatalogModel, endpoint: Endpoint) -> dict[str, Any]:
    parameters = set(_ALWAYS)
    for feature in model.features:
        parameters.update(_BY_FEATURE[feature])
    return {
        "id": model.id,
        "object": "model",
        "created": model.created_unix,
        "owned_by": model.author,
        "canonical_slug": model.id,
        "name": model.name or model.slug,
        "description": model.description,
        "context_length": endpoint.context or model.context,
        "architecture": {
            "modality": f"{'+'.join(model.input)}->{'+'.join(model.output)}",
            "input_modalities": list(model.input),
            "output_modalities": list(model.output),
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": _pricing(catalog, model, endpoint),
        "top_provider": {
            "context_length": endpoint.context or model.context,
            "max_completion_tokens": endpoint.max_output or model.max_output,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": [] if model.is_image else sorted(parameters),
        "knowledge_cutoff": _cutoff(model.knowledge),
        "expiration_date": model.expires.isoformat() if model.expires else None,
    }
