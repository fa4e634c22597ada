"""Turns settings, catalog and profiles into the snapshot that the core takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from seekroute.config.auto_pool import auto_pool
from seekroute.config.catalog import (
    AUTO_NAMES,
    MOCK_PROVIDER,
    Catalog,
    CatalogModel,
    Endpoint,
)
from seekroute.config.catalog_schema import CALL_TIMEOUTS, DEFAULT_KEEP_ALIVE_MS
from seekroute.config.limit_schema import LimitValues
from seekroute.config.prices import endpoint_table
from seekroute.config.profile import ProfileFile
from seekroute.config.routes import routed, routing_of
from seekroute.config.settings import ProviderSettings, Settings

__all__ = [
    "build_snapshot",
    "dialect_of",
    "key_sources",
    "mock_is_on",
    "unserved_models",
    "usable_providers",
]

# What `auto` means when nothing was chosen: capable and inexpensive, one of each big provider.
DEFAULT_MODELS = (
    "openai/gpt-5-mini",
    "google/gemini-2.5-flash",
    "anthropic/claude-haiku-4-5",
    "deepseek/deepseek-chat",
    "mistralai/mistral-small-2603",
    "x-ai/grok-4.3",
    "moonshotai/kimi-k2.5",
    "openai/gpt-oss-120b",
)


def _keys_of(own: ProviderSettings | None, environ: Mapping[str, str]) -> list[dict[str, Any]]:
    """The keys of a provider with several, as the core takes them."""
    found = []
    for key in own.keys if own else ():
        text = (
            key.api_key.get_secret_value() if key.api_key else _usable(environ.get(key.env or ""))
        )
        if text:
            row = {"id": key.id, "authorization": f"Bearer {text}", "weight": key.weight}
            found.append({**row, **_limits(key.limits)})
    return found


def _limits(limits: LimitValues) -> dict[str, Any]:
    """The member of a row that has them; empty where there are none."""
    return {"limits": said} if (said := limits.said()) else {}


def _usable(key: str | None) -> str:
    # A line break from a pasted key would end the header it is sent in.
    text = (key or "").strip()
    return text if text.isascii() and all(32 < ord(c) < 127 for c in text) else ""


def _key_of(
    provider_id: str, own: ProviderSettings | None, catalog: Catalog, environ: Mapping[str, str]
) -> str:
    if own and own.api_key:
        return own.api_key.get_secret_value()
    if own and own.keys:  # where none has a text, no other account is billed in their place
        several = _keys_of(own, environ)
        return str(several[0]["authorization"]).removeprefix("Bearer ") if several else ""
    return _key_in_environ(provider_id, catalog, environ)[1]


def _key_in_environ(
    provider_id: str, catalog: Catalog, environ: Mapping[str, str]
) -> tuple[str, str]:
    """The first variable with a key in it, and the key; empty: none has one."""
    for variable in catalog.providers[provider_id].env:
        if key := _usable(environ.get(variable)):
            return variable, key
    return "", ""


def key_sources(settings: Settings, catalog: Catalog, environ: Mapping[str, str]) -> dict[str, str]:
    """Where the key of each usable provider comes from: a variable's name, or a setting's path."""
    found = {}
    for provider_id in usable_providers(settings, catalog, environ):
        own = settings.providers.get(provider_id)
        if own and own.keys:
            count = len(_keys_of(own, environ))
            found[provider_id] = f"providers.{provider_id}.keys ({count})"
            continue
        variable = "" if own and own.api_key else _key_in_environ(provider_id, catalog, environ)[0]
        found[provider_id] = variable or f"providers.{provider_id}.api_key"
    return found


def usable_providers(
    settings: Settings, catalog: Catalog, environ: Mapping[str, str]
) -> dict[str, str]:
    """The providers that can be called, with their keys (empty: none is sent).

    A provider with environment variables in the catalog needs a key in one of them or in the
    settings, or `enabled: true` together with a base_url of its own. One that the operator
    defined is usable as it stands. Where `keys` are named, one of them has to have a value, whoever
    the provider is. `enabled: false` switches any off, and `mock: on` all of them:
    who asks for the mock pays nobody, whatever keys the environment holds.
    """
    result: dict[str, str] = {}
    if settings.mock == "on":
        return result
    for provider_id, provider in catalog.providers.items():
        own = settings.providers.get(provider_id)
        if own and own.enabled is False:
            continue
        key = _key_of(provider_id, own, catalog, environ)
        keyless = own is not None and own.base_url is not None and not own.keys
        if key or (keyless and (not provider.env or (own is not None and own.enabled))):
            result[provider_id] = key
    return result


def mock_is_on(settings: Settings, catalog: Catalog, environ: Mapping[str, str]) -> bool:
    """Whether the caller has to start the mock provider and pass its URL to `build_snapshot`."""
    if settings.mock == "auto":
        return not usable_providers(settings, catalog, environ)
    return settings.mock in ("on", "beside")


def build_snapshot(
    settings: Settings,
    catalog: Catalog,
    profiles: Sequence[ProfileFile],
    environ: Mapping[str, str],
    *,
    mock_base_url: str = "",
) -> dict[str, Any]:
    """What the core installs, whole.

    Args:
        settings: From `load_settings`.
        catalog: From `catalog_of`.
        profiles: From `profiles_of`; the first is the default.
        environ: Where provider keys are looked up.
        mock_base_url: Where the mock provider listens; needed when `mock_is_on`, ignored
            otherwise.

    Raises:
        ValueError: The mock provider is on and its URL is missing.
    """
    usable = usable_providers(settings, catalog, environ)
    mocked = mock_is_on(settings, catalog, environ)
    if mocked and not mock_base_url:
        raise ValueError("the mock provider is on: mock_base_url is required")
    providers = [_provider(settings, catalog, name, key, environ) for name, key in usable.items()]
    if mocked:
        providers.append(
            {
                "id": MOCK_PROVIDER,
                "base_url": mock_base_url.rstrip("/"),
                "authorization": "",
                "allow_http": True,
                "allow_private": True,
                "ca_file": "",
                "proxy": "",
                "headers": [],
            }
        )
    off = {name for name, own in settings.providers.items() if own.enabled is False}
    if settings.mock == "on":
        off.update(catalog.providers)
    models = [_model(settings, catalog, model, usable, off, mocked) for model in catalog.models]
    return {
        "profiles": [profile.to_core(marked_up=catalog.markup.is_set) for profile in profiles],
        "default_profile": profiles[0].name,
        "providers": providers,
        "models": models,
        "names": dict(catalog.names),
        "auto_names": list(AUTO_NAMES),
        "default_model": _default_model(settings, catalog, models),
        "auto": auto_pool(settings, catalog, models),
        **routing_of(settings, catalog, _mocked_models(models)),
    }


def _mocked_models(models: Sequence[Mapping[str, Any]]) -> set[str]:
    """The ids of those for which the mock stands in."""
    return {
        model["id"] for model in models if any(each.get("stand_in") for each in model["candidates"])
    }


def _provider(
    settings: Settings, catalog: Catalog, name: str, key: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    own = settings.providers.get(name) or ProviderSettings()
    proxy = own.proxy.get_secret_value() if own.proxy else ""
    return {
        "id": name,
        "base_url": own.base_url or catalog.providers[name].base_url,
        "authorization": f"Bearer {key}" if key else "",
        **({"keys": keys} if (keys := _keys_of(own, environ)) else {}),
        **_limits(own.limits),
        "allow_http": own.allow_http,
        "allow_private": own.allow_private,
        "ca_file": own.ca_file,
        "proxy": proxy,
        "headers": [f"{k}: {v.get_secret_value()}" for k, v in own.headers.items()],
        "stream_options": (
            catalog.providers[name].stream_options
            if own.stream_options is None
            else own.stream_options
        ),
        "on_abort": own.on_abort or catalog.providers[name].on_abort,
        "keep_alive_ms": _keep_alive_ms(own, catalog.providers[name].keep_alive_ms),
    }


def _keep_alive_ms(own: ProviderSettings, packaged: int) -> int:
    if own.keep_alive_ms is not None:
        return own.keep_alive_ms
    # What the catalog knows is of the provider's own servers.
    return min(packaged, DEFAULT_KEEP_ALIVE_MS) if own.base_url else packaged


def _timeouts(
    settings: Settings, catalog: Catalog, model: CatalogModel, endpoint: Endpoint
) -> dict[str, int]:
    """What is said of an endpoint beside `settings.timeouts`; the most specific wins."""
    own = settings.providers.get(endpoint.provider)
    said = [endpoint.timeouts, model.timeouts]
    said += [own.timeouts] if own else []
    said.append(catalog.providers[endpoint.provider].timeouts)
    result: dict[str, int] = {}
    for name in CALL_TIMEOUTS:
        values = (getattr(each, name) for each in said)
        chosen = next((value for value in values if value is not None), None)
        if chosen is not None:
            result[name] = chosen
    return result


def _first(*said: Any) -> Any:
    return next((value for value in said if value is not None), None)


def _can_think(model: CatalogModel) -> bool:
    """Whether a model can be asked to think, as far as its features say. Its `thinks` is about
    requests that do not ask; what an endpoint is said to take is believed before."""
    return model.kind == "text" and (not model.features or "reasoning" in model.features)


def _reasoning_field(
    settings: Settings, catalog: Catalog, model: CatalogModel, endpoint: Endpoint
) -> str:
    """The field in which an endpoint takes how much to think; `none` where it takes none."""
    if endpoint.reasoning_field is not None:
        return endpoint.reasoning_field
    own = settings.providers.get(endpoint.provider) or ProviderSettings()
    packaged = catalog.providers[endpoint.provider].reasoning_field
    field = own.reasoning_field or packaged
    # A model that does not think has a provider refuse the request for this word.
    return "none" if field == "reasoning_effort" and not _can_think(model) else field


def _reasoning(
    settings: Settings, catalog: Catalog, model: CatalogModel, endpoint: Endpoint
) -> dict[str, Any]:
    """What bounds thinking that the longest wanted answer leaves out; empty where it does not."""
    own = settings.providers.get(endpoint.provider) or ProviderSettings()
    packaged = catalog.providers[endpoint.provider]
    of_provider = _first(own.cap_excludes_reasoning, packaged.cap_excludes_reasoning)
    if model.kind != "text" or not _first(endpoint.cap_excludes_reasoning, of_provider):
        return {}
    field = _first(
        endpoint.reasoning_budget_field, own.reasoning_budget_field, packaged.reasoning_budget_field
    )
    return {
        "cap_excludes_reasoning": True,
        # A word of the endpoint itself is about this very model.
        "thinks_if_asked": not model.thinks and endpoint.cap_excludes_reasoning is None,
        "reasoning_budget_field": "" if field == "none" else field,
        "max_reasoning": _first(
            endpoint.max_reasoning, own.max_reasoning, packaged.max_reasoning, 0
        ),
    }


def _dropped(settings: Settings, endpoint: Endpoint) -> dict[str, list[str]]:
    """The parameters that it refuses and is not sent, where the operator wants it so."""
    own = settings.providers.get(endpoint.provider) or ProviderSettings()
    drop = _first(own.drop_refused_parameters, settings.drop_refused_parameters)
    return {"dropped_fields": list(endpoint.refuses)} if drop and endpoint.refuses else {}


def _bounds(model: CatalogModel, endpoint: Endpoint) -> dict[str, int]:
    """What the endpoint says of its lengths, in tokens; the model's hold where it says nothing.

    With the numbers of its vectors, where it gives those.
    """
    own = {
        "context": endpoint.context,
        "max_output": endpoint.max_output,
        "dimensions": model.dimensions,
    }
    return {name: length for name, length in own.items() if length}


# Pictures are drawn, and vectors are given, at paths of their own.
_OPENAI_DIALECTS = {
    "text": "openai-chat",
    "image": "openai-images",
    "embedding": "openai-embeddings",
}


def dialect_of(catalog: Catalog, model: CatalogModel, endpoint: Endpoint) -> str:
    """The protocol that an endpoint is asked in: of OpenAI's, the one for what the model gives."""
    dialect = catalog.dialect_of(endpoint)
    return _OPENAI_DIALECTS[model.kind] if dialect == "openai-chat" else dialect


