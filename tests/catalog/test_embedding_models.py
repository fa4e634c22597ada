"""Embedding models in the catalog: what is packaged, how rows are checked, and what is listed."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from seekroute.api.model_query import ModelQuery
from seekroute.api.models import ModelList
from seekroute.config import (
    Settings,
    build_snapshot,
    load_settings,
    model_rows,
    packaged_catalog,
    profiles_of,
)
from seekroute.config.catalog import load_catalog
from seekroute.config.importers import (
    from_genai_prices,
    from_litellm,
    from_models_dev,
    from_openrouter,
)
from seekroute.config.price_lists import take
from seekroute.errors import ConfigError

CATALOG = packaged_catalog()
MODELS = [model for model in CATALOG.models if model.is_embedding]
TODAY = date(2026, 11, 30)
ENVIRON = {"OPENAI_API_KEY": "sk-example", "NEBIUS_API_KEY": "key"}


def snapshot(environ: dict[str, str], **settings: Any) -> dict[str, Any]:
    made = Settings(**settings)
    return build_snapshot(
        made, CATALOG, profiles_of(made), environ, mock_base_url="http://127.0.0.1:9/v1"
    )


def test_there_are_many_of_many_providers() -> None:
    assert len(MODELS) >= 15
    assert len({each.provider for model in MODELS for each in model.endpoints}) >= 6
    for name in ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"):
        model = CATALOG.resolve(name)
        assert model is not None
        assert model.id == f"openai/{name}"
    for model in MODELS:
        assert model.dimensions, model.id
        assert (model.max_output, model.features) == (None, ()), model.id
        for endpoint in model.endpoints:
            assert endpoint.source in CATALOG.sources, model.id
            price = endpoint.price
            assert Decimal(0) < Decimal(price.input or 0) <= Decimal("0.2"), model.id
            assert price.output is None, model.id


def row(**fields: Any) -> str:
    price = json.dumps(fields.pop("price", {"input": "0.02"}))
    more = "".join(f", {name}: {value}" for name, value in fields.items())
    return f"""
version: 1
providers: {{acme: {{base_url: "https://acme.example/v1"}}}}
models:
  - {{id: acme/vectors, context: 512{more}, endpoints: [{{provider: acme, model: v,
      price: {price}}}]}}
