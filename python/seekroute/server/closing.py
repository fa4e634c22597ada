"""How a connection ends without losing what was written on it.

To close a socket with unread input makes the kernel send a reset, which can destroy an answer that
is still on its way. Such input is what a client sends behind its last request, or of a body that
was refused. So the write side is closed first, and input is thrown away until the client has closed
its own side or the time is over.

To throw away is work as well: a few refused bodies that are read as fast as they come keep the
event loop from everybody else. So such connections take turns in being read, one piece a turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import ClassVar, Final

from seekroute.server.connection import Connection, State

# All together are read at 100 MB/s at most: a piece is what the event loop reads at once, 256 KB.
_TURN_S: Final = 0.01
_PIECES_A_TURN: Final = 4


class Turns:
    """Connections that wait for their next piece, in order. Event loop thread only.

    At most each connection once.
    """

    def __init__(self) -> None:
        self._waiting: deque[ClosingConnection] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, connection: ClosingConnection) -> None:
        """`connection` is not read now, and will be in its turn."""
        self._waiting.append(connection)
        if self._timer is None:
            self._timer = connection.loop.call_later(_TURN_S, self._turn)

    def _turn(self) -> None:
        self._timer = None
        for _ in range(min(_PIECES_A_TURN, len(self._waiting))):
            last = self._waiting.popleft()
            last.read_piece()
        if self._waiting:
            self._timer = self._waiting[0].loop.call_later(_TURN_S, self._turn)


class ClosingConnection(Connection):
    """A connection that lingers before it is closed. Event loop thread only."""

    __slots__ = ("_linger_until", "_waits_turn")

    turns: ClassVar[Turns] = Turns()

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._linger_until = 0.0
        self._waits_turn = False

    def _linger(self) -> None:
        """Ends the connection after what was written; see the top of this file."""
        if self._input_ended:
            self._close()
            return
        self._discard = True
        self._state = State.LINGER
        if self._read_paused:
            self._wait_for_turn()  # there is more of it than was read
        if self.transport.can_write_eof():
            self.transport.write_eof()
        now = self.loop.time()
        self._linger_until = now + self.limits.linger_most_s
        self._linger_on(now)
        self._arm(self._deadline)

    def _close(self) -> None:
        """Ends a connection on which the client is not sending."""
        # What is buffered is still written; the timer ends it if the client takes nothing.
        self._discard = True
        self._state = State.LINGER
        self._deadline = self.loop.time() + self.limits.write_s
        self._arm(self._deadline)
        self.transport.close()

    def _linger_on(self, now: float) -> None:
        if self._state == State.LINGER:
            self._deadline = min(now + self.limits.linger_s, self._linger_until)

    def _lingered(self, now: float) -> None:
        if self.transport.get_write_buffer_size():
            self._deadline = now + self.limits.linger_s  # an answer is on its way, see _tick
            self._arm(self._deadline)
        else:
            self.transport.abort()

    def _throw_away(self) -> None:
        """A piece came that nobody wants."""
        if not self.transport.is_closing():
            self._linger_on(self.loop.time())
            Connection.pause_reading(self)
            self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        if not self._waits_turn:
            self._waits_turn = True
            self.turns.wait(self)

    def read_piece(self) -> None:
        """It is this connection's turn."""
        self._waits_turn = False
        if not self._lost:
            self._linger_on(self.loop.time())
            Connection.resume_reading(self)
