"""The in-process client over the real core, against a real mock provider."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import seekroute
from in_process import MODEL, settings_for
from routings import NO_MEMORY
from seekroute.config import (
    build_options,
    build_snapshot,
    catalog_of,
    load_settings,
    profiles_of,
)
from seekroute.gateway import CHAT, Gateway
from seekroute.testing import Gate, MockProvider, Raw, Status, Text, Usage

HELLO = [{"role": "user", "content": "Hello!"}]


@pytest.fixture
def client(mock: MockProvider) -> Iterator[seekroute.Client]:
    provider = {
        "base_url": mock.base_url,
        "api_key": "sk-upstream",
        "allow_http": True,
        "allow_private": True,
    }
    with seekroute.Client(providers={"openai": provider}, routing=NO_MEMORY) as running:
        yield running


def test_answers_with_exact_cost(client: seekroute.Client, mock: MockProvider) -> None:
    mock.queue(Text("Paris.", usage=Usage(1000, 100)))
    answer = client.chat.completions.create(model="openai/gpt-4o-mini", messages=HELLO)
    assert answer.choices[0].message.content == answer.text == "Paris."
    assert answer.choices[0].message.tool_calls is None
    assert answer.provider == "openai"
    # 0.15 and 0.60 USD a million
    assert answer.cost == Decimal("0.00021")
    assert answer.usage.cost == float(answer.cost)
    assert mock.requests[0].headers["authorization"] == "Bearer sk-upstream"


@pytest.mark.parametrize("kind", ["config", "setting"])
def test_mock_on_asks_nobody_else_whatever_the_environment_holds(
    kind: str, mock: MockProvider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijk")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-abcdefghijk")
    settings: dict[str, Any] = {"mock": "on"}
    if kind == "config":
        file = tmp_path / "seekroute.yaml"
        providers = settings_for(mock)["providers"]
        file.write_text(json.dumps({"providers": providers}))
        settings["config"] = file
    with seekroute.Client(**settings) as client:
        for model in ("openai/gpt-4o-mini", "anthropic/claude-haiku-4-5", "auto"):
            assert client.route("Hello!", model=model).candidates[0].provider == "mock"
        assert client.ask("Hello!", model="openai/gpt-4o-mini").provider == "mock"
        assert client.map(["Hello!"], progress=False)[0].provider == "mock"
        assert [provider.slug for provider in client.providers.list()] == ["mock"]
    assert not mock.requests


def test_streams_and_knows_the_cost_at_the_end(client: seekroute.Client) -> None:
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True)
    assert stream.cost is None
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "Hello! You said: Hello!"
    assert [chunk.get("usage") is not None for chunk in chunks].count(True) == 1
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert stream.cost is not None
    assert stream.cost > 0


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"model": "no-such-model", "messages": HELLO}, seekroute.NotFoundError, "model"),
        ({"model": "gpt-4o-mini", "messages": []}, seekroute.BadRequestError, "messages"),
        (
            {"model": "gpt-4o-mini", "messages": HELLO, "max_tokens": -1},
            seekroute.BadRequestError,
            "max_tokens",
        ),
    ],
)
def test_refuses_bad_requests(
    client: seekroute.Client,
    mock: MockProvider,
    fields: dict[str, Any],
    kind: type[seekroute.APIStatusError],
    param: str,
) -> None:
    with pytest.raises(kind) as caught:
        client.chat.completions.create(**fields)
    assert caught.value.param == param
    assert caught.value.request_id
    assert not mock.requests


def test_upstream_failures_become_errors(client: seekroute.Client, mock: MockProvider) -> None:
    client = client.with_options(max_retries=0)
    mock.queue(Status(429, headers={"Retry-After": "7"}))
    with pytest.raises(seekroute.RateLimitError) as caught:
        client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    assert caught.value.retry_after == 7
    mock.queue(Status(500))
    with pytest.raises(seekroute.UpstreamError):
        client.chat.completions.create(model="gpt-4o-mini", messages=HELLO)


def test_a_model_without_a_provider_says_so(client: seekroute.Client) -> None:
    with pytest.raises(seekroute.NoProviderError, match="no provider of"):
        client.chat.completions.create(model="deepseek/deepseek-chat", messages=HELLO)


@pytest.mark.parametrize("how", ["close", "drop", "with"])
def test_leaving_a_stream_cancels_the_upstream(
    client: seekroute.Client, mock: MockProvider, how: str
) -> None:
    gate = Gate()
    mock.queue(Text("a b c d", gate=gate))
    gate.release(2)  # the role and one word
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True)
    next(stream)
    if how == "close":
        stream.close()
    elif how == "with":
        with stream:
            pass
    del stream
    mock.wait_for_abort()


def test_many_threads_share_a_client(client: seekroute.Client) -> None:
    wrong: list[str] = []

    def ask(name: str) -> None:
        for i in range(10):
            said = f"{name}-{i}"
            answer = client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": said}]
            )
            if said not in answer.text:
                wrong.append(answer.text)

    threads = [threading.Thread(target=ask, args=(f"t{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_closing_the_client_ends_a_running_stream(
    client: seekroute.Client, mock: MockProvider
) -> None:
    gate = Gate()
    mock.queue(Text("a b c d", gate=gate))
    gate.release(2)
    stream = client.chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True)
    next(stream)
    client.close()
    with pytest.raises(seekroute.APIConnectionError):
        list(stream)


def test_without_any_provider_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.endswith("_KEY"):
            monkeypatch.delenv(variable)
    with pytest.raises(seekroute.ConfigError, match="OPENAI_API_KEY"):
        seekroute.Client()


def test_cancelling_before_an_answer_ends_the_wait(mock: MockProvider) -> None:
    provider = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
    settings = load_settings(overrides={"providers": {"openai": {**provider, "api_key": "x"}}})
    catalog = catalog_of(settings)
    snapshot = build_snapshot(settings, catalog, profiles_of(settings), {})
    gateway = Gateway(build_options(settings, bytes(32)), snapshot)
    gateway.start_thread()
    mock.queue(Raw([("hang",)]))
    body = {"model": "gpt-4o-mini", "messages": HELLO}
    exchange = gateway.submit_sync(CHAT, json.dumps(body).encode())
    mock.wait_for_requests(1)
    exchange.cancel()
    with pytest.raises(seekroute.APIConnectionError, match="cancelled"):
        exchange.head()
    gateway.close()


# What `import seekroute` may take, in milliseconds.
IMPORT_BUDGET_MS = 100


def test_a_program_may_end_without_closing(mock: MockProvider) -> None:
    # Python ends slowly where much has been imported. Here a last object takes its time, longer
    # than a thread waits in the core.
    code = (
        "import time, seekroute, seekroute.gateway as gateway\n"
        "class Last:\n"
        "    def __init__(self): self.sleep, self.s = time.sleep, 2 * gateway._WAIT_SECONDS\n"
        "    def __del__(self): self.sleep(self.s)\n"
        "time.last = Last()\n"
        f"client = seekroute.Client(**{settings_for(mock)!r})\n"
        f"print(client.ask('Hi', {MODEL!r}).text)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello! You said: Hi\n", "")


def test_import_is_light_and_offline() -> None:
    script = (
        "import socket, sys\n"
        "def no(*a, **k): raise AssertionError('network at import')\n"
        "for name in ('connect', 'connect_ex', 'bind', 'sendto'):\n"
        "    setattr(socket.socket, name, no)\n"
        "socket.getaddrinfo = socket.create_connection = no\n"
        "import seekroute\n"
        "import seekroute.errors\n"
        "heavy = {'pydantic', 'sqlalchemy', 'uvicorn', 'yaml', 'seekroute._core', 'httpx2'}\n"
        "heavy |= {'httpx', 'openai', 'asyncio', 'typer', 'rich', 'starlette'}\n"
        "heavy &= set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import seekroute.client\n"
        "late = {'pydantic', 'sqlalchemy', 'httpx2', 'httpx', 'openai', 'yaml', 'uvicorn'}\n"
        "late &= set(sys.modules)\n"
        "assert not late, late\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_import_is_quick() -> None:
    """The best of a few: a busy machine must not decide."""
    best = min(_import_ms() for _ in range(5))
    assert best < IMPORT_BUDGET_MS


def _import_ms() -> float:
    """The cumulative time of the interpreter's own account."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import seekroute"],
        check=True,
        capture_output=True,
        text=True,
    )
    (line,) = [each for each in done.stderr.splitlines() if each.endswith("| seekroute")]
    return int(line.split("|")[1]) / 1000


def test_public_names_are_exported_and_documented() -> None:
    assert list(seekroute.__all__) == sorted(seekroute.__all__)
    for name in seekroute.__all__:
        assert getattr(seekroute, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute"):
        _ = seekroute.no_such_name


@pytest.mark.parametrize("key", ["x", "ollama", "EMPTY", "none", "lm-studio"])
def test_a_dummy_key_of_a_local_server_takes_nothing_out_of_messages(
    mock: MockProvider, key: str
) -> None:
    words = "max context exceeded; model 'qwen3' not found, try ollama pull; prompt is EMPTY, none"
    mock.queue(Status(400, body={"error": {"message": words}}))
    settings = settings_for(mock)
    settings["providers"]["openai"]["api_key"] = key
    with seekroute.Client(**settings) as client, pytest.raises(seekroute.BadRequestError) as caught:
        client.ask("x", MODEL)
    assert words in str(caught.value)
