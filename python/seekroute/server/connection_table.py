"""Who is connected: how many at once, who has to go when they are too many, who still may come."""

from __future__ import annotations

import enum
import logging
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from seekroute.server.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seekroute.server.metrics import Sample

_log: Final = logging.getLogger("seekroute.http")

# What is answered on the connections of the reserve: whether the process lives must be seen most of
# all when it is full.
PROBES: Final = frozenset(
    {b"/livez", b"/readyz", b"/healthz", b"/health", b"/health/liveliness", b"/health/readiness"}
)

# Connections beyond the limit that may linger until their clients have read the answer; more are
# cut. They count by themselves: neither for the limit nor for the reserve.
_MOST_LINGERING: Final = 32
# Beyond the limit and the reserve while those that gave way are being closed.
_MOST_CLOSING: Final = 32
# Between two lines in the log that say so.
_SAY_AGAIN_S: Final = 60.0


def client_group(client: tuple[str, int] | None) -> str:
    """What counts as one address: of IPv6 the network of 64 bits, which is one customer's."""
    if client is None:
        return ""
    host = client[0]
    if ":" not in host:
        return host
    try:
        return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8].hex()
    except OSError:
        return host


class Standing(enum.Enum):
    """What a new connection gets."""

    SERVED = enum.auto()
    PROBES_ONLY = enum.auto()
    REFUSED = enum.auto()
    CUT = enum.auto()


class Resting(Protocol):
    """A connection on which no byte of a request waits for its answer."""

    def give_way(self) -> bool:
        """Ends at once, for another one. Returns False where it has only just come."""


class _Order:
    """Connections, the oldest first: of each address, and of all."""

    def __init__(self) -> None:
        # No address without connections. Ordered: to take the first of a dict again and again is
        # slow where many before it are gone.
        self._of_address: dict[str, OrderedDict[Resting, None]] = {}
        self._all: OrderedDict[Resting, str] = OrderedDict()

    def add(self, address: str, connection: Resting) -> None:
        self._of_address.setdefault(address, OrderedDict())[connection] = None
        self._all[connection] = address

    def remove(self, connection: Resting) -> None:
        address = self._all.pop(connection, None)
        if address is not None:
            of_address = self._of_address[address]
            del of_address[connection]
            if not of_address:
                del self._of_address[address]

    def count(self, address: str) -> int:
        return len(self._of_address.get(address, ()))

    def oldest_of(self, address: str) -> Resting | None:
        return next(iter(self._of_address.get(address, ())), None)

    def oldest(self) -> Resting | None:
        return next(iter(self._all), None)


class ConnectionTable:
    """Counts connections against the limits. Event loop thread only.

    A connection *rests* until the first byte of a request, and again after its answer. Of one
    client address only `max_idle_per_address` may rest; one more ends the one that has rested
    longest. When the process is full, the same makes room for a new one; where nobody rests, a few
    more are let in for probes, and the others are told and closed.

    Who has only just come need not give way: its request may be on its way. These are apart from
    those that were answered before, so one look at the oldest of each finds whoever may go.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._fresh = _Order()
        self._idle = _Order()
        self._lingering: set[Resting] = set()  # beyond the limit
        self._said_at = float("-inf")
        self.open = 0
        self.refused = 0
        self.gave_way = 0

    def arrive(self, address: str, count: int) -> Standing:
        """Decides about a new connection from `address`. `count`: all, this one included."""
        limits = self._limits
        over = count - len(self._lingering) - limits.max_connections
        if over <= 0:
            return Standing.SERVED
        if over <= limits.reserved_connections + _MOST_CLOSING and self._make_room(address):
            return Standing.SERVED
        if over <= limits.reserved_connections:
            standing = Standing.PROBES_ONLY
        elif len(self._lingering) < _MOST_LINGERING and over <= (
            limits.reserved_connections + _MOST_CLOSING
        ):
            standing = Standing.REFUSED
        else:
            standing = Standing.CUT
        self._say(standing)
        return standing

    def rest(self, address: str, connection: Resting, *, fresh: bool = False) -> bool:
        """`connection` waits for a request from now on; `fresh`: for its first.

        Returns:
            False: more of the address rest than may, and all have only just come. This one may
            then wait for `fresh_s` at most.
        """
        (self._fresh if fresh else self._idle).add(address, connection)
        resting = self._fresh.count(address) + self._idle.count(address)
        return resting <= self._limits.max_idle_per_address or self._end_oldest_of(address)

    def wake(self, connection: Resting) -> None:
        """`connection` has a request to answer, or is gone."""
        self._fresh.remove(connection)
        self._idle.remove(connection)

    def linger(self, connection: Resting) -> bool:
        """`connection`, beyond the limit, has its answer and waits until its client has read it.

        Returns:
            False: too many do. It is to be closed without waiting.
        """
        if connection not in self._lingering and len(self._lingering) >= _MOST_LINGERING:
            return False
        self._lingering.add(connection)
        return True

    def gone(self, connection: Resting) -> None:
        """`connection` is closed."""
        self.wake(connection)
        self._lingering.discard(connection)

    def samples(self) -> Iterator[Sample]:
        """What the metrics show."""
        yield "seekroute_http_connections", (), float(self.open)
        yield "seekroute_http_connections_refused_total", (), float(self.refused)
        yield "seekroute_http_idle_connections_closed_total", (), float(self.gave_way)

    def _make_room(self, address: str) -> bool:
        # Whoever asks for more gives up the own first.
        if self._end_oldest_of(address):
            return True
        return self._end(self._idle.oldest()) or self._end(self._fresh.oldest())

    def _end_oldest_of(self, address: str) -> bool:
        return self._end(self._idle.oldest_of(address)) or self._end(self._fresh.oldest_of(address))

    def _end(self, connection: Resting | None) -> bool:
        if connection is None or not connection.give_way():
            return False
        self.wake(connection)
        self.gave_way += 1
        return True

    def _say(self, standing: Standing) -> None:
        if standing is not Standing.PROBES_ONLY:
            self.refused += 1
        now = self._clock()
        if now - self._said_at < _SAY_AGAIN_S:
            return
        self._said_at = now
        _log.warning(
            "all %d connections are taken: new ones are refused; "
            "raise the limit of open files, or run more gateways",
            self._limits.max_connections,
        )
