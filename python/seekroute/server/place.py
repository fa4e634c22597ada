"""A connection's place among all that there are: taken, rested in, given up for another one."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from seekroute.server.closing import ClosingConnection
from seekroute.server.connection import State
from seekroute.server.connection_table import ConnectionTable, Standing, client_group
from seekroute.server.framing import Refused, too_many_connections

# How long a connection of the reserve may take for the first byte of a request, and for its head.
_PROBE_S: Final = 1.0


class PlacedConnection(ClosingConnection):
    """A connection that counts in a `ConnectionTable`. Event loop thread only."""

    __slots__ = ("_address", "_begun", "_probes_only", "_since")

    table: ClassVar[ConnectionTable]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._address = ""
        self._begun = False  # a request whose place is not settled
        self._probes_only = False  # beyond the limit of connections
        self._since = 0.0  # when it came, or the first byte of its request

    def _take_place(self, client: tuple[str, int] | None, connections: int) -> float:
        """Takes a place, or ends the connection. Returns how long its first byte may take, or 0."""
        self._address = client_group(client)
        self.table.open += 1
        standing = self.table.arrive(self._address, connections)
        patience = self.limits.first_byte_s
        if standing is Standing.CUT:
            self.abort()
            return 0
        if standing is Standing.REFUSED:
            self._turn_away()
            return 0
        if standing is Standing.PROBES_ONLY:
            self._probes_only = True
        elif not self.table.rest(self._address, self, fresh=True):
            patience = min(patience, self.limits.fresh_s)
        return patience

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.table.open -= 1
        self.table.gone(self)

    def _receive_first(self) -> None:
        """The first byte of a request has come."""
        if self._state == State.ANSWERING:  # it is the one before it that counts
            self._wait_for_head(self.limits.header_s)
        else:
            self._begun = True

    def _settle_place(self, *, whole: bool) -> None:
        """All that came with that byte has been read: a `whole` request, as mostly, or a part."""
        self._begun = False
        if whole:
            self.table.wake(self)
            return
        may_take_its_time = self._counts_anew()
        if self._state == State.HEAD:
            limits = self.limits
            self._wait_for_head(
                limits.header_s if may_take_its_time else min(limits.header_s, limits.fresh_s)
            )

    def _counts_anew(self) -> bool:
        """The next request has to show its key again. Returns whether it may take its time."""
        return self._probes_only or self.table.begin(self._address, self)

    def _wait_for_head(self, seconds: float) -> None:
        # The reserve is small: nobody may sit on it.
        most = min(seconds, _PROBE_S) if self._probes_only else seconds
        self._since = self.loop.time()
        self._deadline = self._since + most
        self._arm(self._deadline)

    def give_way(self) -> bool:
        """Ends a connection that rests or is a stranger's, for another one. Returns whether."""
        if self._state == State.IDLE:
            self._close()
            return True
        if self.loop.time() < self._since + self.limits.fresh_s:
            return False  # its bytes are on their way
        self.turn_away()
        return True

    def turn_away(self) -> None:
        """Ends it, and says that there are too many connections, beside whom it counts no more."""
        if self._state < State.LINGER:
            self._probes_only = True
            self._refuse(too_many_connections())
            if self._state >= State.LINGER:
                return
        self.abort()

    def _turn_away(self) -> None:
        """Of one that has only just come."""
        self._probes_only = True
        self._refuse_now(too_many_connections())

    def _linger(self) -> None:
        if self._probes_only and not self.table.linger(self):
            self._close()
        else:
            super()._linger()

    def _refuse(self, refused: Refused) -> None:
        """Answers in the place of the request being received, behind those before it."""
        raise NotImplementedError

    def _refuse_now(self, refused: Refused) -> None:
        """Answers and ends the connection."""
        raise NotImplementedError
