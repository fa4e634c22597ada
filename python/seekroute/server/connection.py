"""A TCP connection with flow control both ways, one timer, and a deadline for writes.

What one turn of the event loop reads of a connection is bounded by what it costs: of bytes that
mean little each, such as a chunked body's in the smallest of chunks, a small piece.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

from seekroute.server.limits import Limits

if TYPE_CHECKING:
    from seekroute.server.undelivered import Settled


# Bytes that are read at once: of heads and chunked bodies, and of what is taken as it is. The first
# is a millisecond of work where every byte is a chunk.
PIECE: Final = 4 * 1024
BULK: Final = 256 * 1024


class State(enum.IntEnum):
    """What is being received on a connection."""

    FRESH = 0  # connected, nothing received
    HEAD = 1  # inside a request's head
    BODY = 2  # inside a request's body
    ANSWERING = 3  # the request is complete, the answer is not
    IDLE = 4  # between requests
    LINGER = 5  # answered for the last time; input is discarded
    CLOSED = 6


class Connection(asyncio.BufferedProtocol):
    """The part of the HTTP protocol that knows nothing of HTTP. Event loop thread only.

    One timer serves all deadlines. It is re-armed when it fires, not when a deadline moves, so a
    request costs no timer operation. Subclasses give `_expired`, which it calls, `data_received`
    and `_in_bulk`.
    """

    # There are as many of these as there are clients: a dictionary each would be 1.5 KB.
    __slots__ = (
        "_deadline",
        "_discard",
        "_input_ended",
        "_lost",
        "_owed",
        "_read_paused",
        "_rests",
        "_sent",
        "_state",
        "_taken",
        "_taken_at",
        "_timer",
        "_writable",
        "loop",
        "on_writable",
        "transport",
        "write_paused",
    )

    limits: ClassVar[Limits] = Limits()
    # What is read lies here until it is copied out, in the same turn. All connections of one event
    # loop share it; two loops must not.
    room: ClassVar[memoryview] = memoryview(bytearray(BULK))

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.transport: Any = None
        self.write_paused = False
        # Called, once, from the event loop, when writing may go on or the connection is lost.
        self.on_writable: Callable[[], None] | None = None
        self._state = State.FRESH
        self._deadline = 0.0  # 0: none
        self._discard = False  # what follows is not read any more
        self._input_ended = False  # the client has sent FIN
        self._read_paused = False
        self._rests = False  # not read until the next turn
        self._lost = False
        self._writable: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sent = 0  # bytes given to the transport, ever
        self._taken = 0  # bytes the kernel had taken when last looked at
        self._taken_at = 0.0
        # What ends at which of the bytes given: those whose bytes the kernel may not have yet.
        self._owed: Sequence[tuple[int, Settled]] = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._taken_at = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.resume_writing()

    def abort(self) -> None:
        """Ends the connection at once; what is buffered is not sent."""
        self._discard = True
        if not self._lost:
            self.transport.abort()

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._lost

    # --- writing ----------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Gives bytes to the transport."""
        if not self._lost:
            self._sent += len(data)
            self.transport.write(data)

    def ends_here(self, answer: Settled) -> None:
        """What was written last is the end of `answer`."""
        if not self._lost:
            self._owed = [*self._still_owed(), (self._sent, answer)]

    def undelivered(self) -> list[Settled]:
        """Answers that have been written to their ends, which the kernel has not taken."""
        if self._lost or not self._owed:
            return []
        self._owed = self._still_owed()
        return [answer for _, answer in self._owed]

    def _still_owed(self) -> list[tuple[int, Settled]]:
        if not self._owed:
            return []
        taken = self._sent - self.transport.get_write_buffer_size()
        return [each for each in self._owed if each[0] > taken]

    def pause_writing(self) -> None:
        self.write_paused = True
        self._watch_writes(self.loop.time())

    def resume_writing(self) -> None:
        self.write_paused = False
        waiter, self._writable = self._writable, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        callback, self.on_writable = self.on_writable, None
        if callback is not None:
            self.loop.call_soon(callback)

    async def writable(self) -> None:
        """Returns when writing may go on, or the connection is lost."""
        if self.write_paused:
            if self._writable is None:
                self._writable = self.loop.create_future()
            await asyncio.shield(self._writable)

    def _watch_writes(self, now: float) -> bool:
        """Notes how much the client has taken. Returns False when it took nothing for too long."""
        waiting = self.transport.get_write_buffer_size()
        taken = self._sent - waiting
        if waiting == 0 or taken != self._taken:
            self._taken = taken
            self._taken_at = now
        elif now - self._taken_at >= self.limits.write_s:
            return False
        if waiting:
            self._arm(self._taken_at + self.limits.write_s)
        return True

    # --- reading ----------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.room if self._in_bulk() else self.room[:PIECE]

    def buffer_updated(self, nbytes: int) -> None:
        if nbytes == PIECE and not self._read_paused and not self.transport.is_closing():
            # There may be more, and libuv would read on in this turn, tens of times.
            self._rests = True
            self.transport.pause_reading()
            self.loop.call_soon(self._read_on)
        self.data_received(bytes(self.room[:nbytes]))

    def _read_on(self) -> None:
        self._rests = False
        if not self._read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def pause_reading(self) -> None:
        """Stops reading from the client; its kernel buffer fills and it has to wait."""
        if not self._read_paused and not self.transport.is_closing():
            self._read_paused = True
            if not self._rests:
                self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again."""
        if self._read_paused and not self._rests and not self.transport.is_closing():
            self.transport.resume_reading()
        self._read_paused = False

    def data_received(self, data: bytes) -> None:
        """Takes what was read."""
        raise NotImplementedError

    def _in_bulk(self) -> bool:
        """Whether what comes next costs next to nothing a byte."""
        raise NotImplementedError

    # --- time -------------------------------------------------------------------------------------

    def _arm(self, when: float) -> None:
        """Makes sure that `_tick` runs at `when` or before."""
        timer = self._timer
        if timer is None:
            self._timer = self.loop.call_at(when, self._tick)
        elif timer.when() > when:
            timer.cancel()
            self._timer = self.loop.call_at(when, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._state == State.CLOSED:
            return
        now = self.loop.time()
        if not self._watch_writes(now):
            self.abort()
            return
        if self._deadline and now >= self._deadline:
            if self._state == State.LINGER:
                self._lingered(now)
            else:
                self._expired(now)
            if self._timer is not None or self._state >= State.LINGER:
                return
        # One tick a keep-alive period at least: cheaper than arming a timer for each request.
        soon = now + self.limits.keep_alive_s
        self._arm(min(self._deadline, soon) if self._deadline > now else soon)

    def _expired(self, now: float) -> None:
        """The deadline is over, in any state before `State.LINGER`."""
        raise NotImplementedError

    def _lingered(self, now: float) -> None:
        """The deadline is over in `State.LINGER`."""
        raise NotImplementedError
