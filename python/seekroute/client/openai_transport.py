"""The core as an HTTP transport, for the `httpx` and `httpx2` clients under OpenAI's SDK.

One body serves both libraries: they have the same classes under the same names, so `transports()`
joins the classes below with the bases of whichever is asked for. Neither is imported here.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import queue
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from seekroute.errors import APIConnectionError

if TYPE_CHECKING:
    from seekroute._core import Event, Headers, Record
    from seekroute.config.models_list import ModelList, Style
    from seekroute.gateway import Gateway

# Base URLs differ in how much of this they carry; the longest comes first.
_PREFIXES: Final = ("/api/v1/", "/v1/", "/")
_SERVED: Final = "POST /chat/completions, GET /models and GET /models/{id}"
_GONE: Final = "the gateway was closed while a request was running"


@dataclass(frozen=True, slots=True)
class Core:
    """What a transport serves from.

    Args:
        gateway: With a running pump thread.
        models: What GET /models lists.
        style: How its ids are spelled.
        close: Ends the gateway with the transport; None when others use it too.
    """

    gateway: Gateway
    models: ModelList
    style: Style
    close: Callable[[], None] | None

    def local_answer(
        self, method: str, path: str, request_id: bytes | None
    ) -> tuple[int, Headers, bytes] | None:
        """Status, headers and body of what needs no upstream; None for a chat completion.

        Args:
            method: GET, POST, ...
            path: Decoded, with or without /v1.
            request_id: The client's own, if any.
        """
        prefix = next(prefix for prefix in _PREFIXES if path.startswith(prefix))
        route = path[len(prefix) :].rstrip("/")
        if route == "chat/completions":
            return None if method == "POST" else self._wrong_method("POST", path, request_id)
        if route == "models" or route.startswith("models/"):
            if method not in ("GET", "HEAD"):
                return self._wrong_method("GET", path, request_id)
            return self._models(route.partition("/")[2], request_id)
        message = f"{method} {path} is not served in this process; served are {_SERVED}"
        return self.gateway.core.error("not_found", message, "", request_id, None, False)

    def _models(self, name: str, request_id: bytes | None) -> tuple[int, Headers, bytes]:
        core = self.gateway.core
        body: bytes | None
        if not name:
            body = self.models.payload(style=self.style)
        else:
            body = self.models.one(name, style=self.style)
        if body is None:
            message = "there is no such model: GET /models lists those that exist"
            return core.error("model_not_found", message, "model", request_id, None, False)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", core.new_request_id(request_id)),
        ]
        return 200, headers, body

    def _wrong_method(
        self, allowed: str, path: str, request_id: bytes | None
    ) -> tuple[int, Headers, bytes]:
        status, headers, body = self.gateway.core.error(
            "method_not_allowed", f"{path} takes {allowed}", "", request_id, None, False
        )
        return status, [*headers, (b"allow", allowed.encode("ascii"))], body


class _Exchange:
    """One running request as its reader sees it; the waiting is the subclasses'.

    Events are put in by the pump thread and taken by one reader at a time. At most one window of
    body bytes waits: the core pauses the upstream beyond it.
    """

    def __init__(self, core: Core, exchange: int) -> None:
        self._core = core.gateway.core
        self._ack_bytes = core.gateway.ack_bytes
        self._id = exchange
        self._taken = 0
        self._chunks: deque[bytes] = deque()
        self._dropped = False
        self.start: tuple[int, Headers] | None = None
        self.record: Record | None = None

    def _apply(self, event: Event | None) -> None:
        if event is None:
            self._dropped = True
            return
        _, head, body, record = event
        if head is not None:
            self.start = head
        if body:
            self._chunks.append(body)
        if record is not None:
            self.record = record

    @property
    def _headless(self) -> bool:
        """Whether the head is still to come; raises when it cannot."""
        if self.start is not None:
            return False
        if self._dropped or self.record is not None:
            raise APIConnectionError(_GONE)
        return True

    @property
    def _hungry(self) -> bool:
        """Whether body bytes are still to come; raises when the rest is lost."""
        if self._chunks or self.record is not None:
            return False
        if self._dropped:
            raise APIConnectionError(_GONE)
        return True

    def _pop(self) -> bytes | None:
        if not self._chunks:
            return None
        chunk = self._chunks.popleft()
        self._taken += len(chunk)
        if self._taken >= self._ack_bytes and self.record is None:
            self._core.ack(self._id, self._taken)
            self._taken = 0
        return chunk

    def cancel(self) -> None:
        """Says that the reader went away; its upstream is cancelled. Idempotent."""
        if self.record is None and not self._dropped:
            self._core.cancel(self._id)


class BlockingExchange(_Exchange):
    """Read by a thread. Waits raise TimeoutError after `timeout` seconds of silence."""

    def __init__(self, core: Core, exchange: int) -> None:
        super().__init__(core, exchange)
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()

    def push(self, event: Event) -> None:
        """Takes one event; called by the pump thread."""
        self._events.put(event)

    def drop(self) -> None:
        """Says that no more events come; called by whoever closes the gateway."""
        self._events.put(None)

    def _receive(self, timeout: float | None) -> None:
        try:
            self._apply(self._events.get(timeout=timeout))
        except queue.Empty:
            raise TimeoutError from None

    def head(self, timeout: float | None) -> tuple[int, Headers]:
        """Waits for status and headers."""
        while self._headless:
            self._receive(timeout)
        assert self.start is not None
        return self.start

    def next(self, timeout: float | None) -> bytes | None:
        """Waits for body bytes; None at the end."""
        while self._hungry:
            self._receive(timeout)
        return self._pop()


class AwaitingExchange(_Exchange):
    """Read by a task of the event loop it was made on; otherwise as `BlockingExchange`."""

    def __init__(self, core: Core, exchange: int) -> None:
        super().__init__(core, exchange)
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event | None] = deque()
        self._waiting = False
        self._waiter: asyncio.Future[None] | None = None

    def push(self, event: Event) -> None:
        """Takes one event; called by the pump thread."""
        self._put(event)

    def drop(self) -> None:
        """Says that no more events come; called by whoever closes the gateway."""
        self._put(None)

    def _put(self, event: Event | None) -> None:
        self._events.append(event)
        # The reader sets the flag before it looks at the events a last time: one of us sees the
        # other, and a batch of events wakes the loop once.
        if self._waiting:
            self._waiting = False
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop was closed under its request
                self._core.cancel(self._id)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _receive(self, timeout: float | None) -> None:
        if not self._events:
            self._waiter = self._loop.create_future()
            self._waiting = True
            try:
                if not self._events:
                    async with asyncio.timeout(timeout):
                        await self._waiter
            finally:
                self._waiting = False
                self._waiter = None
        while self._events:
            self._apply(self._events.popleft())

    async def head(self, timeout: float | None) -> tuple[int, Headers]:
        """Waits for status and headers."""
        while self._headless:
            await self._receive(timeout)
        assert self.start is not None
        return self.start

    async def next(self, timeout: float | None) -> bytes | None:
        """Waits for body bytes; None at the end."""
        while self._hungry:
            await self._receive(timeout)
        return self._pop()


def _read_timeout(request: Any) -> float | None:
    """Seconds of silence the caller bears. Connecting takes no time here, so there is no other."""
    timeout: dict[str, float | None] = request.extensions.get("timeout") or {}
    return timeout.get("read")


def _request_id(request: Any) -> bytes | None:
    found: str | None = request.headers.get("x-request-id")
    return None if found is None else found.encode("latin-1", "replace")


class _Errors:
    """The library's exceptions for ours; OpenAI's SDK knows only those."""

    def __init__(self, http: Any, request: Any) -> None:
        self._http = http
        self._request = request

    def timeout(self, seconds: float | None) -> Exception:
        """For silence of `seconds`."""
        message = f"nothing came for {seconds:g} seconds"
        error: Exception = self._http.ReadTimeout(message, request=self._request)
        return error

    def connection(self, kind: str, error: APIConnectionError) -> Exception:
        """For a gateway that is closed; `kind` is the class."""
        found: Exception = getattr(self._http, kind)(str(error), request=self._request)
        return found


class _Body:
    """An answer's body; leaving it early, by close or by dropping it, cancels the request."""

    def __init__(self, exchange: Any, timeout: float | None, errors: _Errors) -> None:
        self._exchange = exchange
        self._timeout = timeout
        self._errors = errors

    def __del__(self) -> None:
        self._exchange.cancel()


