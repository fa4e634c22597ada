"""The fake model of MockProvider, which answers when there is no script."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import openai
import pytest
import requests

from seekroute.testing import MockProvider, Text, instance_of

HELLO: list[Any] = [{"role": "user", "content": "hello world"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city"],
        },
    },
}
# No test below waits longer than this for anything, in seconds.
TIMEOUT = 10


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    with MockProvider() as provider:
        yield provider
        assert provider.errors == []


@pytest.fixture
def client(mock: MockProvider) -> Iterator[Any]:
    with openai.OpenAI(
        base_url=mock.base_url, api_key="any", max_retries=0, timeout=TIMEOUT
    ) as sdk:
        yield sdk


def ask(client: Any, **fields: Any) -> Any:
    return client.chat.completions.create(**{"model": "m", "messages": HELLO, **fields})


def post(mock: MockProvider, body: Any = None, path: str = "/chat/completions") -> Any:
    body = {"model": "m", "messages": HELLO} if body is None else body
    return requests.post(mock.base_url + path, json=body, timeout=TIMEOUT)


def events(response: Any) -> list[Any]:
    """The data of a stream's events, parsed, without [DONE]."""
    lines = [line[6:] for line in response.text.split("\n\n") if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def test_default_answer_has_openai_shape(client: Any) -> None:
    answer = ask(client)
    choice = answer.choices[0]
    assert choice.message.content == "Hello! You said: hello world"
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    assert choice.message.refusal is None
    assert answer.id.startswith("chatcmpl-")
    assert (answer.object, answer.model, answer.service_tier) == ("chat.completion", "m", "default")
    assert answer.usage.prompt_tokens + answer.usage.completion_tokens == answer.usage.total_tokens
    assert answer.usage.prompt_tokens_details.cached_tokens == 0


def test_long_prompt_is_cut(client: Any) -> None:
    answer = ask(client, messages=[{"role": "user", "content": "a" * 1000}])
    assert len(answer.choices[0].message.content) == 200


@pytest.mark.parametrize("include", [True, False])
def test_stream_has_role_content_finish_and_usage_chunks(mock: MockProvider, include: bool) -> None:
    body = {"model": "m", "messages": HELLO, "stream": True}
    if include:
        body["stream_options"] = {"include_usage": True}
    response = post(mock, body)
    assert response.headers["content-type"].startswith("text/event-stream")
    chunks = events(response)
    if include:
        last = chunks.pop()
        assert last["choices"] == []
        assert last["usage"]["completion_tokens"] == 7
        assert all(chunk["usage"] is None for chunk in chunks)
    else:
        assert not any("usage" in chunk for chunk in chunks)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(delta.get("content", "") for delta in deltas) == "Hello! You said: hello world"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_n_choices_take_turns_in_a_stream(client: Any) -> None:
    assert [choice.index for choice in ask(client, n=3).choices] == [0, 1, 2]
    with ask(client, n=2, stream=True) as stream:
        indexes = [chunk.choices[0].index for chunk in stream]
    assert indexes[:4] == [0, 1, 0, 1]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_token_limit_cuts_the_answer(client: Any, name: str) -> None:
    answer = ask(client, **{name: 2})
    assert answer.choices[0].message.content == "Hello!"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 2


def test_stop_cuts_the_answer(client: Any) -> None:
    choice = ask(client, stop=["world", " said"]).choices[0]
    assert (choice.message.content, choice.finish_reason) == ("Hello! You", "stop")


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_choice": "required"},
        {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
        {"messages": [{"role": "user", "content": "What is the weather in Paris?"}]},
    ],
)
def test_tool_is_called_when_forced_or_asked_for(client: Any, fields: dict[str, Any]) -> None:
    choice = ask(client, tools=[WEATHER], **fields).choices[0]
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    call = choice.message.tool_calls[0].function
    assert call.name == "get_weather"
    jsonschema.validate(json.loads(call.arguments), WEATHER["function"]["parameters"])
    with client.chat.completions.stream(
        **{"model": "m", "messages": HELLO, "tools": [WEATHER], **fields}
    ) as stream:
        streamed = stream.get_final_completion().choices[0]
    assert streamed.finish_reason == "tool_calls"
    assert streamed.message.tool_calls[0].function.arguments == call.arguments


def test_tool_is_not_called_unasked_and_its_result_is_answered(client: Any) -> None:
    assert ask(client, tools=[WEATHER]).choices[0].finish_reason == "stop"
    call = {"id": "c", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    conversation = [
        {"role": "user", "content": "the weather?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
    ]
    answer = ask(client, tools=[WEATHER], messages=conversation)
    assert answer.choices[0].message.content == "The tool answered: sunny"


def test_json_object_and_json_schema(client: Any) -> None:
    answer = ask(client, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content), dict)
    schema = WEATHER["function"]["parameters"]
    wanted = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}
    content = ask(client, response_format=wanted).choices[0].message.content
    jsonschema.validate(json.loads(content), schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "enum": ["a", "b"]},
        {"const": {"x": [1]}},
        {"type": ["null", "integer"], "minimum": 5, "multipleOf": 4},
        {"type": "integer", "exclusiveMinimum": -9, "exclusiveMaximum": -7},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 0.75},
        {"type": "string", "minLength": 12, "maxLength": 12},
        {"type": "array", "minItems": 3, "items": {"type": "boolean"}},
        {"type": "array", "prefixItems": [{"type": "null"}, {"type": "string"}]},
        {"anyOf": [{"type": "object", "required": ["q"]}, {"type": "null"}]},
        {"allOf": [{"required": ["a"]}, {"properties": {"a": {"type": "integer"}}}]},
        {
            "$ref": "#/$defs/node",
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {
                        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                        "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                    },
                    "required": ["next", "kids"],
                    "additionalProperties": False,
                }
            },
        },
    ],
)
def test_instance_satisfies_its_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema).validate(instance_of(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"l": {"$ref": "#/$defs/a"}}}}},
        {"type": "array", "minItems": 10**12},
        {"$ref": "#/$defs/a", "$defs": {"a": {"minItems": 99, "items": {"$ref": "#/$defs/a"}}}},
        {"type": "string", "minLength": 10**12},
    ],
)
def test_hostile_schema_gives_a_bounded_instance(schema: dict[str, Any]) -> None:
    assert len(json.dumps(instance_of(schema))) < 1_000_000


