"""A gateway at a URL, over httpx2. Nothing of that library leaves this module."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from seekroute import forks
from seekroute.client.wires.backend import (
    MAX_ANSWER_BYTES,
    AsyncBackend,
    AsyncReply,
    Backend,
    Reply,
    Request,
)
from seekroute.errors import APIConnectionError, APIError, APITimeoutError, ConfigError, Problem
from seekroute.exchange import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2

    from seekroute.gateway import Record

# A connection that is not there after this long will not come; the answer may take longer.
_CONNECT_SECONDS: Final = 5.0
# Connections of one client: as many as OpenAI's. More requests at once wait for one of them.
_MAX_CONNECTIONS: Final = 1000
_MAX_KEPT: Final = 100


def checked_base_url(base_url: str) -> str:
    """The URL without a slash at its end.

    Raises:
        ConfigError: it is no http or https URL, or has a query, a fragment or credentials in it.
    """
    try:
        parts = urlsplit(base_url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    # The message never shows the value: a key may have been put there by mistake.
    hint = "give one like https://gateway.example.com/v1"
    if not good:
        raise ConfigError([Problem("base_url", "expected an http or https URL", hint)])
    if parts.username is not None or parts.query or parts.fragment:
        message = "expected a URL without credentials, query and fragment"
        raise ConfigError([Problem("base_url", message, f"{hint}, and the key as api_key")])
    return base_url.rstrip("/")


class _Remote:
    """What the two backends share: how a request and a failure look."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self.base_url = checked_base_url(base_url)
        self._place = urlsplit(self.base_url).netloc
        self._headers = {
            "accept": "application/json, text/event-stream",
            "user-agent": f"seekroute-python/{_version()}",
        }
        if api_key:
            if not api_key.isascii() or not api_key.isprintable():
                message = "expected printable ASCII"
                raise ConfigError([Problem("api_key", message, "check how it was copied")])
            self._headers["authorization"] = f"Bearer {api_key}"
        self.options: dict[str, Any] = {"headers": self._headers, "follow_redirects": False}

    def limits(self) -> httpx2.Limits:
        import httpx2

        return httpx2.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_KEPT)

    def arguments(self, request: Request) -> dict[str, Any]:
        import httpx2

        seconds = None if math.isinf(request.timeout) else request.timeout
        connect = _CONNECT_SECONDS if seconds is None else min(seconds, _CONNECT_SECONDS)
        headers = dict(request.headers)
        if request.body:
            headers.setdefault("content-type", "application/json")
        return {
            "method": request.method,
            "url": self.base_url + request.path,
            "content": request.body or None,
            "headers": headers,
            "params": dict(request.query) or None,
            "timeout": httpx2.Timeout(seconds, connect=connect),
        }

    def failure(self, error: Exception) -> APIConnectionError:
        """Our words for an error of httpx2, whose own may hold a URL."""
        import httpx2

        if isinstance(error, httpx2.TimeoutException):
            return APITimeoutError(
                f"{self._place} did not answer in time ({type(error).__name__})",
                hint="give timeout= more seconds, or ask for a stream",
                # What was sent may be answered, and charged, all the same.
                retryable=not isinstance(error, httpx2.ReadTimeout),
            )
        return APIConnectionError(
            f"the connection to {self._place} failed: {type(error).__name__}: {_reason(error)}",
            hint="check base_url and that the gateway runs",
            retryable=True,
        )

    def told(self, error: APIError) -> APIError:
        """The error, with what is wrong with a base URL that lacks its end."""
        unnamed = error.code in (None, "not_found", 404)
        if error.status_code == 404 and unnamed and not self.base_url.endswith("/v1"):
            error.hint = f"a base URL ends in /v1: is base_url={self.base_url + '/v1'!r} meant?"
        return error

    def closed(self) -> APIConnectionError:
        return APIConnectionError("the client is closed")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("seekroute")
    except PackageNotFoundError:  # run from its source tree
        return "0"


def _reason(error: BaseException) -> str:
    """The system's words at the bottom of the chain, or those of the library."""
    cause: BaseException | None = error
    for _ in range(8):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    return str(error)


def _too_large() -> APIConnectionError:
    return APIConnectionError(f"the answer is larger than {MAX_ANSWER_BYTES} bytes")


class RemoteBackend(Backend):
    """A gateway at a URL, for plain threads.

    Args:
        base_url: With `/v1` at its end.
        api_key: A key of that gateway; None for one that needs none.

    Raises:
        ConfigError: the URL or the key cannot be used.
    """

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self._remote = _Remote(base_url, api_key)
        self._closed = False
        self._connecting = threading.Lock()
        self._http: httpx2.Client | None = None
        self._client()
        forks.watch(self)

    def told(self, error: APIError, body: bytes, record: Record | None) -> APIError:
        return self._remote.told(error)

    def _client(self) -> httpx2.Client:
        import httpx2

        with self._connecting:
            if self._closed:
                raise self._remote.closed()
            if self._http is None:
                limits = self._remote.limits()
                self._http = httpx2.Client(limits=limits, **self._remote.options)
            return self._http

    def after_fork(self) -> None:
        """The connections are the parent's: two who used one would take each other's answers."""
        forks.forget(self._http)
        self._http = None
        self._connecting = threading.Lock()

    def open(self, request: Request) -> Reply:
        import httpx2

        client = self._client()
        try:
            sent = client.build_request(**self._remote.arguments(request))
            response = client.send(sent, stream=True)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._remote.failure(error) from None
        return _RemoteReply(self._remote, response)

    def for_asyncio(self) -> AsyncRemoteBackend:
        """The same gateway with the same key, with connections of its own."""
        return AsyncRemoteBackend._of(self._remote)

    def close(self) -> None:
        self._closed = True
        if self._http is not None:
            self._http.close()


