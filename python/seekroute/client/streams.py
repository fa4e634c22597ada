"""Answers that come in pieces: events out of bytes, and a whole answer out of events."""

from __future__ import annotations

import json
import time
from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from seekroute.client.results import ChatCompletion, Result
from seekroute.client.tool_calls import call_of
from seekroute.errors import APIConnectionError, error_for_status
from seekroute.shown import Shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from types import TracebackType

    from seekroute.client.wires.backend import AsyncReply, Reply
    from seekroute.client.wires.retry import Tries

# Bytes of one event that is not complete yet; the gateway's own bound is max_sse_event_bytes.
_MAX_EVENT_BYTES = 64 * 1024 * 1024


class EventReader:
    """Takes the bytes of an event stream as they come and gives the data of its events.

    >>> reader = EventReader()
    >>> reader.feed(b'data: {"a": 1}\\n\\nda'), reader.feed(b"ta: [DONE]\\n\\n")
    (['{"a": 1}'], ['[DONE]'])
    """

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, part: bytes) -> list[str]:
        """The data of each event that `part` completes. Comments and other fields are skipped."""
        whole = self._rest + part if self._rest else part
        if b"\r" in whole:
            # A lone CR at the end may be half of a CR LF.
            held = b"\r" if whole.endswith(b"\r") else b""
            whole = whole.removesuffix(b"\r").replace(b"\r\n", b"\n") + held
        end = whole.rfind(b"\n\n")
        if end < 0:
            self._rest = whole
            if len(whole) > _MAX_EVENT_BYTES:
                raise APIConnectionError(f"an event is larger than {_MAX_EVENT_BYTES} bytes")
            return []
        self._rest = whole[end + 2 :]
        found = []
        for event in whole[:end].decode("utf-8", "replace").split("\n\n"):
            lines = [line for line in event.split("\n") if line.startswith("data:")]
            if lines:
                found.append("\n".join(line[5:].removeprefix(" ") for line in lines))
        return found


class _Text(list[str]):
    """A text that grows piece by piece, without being copied for each."""


