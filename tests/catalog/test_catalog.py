"""The catalog: what is packaged, how it is checked, exact prices, and the model list."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekroute.api.models import ModelList, is_allowed
from seekroute.config import (
    Catalog,
    Settings,
    build_snapshot,
    model_rows,
    packaged_catalog,
    profiles_of,
)
from seekroute.config.catalog import AUTO_NAMES, Price, load_catalog
from seekroute.config.prices import per_token, price_table
from seekroute.config.snapshot import DEFAULT_MODELS
from seekroute.errors import ConfigError, Problem
from shared import shared_path

CATALOG = packaged_catalog()


def rates(price: Price) -> dict[str, str]:
    """The base rates of a price."""
    found: dict[str, str] = price_table(price, 0, "r")["variants"][-1]["rates"]
    return found


SEED_NAMES = {
    "deepseek/deepseek-chat": "deepseek/deepseek-chat",
    "deepseek-chat": "deepseek/deepseek-chat",
    "deepseek-coder": "deepseek/deepseek-chat",
    "deepseek-r1": "deepseek/deepseek-reasoner",
    "jimeng-image": "bytedance/jimeng-image",
    "openai/gpt-4o-mini": "openai/gpt-4o-mini",
    "gpt-4o": "openai/gpt-4o",
    "claude-3-sonnet": "anthropic/claude-sonnet-4-6",
    "claude-sonnet-4-5-20250929": "anthropic/claude-sonnet-4-5",
    "gpt-4o-2024-08-06": "openai/gpt-4o-2024-08-06",
}


@pytest.mark.parametrize(("name", "model_id"), SEED_NAMES.items())
def test_names_that_clients_use_resolve(name: str, model_id: str) -> None:
    model = CATALOG.resolve(name)
    assert model is not None
    assert model.id == model_id


@pytest.mark.parametrize(
    "name",
    ["claude-sonnet-4-20250514", "claude-3-sonnet-20240229", "anthropic/claude-sonnet-4-20250514"],
)
def test_a_pinned_snapshot_that_is_gone_is_no_other_model(name: str) -> None:
    assert CATALOG.resolve(name) is None


def test_a_name_with_a_date_is_that_of_a_model_of_that_time() -> None:
    dated = re.compile(r".*-(20\d\d)-?([01]\d)-?([0-3]\d)(?:$|[^\d])")
    seen = 0
    for model in CATALOG.models:
        for alias in model.aliases:
            if (found := dated.fullmatch(alias)) is None:
                continue
            seen += 1
            named = date(*map(int, found.groups()))
            assert model.created is not None, alias
            assert abs((named - model.created).days) < 60, f"{alias} is not {model.id}"
    assert seen > 2


def test_twenty_providers_with_at_least_three_models_each() -> None:
    served = Counter(e.provider for model in CATALOG.models for e in model.endpoints)
    assert set(served) == set(CATALOG.providers)
    assert sum(count >= 3 for count in served.values()) >= 20
    assert len(CATALOG.models) >= 300


def test_every_provider_is_reachable_by_https_and_has_its_own_key_variable() -> None:
    variables = [v for provider in CATALOG.providers.values() for v in provider.env]
    assert len(variables) == len(set(variables))
    for name, provider in CATALOG.providers.items():
        assert provider.base_url.startswith("https://"), name
        assert provider.env, name
        assert provider.docs.startswith("https://"), name


def test_every_price_has_a_dated_source() -> None:
    for model in CATALOG.models:
        for endpoint in model.endpoints:
            source = CATALOG.sources[endpoint.source]
            assert date(2026, 1, 1) <= source.valid_from <= source.checked_on


def test_text_models_cost_something_and_caches_cost_less() -> None:
    for model in CATALOG.models:
        for endpoint in model.endpoints:
            table = price_table(endpoint.price, 0, "r")
            for variant in table["variants"]:
                for rates in (variant["rates"], *(tier["rates"] for tier in variant["tiers"])):
                    unit = {name: Decimal(value) for name, value in rates.items()}
                    if model.is_image:
                        assert unit["per_image"] > 0
                    elif model.is_embedding:
                        assert 0 == unit["output"] < unit["cache_read"] <= unit["input"], model.id
                    else:
                        assert 0 < unit["input"] <= unit["output"], model.id
                        assert unit["cache_read"] <= unit["input"], model.id
                        assert unit["cache_write"] <= 2 * unit["input"], model.id


def test_models_of_other_protocols_are_listed_behind_what_is_served() -> None:
    kept = [model for model in CATALOG.models if not CATALOG.is_served(model.endpoints[0])]
    assert kept == []
    codex = CATALOG.get("openai/gpt-5.3-codex")
    assert [CATALOG.is_served(endpoint) for endpoint in codex.endpoints] == [True, False]


def test_every_alias_and_id_leads_to_its_own_model() -> None:
    for model in CATALOG.models:
        for name in (model.id, *model.aliases):
            assert CATALOG.names[name] == model.id
    assert not set(AUTO_NAMES) & set(CATALOG.names)


def test_default_models_exist() -> None:
    assert [CATALOG.get(name).id for name in DEFAULT_MODELS] == list(DEFAULT_MODELS)


def test_image_model() -> None:
    model = CATALOG.get("bytedance/jimeng-image")
    assert model.is_image
    assert {e.provider for e in model.endpoints} == {"volcengine", "byteplus"}
    assert rates(model.endpoints[0].price)["per_image"] == "0.03"


def test_metadata_is_there() -> None:
    for model in CATALOG.models:
        assert model.name, model.id
        assert model.description, model.id
        if {endpoint.source for endpoint in model.endpoints} == {"genai-prices"}:
            continue  # that list has neither day of release nor longest answer
        assert model.created is not None, model.id
        since = date(2021, 1, 1) if model.is_embedding else date(2022, 1, 1)
        assert since < model.created < date(2027, 1, 1), model.id
        assert model.max_output or model.kind != "text", model.id


# Our provider ids -> those of the two-source list, where they differ.
LIST_IDS = {
    "fireworks": "fireworks-ai",
    "moonshot": "moonshotai",
    "novita": "novita-ai",
    "together": "togetherai",
    "zai": "zhipuai",
    "zhipu": "zhipuai",
}


def test_prices_that_two_sources_agreed_on() -> None:
    file = shared_path("data", "catalog", "candidates.json")
    rows = {
        (row["provider"], row["id"]): row
        for row in json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)["models"]
    }
    compared: Counter[str] = Counter()
    for model in CATALOG.models:
        for endpoint in model.endpoints:
            if endpoint.source not in ("confirmed", "one-source", "two-sources"):
                continue
            row = rows[LIST_IDS.get(endpoint.provider, endpoint.provider), endpoint.model]
            if endpoint.source != "confirmed":  # which settles what was disputed before
                assert bool(row["confirmed_by"]) is (endpoint.source == "two-sources"), endpoint
                # Of vectors there is no output, whatever a list has as its price.
                assert not row["disputed_by"] or model.is_embedding, endpoint
            cost = {key: Decimal(row["cost"][key]) for key in ("input", "output")}
            ours = {key: Decimal(getattr(endpoint.price, key) or 0) for key in cost}
            assert all(abs(ours[key] - cost[key]) < Decimal("1e-9") for key in cost), endpoint
            assert (endpoint.context or model.context) == row["limit"]["context"]
            compared[endpoint.source] += 1
    assert compared["confirmed"] > 300
    assert compared["two-sources"] + compared["one-source"] > 200


# --- exact decimals ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("million", "token"),
    [
        ("0", "0"),
        ("1", "0.000001"),
        ("15", "0.000015"),
        ("0.15", "0.00000015"),
        ("0.0028", "0.0000000028"),
        ("0.003625", "0.000000003625"),
        ("1000000", "1"),
        ("9999999.999999", "9.999999999999"),
    ],
)
def test_per_token(million: str, token: str) -> None:
    assert per_token(million) == token


@settings(deadline=None)
@given(st.integers(0, 9_999_999), st.integers(0, 999_999))
def test_per_token_is_exact_and_reversible(whole: int, millionths: int) -> None:
    million = f"{whole}.{millionths:06d}"
    token = per_token(million)
    assert Decimal(token) * 1_000_000 == Decimal(million)
    assert int(Decimal(token) * 10**12) == whole * 10**6 + millionths
    assert "e" not in token.lower()
    assert not ("." in token and token.endswith(("0", ".")))


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=9_999_999, places=6, allow_nan=False))
def test_prices_survive_the_catalog(price: Decimal) -> None:
    text = format(price, "f")
    catalog = small(price=f'{{input: "{text}", output: "0"}}')
    assert Decimal(rates(catalog.models[0].endpoints[0].price)["input"]).scaleb(6) == price


def test_a_cache_without_a_price_costs_what_input_does() -> None:
    unit = rates(small(price='{input: "2", output: "3"}').models[0].endpoints[0].price)
    assert (unit["cache_read"], unit["output"]) == ("0.000002", "0.000003")
    free = small(price='{input: "2", output: "3", cache_read: "0", per_request: "0.0050"}')
    unit = rates(free.models[0].endpoints[0].price)
    assert (unit["cache_read"], unit["per_request"]) == ("0", "0.005")


# --- loading ----------------------------------------------------------------------------------

HEAD = """
version: 1
sources:
  s: {title: S, url: "https://s", checked_on: 2026-01-02, valid_from: 2026-01-01}
