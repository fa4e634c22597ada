"""What a server does by itself for its databases, every so often, and whether that works."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seekroute.server.followers import LOOK_ANYWAY_S, ChangeWatch, Follower
from seekroute.server.health_log import LOOK_S, HealthLog
from seekroute.server.order_check import OrderCheck
from seekroute.server.readiness import Check, blocked_reason, disk_reason
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.gateway import Gateway
    from seekroute.ledger import Ledger
    from seekroute.server.day_counts import DayCounts
    from seekroute.server.key_feed import KeyFeed

_log: Final = logging.getLogger("seekroute.server")

# How often key changes are looked for: a revoked key has to fail within a second.
KEY_POLL_S: Final = 0.25
# How often the slots of limits are counted.
CENSUS_S: Final = 10.0
# How often orders are looked for: a command waits for its own.
ORDER_POLL_S: Final = 0.25
# Without a successful look for this long, keys may be stale and the gateway is not ready.
_KEYS_STALE_S: Final = 10.0
_UNREADABLE: Final = "control.db cannot be read: changes of keys are not seen"


class Upkeep:
    """Follows the changes of keys, books orders, counts the slots of limits and their days, and
    tells the log which providers are left out.

    Args:
        data_dir: whose disk is looked at.
        control: where keys change and orders are given.
        ledger: where orders are booked; None: there is none.
        gateway: whose slots are counted.
        key_feed: takes over changes of keys.
        days: counts what was used of limits of a day that are new.
        mocked: whether our own mock provider answers now.
    """

    def __init__(
        self,
        data_dir: Path,
        control: ControlPlane,
        ledger: Ledger | None,
        gateway: Gateway,
        key_feed: KeyFeed,
        days: DayCounts,
        mocked: Callable[[], bool],
    ) -> None:
        self.order_check: Final = None if ledger is None else OrderCheck(control.orders, ledger)
        self._data_dir = data_dir
        self._control = control
        self._ledger = ledger
        self._gateway = gateway
        self._key_feed = key_feed
        self._day_counts = days
        self._mocked = mocked
        self._checked = 0.0  # when control.db was found in its place
        self._more_orders = True  # those of before the start
        self._leaks = 0
        self._disk_reason = ""
        self._key_watch = ChangeWatch(control.version)
        self._order_watch = ChangeWatch(control.version)
        # A thread each: a slow disk, a long prune or a long day must not keep a revoked key alive.
        self._keys: Final = Follower(
            "keys", KEY_POLL_S, self._look_at_keys, does="read key changes", trouble=_UNREADABLE
        )
        self._days: Final = Follower(
            "days",
            KEY_POLL_S,
            self._count_days,
            does="read what was used today",
            trouble="limits of a day that are new count from when they were set",
        )
        self._orders: Final = Follower(
            "orders",
            ORDER_POLL_S,
            self._book_orders,
            does="book orders",
            trouble="orders cannot be booked: the log says why",
            at_once=True,
        )
        self._census: Final = Follower(
            "census",
            CENSUS_S,
            self._take_census,
            does="count the slots of limits",
            trouble="slots of limits are not counted",
        )

        self._health: Final = Follower(
            "health",
            LOOK_S,
            HealthLog(gateway.core.health).look,
            does="read how providers do",
            trouble="the log does not tell who is left out",
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Does it; at the end it waits for the turns that run."""
        with contextlib.ExitStack() as stack:
            if self.order_check is not None:
                stack.enter_context(self.order_check.running())
            followers = (self._keys, self._days, self._orders, self._census, self._health)
            for follower in followers:
                stack.enter_context(follower.running())
            yield

    def count_days(self) -> None:
        """Before requests come; what cannot be read then is read as soon as it can be."""
        self._days.turn()

    def checks(self) -> dict[str, Check]:
        """The databases and their disk, as readiness looks at them."""
        keys = self._keys.reason
        if not keys and time.monotonic() - self._key_feed.seen >= _KEYS_STALE_S:
            keys = _UNREADABLE
        ledger = orders = ""
        if self._ledger is not None:
            ledger = "a write has failed: no money is taken until a restart"
            if not self._ledger.trouble:
                ledger = blocked_reason(self._ledger.blocked)
            orders = self._orders.reason
            if not orders and self.order_check is not None:
                orders = self.order_check.reason
        return {
            "keys": Check.of(keys),
            "ledger": Check.of(ledger),
            "disk": Check.of(self._disk_reason),
            "orders": Check("warning" if orders else "ok", orders),
        }

    def _look_at_keys(self) -> bool:
        if self._ledger is not None:
            self._disk_reason = disk_reason(self._data_dir)
        now = time.monotonic()
        # Whatever fails below, the file itself is looked at the next time.
        checked, self._checked = self._checked, 0.0
        # A connection that is open may read on from a file that is gone.
        if now >= checked + LOOK_ANYWAY_S:
            self._control.check()
            checked = now
        if self._key_watch.is_due() or self._key_feed.is_behind:
            self._key_feed.sync()
            self._key_watch.done()
        self._key_feed.seen = time.monotonic()
        self._checked = checked
        return False

    def _count_days(self) -> bool:
        self._day_counts.count_operator()
        self._day_counts.count()
        return False

    def _book_orders(self) -> bool:
        from seekroute.control.booking import ORDERS_AT_ONCE, book_pending

        more, self._more_orders = self._more_orders, False
        if not self._order_watch.is_due() and not more:
            return False
        if self._mocked():
            self._key_feed.sync()  # before a payment is there to be taken by the mock
        finished = book_pending(self._control.orders, self._ledger)
        self._order_watch.done()
        if finished and self.order_check is not None:
            self.order_check.orders_booked()
        self._more_orders = finished == ORDERS_AT_ONCE
        return self._more_orders

    def _take_census(self) -> bool:
        """Slots of limits that count as taken and are not would refuse requests for ever."""
        leaks = self._gateway.core.census()
        if leaks > self._leaks:
            slots = number_of(leaks - self._leaks, "slot of limits was", "slots of limits were")
            _log.error("%s taken by no request: a fault", slots)
        self._leaks = leaks
        return False
