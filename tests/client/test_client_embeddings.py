"""`client.embeddings`: what is sent, and what is made of the answer."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import pickle
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import seekroute
from seekroute.testing import MockProvider, Status, Vectors
from serving import running_server

MODEL = "text-embedding-3-small"


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    with MockProvider() as provider:
        yield provider
        assert provider.errors == []


@pytest.fixture
def client(mock: MockProvider) -> Iterator[seekroute.Client]:
    # For what is sent and read it makes no difference that this is no gateway.
    with seekroute.Client(base_url=mock.base_url, max_retries=0) as made:
        yield made


def sent(mock: MockProvider) -> Any:
    return mock.requests[-1].json


def test_the_vectors_of_texts(client: seekroute.Client, mock: MockProvider) -> None:
    found = client.embeddings.create(model=MODEL, input=["a cat", "a dog"], dimensions=3)
    assert sent(mock) == {
        "model": MODEL,
        "input": ["a cat", "a dog"],
        "dimensions": 3,
        "encoding_format": "base64",
    }
    assert (found.object, found.model, found.usage.total_tokens) == ("list", MODEL, 4)
    assert [each.index for each in found.data] == [0, 1]
    for each in found.data:
        assert len(each.embedding) == 3
        assert sum(number * number for number in each.embedding) == pytest.approx(1)
        assert each["embedding"] == each.to_dict()["embedding"] == each.embedding
    assert found["data"][1].embedding == found.data[1].embedding
    assert json.loads(found.to_json())["data"][0]["embedding"] == found.data[0].embedding
    assert repr(found) == f"EmbeddingsResponse(2 vectors, model={MODEL!r}, tokens=4)"
    assert repr(found.data[1]) == "Embedding(object='embedding', index=1, embedding=[3 items])"
    again = pickle.loads(pickle.dumps(copy.deepcopy(found)))
    assert again.to_dict() == found.to_dict()
    assert again.data[0].embedding == found.data[0].embedding
    assert again.latency == found.latency


def test_float_and_base64_if_asked_for(client: seekroute.Client, mock: MockProvider) -> None:
    create = client.embeddings.create
    opened = create(model=MODEL, input="Hi", dimensions=4)
    floats = create(model=MODEL, input="Hi", dimensions=4, encoding_format="float")
    assert sent(mock)["encoding_format"] == "float"
    assert floats.data[0].embedding == opened.data[0].embedding
    assert repr(floats).startswith("EmbeddingsResponse(1 vector, ")
    for fields in (
        {"encoding_format": "base64"},
        {"extra_body": {"encoding_format": "base64"}},
    ):
        packed = create(model=MODEL, input="Hi", dimensions=4, **fields)
        text = packed.data[0].embedding
        assert list(struct.unpack("<4f", base64.b64decode(text))) == opened.data[0].embedding
        assert packed.to_dict()["data"][0]["embedding"] == text
        assert packed.numpy().tolist() == opened.numpy().tolist()


def test_numpy(client: seekroute.Client, mock: MockProvider) -> None:
    np = pytest.importorskip("numpy")
    found = client.embeddings.create(model=MODEL, input=["a", "b", "c"], dimensions=5).numpy()
    assert (found.shape, found.dtype) == ((3, 5), np.float32)
    found[0] = 0  # the caller's own
    floats = client.embeddings.create(
        model=MODEL, input="a", dimensions=5, encoding_format="float"
    ).numpy()
    assert (floats.shape, floats.dtype) == ((1, 5), np.float32)
    mock.queue(Vectors([]), Vectors([[1.0], [1.0, 2.0]]))
    assert client.embeddings.create(model=MODEL, input="a").numpy().shape == (0, 0)
    with pytest.raises(ValueError, match="different lengths"):
        client.embeddings.create(model=MODEL, input=["a", "b"]).numpy()


def test_without_numpy(client: seekroute.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    found = client.embeddings.create(model=MODEL, input="a", dimensions=2)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ImportError, match="pip install numpy"):
        found.numpy()
    assert len(found.data[0].embedding) == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a", "a"),
        (("a", "b"), ["a", "b"]),
        ((each for each in "ab"), ["a", "b"]),
        ([1, 2], [1, 2]),
        ([[1], (2, 3)], [[1], [2, 3]]),
        ([], []),
    ],
)
def test_what_may_be_embedded(
    client: seekroute.Client, mock: MockProvider, given: Any, expected: Any
) -> None:
    mock.queue(Vectors([[1.0]]))
    client.embeddings.create(model=MODEL, input=given)
    assert sent(mock)["input"] == expected


def test_numbers_and_columns_of_other_libraries(
    client: seekroute.Client, mock: MockProvider
) -> None:
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    client.embeddings.create(model=MODEL, input=np.array([[1, 2], [3, 4]]))
    assert sent(mock)["input"] == [[1, 2], [3, 4]]
    table = pd.DataFrame({"text": ["a", "b"]})
    client.embeddings.create(model=MODEL, input=table["text"])
    assert sent(mock)["input"] == ["a", "b"]
    with pytest.raises(TypeError, match=r"df\['text'\]"):
        client.embeddings.create(model=MODEL, input=table)


@pytest.mark.parametrize("given", [None, 5, b"text", {"text": 1}, object()])
def test_what_cannot_be_embedded(client: seekroute.Client, mock: MockProvider, given: Any) -> None:
    with pytest.raises(TypeError, match="input: expected a text"):
        client.embeddings.create(model=MODEL, input=given)
    assert mock.requests == []


def test_answers_out_of_order_are_put_in_order(
    client: seekroute.Client, mock: MockProvider
) -> None:
    rows = [{"object": "embedding", "index": i, "embedding": [float(i)]} for i in (2, 0, 1)]
    mock.queue(Status(200, body={"object": "list", "model": MODEL, "data": rows}))
    found = client.embeddings.create(model=MODEL, input=["a", "b", "c"])
    assert [each.embedding for each in found.data] == [[0.0], [1.0], [2.0]]
    assert found.usage is None
    assert found.numpy().ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize("places", [(None, None, None), (2, None, 0), ("2", 1.0, True)])
def test_without_indices_the_order_of_the_answer_holds(
    client: seekroute.Client, mock: MockProvider, places: tuple[Any, ...]
) -> None:
    """One that is missing leaves the others without a meaning."""
    rows: list[dict[str, Any]] = [
        {"index": place, "embedding": [float(i)]} for i, place in enumerate(places)
    ]
    without = [{"embedding": row["embedding"]} for row in rows]
    for data in (rows, without):
        mock.queue(Status(200, body={"object": "list", "model": MODEL, "data": data}))
        found = client.embeddings.create(model=MODEL, input=["a", "b", "c"])
        assert [each.embedding for each in found.data] == [[0.0], [1.0], [2.0]]
        assert [each.index for each in found.data] == [0, 1, 2]
        assert found.numpy().ravel().tolist() == [0, 1, 2]


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"data": 5}', b'{"data": [1]}', b"<html>"])
def test_what_is_no_answer(client: seekroute.Client, mock: MockProvider, body: bytes) -> None:
    mock.queue(Status(200, body=body))
    with pytest.raises(seekroute.APIError, match="POST /embeddings is not what a gateway gives"):
        client.embeddings.create(model=MODEL, input="a")


@pytest.mark.parametrize(
    ("vector", "why"),
    [
        ("no base64!", "no base64"),
        ("\u00e4AAA", "no base64"),
        ("AAA", "no base64"),
        ("AAAAAAA=", "5 bytes"),
        ("AAA=", "2 bytes"),
        ("", "0 bytes"),
        (None, "no numbers"),
        (7, "no numbers"),
        ({}, "no numbers"),
        ([], "no numbers"),
    ],
)
def test_a_broken_vector_is_a_clear_error(
    client: seekroute.Client, mock: MockProvider, vector: Any, why: str
) -> None:
    """Whichever of them it is, and what to do; the others can be read."""
    rows = [{"index": 0, "embedding": _packed(1.5)}, {"index": 1, "embedding": vector}]
    mock.queue(Status(200, body={"object": "list", "data": rows}))
    found = client.embeddings.create(model=MODEL, input=["a", "b"])
    assert found.data[0].embedding == [1.5]
    reads = [found.numpy, lambda: found.data[1].embedding, lambda: found.data[1]["embedding"]]
    for read in [*reads, found.to_dict, found.data[1].to_dict]:
        with pytest.raises(seekroute.APIError) as caught:
            read()
        assert caught.value.message.startswith("data[1].embedding: ")
        assert why in caught.value.message
        assert "encoding_format" in caught.value.hint


@pytest.mark.parametrize("vector", [[1.0, "x"], [[1.0]], [{}]])
def test_lists_of_something_else_make_no_array(
    client: seekroute.Client, mock: MockProvider, vector: Any
) -> None:
    rows = [{"index": 0, "embedding": [1.5]}, {"index": 1, "embedding": vector}]
    mock.queue(Status(200, body={"object": "list", "data": rows}))
    found = client.embeddings.create(model=MODEL, input=["a", "b"])
    assert found.data[1].embedding == vector
    with pytest.raises(seekroute.APIError, match=r"^data\[1\].embedding: no numbers"):
        found.numpy()


def test_an_answer_without_a_vector_names_its_place(
    client: seekroute.Client, mock: MockProvider
) -> None:
    mock.queue(Status(200, body={"data": [{"index": 0, "embedding": [1.0]}, {"index": 1}]}))
    found = client.embeddings.create(model=MODEL, input=["a", "b"])
    for read in (found.numpy, found.to_dict, lambda: found.data[1].embedding):
        with pytest.raises(seekroute.APIError, match=r"^data\[1\].embedding: no numbers"):
            read()


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_a_model_of_another_kind_is_led_to_its_method(place: str, tmp_path: Path) -> None:
    """In words of this client, whichever way the gateway is reached."""
    with contextlib.ExitStack() as stack:
        if place == "here":
            client = stack.enter_context(seekroute.Client(mock="on"))
        else:
            server = stack.enter_context(running_server(tmp_path))
            own = seekroute.Client(base_url=server.base_url, api_key=server.key)
            client = stack.enter_context(own)
        with pytest.raises(seekroute.NotFoundError) as refused:
            client.ask("Hello!", model=MODEL)
        assert "makes embeddings" in refused.value.message
        assert "client.embeddings.create(" in refused.value.hint
        for name in ("openai/gpt-4o-mini", "auto"):
            with pytest.raises(seekroute.NotFoundError) as refused:
                client.embeddings.create(model=name, input="Hello!")
            assert "embeddings" in refused.value.message
            assert 'client.models.list(output_modalities="embeddings")' in refused.value.hint


def _packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def test_retries_and_errors(mock: MockProvider) -> None:
    with seekroute.Client(base_url=mock.base_url, max_retries=1) as client:
        mock.queue(Status(429, headers={"Retry-After": "0"}))
        found = client.embeddings.create(model=MODEL, input="a", timeout=9)
        assert found.attempts == 2
        with pytest.raises(seekroute.BadRequestError) as refused:
            client.embeddings.create(model=MODEL, input="")
        assert refused.value.param == "input"


def test_other_fields_and_headers(client: seekroute.Client, mock: MockProvider) -> None:
    client.embeddings.create(
        model=MODEL,
        input="a",
        user="u",
        extra_body={"input_type": "query"},
        extra_headers={"x-request-id": "mine"},
    )
    assert (sent(mock)["user"], sent(mock)["input_type"]) == ("u", "query")
    assert mock.requests[-1].headers["x-request-id"] == "mine"
    with pytest.raises(TypeError):
        client.embeddings.create(model=MODEL, input="a", input_type="query")  # type: ignore[call-arg]


def test_the_id_is_that_of_the_answer_or_of_its_head(
    client: seekroute.Client, mock: MockProvider
) -> None:
    body = {"object": "list", "data": [{"index": 0, "embedding": [1.0]}]}
    head = {"X-Generation-Id": "gen-head"}
    mock.queue(Status(200, body=body, headers=head))
    mock.queue(Status(200, body={**body, "id": "gen-body"}, headers=head))
    found = [client.embeddings.create(model=MODEL, input="a") for _ in range(2)]
    assert [each.id for each in found] == ["gen-head", "gen-body"]
    assert pickle.loads(pickle.dumps(found[0])).id == "gen-head"
    assert "id" not in found[0].to_dict()


def test_who_keeps_no_generations_gives_no_id(client: seekroute.Client) -> None:
    assert client.embeddings.create(model=MODEL, input="a").id == ""


def test_usage_counts_them(client: seekroute.Client) -> None:
    client.embeddings.create(model=MODEL, input=["a cat", "a dog"])
    used = client.usage()[MODEL]
    assert (used.calls, used.prompt_tokens, used.completion_tokens) == (1, 4, 0)