class _BlockingBody(_Body):
    def __iter__(self) -> Iterator[bytes]:
        try:
            while (chunk := self._exchange.next(self._timeout)) is not None:
                yield chunk
        except TimeoutError:
            self._exchange.cancel()
            raise self._errors.timeout(self._timeout) from None
        except APIConnectionError as error:
            raise self._errors.connection("ReadError", error) from error

    def close(self) -> None:
        self._exchange.cancel()


class _AwaitingBody(_Body):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (chunk := await self._exchange.next(self._timeout)) is not None:
                yield chunk
        except TimeoutError:
            self._exchange.cancel()
            raise self._errors.timeout(self._timeout) from None
        except APIConnectionError as error:
            raise self._errors.connection("ReadError", error) from error

    async def aclose(self) -> None:
        self._exchange.cancel()


class _Transport:
    http: Any  # the library
    body: Any  # its byte stream, over an exchange

    def __init__(self, core: Core) -> None:
        self._core = core

    def _whole(self, answer: tuple[int, Headers, bytes], method: str) -> Any:
        status, headers, body = answer
        content = b"" if method == "HEAD" else body
        # Not `content=`, which would add a second Content-Length.
        return self.http.Response(status, headers=headers, stream=self.http.ByteStream(content))

    def _streamed(
        self, head: tuple[int, Headers], exchange: Any, timeout: float | None, errors: _Errors
    ) -> Any:
        status, headers = head
        stream = self.body(exchange, timeout, errors)
        return self.http.Response(status, headers=headers, stream=stream)


