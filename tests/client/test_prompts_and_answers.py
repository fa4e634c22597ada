"""Prompts of any table, and what an answer has by its short names."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

import seekroute
from in_process import HELLO, MODEL, settings_for
from seekroute.client.results import ChatCompletion, Result
from seekroute.testing import MockProvider, Text, ToolCalls

# --- prompts --------------------------------------------------------------------------------------


class Frame:
    """As polars': iterates over its columns, and is no pandas."""

    columns = ("q", "label")

    def __iter__(self) -> Iterator[Any]:
        return iter([["a"], ["b"]])


@pytest.mark.parametrize("table", [pd.DataFrame({"q": ["1", "2"], "label": ["x", "y"]}), Frame()])
def test_a_table_is_refused_and_its_columns_are_taken(
    client: seekroute.Client, mock: MockProvider, table: Any
) -> None:
    with pytest.raises(TypeError, match=r"give one of its columns, such as df\['q'\]"):
        client.map(table, MODEL, progress=False)
    with pytest.raises(TypeError, match="one of its columns"):
        client.ask(table, MODEL)
    assert not mock.requests
    if isinstance(table, pd.DataFrame):
        results = client.map(table["q"], MODEL, progress=False)
        assert results.texts == ["Hello! You said: 1", "Hello! You said: 2"]


@pytest.mark.parametrize("bad", [float("nan"), None, 7, {"n": 1}, "\ud800", [object()]])
@pytest.mark.parametrize("kind", [list, tuple, pd.Series])
def test_a_bad_row_of_a_sequence_is_found_before_anything_is_asked(
    client: seekroute.Client, mock: MockProvider, bad: Any, kind: Any
) -> None:
    rows = [f"p{i}" for i in range(60)]
    rows[40], rows[50] = bad, bad
    prompts = kind(rows) if kind is not pd.Series else pd.Series(rows, dtype=object)
    with pytest.raises((TypeError, ValueError), match=r"prompts\[40\]: .*1 more") as refused:
        client.map(prompts, MODEL, progress=False)
    assert "nothing was asked" in str(refused.value)
    assert not mock.requests


def test_a_bad_row_of_a_stream_has_its_error_in_its_place(
    client: seekroute.Client, mock: MockProvider
) -> None:
    def rows() -> Iterator[Any]:
        yield from ["a", float("nan"), "b", {"lable": 1, "messages": HELLO}, "c"]

    results = client.map(rows(), MODEL, progress=False)
    assert [text is not None for text in results.texts] == [True, False, True, False, True]
    assert "prompts[1]: expected a text" in str(results[1])
    assert isinstance(results[3], TypeError)
    assert list(results.errors) == [1, 3]
    assert results.exhausted
    assert len(mock.requests) == 3
    assert "TypeError" in str(results.summary())
    assert len(client.map(rows(), MODEL, progress=False, on_error="skip")) == 3
    with pytest.raises(TypeError, match=r"prompts\[1\]") as ended:
        client.map(rows(), MODEL, progress=False, on_error="raise", concurrency=1)
    assert ended.value.partial.texts[0] is not None  # type: ignore[attr-defined]


def test_so_does_the_asynchronous_map(mock: MockProvider) -> None:
    async def main() -> None:
        async with seekroute.AsyncClient(**settings_for(mock)) as client:
            with pytest.raises(TypeError, match=r"prompts\[1\]"):
                await client.map(["a", None], MODEL, progress=False)
            assert not mock.requests
            results = await client.map(iter(["a", None, "b"]), MODEL, progress=False)
            assert list(results.errors) == [1]

    asyncio.run(main())


# --- answers --------------------------------------------------------------------------------------


def test_an_answer_has_what_its_first_choice_says(
    client: seekroute.Client, mock: MockProvider
) -> None:
    mock.queue(Text("Cut", finish_reason="length"))
    answer = client.ask("x", MODEL)
    assert (answer.content, answer.finish_reason, answer.tool_calls) == ("Cut", "length", None)
    assert answer.message.content == "Cut"
    mock.queue(ToolCalls([("f", {"x": 1})]))
    called = client.ask("x", MODEL)
    assert called.finish_reason == "tool_calls"
    assert called.content is None
    assert called.text == ""
    assert [each.function.name for each in called.tool_calls] == ["f"]
    empty = ChatCompletion({"choices": []})
    assert (empty.content, empty.finish_reason, empty.tool_calls) == (None, None, None)


@pytest.mark.parametrize(
    "name", ["role", "logprobs", "refusal", "url", "b64_json", "cached_tokens", "delta", "texts"]
)
def test_what_is_elsewhere_is_no_none(name: str, client: seekroute.Client) -> None:
    answer = client.ask("x", MODEL)
    with pytest.raises(AttributeError):
        getattr(answer, name)
    if name in ("role", "refusal"):
        with pytest.raises(AttributeError, match=r"choices\[0\]\.message"):
            getattr(answer, name)


def test_a_chunk_s_content_is_in_its_delta(client: seekroute.Client) -> None:
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, stream=True))
    for chunk in chunks:
        with pytest.raises(AttributeError, match=r"choices\[0\]\.delta"):
            chunk.content  # noqa: B018
    choice = next(chunk.choices[0] for chunk in chunks if chunk.choices)
    assert choice.finish_reason is None
    assert choice.delta.tool_calls is None
    with pytest.raises(AttributeError, match="delta"):
        choice.content  # noqa: B018
    assert Result({"usage": {"prompt_tokens": 1}}).usage.prompt_tokens_details is None
