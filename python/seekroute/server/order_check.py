"""Whether what counts as booked is in the ledger: looked at when a server starts."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.control.comparison import Comparison
    from seekroute.control.orders import OrderBook
    from seekroute.ledger import Ledger

_log: Final = logging.getLogger("seekroute.server")

# Between two pages: requests do not wait for the interpreter meanwhile.
_PAUSE_S: Final = 0.01
_AGAIN_S: Final = 60.0  # after one of the two could not be read
_MOST_SAID: Final = 10  # lines of the log


class _StoppedError(Exception):
    pass


class OrderCheck:
    """Compares the orders of control.db with the ledger, in a thread of its own.

    A difference stops nothing: the requests of a server have nothing to do with it. It is logged as
    an error, with the first of the orders, and the check of readiness tells it until it is gone.

    Args:
        orders: of the control plane.
        ledger: beside it.
    """

    def __init__(self, orders: OrderBook, ledger: Ledger) -> None:
        self._orders = orders
        self._ledger = ledger
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._comparing = False
        self.reason = ""  # what is wrong, without names; empty: nothing is known to be

    def run(self) -> None:
        """Compares now, and again when orders were booked, as long as something is wrong."""
        while True:
            # In this order: who stops sets this after the other, so that it is never lost.
            self._due.clear()
            if self._stopping.is_set():
                return
            self._comparing = True
            done = self.compare()
            self._comparing = False
            if done and not self.reason:
                return
            self._due.wait(None if done else _AGAIN_S)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Runs on a thread of its own; at the end it waits for what that is at."""
        thread = threading.Thread(target=self.run, name="seekroute-check", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stop()
            thread.join()

    def orders_booked(self) -> None:
        """Orders were booked since: what was missing may be there."""
        if self.reason or self._comparing:
            self._due.set()

    def stop(self) -> None:
        """Ends `run()` soon."""
        self._stopping.set()
        self._due.set()

    def compare(self) -> bool:
        """Compares once. False: one of the two could not be read, or the server stops."""
        from seekroute.control.comparison import compare

        def between() -> None:
            if self._stopping.wait(_PAUSE_S):
                raise _StoppedError

        try:
            self._say(compare(self._orders, self._ledger, between=between))
        except _StoppedError:
            return False
        except Exception as error:  # it may be readable the next time
            _log.error("cannot compare the orders with the ledger: %s", error)
            return False
        return True

    def _say(self, found: Comparison) -> None:
        from seekroute.control.comparison import DIFFERENCES, lacking_text

        unknown = found.counts["unknown"]
        if unknown:
            _log.warning(
                "the ledger has %s that control.db does not know: was it restored from an "
                "older copy? seekroute ledger verify names what is meant",
                number_of(unknown, "order"),
            )
        lacking = lacking_text(found)
        self.reason = f"{lacking}; seekroute ledger verify names what is meant" if lacking else ""
        if not lacking:
            return
        _log.error("%s", self.reason)
        names = self._orders.org_names()
        named = found.named["missing"] + found.named["differing"]
        for each in named[:_MOST_SAID]:
            _log.error("%s: %s", DIFFERENCES[each.what], each.told(names))
        if found.lacking > _MOST_SAID:
            _log.error("and %d more", found.lacking - _MOST_SAID)