providers:
  one: {base_url: "https://one.example.com/v1", env: [ONE_KEY]}
  two: {base_url: "https://two.example.com/v1", env: [TWO_KEY]}
models:
"""


def small(*, price: str) -> Catalog:
    row = f"  - {{id: a/m, context: 9, endpoints: [{{provider: one, model: m, price: {price}}}]}}"
    return load_catalog(HEAD + row)


def refused(text: str) -> dict[str, Problem]:
    with pytest.raises(ConfigError) as caught:
        load_catalog(text)
    return {problem.path: problem for problem in caught.value.problems}


def test_everything_wrong_with_a_catalog_at_once() -> None:
    problems = refused(
        HEAD.replace("https://two", "ftp://two")
        + """
  - {id: a/m, context: 9, endpoints: [{provider: onee, model: m, price: {input: "1", output: 0.5}}]}
  - {id: a/m, context: 0, endpoints: [{provider: one, model: m, price: {input: "-1"}}]}
  - {id: b/m, context: 9, aliases: [a/m, x, auto],
     endpoints: [{provider: one, model: m, source: t, price: {input: "1e3", output: "0.1234567"}}]}
  - {id: c/m, context: 9, aliases: [x], output: [image],
     endpoints: [{provider: one, model: m, price: {input: "1", output: "1"}}]}
  - {id: d/m, context: 9, endpoints: []}
  - {id: e/m, context: 9, endpoints: [{provider: one, model: m, price: {input: "1", output: "2",
     tiers: [{above: 5, input: "1", output: "1"}, {above: 5, input: "1", output: "1"}]}}]}
