"""`seekroute config import litellm` as a command: what it refuses, writes, prints, and serves."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import money_cli
from bare_cli import unconfigure
from checkout import ROOT
from first_starts import first_words
from litellm_configs import FIXTURES, converted, one
from seekroute.config import load_settings
from seekroute.errors import ConfigError
from seekroute.testing import MockProvider, Text, Usage
from serving import PATIENCE


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


# --- what is no such file -------------------------------------------------------------------------

BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
REFUSED = {
    "empty": ("", "found nothing"),
    "comment": ("# nothing\n", "found nothing"),
    "list": ("- model_name: x\n", "expected a mapping at the top level"),
    "word": ("hello", "expected a mapping at the top level"),
    "tabs": ("model_list:\n\t- model_name: x\n", "not YAML"),
    "broken": ("model_list: [", "not YAML"),
    "control": ("model_list: \x00", "not YAML"),
    "two-documents": ("model_list: []\n---\nmodel_list: []\n", "not YAML"),
    "ours": ("providers: {openai: {api_key: canary}}\n", "this is not LiteLLM's config.yaml"),
    "no-list": ("model_list: {gpt: 4}\n", "expected a list of models"),
    "word-list": ("model_list: none at all\n", "expected a list of models"),
    "twice": ("model_list: []\nmodel_list: []\n", "given twice, first in line 1"),
    "inner-twice": (one("model: a, model: b"), "given twice, first in line 3"),
    "unknown-alias": ("model_list: *nowhere\n", "not YAML"),
    "own-alias": ("model_list: &a [*a]\n", "nested"),
    "deep": ("model_list: " + "[" * 500 + "]" * 500, "nested deeper"),
    "very-deep": ("model_list: " + "[" * 100_000, "not YAML"),
    "bomb": (BOMB + "model_list: []\n", "aliases written out"),
    "merge-bomb": (BOMB + "model_list:\n- <<: *a9\n", "aliases written out"),
    "many": (
        "model_list:\n" + "- {model_name: m, litellm_params: {model: ollama/x}}\n" * 5001,
        "at most 5000 models",
    ),
}


@pytest.mark.parametrize("case", list(REFUSED))
def test_what_is_refused(case: str) -> None:
    text, reason = REFUSED[case]
    started = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        converted(text)
    assert time.monotonic() - started < PATIENCE
    assert reason in str(caught.value)
    assert "canary" not in str(caught.value)
    Path("config.yaml").write_text(text, encoding="utf-8")
    result = money_cli.run("config", "import", "litellm", "config.yaml", code=2)
    assert result.output.startswith("error: config.yaml")
    assert "Traceback" not in result.output
    assert not Path("seekroute.yaml").exists()


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00\x01", b"a" * (4 * 1024 * 1024 + 1)])
def test_files_that_cannot_be_read(content: bytes | None) -> None:
    if content is not None:
        Path("config.yaml").write_bytes(content)
    result = money_cli.run("config", "import", "litellm", "config.yaml", code=2)
    assert result.output.startswith("error: config.yaml: ")


ODD_SHAPES = (
    "model_list: null\n",
    "model_list: []\n",
    "model_list: [null, 5, [], {}, {model_name: [a]}, {model_name: m}]\n",
    "model_list: [{model_name: m, litellm_params: 5, model_info: [1]}]\n",
    "model_list: [{model_name: m, litellm_params: {model: {a: 1}}}]\n",
    "model_list: [{model_name: m, litellm_params: {model: [a], api_key: {}}}]\n",
    "model_list: [{model_name: m, litellm_params: {model: openai/}}]\n",
    "model_list: []\nrouter_settings: 7\nlitellm_settings: [a]\ngeneral_settings: x\n",
    "model_list: []\nrouter_settings: {model_group_alias: [a, b]}\n",
    "model_list: []\nrouter_settings: {model_group_alias: {a: [b], c: {d: e}}}\n",
    "model_list: []\ncredential_list: {a: b}\nenvironment_variables: [a]\ninclude: {a: b}\n",
    "model_list: []\n5: 6\n? [a]\n: b\n",
)


@pytest.mark.parametrize("text", ODD_SHAPES)
def test_odd_shapes_are_said_and_nothing_is_written(text: str) -> None:
    Path("config.yaml").write_text(text, encoding="utf-8")
    result = money_cli.run("config", "import", "litellm", "config.yaml", code=1)
    assert "nothing to write" in result.stderr
    assert not Path("seekroute.yaml").exists()


# --- the command ----------------------------------------------------------------------------------


def run(*words: str, code: int = 0) -> Any:
    return money_cli.run("config", "import", "litellm", *words, code=code)


def test_a_file_is_replaced_only_when_told() -> None:
    Path("config.yaml").write_text(one("model: ollama/x"), encoding="utf-8")
    Path("seekroute.yaml").write_text("server: {port: 1}\n", encoding="utf-8")
    assert "--force" in run("config.yaml", code=1).output
    assert load_settings().server.port == 1
    run("config.yaml", "--force")
    assert load_settings().models[0].id == "ollama/m"
    assert "choose another name" in run("config.yaml", "-o", "config.yaml", code=1).output
    assert "is read" in run("config.yaml", "--out", "config.yaml", "--force", code=1).output
    assert "suffix" in run("config.yaml", "-o", "new.json", code=2).output
    assert "cannot write" in run("config.yaml", "-o", "no/folder.yaml", code=1).output
    Path("link.yaml").symlink_to("nowhere.yaml")
    assert "exists" in run("config.yaml", "-o", "link.yaml", code=1).output


def test_a_file_that_is_missing_is_said_first() -> None:
    Path("seekroute.yaml").write_text("mock: on\n", encoding="utf-8")
    said = run("config", "import", "litellm", "nope.yaml", code=2).stderr
    assert "nope.yaml" in said
    assert "seekroute.yaml exists" not in said


def test_the_file_has_the_mode_of_init_s() -> None:
    Path("config.yaml").write_text(one("model: ollama/x"), encoding="utf-8")
    before = os.umask(0o027)
    try:
        run("config.yaml")
        money_cli.run("init", "first.yaml")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(os.stat(name).st_mode) for name in ("seekroute.yaml", "first.yaml")}
    assert modes == {0o640}


def test_json_and_standard_output() -> None:
    fixture = str(FIXTURES["team"])
    found = json.loads(run(fixture, "--json").stdout)
    assert (found["file"], found["out"]) == (fixture, "seekroute.yaml")
    assert found["models"][0] == {
        "name": "gpt-4o",
        "id": "openai/gpt-4o",
        "endpoints": ["openai/gpt-4o", "azure/gpt4o-sweden", "azure-2/gpt4o-france"],
        "written": True,
    }
    assert {
        "line": 70,
        "section": "general_settings",
        "what": "master_key",
        "text": "make keys anew: seekroute keys create",
        "path": "general_settings.master_key",
    } in found["not_taken"]
    assert [each["what"] for each in found["to_set"]] == ["OPENAI_API_KEY_2"]
    assert "AZURE_FRANCE_BASE" in found["variables"]
    assert found["changed"]
    shown = run(fixture, "-o", "-")
    assert shown.stdout == Path("seekroute.yaml").read_text(encoding="utf-8")
    assert "not taken:" in shown.stderr
    empty = Path("empty.yaml")
    empty.write_text("model_list: []\n", encoding="utf-8")
    assert json.loads(run("empty.yaml", "--json", "-o", "x.yaml", code=1).stdout)["out"] is None


def test_long_words_fit_into_a_line() -> None:
    name, key = "m" * 190, "k" * 300
    Path("config.yaml").write_text(one(f"model: ollama/x, {key}: 1", name=name), encoding="utf-8")
    result = run("config.yaml")
    assert "…" in result.stdout
    assert max(map(len, result.stdout.splitlines())) == 80


def test_what_a_line_has_no_room_for_comes_below_it() -> None:
    params = "model: azure/x, api_base: 'https://x.openai.azure.com', api_key: k"
    text = one(params, "{base_model: azure/gpt-35-turbo-16k}") + (
        "- {model_name: n, litellm_params: {model: ollama/x}}\n"
    )
    Path("config.yaml").write_text(text, encoding="utf-8")
    assert run("config.yaml").stdout.splitlines()[2:4] == [
        "       4  base_model azure/gpt-35-turbo-16k:",
        "          not in the catalog: give *_cost_per_token",
    ]


def test_the_page_shows_what_is_done() -> None:
    page = (ROOT / "docs/litellm.md").read_text(encoding="utf-8")
    before, after = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    [shown] = re.findall(r"^\$ seekroute config import .*?\n(.*?)^\$", page, re.M | re.DOTALL)
    Path("config.yaml").write_text(before, encoding="utf-8")
    assert run("config.yaml").stdout == shown
    assert Path("seekroute.yaml").read_text(encoding="utf-8") == after


# --- served ---------------------------------------------------------------------------------------


@pytest.fixture
def upstream() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


def test_clients_of_litellm_are_answered(upstream: MockProvider, tmp_path: Path) -> None:
    Path("config.yaml").write_text(
        "model_list:\n"
        "- model_name: gpt-4o\n"
        "  litellm_params:\n"
        "    model: openai/house-large\n"
        f"    api_base: {upstream.base_url}\n"
        "    api_key: os.environ/HOUSE_KEY\n"
        "    extra_headers: {X-Title: blue}\n"
        "    input_cost_per_token: 1e-06\n"
        "    output_cost_per_token: 0.000002\n"
        "- model_name: local/llama\n"
        "  litellm_params:\n"
        "    model: ollama/llama3.1:8b\n"
        f"    api_base: {upstream.origin}\n"
        "    api_key: sk-canary-literal-key-000000\n"
        "router_settings: {model_group_alias: {gpt-4: gpt-4o}}\n",
        encoding="utf-8",
    )
    found = json.loads(run("config.yaml", "--json").stdout)
    assert found["variables"] == ["HOUSE_KEY", "OLLAMA_API_KEY"]
    environ = {**os.environ, "HOUSE_KEY": "house-key-1", "OLLAMA_API_KEY": "ollama-key-1"}
    child = subprocess.Popen(
        [sys.executable, "-m", "seekroute", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        text=True,
    )
    try:
        key, port, _ = first_words(child)
        for name, model, authorization in (
            ("gpt-4o", "house-large", "Bearer house-key-1"),
            ("gpt-4", "house-large", "Bearer house-key-1"),
            ("local/llama", "llama3.1:8b", "Bearer ollama-key-1"),
        ):
            upstream.reset()
            upstream.queue(Text("Yes.", usage=Usage(1000, 100)))
            # A new organization has no credits yet: the first key is the operator's own.
            answer = _ask(port, key, name)
            assert answer["choices"][0]["message"]["content"] == "Yes."
            (request,) = upstream.requests
            assert request.json["model"] == model
            assert request.headers["authorization"] == authorization
            assert request.headers.get("x-title") == ("blue" if name != "local/llama" else None)
            cost = Decimal(str(answer["usage"]["cost"]))
            assert cost == (Decimal("0.0012") if name != "local/llama" else 0)
        child.send_signal(signal.SIGTERM)
        out, log = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
        assert "house-key-1" not in out + log
    finally:
        child.kill()
        child.communicate()


def _ask(port: int, key: str, model: str) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Are you there?"}]})
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body, headers)
    response = connection.getresponse()
    found = json.loads(response.read())
    connection.close()
    assert response.status == 200, found
    return found
