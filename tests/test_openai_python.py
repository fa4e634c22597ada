"""OpenAI's Python SDK, its newest major line, with nothing changed but base URL and key."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
from pydantic import BaseModel

from seekroute.testing import Gate, MockProvider, Raw, Status, Text, ToolCalls, Usage
from serving import MODEL, PATIENCE, RunningServer

# Upstreams are cancelled this soon after a client left, in seconds.
CANCEL_S = 0.1
# A busy machine may delay the one that measures; it does not delay it every time.
CANCEL_TRIES = 3

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
    assert content.startswith("http://127.0.0.1:")
    assert content.endswith(".png")


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
    assert answer.choices[0].message.model_extra == {"reasoning_content": "2 and 2"}
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 8
    assert gateway.mock.requests[0].json["reasoning_effort"] == "low"
    stream = client.chat.completions.create(model="deepseek-r1", messages=HELLO, stream=True)
    extras = [chunk.choices[0].delta.model_extra or {} for chunk in stream]
    assert "".join(extra.get("reasoning_content") or "" for extra in extras) == "2 and 2"


# --- errors


def test_unknown_key(gateway: RunningServer) -> None:
    with (
        openai.OpenAI(base_url=gateway.base_url, api_key="sk-sr-nobody", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.type == "authentication_error"


def test_revoked_key_fails_within_a_second(gateway: RunningServer) -> None:
    control = gateway.service.control
    row, key = control.create_key(
        "default", name="short-lived", profile="seekroute", prefix="sk-sr-"
    )
    gateway.service.sync_keys()
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        client.chat.completions.create(model=MODEL, messages=HELLO)
        revoked = time.monotonic()
        control.revoke_key(row.id)

        def refused() -> bool:
            try:
                client.chat.completions.create(model=MODEL, messages=HELLO)
            except openai.AuthenticationError:
                return True
            return False

        while not refused():
            assert time.monotonic() - revoked < 1.0


def test_unknown_model(client: openai.OpenAI, gateway: RunningServer) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody/nothing", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert gateway.mock.requests == []


def test_model_that_the_key_may_not_use(gateway: RunningServer) -> None:
    _, key = gateway.service.control.create_key(
        "default",
        name="only deepseek",
        profile="seekroute",
        prefix="sk-sr-",
        models=["deepseek/*"],
    )
    gateway.service.sync_keys()
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        client.chat.completions.create(model="deepseek-chat", messages=HELLO)
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=MODEL, messages=HELLO)
        listed = {model.id for model in client.models.list()}
    assert listed
    assert all(name.startswith("deepseek/") for name in listed)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"n": 9}, "n"),
        ({"temperature": "warm"}, "temperature"),
        ({"messages": [{"role": "wizard", "content": "Hi"}]}, "messages[0].role"),
        ({"extra_body": {"api_base": "http://elsewhere.test"}}, "api_base"),
    ],
)
def test_bad_request_names_the_parameter(
    client: openai.OpenAI, gateway: RunningServer, fields: dict[str, object], param: str
) -> None:
    request = {"model": MODEL, "messages": HELLO, **fields}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**request)  # type: ignore[call-overload]
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert gateway.mock.requests == []


def test_provider_refuses_the_request(client: openai.OpenAI, gateway: RunningServer) -> None:
    message = "'messages' must be happier, see https://10.0.0.1/internal with sk-proj-SECRETSECRET"
    gateway.mock.queue(Status(400, body={"error": {"message": message}}))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.code == "upstream_invalid_request"
    assert "must be happier" in caught.value.message
    for secret in ("10.0.0.1", "https://", "SECRET"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, openai.InternalServerError, "upstream_auth_error"),
        (403, openai.InternalServerError, "upstream_auth_error"),
        (404, openai.InternalServerError, "upstream_model_not_found"),
        (429, openai.RateLimitError, "upstream_rate_limited"),
        (500, openai.InternalServerError, "upstream_error"),
        (503, openai.InternalServerError, "upstream_unavailable"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_provider_fails(
    client: openai.OpenAI,
    gateway: RunningServer,
    status: int,
    error: type[openai.APIStatusError],
    code: str,
    stream: bool,
) -> None:
    gateway.mock.queue(Status(status))
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    assert caught.value.code == code
    assert len(gateway.mock.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_sdk_retries_what_is_worth_it_and_waits_as_told(
    gateway: RunningServer, status: int
) -> None:
    gateway.mock.queue(Status(status, headers={"retry-after-ms": "40"}), Text("at last"))
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=2) as client:
        answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "at last"
    first, second = gateway.mock.requests
    # The SDK's own pause is half a second and more.
    assert 0.04 <= second.received_at - first.received_at < 0.4


def test_retry_after_reaches_the_client(client: openai.OpenAI, gateway: RunningServer) -> None:
    gateway.mock.queue(Status(429, headers={"retry-after": "7"}))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["retry-after-ms"] == "7000"


@pytest.mark.parametrize("status", [401, 404])
def test_sdk_does_not_retry_what_stays_as_it_is(gateway: RunningServer, status: int) -> None:
    gateway.mock.default, before = Status(status), gateway.mock.default
    try:
        with (
            openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=3) as client,
            pytest.raises(openai.InternalServerError) as caught,
        ):
            client.chat.completions.create(model=MODEL, messages=HELLO)
    finally:
        gateway.mock.default = before
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(gateway.mock.requests) == 1


def test_failure_in_the_middle_of_a_stream_raises(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    chunk = {"index": 0, "delta": {"role": "assistant", "content": "Hel"}, "finish_reason": None}
    event = b"data: " + json.dumps({"id": "x", "choices": [chunk]}).encode() + b"\n\n"
    gateway.mock.queue(
        Raw([("head", 200, {"Content-Type": "text/event-stream"}), ("send", event), ("fin",)])
    )
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.content == "Hel"
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.code == "upstream_truncated"


# --- headers, time, cancelling


def test_headers(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, extra_headers={"x-request-id": "from-the-client-1"}
    )
    answer = raw.parse()
    assert raw.headers["x-request-id"] == "from-the-client-1"
    assert raw.headers["x-generation-id"] == answer.id
    assert raw.headers["x-seekroute-provider"] == "mock"
    assert 0 <= float(raw.headers["x-seekroute-overhead-ms"]) < 1000
    streamed = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, stream=True
    )
    chunks = list(streamed.parse())
    assert streamed.headers["x-generation-id"] == chunks[0].id
    assert streamed.headers["x-request-id"] != "from-the-client-1"
    assert streamed.headers["x-seekroute-provider"] == "mock"


def test_no_client_header_reaches_the_provider(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    client.chat.completions.create(model=MODEL, messages=HELLO, extra_headers={"x-secret": "s3"})
    [request] = gateway.mock.requests
    assert not {"x-secret", "authorization", "x-stainless-lang"} & set(request.headers)
    assert not any("openai" in value.lower() for value in request.headers.values())


def test_client_timeout_cancels_the_upstream(gateway: RunningServer) -> None:
    gateway.mock.queue(Raw([("hang",)]))
    with (
        openai.OpenAI(
            base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=0.2
        ) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(model=MODEL, messages=HELLO)
    gateway.mock.wait_for_abort()


def seconds_until_cancelled(client: openai.OpenAI, mock: MockProvider) -> float:
    """Leaves a stream in its middle; returns how long the upstream went on."""
    mock.reset()
    gate = Gate()
    gate.release(3)  # the role and two pieces: a stream begins with its first content
    mock.queue(Text("one two three four five", gate=gate))
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    next(stream)
    gate.wait_arrivals(4)
    left = time.monotonic()
    stream.close()
    aborted_at = mock.wait_for_abort().aborted_at
    assert aborted_at is not None
    return aborted_at - left


def test_closing_a_stream_cancels_the_upstream_at_once(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    times = []
    while not times or (times[-1] >= CANCEL_S and len(times) < CANCEL_TRIES):
        times.append(seconds_until_cancelled(client, gateway.mock))
    assert times[-1] < CANCEL_S, times


def test_content_is_not_held_back(client: openai.OpenAI, gateway: RunningServer) -> None:
    gate = Gate()
    gate.release(2)  # the role and the first piece
    gateway.mock.queue(Text("abc", chunks=["a", "b", "c"], gate=gate))
    received = ""
    for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
        if chunk.choices[0].delta.content:
            received += chunk.choices[0].delta.content
            # Every piece has to be here before the provider may send the next one.
            assert gate.arrivals <= len(received) + 2
            gate.release()
        if received == "abc":
            gate.open()
    assert received == "abc"


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


def test_cancelled_task_cancels_the_upstream(gateway: RunningServer) -> None:
    gateway.mock.queue(Raw([("hang",)]))

    async def give_up() -> None:
        async with openai.AsyncOpenAI(
            base_url=gateway.base_url, api_key=gateway.key, max_retries=0
        ) as client:
            asking = asyncio.create_task(
                client.chat.completions.create(model=MODEL, messages=HELLO)
            )
            await asyncio.to_thread(gateway.mock.wait_for_requests)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(give_up())
    gateway.mock.wait_for_abort()


def test_auto_names_the_model_it_used(client: openai.OpenAI, gateway: RunningServer) -> None:
    answer = client.chat.completions.create(model="auto", messages=HELLO)
    assert answer.model == gateway.service.snapshot["default_model"]
