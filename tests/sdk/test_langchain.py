"""LangChain's ChatOpenAI, with nothing changed but base URL and key."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from seekroute.testing import Status, Text, ToolCalls
from serving import MODEL, RunningServer


class City(BaseModel):
    """A city."""

    name: str
    population: int


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"21 degrees in {city}"


def chat(gateway: RunningServer, **options: Any) -> ChatOpenAI:
    """A chat model that does not retry."""
    return ChatOpenAI(
        model=MODEL, base_url=gateway.base_url, api_key=gateway.key, max_retries=0, **options
    )


def test_invoke(gateway: RunningServer) -> None:
    answer = chat(gateway).invoke("Hello!")
    assert answer.content == "Hello! You said: Hello!"
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == MODEL
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 13


@pytest.mark.parametrize("stream_usage", [True, False])
def test_stream(gateway: RunningServer, stream_usage: bool) -> None:
    whole: AIMessageChunk | None = None
    for chunk in chat(gateway, stream_usage=stream_usage).stream("Hello!"):
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.content == "Hello! You said: Hello!"
    assert whole.response_metadata["finish_reason"] == "stop"
    # Added up over the chunks: a second usage would double it.
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["total_tokens"] == 13


def test_asyncio(gateway: RunningServer) -> None:
    async def ask() -> str:
        return "".join([str(chunk.content) async for chunk in chat(gateway).astream("Hello!")])

    assert asyncio.run(ask()) == "Hello! You said: Hello!"


def test_tools(gateway: RunningServer) -> None:
    model = chat(gateway).bind_tools([get_weather])
    gateway.mock.queue(ToolCalls([("get_weather", {"city": "Paris"})]))
    question = HumanMessage("How is it in Paris?")
    answer = model.invoke([question])
    [call] = answer.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    result = get_weather.invoke(call)
    assert isinstance(result, ToolMessage)
    final = model.invoke([question, answer, result])
    assert final.content == "The tool answered: 21 degrees in Paris"


def test_streamed_tools(gateway: RunningServer) -> None:
    gateway.mock.queue(ToolCalls([("get_weather", {"city": "Paris"})]))
    whole: Any = None
    for chunk in chat(gateway).bind_tools([get_weather]).stream("How is it in Paris?"):
        whole = chunk if whole is None else whole + chunk
    [call] = whole.tool_calls
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(gateway: RunningServer, method: Any) -> None:
    answer = chat(gateway).with_structured_output(City, method=method).invoke("Hello!")
    assert isinstance(answer, City)


def test_image_in_content(gateway: RunningServer) -> None:
    parts: list[Any] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]
    answer = chat(gateway).invoke([HumanMessage(parts)])
    assert answer.content == "Hello! You said: What is this?"
    assert gateway.mock.requests[0].json["messages"][0]["content"] == parts


def test_error(gateway: RunningServer) -> None:
    gateway.mock.queue(Status(429, headers={"retry-after": "7"}))
    with pytest.raises(openai.RateLimitError) as caught:
        chat(gateway).invoke("Hello!")
    assert caught.value.code == "upstream_rate_limited"


def test_retries_by_itself(gateway: RunningServer) -> None:
    gateway.mock.queue(Status(503, headers={"retry-after-ms": "20"}), Text("at last"))
    model = ChatOpenAI(model=MODEL, base_url=gateway.base_url, api_key=gateway.key, max_retries=1)
    assert model.invoke("Hello!").content == "at last"
    assert len(gateway.mock.requests) == 2


def test_vectors(gateway: RunningServer) -> None:
    def embedder(model: str) -> OpenAIEmbeddings:
        return OpenAIEmbeddings(
            model=model,
            base_url=gateway.base_url,
            api_key=gateway.key,
            dimensions=64,
            # Told to count tokens itself, it would fetch a vocabulary.
            check_embedding_ctx_length=False,
            max_retries=0,
        )

    async def ask(model: OpenAIEmbeddings) -> list[float]:
        found = await model.aembed_query("a dog")
        await model.async_client._client.close()  # which it leaves to the garbage collection
        return found

    good, bad = embedder("text-embedding-3-small"), embedder("no-such-model")
    cat, dog = good.embed_documents(["a cat", "a dog"])
    assert len(cat) == len(dog) == 64
    assert good.embed_query("a cat") == pytest.approx(cat)
    assert asyncio.run(ask(good)) == pytest.approx(dog)
    with pytest.raises(openai.NotFoundError):
        bad.embed_query("a cat")
    for each in (good, bad):
        each.client._client.close()