"""
    )
    expected = {
        "providers.two.base_url": "expected a URL",
        "models.0.endpoints.0.provider": "no provider",
        "models.0.endpoints.0.price.output": "decimal in quotes",
        "models.1.id": "already the id of models.0",
        "models.1.context": "more than 0",
        "models.1.endpoints.0.price.input": "negative",
        "models.1.endpoints.0.price.output": "required",
        "models.2.aliases.0": "already the id",
        "models.2.aliases.2": "reserved",
        "models.2.endpoints.0.source": "no source",
        "models.2.endpoints.0.price.input": "plain decimal",
        "models.2.endpoints.0.price.output": "at most 6 decimals, found 7",
        "models.3.aliases.0": "already an alias of models.2",
        "models.3.endpoints.0.price.per_image": "required",
        "models.4.endpoints": "at least one",
        "models.5.endpoints.0.price.tiers": "rising",
    }
    assert set(problems) == set(expected)
    for path, words in expected.items():
        assert words in problems[path].message, path
        assert problems[path].where.startswith("catalog.yaml:"), path
    assert "did you mean one?" in problems["models.0.endpoints.0.provider"].hint


@pytest.mark.parametrize("reserved", ["auto", "seekroute/auto", "openrouter/auto"])
def test_automatic_names_are_reserved(reserved: str) -> None:
    row = f"""
  - {{id: a/m, context: 9, aliases: [{reserved}],
     endpoints: [{{provider: one, model: m, price: {{input: "1", output: "1"}}}}]}}
