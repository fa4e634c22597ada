"""OpenAI's Python SDK, its newest major line, with nothing changed but base URL and key."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import BaseModel

from seekroute.testing import Text, ToolCalls, Usage
from serving import MODEL, PATIENCE, RunningServer

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello!"}]
WEATHER_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


class City(BaseModel):
    """A structured answer."""

    name: str
    population: int
    districts: list[str]


@pytest.fixture
def client(gateway: RunningServer) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that every answer is the first one."""
    with openai.OpenAI(
        base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=PATIENCE
    ) as made:
        yield made


def test_sdk_is_of_the_newest_line() -> None:
    assert int(openai.__version__.partition(".")[0]) >= 3


def test_whole_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.id.startswith("gen-")
    assert answer.object == "chat.completion"
    assert answer.model == MODEL
    assert answer.choices[0].message.content == "Hello! You said: Hello!"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] > 0
    assert answer._request_id


def test_vectors(client: openai.OpenAI, gateway: RunningServer) -> None:
    embed, name = client.embeddings.create, "text-embedding-3-small"
    raw = client.embeddings.with_raw_response.create(
        model=name, input=["a cat", "a dog"], extra_headers={"x-request-id": "vectors-1"}
    )
    answer = raw.parse()
    assert (answer.object, answer.model) == ("list", "openai/text-embedding-3-small")
    assert [(each.index, len(each.embedding)) for each in answer.data] == [(0, 1536), (1, 1536)]
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (4, 4)
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] > 0
    assert raw.headers["x-request-id"] == "vectors-1"
    assert raw.headers["x-seekroute-provider"] == "mock"
    assert gateway.mock.requests[0].path == "/v1/embeddings"
    assert gateway.mock.requests[0].json["encoding_format"] == "base64"
    floats = embed(model=name, input=["a cat", "a dog"], encoding_format="float")
    assert [e.embedding for e in floats.data] == [e.embedding for e in answer.data]
    assert len(embed(model=name, input="a cat", dimensions=8).data[0].embedding) == 8
    assert len(embed(model=name, input=[[1, 2], [3]], dimensions=8).data) == 2
    with pytest.raises(openai.BadRequestError) as refused:
        embed(model=name, input=["a"] * 2049)
    assert refused.value.param == "input"


def test_vectors_under_asyncio(gateway: RunningServer) -> None:
    async def ask() -> int:
        async with openai.AsyncOpenAI(base_url=gateway.base_url, api_key=gateway.key) as made:
            answer = await made.embeddings.create(model="text-embedding-3-small", input="a cat")
            return len(answer.data[0].embedding)

    assert asyncio.run(ask()) == 1536


def read(stream: Iterator[ChatCompletionChunk]) -> tuple[str, list[ChatCompletionChunk]]:
    """Reads a stream as programs do that never look whether there are choices."""
    chunks = list(stream)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks), chunks


def test_stream(client: openai.OpenAI, gateway: RunningServer) -> None:
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    text, chunks = read(stream)
    assert text == "Hello! You said: Hello!"
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert {chunk.model for chunk in chunks} == {MODEL}
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    # Usage rides on the chunk with the finish reason, once, although the client did not ask.
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices[0].finish_reason == "stop"
    [request] = gateway.mock.requests
    assert request.json["stream_options"] == {"include_usage": True}


