"""What calls return, and how streams are put together."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seekroute
from client_modes import HELLO, IMAGE_MODEL, MODEL, providers_at
from seekroute.client.calls import cost_of
from seekroute.client.results import ChatCompletion, ImagesResponse, ModelPage, Result
from seekroute.client.streams import Accumulator, EventReader
from seekroute.testing import Image, MockProvider, Stream, Text, Usage


@pytest.fixture
def client(mock: MockProvider) -> Iterator[seekroute.Client]:
    with seekroute.Client(providers=providers_at(mock)) as running:
        yield running


def test_a_completion_has_what_is_promised(client: seekroute.Client, mock: MockProvider) -> None:
    mock.queue(Text("Paris.", usage=Usage(1000, 100)))
    answer = client.ask("The capital of France?", MODEL)
    assert (answer.text, answer.provider, answer.model) == ("Paris.", "openai", MODEL)
    assert answer.cost == Decimal("0.00021")
    assert answer.usage.cost == 0.00021
    assert answer.usage.prompt_tokens == 1000
    assert answer.attempts == 1
    assert answer.id.startswith("gen-")
    assert len(answer.request_id) > 10
    assert 0 < answer.latency < 20
    assert answer.ttft is None
    assert answer.images == []
    assert json.loads(answer.to_json()) == answer.to_dict() == answer.model_dump()


def test_a_stream_s_completion_is_the_same(client: seekroute.Client, mock: MockProvider) -> None:
    mock.default = Text("Paris is large.", usage=Usage(1000, 100))
    whole = client.ask("Hello!", MODEL)
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        assert next(stream).choices[0].delta.role == "assistant"
        assert stream.cost is None
        final = stream.get_final_completion()
    changing = {"id", "created", "system_fingerprint"}
    told, same = (
        {k: v for k, v in each.to_dict().items() if k not in changing} for each in (final, whole)
    )
    for each in (told, same):
        report = each["seekroute"] = {**each["seekroute"], "seed": 0}  # drawn for each request
        (attempt,) = report["attempts"]
        assert attempt.pop("ms") >= 0
    assert told == same
    assert (final.cost, final.provider, stream.cost) == (whole.cost, whole.provider, whole.cost)
    assert final.ttft is not None
    assert 0 < final.ttft <= final.latency
    assert stream.get_final_completion() is final
    assert stream.text == "Paris is large."


def test_results_survive_pickling(client: seekroute.Client) -> None:
    answer = client.ask("Hello!", MODEL)
    page = client.models.list()
    images = client.images.generate(prompt="A cat", model=IMAGE_MODEL)
    for value in (answer, answer.usage, page, images):
        for again in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
            assert type(again) is type(value)
            assert again.to_dict() == value.to_dict()
            for name in ("cost", "latency", "ttft", "provider", "request_id", "attempts"):
                assert getattr(again, name, None) == getattr(value, name, None)


def test_reprs_are_one_short_line(client: seekroute.Client, mock: MockProvider) -> None:
    mock.queue(Text("word\n" * 1000, usage=Usage(10, 1000)))
    answer = client.ask("Hello!", MODEL)
    assert repr(answer) == (
        "ChatCompletion('word\\nword\\nword\\nword\\nword\\nword\\nword\\nword\\nword\\nw...', "
        "model='openai/gpt-4o-mini', provider='openai', tokens=1010, cost=0.0006015)"
    )
    image = client.images.generate(prompt="A cat", model=IMAGE_MODEL)
    shown = [answer, answer.usage, answer.choices[0], client.models.list(), image]
    shown += [client.models.retrieve(MODEL), Result({f"field{i}": [{}] * 3 for i in range(99)})]
    for value in shown:
        assert len(repr(value)) < 200
        assert "\n" not in repr(value)


def test_unknown_fields_are_kept_and_missing_ones_say_so() -> None:
    result = Result({"new": {"thing": [1, {"a": 2}]}, "usage": None})
    assert result.new.thing[1].a == 2
    assert result["new"]["thing"][0] == 1
    assert result.usage is result.tool_calls is None
    assert "new" in dir(result)
    with pytest.raises(AttributeError, match="no field 'nwe'"):
        _ = result.nwe
    with pytest.raises(KeyError):
        _ = result["nwe"]


def test_models_are_a_sequence(client: seekroute.Client) -> None:
    page = client.models.list()
    ids = [model.id for model in page]
    assert ids == [model.id for model in page.data]
    assert MODEL in ids
    assert len(page) == len(ids)
    assert page[0].id == ids[0]
    assert [model.id for model in page[:2]] == ids[:2]
    assert page.object == "list"
    one = client.models.retrieve("gpt-4o-mini")
    assert one == page[ids.index(MODEL)]
    assert one.pricing.prompt == "0.00000015"


def test_images_are_in_openai_s_shape(client: seekroute.Client, mock: MockProvider) -> None:
    mock.queue(Image("https://cdn.example.com/cat.png"), Image(b64="iVBORw0KGgo="))
    by_url = client.images.generate(prompt="A cat", model=IMAGE_MODEL, size="2K", quality="hd")
    assert (by_url.data[0].url, by_url.data[0].b64_json) == (
        "https://cdn.example.com/cat.png",
        None,
    )
    sent = mock.requests[0].json
    assert (sent["prompt"], sent["size"], sent["quality"]) == ("A cat", "2K", "hd")
    assert by_url.cost is not None
    assert by_url.cost > 0
    inline = client.images.generate(prompt="A cat", model=IMAGE_MODEL)
    assert (inline.data[0].url, inline.data[0].b64_json) == (None, "iVBORw0KGgo=")
    assert inline.created > 0
    assert client.spend == by_url.cost * 2


@pytest.mark.parametrize(
    ("message", "images"),
    [
        ({"content": "data:image/png;base64,AAAA"}, ["data:image/png;base64,AAAA"]),
        ({"content": "https://x.example/a.PNG?sig=1"}, ["https://x.example/a.PNG?sig=1"]),
        ({"content": "see https://x.example/a.png"}, []),
        ({"content": "https://x.example/page"}, []),
        ({"content": None}, []),
        ({"content": "x", "images": [{"image_url": {"url": "u1"}}]}, ["u1"]),
        ({"content": [{"type": "image_url", "image_url": {"url": "u2"}}]}, ["u2"]),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "image", "image_url": "u3"}]},
            ["u3"],
        ),
    ],
)
def test_images_are_found_in_messages(message: dict[str, Any], images: list[str]) -> None:
    answer = ChatCompletion({"choices": [{"index": 0, "message": message}]})
    assert answer.images == images
    assert isinstance(answer.text, str)


def test_an_answer_without_choices_has_no_text() -> None:
    assert ChatCompletion({"choices": []}).text == ""
    assert ChatCompletion({}).images == []


@pytest.mark.parametrize(
    ("headers", "data", "cost"),
    [
        ({"x-seekroute-cost": "0.000000001"}, {}, Decimal("1E-9")),
        ({"x-seekroute-cost": "0"}, {"usage": {"cost": 1.0}}, Decimal(0)),
        ({}, {"usage": {"cost": 0.1}}, Decimal("0.1")),
        ({}, {"usage": {"cost": 1.325e-05}}, Decimal("0.00001325")),
        ({}, {"usage": {"cost": 123456.789012345}}, Decimal("123456.789012345")),
        ({}, {"usage": {}}, None),
        ({}, {"usage": None}, None),
        ({}, {"usage": {"cost": "dear"}}, None),
        ({"x-seekroute-cost": "dear"}, {}, None),
        ({"x-seekroute-cost": "NaN"}, {}, None),
    ],
)
def test_a_remote_cost_is_what_the_gateway_says(
    headers: dict[str, str], data: dict[str, Any], cost: Decimal | None
) -> None:
    assert cost_of(headers, data, None) == cost


@given(st.integers(1, 10**15))
def test_no_digit_of_a_cost_is_lost_on_the_way(nano: int) -> None:
    """Through the JSON number of a stream's last chunk."""
    usd = Decimal(nano).scaleb(-9)
    data = json.loads(f'{{"usage": {{"cost": {usd:f}}}}}')
    assert cost_of({}, data, None) == usd


