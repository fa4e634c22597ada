"""OpenRouter's own fields of a request: what of them reaches the provider, and what is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from seekroute.testing import MockProvider
from serving import PATIENCE, RunningServer, chat_body, running_server

ASKED: dict[str, Any] = {
    "usage": {"include": True},
    "reasoning": {"effort": "high"},
    "provider": {"order": ["openai"]},
    "models": ["openai/gpt-4o"],
    "transforms": ["middle-out"],
    "plugins": [{"id": "web"}],
}
NAMED = {"transforms", "plugins"}


def model(name: str, **endpoint: Any) -> dict[str, Any]:
    """A model of a provider of our own."""
    offer = {"provider": "own", "model": name, "free": True, **endpoint}
    return {"id": f"own/{name}", "context": 8000, "max_output": 1000, "endpoints": [offer]}


@pytest.fixture(scope="module")
def upstream() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


@pytest.fixture(scope="module")
def server(
    upstream: MockProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A gateway to a provider that takes `reasoning_effort`, but for some models."""
    own = {
        "base_url": upstream.base_url,
        "api_key": "sk-of-the-provider",
        "allow_http": True,
        "allow_private": True,
    }
    models = [
        {**model("thinker"), "features": ["reasoning"]},
        {**model("talker"), "features": ["tools"]},
        model("unknown"),
        model("router", reasoning_field="reasoning"),
        model("dumb", reasoning_field="none"),
        # A row may say otherwise than its features, and one that thinks when asked is asked.
        {**model("hybrid", reasoning_field="reasoning_effort"), "features": ["tools"]},
        {**model("quiet"), "features": ["reasoning"], "thinks": False},
    ]
    path = tmp_path_factory.mktemp("fields")
    with running_server(path, providers={"own": own}, models=models) as running:
        yield running


def ask(
    server: RunningServer, upstream: MockProvider, base: str, **fields: Any
) -> tuple[dict[str, Any], set[str]]:
    """What the provider got beside model and messages, and what the client was told of."""
    upstream.reset()
    headers = {"Content-Type": "application/json"}
    answer = server.request("POST", f"{base}/chat/completions", chat_body(**fields), headers)
    assert answer.status == 200, answer.body
    (request,) = upstream.requests
    sent = {k: v for k, v in request.fields.items() if k not in ("model", "messages", "stream")}
    sent.pop("stream_options", None)
    return sent, set(filter(None, answer.headers.get("x-seekroute-ignored", "").split(", ")))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
@pytest.mark.parametrize(
    ("name", "sent", "named"),
    [
        ("thinker", {"reasoning_effort": "high"}, NAMED),
        ("unknown", {"reasoning_effort": "high"}, NAMED),
        ("talker", {}, NAMED | {"reasoning"}),
        ("router", {"reasoning": {"effort": "high"}}, NAMED),
        ("dumb", {}, NAMED | {"reasoning"}),
        ("hybrid", {"reasoning_effort": "high"}, NAMED),
        ("quiet", {"reasoning_effort": "high"}, NAMED),
    ],
)
def test_fields_are_told_in_the_providers_words_or_named(
    server: RunningServer,
    upstream: MockProvider,
    name: str,
    sent: dict[str, Any],
    named: set[str],
    base: str,
    stream: bool,
) -> None:
    found = ask(server, upstream, base, model=f"own/{name}", stream=stream, **ASKED)
    assert found == (sent, named)


def test_nothing_is_named_where_nothing_was_lost(
    server: RunningServer, upstream: MockProvider
) -> None:
    fields: dict[str, Any] = {"usage": {"include": True}, "models": None, "plugins": []}
    assert ask(server, upstream, "/v1", model="own/talker", **fields) == ({}, set())


def test_the_packaged_providers_that_take_no_effort(tmp_path: Path) -> None:
    from seekroute.config import build_snapshot, catalog_of, load_settings, profiles_of

    (tmp_path / "seekroute.yaml").write_text("{}\n")
    names = {"MISTRAL_API_KEY": "m", "OPENROUTER_API_KEY": "o", "OPENAI_API_KEY": "x"}
    settings = load_settings(tmp_path / "seekroute.yaml", environ=names)
    built = build_snapshot(settings, catalog_of(settings), profiles_of(settings), names)
    fields: dict[str, set[str]] = {}
    for each in built["models"]:
        for candidate in each["candidates"]:
            fields.setdefault(candidate["provider"], set()).add(candidate["reasoning_field"])
    assert fields["mistral"] == {"none"}
    assert fields["openai"] == {"none", "reasoning_effort"}
    assert fields.get("openrouter", {"reasoning"}) == {"reasoning"}
    assert json.dumps(built["models"])


@pytest.mark.parametrize("name", ["openai/gpt-5-mini", "auto", "openai/o3", "openai/gpt-4o"])
def test_max_tokens_reach_a_provider_in_the_field_that_it_takes(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    """Without credits, too; the mock refuses `max_tokens` where OpenAI does."""
    with running_server(tmp_path_factory.mktemp("caps")) as gateway:
        answer = gateway.chat(model=name, max_tokens=100)
        assert answer.status == 200, answer.body
        (request,) = gateway.mock.requests
        assert request.fields["max_completion_tokens"] == 100
        assert "max_tokens" not in request.fields


def test_the_mock_refuses_max_tokens_where_openai_does(upstream: MockProvider) -> None:
    for name, status in {"gpt-5": 400, "openai/o1-mini": 400, "gpt-4o": 200, "omega": 200}.items():
        answer = requests.post(
            f"{upstream.base_url}/chat/completions",
            json={"model": name, "max_tokens": 5, "messages": [{"role": "user", "content": "a"}]},
            timeout=PATIENCE,
        )
        assert answer.status_code == status, name
        if status == 400:
            error = answer.json()["error"]
            assert (error["code"], error["param"]) == ("unsupported_parameter", "max_tokens")
