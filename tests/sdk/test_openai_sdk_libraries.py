"""Libraries that take an OpenAI SDK client, over the gateway in this process."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from pydantic import BaseModel

import seekroute
from in_process import MODEL, SAID, settings_for
from seekroute.testing import MockProvider, Status, Text, ToolCalls

PARIS = {"name": "Paris", "population": 2_100_000}


class City(BaseModel):
    """A city."""

    name: str
    population: int


@pytest.fixture
def settings(mock: MockProvider) -> dict[str, Any]:
    """Settings whose provider of MODEL is the mock."""
    return settings_for(mock)


@pytest.fixture
def llm(settings: dict[str, Any]) -> Iterator[openai.OpenAI]:
    with seekroute.openai_client(max_retries=0, timeout=20, **settings) as made:
        yield made


# --- LangChain ------------------------------------------------------------------------------------


def chat(llm: openai.OpenAI | None, awaiting: openai.AsyncOpenAI | None = None) -> Any:
    """LangChain's chat model over our clients."""
    given: dict[str, Any] = {}
    if llm is not None:
        given = {"root_client": llm, "client": llm.chat.completions}
    if awaiting is not None:
        given |= {"root_async_client": awaiting, "async_client": awaiting.chat.completions}
    library = pytest.importorskip("langchain_openai")
    return library.ChatOpenAI(model=MODEL, api_key="unused", **given)


def test_langchain_invokes_and_streams(llm: openai.OpenAI, mock: MockProvider) -> None:
    model = chat(llm)
    answer = model.invoke("Hello!")
    assert answer.content == SAID
    assert answer.usage_metadata["total_tokens"] == 13
    assert "".join(chunk.content for chunk in model.stream("Hello!")) == SAID
    assert len(mock.requests) == 2


def test_langchain_under_asyncio(settings: dict[str, Any]) -> None:
    async def main() -> list[str]:
        async with seekroute.async_openai_client(**settings) as llm:
            model = chat(None, llm)
            whole = (await model.ainvoke("Hello!")).content
            return [whole, "".join([chunk.content async for chunk in model.astream("Hello!")])]

    assert asyncio.run(main()) == [SAID, SAID]


def test_langchain_tools_and_structure(llm: openai.OpenAI, mock: MockProvider) -> None:
    tools = pytest.importorskip("langchain_core.tools")

    @tools.tool  # type: ignore[untyped-decorator]
    def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"21 degrees in {city}"

    model = chat(llm)
    mock.queue(ToolCalls([("get_weather", {"city": "Paris"})]))
    [call] = model.bind_tools([get_weather]).invoke("How is it in Paris?").tool_calls
    assert get_weather.invoke(call).content == "21 degrees in Paris"
    assert isinstance(model.with_structured_output(City).invoke("Hello!"), City)


def test_langchain_sees_the_errors(llm: openai.OpenAI, mock: MockProvider) -> None:
    mock.queue(Status(429))
    with pytest.raises(openai.RateLimitError) as caught:
        chat(llm).invoke("Hello!")
    assert caught.value.code == "upstream_rate_limited"


# --- instructor -----------------------------------------------------------------------------------


def test_instructor(llm: openai.OpenAI, mock: MockProvider) -> None:
    instructor = pytest.importorskip("instructor")
    asked: Any = {"model": MODEL, "messages": [{"role": "user", "content": "Which city?"}]}
    mock.queue(ToolCalls([("City", PARIS)]))
    made = instructor.from_openai(llm).chat.completions.create(response_model=City, **asked)
    assert made.model_dump() == PARIS

    # An answer that does not fit is asked for again, with what was wrong.
    mock.queue(ToolCalls([("City", {"name": "Paris"})]), ToolCalls([("City", PARIS)]))
    made, raw = instructor.from_openai(llm).chat.completions.create_with_completion(
        response_model=City, max_retries=2, **asked
    )
    assert made.population == 2_100_000
    assert raw.usage.total_tokens > 0
    assert "population" in str(mock.requests[-1].json["messages"])


def test_instructor_streams(llm: openai.OpenAI, mock: MockProvider) -> None:
    instructor = pytest.importorskip("instructor")
    mock.queue(ToolCalls([("City", PARIS)]))
    parts = instructor.from_openai(llm).chat.completions.create_partial(
        response_model=City, model=MODEL, messages=[{"role": "user", "content": "Which city?"}]
    )
    assert list(parts)[-1].population == 2_100_000


def test_instructor_under_asyncio(settings: dict[str, Any], mock: MockProvider) -> None:
    instructor = pytest.importorskip("instructor")
    mock.queue(ToolCalls([("City", PARIS)]))

    async def main() -> Any:
        async with seekroute.async_openai_client(**settings) as llm:
            return await instructor.from_openai(llm).chat.completions.create(
                response_model=City, model=MODEL, messages=[{"role": "user", "content": "Which?"}]
            )

    assert asyncio.run(main()).model_dump() == PARIS


# --- pydantic-ai ----------------------------------------------------------------------------------


def agent(llm: openai.AsyncOpenAI, **options: Any) -> Any:
    """A pydantic-ai agent over our client."""
    library = pytest.importorskip("pydantic_ai")
    models = importlib.import_module("pydantic_ai.models.openai")
    providers = importlib.import_module("pydantic_ai.providers.openai")
    provider = providers.OpenAIProvider(openai_client=llm)
    return library.Agent(models.OpenAIChatModel(MODEL, provider=provider), **options)


def test_pydantic_ai(settings: dict[str, Any], mock: MockProvider) -> None:
    pytest.importorskip("pydantic_ai")
    mock.queue(Text("Paris."), ToolCalls([("final_result", PARIS)]))

    async def main() -> list[Any]:
        async with seekroute.async_openai_client(**settings) as llm:
            text = await agent(llm).run("The capital of France?")
            city = await agent(llm, output_type=City).run("Which city?")
            return [text.output, city.output]

    assert asyncio.run(main()) == ["Paris.", City(name="Paris", population=2_100_000)]


def test_pydantic_ai_uses_tools_and_streams(settings: dict[str, Any], mock: MockProvider) -> None:
    pytest.importorskip("pydantic_ai")
    mock.queue(ToolCalls([("weather", {"city": "Paris"})]), Text("It is warm there."))

    async def main() -> str:
        async with seekroute.async_openai_client(**settings) as llm:
            running = agent(llm)

            @running.tool_plain  # type: ignore[untyped-decorator]
            def weather(city: str) -> str:
                return f"21 degrees in {city}"

            async with running.run_stream("How is it in Paris?") as answer:
                return "".join([part async for part in answer.stream_text(delta=True)])

    assert asyncio.run(main()) == "It is warm there."
    assert "21 degrees in Paris" in str(mock.requests[-1].json["messages"])
