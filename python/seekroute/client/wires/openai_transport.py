"""A gateway in this process as an HTTP transport, for the clients under OpenAI's SDK.

Those are of `httpx2`, and before version 3 of the SDK of `httpx`. One body serves both: the
libraries have the same classes under the same names, so `transports()` joins the classes below
with the bases of whichever is asked for. Neither is imported here.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final

from seekroute.client.wires.backend import (
    AsyncBackend,
    AsyncReadyReply,
    AsyncReply,
    Backend,
    ReadyReply,
    Reply,
    Request,
)
from seekroute.errors import APIConnectionError, APITimeoutError, NotSupportedError

# What base URLs carry of the path; the longest comes first.
_PREFIXES: Final = ("/api/v1/", "/v1/", "/")
_CUT: Final = "the client was closed while a request was running"
# Replies that were made here: they have no record and nothing to be cut off from.
_READY: Final = (ReadyReply, AsyncReadyReply)


class _Call:
    """One request of the library, and its exceptions for ours: OpenAI's SDK knows no others."""

    def __init__(self, http: Any, request: Any) -> None:
        self._http = http
        self._request = request

    def request(self, body: bytes) -> Request:
        """What to ask the gateway."""
        path: str = self._request.url.path
        prefix = next(prefix for prefix in _PREFIXES if path.startswith(prefix))
        request_id = self._request.headers.get("x-request-id")
        # Nothing is connected to: of the SDK's timeouts only the one for reading can pass.
        limit = (self._request.extensions.get("timeout") or {}).get("read")
        return Request(
            "/" + path[len(prefix) :].rstrip("/"),
            body,
            self._request.method,
            {} if request_id is None else {"x-request-id": request_id},
            timeout=math.inf if limit is None else limit,
        )

    def failed(self, error: APIConnectionError, *, opening: bool) -> Exception:
        """The library's exception for a gateway that is closed or silent."""
        if isinstance(error, APITimeoutError):
            kind = self._http.ReadTimeout
        else:
            kind = self._http.ConnectError if opening else self._http.ReadError
        found: Exception = kind(str(error), request=self._request)
        return found

    def check_end(self, reply: Any) -> None:
        """Raises the library's exception when the body has ended because the gateway did."""
        record = reply.record
        if not isinstance(reply, _READY) and (record is None or record.error == "client_closed"):
            raise self._http.ReadError(_CUT, request=self._request)

    def answer(self, reply: Any, stream: Any) -> Any:
        """The library's response around a reply."""
        return self._http.Response(reply.status, headers=dict(reply.headers), stream=stream)

    def not_supported(self, error: NotSupportedError) -> Any:
        """The answer for what only a server has."""
        problem = {"message": str(error), "type": "invalid_request_error", "param": None}
        body = json.dumps({"error": {**problem, "code": "not_found"}}).encode()
        headers = {"content-type": "application/json"}
        return self._http.Response(404, headers=headers, content=body)


class _Body:
    """An answer's body. Leaving it early, by closing or by dropping it, cancels the request."""

    def __init__(self, reply: Reply, call: _Call) -> None:
        self._reply = reply
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        try:
            while (part := self._reply.next()) is not None:
                yield part
            self._call.check_end(self._reply)
        except APIConnectionError as error:
            raise self._call.failed(error, opening=False) from error

    def close(self) -> None:
        self._reply.close()

    def __del__(self) -> None:
        self._reply.close()


class _AsyncBody:
    def __init__(self, reply: AsyncReply, call: _Call) -> None:
        self._reply = reply
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (part := await self._reply.next()) is not None:
                yield part
            self._call.check_end(self._reply)
        except APIConnectionError as error:
            raise self._call.failed(error, opening=False) from error

    async def aclose(self) -> None:
        await self._reply.aclose()

    def __del__(self) -> None:
        self._reply.abandon()


class _Transport:
    http: Any  # the library
    body: Any  # its byte stream, over a reply

    def __init__(self, backend: Backend, close: Callable[[], None] | None) -> None:
        self._backend = backend
        self._close = close

    def handle_request(self, request: Any) -> Any:
        """Answers one request of the library's client."""
        call = _Call(self.http, request)
        try:
            reply = self._backend.open(call.request(request.read()))
        except NotSupportedError as error:
            return call.not_supported(error)
        except APIConnectionError as error:
            raise call.failed(error, opening=True) from error
        return call.answer(reply, self.body(reply, call))

    def close(self) -> None:
        """Ends the gateway if it is this transport's own."""
        if self._close is not None:
            self._close()


class _AsyncTransport:
    http: Any
    body: Any

    def __init__(self, backend: AsyncBackend, close: Callable[[], Awaitable[None]] | None) -> None:
        self._backend = backend
        self._close = close

    async def handle_async_request(self, request: Any) -> Any:
        """Answers one request of the library's client."""
        call = _Call(self.http, request)
        try:
            reply = await self._backend.open(call.request(await request.aread()))
        except NotSupportedError as error:
            return call.not_supported(error)
        except APIConnectionError as error:
            raise call.failed(error, opening=True) from error
        return call.answer(reply, self.body(reply, call))

    async def aclose(self) -> None:
        """Ends the gateway if it is this transport's own."""
        if self._close is not None:
            await self._close()


@functools.cache
def transports(library: str) -> tuple[Any, Any]:
    """The transport classes, blocking and asynchronous, for `httpx` or `httpx2`.

    Both are made of a backend of `seekroute.client.wires.backend` and of what closes it, or None.

    Args:
        library: Name of the module; imported here.
    """
    http = importlib.import_module(library)
    body = type("Body", (_Body, http.SyncByteStream), {})
    blocking = type("Transport", (_Transport, http.BaseTransport), {"http": http, "body": body})
    body = type("AsyncBody", (_AsyncBody, http.AsyncByteStream), {})
    bases = (_AsyncTransport, http.AsyncBaseTransport)
    return blocking, type("AsyncTransport", bases, {"http": http, "body": body})
