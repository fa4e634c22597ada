"""What the mock provider saw: one record per request, and bounded ways to wait for one."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from seekroute.wording import number_of

# Records kept at most; older ones are dropped first, so a long-running mock stays small.
MAX_RECORDS = 10_000
# Body bytes kept over all records, for the same reason.
MAX_RECORDED_BYTES = 256 * 1024 * 1024


@dataclass(eq=False)
class RecordedRequest:
    """One request as the mock provider received it. Thread-safe.

    Attributes:
        method: the HTTP method, for example ``"POST"``.
        target: the request target as sent, with its query string.
        headers: header values by lower-case name; the last value wins.
        raw_headers: every header as sent, in order.
        body: the body bytes, without any transfer coding.
        connection: number of the connection, counted from 1. Two requests with the same number
            shared one kept-alive connection.
        received_at: ``time.monotonic()`` when the whole request had arrived, in seconds.
        completed: set once the reply was written to its end (also an end by ``fin`` or ``rst``).
        completed_at: when that was, in ``time.monotonic()`` seconds, or None.
        aborted: set once the client went away before the reply was complete.
        aborted_at: when that was, in ``time.monotonic()`` seconds, or None.

    Example::

        with MockProvider() as mock:
            requests.post(mock.base_url + "/chat/completions", json={"model": "m", "messages": []})
            assert mock.requests[0].json["model"] == "m"
    """

    method: str
    target: str
    raw_headers: list[tuple[str, str]]
    body: bytes
    connection: int
    http_version: str = "1.1"
    headers: dict[str, str] = field(init=False)
    received_at: float = field(init=False)
    completed: threading.Event = field(default_factory=threading.Event, init=False)
    completed_at: float | None = field(default=None, init=False)
    aborted: threading.Event = field(default_factory=threading.Event, init=False)
    aborted_at: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.headers = {name.lower(): value for name, value in self.raw_headers}
        self.received_at = time.monotonic()

    @property
    def path(self) -> str:
        """The path of the target, without its query string."""
        return urlsplit(self.target).path

    @cached_property
    def json(self) -> Any:
        """The body parsed as JSON, or None when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def fields(self) -> dict[str, Any]:
        """The JSON object in the body; empty when the body is anything else."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def streamed(self) -> bool:
        """Whether the client asked for a stream (``"stream": true``)."""
        return self.fields.get("stream") is True

    def wait_completed(self, timeout: float = 5.0) -> float:
        """Wait until the reply was written to its end.

        Args:
            timeout: longest wait, in seconds.

        Returns:
            When that was, in ``time.monotonic()`` seconds.

        Raises:
            TimeoutError: if the reply was not complete in time.
        """
        if not self.completed.wait(timeout) or self.completed_at is None:
            raise TimeoutError(f"the reply was not complete within {timeout} s")
        return self.completed_at

    def wait_aborted(self, timeout: float = 5.0) -> float:
        """Wait until the mock provider saw the client disconnect before the reply was complete.

        Args:
            timeout: longest wait, in seconds.

        Returns:
            When that was, in ``time.monotonic()`` seconds.

        Raises:
            TimeoutError: if the client did not go away in time.
        """
        if not self.aborted.wait(timeout) or self.aborted_at is None:
            raise TimeoutError(f"the client did not disconnect within {timeout} s")
        return self.aborted_at


class Recorder:
    """The records of one mock provider, shared by its loop and the tests. Thread-safe."""

    def __init__(self, limit: int = MAX_RECORDS) -> None:
        self._changed = threading.Condition()
        self._limit = limit
        self._kept: deque[RecordedRequest] = deque()
        self._kept_bytes = 0
        self._aborted: deque[RecordedRequest] = deque(maxlen=limit)
        self._total = 0
        self._total_aborted = 0
        self._connections = 0
        self._open_connections = 0

    def connection_opened(self) -> int:
        """Count a connection; returns its number."""
        with self._changed:
            self._connections += 1
            self._open_connections += 1
            self._changed.notify_all()
            return self._connections

    def connection_closed(self) -> None:
        with self._changed:
            self._open_connections -= 1
            self._changed.notify_all()

    def add(self, request: RecordedRequest) -> None:
        with self._changed:
            self._total += 1
            self._kept.append(request)
            self._kept_bytes += len(request.body)
            while self._kept and (
                len(self._kept) > self._limit or self._kept_bytes > MAX_RECORDED_BYTES
            ):
                self._kept_bytes -= len(self._kept.popleft().body)
            self._changed.notify_all()

    def complete(self, request: RecordedRequest) -> None:
        with self._changed:
            request.completed_at = time.monotonic()
            request.completed.set()
            self._changed.notify_all()

    def abort(self, request: RecordedRequest) -> None:
        with self._changed:
            request.aborted_at = time.monotonic()
            request.aborted.set()
            self._total_aborted += 1
            self._aborted.append(request)
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget all records and start counting requests from zero; connections stay counted."""
        with self._changed:
            self._kept.clear()
            self._aborted.clear()
            self._kept_bytes = self._total = self._total_aborted = 0

    @property
    def requests(self) -> list[RecordedRequest]:
        with self._changed:
            return list(self._kept)

    @property
    def connections(self) -> int:
        with self._changed:
            return self._connections

    @property
    def open_connections(self) -> int:
        with self._changed:
            return self._open_connections

    def wait_for_requests(self, count: int, timeout: float) -> list[RecordedRequest]:
        self._wait(lambda: self._total >= count, timeout, number_of(count, "request"))
        return self.requests

    def wait_for_abort(self, count: int, timeout: float) -> RecordedRequest:
        self._wait(
            lambda: self._total_aborted >= count, timeout, number_of(count, "aborted request")
        )
        with self._changed:
            return self._aborted[count - 1 - (self._total_aborted - len(self._aborted))]

    def wait_until_idle(self, timeout: float) -> None:
        self._wait(lambda: self._open_connections == 0, timeout, "all connections closed")

    def _wait(self, done: Callable[[], bool], timeout: float, what: str) -> None:
        with self._changed:
            if not self._changed.wait_for(done, timeout):
                raise TimeoutError(
                    f"waited {timeout} s for {what}; saw {number_of(self._total, 'request')}, "
                    f"{self._total_aborted} aborted, "
                    f"{number_of(self._open_connections, 'open connection')}"
                )