"""
    assert set(refused(HEAD + row)) == {"models.0.aliases.0"}


def test_the_name_mock_is_reserved() -> None:
    text = HEAD.replace("  one:", "  mock:").replace("models:", "models: []")
    assert set(refused(text)) == {"providers.mock"}


def test_the_first_of_two_equal_slugs_wins() -> None:
    rows = """
  - {id: b/same, context: 9, aliases: [other],
     endpoints: [{provider: two, model: m, price: {input: "1", output: "1"}}]}
  - {id: a/same, context: 9,
     endpoints: [{provider: one, model: m, price: {input: "1", output: "1"}}]}
  - {id: a/other, context: 9,
     endpoints: [{provider: one, model: m, price: {input: "1", output: "1"}}]}
"""
    names = load_catalog(HEAD + rows).names
    assert (names["same"], names["a/same"], names["b/same"]) == ("b/same", "a/same", "b/same")
    assert (names["other"], names["b/other"], names["a/other"]) == ("b/same", "b/same", "a/other")


# --- the model list ---------------------------------------------------------------------------


def listed(**env: str) -> ModelList:
    config = Settings(mock="off" if env else "on")
    snap = build_snapshot(
        config, CATALOG, profiles_of(config), env, mock_base_url="http://127.0.0.1:1/v1"
    )
    return ModelList(model_rows(CATALOG, snap))


def rows_of(body: bytes) -> list[dict[str, Any]]:
    answer = json.loads(body)
    assert answer["object"] == "list"
    rows: list[dict[str, Any]] = answer["data"]
    return rows


def test_only_models_that_can_be_used_are_listed() -> None:
    ids = [row["id"] for row in rows_of(listed(DEEPSEEK_API_KEY="k").payload())]
    assert ids == [
        "deepseek/deepseek-chat",
        "deepseek/deepseek-reasoner",
        "deepseek/deepseek-v4-pro",
    ]


def test_a_row_has_openais_and_openrouters_fields() -> None:
    models = listed(OPENAI_API_KEY="k")
    one = models.one("gpt-4o-mini")
    assert one is not None
    assert json.loads(one) == {
        "id": "openai/gpt-4o-mini",
        "object": "model",
        "created": 1721260800,
        "owned_by": "openai",
        "canonical_slug": "openai/gpt-4o-mini",
        "hugging_face_id": None,
        "links": {"details": "/api/v1/models/openai/gpt-4o-mini/endpoints"},
        "name": "GPT-4o mini",
        "description": "Small, inexpensive GPT-4o",
        "context_length": 128000,
        "architecture": {
            "modality": "text+image+file->text",
            "input_modalities": ["text", "image", "file"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {
            "prompt": "0.00000015",
            "completion": "0.0000006",
            "request": "0",
            "image": "0",
            "input_cache_read": "0.000000075",
        },
        "top_provider": {
            "context_length": 128000,
            "max_completion_tokens": 16384,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "default_parameters": None,
        "supported_voices": None,
        "knowledge_cutoff": "2023-09-30",
        "expiration_date": None,
        "supported_parameters": [
            "max_tokens",
            "parallel_tool_calls",
            "response_format",
            "seed",
            "stop",
            "stream",
            "structured_outputs",
            "temperature",
            "tool_choice",
            "tools",
            "top_p",
        ],
    }


def test_the_list_holds_what_single_models_hold() -> None:
    models = listed()
    for row in rows_of(models.payload()):
        one = models.one(row["id"])
        assert one is not None
        assert json.loads(one) == row
        assert all(isinstance(v, str) for k, v in row["pricing"].items() if k != "overrides")


def test_prices_are_those_of_the_endpoint_that_is_used() -> None:
    def price(**env: str) -> str:
        one = listed(**env).one("gpt-oss-120b")
        assert one is not None
        found: str = json.loads(one)["pricing"]["prompt"]
        return found

    assert price(GROQ_API_KEY="k") == "0.00000015"
    assert price(DEEPINFRA_API_KEY="k") == "0.000000039"


def test_long_prompt_prices_and_cache_writes_are_listed() -> None:
    one = listed(GEMINI_API_KEY="k").one("gemini-2.5-pro")
    assert one is not None
    assert json.loads(one)["pricing"]["overrides"] == [
        {
            "min_prompt_tokens": 200000,
            "prompt": "0.0000025",
            "completion": "0.000015",
            "input_cache_read": "0.00000025",
        }
    ]
    one = listed(ANTHROPIC_API_KEY="k").one("claude-haiku-4-5")
    assert one is not None
    assert json.loads(one)["pricing"]["input_cache_write"] == "0.00000125"


def test_image_models_list_their_price_per_image() -> None:
    one = listed(ARK_API_KEY="k").one("jimeng-image", style="bare")
    assert one is not None
    row = json.loads(one)
    assert (row["id"], row["pricing"]["image"]) == ("jimeng-image", "0.03")
    assert row["architecture"]["output_modalities"] == ["image"]


def test_bare_ids_lead_back_to_the_same_model() -> None:
    rows = rows_of(listed().payload(style="bare"))
    assert "gpt-4o" in {row["id"] for row in rows}
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert CATALOG.names[row["id"]] == row["canonical_slug"]


def test_allow_lists() -> None:
    models = listed()
    allow = ["openai/gpt-4o", "deepseek/*"]
    ids = {row["id"] for row in rows_of(models.payload(allow=allow))}
    assert "openai/gpt-4o" in ids
    assert all(i == "openai/gpt-4o" or i.startswith("deepseek/") for i in ids)
    assert len(ids) > 3
    assert models.one("gpt-4o", allow=allow) is not None
    assert models.one("gpt-4o-mini", allow=allow) is None
    assert rows_of(models.payload(allow=[])) == []


@pytest.mark.parametrize(
    ("model_id", "allow", "expected"),
    [
        ("a/b", None, True),
        ("a/b", [], False),
        ("a/b", ["a/b"], True),
        ("a/b", ["a/*"], True),
        ("ab/c", ["a/*"], False),
        ("a/b", ["*"], False),
        ("a/b", ["a/b*"], False),
        ("a/b", ["[a]/b"], False),
    ],
)
def test_is_allowed(model_id: str, allow: list[str] | None, expected: bool) -> None:
    assert is_allowed(model_id, allow) is expected


def test_unknown_and_unusable_models_are_none() -> None:
    models = listed(OPENAI_API_KEY="k")
    assert models.one("no/such") is None
    assert models.one("claude-haiku-4-5") is None
    assert models.one("auto") is None


def test_payloads_are_deterministic() -> None:
    config = Settings(mock="on")
    snaps = [
        build_snapshot(config, CATALOG, profiles_of(config), {}, mock_base_url="http://h:1")
        for _ in range(2)
    ]
    assert snaps[0] == snaps[1]
    one, other = (ModelList(model_rows(CATALOG, snap)).payload() for snap in snaps)
    assert one == other
