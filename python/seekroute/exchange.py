"""Running requests, as whoever started them reads them: from an event loop, or from any thread."""

from __future__ import annotations

import asyncio
import queue
from collections import deque
from typing import TYPE_CHECKING, Protocol

from seekroute.errors import APIConnectionError, timed_out

if TYPE_CHECKING:
    from seekroute._core import Event, Headers, Record


class Core(Protocol):
    """What an exchange asks of the core."""

    def ack(self, exchange: int, size: int) -> None:
        """The client took `size` bytes."""

    def cancel(self, exchange: int) -> None:
        """The client went away."""

    def stop(self, exchange: int) -> None:
        """Whoever serves the client ends: it is told so and pays nothing."""


class _NoCore:
    """Of an exchange that another process runs."""

    def ack(self, exchange: int, size: int) -> None: ...
    def cancel(self, exchange: int) -> None: ...
    def stop(self, exchange: int) -> None: ...


_NO_CORE = _NoCore()
_CLOSED = "the client was closed while a request was running"
ELSEWHERE = "the request was made before a fork: its answer goes to the process that made it"


class Sink(Protocol):
    """Takes what the mailbox brings for one exchange. Neither method may wait or submit."""

    def push(self, event: Event) -> None:
        """Takes one entry of a drained batch; the last has a record."""

    def drop(self) -> None:
        """Nothing more will come: the gateway was closed."""


class Lease(Protocol):
    """Memory that a request's body takes."""

    def answered(self) -> None:
        """No other provider will get the body: the core has let go of it, if it is large."""

    def release(self) -> None:
        """The request has ended. Idempotent."""


class AnswerSink(Protocol):
    """Where `AsyncExchange.pour()` puts an answer. Must not raise."""

    def answer(self, status: int, headers: Headers, body: bytes) -> None:
        """Takes a whole answer: the only call then."""

    def start(self, status: int, headers: Headers) -> None:
        """Takes the head of an answer whose body follows."""

    def write(self, body: bytes) -> bool:
        """Takes bytes of the body. Returns whether more may come now; if not, call `pour()`."""

    def done(self) -> None:
        """The body is at its end; or there is no answer, as the request was cancelled before."""


class AsyncExchange:
    """One running request, read from its event loop.

    Either `await head()` gives status and headers and `await next()` body bytes until None, or
    `pour()` gives everything to a sink, which takes no task.
    """

    __slots__ = (
        "_ack_bytes",
        "_chunks",
        "_core",
        "_ended",
        "_head",
        "_id",
        "_loop",
        "_sink",
        "_taken",
        "_waiter",
        "body",
        "lease",
        "record",
    )

    def __init__(
        self, core: Core, loop: asyncio.AbstractEventLoop, exchange: int, ack_bytes: int
    ) -> None:
        self._core = core
        self._loop = loop
        self._ack_bytes = ack_bytes
        self._id = exchange
        self._head: tuple[int, Headers] | None = None
        self._chunks: list[bytes] = []  # a window at most
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None
        self._sink: AnswerSink | None = None
        self._taken = 0
        self.body = b""
        self.record: Record | None = None
        self.lease: Lease | None = None  # released here

    def push(self, event: Event) -> None:
        """Takes one entry of a drained batch."""
        _, head, body, record = event
        if record is not None:
            self.record = record
            self._ended = True
        if self.lease is not None:
            self.lease.release() if self._ended else self.lease.answered()
        if self._sink is not None:
            self._give(self._sink, head, body)
            return
        if head is not None:
            self._head = head
        if body:
            if head is not None and self._ended:
                self.body = body
            else:
                self._chunks.append(body)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def head(self) -> tuple[int, Headers]:
        """Waits for status and headers; (499, []) when it was cancelled before it had any."""
        while self._head is None:
            if self._ended:
                return 499, []
            await self._wait()
        return self._head

    async def next(self) -> bytes | None:
        """Waits for the next body bytes; None at the end."""
        if self.body:
            body, self.body = self.body, b""
            return body
        while not self._chunks:
            if self._ended:
                return None
            await self._wait()
        if len(self._chunks) == 1:
            return self._chunks.pop()
        joined = b"".join(self._chunks)
        self._chunks.clear()
        return joined

    def pour(self, sink: AnswerSink) -> None:
        """Gives the answer to `sink` as it comes, until that can take no more or it is whole.

        To be called again when `sink.write()` has returned False and there is room again.
        """
        if self._taken:  # what filled the sink up has been taken by now
            self._core.ack(self._id, self._taken)
            self._taken = 0
        self._sink = sink
        head, self._head = self._head, None
        body, self.body = self.body + b"".join(self._chunks), b""
        self._chunks.clear()
        if head is not None or body or self._ended:
            self._give(sink, head, body)

    def _give(self, sink: AnswerSink, head: tuple[int, Headers] | None, body: bytes) -> None:
        if head is not None:
            if self._ended:
                self._sink = None
                sink.answer(*head, body)
                return
            sink.start(*head)
        if body:
            if not sink.write(body):
                self._sink = None
                self._taken += len(body)
                return
            self._took(len(body))
        if self._ended:
            self._sink = None
            sink.done()

    def _took(self, size: int) -> None:
        # The core is told in larger pieces than chunks come in: each telling takes a lock. What is
        # not told stays under a quarter of the window, so a paused upstream is always resumed (at
        # half of it).
        self._taken += size
        if self._taken >= self._ack_bytes:
            self._core.ack(self._id, self._taken)
            self._taken = 0

    def ack(self, size: int) -> None:
        """Says that the client took `size` bytes, so that the upstream may go on."""
        self._core.ack(self._id, size)

    def drop(self) -> None:
        """Says that nothing more will come: the gateway was closed under a running request."""
        self._ended = True
        if self.lease is not None:
            self.lease.release()
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def leave_behind(self) -> None:
        """Says, in a forked process, that the core and the event loop are the parent's."""
        self._core, self._ended = _NO_CORE, True

    def cancel(self) -> None:
        """Says that the client went away. Idempotent."""
        if not self._ended:
            self._core.cancel(self._id)

    def stop(self) -> None:
        """Says that it is not the client who ends this. Idempotent."""
        if not self._ended:
            self._core.stop(self._id)


