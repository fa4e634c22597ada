"""What an import takes of LiteLLM's routing: who is asked after whom, how often, and how much."""

from __future__ import annotations

from pathlib import Path

import pytest

from bare_cli import unconfigure
from litellm_configs import converted, entries, loaded, one, said
from seekroute.config import catalog_of
from seekroute.config.catalog import Endpoint
from seekroute.config.from_litellm import Converted
from seekroute.config.routing_schema import FallbackSettings

_CHATS = entries(
    ("big", "model: ollama/big", "{}"),
    ("long", "model: ollama/long", "{}"),
    ("cheap", "model: ollama/cheap", "{}"),
    ("vectors", "model: ollama/vectors", "{mode: embedding}"),
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


def fallbacks(found: Converted) -> FallbackSettings:
    return loaded(found).routing.fallbacks


def endpoints(found: Converted, name: str = "m") -> tuple[Endpoint, ...]:
    model = catalog_of(loaded(found)).resolve(name)
    assert model is not None
    return model.endpoints


# --- fallbacks ------------------------------------------------------------------------------------


def test_each_list_has_its_kind() -> None:
    found = converted(
        _CHATS + "router_settings:\n"
        "  fallbacks: [{big: [cheap, long]}, {long: cheap}]\n"
        "  context_window_fallbacks: [{big: [long]}]\n"
        "litellm_settings:\n"
        "  content_policy_fallbacks: [{big: [cheap]}, {cheap: [big]}]\n"
    )
    assert fallbacks(found) == FallbackSettings(
        any={"big": ("cheap", "long"), "long": ("cheap",)},
        context={"big": ("long",)},
        content_policy={"big": ("cheap",), "cheap": ("big",)},
    )
    assert said(found, "not taken", "changed") == [
        f"{line} model: context guessed: 131072 (max_input_tokens)" for line in (3, 6, 9, 12)
    ]


def test_a_list_for_every_model_is_written_for_those_without_one() -> None:
    found = converted(
        _CHATS + "litellm_settings:\n"
        "  fallbacks: [{big: [cheap]}]\n"
        "  default_fallbacks: [long]\n"
        "  context_window_fallbacks:\n"
        "  - '*': [long]\n"
    )
    # Not for vectors, which no chat can give, nor for the model itself.
    assert fallbacks(found) == FallbackSettings(
        any={"big": ("cheap",), "cheap": ("long",)},
        context={"big": ("long",), "cheap": ("long",)},
    )
    assert said(found)[-2:] == [
        "16 default_fallbacks: written for each model",
        "18 context_window_fallbacks: written for each model",
    ]


def test_a_name_of_the_catalog_can_come_after_a_model_where_its_provider_is_on() -> None:
    text = (
        "model_list:\n"
        "- {model_name: m, litellm_params: {model: ollama/m}}\n"
        "- {model_name: 'openai/*', litellm_params: {model: 'openai/*', api_key: os.environ/K}}\n"
        "router_settings: {fallbacks: [{m: [openai/gpt-4o-mini, anthropic/claude-sonnet-4.5]}]}\n"
    )
    found = converted(text)
    assert fallbacks(found).any == {"m": ("openai/gpt-4o-mini",)}
    assert said(found, "not taken") == [
        "4 fallbacks to anthropic/claude-sonnet-4.5: no such model is taken"
    ]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("{fallbacks: [{gone: [big]}]}", "fallbacks of gone: no such model is taken"),
        ("{fallbacks: [{big: [gone]}]}", "fallbacks to gone: no such model is taken"),
        (
            "{fallbacks: [{'ollama/*': [big]}]}",
            "fallbacks of ollama/*: a pattern: write each model",
        ),
        ("{fallbacks: [{big: [big]}]}", "fallbacks to big: the model itself"),
        ("{fallbacks: [{big: [{model: long}]}]}", "fallbacks: not the name of a model"),
        ("{fallbacks: [big]}", "fallbacks: no list of a model"),
        (
            "{fallbacks: [{vectors: [big]}]}",
            "fallbacks to big: one gives vectors, the other one chats",
        ),
        ("{default_fallbacks: [gone]}", "default_fallbacks to gone: no such model is taken"),
        (
            "{context_window_fallbacks: [{vectors: [big]}]}",
            "context_window_fallbacks to big: one gives vectors, the other one chats",
        ),
    ],
)
def test_what_no_list_can_be_is_said(settings: str, reason: str) -> None:
    found = converted(f"{_CHATS}router_settings: {settings}\n")
    assert said(found, "not taken") == [f"14 {reason}"]
    assert "fallbacks" not in found.text


def test_the_router_s_list_is_the_one_in_force() -> None:
    found = converted(
        _CHATS + "litellm_settings:\n  fallbacks: [{big: [long]}]\n"
        "router_settings:\n  fallbacks: [{big: [cheap]}]\n"
    )
    assert fallbacks(found).any == {"big": ("cheap",)}
    assert said(found, "not taken") == ["15 fallbacks: router_settings' fallbacks wins"]


