"""`count_tokens`: what it counts with, what it says, and that it stays off the network."""

from __future__ import annotations

import base64
import doctest
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import seekroute.gateway
from checkout import ROOT
from seekroute.client import tokens as module
from seekroute.client.tokens import TokenCount, count_tokens
from token_texts import LANGUAGES, TEXTS
from vocabularies import VOCABULARIES, real_encoding

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "You are a patient gardener."},
    {
        "role": "user",
        "name": "Ines",
        "content": [
            {"type": "text", "text": "Which of these two leaves is ill?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 90_000}},
        ],
    },
]
TOOLS = [{"type": "function", "function": {"name": "forecast", "parameters": {"type": "object"}}}]


@pytest.fixture
def no_vocabulary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache with nothing in it."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))


def put_vocabulary(folder: Path, name: str = "o200k_base") -> Path:
    """Puts a vocabulary where tiktoken looks for it."""
    source = VOCABULARIES / f"{name}.tiktoken"
    if not source.exists():
        pytest.skip(f"{source} is absent: run `npm ci` in tests/node")
    url = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
    path = folder / hashlib.sha1(url.encode()).hexdigest()
    shutil.copy(source, path)
    return path


# The interpreter itself tells of every socket, whoever opens it.
GUARD = """
import os, sys
def refuse(event, arguments):
    if event in ("socket.__new__", "socket.connect", "socket.sendto", "socket.getaddrinfo"):
        os.write(2, b"the network was touched")
        os._exit(9)
sys.addaudithook(refuse)
"""


