"""What the core is given to decide by which endpoint of which model a request is answered."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from seekroute.config.catalog import Catalog, CatalogModel, Endpoint
from seekroute.config.routing_schema import VirtualCandidate
from seekroute.config.settings import Settings

__all__ = ["routed", "routing_of", "tag_of"]

_INPUTS = ("image", "audio", "video", "file")
# Parameters that whoever has the feature takes.
_TAKEN_WITH = {
    "tools": ("tools",),
    "tool_choice": ("tool_choice",),
    "structured_output": ("response_format",),
    "reasoning": ("reasoning", "reasoning_effort"),
    "logprobs": ("logprobs", "top_logprobs"),
    "choices": ("n",),
}


def _traits(model: CatalogModel, endpoint: Endpoint) -> dict[str, str]:
    """What an endpoint is known to have, or not, of what a request may need.

    A model that lists features has these; of what it does not list nothing is known. One that
    lists more inputs than text takes no others.
    """
    known: dict[str, str] = {name: "yes" for name in model.features if name != "temperature"}
    says_inputs = tuple(model.input) != ("text",)
    for kind in _INPUTS:
        if kind in model.input:
            known[f"{kind}_input"] = "yes"
        elif says_inputs:
            known[f"{kind}_input"] = "no"
    for kind in ("audio", "image"):
        if kind in model.output:
            known[f"{kind}_output"] = "yes"
    known.update({str(name): str(word) for name, word in (endpoint.features or {}).items()})
    return {name: word for name, word in known.items() if word != "unknown"}


def routed(model: CatalogModel, endpoint: Endpoint, provider: str = "") -> dict[str, Any]:
    """What of an endpoint decides whether, and when, it is asked."""
    traits = _traits(model, endpoint)
    takes: set[str] = set(endpoint.parameters)
    if "temperature" in model.features:
        takes.add("temperature")
    for name, parameters in _TAKEN_WITH.items():
        if traits.get(name) == "yes":
            takes.update(parameters)
    takes.difference_update(endpoint.refuses)
    said = {
        "region": endpoint.region,
        "quantization": endpoint.quantization if endpoint.quantization != "unknown" else None,
    }
    result: dict[str, Any] = {name: word for name, word in said.items() if word}
    result["tag"] = tag_of(
        provider or endpoint.provider, endpoint.quantization, endpoint.region or ""
    )
    if endpoint.data.collects != "unknown":
        result["data_collects"] = endpoint.data.collects
    if endpoint.data.zdr != "unknown":
        result["zdr"] = endpoint.data.zdr
    if endpoint.weight != 1:
        result["weight"] = endpoint.weight
    if traits:
        result["traits"] = traits
    if takes:
        result["takes"] = sorted(takes)
    return result


def tag_of(provider: str, quantization: str, region: str) -> str:
    """The name of an endpoint among those of its model; empty words are not known."""
    own = "" if quantization == "unknown" else quantization
    return "/".join(filter(None, (provider, "-".join(filter(None, (own, region))))))


def means(provider: str, tag: str) -> bool:
    """Whether an endpoint's tag is, or begins with, a provider or a tag; "" means all. Letter case
    does not count, as in the core."""
    return not provider or f"{tag}/".lower().startswith(f"{provider}/".lower())


def routing_of(
    settings: Settings, catalog: Catalog, mocked: Set[str] = frozenset()
) -> dict[str, Any]:
    """The parts of a snapshot that are not about one endpoint.

    Args:
        mocked: ids of models for which the mock stands in, at whichever provider they are asked.
    """
    rules = settings.routing

    def member_of(member: VirtualCandidate) -> dict[str, Any]:
        model = _id_of(catalog, member.model)
        provider = "" if model in mocked else (member.provider or "").lower()
        return {"model": model, "provider": provider, "weight": member.weight}

    return {
        "routing": {
            "balance": rules.balance,
            "max_price_jump": rules.max_price_jump,
            "explore": rules.explore,
        },
        "virtual_models": {
            name: {
                "strategy": virtual.strategy,
                "candidates": [member_of(member) for member in virtual.candidates],
            }
            for name, virtual in settings.virtual_models.items()
        },
        "fallbacks": {
            kind: _listed(catalog, getattr(rules.fallbacks, kind))
            for kind in ("any", "context", "content_policy")
        },
    }


def _id_of(catalog: Catalog, name: str) -> str:
    """The id that a name means. The settings are checked: there is one."""
    model = catalog.resolve(name)
    return model.id if model else name


def _listed(catalog: Catalog, lists: Mapping[str, tuple[str, ...]]) -> dict[str, list[str]]:
    return {
        _id_of(catalog, name): [_id_of(catalog, other) for other in others]
        for name, others in lists.items()
    }
