"""What a provider refuses in process: told by name, as the class of its own status, and once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import seekroute
from in_process import HELLO, MODEL
from routings import NO_MEMORY
from seekroute.testing import MockProvider, Status


@pytest.fixture
def settings(mock: MockProvider, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnop")
    own = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
    other = {**own, "api_key": "deep-abcdefghijklmnop"}
    return {"providers": {"openai": own, "deepseek": other}, "routing": NO_MEMORY}


def refused(status: int, code: str, words: str) -> Status:
    return Status(status, body={"error": {"message": words, "code": code, "type": code}})


BAD_KEY = refused(401, "invalid_api_key", "Incorrect API key provided")
NO_QUOTA = refused(429, "insufficient_quota", "You exceeded your current quota")
NO_ACCESS = refused(404, "model_not_found", "You do not have access to it")
NO_COUNTRY = refused(403, "unsupported_country_region_territory", "Country not supported")
KINDS = [
    (BAD_KEY, seekroute.AuthenticationError, "authentication"),
    (NO_QUOTA, seekroute.InsufficientCreditsError, "credits"),
    (NO_ACCESS, seekroute.NotFoundError, "model"),
    (NO_COUNTRY, seekroute.PermissionDeniedError, "permission"),
]


@pytest.mark.parametrize(("reply", "kind", "stopped"), KINDS)
def test_a_refusal_names_provider_variable_and_the_provider_s_words(
    settings: dict[str, Any], mock: MockProvider, reply: Status, kind: type[Any], stopped: str
) -> None:
    words = reply.body["error"]["message"]
    with seekroute.Client(**settings) as client:
        for stream in (False, True):
            mock.queue(reply)
            with pytest.raises(kind) as caught:
                client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
            assert "openai" in str(caught.value)
            assert "OPENAI_API_KEY" in str(caught.value) + caught.value.hint
            assert words in str(caught.value)
            assert "operator" not in str(caught.value) + caught.value.hint
            assert not caught.value.retryable
            assert caught.value.request_id
        mock.queue(reply)
        with pytest.raises(kind) as caught:
            client.ask("x", "deepseek/deepseek-chat")
        assert "providers.deepseek.api_key" in str(caught.value) + caught.value.hint
    assert len(mock.requests) == 3

    async def main() -> None:
        mock.queue(reply)
        async with seekroute.AsyncClient(**settings) as client:
            with pytest.raises(kind, match="openai"):
                await client.ask("x", MODEL)

    asyncio.run(main())


@pytest.mark.parametrize(("reply", "kind", "stopped"), KINDS)
def test_a_refusal_of_all_ends_a_run(
    settings: dict[str, Any], mock: MockProvider, reply: Status, kind: type[Any], stopped: str
) -> None:
    mock.default = reply
    with seekroute.Client(**settings) as client:
        results = client.map([f"p{i}" for i in range(300)], MODEL, progress=False, concurrency=4)
    assert results.stopped == stopped
    assert len(mock.requests) <= 8
    assert all(isinstance(error, kind) for error in results.errors.values())
    assert len(results.skipped) >= 292
    assert stopped in str(results.summary())


def test_an_unknown_model_ends_a_run_and_the_nearest_names_are_told(
    settings: dict[str, Any], mock: MockProvider
) -> None:
    with seekroute.Client(**settings) as client:
        with pytest.raises(seekroute.NotFoundError) as caught:
            client.ask("x", "gpt-4o-minii")
        assert str(caught.value).startswith("no model 'gpt-4o-minii'; did you mean gpt-4o-mini")
        with pytest.raises(seekroute.NotFoundError, match="no model 'no-such-thing'"):
            client.ask("x", "no-such-thing")
        results = client.map([f"p{i}" for i in range(100)], "gpt-4o-minii", progress=False)
        assert results.stopped == "model"
        assert "did you mean gpt-4o-mini" in str(results.errors[0])
        assert len(results.errors) <= 32
    assert not mock.requests


def test_one_prompt_s_own_model_ends_no_run(settings: dict[str, Any], mock: MockProvider) -> None:
    mock.on(lambda request: "deep-" in request.headers["authorization"], BAD_KEY)
    prompts = [
        "a",
        {"model": "no-such-model", "messages": HELLO},
        {"model": "deepseek/deepseek-chat", "messages": HELLO},
        "b",
    ]
    with seekroute.Client(**settings) as client:
        results = client.map(prompts, MODEL, progress=False, concurrency=1)
        assert results.stopped == ""
        assert isinstance(results[1], seekroute.NotFoundError)
        assert isinstance(results[2], seekroute.AuthenticationError)
        assert results.texts[3] is not None
        comparison = client.compare("x", [MODEL, "no-such-model", "deepseek/deepseek-chat"])
        assert list(comparison.answers) == [MODEL]


def test_a_remote_gateway_s_404_ends_a_run_too(mock: MockProvider) -> None:
    mock.default = Status(404, body={"error": {"message": "no such model", "code": None}})
    with seekroute.Client(base_url=mock.base_url, api_key="x") as client:
        results = client.map([f"p{i}" for i in range(100)], "m", progress=False, concurrency=2)
    assert results.stopped == "model"
    assert len(mock.requests) <= 4


def test_the_words_hold_no_key(settings: dict[str, Any], mock: MockProvider) -> None:
    mock.queue(refused(401, "invalid_api_key", "Incorrect key sk-abcdefghijklmnop given"))
    with (
        seekroute.Client(**settings) as client,
        pytest.raises(seekroute.AuthenticationError) as caught,
    ):
        client.ask("x", MODEL)
    shown = json.dumps(caught.value.body) + str(caught.value) + caught.value.hint
    assert "sk-abcdefghijklmnop" not in shown
