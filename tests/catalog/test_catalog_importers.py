"""Reading public price lists: exact amounts, every row either taken or explained."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekroute.config import packaged_catalog
from seekroute.config.catalog import Price, Provider
from seekroute.config.importers import (
    Imported,
    from_genai_prices,
    from_litellm,
    from_models_dev,
    from_openrouter,
)
from seekroute.config.prices import price_table

TODAY = date(2026, 7, 2)


def remarks(found: list[Any]) -> dict[str, str]:
    return {remark.row: remark.text for remark in found}


def price_of(found: Imported, model_id: str) -> Price:
    (model,) = [model for model in found.models if model.id == model_id]
    return model.endpoints[0].price


# --- models.dev -------------------------------------------------------------------------------


def models_dev(cost: str, *, model: str = "big", more: str = "") -> str:
    return f"""{{"xai": {{"name": "xAI", "api": "https://api.x.ai/v1/", "env": ["XAI_API_KEY"],
      "doc": "https://docs.x.ai", "models": {{"{model}": {{"name": "Big", {more}
      "limit": {{"context": 1000, "output": 100}}, "knowledge": "2025-01",
      "release_date": "2025-08", "modalities": {{"input": ["text", "pdf"], "output": ["text"]}},
      "tool_call": true, "reasoning": false, "structured_output": true, "temperature": true,
      "cost": {cost}}}}}}}}}"""


def test_a_row_of_models_dev() -> None:
    text = models_dev("""{"input": 1.25, "output": 10, "cache_read": 0.125, "input_audio": 3,
      "output_audio": 20, "reasoning": 12, "context_over_200k": {"input": 2.5},
      "tiers": [{"tier": {"size": 256000}, "input": 4, "output": 20},
                {"tier": {"type": "context", "size": 200000}, "input": 2.5, "output": 15}]}""")
    found = from_models_dev(text, checked_on=TODAY)
    assert (found.skipped, found.notes) == ([], [])
    assert found.providers == {
        "xai": Provider(
            name="xAI",
            base_url="https://api.x.ai/v1",
            env=("XAI_API_KEY",),
            docs="https://docs.x.ai",
        )
    }
    (model,) = found.models
    assert (model.id, model.name, model.context, model.max_output) == ("x-ai/big", "Big", 1000, 100)
    assert (model.created, model.knowledge) == (date(2025, 8, 1), "2025-01")
    assert (model.input, model.features) == (
        ("text", "file"),
        ("tools", "structured_output", "temperature"),
    )
    (endpoint,) = model.endpoints
    assert (endpoint.provider, endpoint.model, endpoint.checked_on) == ("xai", "big", TODAY)
    price = endpoint.price
    assert (price.input, price.output, price.cache_read) == ("1.25", "10", "0.125")
    assert (price.audio_input, price.audio_output, price.reasoning) == ("3", "20", "12")
    assert [(t.above, t.input, t.output) for t in price.tiers] == [
        (200000, "2.5", "15"),
        (256000, "4", "20"),
    ]


def test_noise_and_misnamed_keys_are_put_right_and_reported() -> None:
    cost = '{"input": 0.049999999999999996, "output": 1e0, "cached_input": 0.01, "cited": 5}'
    found = from_models_dev(models_dev(cost), checked_on=TODAY)
    price = price_of(found, "x-ai/big")
    assert (price.input, price.output, price.cache_read) == ("0.05", "1", "0.01")
    assert [note.text for note in found.notes] == [
        "cached_input read as cache_read",
        "the price cited is not one of ours",
        "input rounded from 0.049999999999999996 to 0.05",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (models_dev("null"), "no price"),
        (models_dev('{"input": 1}'), "output: this price is required"),
        (models_dev('{"input": -1, "output": 1}'), "out of range"),
        (models_dev('{"input": 1e9, "output": 1}'), "out of range"),
        (models_dev('{"input": true, "output": 1}'), "not a number"),
        (models_dev('{"input": "one", "output": 1}'), "not a number"),
        (models_dev('{"input": "NaN", "output": 1}'), "not a finite number"),
        (models_dev('{"input": 1, "output": 1, "tiers": [{"input": 2}]}'), "without a threshold"),
        (models_dev('{"input": 1, "output": 1}', more='"status": "deprecated",'), "deprecated"),
        (models_dev('{"input": 1, "output": 1}').replace('["text"]', '["image"]'), "hold image"),
        (models_dev('{"input": 1, "output": 1}').replace("1000", "0"), "context"),
    ],
)
def test_rows_of_models_dev_that_are_left_out(text: str, reason: str) -> None:
    found = from_models_dev(text, checked_on=TODAY)
    assert found.models == []
    assert reason in remarks(found.skipped)["xai/big"]


def test_what_costs_nothing_is_free() -> None:
    found = from_models_dev(models_dev('{"input": 0, "output": 0.0}'), checked_on=TODAY)
    assert found.models[0].endpoints[0].free
    assert found.models[0].endpoints[0].price == Price()


def test_providers_can_be_chosen_and_known_ids_are_kept() -> None:
    text = models_dev('{"input": 1, "output": 2}')
    assert from_models_dev(text, checked_on=TODAY, providers=["openai"]).models == []
    text = models_dev('{"input": 1, "output": 2}', model="grok-4.20-0309-reasoning")
    known = from_models_dev(text, checked_on=TODAY, providers=["xai"], known=packaged_catalog())
    assert [model.id for model in known.models] == ["x-ai/grok-4.20"]


# --- LiteLLM ----------------------------------------------------------------------------------

LITELLM = """{
  "sample_spec": {"litellm_provider": "one of the providers", "mode": "chat"},
  "gpt-x": {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 272000,
    "max_output_tokens": 128000, "max_tokens": 128000, "deprecation_date": "2027-01-01",
    "input_cost_per_token": 2.9999999999999997e-06, "output_cost_per_token": 1.5e-05,
    "cache_read_input_token_cost": 2.5e-07, "cache_creation_input_token_cost": 3.75e-06,
    "cache_creation_input_token_cost_above_1hr": 6e-06, "output_cost_per_reasoning_token": 2e-05,
    "input_cost_per_audio_token": 1e-05, "output_cost_per_audio_token": 2.5e-05,
    "input_cost_per_token_above_200k_tokens": 6e-06,
    "output_cost_per_token_above_200k_tokens": 2.25e-05,
    "input_cost_per_token_flex": 1.5e-06, "output_cost_per_token_flex": 7.5e-06,
    "input_cost_per_token_above_200k_tokens_priority": 1.2e-05,
    "input_cost_per_token_priority": 6e-06,
    "input_cost_per_token_batches": 1e-06, "input_cost_per_character": 1e-07,
    "search_context_cost_per_query": {"search_context_size_low": 0.01},
    "supports_function_calling": true, "supports_vision": true, "supports_reasoning": true,
    "supports_response_schema": true, "supports_pdf_input": true},
  "fireworks_ai/accounts/fireworks/models/some-model": {"litellm_provider": "fireworks_ai",
    "mode": "chat", "max_tokens": 4096, "input_cost_per_token": 2e-07,
    "output_cost_per_token": 2e-07},
  "draw": {"litellm_provider": "openai", "mode": "image_generation", "max_input_tokens": 4000,
    "output_cost_per_image": 0.04},
  "draw-2": {"litellm_provider": "openai", "mode": "image_generation",
    "output_cost_per_image": 0.04},
  "embed": {"litellm_provider": "openai", "mode": "embedding", "input_cost_per_token": 1e-08,
    "max_input_tokens": 512},
  "rerank": {"litellm_provider": "openai", "mode": "rerank", "input_cost_per_token": 1e-08},
  "old": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 8192,
    "deprecation_date": "2026-06-30", "input_cost_per_token": 1e-06,
    "output_cost_per_token": 1e-06},
  "half": {"litellm_provider": "openai", "mode": "chat", "max_tokens": 8192,
    "input_cost_per_token": 1e-06},
  "nobody": {"mode": "chat"}
}"""


def test_rows_of_litellm() -> None:
    found = from_litellm(LITELLM, checked_on=TODAY)
    assert [model.id for model in found.models] == [
        "openai/gpt-x",
        "fireworks/some-model",
        "openai/draw",
        "openai/embed",
    ]
    model = found.models[0]
    assert (model.context, model.max_output) == (272000, 128000)
    assert (model.expires, model.input) == (date(2027, 1, 1), ("text", "image", "file"))
    assert model.features == ("tools", "structured_output", "reasoning")
    price = model.endpoints[0].price
    assert (price.input, price.output, price.cache_read) == ("3", "15", "0.25")
    assert (price.cache_write, price.cache_write_1h, price.reasoning) == ("3.75", "6", "20")
    assert (price.audio_input, price.audio_output) == ("10", "25")
    assert [(t.above, t.input, t.output) for t in price.tiers] == [(200000, "6", "22.5")]
    flex, priority = price.variants
    assert (flex.service_tier, flex.input, flex.output, flex.tiers) == ("flex", "1.5", "7.5", ())
    assert (priority.service_tier, priority.input) == ("priority", "6")
    assert [(t.above, t.input) for t in priority.tiers or ()] == [(200000, "12")]
    assert found.models[1].endpoints[0].model == "accounts/fireworks/models/some-model"
    assert found.models[2].is_image
    assert found.models[2].endpoints[0].price == Price(per_image="0.04")
    assert remarks(found.skipped) == {
        "draw-2": "no context length",
        "rerank": "it is of the mode rerank",
        "old": "deprecated since 2026-06-30",
        "half": "output: this price is required",
        "nobody": "no provider",
    }
    assert {note.text for note in found.notes} == {
        "the price input_cost_per_character is not one of ours",
        "input rounded from 2.9999999999999997 to 3",
    }


# --- genai-prices -----------------------------------------------------------------------------


def genai(**model: Any) -> str:
    row = {"id": "m", "name": "M", "match": {"equals": "m"}, "context_window": 1000, **model}
    return json.dumps([{"id": "openai", "models": [row]}])


def test_a_row_of_genai_prices() -> None:
    prices = {
        "input_mtok": {"base": 5, "tiers": [{"start": 200000, "price": "10"}]},
        "output_mtok": {"base": "25", "tiers": [{"start": 400000, "price": 50}]},
        "cache_read_mtok": "0.5",
        "cache_write_mtok": "6.25",
        "cache_write_1h_mtok": 10,
        "output_reasoning_mtok": 30,
        "input_audio_mtok": 7,
        "cache_audio_read_mtok": "0.7",
        "output_image_mtok": 120,
        "requests_kcount": 12,
        "web_searches_kcount": 10,
    }
    match = {"or": [{"equals": "m"}, {"starts_with": "m-"}, {"or": [{"equals": "m-1"}]}]}
    found = from_genai_prices(genai(prices=prices, match=match), checked_on=TODAY)
    assert [model.id for model in found.models] == ["openai/m", "openai/m-1"]
    price = price_of(found, "openai/m")
    assert (price.input, price.output, price.cache_read) == ("5", "25", "0.5")
    assert (price.cache_write, price.cache_write_1h, price.reasoning) == ("6.25", "10", "30")
    assert (price.audio_input, price.audio_cache_read, price.image_output) == ("7", "0.7", "120")
    assert price.per_request == "0.012"
    rates = [t["rates"] for t in price_table(price, 0, "")["variants"][-1]["tiers"]]
    # Each unit has steps of its own; what has none in a tier keeps the price it had below.
    assert [(r["input"], r["output"], r["cache_read"]) for r in rates] == [
        ("0.00001", "0.000025", "0.0000005"),
        ("0.00001", "0.00005", "0.0000005"),
    ]
    assert {note.text for note in found.notes} == {
        "the price web_searches_kcount is not one of ours"
    }


def dated(*entries: tuple[dict[str, str] | None, int]) -> list[dict[str, Any]]:
    return [
        {"constraint": when, "prices": {"input_mtok": price, "output_mtok": 2 * price}}
        for when, price in entries
    ]


def test_dated_prices_begin_on_their_day() -> None:
    entries = dated(
        (None, 1),
        ({"start_date": "2026-07-01"}, 2),
        ({"start_date": "2026-10-01"}, 4),
        ({"start_date": "2026-08-01"}, 3),
    )
    price = price_of(from_genai_prices(genai(prices=entries), checked_on=TODAY), "openai/m")
    assert price.input == "2"
    assert [(str(v.valid_from), v.input) for v in price.variants] == [
        ("2026-10-01", "4"),
        ("2026-08-01", "3"),
    ]


def test_hourly_prices_are_variants() -> None:
    hours = {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}
    text = genai(prices=dated((None, 1), (hours, 2)))
    price = price_of(from_genai_prices(text, checked_on=TODAY), "openai/m")
    assert price.input == "1"
    assert [(v.hours, v.input, v.output) for v in price.variants] == [("00:30-16:30", "2", "4")]


def test_service_tiers_come_before_dates() -> None:
    text = genai(
        prices=dated((None, 4), ({"start_date": "2026-10-01"}, 8)),
        price_variants=[
            {"when": {"service_tier": "default"}, "prices": {}},
            {
                "when": {"service_tier": "flex"},
                "prices": {"input_mtok": 2},
                "constraint": {"start_date": "2026-06-01"},
            },
            {"when": {"processing": "batch"}, "prices": {"input_mtok": 1}},
            {
                "when": {"service_tier": "fast"},
                "prices": {"input_mtok": 9},
                "constraint": {"start_date": "2026-09-01"},
            },
        ],
    )
    price = price_of(from_genai_prices(text, checked_on=TODAY), "openai/m")
    assert [(v.service_tier, v.valid_from, v.input) for v in price.variants] == [
        ("flex", None, "2"),
        ("fast", date(2026, 9, 1), "9"),
        (None, date(2026, 10, 1), "8"),
    ]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"prices": {"input_mtok": 1, "output_mtok": 1}, "deprecated": True}, "deprecated"),
        ({"prices": {"input_mtok": 1}}, "output: this price is required"),
        ({"prices": []}, "no price"),
        ({"prices": dated(({"start_date": "2027-01-01"}, 1))}, "no price holds yet"),
        ({"prices": dated(({"start_date": "soon"}, 1))}, "a date that is none"),
        (
            {"prices": dated(({"start_time": "01:00:00", "end_time": "02:00:00"}, 1))},
            "not in UTC",
        ),
        ({"prices": {"input_mtok": 1, "output_mtok": 1}, "context_window": None}, "context"),
    ],
)
def test_rows_of_genai_prices_that_are_left_out(model: dict[str, Any], reason: str) -> None:
    found = from_genai_prices(genai(**model), checked_on=TODAY)
    assert found.models == []
    assert reason in remarks(found.skipped)["openai/m"]


# --- OpenRouter -------------------------------------------------------------------------------


def openrouter(pricing: dict[str, Any], **more: Any) -> str:
    row = {
        "id": "acme/m",
        "name": "Acme: M",
        "created": 1753920000,
        "context_length": 1000,
        "knowledge_cutoff": "2025-01-31",
        "expiration_date": "2027-01-01",
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "top_provider": {"max_completion_tokens": 100},
        "supported_parameters": ["tools", "temperature", "structured_outputs"],
        "pricing": pricing,
        **more,
    }
    return json.dumps({"data": [row]})


def test_a_row_of_openrouter() -> None:
    pricing = {
        "prompt": "0.0000025",
        "completion": "0.00001",
        "request": "0.005",
        "image": "0.01",
        "input_cache_read": "0.00000025",
        "input_cache_write_1h": "0.000004",
        "internal_reasoning": "0.00002",
        "audio": "0.00003",
        "overrides": [
            {"min_prompt_tokens": 200000, "prompt": "0.000005"},
        ],
    }
    found = from_openrouter(openrouter(pricing), checked_on=TODAY)
    (model,) = found.models
    assert (model.id, model.name, model.max_output) == ("acme/m", "M", 100)
    assert (model.created, model.knowledge) == (date(2025, 7, 31), "2025-01-31")
    assert (model.expires, model.input) == (date(2027, 1, 1), ("text", "image"))
    assert model.features == ("tools", "structured_output", "temperature")
    assert (model.endpoints[0].provider, model.endpoints[0].model) == ("openrouter", "acme/m")
    price = model.endpoints[0].price
    assert (price.input, price.output, price.per_request) == ("2.5", "10", "0.005")
    assert (price.cache_read, price.cache_write_1h) == ("0.25", "4")
    assert (price.reasoning, price.audio_input) == ("20", "30")
    assert [(t.above, t.input, t.output) for t in price.tiers] == [(200000, "5", None)]


def test_hours_of_openrouter_in_our_order() -> None:
    overrides = [
        {"utc_start": 0, "utc_end": 1200, "prompt": "0.000001"},
        {"utc_start": 2230, "utc_end": 130, "prompt": "0.000002"},
    ]
    pricing = {"prompt": "0.000003", "completion": "0.000003", "overrides": overrides}
    price = price_of(from_openrouter(openrouter(pricing), checked_on=TODAY), "acme/m")
    assert [(v.hours, v.input) for v in price.variants] == [
        ("22:30-01:30", "2"),
        ("00:00-12:00", "1"),
    ]


@pytest.mark.parametrize(
    ("pricing", "more", "reason"),
    [
        ({"prompt": "-1", "completion": "-1"}, {}, "the price varies"),
        ({"prompt": "0.1"}, {}, "output: this price is required"),
        ({"prompt": "1", "completion": "1"}, {"id": "~acme/latest"}, "moves to newer"),
        ({"prompt": "1", "completion": "1"}, {"id": 5}, "no id"),
        (
            {"prompt": "1", "completion": "1"},
            {"architecture": {"output_modalities": ["image", "text"]}},
            "answers hold text, image",
        ),
        (
            {"prompt": "1", "completion": "1", "overrides": [{"prompt": "2", "utc_start": 5}]},
            {},
            "conditions that have no form",
        ),
    ],
)
def test_rows_of_openrouter_that_are_left_out(
    pricing: dict[str, Any], more: dict[str, Any], reason: str
) -> None:
    found = from_openrouter(openrouter(pricing, **more), checked_on=TODAY)
    assert found.models == []
    (remark,) = found.skipped
    assert reason in remark.text


def test_free_models_of_openrouter() -> None:
    found = from_openrouter(openrouter({"prompt": "0", "completion": "0"}), checked_on=TODAY)
    assert found.models[0].endpoints[0].free


# --- exactness ---------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.decimals(0, 9_999, places=6, allow_nan=False))
def test_amounts_are_exact(price: Decimal) -> None:
    text = models_dev(f'{{"input": {price:f}, "output": 1}}')
    found = from_models_dev(text, checked_on=TODAY)
    assert Decimal(price_of(found, "x-ai/big").input or "") == price
    pricing = {"prompt": format(price.scaleb(-6), "f"), "completion": "0.000001"}
    found = from_openrouter(openrouter(pricing), checked_on=TODAY)
    assert Decimal(price_of(found, "acme/m").input or "") == price
