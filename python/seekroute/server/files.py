"""How many files, connections included, the process may have open, and what that allows."""

from __future__ import annotations

import contextlib
import errno
import logging
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from seekroute.server.listening import RAISE_FILES, StartError

if TYPE_CHECKING:
    import asyncio

    from seekroute.server.limits import Limits

_log: Final = logging.getLogger("seekroute.server")

# For databases, logs and the like; the rest is shared between clients and upstreams, one of each
# for a request.
_RESERVED: Final = 100
# A start opens some forty. Below this there is no room for requests.
_LEAST: Final = 128
_WANTED: Final = 65_536
# Between two lines that say that there is none left.
_SAY_AGAIN_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """The limit in force.

    Args:
        limit: files at once; None: any number.
        max_active: requests at once, by the settings.
        meant: whether somebody has set that number; a default promises nothing.
    """

    limit: int | None
    max_active: int
    meant: bool = True

    @classmethod
    def raised(cls, max_active: int, *, meant: bool = True) -> OpenFiles:
        """Raises the soft limit as far as is of use and allowed, as servers do.

        Raises:
            StartError: not even a few requests could be served.
        """
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = max(_WANTED, _needed(max_active))
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return cls(None, max_active, meant)
        if soft < _LEAST:
            raise StartError(
                f"this process may have {soft} files and connections open, too few to serve: "
                f"{RAISE_FILES}"
            )
        return cls(soft, max_active, meant)

    def connections(self, limits: Limits) -> int:
        """How many clients may be connected: at most as many as `limits` says."""
        if self.limit is None:
            return limits.max_connections
        return max(1, min(limits.max_connections, (self.limit - _RESERVED) // 2))

    @property
    def shortage(self) -> dict[str, Any]:
        """What to say where less than 90 % of `max_active` requests have a connection each; else
        empty."""
        if self.limit is None:
            return {}
        enough = (self.limit - _RESERVED) // 2
        if enough * 10 >= self.max_active * 9:  # nobody would notice the rest
            return {}
        return {
            "limit": self.limit,
            "enough_for_requests": enough,
            "max_active": self.max_active,
            "hint": f"{RAISE_FILES}; or lower limits.max_active",
        }

    def handler(self) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
        """For the event loop: says in a line, and not for each client, that no connection can be
        taken for want of files."""
        said = -_SAY_AGAIN_S

        def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            nonlocal said
            error = context.get("exception")
            if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
                loop.default_exception_handler(context)
                return
            if time.monotonic() >= said + _SAY_AGAIN_S:
                said = time.monotonic()
                _log.error(
                    "no file is left for a connection (limit %s): %s", self.limit, RAISE_FILES
                )

        return handle


def _needed(max_active: int) -> int:
    return 2 * max_active + _RESERVED
