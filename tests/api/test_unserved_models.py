"""Models that the catalog knows and nobody serves here, and snapshots that are gone."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import openai
import pytest

import seekroute
from seekroute.config import load_settings, prepare
from seekroute.testing import MockProvider
from serving import RunningServer, chat_body, running_server

# Its only endpoint is DeepSeek's, of which there is no key.
UNSERVED = "deepseek/deepseek-chat"
SERVED = "openai/gpt-4o-mini"
PROFILES = ["seekroute", "seekrouter", "solrouter", "router9", "routerone", "reseller"]


def gateway(tmp_path: Path, mock: MockProvider, profile: str = "seekroute") -> Any:
    own = {"base_url": mock.base_url, "allow_http": True, "allow_private": True, "api_key": "x" * 9}
    return running_server(
        tmp_path,
        profile=profile,
        mock="off",
        providers={"openai": own, "moonshot": {"enabled": False}},
        credits={"enabled": False},
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_model_of_no_configured_provider_is_not_there(
    tmp_path: Path, mock: MockProvider, profile: str, stream: bool
) -> None:
    with gateway(tmp_path, mock, profile) as server:
        answer = server.chat(model=UNSERVED, stream=stream)
        assert answer.status == 404
        assert answer.headers["x-should-retry"] == "false"
        error = answer.json()["error"]
        wanted = "no_matching_endpoint" if profile == "seekroute" else "model_not_found"
        assert (error["type"], error["code"]) == ("invalid_request_error", wanted)
        assert f"no provider of '{UNSERVED}' is configured at this gateway" in error["message"]
        assert "GET /v1/models" in error["message"]
        assert "KEY" not in error["message"]  # that is for whoever runs it
        quote = server.request(
            "POST", "/v1/quote", chat_body(model=UNSERVED), {"Content-Type": "application/json"}
        )
        assert (quote.status, quote.json()["error"]["code"]) == (404, wanted)
        listed = {row["id"] for row in server.request("GET", "/v1/models").json()["data"]}
        spelt = {SERVED, "gpt-4o-mini"}
        assert listed & spelt
        assert not listed & {UNSERVED, "deepseek-chat"}
        assert server.request("GET", f"/v1/models/{UNSERVED}").status == 404
    assert not mock.requests


def test_sdks_ask_once(tmp_path: Path, mock: MockProvider) -> None:
    with gateway(tmp_path, mock) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key=server.key)
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(
                model=UNSERVED, messages=[{"role": "user", "content": "hi"}]
            )
        with seekroute.Client(base_url=server.base_url, api_key=server.key) as remote:
            with pytest.raises(seekroute.NoProviderError) as caught:
                remote.ask("hi", UNSERVED)
            assert isinstance(caught.value, seekroute.NotFoundError)
            assert (caught.value.attempts, caught.value.retryable) == (1, False)
            results = remote.map([f"p{i}" for i in range(50)], UNSERVED, progress=False)
            assert results.stopped == "model"
        asked = [
            value
            for name, labels, value in server.service.samples()
            if name == "seekroute_http_requests_total" and "404" in dict(labels).values()
        ]
        assert sum(asked) <= 40


def test_the_operator_is_told_what_is_wanted(
    tmp_path: Path, mock: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "seekroute.server"), gateway(tmp_path, mock) as server:
        for _ in range(3):
            assert server.chat(model=UNSERVED).status == 404
        assert server.chat(model="moonshotai/kimi-k2.5").status == 404
    said = [each.getMessage() for each in caplog.records if "no provider" in each.getMessage()]
    assert len(said) == 2  # once a minute for each model
    assert UNSERVED in said[0]
    assert "DEEPSEEK_API_KEY" in said[0]
    assert "providers.moonshot.enabled is false" in said[1]
    assert "NOVITA_API_KEY" in said[1]


def test_of_a_model_for_something_else_the_operator_is_told_nothing(
    tmp_path: Path, mock: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """It is served, and its client was told where."""
    with caplog.at_level(logging.WARNING, "seekroute.server"), gateway(tmp_path, mock) as server:
        refused = server.chat(model="text-embedding-3-small")
        assert (refused.status, refused.code) == (404, "no_matching_endpoint")
        assert "POST /v1/embeddings" in refused.json()["error"]["message"]
    assert not [each for each in caplog.records if "no provider" in each.getMessage()]


def test_in_process_the_variable_is_named(tmp_path: Path, mock: MockProvider) -> None:
    own = {"base_url": mock.base_url, "allow_http": True, "allow_private": True, "api_key": "x" * 9}
    with seekroute.Client(providers={"openai": own}, mock="off") as client:
        with pytest.raises(seekroute.NoProviderError) as caught:
            client.ask("hi", UNSERVED)
        assert caught.value.status_code == 404
        assert "DEEPSEEK_API_KEY" in str(caught.value)
        assert not caught.value.retryable
        results = client.map([f"p{i}" for i in range(100)], UNSERVED, progress=False)
        assert results.stopped == "model"
        assert all(isinstance(each, seekroute.NoProviderError) for each in results.errors.values())
        with pytest.raises(seekroute.NotFoundError, match="the alias 'gpt-4o' is, and leads to"):
            client.ask("hi", "gpt-4o-2023-01-01")
        with pytest.raises(seekroute.NotFoundError, match="did you mean"):
            client.ask("hi", "claude-sonnet-4-20250514")  # what it would lead to is not served
    assert not mock.requests


@pytest.mark.parametrize(
    ("name", "alias", "leads_to"),
    [
        ("claude-sonnet-4-20250514", "claude-sonnet-4", "anthropic/claude-sonnet-4-6"),
        ("claude-3-sonnet-20240229", "claude-3-sonnet", "anthropic/claude-sonnet-4-6"),
        ("anthropic/claude-sonnet-4-20250514", "anthropic/claude-sonnet-4", "claude-sonnet-4-6"),
        ("gpt-4o-2023-01-01", "gpt-4o", "openai/gpt-4o"),
        ("openai/gpt-4o-0101", "openai/gpt-4o", ""),
    ],
)
def test_a_snapshot_that_is_gone_names_what_is_served(
    tmp_path: Path, name: str, alias: str, leads_to: str
) -> None:
    with running_server(tmp_path, credits={"enabled": False}) as server:
        answer = server.chat(model=name)
        assert (answer.status, answer.code) == (404, "model_not_found")
        message = answer.json()["error"]["message"]
        assert f"'{name}' is not served" in message
        assert f"'{alias}' is" in message
        assert leads_to in message
        # Only what the key may use is named.
        _, barred = server.service.control.keys.create(
            "default", name="b", profile="seekroute", prefix="sk-sr-", models=["mistral/*"]
        )
        server.service.sync_keys()
        answer = server.request(
            "POST",
            "/v1/chat/completions",
            chat_body(model=name),
            {"Content-Type": "application/json", "Authorization": f"Bearer {barred}"},
        )
        assert f"'{alias}'" not in answer.json()["error"]["message"]
        assert not mock_asked(server)


def mock_asked(server: RunningServer) -> bool:
    return bool(server.mock.requests)


def test_the_plan_says_of_each_model_what_it_lacks() -> None:
    settings = load_settings(overrides={"mock": "off", "providers": {"groq": {"enabled": False}}})
    plan = prepare(settings, {"OPENAI_API_KEY": "sk-" + "x" * 20})
    assert SERVED not in plan.unserved
    assert set(plan.unserved) == {
        each["id"] for each in plan.snapshot["models"] if not each["candidates"]
    }
    text = json.dumps(plan.unserved)
    assert "ANTHROPIC_API_KEY" in text
    assert "x" * 20 not in text