def test_stream_with_usage_asked_for(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 7
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


@pytest.mark.parametrize("where", ["asked", "final", "finish", "every"])
def test_usage_of_a_stream_comes_once_wherever_the_provider_has_it(
    client: openai.OpenAI, gateway: RunningServer, where: str
) -> None:
    usage = Usage(100, 10, cached_tokens=90, where=where)  # type: ignore[arg-type]
    gateway.mock.queue(Text("Hello there", usage=usage))
    _, chunks = read(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    found = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert len(found) == 1
    assert (found[0].prompt_tokens, found[0].completion_tokens) == (100, 10)
    assert found[0].prompt_tokens_details is not None
    assert found[0].prompt_tokens_details.cached_tokens == 90


def test_usage_is_there_although_the_provider_gave_none(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    gateway.mock.queue(
        Text("Hello there", usage=Usage(where="missing")),
        Text("Hello there", usage=Usage(where="missing")),
    )
    whole = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert whole.usage is not None
    assert whole.usage.completion_tokens > 0
    _, chunks = read(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_stream_helper_accumulates(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == "Hello! You said: Hello!"


@pytest.mark.parametrize("stream", [False, True])
def test_tools_round_trip(client: openai.OpenAI, gateway: RunningServer, stream: bool) -> None:
    gateway.mock.queue(ToolCalls([("get_weather", {"city": "Málaga"})]))
    messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Weather?"}]
    if stream:
        with client.chat.completions.stream(
            model=MODEL, messages=messages, tools=[WEATHER_TOOL], tool_choice="auto"
        ) as events:
            list(events)
            answer = events.get_final_completion()
    else:
        answer = client.chat.completions.create(
            model=MODEL, messages=messages, tools=[WEATHER_TOOL], tool_choice="auto"
        )
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    [call] = choice.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Málaga"}
    messages.append(choice.message.model_dump(include={"role", "content", "tool_calls"}))
    messages.append({"role": "tool", "tool_call_id": call.id, "content": "21 degrees"})
    final = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER_TOOL])
    assert final.choices[0].message.content == "The tool answered: 21 degrees"
    sent = gateway.mock.requests[-1].json
    assert sent["tools"] == [WEATHER_TOOL]
    assert sent["messages"][-1] == {
        "role": "tool",
        "tool_call_id": call.id,
        "content": "21 degrees",
    }


def test_structured_output(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=City)
    parsed = answer.choices[0].message.parsed
    assert isinstance(parsed, City)


def test_json_object(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODEL, messages=HELLO, response_format={"type": "json_object"}
    )
    assert json.loads(answer.choices[0].message.content or "") == {
        "answer": "Hello! You said: Hello!"
    }


def test_image_in_content(client: openai.OpenAI, gateway: RunningServer) -> None:
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/never-fetched.png"}},
    ]
    answer = client.chat.completions.create(
        model="openai/gpt-4o",
        messages=[{"role": "user", "content": parts}],  # type: ignore[typeddict-item]
    )
    assert answer.choices[0].message.content == "Hello! You said: What is this?"
    assert gateway.mock.requests[0].json["messages"][0]["content"] == parts


@pytest.mark.parametrize("stream", [False, True])
def test_image_generation_by_chat(client: openai.OpenAI, stream: bool) -> None:
    request = {"model": "jimeng-image", "messages": HELLO}
    if stream:
        content, chunks = read(client.chat.completions.create(**request, stream=True))
        assert chunks[-1].choices[0].finish_reason == "stop"
    else:
        content = client.chat.completions.create(**request).choices[0].message.content or ""
    assert base64.b64decode(content.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")


def test_several_choices(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=HELLO, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, n=2, stream=True)
    texts = ["", ""]
    finished = set()
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            if choice.finish_reason:
                finished.add(choice.index)
    assert texts == ["Hello! You said: Hello!"] * 2
    assert finished == {0, 1}


@pytest.mark.parametrize("stream", [False, True])
def test_log_probabilities(client: openai.OpenAI, stream: bool) -> None:
    options = {"model": MODEL, "messages": HELLO, "logprobs": True, "top_logprobs": 2}
    if stream:
        found = []
        for chunk in client.chat.completions.create(**options, stream=True):
            logprobs = chunk.choices[0].logprobs
            found += (logprobs.content or []) if logprobs else []
    else:
        logprobs = client.chat.completions.create(**options).choices[0].logprobs
        assert logprobs is not None
        found = logprobs.content or []
    assert "".join(entry.token for entry in found) == "Hello! You said: Hello!"
    assert {len(entry.top_logprobs) for entry in found} == {2}


def test_reasoning_fields_arrive(client: openai.OpenAI, gateway: RunningServer) -> None:
    gateway.mock.queue(
        Text("4", reasoning="2 and 2", usage=Usage(10, 9, reasoning_tokens=8)),
        Text("4", reasoning="2 and 2"),
    )
    answer = client.chat.completions.create(
        model="deepseek-r1", messages=HELLO, reasoning_effort="low"
    )
    both = {"reasoning_content": "2 and 2", "reasoning": "2 and 2"}
    assert answer.choices[0].message.model_extra == both
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 8
    assert gateway.mock.requests[0].json["reasoning_effort"] == "low"
    stream = client.chat.completions.create(model="deepseek-r1", messages=HELLO, stream=True)
    extras = [chunk.choices[0].delta.model_extra or {} for chunk in stream]
    assert "".join(extra.get("reasoning_content") or "" for extra in extras) == "2 and 2"


# --- models, asyncio


def test_models(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    one = client.models.retrieve("openai/gpt-4o-mini")
    assert one == listed["openai/gpt-4o-mini"]
    assert one.object == "model"
    assert one.owned_by == "openai"
    assert one.created > 1_600_000_000
    assert one.model_extra is not None
    assert set(one.model_extra["pricing"]) >= {"prompt", "completion"}
    assert client.models.retrieve("gpt-4o-mini").id == "openai/gpt-4o-mini"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody/nothing")


def test_asyncio(gateway: RunningServer) -> None:
    async def ask() -> tuple[list[str | None], str]:
        async with openai.AsyncOpenAI(
            base_url=gateway.base_url, api_key=gateway.key, max_retries=0
        ) as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model=MODEL, messages=[{"role": "user", "content": f"number {number}"}]
                    )
                    for number in range(20)
                )
            )
            text = ""
            async with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
                async for event in stream:
                    if event.type == "content.delta":
                        text += event.delta
        return [answer.choices[0].message.content for answer in answers], text

    texts, streamed = asyncio.run(ask())
    assert texts == [f"Hello! You said: number {number}" for number in range(20)]
    assert streamed == "Hello! You said: Hello!"


def test_auto_names_the_model_it_used(client: openai.OpenAI, gateway: RunningServer) -> None:
    answer = client.chat.completions.create(model="auto", messages=HELLO)
    assert answer.model == gateway.service.example_model
