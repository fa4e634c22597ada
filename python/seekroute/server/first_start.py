"""The start of a gateway inside another application: with its first request, which may fail.

`seekroute serve` ends with the reason on stderr when it cannot start. An application that has the
gateway in it goes on, so its clients get an error, and its log the reason: one line, not one a
request, and no traceback.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seekroute.error_table import row_of
from seekroute.errors import SeekrouteError
from seekroute.server.listening import starting
from seekroute.visible import visible, without_keys

if TYPE_CHECKING:
    from collections.abc import Awaitable, MutableMapping

    from seekroute.server.service import Service

_log: Final = logging.getLogger("seekroute.server")

# A start that failed is tried again after so many seconds: it may take as many to fail.
AGAIN_S: Final = 5.0
_CODE: Final = "store_unavailable"
_TEXT: Final = (
    "this gateway has not started, so it cannot look at keys; whoever runs it finds the reason in "
    "its log"
)


class FirstStart:
    """Starts a service when it is first needed. Event loop thread only."""

    def __init__(self, service: Service, clock: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self.clock = clock
        self._again_at = float("-inf")
        self._said = ""

    async def succeeds(self) -> bool:
        """Starts the service, unless it runs or has just failed to. Returns whether it runs."""
        if self.clock() < self._again_at:
            return False
        service = self._service
        folder = Path(service.data_dir)
        opens = not service.is_open
        new = opens and not folder.exists()
        try:
            with starting():
                await service.start()
        except SeekrouteError as error:
            self._again_at = self.clock() + AGAIN_S
            reason = without_keys(visible(str(error)))
            if reason != self._said:
                _log.error("the gateway has not started: %s", reason)
            self._said = reason
            return False
        self._said = ""
        if new:
            _log.warning(
                "%s is a new data directory, without a key: `seekroute keys create` makes one; "
                "if keys are there already, data_dir names another folder than they are in",
                folder.resolve(),
            )
        if opens and service.mocked:
            _log.warning("no provider has a key: the built-in mock provider answers")
        return True

    async def refuse(self, send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
        """Answers a request that cannot be served. There is no gateway to write the error."""
        row = row_of(_CODE)
        assert row is not None
        error = {"message": _TEXT, "type": row.type, "param": None, "code": row.code}
        body = json.dumps({"error": error}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"retry-after", b"%d" % -(-row.retry_after_ms // 1000)),
            (b"retry-after-ms", b"%d" % row.retry_after_ms),
        ]
        await send({"type": "http.response.start", "status": row.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
