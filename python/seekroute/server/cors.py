"""Answers to web pages: which origins may read them (the Fetch standard's CORS protocol).

Off unless the operator names origins, since a page can use the keys that its visitors type into
it. Origins must match exactly. Credentials of the browser itself, such as cookies, are
not allowed: keys come in `Authorization`, which the page sets itself.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any, Final

from seekroute.server.cycle import Header

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# How long a browser may remember a preflight, in seconds: Chromium's longest.
_MAX_AGE_S: Final = 7200
# Names of headers that a page wants to send. SDKs send many of their own, so that a list would lag.
_NAMES: Final = re.compile(rb"[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*")
_MAX_NAMES: Final = 4096
_EXPOSED: Final = (
    b"x-request-id, x-generation-id, x-seekroute-provider, x-seekroute-model, "
    b"x-seekroute-route, x-seekroute-attempts, x-seekroute-overhead-ms, x-seekroute-ignored, "
    b"x-seekroute-cost, retry-after, retry-after-ms, x-should-retry, etag"
)


class Cors:
    """The origins that may read answers. Immutable.

    Args:
        origins: as browsers write them: `https://chat.example`, with a port where it is not the
            scheme's own.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._origins: Final = frozenset(origin.encode("ascii") for origin in origins)

    def headers(self, scope: MutableMapping[str, Any]) -> list[Header]:
        """What is added to the answer to a request, whoever gives it, also to errors."""
        origin = self._origin(scope)
        # Also without one: a cache in between may keep the answer for a page.
        headers = [(b"vary", b"origin")]
        if origin is not None:
            headers += [
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", _EXPOSED),
            ]
        return headers

    def preflight(
        self, scope: MutableMapping[str, Any], methods: Collection[str]
    ) -> list[Header] | None:
        """The headers of the answer to a browser that asks whether it may send; None to others."""
        if scope["method"] != "OPTIONS" or self._origin(scope) is None:
            return None
        asked = {name: value for name, value in scope["headers"] if name.startswith(b"access-")}
        if b"access-control-request-method" not in asked:
            return None
        headers = [
            (b"access-control-allow-methods", ", ".join(methods).encode("ascii")),
            (b"access-control-max-age", b"%d" % _MAX_AGE_S),
            (b"vary", b"access-control-request-headers"),
        ]
        names = asked.get(b"access-control-request-headers", b"").strip()
        if len(names) <= _MAX_NAMES and _NAMES.fullmatch(names):
            headers.append((b"access-control-allow-headers", names))
        return headers

    def _origin(self, scope: MutableMapping[str, Any]) -> bytes | None:
        """The request's origin, if it is one of those; None where it has two."""
        found = [value.strip() for name, value in scope["headers"] if name == b"origin"]
        return found[0] if len(found) == 1 and found[0] in self._origins else None


def adding(headers: list[Header], send: Send) -> Send:
    """`send` with headers added to the answer's head."""

    async def sent(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return sent
