"""Whole price lists, whatever they hold, and what changed between two catalogs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekroute.config import packaged_catalog
from seekroute.config.catalog import Catalog, Provider, Source, load_catalog
from seekroute.config.catalog_text import dump_catalog
from seekroute.config.importers import (
    Imported,
    diff,
    from_genai_prices,
    from_litellm,
    from_models_dev,
    from_openrouter,
)
from seekroute.errors import ConfigError
from shared import shared_path

TODAY = date(2026, 7, 2)

# --- all of them ------------------------------------------------------------------------------

READERS: list[Callable[..., Imported]] = [
    from_genai_prices,
    from_litellm,
    from_models_dev,
    from_openrouter,
]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", ["", "{", "5", '"x"', "null", "[" * 100_000, b"\xff"])
def test_what_is_no_price_list_is_refused(
    reader: Callable[..., Imported], text: str | bytes
) -> None:
    with pytest.raises(ConfigError):
        reader(text, checked_on=TODAY)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("id", "models", "data", "cost", "pricing", "prices", "limit", "match", "or"),
                    *("context_length", "input", "output", "tiers", "overrides", "constraint"),
                    *("modalities", "architecture", "litellm_provider", "mode", "price_variants"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(READERS), junk)
def test_any_json_is_read_or_refused(reader: Callable[..., Imported], data: Any) -> None:
    with contextlib.suppress(ConfigError):
        reader(json.dumps(data), checked_on=TODAY)


@pytest.mark.parametrize(
    ("reader", "parts", "least"),
    [
        (from_models_dev, ("catalog", "models.dev.json"), 2500),
        (from_genai_prices, ("catalog", "genai-prices.json"), 300),
        (from_openrouter, ("api", "openrouter.models-list.json"), 300),
    ],
)
def test_whole_lists(reader: Callable[..., Imported], parts: tuple[str, ...], least: int) -> None:
    text = shared_path("data", *parts).read_bytes()
    found = reader(text, checked_on=TODAY, source="s")
    assert len(found.models) > least
    ids = [model.id for model in found.models]
    assert len(set(ids)) == len(ids)
    providers = {e.provider for model in found.models for e in model.endpoints}
    source = Source(title="S", url="https://s", checked_on=TODAY, valid_from=TODAY)
    catalog = Catalog(
        {name: Provider(base_url="https://p.example") for name in sorted(providers)},
        found.models,
        {"s": source},
    )
    assert load_catalog(dump_catalog(catalog)) == catalog
    # A row is taken or left out with a reason, never lost; rules with several names make more.
    taken = sum(len(model.endpoints) for model in found.models)
    rows = json.loads(text)
    if reader is from_models_dev:
        listed = sum(len(provider["models"]) for provider in rows.values())
        assert taken + len(found.skipped) == listed
    elif reader is from_openrouter:
        assert taken + len(found.skipped) == len(rows["data"])


# --- comparing --------------------------------------------------------------------------------

HEAD = """
version: 1
providers:
  one: {base_url: "https://one.example.com/v1"}
models:
"""


def small(*rows: str) -> Catalog:
    lines = [f"  - {{id: a/{n}, context: 9, endpoints: [{row}]}}" for n, row in enumerate(rows)]
    return load_catalog(HEAD + "\n".join(lines))


def test_what_changed_between_catalogs() -> None:
    older = small(
        '{provider: one, model: gone, price: {input: "1", output: "1"}}',
        '{provider: one, model: same, price: {input: "1", output: "1"}}',
        '{provider: one, model: moved, price: {input: "1", output: "1", cache_read: "0.5"}}',
        "{provider: one, model: given, free: true}",
    )
    newer = small(
        '{provider: one, model: moved, price: {input: "2", output: "1",'
        ' tiers: [{above: 5, input: "3"}]}}',
        '{provider: one, model: same, price: {input: "1", output: "1"}, context: 5}',
        '{provider: one, model: given, price: {input: "1", output: "1"}}',
        '{provider: one, model: new, price: {input: "1", output: "1"}}',
    )
    found = diff(older, newer)
    assert found
    assert found.added == (("a/3", "one", "new"),)
    assert found.removed == (("a/0", "one", "gone"),)
    assert [str(change) for change in found.changed] == [
        "one/moved: input 1 -> 2",
        "one/moved: cache_read 0.5 -> None",
        "one/moved: tiers None -> [{'input': '3', 'above': 5}]",
        "one/given: free True -> None",
        "one/given: input None -> 1",
        "one/given: output None -> 1",
    ]
    assert not diff(older, older)


def test_an_imported_list_against_the_packaged_catalog() -> None:
    packaged = packaged_catalog()
    endpoint = packaged.get("openai/gpt-4o-mini").endpoints[-1]
    assert endpoint.provider == "openrouter"
    pricing = {"prompt": "0.0000002", "completion": "0.0000006", "input_cache_read": "0.000000075"}
    row = {"id": endpoint.model, "context_length": 128000, "pricing": pricing}
    found = from_openrouter(json.dumps({"data": [row]}), checked_on=TODAY)
    changes = diff(packaged, Catalog(packaged.providers, found.models, {})).changed
    assert [str(change) for change in changes] == [
        "openrouter/openai/gpt-4o-mini: input 0.15 -> 0.2"
    ]
