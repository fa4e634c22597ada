"""The file in which a server keeps over a restart what is known of providers and used of limits."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seekroute.file_names import ROUTING_STATE
from seekroute.files import why_no_file

if TYPE_CHECKING:
    from seekroute.gateway import Gateway

_log: Final = logging.getLogger("seekroute.server")

# How often it is written where anything has changed: what a kill loses at most.
SAVE_S: Final = 10.0
# And where nothing has: its age is told by its last writing, and a day makes it void.
_ANYWAY_S: Final = 3600.0
# The core's bound on what it writes: more is no file of ours.
_MOST_BYTES: Final = 64 << 20
_MODE: Final = 0o600
# What stands in its place is not followed, and a pipe is not waited for.
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class RoutingState:
    """One server's file. Thread-safe; blocks on the disk.

    Args:
        home: the data directory.
        clock: seconds that only grow.
    """

    def __init__(self, home: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path: Final = home / ROUTING_STATE
        self._clock = clock
        self._lock = threading.Lock()
        self._written: int | None = None
        self._again = 0.0

    def give_back(self, gateway: Gateway) -> None:
        """Tells the core of a new gateway, before it knows any endpoint, what is in the file.

        What is damaged, too old or of another version is left alone, with one warning.
        """
        try:
            if not self.path.exists():
                return
            if why := why_no_file(self.path):
                raise ValueError(why)
            with self.path.open("rb") as file:
                found = file.read(_MOST_BYTES + 1)
            if len(found) > _MOST_BYTES:
                raise ValueError("it is too large")
            gateway.core.restore_state(found)
        except (OSError, ValueError) as error:
            why = error.strerror or "" if isinstance(error, OSError) else str(error)
            _log.warning(
                "%s is not used: %s; every endpoint and provider key counts as well, and limits "
                "begin anew",
                self.path,
                why,
            )

    def turn(self, gateway: Gateway) -> bool:
        """Writes the file where there is anything new. For a `Follower`: there is never more.

        Raises:
            OSError: it cannot be written.
        """
        revision = gateway.core.state_revision()
        if revision != self._written or self._clock() >= self._again:
            self.save(gateway)
            self._written = revision
        return False

    def save(self, gateway: Gateway) -> None:
        """Writes the file, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            state = gateway.core.export_state()
            beside = self.path.with_name(f"{self.path.name}.new")
            try:
                # No fsync: what is lost with the power is ten seconds of guesses.
                descriptor = os.open(beside, _FLAGS, _MODE)
                with os.fdopen(descriptor, "wb") as file:
                    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                        raise OSError(errno.EINVAL, "it is no file", str(beside))
                    os.fchmod(descriptor, _MODE)
                    file.write(state)
                beside.replace(self.path)
            except OSError:
                with contextlib.suppress(OSError):
                    beside.unlink()
                raise
            self._again = self._clock() + _ANYWAY_S

    def save_at_stop(self, gateway: Gateway) -> None:
        """As `save`; where that fails, the log says so."""
        try:
            self.save(gateway)
        except OSError as error:
            _log.warning("%s cannot be written: %s", self.path, error.strerror)
