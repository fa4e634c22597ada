"""Replies: what a test makes the mock provider answer."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Protocol, TypeAlias

from seekroute.testing.embeddings import embeddings_body
from seekroute.testing.gate import Gate
from seekroute.testing.http import Exchange
from seekroute.testing.images import image_body
from seekroute.testing.records import RecordedRequest
from seekroute.testing.shapes import (
    Choice,
    Completion,
    asks_usage,
    count_prompt,
    dump,
    error_body,
    tokens_of,
)
from seekroute.testing.usage import Event, Usage, with_usage

Delay: TypeAlias = float | Callable[[int], float]
JSON_TYPE = ("content-type", "application/json")
SSE_HEADERS = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
)


class Reply(Protocol):
    """Anything that can answer one request. Implement `play` for a reply of your own."""

    async def play(self, exchange: Exchange) -> None:
        """Answer the request of `exchange`; runs on the loop of the mock provider."""
        ...


# A reply, or a function that chooses one for the request.
ReplyOrFactory: TypeAlias = Reply | Callable[[RecordedRequest], Reply]


@dataclass(frozen=True)
class Paced:
    """What the replies with a body have in common: when their bytes go out.

    Args:
        delay: seconds to wait before each chunk of a stream, or a function of the chunk's
            number (from 0) that returns them.
        first_byte_delay: seconds to wait before the response head.
        gate: holds the reply before each chunk until the test lets it go; see `Gate`.
        headers: further response headers.
    """

    _: KW_ONLY
    delay: Delay = 0.0
    first_byte_delay: float = 0.0
    gate: Gate | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send_json(self, exchange: Exchange, body: Any, status: int = 200) -> None:
        """Send one JSON answer, in this reply's pace."""
        await self.send_whole(exchange, status, [JSON_TYPE], dump(body))

    async def send_whole(
        self, exchange: Exchange, status: int, headers: Iterable[tuple[str, str]], body: bytes
    ) -> None:
        if self.first_byte_delay:
            await asyncio.sleep(self.first_byte_delay)
        if self.gate is not None:
            await self.gate.passed()
        await exchange.respond(status, self._headers(headers), body)

    async def send_events(
        self, exchange: Exchange, events: Iterable[Event], status: int = 200
    ) -> None:
        """Send a stream of server-sent events, in this reply's pace."""
        if self.first_byte_delay:
            await asyncio.sleep(self.first_byte_delay)
        await exchange.start_stream(status, self._headers(SSE_HEADERS))
        for index, event in enumerate(events):
            delay = self.delay(index) if callable(self.delay) else self.delay
            if delay > 0:
                await asyncio.sleep(delay)
            if self.gate is not None:
                await self.gate.passed()
            await exchange.chunk(event_bytes(event))
        await exchange.end_stream()

    async def send_completion(self, exchange: Exchange, completion: Completion) -> None:
        """Send a chat completion, streamed when the client asked for a stream."""
        request = exchange.request
        if not request.streamed:
            await self.send_json(exchange, completion.body())
            return
        asked = asks_usage(request.fields)
        await self.send_events(
            exchange, _with_done(with_usage(completion.chunks(), completion.usage, asked=asked))
        )

    def _headers(self, own: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        given = {name.lower() for name in self.headers}
        named = [*own, ("x-request-id", f"req_{uuid.uuid4().hex}")]
        return [pair for pair in named if pair[0] not in given] + list(self.headers.items())


@dataclass(frozen=True)
class Text(Paced):
    """A chat completion with this text, streamed when the client asks for it.

    Args:
        text: the content of the answer.
        chunks: the parts it is streamed in: a sequence that joins to `text`, or how many;
            None cuts it into tokens.
        usage: the counts; None counts the tokens of request and answer.
        finish_reason: the finish reason.
        reasoning: ``reasoning_content``, sent before the text.
        model: the model named in the answer; None echoes the request's.

    Raises:
        ValueError: if `chunks` do not join to `text`, or are fewer than one.

    Example::

        mock.queue(Text("Hello", chunks=["Hel", "lo"], usage=Usage(100, 10)))
    """

    text: str
    _: KW_ONLY
    chunks: int | Sequence[str] | None = None
    usage: Usage | None = None
    finish_reason: str = "stop"
    reasoning: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.chunks, int):
            if self.chunks < 1:
                raise ValueError("chunks must be at least 1")
        elif self.chunks is not None and "".join(self.chunks) != self.text:
            raise ValueError("chunks do not join to text")

    async def play(self, exchange: Exchange) -> None:
        pieces = self._pieces()
        choice = Choice(pieces, finish_reason=self.finish_reason, reasoning=self.reasoning)
        await self.send_completion(
            exchange, _completion(exchange.request, choice, self.usage, self.model)
        )

    def _pieces(self) -> Sequence[str]:
        if self.chunks is None:
            return tokens_of(self.text)
        if not isinstance(self.chunks, int):
            return self.chunks
        size = max(1, -(-len(self.text) // self.chunks))
        return [self.text[at : at + size] for at in range(0, len(self.text), size)]


@dataclass(frozen=True)
class ToolCalls(Paced):
    """A chat completion that calls tools.

    Args:
        calls: one entry per call: ``(name, arguments)``. Arguments are a JSON value, or a
            string sent as it is (also one that is not JSON).
        content: text beside the calls, or None.
        usage: the counts; None counts the tokens of request and answer.

    Example::

        mock.queue(ToolCalls([("get_weather", {"city": "Paris"})]))
    """

    calls: Sequence[tuple[str, Any]]
    _: KW_ONLY
    content: str | None = None
    usage: Usage | None = None
    finish_reason: str = "tool_calls"

    async def play(self, exchange: Exchange) -> None:
        choice = Choice(
            None if self.content is None else tokens_of(self.content),
            finish_reason=self.finish_reason,
            tool_calls=[tool_call(name, arguments) for name, arguments in self.calls],
        )
        await self.send_completion(exchange, _completion(exchange.request, choice, self.usage))


@dataclass(frozen=True)
class Image(Paced):
    """An answer to ``images/generations``; on a chat request, its URL as the content.

    Args:
        url: the image's URL; None with no `b64` either gives an image the mock serves itself.
        b64: the image, base64; sent as ``b64_json``.
        revised_prompt: OpenAI's field of that name, left out when None.
        usage: the image usage object, left out when None.

    Example::

        mock.queue(Image("https://cdn.example.com/cat.png"))
    """

    url: str | None = None
    _: KW_ONLY
    b64: str | None = None
    revised_prompt: str | None = None
    usage: Mapping[str, Any] | None = None

    async def play(self, exchange: Exchange) -> None:
        request = exchange.request
        body = image_body(request.fields, url=self.url, b64=self.b64)
        if request.path.endswith("/images/generations"):
            for entry in body["data"] if self.revised_prompt is not None else ():
                entry["revised_prompt"] = self.revised_prompt
            if self.usage is not None:
                body["usage"] = dict(self.usage)
            await self.send_json(exchange, body)
            return
        entry = body["data"][0]
        link = entry.get("url") or f"data:image/png;base64,{entry['b64_json']}"
        await self.send_completion(exchange, _completion(request, Choice([link]), None))


@dataclass(frozen=True)
class Vectors(Paced):
    """An answer to ``embeddings`` with these vectors, in the encoding that the request asks for.

    Args:
        vectors: one for each input; fewer or more are sent as they are.
        usage: the usage object; None counts the tokens of the request.

    Example::

        mock.queue(Vectors([[1.0, 0.0], [0.0, 1.0]]))
    """

    vectors: Sequence[Sequence[float]]
    _: KW_ONLY
    usage: Mapping[str, Any] | None = None

    async def play(self, exchange: Exchange) -> None:
        body = embeddings_body(exchange.request.fields, self.vectors, self.usage)
        await self.send_json(exchange, body)


@dataclass(frozen=True)
class Status(Paced):
    """An answer with this status, an error by default.

    Args:
        status: the HTTP status.
        body: a JSON value, or a str or bytes sent as they are; None sends OpenAI's error
            envelope for the status.

    Example::

        mock.queue(Status(429, headers={"retry-after": "7"}))
    """

    status: int
    _: KW_ONLY
    body: Any = None

    async def play(self, exchange: Exchange) -> None:
        if isinstance(self.body, (str, bytes)):
            raw = self.body.encode() if isinstance(self.body, str) else self.body
            kind = ("content-type", "text/plain; charset=utf-8")
            await self.send_whole(exchange, self.status, [kind], raw)
            return
        body = self.body
        if body is None:
            body = error_body(f"mock error {self.status}", status=self.status)
        await self.send_json(exchange, body, self.status)


@dataclass(frozen=True)
class Stream(Paced):
    """A stream of the given events, whatever the client asked for.

    Args:
        chunks: the events: a dict is sent as JSON after ``data:``, a str as it is after
            ``data:``, bytes verbatim. Any iterable, also an endless one; one that can be read
            only once answers only once.
        usage: put into the dict chunks at its place; None changes nothing.
        done: whether ``data: [DONE]`` follows.
        status: the HTTP status.

    Example::

        mock.queue(Stream([b": ping\\n\\n", {"choices": []}], done=False))
    """

    chunks: Iterable[Event]
    _: KW_ONLY
    usage: Usage | None = None
    done: bool = True
    status: int = 200

    async def play(self, exchange: Exchange) -> None:
        events: Iterable[Event] = self.chunks
        if self.usage is not None:
            asked = asks_usage(exchange.request.fields)
            events = with_usage(events, self.usage, asked=asked)
        await self.send_events(exchange, _with_done(events) if self.done else events, self.status)


@dataclass(frozen=True)
class Raw:
    """Bytes, pauses and endings, step by step.

    Args:
        steps: what to do, in order. ``("head", status, {headers})`` sends a response head;
            without a Content-Length the body then lasts until the connection closes.
            ``("send", bytes)`` sends bytes verbatim, ``("bytes1", bytes)`` one byte per TCP
            segment. ``("sleep_ms", n)`` waits, ``("gate", Gate())`` waits for the test.
            ``("fin",)`` closes, ``("rst",)`` resets, ``("hang",)`` keeps the connection open
            until the client closes it. Without an ending the connection closes in order.

    Raises:
        ValueError: if a step is not one of these.

    Example::

        mock.queue(Raw([("head", 200, {"Content-Length": "100"}), ("send", b"half"), ("rst",)]))
    """

    steps: Sequence[Sequence[Any]]

    def __post_init__(self) -> None:
        for number, step in enumerate(self.steps):
            name = step[0] if step else None
            kinds = _STEPS.get(name) if isinstance(name, str) else None
            given = tuple(step[1:])
            if kinds is None or len(given) != len(kinds):
                raise ValueError(f"step {number} is not a known step: {name!r}")
            for value, kind in zip(given, kinds, strict=True):
                if not isinstance(value, kind):
                    raise ValueError(f"step {number} ({name}) has a {type(value).__name__}")

    @classmethod
    def from_steps(cls, steps: Iterable[Sequence[Any]]) -> Raw:
        """Make a reply from steps in JSON, where the bytes of send and bytes1 are base64.

        Raises:
            ValueError: if a step is not known, or its bytes are not base64.

        Example::

            mock.queue(Raw.from_steps([["head", 200, {}], ["send", "aGVsbG8="], ["fin"]]))
        """
        return cls(
            [
                (step[0], base64.b64decode(step[1], validate=True))
                if step[0] in ("send", "bytes1")
                else tuple(step)
                for step in steps
            ]
        )

    async def play(self, exchange: Exchange) -> None:
        for name, *values in self.steps:
            if name == "head":
                await exchange.head(values[0], values[1])
            elif name == "send":
                await exchange.send(values[0])
            elif name == "bytes1":
                for at in range(len(values[0])):
                    await exchange.send_segment(values[0][at : at + 1])
            elif name == "sleep_ms":
                await asyncio.sleep(values[0] / 1000)
            elif name == "gate":
                await values[0].passed()
            elif name == "rst":
                await exchange.rst()
                return
            elif name == "hang":
                await exchange.hang()
            else:
                break
        await exchange.fin()


_STEPS: dict[str, tuple[Any, ...]] = {
    "head": (int, Mapping),
    "send": (bytes,),
    "bytes1": (bytes,),
    "sleep_ms": ((int, float),),
    "gate": (Gate,),
    "fin": (),
    "rst": (),
    "hang": (),
}


def event_bytes(event: Event) -> bytes:
    """One event of a stream as bytes."""
    if isinstance(event, bytes):
        return event
    data = event.encode() if isinstance(event, str) else dump(event)
    return b"data: " + data + b"\n\n"


def tool_call(name: str, arguments: Any) -> dict[str, Any]:
    """A tool call with an id of its own."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": name, "arguments": text}
    return {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}


def _with_done(events: Iterable[Event]) -> Iterator[Event]:
    yield from events
    yield "[DONE]"


def _completion(
    request: RecordedRequest, choice: Choice, usage: Usage | None, model: str | None = None
) -> Completion:
    fields = request.fields
    if usage is None:
        reasoning = len(tokens_of(choice.reasoning or ""))
        calls = "".join(call["function"]["arguments"] for call in choice.tool_calls)
        text = "".join(choice.pieces or ())
        usage = Usage(
            count_prompt(fields),
            len(tokens_of(text)) + len(tokens_of(calls)) + reasoning,
            reasoning_tokens=reasoning,
        )
    if model is None:
        model = str(fields.get("model", "mock"))
    return Completion(model, [choice], usage=usage)