# --- bytes to events ------------------------------------------------------------------------------

WIRE = (
    ': keep-alive\n\ndata: {"a": "é"}\n\nevent: x\nid: 1\ndata:{"b":1}\n\n'
    "data: one\ndata: two\n\ndata: [DONE]\n\n"
)
EVENTS = ['{"a": "é"}', '{"b":1}', "one\ntwo", "[DONE]"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@given(cuts=st.lists(st.integers(0, 200), max_size=20))
def test_events_do_not_depend_on_how_bytes_are_cut(newline: str, cuts: list[int]) -> None:
    wire = WIRE.replace("\n", newline).encode()
    places = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    reader = EventReader()
    found = [
        event for start, end in itertools.pairwise(places) for event in reader.feed(wire[start:end])
    ]
    assert found == EVENTS


def test_an_endless_event_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seekroute.client.streams._MAX_EVENT_BYTES", 1000)
    reader = EventReader()
    assert reader.feed(b"data: " + b"x" * 900) == []
    with pytest.raises(seekroute.APIConnectionError, match="1000 bytes"):
        reader.feed(b"x" * 100)


# --- events to an answer --------------------------------------------------------------------------


def chunk(delta: dict[str, Any], index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": index, "delta": delta, **fields}]}


def test_tool_calls_are_put_together_by_index() -> None:
    whole = Accumulator()
    first = {"index": 0, "id": "c0", "type": "function", "function": {"name": "f", "arguments": ""}}
    other = {
        "index": 1,
        "id": "c1",
        "type": "function",
        "function": {"name": "g", "arguments": "{"},
    }
    whole.add(chunk({"role": "assistant", "content": None, "tool_calls": [first]}))
    whole.add(chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}))
    whole.add(chunk({"tool_calls": [other]}))
    # Some providers say id, type and name again with every piece.
    again = {"index": 0, "id": "c0", "type": "function", "function": {"name": "f"}}
    whole.add(chunk({"tool_calls": [again]}))
    whole.add(chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}))
    whole.add(chunk({"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]}))
    whole.add(chunk({}, finish_reason="tool_calls"))
    (choice,) = whole.data()["choices"]
    assert choice == {
        "index": 0,
        "finish_reason": "tool_calls",
        "message": {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c0",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a": 1}'},
                },
                {"id": "c1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
    }


def test_reasoning_choices_and_logprobs_are_put_together() -> None:
    whole = Accumulator()
    whole.add(chunk({"role": "assistant", "reasoning": "Hm", "content": ""}, index=1))
    whole.add(chunk({"reasoning": "m."}, index=1))
    whole.add(chunk({"content": "a"}, logprobs={"content": [{"token": "a"}]}))
    whole.add(chunk({"content": "b"}, logprobs={"content": [{"token": "b"}]}))
    whole.add({"choices": [], "usage": {"total_tokens": 3}})
    data = whole.data()
    assert [choice["index"] for choice in data["choices"]] == [0, 1]
    assert data["choices"][0]["message"]["content"] == "ab"
    assert data["choices"][0]["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}]}
    assert data["choices"][1]["message"]["reasoning"] == "Hmm."
    assert data["usage"] == {"total_tokens": 3}
    assert whole.text == "ab"


def test_chunks_are_not_changed_by_putting_them_together() -> None:
    chunks = [chunk({"tool_calls": [{"index": 0, "function": {"arguments": "x"}}]})] * 2
    before = copy.deepcopy(chunks)
    whole = Accumulator()
    for each in chunks:
        whole.add(each)
    whole.data()
    assert chunks == before


@given(st.lists(st.text(max_size=5), max_size=30))
def test_the_text_is_the_sum_of_its_pieces(pieces: list[str]) -> None:
    whole = Accumulator()
    for piece in pieces:
        whole.add(chunk({"content": piece}))
    assert whole.text == "".join(pieces)


def test_a_stream_with_odd_chunks_is_read(client: seekroute.Client, mock: MockProvider) -> None:
    events: list[Any] = [
        {"id": "x", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "a"}}]},
        {"id": "x", "choices": []},
        {"id": "x", "choices": [{"index": 0, "delta": {"content": "b"}, "finish_reason": "stop"}]},
        "[DONE]",
    ]
    mock.queue(Stream(events))
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert stream.get_final_completion().text == "ab"
    assert list(stream) == []


@pytest.mark.parametrize(
    ("part", "name", "place"),
    [
        ("answer", "refusal", r"choices\[0\].message"),
        ("answer", "logprobs", r"choices\[0\]"),
        ("choice", "content", "its message"),
        ("choice", "usage", "the answer"),
        ("message", "finish_reason", "its choice"),
        ("message", "usage", "the answer"),
        ("usage", "content", "the message of a choice"),
        ("usage", "finish_reason", "its choice"),
    ],
)
def test_a_field_asked_of_the_wrong_part_is_no_none(
    client: seekroute.Client, part: str, name: str, place: str
) -> None:
    answer = client.ask("Hi", "openai/gpt-4o-mini")
    parts = {
        "answer": answer,
        "choice": answer.choices[0],
        "message": answer.choices[0].message,
        "usage": answer.usage,
    }
    with pytest.raises(AttributeError, match=f"look in {place}"):
        getattr(parts[part], name)


def test_what_a_part_may_lack_is_none(client: seekroute.Client) -> None:
    answer = client.ask("Hi", "openai/gpt-4o-mini")
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].logprobs is None
    assert answer.usage.prompt_tokens_details.reasoning_tokens is None