def offline(program: str, cache: Path) -> subprocess.CompletedProcess[str]:
    """Runs a program that ends with status 9 when it opens a socket or resolves a name."""
    return subprocess.run(
        [sys.executable, "-c", GUARD + program],
        env={**os.environ, "TIKTOKEN_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_offline(program: str, cache: Path) -> str:
    """What such a program prints, when it stays off the network."""
    done = offline(program, cache)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_download_would_be_noticed(tmp_path: Path) -> None:
    pytest.importorskip("tiktoken")
    done = offline("import tiktoken; tiktoken.get_encoding('o200k_base')", tmp_path)
    assert (done.returncode, done.stderr) == (9, "the network was touched")


@pytest.mark.usefixtures("no_vocabulary")
def test_text_is_estimated_without_a_vocabulary() -> None:
    text = LANGUAGES[0]
    count = count_tokens(text.text, "gpt-4o-mini")
    assert count == TokenCount(
        *seekroute.gateway.estimate_tokens(text.text.encode()), method="estimate"
    )
    assert count.upper >= text.tokens
    assert count == count_tokens(text.text) == count_tokens(text.text, "openai/gpt-5")


@pytest.mark.usefixtures("no_vocabulary")
def test_other_models_get_a_wider_bound_and_a_note() -> None:
    for text in TEXTS:
        fitted = count_tokens(text.text, "gpt-4o")
        other = count_tokens(text.text, "deepseek/deepseek-chat")
        assert other.tokens == fitted.tokens
        assert fitted.upper < other.upper <= len(text.text.encode())
        assert "o200k_base" in other.note
        assert fitted.note == ""


@pytest.mark.usefixtures("no_vocabulary")
def test_the_wider_bound_holds_for_another_vocabulary() -> None:
    cl100k = real_encoding("cl100k_base")
    for text in TEXTS:
        true = len(cl100k.encode_ordinary(text.text))
        assert true <= count_tokens(text.text, "meta/llama").upper, text.name


@pytest.mark.usefixtures("no_vocabulary")
def test_messages_are_text_template_and_images() -> None:
    count = count_tokens(MESSAGES, "gpt-4o")
    text = sum(
        count_tokens(part).tokens
        for part in ("You are a patient gardener.", "Which of these two leaves is ill?", "Ines")
    )
    assert (
        abs(count.tokens - (text + 2 * 4 + 3 + 1 + 765)) <= 2
    )  # texts are rounded once, not thrice
    assert count.upper >= count.tokens
    more = count_tokens(MESSAGES, "gpt-4o", tools=TOOLS)
    assert 10 < more.tokens - count.tokens < 60


def test_a_cached_vocabulary_counts_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tiktoken")
    put_vocabulary(tmp_path)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    for text in TEXTS:
        assert count_tokens(text.text, "openai/gpt-4o") == TokenCount(
            text.tokens, text.tokens, "tiktoken:o200k_base"
        )
    assert count_tokens(LANGUAGES[0].text).method == "tiktoken:o200k_base"
    # A vocabulary that is not there, and a model that tiktoken does not know.
    assert count_tokens("hello", "gpt-4").method == "estimate"
    assert count_tokens("hello", "deepseek/deepseek-chat").method == "estimate"

    count = count_tokens(MESSAGES, "gpt-4o", tools=TOOLS)
    assert count.method == "tiktoken:o200k_base"
    assert "estimated" in count.note
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    guess = count_tokens(MESSAGES, "gpt-4o", tools=TOOLS)
    assert guess.method == "estimate"
    assert abs(guess.tokens / count.tokens - 1) < 0.05


def test_nothing_is_downloaded(tmp_path: Path) -> None:
    program = (
        "from seekroute.client.tokens import count_tokens\n"
        "models = (None, 'gpt-4o', 'gpt-4', 'davinci-002', 'gpt-oss-20b', 'x/y')\n"
        "print({count_tokens('some words', model).method for model in models})\n"
    )
    assert run_offline(program, tmp_path) == "{'estimate'}"
    assert not list(tmp_path.iterdir())


def test_a_damaged_vocabulary_is_left_alone(tmp_path: Path) -> None:
    # tiktoken would delete the file and fetch another.
    url = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
    path = tmp_path / hashlib.sha1(url.encode()).hexdigest()
    path.write_bytes(base64.b64encode(b"a") + b" 0\n")
    program = (
        "from seekroute.client.tokens import count_tokens\n"
        "print(count_tokens('some words', 'gpt-4o').method)\n"
    )
    assert run_offline(program, tmp_path) == "estimate"
    assert path.exists()


def test_counting_works_offline(tmp_path: Path) -> None:
    pytest.importorskip("tiktoken")
    put_vocabulary(tmp_path)
    program = (
        "from seekroute.client.tokens import count_tokens\n"
        "count = count_tokens('some words', 'gpt-4o')\n"
        "print(count.method, count.tokens)\n"
    )
    assert run_offline(program, tmp_path) == "tiktoken:o200k_base 2"


def test_without_tiktoken_there_is_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    assert count_tokens("some words", "gpt-4o").method == "estimate"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (b"bytes", "got bytes"),
        (17, "got int"),
        (["text"], "every message to be a dict, got str"),
        ([{"role": "user", "content": object()}], "JSON can hold"),
    ],
)
def test_what_is_no_text_is_refused(wrong: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        count_tokens(wrong)


def test_tools_need_messages() -> None:
    with pytest.raises(TypeError, match="tools belong to a conversation"):
        count_tokens("text", tools=TOOLS)


def test_lone_surrogates_are_counted() -> None:
    assert count_tokens("a\ud800b").tokens >= 1
    assert count_tokens([{"role": "user", "content": "a\ud800b"}]).tokens >= 8


@pytest.mark.usefixtures("no_vocabulary")
@pytest.mark.parametrize("where", [module, seekroute.gateway])
def test_examples_in_docstrings_run(where: Any) -> None:
    tried = doctest.testmod(
        where,
        extraglobs={
            "estimate_tokens": seekroute.gateway.estimate_tokens,
            "estimate_prompt": seekroute.gateway.estimate_prompt,
        },
    )
    assert tried.attempted > 0
    assert tried.failed == 0


@pytest.mark.usefixtures("no_vocabulary")
def test_example_in_the_documentation_runs() -> None:
    page = ROOT / "docs/tokens.md"
    tried = doctest.testfile(str(page), module_relative=False)
    assert tried.attempted > 0
    assert tried.failed == 0
