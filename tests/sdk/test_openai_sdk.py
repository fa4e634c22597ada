"""OpenAI's Python SDK over the gateway in this process: answers and errors.

Also run by `test_openai_sdk2.py` in an interpreter with the older SDK, without this folder's
`conftest.py`.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

import seekroute
from in_process import HELLO, MODEL, PATIENCE, SAID, begun, run, settings_for
from seekroute.testing import Gate, MockProvider, Raw, Status, Text, ToolCalls, Usage

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


class City(BaseModel):
    """A structured answer."""

    name: str
    population: int


@pytest.fixture
def settings(mock: MockProvider) -> dict[str, Any]:
    """Settings whose provider of MODEL is the mock."""
    return settings_for(mock)


@pytest.fixture
def llm(settings: dict[str, Any]) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that every answer is the first one."""
    with seekroute.openai_client(max_retries=0, timeout=PATIENCE, **settings) as made:
        yield made


# --- answers --------------------------------------------------------------------------------------


def test_vectors(llm: openai.OpenAI) -> None:
    answer = llm.embeddings.create(model="text-embedding-3-small", input=["a cat", "a dog"])
    assert answer.model == "openai/text-embedding-3-small"
    assert [(each.index, len(each.embedding)) for each in answer.data] == [(0, 1536), (1, 1536)]
    assert answer.usage.total_tokens == 4
    with pytest.raises(openai.BadRequestError) as refused:
        llm.embeddings.create(model="text-embedding-3-small", input=[])
    assert refused.value.param == "input"


def test_vectors_under_asyncio(settings: dict[str, Any]) -> None:
    async def ask() -> int:
        async with seekroute.async_openai_client(**settings) as made:
            answer = await made.embeddings.create(
                model="text-embedding-3-small", input="a cat", dimensions=8
            )
            return len(answer.data[0].embedding)

    assert asyncio.run(ask()) == 8


def test_whole_answer(llm: openai.OpenAI, mock: MockProvider) -> None:
    mock.queue(Text("Paris.", usage=Usage(1000, 100)))
    answer = llm.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "Paris."
    assert answer.id.startswith("gen-")
    assert answer._request_id
    assert answer.usage is not None
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] == 0.00021  # 0.15 and 0.60 USD a million
    [request] = mock.requests
    # The provider's own key, and nothing of what the SDK says about itself.
    assert request.headers["authorization"] == "Bearer sk-upstream"
    assert not [name for name in request.headers if name.startswith("x-stainless")]


def test_stream(llm: openai.OpenAI) -> None:
    stream = llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID
    assert [chunk.usage is not None for chunk in chunks].count(True) == 1


def test_stream_comes_chunk_by_chunk(llm: openai.OpenAI, mock: MockProvider) -> None:
    gate = Gate()
    mock.queue(Text("a b c", gate=gate))
    gate.release(2)  # the role and one word
    stream = llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.role == "assistant"
    assert next(stream).choices[0].delta.content == "a"
    gate.wait_arrivals(3)  # the rest is still held
    gate.open()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == " b c"


def test_raw_response(llm: openai.OpenAI) -> None:
    raw = llm.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, extra_headers={"x-request-id": "from-the-client-1"}
    )
    assert raw.headers["x-request-id"] == "from-the-client-1"
    assert raw.headers["x-seekroute-provider"] == "openai"
    answer = raw.parse()
    assert raw.headers["x-generation-id"] == answer.id
    assert answer.choices[0].message.content == SAID


def test_streaming_response(llm: openai.OpenAI) -> None:
    create = llm.chat.completions.with_streaming_response.create
    with create(model=MODEL, messages=HELLO) as response:
        assert json.loads(response.read())["choices"][0]["message"]["content"] == SAID
    with create(model=MODEL, messages=HELLO, stream=True) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"


def test_tools_and_structured_answers(llm: openai.OpenAI, mock: MockProvider) -> None:
    mock.queue(ToolCalls([("get_weather", {"city": "Málaga"})]))
    with llm.chat.completions.stream(model=MODEL, messages=HELLO, tools=[TOOL]) as events:
        final = events.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert calls
    assert json.loads(calls[0].function.arguments) == {"city": "Málaga"}
    parsed = llm.chat.completions.parse(model=MODEL, messages=HELLO, response_format=City)
    assert isinstance(parsed.choices[0].message.parsed, City)


def test_large_bodies_pass_both_ways(llm: openai.OpenAI, mock: MockProvider) -> None:
    text = "é" * 500_000
    mock.queue(Text(text))
    said: list[Any] = [{"role": "user", "content": text}]
    answer = llm.chat.completions.create(model=MODEL, messages=said)
    assert answer.choices[0].message.content == text
    assert mock.requests[0].json["messages"] == said


def test_models(llm: openai.OpenAI) -> None:
    listed = {model.id for model in llm.models.list()}
    assert MODEL in listed
    assert not any(name.startswith("deepseek/") for name in listed)  # no key, no models
    for spelling in (MODEL, "gpt-4o-mini"):
        assert llm.models.retrieve(spelling).id == MODEL
    with pytest.raises(openai.NotFoundError) as caught:
        llm.models.retrieve("nobody/nothing")
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


def test_everything_under_asyncio(settings: dict[str, Any]) -> None:
    async def use(llm: openai.AsyncOpenAI) -> list[Any]:
        answer = await llm.chat.completions.create(model=MODEL, messages=HELLO)
        stream = await llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
        listed = [model.id async for model in llm.models.list()]
        with pytest.raises(openai.NotFoundError):
            await llm.chat.completions.create(model="nobody/nothing", messages=HELLO)
        return [answer.choices[0].message.content, "".join(said), MODEL in listed]

    assert run(settings, use) == [SAID, SAID, True]