def test_one_model_has_one_list() -> None:
    found = converted(
        _CHATS + "router_settings:\n  model_group_alias: {large: big}\n"
        "  fallbacks:\n  - big: [cheap, long, cheap]\n  - large: [long]\n  - '*': [cheap]\n"
        "  default_fallbacks: [long]\n"
    )
    assert fallbacks(found).any == {"big": ("cheap", "long"), "cheap": ("long",)}
    assert said(found, "not taken") == [
        "18 fallbacks of large: the model has a list already",
        "19 fallbacks of *: default_fallbacks wins",
    ]


def test_a_list_has_eight_models_at_most() -> None:
    names = [f"m{n}" for n in range(10)]
    models = entries(*((name, f"model: ollama/{name}", "{}") for name in names))
    found = converted(f"{models}router_settings: {{fallbacks: [{{m0: [{', '.join(names[1:])}]}}]}}")
    assert fallbacks(found).any == {"m0": tuple(names[1:9])}
    assert said(found, "not taken") == ["32 fallbacks to m9: at most 8 models"]


def test_a_fallback_that_was_dropped_is_none() -> None:
    text = entries(("m", "model: ollama/m", "{}"), ("gone", "model: bedrock/x", "{}"))
    found = converted(text + "router_settings: {default_fallbacks: [gone]}\n")
    assert "fallbacks" not in found.text
    assert "8 default_fallbacks to gone: no such model is taken" in said(found, "not taken")


# --- limits and weights ---------------------------------------------------------------------------


def test_a_deployment_s_limits_are_its_endpoint_s() -> None:
    params = "model: openai/gpt-4o-mini, api_key: os.environ/K"
    found = converted(one(f"{params}, rpm: '60', tpm: 1e5, max_parallel_requests: 4", name="m"))
    [endpoint] = endpoints(found)
    assert endpoint.limits.said() == {
        "requests_per_minute": 60,
        "tokens_per_minute": 100_000,
        "concurrent": 4,
    }
    assert said(found, "not taken") == []
    # The catalog's own has none, so that it is written out.
    named = converted(one(f"{params}, rpm: 60", name="gpt-4o-mini"))
    assert endpoints(named, "gpt-4o-mini")[0].limits.said() == {"requests_per_minute": 60}


def test_limits_beside_the_parameters_count_where_these_have_none() -> None:
    text = (
        "model_list:\n- model_name: m\n  rpm: 7\n  tpm: 70\n"
        "  litellm_params: {model: ollama/m, rpm: 5}\n"
    )
    [endpoint] = endpoints(converted(text))
    assert endpoint.limits.said() == {"requests_per_minute": 5, "tokens_per_minute": 70}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("rpm: -1", "rpm: not from 0 to 4000000000"),
        ("tpm: 0.5", "tpm: not from 0 to 4000000000"),
        ("rpm: os.environ/RPM", "rpm: not from 0 to 4000000000"),
        ("max_parallel_requests: 2e6", "max_parallel_requests: not from 0 to 1000000"),
        ("weight: 1001", "weight: not from 0 to 1000"),
        ("weight: heavy", "weight: not from 0 to 1000"),
    ],
)
def test_a_figure_out_of_its_range_is_said(word: str, reason: str) -> None:
    found = converted(one(f"model: ollama/m, {word}"))
    assert said(found, "not taken") == [f"3 {reason}"]
    [endpoint] = endpoints(found)
    assert endpoint.limits.said() == {}


def test_weights_draw_the_order() -> None:
    found = converted(
        entries(
            ("m", "model: ollama/a, weight: 3", "{}"),
            ("m", "model: ollama/b, weight: 0.5", "{}"),
            ("m", "model: ollama/c", "{}"),
            ("alone", "model: ollama/d, weight: 9", "{}"),
        )
    )
    assert [each.weight for each in endpoints(found)] == [3, 0.5, 0]
    assert [each.weight for each in endpoints(found, "alone")] == [1]
    assert loaded(found).routing.balance == "inverse_square"
    assert [line for line in said(found, "changed") if "weight" in line] == [
        "3 weight: drawn by weight over the price squared",
        "6 weight: drawn by weight over the price squared",
    ]


def test_an_order_is_kept_where_there_are_weights_too() -> None:
    found = converted(
        entries(
            ("m", "model: ollama/a, weight: 3, order: 2", "{}"),
            ("m", "model: ollama/b, order: 1", "{}"),
        )
    )
    assert [(each.model, each.weight) for each in endpoints(found)] == [("b", 1), ("a", 1)]
    assert loaded(found).routing.balance == "listed"
    assert said(found, "not taken") == ["3 weight: asked as listed, by order: see routing.balance"]
