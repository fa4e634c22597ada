"""The examples and tables of five services' pages, each against its profile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import seed_texts
from node_clients import PATIENCE_S, run_node
from seed_texts import Example
from seekroute.config import packaged_catalog
from seekroute.gateway import SERVER
from seekroute.server.first_key import welcome
from seekroute.testing import Image, Status, Text
from serving import RunningServer

Gateways = Callable[[str], RunningServer]

PROFILES = ("seekrouter", "solrouter", "router9", "routerone", "reseller")
# One model as each profile's page spells its ids.
SPELLED = {
    "seekrouter": "deepseek/deepseek-chat",
    "solrouter": "openai/gpt-4o-mini",
    "router9": "gpt-4o",
    "routerone": "gpt-4o",
    "reseller": "deepseek-chat",
}
BASE_PATHS = {profile: "/v1" for profile in PROFILES} | {"seekrouter": "/api/v1"}


def run_example(example: Example, server: RunningServer, folder: Path) -> str:
    """Runs an example, changed only in base URL and key; returns what it printed."""
    origin = f"http://127.0.0.1:{server.port}"
    text = example.text.replace(seed_texts.ORIGIN, origin).replace(seed_texts.KEY, server.key)
    environment = dict(os.environ)
    if example.key_variable and "load_dotenv" in example.text:
        # python-dotenv looks upwards from the program.
        (folder / ".env").write_text(f"{example.key_variable}={server.key}\n")
        environment.pop(example.key_variable, None)
    elif example.key_variable:
        environment[example.key_variable] = server.key
    if example.language == "node":
        script = folder / "example.mjs"
        script.write_text(text)
        return run_node(script, environment=environment)
    script = folder / "example"
    script.write_text(text)
    program = "bash" if example.language == "bash" else sys.executable
    done = subprocess.run(
        [program, str(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_answer(answer: dict[str, Any], example: Example, mock_text: str) -> None:
    """Checks that an answer has the fields that the example's page shows."""
    assert answer["id"].startswith("chatcmpl-")
    named = "text_completion" if example.profile == "router9" else "chat.completion"
    assert answer["object"] == named
    assert isinstance(answer["created"], int)
    if example.model == "auto":
        assert answer["model"]
        assert answer["model"] != "auto"
        assert "/" not in answer["model"]
    else:
        assert answer["model"] == example.model
    [choice] = answer["choices"]
    assert choice["index"] == 0
    assert choice["message"]["role"] == "assistant"
    assert choice["message"]["content"] == mock_text
    assert choice["finish_reason"] == "stop"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] > 0
    assert ("cost" in usage) == (example.profile == "solrouter")
    if "cost" in usage:
        assert isinstance(usage["cost"], float)
        assert 0 < usage["cost"] < 1


@pytest.mark.parametrize("example", seed_texts.JSON_EXAMPLES, ids=lambda each: each.label)
def test_example_prints_the_answer_its_page_shows(
    gateways: Gateways, tmp_path: Path, example: Example
) -> None:
    answer = json.loads(run_example(example, gateways(example.profile), tmp_path))
    check_answer(answer, example, f"Hello! You said: {example.prompt}")


@pytest.mark.parametrize("example", seed_texts.TEXT_EXAMPLES, ids=lambda each: each.label)
def test_example_prints_the_text_of_the_answer(
    gateways: Gateways, tmp_path: Path, example: Example
) -> None:
    server = gateways(example.profile)
    printed = run_example(example, server, tmp_path)
    assert printed == f"Hello! You said: {example.prompt}\n"
    [request] = server.mock.requests
    assert request.json["messages"][-1]["content"] == example.prompt


def test_example_reads_content_usage_and_finish_reason(gateways: Gateways, tmp_path: Path) -> None:
    example = seed_texts.FIELDS_EXAMPLE
    printed = run_example(example, gateways(example.profile), tmp_path).splitlines()
    assert printed[0] == f"Response: Hello! You said: {example.prompt}"
    assert printed[1].removeprefix("Tokens used: ").isdigit()
    assert printed[2] == "Finished because: stop"


