"""Packaged profiles, cell by cell, and custom ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT
from seekroute.config import PACKAGED_PROFILES, load_profile, load_settings, profiles_of
from seekroute.config.profile import ERROR_NAMES, packaged_profile
from seekroute.errors import ConfigError

FIVE = ("seekrouter", "solrouter", "router9", "routerone", "reseller")
ERROR_TABLE = ROOT / "cpp" / "base" / "error.cc"

# One row a line: field, then the six profiles in order.
CELLS = [
    ("base_path", "/v1", "/api/v1", "/v1", "/v1", "/v1", "/v1"),
    ("key_prefix", "sk-sr-", "sr-", "sr_", "sk-r9k-", "sk-", "sk-"),
    ("model_ids", "full", "full", "full", "bare", "bare", "bare"),
    ("answer_model", "canonical", "as_asked", "canonical", "bare", "bare", "as_asked"),
    ("auto", True, False, False, True, True, False),
    ("usage_cost", True, False, True, False, False, False),
    ("upstream_cost", None, *[False] * 5),
    ("id_prefix", "gen-", *["chatcmpl-"] * 5),
    ("object", *["chat.completion"] * 3, "text_completion", *["chat.completion"] * 2),
    ("error_metadata", True, *[False] * 5),
    ("error_param", True, True, True, True, False, True),
    ("integer_code_on_api_v1", True, *[False] * 5),
    ("reasoning_on_v1", True, *[False] * 5),
    ("checks.temperature", None, (0, 2), None, (0, 2), (0, 2), None),
    ("checks.top_p", None, None, None, None, (0, 1), None),
    ("checks.max_tokens_min", None, None, None, None, 1, None),
    ("limits.requests_per_minute", *[None] * 5, 60),
    ("limits.concurrent", *[None] * 5, 10),
]


@pytest.mark.parametrize("row", CELLS, ids=lambda row: row[0])
def test_cells(row: tuple[Any, ...]) -> None:
    field, *expected = row
    for name, value in zip(PACKAGED_PROFILES, expected, strict=True):
        found: Any = packaged_profile(name)
        for part in field.split("."):
            found = getattr(found, part)
        assert found == value, name


WORDS = [
    # profile, error, type, code, message
    ("routerone", "missing_api_key", "authentication_error", "invalid_api_key", None),
    ("routerone", "invalid_api_key", "authentication_error", "invalid_api_key", "Invalid API key"),
    (
        "routerone",
        "insufficient_credits",
        "billing_error",
        "insufficient_balance",
        "Insufficient balance",
    ),
    (
        "routerone",
        "rate_limit_exceeded",
        "rate_limit_error",
        "rate_limit_exceeded",
        "Rate limit exceeded",
    ),
    ("routerone", "upstream_rate_limited", "rate_limit_error", "rate_limit_exceeded", None),
    ("reseller", "missing_api_key", None, "unauthorized", None),
    ("reseller", "invalid_api_key", None, "unauthorized", None),
    ("reseller", "insufficient_credits", None, "insufficient_credits", None),
    ("reseller", "rate_limit_exceeded", None, "rate_limit_exceeded", None),
    ("reseller", "upstream_rate_limited", None, "rate_limit_exceeded", None),
    ("reseller", "no_upstream", None, "provider_unavailable", None),
    ("reseller", "upstream_unavailable", None, "provider_unavailable", None),
    ("seekrouter", "no_upstream", None, "provider_unavailable", None),
    ("seekrouter", "upstream_unavailable", None, "provider_unavailable", None),
    # Seekroute's own distinction: elsewhere a model that is not served is not there.
    ("seekrouter", "no_matching_endpoint", None, "model_not_found", None),
    ("solrouter", "no_matching_endpoint", None, "model_not_found", None),
    ("router9", "no_matching_endpoint", None, "model_not_found", None),
    ("routerone", "no_matching_endpoint", None, "model_not_found", None),
    ("reseller", "no_matching_endpoint", None, "model_not_found", None),
]


@pytest.mark.parametrize(("profile", "error", "kind", "code", "message"), WORDS)
def test_error_words(
    profile: str, error: str, kind: str | None, code: str | None, message: str | None
) -> None:
    words = packaged_profile(profile).errors[error]
    assert (words.type, words.code, words.message) == (kind, code, message)


def test_no_other_error_words_than_the_table_above() -> None:
    found = {(name, error) for name in FIVE for error in packaged_profile(name).errors}
    assert found == {row[:2] for row in WORDS} | {("seekrouter", "app_not_approved")}
    assert packaged_profile("seekroute").errors == {}


def test_an_app_without_approval() -> None:
    message = packaged_profile("seekrouter").errors["app_not_approved"].message
    assert message is not None
    assert message.startswith("App not approved")


def test_error_names_are_those_of_the_core() -> None:
    table = ERROR_TABLE.read_text(encoding="utf-8")
    names = re.findall(r'\{k\w+,\s*"(\w+)",\s*\d{3},', table)
    assert len(names) > 40
    assert set(names) == ERROR_NAMES


@pytest.mark.parametrize("name", PACKAGED_PROFILES)
def test_shape_for_the_core(name: str) -> None:
    core = packaged_profile(name).to_core()
    assert set(core) == {
        "name",
        "id_prefix",
        "object",
        "answer_model",
        "usage_cost",
        "upstream_cost",
        "error_metadata",
        "error_param",
        "integer_code_on_api_v1",
        "reasoning_on_v1",
        "errors",
        "temperature",
        "top_p",
        "max_tokens_min",
    }
    assert core["name"] == name
    for words in core["errors"].values():
        assert words
        assert set(words) <= {"type", "code", "message"}
        assert all(isinstance(word, str) for word in words.values())


def test_ranges_reach_the_core_as_lists() -> None:
    core = packaged_profile("routerone").to_core()
    assert (core["temperature"], core["top_p"], core["max_tokens_min"]) == ([0, 2], [0, 1], 1)
    assert packaged_profile("reseller").to_core()["temperature"] is None


# --- custom profiles --------------------------------------------------------------------------


def custom(folder: Path, text: str) -> str:
    file = folder / "own.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_custom_profile_extends_a_packaged_one(tmp_path: Path) -> None:
    path = custom(
        tmp_path,
        "extends: reseller\nname: acme\nkey_prefix: sk-acme-\n"
        "errors: {insufficient_credits: {message: Top up}, model_not_found: {code: no_model}}\n"
        "limits: {concurrent: 3}\n",
    )
    profile = load_profile(path)
    assert (profile.name, profile.key_prefix, profile.answer_model) == (
        "acme",
        "sk-acme-",
        "as_asked",
    )
    credits = profile.errors["insufficient_credits"]
    assert (credits.code, credits.message) == ("insufficient_credits", "Top up")
    assert profile.errors["invalid_api_key"].code == "unauthorized"
    assert (profile.limits.requests_per_minute, profile.limits.concurrent) == (60, 3)
    assert packaged_profile("reseller").limits.concurrent == 10


def test_paths_are_relative_to_the_configuration_file(tmp_path: Path) -> None:
    custom(tmp_path, "name: acme\nkey_prefix: ac-\n")
    config = tmp_path / "c.yaml"
    config.write_text("profile: own.yaml\nprofiles: [router9]\n", encoding="utf-8")
    settings = load_settings(config, environ={})
    assert [profile.name for profile in profiles_of(settings)] == ["acme", "router9"]


def test_a_wrong_profile_is_refused_with_every_problem(tmp_path: Path) -> None:
    path = custom(
        tmp_path,
        "extends: resaler\nname: Bad Name\nkey_prefx: x\nanswer_model: odd\n"
        "errors: {invalid_apikey: {}, no_upstream: {status: 1}}\nchecks: {temperature: [2, 0]}\n",
    )
    with pytest.raises(ConfigError) as caught:
        load_profile(path)
    problems = {problem.path: problem for problem in caught.value.problems}
    assert set(problems) == {
        "extends",
        "name",
        "key_prefix",
        "key_prefx",
        "answer_model",
        "errors.invalid_apikey",
        "errors.no_upstream.status",
        "checks.temperature",
    }
    assert "reseller" in problems["extends"].hint
    assert "key_prefix" in problems["key_prefx"].hint
    assert "invalid_api_key" in problems["errors.invalid_apikey"].hint
    assert problems["name"].where == f"{path}:2:1"


def test_a_profile_keeps_the_packaged_names_free(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name of a packaged profile"):
        load_profile(custom(tmp_path, "name: router9\nkey_prefix: x-\n"))


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"did you mean routerone\?"):
        load_profile("routeone")


def test_the_documented_example(tmp_path: Path) -> None:
    page = ROOT / "docs" / "profiles.md"
    example = page.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    profile = load_profile(custom(tmp_path, example))
    assert profile.key_prefix == "sk-acme-"
    assert profile.errors["no_upstream"].code == "provider_unavailable"
