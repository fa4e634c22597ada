"""What a server does by itself, every so often: it follows what commands write to control.db."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

_log: Final = logging.getLogger("seekroute.server")

# How often they are read where nothing was written: an order that the ledger could not take.
LOOK_ANYWAY_S: Final = 2.0


class ChangeWatch:
    """When to read control.db again: once somebody has written to it, and now and then anyway.

    To read it takes a millisecond of the interpreter, which every running request would wait for.
    """

    def __init__(
        self, version: Callable[[], int], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._version = version
        self._clock = clock
        self._asked: int | None = None
        self._seen: int | None = None
        self._again = 0.0

    def is_due(self) -> bool:
        self._asked = self._version()
        return self._asked != self._seen or self._clock() >= self._again

    def done(self) -> None:
        """What was written before the last `is_due()` has been read."""
        self._seen = self._asked
        self._again = self._clock() + LOOK_ANYWAY_S


class Follower:
    """Does one thing again and again, on a thread of its own; a failure is tried again.

    Args:
        name: what is followed: names the thread.
        every: seconds from the end of one turn to the next.
        what: one turn; returns whether there is more, for which nobody should wait.
        does: what a turn does, as the log says it: "read key changes".
        trouble: `reason` while the last turn has failed.
        at_once: whether the first turn is due at once.
    """

    def __init__(
        self,
        name: str,
        every: float,
        what: Callable[[], bool],
        *,
        does: str,
        trouble: str,
        at_once: bool = False,
    ) -> None:
        self.reason = ""
        self._name = name
        self._every = every
        self._what = what
        self._does = does
        self._trouble = trouble
        self._more = at_once
        self._stopping = threading.Event()

    def turn(self) -> None:
        """One turn, and what is said of it: the first failure of several, and their end."""
        try:
            self._more = self._what()
        except Exception as error:  # it may succeed the next time
            self._more = False
            if not self.reason:
                _log.error("cannot %s: %s", self._does, error)
            self.reason = self._trouble
        else:
            if self.reason:
                _log.info("can %s again", self._does)
            self.reason = ""

    def _run(self) -> None:
        while not self._stopping.wait(0 if self._more else self._every):
            self.turn()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Follows; at the end it waits for the turn that runs."""
        thread = threading.Thread(target=self._run, name=f"seekroute-{self._name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()