def test_names_say_what_they_are() -> None:
    assert repr(ModelPage({"object": "list", "data": []})) == "ModelPage(0 models)"
    assert repr(ImagesResponse({"data": [{}]})) == "ImagesResponse(data=[1 item])"


def call(index: int | None = None, id: str | None = None, **function: str) -> dict[str, Any]:
    piece: dict[str, Any] = {} if index is None else {"index": index}
    if id is not None:
        piece.update(id=id, type="function")
    return {**piece, "function": function} if function else piece


A = {"name": "f", "arguments": '{"x": 1}'}
B = {"name": "g", "arguments": '{"y": 2}'}
BOTH = [("a", A), ("b", B)]


@pytest.mark.parametrize(
    ("pieces", "wanted"),
    [
        pytest.param(
            [
                [call(0, "a", name="f", arguments="")],
                [call(0, arguments='{"x"')],
                [call(1, "b", name="g", arguments="")],
                [call(0, arguments=": 1}"), call(1, arguments='{"y": 2}')],
            ],
            BOTH,
            id="as OpenAI",
        ),
        pytest.param(
            [
                [call(None, "a", name="f", arguments='{"x"')],
                [call(None, arguments=": 1}")],
                [call(None, "b", name="g", arguments='{"y"')],
                [call(None, arguments=": 2}")],
            ],
            BOTH,
            id="without index, in order",
        ),
        pytest.param(
            [
                [call(None, "a", name="f", arguments='{"x"')],
                [call(None, "b", name="g", arguments='{"y"')],
                [call(None, "a", arguments=": 1}")],
                [call(None, "b", arguments=": 2}")],
            ],
            BOTH,
            id="without index, by ids",
        ),
        pytest.param(
            [
                [call(0, "a", name="f", arguments='{"x"')],
                [call(0, arguments=": 1}")],
                [call(0, "b", name="g", arguments='{"y"')],
                [call(0, arguments=": 2}")],
            ],
            BOTH,
            id="both say index 0",
        ),
        pytest.param(
            [[call(0, "a", **A), call(0, "b", **B)]], BOTH, id="both whole, both index 0, one chunk"
        ),
        pytest.param(
            [[call(None, "a", **A), call(None, "b", **B)]], BOTH, id="both whole, no index"
        ),
        pytest.param(
            [
                [call(0, "a", name="f", arguments='{"x"')],
                [call(0, "a", name="f", arguments=": 1}")],
                [call(1, "b", name="g", arguments='{"y"')],
                [call(1, "b", name="g", arguments=": 2}")],
            ],
            BOTH,
            id="id and name in every piece",
        ),
        pytest.param(
            [
                [call(0, "a", name="f", arguments='{"x"')],
                [call(0, "", name="", arguments=": 1}")],
                [call(1, "b", name="g", arguments='{"y"')],
                [call(1, "", name="", arguments=": 2}")],
            ],
            BOTH,
            id="empty ids and names in later pieces",
        ),
        pytest.param(
            [
                [call(0, name="f", arguments="")],
                [call(0, "a", arguments='{"x": 1}')],
                [call(1, name="g", arguments="")],
                [call(1, "b", arguments='{"y": 2}')],
            ],
            BOTH,
            id="an id that comes late",
        ),
        pytest.param(
            [[call(None, **A)], [call(None, **B)]], [(None, A), (None, B)], id="names alone"
        ),
        pytest.param(
            [
                [call(None, name="f", arguments='{"x"')],
                [call(None, arguments=": 1}")],
                [call(None, name="f", arguments='{"x": 1}')],
            ],
            [(None, A), (None, A)],
            id="names alone, twice the same",
        ),
        pytest.param(
            [
                [call(1, "b", name="g", arguments='{"y"')],
                [call(0, "a", **A)],
                [call(1, arguments=": 2}")],
            ],
            [("b", B), ("a", A)],
            id="not in the order of the index",
        ),
    ],
)
def test_calls_are_told_apart_by_id_then_index_then_order(
    pieces: list[list[dict[str, Any]]], wanted: list[tuple[str | None, dict[str, str]]]
) -> None:
    whole = Accumulator()
    for delta in pieces:
        whole.add({"choices": [{"index": 0, "delta": {"tool_calls": delta}}]})
    calls = whole.data()["choices"][0]["message"]["tool_calls"]
    assert [(each.get("id"), each["function"]) for each in calls] == wanted
    assert not any("index" in each for each in calls)
