"""One HTTP call, and how it is answered when the core does not."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from seekroute.gateway import SERVER, SERVER_API_V1
from seekroute.server.cycle import Cycle, Header
from seekroute.visible import without_keys

if TYPE_CHECKING:
    from seekroute.server.header_options import HeaderOptions
    from seekroute.server.service import Service

_log: Final = logging.getLogger("seekroute.http")

# Characters of a path that are written down.
_MOST_PATH: Final = 120
# Of lists that change when the configuration does, and are asked for by every page of a tool.
_CACHE: Final = b"private, max-age=60"
# White space around a header's value, which is not part of it. Some servers leave it there.
OWS: Final = b" \t"


class Refusal(Exception):
    """Ends a call with an error of the core's table.

    Args:
        code: the error's wire name.
        message: what was wrong, where, and what to do.
        param: the field it is about.
        close: whether the connection cannot be used any further.
        headers: added to the answer; names in lower case.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str = "",
        close: bool = False,
        headers: Sequence[Header] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.close = close
        self.headers = headers


class HttpCall:
    """One request with what its answer needs. Lives as long as the request."""

    __slots__ = (
        "authorization",
        "authorizations",
        "cycle",
        "explain",
        "idempotency_key",
        "limit_headers",
        "method",
        "options",
        "path",
        "receive",
        "request_id",
        "route",
        "scope",
        "send",
        "service",
    )

    def __init__(
        self,
        service: Service,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
        path: str,
    ) -> None:
        self.service = service
        self.scope = scope
        self.receive = receive
        self.send = send
        self.path = path
        self.method: str = scope["method"]
        self.route = "other"
        self.authorization: bytes | None = None
        self.authorizations = 0
        self.request_id: bytes | None = None
        self.explain = 0  # EXPLAIN_NO of the gateway
        self.idempotency_key: bytes | None = None
        self.limit_headers: Sequence[Header] = ()  # of the caller's key, once it is known
        self.options: HeaderOptions | None = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                self.authorization = value.strip(OWS)
                self.authorizations += 1
            elif name == b"x-request-id":
                self.request_id = value.strip(OWS)
        # The short way past ASGI's events, where nothing between wraps `send`.
        cycle = (scope.get("extensions") or {}).get("seekroute")
        direct = isinstance(cycle, Cycle) and getattr(send, "__self__", None) is cycle
        self.cycle: Cycle | None = cycle if direct else None

    @property
    def origin(self) -> str:
        """By which base URL the call came: by OpenRouter's path error codes may be numbers."""
        return SERVER_API_V1 if self.path.startswith("/api/v1") else SERVER

    @property
    def asks_for_a_page(self) -> bool:
        """Whether a person's browser asks, and no program."""
        accepted = (value for name, value in self.scope["headers"] if name == b"accept")
        return self.method == "GET" and any(b"text/html" in value for value in accepted)

    def check_single_authorization(self) -> None:
        """Refuses two Authorization headers: which of them counts would be anybody's guess.

        Raises:
            Refusal: with `invalid_api_key`.
        """
        if self.authorizations > 1:
            self.authorization = None
            raise Refusal("invalid_api_key", "send one Authorization header, not several")

    async def refuse(self, refusal: Refusal) -> None:
        """Answers with an error in the words of the caller's profile."""
        status, headers, body = self.service.core.write_error(
            refusal.code,
            refusal.message,
            refusal.param,
            self.request_id,
            self.authorization,
            self.origin,
        )
        self._note(refusal.code, status, dict(headers).get(b"x-request-id", b"").decode("latin-1"))
        headers = [*headers, *refusal.headers]
        if refusal.close:
            headers.append((b"connection", b"close"))
        await self.answer(status, headers, body)

    def _note(self, code: str, status: int, request_id: str) -> None:
        """Writes down a refusal, and says of an unknown path in the log that somebody wants it."""
        path = without_keys(self.path)[:_MOST_PATH]
        if self.route == "other" and code == "not_found":
            shown = without_keys(request_id)
            _log.warning("no such path: %s %s (request %s)", self.method, path, shown)
        found = self.service.known_key(self.authorization) if self.authorization else None
        key, org = found[:2] if found is not None else ("", "")
        self.service.note_refusal(
            request_id=request_id,
            status=status,
            error=code,
            method=self.method,
            path=path,
            key=key,
            org=org,
        )

    async def json(self, value: Any, *, status: int = 200) -> None:
        """Answers with a JSON document."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        await self.plain(body, b"application/json", status=status)

    async def plain(self, body: bytes, content_type: bytes, *, status: int = 200) -> None:
        """Answers with a body of any type."""
        request_id = self.service.core.new_request_id(self.request_id)
        headers = [
            (b"content-type", content_type),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id),
            *self.limit_headers,
        ]
        await self.answer(status, headers, body)

    async def tagged(self, body: bytes) -> None:
        """Answers with JSON that a client may keep, and with 304 to one that has it already."""
        etag = b'"' + hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b'"'
        headers = [
            (b"etag", etag),
            (b"cache-control", _CACHE),
            # What is listed, and how, depends on the key.
            (b"vary", b"authorization"),
            (b"x-request-id", self.service.core.new_request_id(self.request_id)),
            *self.limit_headers,
        ]
        if self._has(etag):
            await self.answer(304, headers, b"")
            return
        headers += [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        await self.answer(200, headers, body)

    def _has(self, etag: bytes) -> bool:
        """Whether the client says that it holds what `etag` names."""
        held = b",".join(v for name, v in self.scope["headers"] if name == b"if-none-match")
        return any(each.strip().removeprefix(b"W/") in (etag, b"*") for each in held.split(b","))

    async def answer(self, status: int, headers: list[Header], body: bytes) -> None:
        """Sends an answer that the core does not count, and counts it."""
        self.service.counts.add(self.route, self.method, status)
        if self.cycle is not None:
            self.cycle.answer(status, headers, body)
            return
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})
