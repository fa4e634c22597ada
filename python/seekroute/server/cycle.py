"""One request and its answer on a connection: the ASGI side of `protocol.HttpProtocol`."""

from __future__ import annotations

import asyncio
import http
import logging
import re
import urllib.parse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from seekroute.server.protocol import HttpProtocol
    from seekroute.server.undelivered import Settled

Header = tuple[bytes, bytes]

_log: Final = logging.getLogger("seekroute.http")

# Unread body bytes of one request above which the connection is not read any further. Less than the
# event loop reads at once: a body comes piece by piece, so that forty of them keep nobody waiting.
_HIGH_WATER: Final = 64 * 1024

# When a half-closed client is asked whether it is still there, in seconds after its FIN.
_PROBE_TIMES: Final = (0.0, 0.02, 0.05, 1.0, 5.0)

# What must never reach the wire inside a header, whoever made it.
_BAD_NAME: Final = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]")
_BAD_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def _status_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


_NO_SCOPE: Final[dict[str, Any]] = {}  # of a cycle that has let go of its own; never changed

STATUS_LINES: Final = {status: _status_line(status) for status in range(100, 600)}


def closing_answer(status: int, headers: Sequence[Header], body: bytes) -> bytes:
    """A whole answer after which the connection is closed."""
    out = [STATUS_LINES[status]]
    for name, value in headers:
        if name.lower() != b"connection":
            out += (name, b": ", value, b"\r\n")
    out += (b"connection: close\r\n\r\n", body)
    return b"".join(out)


def http_scope(
    *,
    method: bytes,
    target: bytes,
    version: str,
    headers: list[Header],
    root_path: str,
    state: dict[str, Any],
    ends: tuple[str, tuple[str, int] | None, tuple[str, int | None] | None],
) -> dict[str, Any]:
    """The ASGI scope of a request. `target` is in origin form; `ends`: scheme, client, server."""
    raw_path, _, query = target.partition(b"?")
    path = raw_path.decode("ascii")
    if "%" in path:
        path = urllib.parse.unquote(path)
    scheme, client, server = ends
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": version,
        "server": server,
        "client": client,
        "scheme": scheme,
        "method": method.decode("ascii"),
        "root_path": root_path,
        "path": root_path + path,
        "raw_path": root_path.encode("ascii") + raw_path,
        "query_string": query,
        "headers": headers,
        "state": state,
    }


class Owner(Protocol):
    """What drives an answer that needs no task any more; takes the task's place in uvicorn's."""

    @property
    def request(self) -> Settled:
        """Whose answer it is."""

    def cancel(self, msg: str | None = None) -> object:
        """Ends the answer and its connection."""


