"""What a user of the Python client is told: in Python's words, with what to do."""

from __future__ import annotations

import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

import seekroute
from bare_cli import unconfigure
from in_process import HELLO, MODEL
from seekroute.config import load_settings
from seekroute.errors import APIError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mok": "on"}, "Client(mok=…): unknown setting (did you mean mock?)"),
        ({"max_retry": 1, "mock": "on"}, "Client(max_retry=…): unknown setting (did you mean max_"),
        ({"mock": "sometimes"}, "Client(mock=…): expected 'auto', 'on', 'beside' or 'off'"),
        (
            {"providers": {"openai": {"api_kye": "x"}}},
            "Client(providers=…): openai.api_kye: unknown key (did you mean api_key?)",
        ),
        ({}, 'or Client(mock="on") to try it without one'),
    ],
)
def test_settings_that_are_wrong(arguments: dict[str, Any], words: str) -> None:
    for kind in (seekroute.Client, seekroute.AsyncClient):
        with pytest.raises(seekroute.ConfigError) as refused:
            kind(**arguments)
        assert words in str(refused.value)
        assert "command line" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"api_key": "sk-1"},
            'a provider\'s key goes in OPENAI_API_KEY or providers={"openai": {"api_key": ...}}',
        ),
        (
            {"base_url": "http://x.example/v1", "mock": "on"},
            "config, ledger and settings configure a gateway in this process; they cannot be "
            "combined with base_url",
        ),
    ],
)
def test_arguments_that_do_not_go_together(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError) as refused:
        seekroute.Client(**arguments)
    assert words in str(refused.value)


def test_ask_takes_one_question() -> None:
    with seekroute.Client(mock="on") as client:
        for call in (
            lambda: client.ask(HELLO),
            lambda: client.ask(messages=HELLO),
            lambda: client(messages=HELLO),
            lambda: client.ask("x", messages=HELLO),
        ):
            with pytest.raises(TypeError) as refused:
                call()
            assert "chat.completions.create(messages=...)" in str(refused.value)
        with pytest.raises(ValueError, match="empty"):
            client.ask()
        assert client.ask([{"type": "text", "text": "Hi"}], MODEL).text


def test_an_id_with_a_capital_author_is_told_the_rule(tmp_path: Path) -> None:
    endpoint = {"provider": "openai", "model": "x", "free": True}
    model = {"id": "Qwen/Qwen3-8B", "context": 1000, "endpoints": [endpoint]}
    with pytest.raises(seekroute.ConfigError, match="the author in lower case"):
        load_settings(overrides={"models": [model]}, environ={})
    model["id"] = "qwen/Qwen3-8B"
    load_settings(overrides={"models": [model]}, environ={})


def test_a_traceback_shows_the_hint() -> None:
    with seekroute.Client(mock="on") as client, pytest.raises(seekroute.NotFoundError) as caught:
        client.ask("x", "no-such-model")
    shown = "".join(traceback.format_exception(caught.value))
    assert caught.value.hint
    assert shown.rstrip().endswith(caught.value.hint)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.hint == caught.value.hint
    assert "".join(traceback.format_exception(again)).count(again.hint) == 1
    error = APIError("no", hint="first")
    error.add_note("the caller's own")
    error.hint = "second"
    assert error.__notes__ == ["the caller's own", "second"]
    error.hint = ""
    assert error.__notes__ == ["the caller's own"]
    assert not hasattr(APIError("no"), "__notes__")


def test_modules_are_there_after_one_import() -> None:
    script = (
        "import seekroute, sys\n"
        "assert 'seekroute.testing' not in sys.modules\n"
        "print(seekroute.testing.MockProvider.__name__, seekroute.errors.APIError.__name__,"
        " seekroute.ledger.Ledger.__name__, seekroute.Results.__name__, seekroute.Budget.__name__,"
        " seekroute.Quote.__name__, 'testing' in dir(seekroute))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [
        "MockProvider",
        "APIError",
        "Ledger",
        "Results",
        "Budget",
        "Quote",
        "True",
    ], done.stderr


def test_printed_pages_and_clients_are_readable() -> None:
    with seekroute.Client(mock="on") as client:
        shown = str(client.models.list(limit=3))
        assert len(shown.splitlines()) >= 4
        assert "USD" in shown.splitlines()[0] or "USD" in shown.splitlines()[1]
        assert repr(client).startswith("<seekroute.Client in this process: ")
        whole = str(client.models.list())
        assert len(whole.splitlines()) < 40
        assert "more" in whole.splitlines()[-1]