def test_streaming_example_ends_with_usage_and_done(gateways: Gateways, tmp_path: Path) -> None:
    example = seed_texts.STREAM_EXAMPLE
    printed = run_example(example, gateways(example.profile), tmp_path)
    lines = [line for line in printed.split("\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["id"].startswith("chatcmpl-")
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == "Hello! You said: Hello!"
    assert [chunk["model"] for chunk in chunks] == [example.model] * len(chunks)
    assert [bool(chunk.get("usage")) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert "cost" not in chunks[-1]["usage"]


def test_image_example_answers_with_the_url_of_the_image(
    gateways: Gateways, tmp_path: Path
) -> None:
    example = seed_texts.IMAGE_EXAMPLE
    server = gateways(example.profile)
    url = "https://cdn.example.com/gen/image-xyz.png"
    server.mock.queue(Image(url))
    answer = json.loads(run_example(example, server, tmp_path))
    message = answer["choices"][0]["message"]
    assert (message["role"], message["content"]) == ("assistant", url)
    assert answer["model"] == example.model
    [request] = server.mock.requests
    assert request.path.endswith("/images/generations")
    assert request.json["prompt"] == example.prompt


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("base_path", ["/v1", "/api/v1"])
def test_both_base_paths_answer(gateways: Gateways, profile: str, base_path: str) -> None:
    server = gateways(profile)
    body = {"model": SPELLED[profile], "messages": [{"role": "user", "content": "Hello!"}]}
    answer = server.request("POST", f"{base_path}/chat/completions", json.dumps(body).encode())
    assert answer.status == 200
    assert server.request("GET", f"{base_path}/models").status == 200


@pytest.mark.parametrize(
    ("profile", "prefix"),
    [
        ("seekrouter", "sr-"),
        ("solrouter", "sr_"),
        ("router9", "sk-r9k-"),
        ("routerone", "sk-"),
        ("reseller", "sk-"),
        ("seekroute", "sk-sr-"),
    ],
)
def test_keys_have_the_shape_of_the_profile(gateways: Gateways, profile: str, prefix: str) -> None:
    assert gateways(profile).key.startswith(prefix)


def test_keys_of_every_profile_live_side_by_side(gateways: Gateways) -> None:
    server = gateways("seekroute")
    keys = {}
    for profile in PROFILES:
        shape = server.service.profiles[profile].key_prefix
        _, keys[profile] = server.service.control.keys.create(
            "default", name=f"side by side {profile}", profile=profile, prefix=shape
        )
    server.service.sync_keys()
    for profile, key in keys.items():
        answer = server.request(
            "POST",
            "/v1/chat/completions",
            json.dumps(
                {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
            ).encode(),
            {"Authorization": f"Bearer {key}"},
        ).json()
        named = "text_completion" if profile == "router9" else "chat.completion"
        assert answer["object"] == named
        assert ("cost" in answer["usage"]) == (profile == "solrouter")


@pytest.mark.parametrize(
    ("profile", "asked", "named"),
    [
        ("seekrouter", "deepseek/deepseek-chat", "deepseek/deepseek-chat"),
        ("seekrouter", "deepseek-chat", "deepseek-chat"),
        ("solrouter", "openai/gpt-4o-mini", "openai/gpt-4o-mini"),
        ("solrouter", "gpt-4o-mini", "openai/gpt-4o-mini"),
        ("solrouter", "deepseek-r1", "deepseek/deepseek-reasoner"),
        ("router9", "gpt-4o", "gpt-4o"),
        ("router9", "openai/gpt-4o", "gpt-4o"),
        ("router9", "deepseek-r1", "deepseek-reasoner"),
        ("routerone", "gpt-4o", "gpt-4o"),
        ("routerone", "openai/gpt-4o", "gpt-4o"),
        ("reseller", "deepseek-chat", "deepseek-chat"),
        ("reseller", "deepseek-r1", "deepseek-r1"),
        ("reseller", "deepseek-coder", "deepseek-coder"),
        ("reseller", "deepseek/deepseek-chat", "deepseek/deepseek-chat"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_model_in_the_answer(
    gateways: Gateways, profile: str, asked: str, named: str, stream: bool
) -> None:
    answer = gateways(profile).chat(model=asked, stream=stream)
    assert answer.status == 200
    text = answer.body.decode()
    parts = [part.removeprefix("data: ") for part in text.split("\n\n")] if stream else [text]
    models = {json.loads(part)["model"] for part in parts if part and part != "[DONE]"}
    assert models == {named}


@pytest.mark.parametrize("profile", ["seekrouter", "solrouter"])
def test_catalog_lists_provider_and_model(gateways: Gateways, profile: str) -> None:
    rows = gateways(profile).request("GET", "/v1/models").json()["data"]
    assert all(row["id"].count("/") == 1 for row in rows)
    assert {"deepseek/deepseek-chat", "openai/gpt-4o-mini"} <= {row["id"] for row in rows}
    assert all({"prompt", "completion"} <= set(row["pricing"]) for row in rows)
    assert len(rows) >= 100
    assert len(packaged_catalog().providers) >= 20


@pytest.mark.parametrize("profile", ["router9", "routerone", "reseller"])
def test_catalog_lists_bare_ids(gateways: Gateways, profile: str) -> None:
    server = gateways(profile)
    rows = server.request("GET", "/v1/models").json()["data"]
    assert {"gpt-4o", "deepseek-chat", "jimeng-image"} <= {row["id"] for row in rows}


@pytest.mark.parametrize(
    "model", ["deepseek-chat", "deepseek-r1", "deepseek-coder", "jimeng-image"]
)
def test_reseller_describes_its_models(gateways: Gateways, model: str) -> None:
    answer = gateways("reseller").request("GET", f"/v1/models/{model}")
    assert answer.status == 200
    assert answer.json()["description"]


@pytest.mark.parametrize("profile", PROFILES)
def test_streaming_is_off_unless_asked_for(gateways: Gateways, profile: str) -> None:
    server = gateways(profile)
    assert server.chat(model=SPELLED[profile]).headers["content-type"] == "application/json"
    streamed = server.chat(model=SPELLED[profile], stream=True)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    last = json.loads(streamed.body.split(b"\n\n")[-3].removeprefix(b"data: "))
    assert last["usage"]["prompt_tokens"] > 0
    assert ("cost" in last["usage"]) == (profile == "solrouter")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("missing", ["model", "messages"])
def test_model_and_messages_are_required(gateways: Gateways, profile: str, missing: str) -> None:
    server = gateways(profile)
    body = {"model": SPELLED[profile], "messages": [{"role": "user", "content": "Hi"}]}
    del body[missing]
    path = f"{BASE_PATHS[profile]}/chat/completions"
    answer = server.request("POST", path, json.dumps(body).encode())
    assert answer.status == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "missing_required_parameter"
    assert missing in error["message"]
    assert server.mock.requests == []


@pytest.mark.parametrize(
    ("profile", "fields", "param"),
    [
        ("seekrouter", {"temperature": 2.1}, "temperature"),
        ("seekrouter", {"temperature": -0.1}, "temperature"),
        ("seekrouter", {"max_tokens": 1.5}, "max_tokens"),
        ("seekrouter", {"max_tokens": "10"}, "max_tokens"),
        ("seekrouter", {"stream": "true"}, "stream"),
        ("router9", {"temperature": 2.1}, "temperature"),
        ("router9", {"temperature": -1}, "temperature"),
        ("routerone", {"messages": []}, "messages"),
        ("routerone", {"temperature": 2.0001}, "temperature"),
        ("routerone", {"max_tokens": 0}, "max_tokens"),
        ("routerone", {"top_p": 1.01}, "top_p"),
        ("routerone", {"top_p": -0.01}, "top_p"),
        ("routerone", {"stream_options": {"include_usage": True}}, "stream_options"),
        (
            "routerone",
            {"stream": False, "stream_options": {"include_usage": True}},
            "stream_options",
        ),
    ],
)
def test_request_checks_refuse(
    gateways: Gateways, profile: str, fields: dict[str, Any], param: str
) -> None:
    server = gateways(profile)
    answer = server.chat(**{"model": SPELLED[profile], **fields})
    assert answer.status == 400
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    # Every refusal says where: in `param`, or in the sentence where the profile has no `param`.
    assert param in (error["message"] if profile == "routerone" else error["param"])
    assert server.mock.requests == []


@pytest.mark.parametrize(
    ("profile", "fields"),
    [
        ("seekrouter", {"temperature": 0}),
        ("seekrouter", {"temperature": 2, "max_tokens": 5, "top_p": 1}),
        ("router9", {"temperature": 2.0, "max_tokens": 7}),
        ("routerone", {"temperature": 0, "top_p": 0, "max_tokens": 1}),
        ("routerone", {"temperature": 2, "top_p": 1}),
        ("routerone", {"stream": True, "stream_options": {"include_usage": True}}),
        # Their pages name no range: the provider decides.
        ("solrouter", {"temperature": 2.5, "top_p": 1.5}),
        ("reseller", {"temperature": 2.5, "top_p": 1.5}),
    ],
)
def test_request_checks_accept(gateways: Gateways, profile: str, fields: dict[str, Any]) -> None:
    server = gateways(profile)
    server.mock.queue(Text("accepted"))
    assert server.chat(**{"model": SPELLED[profile], **fields}).status == 200
    [request] = server.mock.requests
    sent = dict(request.json)
    if "max_completion_tokens" in sent:  # OpenAI's models are told so
        sent["max_tokens"] = sent.pop("max_completion_tokens")
    assert {name: sent.get(name) for name in fields} == fields


@pytest.mark.parametrize(
    ("profile", "kind", "code"),
    [
        ("seekrouter", "authentication_error", "invalid_api_key"),
        ("solrouter", "authentication_error", "invalid_api_key"),
        ("router9", "authentication_error", "invalid_api_key"),
        ("routerone", "authentication_error", "invalid_api_key"),
        ("reseller", "authentication_error", "unauthorized"),
    ],
)
def test_wrong_key_is_401_in_the_words_of_the_profile(
    gateways: Gateways, profile: str, kind: str, code: str
) -> None:
    server = gateways(profile)
    path = f"{BASE_PATHS[profile]}/chat/completions"
    wrong = server.key[:-1] + ("a" if server.key[-1] != "a" else "b")
    answer = server.request("POST", path, b"{}", {"Authorization": f"Bearer {wrong}"})
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == (kind, code)
    assert server.key[8:] not in answer.body.decode()
    if profile == "routerone":
        assert error == {
            "message": "Invalid API key",
            "type": "authentication_error",
            "code": "invalid_api_key",
        }
    missing = server.request("POST", path, b"{}", with_key=False)
    assert missing.status == 401
    if profile in ("routerone", "reseller"):
        assert missing.code == code


@pytest.mark.parametrize("profile", PROFILES)
def test_error_bodies_have_the_fields_of_the_page(gateways: Gateways, profile: str) -> None:
    answer = gateways(profile).chat(model="no/such-model")
    assert answer.status == 404
    expected = {"message", "type", "code"}
    if profile != "routerone":
        expected |= {"param"}
    assert set(answer.json()) == {"error"}
    assert set(answer.json()["error"]) == expected
    assert answer.code == "model_not_found"


# 402 and 429 are not yet caused by anything a client can do: their words come from the one table
# that every error body is written from.
@pytest.mark.parametrize(
    ("profile", "name", "status", "kind", "code"),
    [
        ("seekrouter", "insufficient_credits", 402, "billing_error", "insufficient_credits"),
        ("routerone", "insufficient_credits", 402, "billing_error", "insufficient_balance"),
        ("reseller", "insufficient_credits", 402, "billing_error", "insufficient_credits"),
        ("seekrouter", "rate_limit_exceeded", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("routerone", "rate_limit_exceeded", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("reseller", "rate_limit_exceeded", 429, "rate_limit_error", "rate_limit_exceeded"),
        ("seekrouter", "no_upstream", 503, "server_error", "provider_unavailable"),
        ("reseller", "no_upstream", 503, "server_error", "provider_unavailable"),
        ("seekrouter", "permission_denied", 403, "permission_error", "permission_denied"),
    ],
)
def test_error_vocabulary(
    gateways: Gateways, profile: str, name: str, status: int, kind: str, code: str
) -> None:
    server = gateways(profile)
    bearer = f"Bearer {server.key}".encode()
    given, _, body = server.gateway.core.write_error(
        name, "why it failed", "", None, bearer, SERVER
    )
    error = json.loads(body)["error"]
    assert (given, error["type"], error["code"]) == (status, kind, code)
    page_words = {"insufficient_balance": "Insufficient balance"}
    if profile == "routerone" and status == 402:
        assert error == {
            "message": page_words[code],
            "type": "billing_error",
            "code": "insufficient_balance",
        }
    if profile == "routerone" and status == 429:
        assert error == {
            "message": "Rate limit exceeded",
            "type": "rate_limit_error",
            "code": "rate_limit_exceeded",
        }


@pytest.mark.parametrize("profile", ["seekrouter", "reseller"])
def test_provider_that_is_down_is_503_provider_unavailable(
    gateways: Gateways, profile: str
) -> None:
    server = gateways(profile)
    server.mock.queue(Status(503))
    answer = server.chat(model=SPELLED[profile])
    assert (answer.status, answer.code) == (503, "provider_unavailable")


@pytest.mark.parametrize("profile", ["routerone", "reseller"])
def test_provider_at_its_limit_is_429_with_retry_after(gateways: Gateways, profile: str) -> None:
    server = gateways(profile)
    server.mock.queue(Status(429, headers={"retry-after": "7"}))
    answer = server.chat(model=SPELLED[profile])
    assert (answer.status, answer.code) == (429, "rate_limit_exceeded")
    assert answer.headers["retry-after"] == "7"


def test_app_has_to_be_approved(gateways: Gateways) -> None:
    server = gateways("seekrouter")
    control = server.service.control
    app = control.apps.create("default", name="waits for approval")
    _, key = control.keys.create(
        "default", name="of an app", profile="seekrouter", prefix="sr-", app=app.id
    )
    server.service.sync_keys()
    headers = {"Authorization": f"Bearer {key}"}
    body = json.dumps(
        {"model": "deepseek/deepseek-chat", "messages": [{"role": "user", "content": "Hi"}]}
    ).encode()
    refused = server.request("POST", "/api/v1/chat/completions", body, headers)
    assert refused.status == 403
    assert refused.code == "app_not_approved"
    assert refused.json()["error"]["message"].startswith("App not approved")
    assert server.mock.requests == []
    control.apps.approve(app.id)
    server.service.sync_keys()
    assert server.request("POST", "/api/v1/chat/completions", body, headers).status == 200


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter"])
def test_finish_reasons_arrive(gateways: Gateways, reason: str) -> None:
    server = gateways("solrouter")
    server.mock.queue(Text("The text", finish_reason=reason))
    answer = server.chat(model="openai/gpt-4o-mini").json()
    assert answer["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("profile", PROFILES)
def test_curl_of_the_first_start_can_be_pasted(
    gateways: Gateways, tmp_path: Path, profile: str
) -> None:
    server = gateways(profile)
    origin = f"http://127.0.0.1:{server.port}"
    text = welcome(server.service, origin, server.key)
    command = text[text.index("curl ") :]
    assert f" {origin}{BASE_PATHS[profile]}/chat/completions " in command
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert answer["choices"][0]["message"]["content"] == "Hello! You said: Hello!"
    bare = profile in ("router9", "routerone", "reseller")
    assert ("/" in answer["model"]) == (not bare)