class _RemoteReply:
    record: Record | None = None

    def __init__(self, remote: _Remote, response: httpx2.Response) -> None:
        self._remote = remote
        self._response = response
        self._process = os.getpid()
        self._parts: Iterator[bytes] = response.iter_bytes()
        self.status = response.status_code
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in response.headers.items()}

    def next(self) -> bytes | None:
        import httpx2

        if self._process != os.getpid():  # each byte read here would be missing there
            raise APIConnectionError(ELSEWHERE)
        try:
            return next(self._parts, None)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            self.close()
            raise self._remote.failure(error) from None

    def read(self) -> bytes:
        parts, size = [], 0
        while (part := self.next()) is not None:
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                self.close()
                raise _too_large()
        return b"".join(parts)

    def close(self) -> None:
        if self._process == os.getpid():
            self._response.close()


class AsyncRemoteBackend(AsyncBackend):
    """As `RemoteBackend`, for asyncio. Each event loop has connections of its own."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        self._set_up(_Remote(base_url, api_key))

    @classmethod
    def _of(cls, remote: _Remote) -> AsyncRemoteBackend:
        backend = cls.__new__(cls)
        backend._set_up(remote)
        return backend

    def _set_up(self, remote: _Remote) -> None:
        self._remote = remote
        self._closed = False
        self._clients: dict[
            asyncio.AbstractEventLoop, tuple[httpx2.AsyncClient, AsyncGenerator[None, None]]
        ] = {}
        forks.watch(self)

    def told(self, error: APIError, body: bytes, record: Record | None) -> APIError:
        return self._remote.told(error)

    def after_fork(self) -> None:
        """The event loops and the connections are the parent's."""
        forks.forget(self._clients)
        self._clients = {}

    async def _client(self) -> httpx2.AsyncClient:
        import httpx2

        if self._closed:
            raise self._remote.closed()
        loop = asyncio.get_running_loop()
        found = self._clients.get(loop)
        if found is None:
            for ended in [each for each in self._clients if each.is_closed()]:
                self._clients.pop(ended, None)
            client = httpx2.AsyncClient(limits=self._remote.limits(), **self._remote.options)
            keeper = _until_the_loop_ends(client)
            found = self._clients[loop] = (client, keeper)
            await anext(keeper)
        return found[0]

    async def open(self, request: Request) -> AsyncReply:
        import httpx2

        client = await self._client()
        try:
            sent = client.build_request(**self._remote.arguments(request))
            response = await client.send(sent, stream=True)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._remote.failure(error) from None
        return _AsyncRemoteReply(self._remote, response)

    async def aclose(self) -> None:
        self._closed = True
        found = self._clients.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found[1].aclose()


async def _until_the_loop_ends(client: httpx2.AsyncClient) -> AsyncGenerator[None, None]:
    """Closes `client` when its loop shuts down its generators, as `asyncio.run` does at its end.

    Connections cannot be closed after their loop, and a client that lives on may have no other
    occasion.
    """
    try:
        yield
    finally:
        await client.aclose()


class _AsyncRemoteReply:
    record: Record | None = None

    def __init__(self, remote: _Remote, response: httpx2.Response) -> None:
        self._remote = remote
        self._response = response
        self._process = os.getpid()
        self._parts: AsyncIterator[bytes] = response.aiter_bytes()
        self._loop = asyncio.get_running_loop()
        self.status = response.status_code
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in response.headers.items()}

    async def next(self) -> bytes | None:
        import httpx2

        if self._process != os.getpid():  # each byte read here would be missing there
            raise APIConnectionError(ELSEWHERE)
        try:
            return await anext(self._parts, None)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            await self.aclose()
            raise self._remote.failure(error) from None
        except asyncio.CancelledError:
            await self.aclose()
            raise

    async def read(self) -> bytes:
        parts, size = [], 0
        while (part := await self.next()) is not None:
            parts.append(part)
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                await self.aclose()
                raise _too_large()
        return b"".join(parts)

    async def aclose(self) -> None:
        if self._process == os.getpid():
            await self._response.aclose()

    def abandon(self) -> None:
        if self._process != os.getpid() or self._response.is_closed or self._loop.is_closed():
            return
        with contextlib.suppress(RuntimeError):  # closed just now, and its connections with it
            self._loop.call_soon_threadsafe(_close_soon, self._response)


# Tasks that close what was dropped: an event loop holds its tasks only weakly.
_closing: set[asyncio.Task[None]] = set()


def _close_soon(response: httpx2.Response) -> None:
    task = asyncio.ensure_future(response.aclose())
    _closing.add(task)
    task.add_done_callback(_closing.discard)