def _model(
    settings: Settings,
    catalog: Catalog,
    model: CatalogModel,
    usable: Mapping[str, str],
    off: Collection[str],
    mocked: bool,
) -> dict[str, Any]:
    candidates: list[dict[str, Any]] = []
    excluded: list[dict[str, str]] = []
    for endpoint in model.endpoints:
        if endpoint.provider in usable and catalog.is_served(endpoint):
            price = endpoint_table(catalog, model, endpoint)
            cap_field = endpoint.cap_field or catalog.providers[endpoint.provider].cap_field
            candidates.append(
                {
                    "provider": endpoint.provider,
                    "upstream_model": endpoint.model,
                    "dialect": dialect_of(catalog, model, endpoint),
                    "cap_field": cap_field,
                    "reasoning_field": _reasoning_field(settings, catalog, model, endpoint),
                    **_dropped(settings, endpoint),
                    **_bounds(model, endpoint),
                    "price": price,
                    **_reasoning(settings, catalog, model, endpoint),
                    **routed(model, endpoint),
                    **_limits(endpoint.limits),
                }
            )
            timeouts = _timeouts(settings, catalog, model, endpoint)
            if timeouts:
                candidates[-1]["timeouts"] = timeouts
            continue
        reason = "disabled" if endpoint.provider in off else "no_key"
        if endpoint.provider in usable:
            reason = "dialect"
        excluded.append({"provider": endpoint.provider, "reason": reason})
    if not candidates and mocked:
        # The mock charges what the model's first real endpoint would, but nothing who has paid.
        first = model.endpoints[0]
        candidates.append(
            {
                "provider": MOCK_PROVIDER,
                "upstream_model": model.id,
                "dialect": _OPENAI_DIALECTS[model.kind],
                # It refuses what the provider would.
                "cap_field": first.cap_field or catalog.providers[first.provider].cap_field,
                "reasoning_field": _reasoning_field(settings, catalog, model, first),
                **_dropped(settings, first),
                **_bounds(model, first),
                "price": endpoint_table(catalog, model, first),
                **routed(model, first, MOCK_PROVIDER),
                "stand_in": True,
            }
        )
    return {
        "id": model.id,
        "output": model.kind,
        "other_output": not set(model.output) <= {"text", "embedding"},
        "context": model.context,
        "max_output": model.max_output or 0,
        "candidates": candidates,
        "excluded": excluded,
    }