class SyncExchange:
    """One running request, read from any thread; fed by the gateway's pump thread.

    `timeout` is how many seconds of silence end a wait, with the request; None: none do.
    """

    def __init__(self, core: Core, exchange: int) -> None:
        self._core = core
        self._id = exchange
        # Bounded by the core: at most one window of bytes waits for this reader.
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._dropped = False
        self._why = _CLOSED
        self._body: deque[bytes] = deque()
        self._head: tuple[int, Headers] | None = None
        self.record: Record | None = None
        self.timeout: float | None = None

    def push(self, event: Event) -> None:
        """Takes one entry of a drained batch."""
        self._events.put(event)

    def drop(self) -> None:
        """Says that nothing more will come: the gateway was closed under a running request."""
        self._events.put(None)

    def leave_behind(self) -> None:
        """As `drop`, in a forked process, where the core is the parent's."""
        self._core, self._why = _NO_CORE, ELSEWHERE
        self._events = queue.SimpleQueue()
        self._events.put(None)

    def _receive(self) -> None:
        try:
            event = self._events.get(timeout=self.timeout)
        except queue.Empty:
            self.cancel()
            raise timed_out(self.timeout or 0.0) from None
        if event is None:
            self._dropped = True
            raise APIConnectionError(self._why)
        _, head, body, record = event
        if head is not None:
            self._head = head
        if body:
            self._body.append(body)
        if record is not None:
            self.record = record

    def head(self) -> tuple[int, Headers]:
        """Waits for status and headers."""
        while self._head is None:
            if self.record is not None:  # cancelled by another thread before there was an answer
                raise APIConnectionError("the request was cancelled")
            self._receive()
        return self._head

    def next(self) -> bytes | None:
        """Waits for the next body bytes; None at the end."""
        while not self._body:
            if self.record is not None or self._dropped:
                return None
            self._receive()
        body = self._body.popleft()
        if self.record is None:
            self._core.ack(self._id, len(body))
        return body

    def read(self) -> bytes:
        """Waits for the whole body."""
        parts = []
        while (part := self.next()) is not None:
            parts.append(part)
        return b"".join(parts)

    def cancel(self) -> None:
        """Stops the request; its upstream is cancelled. Idempotent."""
        if self.record is None:
            self._core.cancel(self._id)