class _BlockingTransport(_Transport):
    def handle_request(self, request: Any) -> Any:
        """Answers one request of the library's client."""
        request_id = _request_id(request)
        local = self._core.local_answer(request.method, request.url.path, request_id)
        if local is not None:
            return self._whole(local, request.method)
        errors, timeout = _Errors(self.http, request), _read_timeout(request)
        body = request.read()
        try:
            exchange = self._core.gateway.submit_to(
                lambda number: BlockingExchange(self._core, number), body, request_id=request_id
            )
        except APIConnectionError as error:
            raise errors.connection("ConnectError", error) from error
        try:
            head = exchange.head(timeout)
        except TimeoutError:
            exchange.cancel()
            raise errors.timeout(timeout) from None
        except APIConnectionError as error:
            raise errors.connection("ReadError", error) from error
        except BaseException:  # KeyboardInterrupt: nobody will read the answer
            exchange.cancel()
            raise
        return self._streamed(head, exchange, timeout, errors)

    def close(self) -> None:
        """Ends the gateway if it is this transport's own."""
        if self._core.close is not None:
            self._core.close()


class _AwaitingTransport(_Transport):
    async def handle_async_request(self, request: Any) -> Any:
        """Answers one request of the library's client."""
        request_id = _request_id(request)
        local = self._core.local_answer(request.method, request.url.path, request_id)
        if local is not None:
            return self._whole(local, request.method)
        errors, timeout = _Errors(self.http, request), _read_timeout(request)
        body = await request.aread()
        try:
            exchange = self._core.gateway.submit_to(
                lambda number: AwaitingExchange(self._core, number), body, request_id=request_id
            )
        except APIConnectionError as error:
            raise errors.connection("ConnectError", error) from error
        try:
            head = await exchange.head(timeout)
        except TimeoutError:
            exchange.cancel()
            raise errors.timeout(timeout) from None
        except APIConnectionError as error:
            raise errors.connection("ReadError", error) from error
        except BaseException:  # the task was cancelled: nobody will read the answer
            exchange.cancel()
            raise
        return self._streamed(head, exchange, timeout, errors)

    async def aclose(self) -> None:
        """Ends the gateway if it is this transport's own."""
        if self._core.close is not None:
            await asyncio.to_thread(self._core.close)


@functools.cache
def transports(library: str) -> tuple[Callable[[Core], Any], Callable[[Core], Any]]:
    """The transport classes, blocking and asynchronous, for `httpx` or `httpx2`.

    Args:
        library: Name of the module; imported here.
    """
    http = importlib.import_module(library)
    body = type("Body", (_BlockingBody, http.SyncByteStream), {})
    awaiting_body = type("AsyncBody", (_AwaitingBody, http.AsyncByteStream), {})
    members = {"http": http, "body": body, "__doc__": "The core in this process."}
    blocking = type("CoreTransport", (_BlockingTransport, http.BaseTransport), members)
    members = {**members, "body": awaiting_body}
    awaiting = type("AsyncCoreTransport", (_AwaitingTransport, http.AsyncBaseTransport), members)
    return blocking, awaiting
