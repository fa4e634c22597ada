"""What `seekroute.api.models.ModelList` lists, in OpenAI's fields and OpenRouter's: plain data.

Made once, from the catalog: a server is given the finished list, and loads no schema for it.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from typing import Any

from seekroute.config.catalog import MOCK_PROVIDER, Catalog, CatalogModel, Endpoint
from seekroute.config.prices import endpoint_table, sold_at
from seekroute.config.routes import means, tag_of
from seekroute.config.virtual_rows import virtual_row

__all__ = ["model_row", "model_rows", "offer_row", "offers_of", "provider_row"]

_ALWAYS = ("max_tokens", "seed", "stop", "stream", "top_p")
_BY_FEATURE = {
    "reasoning": ("include_reasoning", "reasoning", "reasoning_effort"),
    "structured_output": ("response_format", "structured_outputs"),
    "temperature": ("temperature",),
    "tools": ("parallel_tool_calls", "tool_choice", "tools"),
}
_TOOL_CHOICES = ("auto", "function", "none", "required")
# OpenRouter's names of what answers hold, where they are not ours.
_OPENROUTERS: dict[str, str] = {"embedding": "embeddings"}
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
    "image_output": "image_output",
}


def model_rows(catalog: Catalog, snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """The models that can be used now, their names, and who serves them.

    Args:
        catalog: From `catalog_of`.
        snapshot: From `build_snapshot` with the same catalog.
    """
    models = []
    for entry in snapshot["models"]:
        if not entry["candidates"]:
            continue
        model = catalog.get(entry["id"])
        offers = offers_of(model, entry["candidates"])
        models.append(
            {
                "id": model.id,
                "row": model_row(catalog, model, offers[0][1]),
                "offers": [
                    offer_row(catalog, model, *offer)
                    | {"tag": each["tag"], "upstream_model": each["upstream_model"]}
                    for offer, each in zip(offers, entry["candidates"], strict=True)
                ],
            }
        )
    return {
        "names": {**snapshot["names"], **{name: name for name in snapshot["virtual_models"]}},
        "providers": [provider_row(catalog, each["id"]) for each in snapshot["providers"]],
        "models": models + _virtual_models(catalog, snapshot, models),
    }


def _virtual_models(
    catalog: Catalog, snapshot: Mapping[str, Any], models: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The virtual models of which a member is served, in the shape of the others."""
    candidates = {each["id"]: each["candidates"] for each in snapshot["models"]}
    offers = {each["id"]: each["offers"] for each in models}
    found = []
    for name, virtual in snapshot["virtual_models"].items():
        rows: list[dict[str, Any]] = []
        asked: list[dict[str, Any]] = []
        for member in virtual["candidates"]:
            model = catalog.get(member["model"])
            served = [
                (offer, endpoint)
                for offer, (_, endpoint) in zip(
                    offers.get(model.id, ()),
                    offers_of(model, candidates[model.id]),
                    strict=True,
                )
                if means(member["provider"], offer["tag"])
            ]
            if served:
                rows.append(model_row(catalog, model, served[0][1]))
                own = {"model_id": model.id, "model_name": rows[-1]["name"]}
                asked += [{**offer, **own} for offer, _ in served]
        if rows:
            row = virtual_row(name, rows)
            members = list(dict.fromkeys(each["model_id"] for each in asked))
            found.append({"id": name, "row": row, "offers": asked, "members": members})
    return found


def _pricing(catalog: Catalog, model: CatalogModel, endpoint: Endpoint) -> dict[str, Any]:
    """What clients pay, markup included, as OpenRouter lists it."""
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


def offers_of(
    model: CatalogModel, candidates: Sequence[Mapping[str, Any]]
) -> list[tuple[str, Endpoint]]:
    """Who serves the model, in order: the provider's id, and the endpoint with its price.

    Args:
        model: Of the catalog.
        candidates: Those of the snapshot. The mock stands in for the first endpoint.
    """
    known = {
        (each.model, tag_of(each.provider, each.quantization, each.region or "")): each
        for each in model.endpoints
    }
    found = []
    for candidate in candidates:
        key = (candidate["upstream_model"], candidate["tag"])
        found.append((candidate["provider"], known.get(key, model.endpoints[0])))
    return found


def model_row(catalog: Catalog, model: CatalogModel, endpoint: Endpoint) -> dict[str, Any]:
    """A model as the list shows it, but for its `id` and `links`, which depend on who asks.

    Args:
        catalog: From `catalog_of`.
        model: Of the catalog.
        endpoint: The one that a request reaches first: its limits and prices are shown.
    """
    parameters = set(_ALWAYS if model.kind == "text" else ())
    for feature in model.features if model.kind == "text" else ():
        parameters.update(_BY_FEATURE[feature])
    output = [_OPENROUTERS.get(kind, kind) for kind in model.output]
    return {
        "object": "model",
        "created": model.created_unix,
        "owned_by": model.author,
        "canonical_slug": model.id,
        "hugging_face_id": None,
        "name": model.name or model.slug,
        "description": model.description,
        "context_length": endpoint.context or model.context,
        "architecture": {
            "modality": f"{'+'.join(model.input)}->{'+'.join(output)}",
            "input_modalities": list(model.input),
            "output_modalities": output,
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
        "supported_parameters": sorted(parameters),
        "default_parameters": None,
        "supported_voices": None,
        "knowledge_cutoff": _cutoff(model.knowledge),
        "expiration_date": model.expires.isoformat() if model.expires else None,
    }


def offer_row(
    catalog: Catalog, model: CatalogModel, provider: str, endpoint: Endpoint
) -> dict[str, Any]:
    """What an endpoint of a model has that the model's row does not say.

    Args:
        catalog: From `catalog_of`.
        model: Of the catalog.
        provider: Who is asked: the endpoint's own provider, or the mock.
        endpoint: Whose limits and prices hold.
    """
    price = endpoint.price
    takes_choice = "tools" in model.features
    return {
        "provider_name": provider_row(catalog, provider)["name"],
        "tag": provider,
        "quantization": None if endpoint.quantization == "unknown" else endpoint.quantization,
        "context_length": endpoint.context or model.context,
        "max_completion_tokens": endpoint.max_output or model.max_output,
        "pricing": _pricing(catalog, model, endpoint),
        "supports_tool_choice": dict.fromkeys(_TOOL_CHOICES, takes_choice),
        # Where writing to the cache costs extra, it has to be asked for.
        "supports_implicit_caching": price.cache_read is not None and price.cache_write is None,
    }


def provider_row(catalog: Catalog, provider: str) -> dict[str, Any]:
    """A provider in OpenRouter's fields. What a catalog does not know is null."""
    name = "Mock" if provider == MOCK_PROVIDER else catalog.providers[provider].name or provider
    return {
        "name": name,
        "slug": provider,
        "privacy_policy_url": None,
        "terms_of_service_url": None,
        "status_page_url": None,
        "headquarters": None,
        "datacenters": None,
    }
