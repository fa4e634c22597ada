"""MockProvider as its users see it: through real sockets, with real clients."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests

from checkout import ROOT
from seekroute.testing import (
    Exchange,
    Image,
    MockProvider,
    Raw,
    RecordedRequest,
    Reply,
    Status,
    Stream,
    Text,
    ToolCalls,
    Usage,
)

HELLO: list[Any] = [{"role": "user", "content": "hello world"}]
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


def post(mock: MockProvider, **fields: Any) -> Any:
    body = {"model": "m", "messages": HELLO, **fields}
    return requests.post(mock.base_url + "/chat/completions", json=body, timeout=TIMEOUT)


def events(response: Any) -> list[Any]:
    """The data of a stream's events, parsed, without [DONE]."""
    lines = [line[6:] for line in response.text.split("\n\n") if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


# --- replies


def test_text(client: Any, mock: MockProvider) -> None:
    reply = Text("Hello", chunks=["Hel", "", "lo"], usage=Usage(100, 10), finish_reason="length")
    mock.queue(reply, reply)
    answer = ask(client)
    assert answer.choices[0].message.content == "Hello"
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.total_tokens == 110
    with ask(client, stream=True) as stream:
        parts = [chunk.choices[0].delta.content for chunk in stream]
    assert parts == ["", "Hel", "", "lo", None]


def test_text_in_a_number_of_chunks(mock: MockProvider) -> None:
    mock.queue(Text("Hello", chunks=2, reasoning="hmm", model="other"))
    chunks = events(post(mock, stream=True))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[1:4] == [{"reasoning_content": "hmm"}, {"content": "Hel"}, {"content": "lo"}]
    assert chunks[0]["model"] == "other"


@pytest.mark.parametrize("chunks", [0, ["a", "b"]])
def test_text_refuses_chunks_that_do_not_fit(chunks: Any) -> None:
    with pytest.raises(ValueError, match="chunks"):
        Text("Hello", chunks=chunks)


def test_tool_calls(client: Any, mock: MockProvider) -> None:
    reply = ToolCalls([("f", {"a": 1}), ("g", "{not json")], content="wait")
    mock.queue(reply, reply)
    message = ask(client).choices[0].message
    assert message.content == "wait"
    assert [(call.function.name, call.function.arguments) for call in message.tool_calls] == [
        ("f", '{"a": 1}'),
        ("g", "{not json"),
    ]
    assert message.tool_calls[0].id != message.tool_calls[1].id
    names, arguments = {}, {0: "", 1: ""}
    with ask(client, stream=True) as stream:
        for chunk in stream:
            for call in chunk.choices[0].delta.tool_calls or ():
                names.setdefault(call.index, call.function.name)
                arguments[call.index] += call.function.arguments
    assert names == {0: "f", 1: "g"}
    assert arguments == {0: '{"a": 1}', 1: "{not json"}


def test_image(client: Any, mock: MockProvider) -> None:
    url = "https://cdn.example.com/cat.png"
    mock.queue(
        Image(url, revised_prompt="one cat", usage={"total_tokens": 3}),
        Image(b64="AA=="),
        Image(url),
    )
    answer = client.images.generate(model="i", prompt="cat")
    assert (answer.data[0].url, answer.data[0].revised_prompt) == (url, "one cat")
    assert answer.usage.total_tokens == 3
    assert client.images.generate(model="i", prompt="cat").data[0].b64_json == "AA=="
    assert ask(client).choices[0].message.content == url


def test_status(client: Any, mock: MockProvider) -> None:
    mock.queue(Status(429, headers={"retry-after": "7"}), Status(529, body={"error": "x"}))
    with pytest.raises(openai.RateLimitError) as limited:
        ask(client)
    assert limited.value.code == "rate_limit_exceeded"
    assert limited.value.response.headers["retry-after"] == "7"
    assert post(mock).json() == {"error": "x"}
    mock.queue(Status(502, body="<html>", headers={"Content-Type": "text/html"}))
    response = post(mock)
    assert (response.status_code, response.text) == (502, "<html>")
    assert response.headers["content-type"] == "text/html"


def test_stream_sends_what_it_is_given(mock: MockProvider) -> None:
    mock.queue(Stream([b": ping\n\n", "not json", {"a": "é"}]), Stream([b"x"], done=False))
    response = post(mock)
    assert response.content == ': ping\n\ndata: not json\n\ndata: {"a":"é"}\n\n'.encode() + (
        b"data: [DONE]\n\n"
    )
    assert post(mock).content == b"x"


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("where", ["asked", "final", "finish", "every", "missing"])
def test_usage_place(mock: MockProvider, where: Any, asked: bool) -> None:
    mock.queue(Text("abc", chunks=["a", "b", "c"], usage=Usage(7, 3, where=where)))
    options = {"stream_options": {"include_usage": True}} if asked else {}
    chunks = events(post(mock, stream=True, **options))
    counts = [(chunk.get("usage") or {}).get("completion_tokens") for chunk in chunks]
    none = [None] * 5
    expected = {
        "asked": [*none, 3] if asked else none,
        "final": [*none, 3],
        "finish": [None, None, None, None, 3],
        "every": [0, 1, 2, 3, 3],
        "missing": none,
    }
    assert counts == expected[where]


def test_usage_values(mock: MockProvider) -> None:
    mock.queue(
        Text("a", usage=Usage(0, 0, details=False)),
        Text("a", usage=Usage(9, 8, as_strings=True, cached_tokens=4, cache_write_tokens=2)),
        Text("a", usage=Usage(9, 8, reasoning_tokens=5, total_tokens=99, extra={"cost": 1})),
        Text("a", usage=Usage(where="missing")),
    )
    zero, strings, odd, missing = (post(mock).json() for _ in range(4))
    assert zero["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert strings["usage"]["total_tokens"] == "17"
    assert strings["usage"]["prompt_tokens_details"]["cached_tokens"] == "4"
    assert strings["usage"]["prompt_tokens_details"]["cache_write_tokens"] == "2"
    assert odd["usage"]["completion_tokens_details"]["reasoning_tokens"] == 5
    assert (odd["usage"]["total_tokens"], odd["usage"]["cost"]) == (99, 1)
    assert "usage" not in missing


def test_stream_with_usage_changes_only_its_chunks(mock: MockProvider) -> None:
    finish = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    mock.queue(Stream([b": hi\n\n", finish], usage=Usage(1, 2, where="finish")))
    assert events(post(mock))[0]["usage"]["total_tokens"] == 3


# --- choosing a reply


def test_queue_rules_default_in_this_order(mock: MockProvider) -> None:
    mock.default = Text("default")
    mock.on(lambda request: request.json["model"] == "m", Text("older rule"))
    mock.on(lambda request: request.json["model"] == "m", Text("newer rule"))
    mock.queue(Text("first"), lambda request: Text(f"for {request.json['model']}"))

    def answer(model: str) -> str:
        return str(post(mock, model=model).json()["choices"][0]["message"]["content"])

    assert [answer("z"), answer("z"), answer("m"), answer("z")] == [
        "first",
        "for z",
        "newer rule",
        "default",
    ]
    mock.reset()
    assert mock.requests == []
    assert answer("m") == "default"
    assert len(mock.wait_for_requests(1)) == 1


def test_script_takes_json_steps(mock: MockProvider) -> None:
    body = base64.b64encode(b"hi").decode()
    mock.script([["head", 200, {"Content-Length": "2"}], ["send", body]])
    assert post(mock).text == "hi"


def test_reply_of_ones_own(mock: MockProvider) -> None:
    class Mirror:
        async def play(self, exchange: Exchange) -> None:
            await exchange.respond(200, {"x-own": "1"}, exchange.request.body[::-1])

    reply: Reply = Mirror()
    mock.default = reply
    response = post(mock)
    assert response.content == mock.requests[0].body[::-1]
    assert response.headers["x-own"] == "1"


def test_fault_of_a_reply_gives_500_and_is_kept() -> None:
    def broken(request: RecordedRequest) -> Reply:
        raise LookupError("no such reply")

    with MockProvider(broken) as mock:
        response = post(mock)
        assert response.status_code == 500
        assert "LookupError" in response.json()["error"]["message"]
        assert [type(error) for error in mock.errors] == [LookupError]


@pytest.mark.parametrize("step", [("nap",), ("send", "text"), ("head", 200), (), ("rst", 1)])
def test_raw_refuses_unknown_steps(step: Any) -> None:
    with pytest.raises(ValueError, match="step 0"):
        Raw([step])


def test_documented_examples_run() -> None:
    text = (ROOT / "docs" / "mock-provider.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) >= 5
    for example in examples:
        exec(compile(example, "docs/mock-provider.md", "exec"), {"__name__": "example"})