def test_many_tasks_at_once(settings: dict[str, Any]) -> None:
    async def ask(llm: openai.AsyncOpenAI, number: int) -> bool:
        said: list[Any] = [{"role": "user", "content": f"number {number}."}]
        stream = await llm.chat.completions.create(model=MODEL, messages=said, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        return text.endswith(f"number {number}.")

    async def use(llm: openai.AsyncOpenAI) -> list[bool]:
        return await asyncio.gather(*(ask(llm, number) for number in range(100)))

    assert all(run(settings, use))


def test_several_event_loops_one_after_the_other(settings: dict[str, Any]) -> None:
    llm = seekroute.async_openai_client(**settings)

    async def ask() -> str | None:
        answer = await llm.chat.completions.create(model=MODEL, messages=HELLO)
        return answer.choices[0].message.content

    assert [asyncio.run(ask()) for _ in range(3)] == [SAID] * 3
    asyncio.run(llm.close())


def test_many_threads_share_a_client(llm: openai.OpenAI) -> None:
    wrong: list[str | None] = []

    def ask(name: str) -> None:
        for number in range(10):
            said = f"{name}-{number}."
            answer = llm.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": said}]
            )
            if said not in (answer.choices[0].message.content or ""):
                wrong.append(answer.choices[0].message.content)

    threads = [threading.Thread(target=ask, args=(f"t{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "fields", "kind", "code"),
    [
        (None, {"model": "nobody/nothing"}, openai.NotFoundError, "model_not_found"),
        (None, {"max_tokens": -1}, openai.BadRequestError, "invalid_value"),
        (Status(429), {}, openai.RateLimitError, "upstream_rate_limited"),
        (Status(503), {}, openai.InternalServerError, "upstream_unavailable"),
        (Status(401), {}, openai.InternalServerError, "upstream_auth_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(
    llm: openai.OpenAI,
    mock: MockProvider,
    reply: Status | None,
    fields: dict[str, Any],
    kind: type[openai.APIStatusError],
    code: str,
    stream: bool,
) -> None:
    if reply is not None:
        mock.queue(reply)
    with pytest.raises(kind) as caught:
        llm.chat.completions.create(
            **{"model": MODEL, "messages": HELLO, "stream": stream, **fields}
        )
    assert caught.value.code == code
    assert caught.value.request_id
    assert caught.value.request_id == caught.value.response.headers["x-request-id"]


def test_error_in_the_middle_of_a_stream(llm: openai.OpenAI, mock: MockProvider) -> None:
    mock.queue(begun(("rst",)))
    stream = llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)


def test_what_is_not_served_says_what_is(llm: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        llm.responses.create(model=MODEL, input="Hi")
    assert caught.value.code == "not_found"
    assert caught.value.request_id
    assert "is not served here; served are POST /chat/completions" in caught.value.message
    wrong: list[tuple[Callable[[], Any], str]] = [
        (lambda: llm.get("/chat/completions", cast_to=object), "/v1/chat/completions takes POST"),
        (lambda: llm.models.delete(MODEL), "takes GET, HEAD"),
    ]
    for ask, said in wrong:
        with pytest.raises(openai.APIStatusError) as refused:
            ask()
        assert (refused.value.status_code, refused.value.code) == (405, "method_not_allowed")
        assert refused.value.request_id
        assert said in refused.value.message
    with pytest.raises(openai.NotFoundError, match="has no API keys"):
        llm.get("/key", cast_to=object)


def test_the_sdk_s_own_retries(llm: openai.OpenAI, mock: MockProvider) -> None:
    patient = llm.with_options(max_retries=1)
    mock.queue(Status(429, headers={"retry-after-ms": "800"}), Text("at last"))
    began = time.monotonic()
    answer = patient.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "at last"
    assert len(mock.requests) == 2
    assert time.monotonic() - began >= 0.8  # as asked; unasked, the SDK waits half a second at most


def test_timeout_before_the_answer(llm: openai.OpenAI, mock: MockProvider) -> None:
    mock.queue(Raw([("hang",)]))
    with pytest.raises(openai.APITimeoutError):
        llm.with_options(timeout=0.1).chat.completions.create(model=MODEL, messages=HELLO)
    mock.wait_for_abort()


@pytest.mark.parametrize("kind", ["read", "connect"])
def test_only_silence_times_out(llm: openai.OpenAI, mock: MockProvider, kind: str) -> None:
    timeout = openai.Timeout(PATIENCE, **{kind: 0.1})
    mock.queue(Text("late", first_byte_delay=0.3))
    create = llm.with_options(timeout=timeout).chat.completions.create
    if kind == "read":
        with pytest.raises(openai.APITimeoutError):
            create(model=MODEL, messages=HELLO)
    else:  # nothing is connected to
        assert create(model=MODEL, messages=HELLO).choices[0].message.content == "late"


def test_timeout_in_a_stream(llm: openai.OpenAI, mock: MockProvider) -> None:
    mock.queue(begun())
    stream = llm.with_options(timeout=1.0).chat.completions.create(
        model=MODEL, messages=HELLO, stream=True
    )
    with pytest.raises(Exception, match=r"no response|timed out") as caught:
        list(stream)
    assert "Timeout" in type(caught.value).__name__
    mock.wait_for_abort()


def test_timeouts_under_asyncio(settings: dict[str, Any], mock: MockProvider) -> None:
    async def use(llm: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.APITimeoutError):
            await llm.chat.completions.create(model=MODEL, messages=HELLO)
        stream = await llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        with pytest.raises(Exception, match=r"no response|timed out"):
            [chunk async for chunk in stream]

    mock.queue(Raw([("hang",)]), begun())
    run(settings, use, timeout=1.0)
    mock.wait_for_abort(2)
