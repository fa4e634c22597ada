"""Parameters that a model is known to refuse: passed on, or dropped and named where that is set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests

from seekroute.testing import MockProvider
from serving import PATIENCE, chat_body, running_server

REFUSED: dict[str, Any] = {
    "temperature": 0.2,
    "top_p": 0.5,
    "presence_penalty": 1,
    "frequency_penalty": 1,
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {"50256": -100},
}
THINKERS = ("gpt-5", "gpt-5-mini", "gpt-5-nano", "o1", "o3", "o3-mini", "o4-mini")


def ask(server: Any, model: str, **fields: Any) -> Any:
    server.mock.reset()
    headers = {"Content-Type": "application/json"}
    return server.request("POST", "/v1/chat/completions", chat_body(model=model, **fields), headers)


@pytest.mark.parametrize("name", REFUSED)
def test_the_mock_refuses_what_openai_refuses(name: str) -> None:
    with MockProvider() as mock:
        fields = {name: REFUSED[name], **({"logprobs": True} if name == "top_logprobs" else {})}
        found = {}
        for model in ("gpt-5-mini", "o3", "gpt-5-chat-latest", "gpt-5.1", "gpt-4o", "omega"):
            body = {"model": model, "messages": [{"role": "user", "content": "a"}], **fields}
            url = f"{mock.base_url}/chat/completions"
            found[model] = requests.post(url, json=body, timeout=PATIENCE)
        assert {model: answer.status_code for model, answer in found.items()} == {
            **{"gpt-5-mini": 400, "o3": 400},
            **{"gpt-5-chat-latest": 200, "gpt-5.1": 200, "gpt-4o": 200, "omega": 200},
        }
        error = found["o3"].json()["error"]
        assert error["param"] in fields
        assert error["code"] in ("unsupported_parameter", "unsupported_value")


@pytest.mark.parametrize("fields", [{"temperature": 1}, {"top_p": 1.0}, {"presence_penalty": 0}])
def test_the_mock_takes_what_is_the_default(fields: dict[str, Any]) -> None:
    with MockProvider() as mock:
        body = {"model": "o3", "messages": [{"role": "user", "content": "a"}], **fields}
        url = f"{mock.base_url}/chat/completions"
        assert requests.post(url, json=body, timeout=PATIENCE).status_code == 200


def test_they_are_passed_on_and_the_providers_words_come_back(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        answer = ask(server, "openai/gpt-5-mini", temperature=0.2)
        assert answer.status == 400
        error = answer.json()["error"]
        assert error["param"] == "temperature"
        assert server.mock.requests[0].fields["temperature"] == 0.2


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", ["global", "provider"])
def test_they_are_dropped_and_named_where_the_operator_says_so(
    tmp_path: Path, where: str, stream: bool
) -> None:
    own: dict[str, Any] = {"drop_refused_parameters": True}
    settings: dict[str, Any] = own if where == "global" else {"providers": {"openai": own}}
    with running_server(tmp_path / "data", **settings) as server:
        for slug in THINKERS:
            answer = ask(server, f"openai/{slug}", stream=stream, seed=7, **REFUSED)
            assert answer.status == 200, (slug, answer.body)
            sent = server.mock.requests[0].fields
            assert not REFUSED.keys() & sent.keys()
            assert sent["seed"] == 7
            named = answer.headers["x-seekroute-ignored"].split(", ")
            assert sorted(named) == sorted(REFUSED)
        # What is not set is left out without a word.
        answer = ask(server, "openai/o3", temperature=None, stream=stream)
        assert (answer.status, answer.headers.get("x-seekroute-ignored")) == (200, None)
        assert "temperature" not in server.mock.requests[0].fields
        # A model that takes them gets them.
        answer = ask(server, "openai/gpt-4o", temperature=0.2, stream=stream)
        assert (answer.status, answer.headers.get("x-seekroute-ignored")) == (200, None)
        assert server.mock.requests[0].fields["temperature"] == 0.2


def test_a_provider_may_be_said_to_be_passed_everything(tmp_path: Path) -> None:
    settings = {
        "drop_refused_parameters": True,
        "providers": {"openai": {"drop_refused_parameters": False}},
    }
    with running_server(tmp_path / "data", **settings) as server:
        assert ask(server, "openai/o3", temperature=0.2).status == 400


def test_a_row_of_ones_own_says_what_its_model_refuses(tmp_path: Path) -> None:
    with MockProvider() as upstream:
        own = {
            "base_url": upstream.base_url,
            "api_key": "sk-of-the-provider",
            "allow_http": True,
            "allow_private": True,
            "drop_refused_parameters": True,
        }
        offer = {"provider": "own", "model": "omega", "free": True, "refuses": ["top_p"]}
        model = {"id": "own/omega", "context": 8000, "endpoints": [offer]}
        with running_server(tmp_path / "data", providers={"own": own}, models=[model]) as server:
            answer = ask(server, "own/omega", top_p=0.5, temperature=0.2)
        assert answer.headers["x-seekroute-ignored"] == "top_p"
        assert "top_p" not in upstream.requests[0].fields
        assert upstream.requests[0].fields["temperature"] == 0.2
