"""What answers where no provider has a key, and how each surface names the mock."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import money_cli
import seekroute
from bare_cli import unconfigure
from in_process import MODEL
from seekroute.testing import MockProvider, Text
from serving import running_server

run: Callable[..., Any] = money_cli.run

ASKING = pytest.mark.parametrize(("command", "stdin"), [(("ask", "Hi"), ""), (("chat",), "Hi\n")])


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


def _write(text: str) -> None:
    Path("seekroute.yaml").write_text(text, encoding="utf-8")


# --- the command line -----------------------------------------------------------------------------


@ASKING
def test_a_command_answers_by_the_mock_and_says_so(command: tuple[str, ...], stdin: str) -> None:
    result = run(*command, stdin=stdin)
    assert result.stdout == "Hello! You said: Hi\n"
    assert "no provider has a key: the built-in mock provider answers" in result.stderr
    assert "--mock off" in result.stderr


@ASKING
def test_a_mock_that_was_asked_for_needs_no_word(command: tuple[str, ...], stdin: str) -> None:
    result = run(*command, "--mock", "on", stdin=stdin)
    assert (result.stdout, result.stderr) == ("Hello! You said: Hi\n", "")


def test_an_answer_in_json_names_the_mock() -> None:
    result = run("ask", "Hi", "--json")
    assert json.loads(result.stdout)["provider"] == "mock"
    assert "the built-in mock provider answers" in result.stderr


@ASKING
@pytest.mark.parametrize("words", [("--mock", "off"), ()])
def test_a_refusal_names_the_option_of_the_command_line(
    command: tuple[str, ...], stdin: str, words: tuple[str, ...]
) -> None:
    if not words:
        _write("mock: off\n")
    said = run(*command, *words, stdin=stdin, code=2).stderr
    assert "no provider has a key" in said
    assert "--mock on" in said
    assert "Client(" not in said


@ASKING
def test_a_value_that_is_none_is_refused_in_the_words_of_the_command_line(
    command: tuple[str, ...], stdin: str
) -> None:
    said = run(*command, "--mock", "sideways", stdin=stdin, code=2).stderr
    assert "--mock: expected 'auto', 'on', 'beside' or 'off', found 'sideways'" in said
    assert "Client(" not in said


@ASKING
def test_the_file_says_who_answers(command: tuple[str, ...], stdin: str) -> None:
    with MockProvider() as provider:
        provider.queue(Text("From the provider."))
        _write(
            "mock: on\nproviders:\n  openai:\n    api_key: k-1\n    allow_http: true\n"
            f"    allow_private: true\n    base_url: {provider.base_url}\n"
        )
        words = ("-m", "openai/gpt-4o")
        assert run(*command, *words, stdin=stdin).stdout == "Hello! You said: Hi\n"
        assert not provider.requests
        result = run(*command, *words, "--mock", "auto", stdin=stdin)
        assert (result.stdout, result.stderr) == ("From the provider.\n", "")


@ASKING
def test_the_mock_alone_needs_no_variable_of_a_provider(
    command: tuple[str, ...], stdin: str
) -> None:
    _write("providers:\n  openai:\n    api_key: ${OPENAI_API_KEY}\n")
    assert run(*command, "--mock", "on", stdin=stdin).stdout == "Hello! You said: Hi\n"
    assert "OPENAI_API_KEY is not set" in run(*command, stdin=stdin, code=2).stderr


# --- Python ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "mock: auto\n"])
def test_a_client_never_answers_by_a_mock_that_nobody_asked_for(text: str) -> None:
    _write(text)
    with pytest.raises(seekroute.ConfigError, match=r'Client\(mock="on"\)'):
        seekroute.Client()


@pytest.mark.parametrize("where", ["file", "variable"])
def test_a_client_answers_by_the_mock_that_its_configuration_names(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "file":
        _write("mock: on\n")
    else:
        monkeypatch.setenv("SEEKROUTE_MOCK", "on")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-called")
    with seekroute.Client() as client:
        assert client.ask("Hi", MODEL).provider == "mock"


# --- a gateway elsewhere --------------------------------------------------------------------------


@ASKING
def test_a_key_without_a_gateway_is_told(
    command: tuple[str, ...], stdin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEKROUTE_API_KEY", "sk-canary")
    said = run(*command, stdin=stdin).stderr
    assert "SEEKROUTE_API_KEY is set, and SEEKROUTE_BASE_URL is not" in said
    assert "canary" not in said
    assert "BASE_URL" not in run(*command, "--mock", "on", stdin=stdin).stderr


@ASKING
def test_a_missing_key_is_told_by_its_variable(
    command: tuple[str, ...], stdin: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with running_server(tmp_path / "data") as server:
        monkeypatch.setenv("SEEKROUTE_BASE_URL", server.base_url)
        said = run(*command, stdin=stdin, code=1).stderr
    assert said == "error: no API key was given: set SEEKROUTE_API_KEY\n"
