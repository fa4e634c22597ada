"""The answers of `GET /v1/models` and `GET /v1/models/{id}`: OpenAI's fields and OpenRouter's."""

from __future__ import annotations

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
            row = _row(model, _endpoint_used(model, entry["candidates"]))
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


def _pricing(endpoint: Endpoint, *, image: bool) -> dict[str, Any]:
    from seekroute.config.catalog import per_token, rates

    price, unit = endpoint.price, rates(endpoint.price)
    result: dict[str, Any] = {
        "prompt": unit["input"],
        "completion": unit["output"],
        "request": unit["per_request"],
        # Per generated image of an image model; prompts with images pay by their tokens.
        "image": unit["per_image"] if image else "0",
    }
    if price.cache_read is not None:
        result["input_cache_read"] = unit["cache_read"]
    if price.cache_write is not None:
        result["input_cache_write"] = per_token(price.cache_write)
    if price.tiers:
        result["overrides"] = [
            {
                "min_prompt_tokens": tier.above,
                "prompt": per_token(tier.input),
                "completion": per_token(tier.output),
                **({"input_cache_read": per_token(tier.cache_read)} if tier.cache_read else {}),
            }
            for tier in price.tiers
        ]
    return result


def _row(model: CatalogModel, endpoint: Endpoint) -> dict[str, Any]:
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
        "pricing": _pricing(endpoint, image=model.is_image),
        "top_provider": {
            "context_length": endpoint.context or model.context,
            "max_completion_tokens": endpoint.max_output or model.max_output,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": [] if model.is_image else sorted(parameters),
    }
