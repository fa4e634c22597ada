"""The vectors of MockProvider, as OpenAI's own client reads them."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import openai
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from seekroute.testing import MockProvider, Raw, Status, Vectors
from seekroute.testing.embeddings import DIMENSIONS, MAX_INPUTS, vector

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


def post(mock: MockProvider, **fields: Any) -> Any:
    body = {"model": "mock-embedding", "input": "Hi", **fields}
    return requests.post(mock.base_url + "/embeddings", json=body, timeout=TIMEOUT)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@given(st.text(max_size=200), st.integers(1, 300))
@settings(max_examples=100, deadline=None)
def test_every_text_has_a_unit_vector(text: str, dimensions: int) -> None:
    found = vector(text, dimensions)
    assert len(found) == dimensions
    assert math.isclose(cosine(found, found), 1.0, rel_tol=1e-5)
    assert found == vector(text, dimensions)


def test_texts_with_words_in_common_are_near() -> None:
    cat, kitten, tax = map(vector, ("A black cat", "a black kitten!", "income tax"))
    assert cosine(cat, kitten) > 0.5 > abs(cosine(cat, tax))
    assert vector("a b") != vector("b a")


def test_one_text_and_many(client: Any) -> None:
    one = client.embeddings.create(model="text-embedding-3-small", input="Hello, world!")
    assert (one.object, one.model) == ("list", "text-embedding-3-small")
    assert [each.index for each in one.data] == [0]
    assert len(one.data[0].embedding) == DIMENSIONS
    assert (one.usage.prompt_tokens, one.usage.total_tokens) == (4, 4)
    many = client.embeddings.create(model="m", input=["Hello, world!", "Bye"], dimensions=8)
    assert [(each.index, len(each.embedding)) for each in many.data] == [(0, 8), (1, 8)]
    large = client.embeddings.create(model="openai/text-embedding-3-large", input="x")
    assert len(large.data[0].embedding) == 3072


def test_tokens(client: Any) -> None:
    one = client.embeddings.create(model="m", input=[1, 2, 3], dimensions=4)
    assert (len(one.data), one.usage.prompt_tokens) == (1, 3)
    two = client.embeddings.create(model="m", input=[[1, 2, 3], [4]], dimensions=4)
    assert (len(two.data), two.usage.prompt_tokens) == (2, 4)
    assert two.data[0].embedding == one.data[0].embedding


def test_floats_and_base64_are_the_same_numbers(mock: MockProvider) -> None:
    floats = post(mock, dimensions=5).json()["data"][0]["embedding"]
    packed = post(mock, dimensions=5, encoding_format="base64").json()["data"][0]["embedding"]
    assert list(struct.unpack("<5f", base64.b64decode(packed))) == floats


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": [[-1]]}, "input"),
        ({"input": [True]}, "input"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"dimensions": 10**9}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
    ],
)
def test_what_openai_would_refuse(mock: MockProvider, fields: dict[str, Any], param: str) -> None:
    refused = post(mock, **fields)
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == param


def test_scripts_count_for_embeddings_as_well(mock: MockProvider, client: Any) -> None:
    mock.queue(
        Status(429),
        Raw([("rst",)]),
        Vectors([[1.0, 0.0], [0.0, 1.0]], usage={"prompt_tokens": 7, "total_tokens": 7}),
    )
    with pytest.raises(openai.RateLimitError):
        client.embeddings.create(model="m", input="x")
    with pytest.raises(openai.APIConnectionError):
        client.embeddings.create(model="m", input="x")
    answer = client.embeddings.create(model="m", input=["x", "y"])
    assert [each.embedding for each in answer.data] == [[1.0, 0.0], [0.0, 1.0]]
    assert answer.usage.total_tokens == 7
