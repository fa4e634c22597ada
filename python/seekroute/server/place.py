"""A connection's place among all that there are: taken, rested in, given up for another one."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from seekroute.server.closing import ClosingConnection
from seekroute.server.connection import State
from seekroute.server.connection_table import ConnectionTable, Standing, client_group
from seekroute.server.framing import Refused, too_many_connections


class PlacedConnection(ClosingConnection):
    """A connection that counts in a `ConnectionTable`. Event loop thread only."""

    __slots__ = ("_address", "_probes_only")

    table: ClassVar[ConnectionTable]

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._address = ""
        self._probes_only = False  # beyond the limit of connections

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

    def give_way(self) -> bool:
        """Ends a connection that waits for a request, for another one. Returns whether it did."""
        if self._state == State.IDLE:
            self._close()
            return True
        limits = self.limits
        if self.loop.time() < self._deadline - limits.first_byte_s + limits.fresh_s:
            return False  # its first bytes are on their way
        self._turn_away()
        return True

    def _turn_away(self) -> None:
        """Says that there are too many connections, beside whom this one counts no more."""
        self._probes_only = True
        self._refuse_now(too_many_connections())

    def _linger(self) -> None:
        if self._probes_only and not self.table.linger(self):
            self._close()
        else:
            super()._linger()

    def _refuse_now(self, refused: Refused) -> None:
        """Answers and ends the connection."""
        raise NotImplementedError