"""


def test_a_row_needs_no_price_of_what_it_answers() -> None:
    (model,) = load_catalog(row(output="[embedding]", dimensions=256)).models
    assert (model.kind, model.dimensions) == ("embedding", 256)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"output": "[embedding]", "price": {"output": "1"}}, "price.input: this price is requ"),
        ({"output": "[embedding, text]"}, "gives nothing else"),
        ({"output": "[embedding, embedding]"}, "gives nothing else"),
        ({"dimensions": 256, "price": {"input": "1", "output": "1"}}, "those of embedding models"),
        ({"output": "[embedding]", "dimensions": 0}, "dimensions"),
        ({"output": "[vectors]"}, "output"),
    ],
)
def test_rows_that_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        load_catalog(row(**fields))


def test_what_the_core_is_told() -> None:
    models = {each["id"]: each for each in snapshot(ENVIRON)["models"]}
    small = models["openai/text-embedding-3-small"]
    assert (small["output"], small["other_output"], small["max_output"]) == ("embedding", False, 0)
    (candidate,) = small["candidates"]
    assert (candidate["provider"], candidate["dialect"]) == ("openai", "openai-embeddings")
    assert candidate["dimensions"] == 1536
    assert candidate["reasoning_field"] == "none"
    rates = candidate["price"]["variants"][-1]["rates"]
    assert (rates["input"], rates["cache_read"], rates["output"]) == (
        "0.00000002",
        "0.00000002",
        "0",
    )
    qwen = models["qwen/qwen3-embedding-8b"]["candidates"]
    assert [each["upstream_model"] for each in qwen] == ["Qwen/Qwen3-Embedding-8B"]
    mocked = {each["id"]: each for each in snapshot({}, mock="on")["models"]}
    assert {
        m["candidates"][0]["dialect"] for m in mocked.values() if m["output"] == "embedding"
    } == {"openai-embeddings"}


def test_they_are_never_the_default() -> None:
    only = {"SCALEWAY_API_KEY": "key"}
    assert CATALOG.get(snapshot(only)["default_model"]).kind == "text"
    catalog = load_catalog(row(output="[embedding]"))
    made = Settings(mock="off", providers={"acme": {"api_key": "k"}})
    assert build_snapshot(made, catalog, profiles_of(made), {})["default_model"] == ""


@pytest.mark.parametrize("name", ["text-embedding-3-small", "mine", "acme/mine"])
def test_the_default_cannot_be_set_to_one(name: str) -> None:
    mine = {"id": "acme/mine", "context": 512, "output": ["embedding"]}
    mine["endpoints"] = [{"provider": "openai", "model": "m", "price": {"input": "1"}}]
    with pytest.raises(ConfigError, match="answers no chats"):
        load_settings(None, overrides={"default_model": name, "models": [mine]}, environ={})


def test_the_list_has_them_as_openrouter_does() -> None:
    listed = ModelList(model_rows(CATALOG, snapshot(ENVIRON)))
    found = json.loads(listed.payload(ModelQuery("output_modalities=embeddings")))["data"]
    assert [each["id"] for each in found][:3] == [
        "openai/text-embedding-3-small",
        "openai/text-embedding-3-large",
        "openai/text-embedding-ada-002",
    ]
    small = found[0]
    assert small["architecture"]["modality"] == "text->embeddings"
    assert small["architecture"]["output_modalities"] == ["embeddings"]
    assert small["supported_parameters"] == []
    assert small["context_length"] == 8191
    assert small["top_provider"]["max_completion_tokens"] is None
    price = small["pricing"]
    assert {name: price[name] for name in ("prompt", "completion", "request", "image")} == {
        "prompt": "0.00000002",
        "completion": "0",
        "request": "0",
        "image": "0",
    }
    texts = json.loads(listed.payload(ModelQuery("output_modalities=text")))["data"]
    assert not any("embed" in each["id"] for each in texts)


# --- other lists ------------------------------------------------------------------------------


def test_rows_of_litellm() -> None:
    text = json.dumps(
        {
            "vectors": {
                "litellm_provider": "openai",
                "mode": "embedding",
                "input_cost_per_token": 1e-08,
                "output_cost_per_token": 0.0,
                "max_input_tokens": 8191,
                "max_tokens": 8191,
                "output_vector_size": 1536,
            }
        }
    )
    (model,) = from_litellm(text, checked_on=TODAY).models
    assert (model.id, model.output, model.dimensions) == ("openai/vectors", ("embedding",), 1536)
    assert (model.context, model.max_output) == (8191, None)
    assert (model.endpoints[0].price.input, model.endpoints[0].price.output) == ("0.01", None)


def test_rows_of_openrouter() -> None:
    text = json.dumps(
        {
            "data": [
                {
                    "id": "acme/vectors",
                    "name": "Acme: Vectors",
                    "context_length": 512,
                    "architecture": {
                        "input_modalities": ["text"],
                        "output_modalities": ["embeddings"],
                    },
                    "pricing": {"prompt": "0.00000001", "completion": "0"},
                    "top_provider": {"max_completion_tokens": 460},
                    "supported_parameters": ["temperature"],
                }
            ]
        }
    )
    (model,) = from_openrouter(text, checked_on=TODAY).models
    assert (model.output, model.max_output, model.features) == (("embedding",), None, ())
    assert (model.endpoints[0].price.input, model.endpoints[0].price.output) == ("0.01", None)


def test_lists_without_a_word_for_them() -> None:
    """A model is one if it is called so, or if the catalog has it as one."""
    cost = {"input": 0.02, "output": 0}
    limit = {"context": 8191, "output": 1536}
    models = {
        name: {"name": name, "cost": cost, "limit": limit}
        for name in ("text-embedding-3-small", "text-embedding-9", "gpt-x")
    }
    text = json.dumps({"openai": {"models": models}})
    found = from_models_dev(text, checked_on=TODAY, known=CATALOG)
    assert [(each.id, each.kind) for each in found.models] == [
        ("openai/text-embedding-3-small", "embedding"),
        ("openai/text-embedding-9", "embedding"),
        ("openai/gpt-x", "text"),
    ]
    bge = {"id": "bge-m3", "name": "M", "match": {"equals": "bge-m3"}}
    bge |= {"context_window": 8192, "prices": {"input_mtok": 0.02}}
    text = json.dumps([{"id": "ovhcloud", "models": [bge]}])
    found = from_genai_prices(text, checked_on=TODAY, known=CATALOG)
    (model,) = found.models
    assert (model.id, model.kind) == ("baai/bge-m3", "embedding")
    merged = take(found, CATALOG)
    (changed,) = merged.models
    assert {each.provider: each.price.input for each in changed.endpoints} == {
        "deepinfra": "0.01",
        "ovhcloud": "0.02",
    }