class Cycle:
    """One request from its head to the end of its answer. Event loop thread only.

    Speaks ASGI through `receive` and `send`. An application that finds the cycle under
    `scope["extensions"]["seekroute"]`, with `send` being the cycle's own (nothing wraps it), may
    use the shorter way instead: `on_disconnect`, then `answer()`, or `start()`, `write()` and
    `finish()`, the latter two after `detach()` also from outside of its task.
    """

    __slots__ = (
        "_chunked",
        "_default_headers",
        "_error",
        "_events",
        "_http11",
        "_is_head",
        "_left",
        "_parts",
        "_pending",
        "_ready",
        "_size",
        "_waiter",
        "at_line_end",
        "body_complete",
        "complete",
        "disconnected",
        "keep_alive",
        "needs_continue",
        "on_disconnect",
        "owner",
        "protocol",
        "scope",
        "started",
        "task",
    )

    def __init__(
        self,
        protocol: HttpProtocol,
        scope: dict[str, Any],
        *,
        keep_alive: bool,
        needs_continue: bool,
        default_headers: list[Header],
    ) -> None:
        self.protocol = protocol
        self.scope = scope
        self.keep_alive = keep_alive
        self.needs_continue = needs_continue
        self.on_disconnect: Callable[[], None] | None = None
        self.task: asyncio.Task[None] | None = None
        self.owner: Owner | None = None
        self.disconnected = False
        self.started = False
        self.complete = False
        self.body_complete = False
        self.at_line_end = False
        self._is_head = scope["method"] == "HEAD"
        self._http11 = scope["http_version"] == "1.1"
        self._default_headers = default_headers
        self._parts: list[bytes] = []
        self._size = 0
        self._ready = False
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._pending: tuple[int, list[Header]] | None = None
        self._chunked = False
        self._events = False  # the answer is an event stream
        self._left: int | None = None  # body bytes still owed to a declared Content-Length

    # --- from the connection ------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Takes body bytes; pauses the connection when the application does not read them."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > _HIGH_WATER:
            self.protocol.pause_reading()
        self._wake()

    def feed_end(self) -> None:
        """The body is complete."""
        self.body_complete = True
        self._wake()

    def interrupt(self, error: Exception) -> None:
        """Makes `receive()` raise `error`, once: the rest of the body is not wanted."""
        self._error = error
        self._wake()

    def lost(self) -> None:
        """The client is gone. Calls `on_disconnect` once if an answer was still owed."""
        if self.disconnected or self.complete:
            return
        self.disconnected = True
        self._wake()
        callback, self.on_disconnect = self.on_disconnect, None
        if callback is not None:
            callback()

    def _wake(self) -> None:
        self._ready = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- the application's task ---------------------------------------------------------------

    async def run(self, app: Callable[..., Any]) -> None:
        """Runs the application and makes sure that the client gets an answer or a closed door."""
        protocol = self.protocol
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            protocol.abort()
            raise
        except Exception:
            _log.exception("the application failed")
            self._failed()
        else:
            if not self.complete and not self.disconnected and self.owner is None:
                _log.error("the application returned before its answer was complete")
                self._failed()
        finally:
            if self.task is not None:
                protocol.tasks.discard(self.task)
            # End the circles of references: a request must not wait for the garbage collector.
            self.task = None
            self.scope.pop("extensions", None)

    def _failed(self) -> None:
        if self.disconnected or self.complete:
            return
        if self.started:
            self.protocol.abort()  # a cut connection is the only way left to say so
            return
        status, headers, body = self.protocol.error(
            "internal_error", "the gateway failed to serve this request"
        )
        self.keep_alive = False
        self._pending = None
        self.answer(status, headers, body)

    # --- ASGI ---------------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """ASGI receive: body events, then `http.disconnect`."""
        protocol = self.protocol
        if self.needs_continue:
            self.needs_continue = False
            if not self.started and not self.disconnected:
                protocol.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._ready and not self.disconnected and not self.complete:
            protocol.resume_reading()
            self._waiter = protocol.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._ready = False
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        if self._error is not None:
            error, self._error = self._error, None
            self._parts = []
            try:
                raise error
            finally:
                del error  # or it, and the body that its traceback leads to, would hold each other
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)  # the first is the usual case
        self._parts = []
        self._size = 0
        return {"type": "http.request", "body": body, "more_body": not self.body_complete}

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI send. The head is held back until the first body event, to go out with it."""
        kind = message["type"]
        if kind == "http.response.start":
            if self._pending is not None or self.started:
                raise RuntimeError("the answer was started twice")
            headers = [(name.lower(), value) for name, value in message.get("headers", ())]
            for name, value in headers:
                if _BAD_NAME.search(name) or not name or _BAD_VALUE.search(value):
                    raise RuntimeError("invalid header in the application's answer")
            self._pending = (message["status"], headers)
            return
        if kind != "http.response.body":
            raise RuntimeError(f"unexpected ASGI message {kind!r}")
        if self.complete:
            raise RuntimeError("the answer is already complete")
        body = message.get("body", b"")
        more = message.get("more_body", False)
        if not self.started:
            if self._pending is None:
                raise RuntimeError("the body was sent before the start of the answer")
            status, headers = self._pending
            self._pending = None
            if not more and not any(name == b"content-length" for name, _ in headers):
                headers.append((b"content-length", b"%d" % len(body)))
            self.start(status, headers, body)
        elif body:
            self.write(body)
        if not more:
            self.finish()
        elif self.protocol.write_paused:
            await self.until_writable()

    def vouch(self) -> None:
        """Says that the request has a key that can be used: its connection may take its time."""
        self.protocol.vouch_for(self)

    # --- the direct way -----------------------------------------------------------------------

    def add_headers(self, headers: Sequence[Header]) -> None:
        """Adds headers to the head that will be sent. Names in lower case."""
        self._default_headers = [*self._default_headers, *headers]

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Sends a whole answer in one write. `headers` need a content-length; names lower case."""
        self.start(status, headers, body)
        self.finish()

    def start(self, status: int, headers: Sequence[Header], body: bytes = b"") -> None:
        """Sends the head, with the first bytes of the body if there are any."""
        self.started = True
        self.needs_continue = False
        if self.disconnected:
            return
        out = [STATUS_LINES[status]]
        has_body = not self._is_head and status >= 200 and status not in (204, 304)
        length: int | None = None
        closing = False
        for name, value in self._default_headers:
            out += (name, b": ", value, b"\r\n")
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection":
                closing = closing or value.lower() == b"close"
                continue
            elif name == b"content-type":
                self._events = value.startswith(b"text/event-stream")
            elif name == b"transfer-encoding":
                continue  # framing is decided here alone
            out += (name, b": ", value, b"\r\n")
        if has_body:
            self._left = length
            if length is None:
                if self._http11:
                    self._chunked = True
                    out.append(b"transfer-encoding: chunked\r\n")
                else:
                    closing = True  # HTTP/1.0: the end of the connection ends the body
        else:
            self._left = 0
        if closing or not self.body_complete:
            # What is left of an unread body would be taken for the next request.
            self.keep_alive = False
        if not self.keep_alive:
            out.append(b"connection: close\r\n")
        out.append(b"\r\n")
        if body and has_body:
            self._frame(body, out)
        self.protocol.write(b"".join(out))

    def write(self, body: bytes) -> None:
        """Sends more of the body. Wait with `until_writable()` while `protocol.write_paused`."""
        if self.disconnected or not body or self._is_head:
            return
        if self._chunked:
            self.at_line_end = body.endswith(b"\n")
            self.protocol.write(b"%x\r\n%b\r\n" % (len(body), body))
            return
        out: list[bytes] = []
        self._frame(body, out)
        self.protocol.write(out[0])

    def _frame(self, body: bytes, out: list[bytes]) -> None:
        self.at_line_end = body.endswith(b"\n")
        if self._chunked:
            out += (b"%x\r\n" % len(body), body, b"\r\n")
            return
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0:
                raise RuntimeError("the answer is longer than its Content-Length")
        out.append(body)

    def detach(self, owner: Owner) -> None:
        """Lets go of the task and the request while the answer goes on: it may do so for minutes.

        From now on `owner` writes the answer and calls `finish()`, also where the client is gone.
        """
        self.owner = owner
        self.scope = _NO_SCOPE
        self.protocol.tasks.add(owner)
        self.protocol.forget_request()

    def finish(self) -> None:
        """Ends the answer and hands the connection on."""
        owner, self.owner = self.owner, None
        if owner is not None:
            self.protocol.tasks.discard(owner)
        if self.complete:
            return
        if self.disconnected:
            self.complete = True
            return
        if not self.started:
            self.protocol.abort()  # there is no answer, and that is all that can be said
            return
        if self._chunked:
            self.protocol.write(b"0\r\n\r\n")
        elif self._left:
            raise RuntimeError("the answer is shorter than its Content-Length")
        self.complete = True
        self.on_disconnect = None
        self._wake()
        if owner is not None:
            self.protocol.ends_here(owner.request)
        self.protocol.cycle_done(self)

    async def until_writable(self) -> None:
        """Waits until the client has taken enough, or is gone."""
        while self.protocol.write_paused and not self.disconnected:
            await self.protocol.writable()

    def probe(self, index: int = 0) -> None:
        """Finds out whether a client that sent FIN is gone or has only closed its write side.

        Sends bytes that mean nothing, where some are safe to send, now and a few times more: a
        client that is gone answers with a reset.
        """
        protocol = self.protocol
        if self.disconnected or self.complete:
            return
        if self._http11:
            if not self.started:
                protocol.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            elif self._chunked and self._events and self.at_line_end:
                protocol.write(b"2\r\n:\n\r\n")  # an SSE comment
        if index + 1 < len(_PROBE_TIMES):
            delay = _PROBE_TIMES[index + 1] - _PROBE_TIMES[index]
            protocol.loop.call_later(delay, self.probe, index + 1)