def test_logprobs_are_well_formed(client: Any) -> None:
    choice = ask(client, logprobs=True, top_logprobs=3).choices[0]
    entries = choice.logprobs.content
    assert "".join(entry.token for entry in entries) == choice.message.content
    for entry in entries:
        assert bytes(entry.bytes).decode() == entry.token
        assert len(entry.top_logprobs) == 3
        assert entry.top_logprobs[0].logprob == entry.logprob < 0
    with ask(client, logprobs=True, stream=True) as stream:
        tokens = [
            chunk.choices[0].logprobs.content[0].token
            for chunk in stream
            if chunk.choices[0].logprobs
        ]
    assert tokens == [entry.token for entry in entries]


def test_seed_decides_the_fingerprint(client: Any) -> None:
    one, same, other = (ask(client, seed=seed).system_fingerprint for seed in (1, 1, 2))
    assert one == same != other


def test_reasoning(client: Any) -> None:
    low, high = (
        ask(client, reasoning_effort=effort).usage.completion_tokens_details.reasoning_tokens
        for effort in ("low", "high")
    )
    assert 0 < low < high
    message = ask(client, model="deepseek-r1").choices[0].message
    assert message.reasoning_content
    with ask(client, model="deepseek-r1", stream=True) as stream:
        parts = [
            chunk.choices[0].delta.model_extra.get("reasoning_content", "") for chunk in stream
        ]
    assert "".join(parts) == message.reasoning_content


def test_images_in_content_count_as_tokens(client: Any) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    text = {"type": "text", "text": "hello world"}
    answer = ask(client, messages=[{"role": "user", "content": [text, picture]}])
    assert answer.choices[0].message.content == "Hello! You said: hello world"
    assert answer.usage.prompt_tokens == ask(client).usage.prompt_tokens + 85


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({"messages": HELLO}, "model"),
        ({"model": "m"}, "messages"),
        ({"model": "m", "messages": []}, "messages"),
        ({"model": "m", "messages": ["x"]}, "messages[0]"),
        ({"model": "m", "messages": HELLO, "n": 0}, "n"),
        ({"model": "m", "messages": HELLO, "stream": "yes"}, "stream"),
        ({"model": "m", "messages": HELLO, "temperature": 3}, "temperature"),
        ({"model": "m", "messages": HELLO, "stop": [1]}, "stop"),
        ({"model": "m", "messages": HELLO, "tools": [{}]}, "tools[0]"),
        ({"model": "m", "messages": HELLO, "tool_choice": {"function": {}}}, "tool_choice"),
        ({"model": "m", "messages": HELLO, "reasoning_effort": ["x"]}, "reasoning_effort"),
        ({"model": "m", "messages": HELLO, "response_format": {}}, "response_format"),
    ],
)
def test_invalid_request_gets_a_400(mock: MockProvider, body: Any, param: str | None) -> None:
    response = post(mock, body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 200_000, b"\xff"])
def test_body_that_is_not_json_gets_a_400(mock: MockProvider, body: bytes) -> None:
    url = mock.base_url + "/chat/completions"
    assert requests.post(url, data=body, timeout=TIMEOUT).status_code == 400
    assert mock.requests[0].body == body
    assert mock.requests[0].json is None


def test_lone_surrogate_in_the_prompt_is_answered(mock: MockProvider) -> None:
    response = post(mock, {"model": "m", "messages": [{"role": "user", "content": "\ud800 é"}]})
    assert "\ud800 é" in response.json()["choices"][0]["message"]["content"]


def test_image_generation(client: Any, mock: MockProvider) -> None:
    image = client.images.generate(model="mock-image", prompt="a cat", n=2)
    assert len(image.data) == 2
    head, _, data = image.data[0].url.partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")
    answer = client.images.generate(model="i", prompt="a cat", response_format="b64_json")
    assert base64.b64decode(answer.data[0].b64_json).startswith(b"\x89PNG")
    assert post(mock, {"prompt": ""}, "/images/generations").status_code == 400


def test_models_and_health(client: Any, mock: MockProvider) -> None:
    names = [model.id for model in client.models.list()]
    assert client.models.retrieve(names[0]).owned_by == "mock"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nope")
    assert requests.get(f"http://127.0.0.1:{mock.port}/", timeout=TIMEOUT).json() == {
        "status": "ok"
    }
    assert post(mock, {}, "/nope").status_code == 404
    assert requests.delete(mock.base_url + "/models", timeout=TIMEOUT).status_code == 405


def test_key_is_checked_when_one_is_set() -> None:
    with MockProvider(api_key="right") as mock:
        url = mock.base_url + "/models"
        for header, status in (("Bearer right", 200), ("Bearer wrong", 401), ("right", 401)):
            got = requests.get(url, headers={"authorization": header}, timeout=TIMEOUT)
            assert got.status_code == status
        assert got.json()["error"]["code"] == "invalid_api_key"
        mock.queue(Text("kept"))
        assert post(mock).status_code == 401
        assert mock.queued == 1
