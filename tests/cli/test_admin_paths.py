"""Administration from anywhere: without provider keys, and in the data directory that is meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seekroute.cli.root import app
from seekroute.config import catalog_of, load_settings
from seekroute.control import ControlPlane
from seekroute.errors import ConfigError

ADMIN = [
    ("keys", "list"),
    ("orgs", "list"),
    ("apps", "list"),
    ("logs",),
    ("usage",),
    ("credits", "balance"),
    ("credits", "orders"),
    ("credits", "add", "acme", "5"),
    ("backup", "copy.db"),
    ("ledger", "verify"),
    ("prune", "--older-than", "400d", "--yes"),
    ("config", "show"),
    ("models", "list"),
]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SEEKROUTE_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def run(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == code, (words, result.output)
    return result


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What `init` makes where two keys are exported, and a customer. Then the shell is another."""
    folder = tmp_path / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-example")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-example")
    run("init")
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("GROQ_API_KEY")
    run("orgs", "create", "acme")
    run("credits", "add", "acme", "1")
    return folder


@pytest.mark.parametrize("words", ADMIN, ids=" ".join)
def test_no_command_of_administration_needs_a_providers_key(
    shop: Path, words: tuple[str, ...]
) -> None:
    run(*words)


@pytest.mark.parametrize("words", ADMIN[:-2], ids=" ".join)
def test_a_configuration_elsewhere_means_its_own_data(
    shop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    run("--config", "../shop/seekroute.yaml", *words)
    assert not (elsewhere / "seekroute-data").exists()
    monkeypatch.setenv("SEEKROUTE_CONFIG", str(shop / "seekroute.yaml"))
    assert "acme" in run("orgs", "list").stdout


@pytest.mark.parametrize(
    "words", [("config", "check"), ("doctor", "--offline"), ("serve", "--port", "0")], ids=" ".join
)
def test_what_calls_providers_says_which_key_is_missing(shop: Path, words: tuple[str, ...]) -> None:
    result = run(*words, code=1 if words[0] == "doctor" else 2)
    said = result.stdout + result.stderr
    assert "environment variable OPENAI_API_KEY is not set" in said
    assert "environment variable GROQ_API_KEY is not set" in said
    # Whatever stood there as a default would be sent as the key.
    assert ":-default" not in said


@pytest.mark.parametrize("words", [each for each in ADMIN if each[0] != "models"], ids=" ".join)
def test_no_command_makes_a_data_directory(tmp_path: Path, words: tuple[str, ...]) -> None:
    if words[0] == "config":
        run(*words)
    else:
        result = run(*words, code=1)
        assert "yet" in result.stderr
        assert "--data-dir" in result.stderr or words[0] in ("backup", "ledger", "prune")
    assert not list(tmp_path.iterdir())


def test_init_makes_it(tmp_path: Path) -> None:
    result = run("init")
    assert "seekroute-data" in result.stdout
    with ControlPlane(tmp_path / "seekroute-data") as control:
        assert control.orgs.list() == []


def test_only_what_a_file_says_starts_from_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "ca.pem").write_text("certificates")
    file = folder / "seekroute.yaml"
    file.write_text("data_dir: data\nproviders: {groq: {ca_file: ca.pem, api_key: x}}\n")
    settings = load_settings(file, environ={})
    assert settings.data_dir == str(folder / "data")
    assert settings.providers["groq"].ca_file == str(folder / "ca.pem")
    file.write_text("data_dir: /var/lib/x\n")
    assert load_settings(file, environ={}).data_dir == "/var/lib/x"
    file.write_text("{}")
    assert load_settings(file, environ={}).data_dir == str(folder / "seekroute-data")
    given = load_settings(file, environ={"SEEKROUTE_DATA_DIR": "mine"})
    assert given.data_dir == "mine"
    assert load_settings(file, overrides={"data_dir": "mine"}, environ={}).data_dir == "mine"
    assert load_settings(environ={}).data_dir == "seekroute-data"


def test_without_variables_the_models_of_an_own_provider_are_known(tmp_path: Path) -> None:
    """A cron job has none of them, and makes a key for such a model all the same."""
    file = tmp_path / "x.yaml"
    file.write_text(
        "providers:\n"
        "  own: {base_url: '${NO_SUCH_URL}', api_key: '${NO_SUCH_KEY}'}\n"
        "models:\n"
        "  - {id: acme/small, context: 8192, endpoints: [{provider: own, model: s, free: true}]}\n"
    )
    settings = load_settings(file, environ={}, provider_keys=False)
    assert "acme/small" in {model.id for model in catalog_of(settings).models}


def test_without_keys_a_reference_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "providers:\n"
        "  openai: {api_key: '${NO_SUCH_KEY}', enabled: true, headers: {X-Org: 'a ${NO_SUCH}'}}\n"
        "  own: {base_url: '${NO_SUCH_URL}'}\n"
        "  groq: {api_key: '${SET}', proxy: '${NO_SUCH_PROXY:-http://proxy:3128}'}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ={"SET": "gsk"})
    assert len(caught.value.problems) == 3
    settings = load_settings(file, environ={"SET": "gsk"}, provider_keys=False)
    assert settings.providers["openai"].api_key is None
    assert settings.providers["openai"].headers == {}
    assert settings.providers["groq"].api_key is not None
    assert settings.providers["groq"].proxy is not None
    assert "own" in settings.providers
    file.write_text("data_dir: ${NO_SUCH_DIR}\n")
    with pytest.raises(ConfigError):  # whose data it is must be known
        load_settings(file, environ={}, provider_keys=False)