class Accumulator:
    """Puts the chunks of a streamed answer together.

    >>> whole = Accumulator()
    >>> for word in ("Hel", "lo"):
    ...     whole.add({"choices": [{"index": 0, "delta": {"content": word}}]})
    >>> whole.data()["choices"][0]["message"]
    {'content': 'Hello'}
    """

    # Fields of a delta that name something; every other text is continued by the next one.
    _NAMES = frozenset({"role", "id", "type", "name", "format"})

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: dict[str, Any]) -> None:
        """Takes the next chunk."""
        for name, value in chunk.items():
            if name != "choices" and (value is not None or name not in self._head):
                self._head[name] = value
        for choice in chunk.get("choices") or ():
            index = choice.get("index", 0)
            kept = self._choices.setdefault(index, {"index": index, "message": {}})
            for name, value in choice.items():
                if name == "delta":
                    self._merge(kept["message"], value or {})
                elif name == "logprobs" and isinstance(value, dict):
                    before = kept.get(name)
                    self._merge(before if isinstance(before, dict) else _put(kept, name), value)
                elif name != "index" and (value is not None or name not in kept):
                    kept[name] = value

    def _merge(self, kept: dict[str, Any], delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            before = kept.get(name)
            if value is None:
                kept.setdefault(name, None)
            elif isinstance(value, str) and name not in self._NAMES:
                if isinstance(before, _Text):
                    before.append(value)
                else:
                    kept[name] = _Text([value])
            elif isinstance(value, dict):
                self._merge(before if isinstance(before, dict) else _put(kept, name), value)
            elif isinstance(value, list):
                into = before if isinstance(before, list) else _put(kept, name, [])
                for item in value:
                    if name == "tool_calls" and isinstance(item, dict):
                        self._merge_call(into, item)
                    else:
                        self._merge_item(into, item)
            elif not before:
                kept[name] = value

    def _merge_call(self, into: list[Any], piece: dict[str, Any]) -> None:
        kept = call_of(into, piece)
        if kept is None:
            kept = {}
            into.append(kept)
        self._merge(kept, piece)

    def _merge_item(self, into: list[Any], item: Any) -> None:
        index = item.get("index") if isinstance(item, dict) else None
        if index is None:
            into.append(item)
            return
        for kept in into:
            if kept.get("index") == index:
                break
        else:
            kept = {}
            into.append(kept)
        self._merge(kept, item)

    @property
    def text(self) -> str:
        """What the first choice has said so far."""
        first = self._choices.get(0)
        content = first["message"].get("content") if first else None
        return "".join(content) if isinstance(content, _Text) else ""

    def data(self) -> dict[str, Any]:
        """The answer as a call without a stream would have given it."""
        whole = {**self._head, "object": "chat.completion"}
        whole["choices"] = [_finished(self._choices[index]) for index in sorted(self._choices)]
        for choice in whole["choices"]:
            for call in choice["message"].get("tool_calls") or ():
                call.pop("index", None)  # belongs to chunks only
        return whole


def _put(kept: dict[str, Any], name: str, value: Any = None) -> Any:
    kept[name] = {} if value is None else value
    return kept[name]


def _finished(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, dict):
        return {name: _finished(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finished(item) for item in value]
    return value


def _says_something(chunk: dict[str, Any]) -> bool:
    for choice in chunk.get("choices") or ():
        delta = choice.get("delta") or {}
        if any(value for name, value in delta.items() if name != "role"):
            return True
    return False


class StreamState(Shown):
    """What a stream has brought so far; shared by both kinds of stream."""

    def __init__(self, headers: Any, tries: Tries, cost_of: Callable[..., Decimal | None]) -> None:
        self._headers = headers
        self._tries = tries
        self._cost_of = cost_of
        self._events = EventReader()
        self._waiting: deque[str] = deque()
        self._whole = Accumulator()
        self._ttft: float | None = None
        self._final: ChatCompletion | None = None
        self._ended = False

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return self._whole.text

    @property
    def request_id(self) -> str:
        """What to tell the operator."""
        return str(self._headers.get("x-request-id", ""))

    @property
    def cost(self) -> Decimal | None:
        """The price of the answer in USD, once the stream has been read; None before."""
        return self._final.cost if self._final is not None else None

    def _feed(self, part: bytes | None) -> None:
        if part is None:
            self._ended = True
            raise APIConnectionError(
                "the answer ended without its last event",
                hint="ask again: what came is not the whole answer",
                request_id=self.request_id,
                attempts=self._tries.attempts,
                retryable=True,
            )
        self._waiting.extend(self._events.feed(part))

    def _take(self) -> Result | None:
        """The next chunk of those that have come; None at the stream's last event."""
        data = self._waiting.popleft()
        if data == "[DONE]":
            self._ended = True
            return None
        chunk = json.loads(data)
        if chunk.get("error"):
            self._ended = True
            # No try is added by the failure itself.
            raise error_for_status(0, chunk["error"], self._headers, attempts=self._tries.attempts)
        if self._ttft is None and _says_something(chunk):
            self._ttft = time.monotonic() - self._tries.started
        self._whole.add(chunk)
        return Result(chunk)

    def _finish(self, record: Any) -> None:
        data = self._whole.data()
        self._final = ChatCompletion(
            data,
            cost=self._cost_of(self._headers, data, record),
            provider=self._headers.get("x-seekroute-provider", ""),
            request_id=self.request_id,
            latency=time.monotonic() - self._tries.started,
            ttft=self._ttft,
            attempts=self._tries.attempts,
        )


class ChatStream(StreamState):
    """A running answer: iterate it for chunks. Closing or dropping it cancels the request."""

    def __init__(self, reply: Reply, tries: Tries, cost_of: Callable[..., Decimal | None]) -> None:
        self._reply = reply
        super().__init__(reply.headers, tries, cost_of)

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        if self._ended:
            raise StopIteration
        while not self._waiting:
            self._feed(self._reply.next())
        try:
            chunk = self._take()
        except BaseException:
            self._reply.close()
            raise
        if chunk is None:
            self._reply.read()
            self._finish(self._reply.record)
            raise StopIteration
        return chunk

    def texts(self) -> Iterator[str]:
        """The pieces of the first choice's text as they come."""
        for chunk in self:
            piece = _piece(chunk)
            if piece:
                yield piece

    def get_final_completion(self) -> ChatCompletion:
        """Reads what has not been read yet and returns the whole answer.

        Raises:
            APIConnectionError: the stream was closed before its end.
        """
        for _ in self:
            pass
        if self._final is None:
            raise APIConnectionError("the stream ended before its last event")
        return self._final

    def close(self) -> None:
        """Cancels the request when it still runs. Idempotent."""
        self._ended = True
        self._reply.close()

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        reply = getattr(self, "_reply", None)
        if reply is not None:
            reply.close()


class AsyncChatStream(StreamState):
    """As `ChatStream`, for asyncio: `async for chunk in stream`."""

    def __init__(
        self, reply: AsyncReply, tries: Tries, cost_of: Callable[..., Decimal | None]
    ) -> None:
        self._reply = reply
        super().__init__(reply.headers, tries, cost_of)

    def __aiter__(self) -> AsyncIterator[Result]:
        return self

    async def __anext__(self) -> Result:
        if self._ended:
            raise StopAsyncIteration
        while not self._waiting:
            self._feed(await self._reply.next())
        try:
            chunk = self._take()
        except BaseException:
            await self._reply.aclose()
            raise
        if chunk is None:
            await self._reply.read()
            self._finish(self._reply.record)
            raise StopAsyncIteration
        return chunk

    async def texts(self) -> AsyncIterator[str]:
        """As `ChatStream.texts`."""
        async for chunk in self:
            piece = _piece(chunk)
            if piece:
                yield piece

    async def get_final_completion(self) -> ChatCompletion:
        """As `ChatStream.get_final_completion`."""
        async for _ in self:
            pass
        if self._final is None:
            raise APIConnectionError("the stream ended before its last event")
        return self._final

    async def close(self) -> None:
        """Cancels the request when it still runs. Idempotent."""
        self._ended = True
        await self._reply.aclose()

    aclose = close

    async def __aenter__(self) -> AsyncChatStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        reply = getattr(self, "_reply", None)
        if reply is not None:
            reply.abandon()


def _piece(chunk: Result) -> str:
    for choice in chunk.to_dict().get("choices") or ():
        if choice.get("index", 0) == 0:
            return (choice.get("delta") or {}).get("content") or ""
    return ""


class StreamContext:
    """Sends the request when entered, and closes the stream when left."""

    def __init__(self, start: Callable[[], ChatStream]) -> None:
        self._start = start
        self._stream: ChatStream | None = None

    def __enter__(self) -> ChatStream:
        self._stream = self._start()
        return self._stream

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.close()


class AsyncStreamContext:
    """As `StreamContext`, for asyncio."""

    def __init__(self, start: Callable[[], Awaitable[AsyncChatStream]]) -> None:
        self._start = start
        self._stream: AsyncChatStream | None = None

    async def __aenter__(self) -> AsyncChatStream:
        self._stream = await self._start()
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            await self._stream.close()
