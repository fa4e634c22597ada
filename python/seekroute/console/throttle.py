"""How often somebody may try to guess: by account, by address, by token."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from seekroute.api.call import RefusedError

__all__ = ["Bound", "Throttle", "TooOftenError", "network"]

_MOST: Final = 100_000  # counters that are kept; beyond, everybody is throttled alike


class Bound(NamedTuple):
    """How many tries there are, by what."""

    name: str
    rate: RateLimitItem


SIGN_IN_ACCOUNT: Final = Bound("account", parse("5/15minutes"))
SIGN_IN_ADDRESS: Final = Bound("address", parse("20/hour"))
RESET: Final = Bound("reset", parse("3/hour"))
SECOND_FACTOR: Final = Bound("second factor", parse("5/15minutes"))
SETUP: Final = Bound("setup", parse("10/hour"))
INVITE: Final = Bound("invite", parse("5/hour"))


class TooOftenError(RefusedError):
    """Too many tries. `after_s`: when the next one may be made."""

    def __init__(self, after_s: int) -> None:
        super().__init__("rate_limit_exceeded", f"too many tries: wait {after_s} s")
        self.after_s = after_s


def network(address: str) -> str:
    """By what tries from an address are counted: an IPv4 address, or the /64 of an IPv6 one.

    >>> network("192.0.2.7"), network("2001:db8:1:2:3::9"), network("")
    ('192.0.2.7', '2001:db8:1:2::/64', '')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return address


class Throttle:
    """Counts tries in moving windows, in memory. Thread-safe.

    Args:
        clock: Unix seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._storage = MemoryStorage()
        self._windows = MovingWindowRateLimiter(self._storage)

    def check(self, *tries: tuple[Bound, str]) -> None:
        """Look whether one more try may be made, and count none.

        Raises:
            TooOftenError: one of the bounds is reached.
        """
        for bound, who in tries:
            stats = self._windows.get_window_stats(bound.rate, bound.name, who)
            if stats.remaining <= 0:
                raise TooOftenError(max(1, round(stats.reset_time - self._clock())))

    def count(self, *tries: tuple[Bound, str]) -> None:
        """Count a try that failed."""
        for bound, who in tries:
            self._windows.hit(bound.rate, bound.name, who)

    def take(self, *tries: tuple[Bound, str]) -> None:
        """Count a try, whether it fails or not. Raises TooOftenError, and counts none then."""
        with self._lock:
            self.check(*tries)
            self.count(*tries)

    def forget(self, *tries: tuple[Bound, str]) -> None:
        """Begin anew: the account has signed in."""
        for bound, who in tries:
            self._windows.clear(bound.rate, bound.name, who)
