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


class Placed(Protocol):
    """A connection that may have to go: it rests, or no key has been shown on it."""

    def give_way(self) -> bool:
        """Ends at once, for another one. Returns False where it has only just come."""

    def turn_away(self) -> None:
        """Ends at once, also where it has only just come."""


class _Order:
    """Connections, the oldest first: of each address, and of all. Each call takes the same time,
    however many there are."""

    def __init__(self) -> None:
        # No address without connections. Ordered: to take the first of a dict again and again is
        # slow where many before it are gone.
        self._of_address: dict[str, OrderedDict[Placed, None]] = {}
        self._all: OrderedDict[Placed, str] = OrderedDict()
        # The addresses with so many connections, for each number up to the largest.
        self._with: list[dict[str, None]] = [{}]

    def add(self, address: str, connection: Placed) -> None:
        of_address = self._of_address.get(address)
        if of_address is None:
            of_address = self._of_address[address] = OrderedDict()
        of_address[connection] = None
        self._all[connection] = address
        count = len(of_address)
        self._with[count - 1].pop(address, None)
        if count == len(self._with):
            self._with.append({})
        self._with[count][address] = None

    def remove(self, connection: Placed) -> None:
        address = self._all.pop(connection, None)
        if address is None:
            return
        of_address = self._of_address[address]
        count = len(of_address)
        del of_address[connection]
        del self._with[count][address]
        if of_address:
            self._with[count - 1][address] = None
        else:
            del self._of_address[address]
        if not self._with[-1] and count > 0:
            self._with.pop()

    def heaviest(self) -> str | None:
        """An address with the most connections; None where there are none."""
        return next(iter(self._with[-1]), None)

    def count(self, address: str) -> int:
        return len(self._of_address.get(address, ()))

    def oldest_of(self, address: str) -> Placed | None:
        return next(iter(self._of_address.get(address, ())), None)

    def oldest(self) -> Placed | None:
        return next(iter(self._all), None)


class ConnectionTable:
    """Counts connections against the limits. Event loop thread only.

    A connection *rests* until the first byte of a request, and again after its answer. From that
    byte on it is a *stranger's*, until a key that can be used has been seen or the request is
    complete. Of one client address only `max_idle_per_address` may rest and only
    `max_strangers_per_address` may be strangers'; one more ends the one that has been so longest.

    When the process is full, a new one takes the place of the oldest stranger of the address that
    has most of them, then of one that rests. Where nobody may go, a few more are let in for probes,
    and the others are told and closed.

    Who has only just come need not give way: its request may be on its way. That protects no
    address that has more than it may from another one. Those who have sent nothing yet are apart
    from those that were answered before, so one look at the oldest of each finds whoever may go.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._fresh = _Order()
        self._idle = _Order()
        self._strangers = _Order()
        self._lingering: set[Placed] = set()  # beyond the limit
        self._said_at = float("-inf")
        self.open = 0
        self.refused = 0
        self.gave_way = 0
        self.strangers_closed = 0

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

    def rest(self, address: str, connection: Placed, *, fresh: bool = False) -> bool:
        """`connection` waits for a request from now on; `fresh`: for its first.

        Returns:
            False: more of the address rest than may, and all have only just come. This one may
            then wait for `fresh_s` at most.
        """
        self._strangers.remove(connection)
        (self._fresh if fresh else self._idle).add(address, connection)
        resting = self._fresh.count(address) + self._idle.count(address)
        return resting <= self._limits.max_idle_per_address or self._end_oldest_of(address)

    def begin(self, address: str, connection: Placed) -> bool:
        """The first byte of a request has come: `connection` is a stranger's until vouched for.

        Returns:
            False: the address has more of them than it may, and all have only just come. This
            one's head may then take `fresh_s` at most.
        """
        self.wake(connection)
        self._strangers.add(address, connection)
        if self._strangers.count(address) <= self._limits.max_strangers_per_address:
            return True
        return self._end_stranger(self._strangers.oldest_of(address))

    def vouch(self, connection: Placed) -> None:
        """`connection` is no stranger's any more: it carries the request of a key. Idempotent."""
        self._strangers.remove(connection)

    def wake(self, connection: Placed) -> None:
        """`connection` rests no more, and is no stranger's."""
        self._fresh.remove(connection)
        self._idle.remove(connection)
        self._strangers.remove(connection)

    def linger(self, connection: Placed) -> bool:
        """`connection`, beyond the limit, has its answer and waits until its client has read it.

        Returns:
            False: too many do. It is to be closed without waiting.
        """
        if connection not in self._lingering and len(self._lingering) >= _MOST_LINGERING:
            return False
        self._lingering.add(connection)
        return True

    def gone(self, connection: Placed) -> None:
        """`connection` is closed."""
        self.wake(connection)
        self._lingering.discard(connection)

    def samples(self) -> Iterator[Sample]:
        """What the metrics show."""
        yield "seekroute_http_connections", (), float(self.open)
        yield "seekroute_http_connections_refused_total", (), float(self.refused)
        yield "seekroute_http_idle_connections_closed_total", (), float(self.gave_way)
        yield "seekroute_http_strangers_closed_total", (), float(self.strangers_closed)

    def _make_room(self, address: str) -> bool:
        bound = self._limits.max_strangers_per_address
        for order, end in ((self._strangers, self._end_stranger), (self._fresh, self._end)):
            heaviest = order.heaviest()
            if heaviest is not None:
                flood = heaviest != address and order.count(heaviest) > bound
                if end(order.oldest_of(heaviest), at_once=flood):
                    return True
        # Whoever asks for more gives up the own first.
        if self._end_oldest_of(address):
            return True
        return (
            self._end(self._idle.oldest())
            or self._end(self._fresh.oldest())
            or self._end_stranger(self._strangers.oldest())
        )

    def _end_oldest_of(self, address: str) -> bool:
        return self._end(self._idle.oldest_of(address)) or self._end(self._fresh.oldest_of(address))

    def _end(self, connection: Placed | None, *, at_once: bool = False) -> bool:
        if not self._gives_way(connection, at_once=at_once):
            return False
        self.gave_way += 1
        return True

    def _end_stranger(self, connection: Placed | None, *, at_once: bool = False) -> bool:
        if not self._gives_way(connection, at_once=at_once):
            return False
        self.strangers_closed += 1
        return True

    def _gives_way(self, connection: Placed | None, *, at_once: bool) -> bool:
        if connection is None:
            return False
        if at_once:
            connection.turn_away()
        elif not connection.give_way():
            return False
        self.wake(connection)
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