def unserved_models(
    settings: Settings, catalog: Catalog, snapshot: Mapping[str, Any]
) -> dict[str, str]:
    """What each model lacks that nobody serves, by its id, in words for whoever runs the gateway.

    Args:
        snapshot: From `build_snapshot` with the same catalog and settings.
    """
    lacks = {name: _lack_of(settings, catalog, name) for name in catalog.providers}
    return {
        each["id"]: "; or ".join(
            lacks[one["provider"]]
            if one["reason"] != "dialect"
            else f"{one['provider']} speaks a protocol that is not spoken here"
            for one in each["excluded"]
        )
        for each in snapshot["models"]
        if not each["candidates"]
    }


def _lack_of(settings: Settings, catalog: Catalog, name: str) -> str:
    """Why a provider is not asked, as what to do about it."""
    own = settings.providers.get(name)
    if own is not None and own.enabled is False:
        return f"providers.{name}.enabled is false"
    if own is not None and own.keys:
        variables = " or ".join(key.env for key in own.keys if key.env)
        return f"set {variables}, of providers.{name}.keys"
    variables = " or ".join(catalog.providers[name].env)
    if not variables:
        return f"set providers.{name}.base_url"
    return f"set {variables}, or providers.{name}.api_key"


def _default_model(
    settings: Settings, catalog: Catalog, models: Sequence[Mapping[str, Any]]
) -> str:
    if settings.default_model:
        chosen = catalog.resolve(settings.default_model)
        return chosen.id if chosen else ""
    served: dict[str, list[dict[str, Any]]] = {
        m["id"]: m["candidates"] for m in models if m["candidates"] and m["output"] == "text"
    }
    real = {k for k, c in served.items() if any(x["provider"] != MOCK_PROVIDER for x in c)}
    for pool in (real, served):
        for model_id in (*DEFAULT_MODELS, *served):
            if model_id in pool:
                return model_id
    return ""
