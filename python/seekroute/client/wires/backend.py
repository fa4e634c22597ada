"""What stands between a client and its gateway: requests in, answers out, no opinion on them.

`LocalBackend` asks a gateway in this process, `RemoteBackend` one at a URL; each has a twin for
asyncio. All speak in paths of the HTTP API below `/v1`, so that everything above them (retries,
errors, results) is the same for all. `open()` returns once status and headers are there; the body
is then read piece by piece or whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from seekroute.client.wires.retry import DEFAULT_TIMEOUT

if TYPE_CHECKING:
    from seekroute.errors import APIError
    from seekroute.gateway import Record
    from seekroute.ledger import Ledger

CHAT_PATH = "/chat/completions"
EMBEDDINGS_PATH = "/embeddings"
QUOTE_PATH = "/quote"
EMBEDDINGS_QUOTE_PATH = "/quote/embeddings"
# Largest answer that is read whole. The gateway's own bound is limits.max_answer_bytes, half of it.
MAX_ANSWER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """One request to a gateway.

    Args:
        path: Below `/v1`, with its slash.
        body: JSON; empty for a GET.
        method: `POST` or `GET`.
        headers: Added to the request's own. A gateway reads `x-request-id`.
        query: Parameters of the URL.
        timeout: Seconds of silence that end the wait, for the head and for each piece of the
            body; infinity waits for ever.
    """

    path: str = CHAT_PATH
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = DEFAULT_TIMEOUT


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes:
        status: HTTP status.
        headers: Names in lower case.
        body: As it came.
        record: How the exchange ended, where the gateway is in this process; else None.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    record: Record | None = None


class Reply(Protocol):
    """An answer that has begun. Closing it before its end cancels the request."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case."""
        ...

    @property
    def record(self) -> Record | None:
        """Set at the end of the body, where the gateway is in this process."""
        ...

    def next(self) -> bytes | None:
        """The next piece of the body; None at its end. Raises APIConnectionError."""
        ...

    def read(self) -> bytes:
        """The rest of the body. Raises APIConnectionError."""
        ...

    def close(self) -> None:
        """Cancels what still runs. Idempotent."""
        ...


class AsyncReply(Protocol):
    """As `Reply`, for asyncio. Cancelling a task that waits here cancels the request."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def record(self) -> Record | None: ...
    async def next(self) -> bytes | None: ...
    async def read(self) -> bytes: ...
    async def aclose(self) -> None: ...
    def abandon(self) -> None:
        """Cancels what still runs, from a place that cannot wait."""
        ...


class Backend:
    """Base of the two backends for plain threads. Thread-safe."""

    # Whether `spent` follows the gateway's own records: then nobody else has to add to it.
    records: bool = False
    # Of a gateway in this process that was given one.
    ledger: Ledger | None = None

    def told(self, error: APIError, body: bytes, record: Record | None) -> APIError:
        """The error to raise for an answer's, given the request and how it ended."""
        return error

    def open(self, request: Request) -> Reply:
        """Sends the request and waits for status and headers.

        Raises:
            APIConnectionError: no answer came; `APITimeoutError`: not in time.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Ends running requests. Idempotent."""
        raise NotImplementedError

    def send(
        self,
        body: bytes,
        *,
        path: str = CHAT_PATH,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Answer:
        """Sends a request and waits for its whole answer, whatever its status; never retries.

        Raises:
            APIConnectionError: no answer came, or not all of it.
        """
        reply = self.open(Request(path, body, method, headers or {}, {}, timeout))
        return Answer(reply.status, reply.headers, reply.read(), reply.record)


class AsyncBackend:
    """Base of the two backends for asyncio. Usable from any event loop."""

    records: bool = False
    ledger: Ledger | None = None

    def told(self, error: APIError, body: bytes, record: Record | None) -> APIError:
        """As `Backend.told`."""
        return error

    async def open(self, request: Request) -> AsyncReply:
        """As `Backend.open`."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """As `Backend.close`."""
        raise NotImplementedError

    async def send(
        self,
        body: bytes,
        *,
        path: str = CHAT_PATH,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Answer:
        """As `Backend.send`."""
        reply = await self.open(Request(path, body, method, headers or {}, {}, timeout))
        return Answer(reply.status, reply.headers, await reply.read(), reply.record)


def header_map(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers of the core as a mapping."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


@dataclass(slots=True)
class ReadyReply:
    """An answer that was made here and has nothing to wait for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    record: Record | None = None

    def next(self) -> bytes | None:
        body, self.body = self.body, b""
        return body or None

    def read(self) -> bytes:
        return self.next() or b""

    def close(self) -> None:
        self.body = b""


@dataclass(slots=True)
class AsyncReadyReply:
    """As `ReadyReply`, for asyncio."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    record: Record | None = None

    async def next(self) -> bytes | None:
        body, self.body = self.body, b""
        return body or None

    async def read(self) -> bytes:
        return await self.next() or b""

    async def aclose(self) -> None:
        self.body = b""

    def abandon(self) -> None:
        self.body = b""


__all__ = [
    "CHAT_PATH",
    "EMBEDDINGS_PATH",
    "EMBEDDINGS_QUOTE_PATH",
    "MAX_ANSWER_BYTES",
    "Answer",
    "AsyncBackend",
    "AsyncReadyReply",
    "AsyncReply",
    "Backend",
    "ReadyReply",
    "Reply",
    "Request",
    "header_map",
]
