"""Price lists as they are found: finer prices, bare arrays, two rows for one model."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from seekroute.config import packaged_catalog
from seekroute.config.importers import from_openrouter
from seekroute.config.importers.rows import Rows
from seekroute.config.price_lists import guess_list, read_list
from seekroute.errors import ConfigError

DAY = date(2026, 7, 2)


def row(id: str, prompt: str = "0.000001", **fields: Any) -> dict[str, Any]:
    pricing = {"prompt": prompt, "completion": "0.000002", **fields.pop("pricing", {})}
    return {"id": id, "context_length": 8192, "pricing": pricing, **fields}


def read(*rows: dict[str, Any]) -> Any:
    return from_openrouter(json.dumps({"data": rows}), checked_on=DAY)


@pytest.mark.parametrize(
    ("per_token", "price"),
    [
        # What Gemini's rows have for writing to the cache.
        ("0.00000008333333333333334", "0.083334"),
        ("0.0000000833333", "0.083334"),
        ("0.000000083333", "0.083333"),
        ("0.0000000000000001", "0"),  # noise
        ("0.00000000000001", "0.000001"),
        ("0.000002083333333333", "2.083334"),
    ],
)
def test_finer_prices_are_rounded_up_and_reported(per_token: str, price: str) -> None:
    found = read(row("google/gemini-x", pricing={"input_cache_write": per_token}))
    assert not found.skipped
    written = found.models[0].endpoints[0].price.cache_write
    assert written == price
    exact = price == "0.083333"
    assert any("cache_write rounded" in str(note) for note in found.notes) is not exact


@pytest.mark.parametrize("per_token", ["1e999999999", "1e-999999999", "-1e999999"])
def test_an_exponent_without_end_is_no_price(per_token: str) -> None:
    found = read(row("acme/large", per_token), row("acme/small"))
    assert [model.id for model in found.models] == ["acme/small"]
    assert [str(each) for each in found.skipped] == ["acme/large: a price is out of range"]


def test_a_bare_array_is_the_list_too() -> None:
    text = json.dumps([row("acme/large"), row("acme/small")])
    assert guess_list(text) == "openrouter"
    found = from_openrouter(text, checked_on=DAY)
    assert [model.id for model in found.models] == ["acme/large", "acme/small"]


@pytest.mark.parametrize("text", ["[]", '[{"id": "a/b"}]', "[1, 2]", '{"data": []}'])
def test_a_file_without_any_row_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no price list|no row of OpenRouter"):
        read_list(guess_list(text), text, checked_on=DAY, catalog=packaged_catalog())
    with pytest.raises(ConfigError, match=r"no row of genai-prices|not a price list"):
        read_list("genai-prices", text, checked_on=DAY, catalog=packaged_catalog())


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        ({"created": 1_700_000_000}, {"created": 1_750_000_000}, "2"),
        ({"created": 1_750_000_000}, {"created": 1_700_000_000}, "1"),
        ({}, {}, "2"),
        ({"created": 1_750_000_000}, {}, "2"),
    ],
)
@pytest.mark.parametrize("name", ["acme/large", "Acme/Large"])
def test_of_two_rows_for_one_model_the_newer_one_is_taken(
    first: dict[str, Any], second: dict[str, Any], taken: str, name: str
) -> None:
    found = read(row("acme/large", "0.000001", **first), row(name, "0.000002", **second))
    assert len(found.models) == 1
    assert [each.price.input for each in found.models[0].endpoints] == [taken]
    assert len(found.skipped) == 1
    assert "stands for acme/large like" in str(found.skipped[0])


def test_a_newer_row_of_one_provider_leaves_the_others_their_lengths() -> None:
    rows = Rows(source="openrouter", checked_on=DAY, providers=None, known=None)
    old, new = {"context": 100_000, "max_output": 8_000}, {"context": 200_000, "max_output": 64_000}
    price = {"input": "1", "output": "2"}
    rows.add("a", "novita", "acme/m", {**old, "price": price})
    rows.add("b", "together", "acme/m", {**old, "price": price})
    rows.add("c", "novita", "acme/m", {**new, "price": price})
    (model,) = rows.done().models
    assert {
        each.provider: (each.context or model.context, each.max_output or model.max_output)
        for each in model.endpoints
    } == {"novita": (200_000, 64_000), "together": (100_000, 8_000)}
