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

# Refused connections that may linger until their clients have read why; more are cut.
_MOST_LINGERING: Final = 32
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


class ConnectionTable:
    """Counts connections against the limits. Event loop thread only.

    A connection *rests* until the first byte of a request, and again after its answer. Of one
    client address only `max_idle_per_address` may rest; one more ends the one that has rested
    longest. When the process is full, the same makes room for a new one; where nobody rests, a few
    more are let in for probes, and the others are told and closed.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        # Oldest first, both; no address without connections.
        self._resting: OrderedDict[str, OrderedDict[Resting, None]] = OrderedDict()
        self._said_at = float("-inf")
        self.open = 0
        self.refused = 0
        self.gave_way = 0

    def arrive(self, address: str, count: int) -> Standing:
        """Decides about a new connection from `address`. `count`: all, this one included."""
        limits = self._limits
        over = count - limits.max_connections
        if over <= 0:
            return Standing.SERVED
        if over > limits.reserved_connections + _MOST_LINGERING:
            standing = Standing.CUT
        elif self._make_room(address):
            return Standing.SERVED
        elif over <= limits.reserved_connections:
            standing = Standing.PROBES_ONLY
        else:
            standing = Standing.REFUSED
        self._say(standing)
        return standing

    def rest(self, address: str, connection: Resting) -> None:
        """`connection` waits for a request from now on."""
        of_address = self._resting.get(address)
        if of_address is None:
            of_address = self._resting[address] = OrderedDict()
        of_address[connection] = None
        if len(of_address) > self._limits.max_idle_per_address:
            self._end_oldest(address)

    def wake(self, address: str, connection: Resting) -> None:
        """`connection` has a request to answer, or is gone."""
        of_address = self._resting.get(address)
        if of_address is not None and of_address.pop(connection, self) is None and not of_address:
            del self._resting[address]

    def samples(self) -> Iterator[Sample]:
        """What the metrics show."""
        yield "seekroute_http_connections", (), float(self.open)
        yield "seekroute_http_connections_refused_total", (), float(self.refused)
        yield "seekroute_http_idle_connections_closed_total", (), float(self.gave_way)

    def _make_room(self, address: str) -> bool:
        if not self._resting:
            return False
        # Whoever asks for more gives up the own first.
        return self._end_oldest(address if address in self._resting else next(iter(self._resting)))

    def _end_oldest(self, address: str) -> bool:
        of_address = self._resting[address]
        oldest = next(iter(of_address))
        if not oldest.give_way():
            return False
        self.wake(address, oldest)
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
