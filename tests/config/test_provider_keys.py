"""Several keys of a provider, as settings name them and as the core is given them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seekroute.config import (
    Settings,
    build_snapshot,
    catalog_of,
    load_settings,
    profiles_of,
    unserved_models,
    usable_providers,
)
from seekroute.config.catalog import packaged_catalog
from seekroute.config.snapshot import key_sources
from seekroute.errors import ConfigError

SECRET = "sk-live-THIS-IS-SECRET-0123456789"


def snapshot(settings: Settings, **env: str) -> dict[str, Any]:
    return build_snapshot(settings, catalog_of(settings), profiles_of(settings), env)


def test_several_keys_go_to_the_core_each_with_its_name() -> None:
    keys = [
        {"id": "team", "api_key": SECRET, "weight": 3},
        {"id": "spare", "env": "SPARE_KEY"},
        {"id": "empty", "env": "NO_SUCH_KEY"},
    ]
    settings = Settings.model_validate({"providers": {"openai": {"keys": keys}}})
    (provider,) = snapshot(settings, SPARE_KEY=" other \n")["providers"]
    assert provider["keys"] == [
        {"id": "team", "authorization": f"Bearer {SECRET}", "weight": 3},
        {"id": "spare", "authorization": "Bearer other", "weight": 1},
    ]
    assert provider["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(settings)


def test_named_keys_that_are_empty_are_not_replaced_by_another_account() -> None:
    keys = [{"id": "team", "env": "TEAM_KEY"}]
    settings = Settings.model_validate({"providers": {"openai": {"keys": keys}}})
    environ = {"OPENAI_API_KEY": "of-somebody-else"}
    assert "openai" not in usable_providers(settings, packaged_catalog(), environ)
    assert snapshot(settings, **environ, GROQ_API_KEY="g")["providers"][0]["id"] == "groq"
    environ["TEAM_KEY"] = "k"
    assert usable_providers(settings, packaged_catalog(), environ) == {"openai": "k"}
    found = key_sources(settings, packaged_catalog(), environ)
    assert found == {"openai": "providers.openai.keys (1)"}


@pytest.mark.parametrize("value", ["", " "])
def test_one_of_several_keys_may_be_a_variable_that_is_empty_or_unset(
    value: str, tmp_path: Path
) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(
        'providers: {groq: {keys: [{id: team, api_key: "${TEAM_KEY}", weight: 3}, '
        "{id: spare, env: SPARE_KEY}]}}",
        encoding="utf-8",
    )
    for environ in ({}, {"TEAM_KEY": value}):
        environ["SPARE_KEY"] = "k"
        settings = load_settings(file, environ=environ)
        (provider,) = snapshot(settings, **environ)["providers"]
        assert [key["id"] for key in provider["keys"]] == ["spare"]
        assert "groq" not in usable_providers(settings, packaged_catalog(), {})
    file.write_text('providers: {groq: {api_key: "${TEAM_KEY}"}}', encoding="utf-8")
    with pytest.raises(ConfigError, match="the key is empty: set its variable"):
        load_settings(file, environ={"TEAM_KEY": ""})


@pytest.mark.parametrize(
    "provider",
    [
        {"api_key": "k", "keys": [{"id": "a", "api_key": "k"}]},
        {"keys": [{"id": "a", "api_key": "k"}, {"id": "a", "env": "E"}]},
        {"keys": [{"id": "a"}]},
        {"keys": [{"id": "a", "api_key": "k", "env": "E"}]},
        {"keys": [{"id": "a", "api_key": "two words"}]},
        {"keys": []},
        {"keys": [{"id": str(i), "env": "E"} for i in range(17)]},
    ],
)
def test_keys_that_contradict_one_another_are_refused(provider: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected|at most 16|at least 1"):
        Settings.model_validate({"providers": {"openai": provider}})


@pytest.mark.parametrize("more", [{}, {"enabled": True}], ids=["as it stands", "enabled"])
@pytest.mark.parametrize("provider", ["mine", "groq"])
def test_nobody_is_asked_without_a_key_where_keys_are_named(
    provider: str, more: dict[str, Any]
) -> None:
    keys = [{"id": "team", "env": "TEAM_KEY"}, {"id": "spare", "env": "SPARE_KEY"}]
    own = {"base_url": "http://gpu:8000/v1", "allow_http": True, "keys": keys, **more}
    endpoint = {"provider": provider, "model": "b", "free": True}
    model = {"id": "a/b", "context": 100, "endpoints": [endpoint]}
    settings = Settings.model_validate({"providers": {provider: own}, "models": [model]})
    catalog = catalog_of(settings)
    assert usable_providers(settings, catalog, {"TEAM_KEY": " "}) == {}
    snap = snapshot(settings, TEAM_KEY=" ", OPENAI_API_KEY="k")
    [row] = [each for each in snap["models"] if each["id"] == "a/b"]
    assert row["candidates"] == []
    assert row["excluded"] == [{"provider": provider, "reason": "no_key"}]
    said = unserved_models(settings, catalog, snap)["a/b"]
    assert said == f"set TEAM_KEY or SPARE_KEY, of providers.{provider}.keys"
    assert usable_providers(settings, catalog, {"SPARE_KEY": "s"}) == {provider: "s"}


def test_a_provider_that_is_enabled_has_one_of_its_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seekroute.yaml").write_text(
        "providers:\n"
        "  groq:\n"
        "    enabled: true\n"
        "    keys: [{id: team, env: TEAM_KEY}, {id: spare, env: SPARE_KEY}]\n"
        "  mine:\n"
        "    base_url: https://gpu.example/v1\n"
        "    enabled: true\n"
        "    keys: [{id: one, env: MINE_KEY}]\n"
        "  other:\n"
        "    base_url: https://gpu.example/v1\n"
        "    keys: [{id: one, env: OTHER_KEY}]\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={"GROQ_API_KEY": "of-somebody-else"})
    assert {each.path: (each.message, each.hint) for each in caught.value.problems} == {
        "providers.groq.enabled": ("enabled, but no key was found", "set TEAM_KEY or SPARE_KEY"),
        "providers.mine.enabled": ("enabled, but no key was found", "set MINE_KEY"),
    }
    settings = load_settings(environ={"SPARE_KEY": "s", "MINE_KEY": "m"})
    assert settings.providers["groq"].enabled


def test_an_empty_list_of_keys_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "providers: {mine: {base_url: 'https://gpu.example/v1', keys: []}}"
    Path("seekroute.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(environ={})
    [problem] = caught.value.problems
    assert problem.path == "providers.mine.keys"
    assert "at least 1" in problem.message
