"""Answers and chunks against the schemas of OpenAI's own API description."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from seekroute.testing import Text, ToolCalls, Usage
from serving import MODEL, RunningServer
from shared import shared_path

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "choices": {"n": 3},
    "logprobs": {"logprobs": True, "top_logprobs": 3},
    "length": {"max_tokens": 2},
    "tools": {"tools": [TOOL], "tool_choice": "required"},
    "json": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": SCHEMA},
        }
    },
    "reasoning": {"reasoning_effort": "high", "model": "deepseek-r1"},
    "image": {"model": "jimeng-image"},
    "usage asked for": {"stream_options": {"include_usage": True}},
}


def nullable_as_null(node: Any) -> Any:
    """OpenAPI 3.0's `nullable`, which the description still has in places, in JSON Schema."""
    if isinstance(node, list):
        return [nullable_as_null(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {name: nullable_as_null(value) for name, value in node.items()}
    if changed.get("nullable") is True:
        del changed["nullable"]
        return {"anyOf": [changed, {"type": "null"}]}
    return changed


def reachable(schemas: dict[str, Any], name: str, found: dict[str, Any]) -> None:
    """Collects a schema and what it refers to."""
    if name in found:
        return
    found[name] = nullable_as_null(schemas[name])
    fingerprint = found[name].get("properties", {}).get("system_fingerprint")
    if fingerprint is not None:
        # OpenAI itself sends null here, and what a provider sends is passed on.
        fingerprint["type"] = ["string", "null"]
    text = json.dumps(found[name])
    mark = '"#/components/schemas/'
    for part in text.split(mark)[1:]:
        reachable(schemas, part[: part.index('"')], found)


@pytest.fixture(scope="module")
def validators() -> dict[str, Draft202012Validator]:
    """One for each kind of answer."""
    file = shared_path("data", "api", "openai.openapi.yaml")
    with file.open("rb") as text:
        schemas = yaml.load(text, yaml.CSafeLoader)["components"]["schemas"]
    made = {}
    for name in (
        "CreateChatCompletionResponse",
        "CreateChatCompletionStreamResponse",
        "ListModelsResponse",
        "Model",
        "ErrorResponse",
    ):
        found: dict[str, Any] = {}
        reachable(schemas, name, found)
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": found}}
        Draft202012Validator.check_schema(schema)
        made[name] = Draft202012Validator(schema)
    return made


Validators = dict[str, Draft202012Validator]


def test_validators_refuse_what_is_wrong(validators: Validators) -> None:
    whole = validators["CreateChatCompletionResponse"]
    assert not whole.is_valid({"id": "x", "object": "chat.completion"})
    message = {"role": "assistant", "content": "x", "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    good = {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    assert whole.is_valid(good)
    assert not whole.is_valid({**good, "created": "1"})
    assert not whole.is_valid({**good, "usage": {"prompt_tokens": 1}})
    assert not whole.is_valid({**good, "choices": [{**choice, "finish_reason": "error"}]})


@pytest.mark.parametrize("name", [name for name in REQUESTS if name != "usage asked for"])
def test_answers(gateway: RunningServer, validators: Validators, name: str) -> None:
    answer = gateway.chat(**REQUESTS[name])
    assert answer.status == 200
    validators["CreateChatCompletionResponse"].validate(answer.json())


@pytest.mark.parametrize("name", REQUESTS)
def test_chunks(gateway: RunningServer, validators: Validators, name: str) -> None:
    answer = gateway.chat(stream=True, **REQUESTS[name])
    assert answer.status == 200
    check_chunks(answer.body, validators)


def check_chunks(body: bytes, validators: Validators) -> None:
    events = [event.removeprefix("data: ") for event in body.decode().split("\n\n")]
    assert events[-2:] == ["[DONE]", ""]
    assert len(events) > 3
    for event in events[:-2]:
        validators["CreateChatCompletionStreamResponse"].validate(json.loads(event))


@pytest.mark.parametrize("where", ["asked", "final", "finish", "every", "missing"])
@pytest.mark.parametrize("stream", [False, True])
def test_any_usage_a_provider_gives(
    gateway: RunningServer, validators: Validators, where: Any, stream: bool
) -> None:
    usage = Usage(100, 10, cached_tokens=90, reasoning_tokens=3, where=where, details=stream)
    gateway.mock.queue(Text("Hello there", usage=usage))
    answer = gateway.chat(stream=stream)
    if stream:
        check_chunks(answer.body, validators)
    else:
        validators["CreateChatCompletionResponse"].validate(answer.json())


def test_called_tools(gateway: RunningServer, validators: Validators) -> None:
    calls = ToolCalls([("f", {"a": 1}), ("f", {"b": "ü"})], content="Calling")
    gateway.mock.queue(calls, calls)
    validators["CreateChatCompletionResponse"].validate(gateway.chat(tools=[TOOL]).json())
    check_chunks(gateway.chat(tools=[TOOL], stream=True).body, validators)


def test_models(gateway: RunningServer, validators: Validators) -> None:
    validators["ListModelsResponse"].validate(gateway.request("GET", "/v1/models").json())
    one = gateway.request("GET", f"/v1/models/{MODEL}").json()
    validators["Model"].validate(one)


def test_errors(gateway: RunningServer, validators: Validators) -> None:
    for answer in (
        gateway.chat(model="nobody/nothing"),
        gateway.chat(n=-1),
        gateway.request("GET", "/v1/models", with_key=False),
        gateway.request("GET", "/nowhere"),
    ):
        assert answer.status >= 400
        validators["ErrorResponse"].validate(answer.json())
