"""The HTTP/1.1 protocol that uvicorn runs: httptools with deadlines and bounds.

uvicorn's own waits for ever for headers and bodies, buffers an endless header line, queues any
number of pipelined requests and takes a half-closed connection for a lost one. This class has the
interface uvicorn needs (constructor, `shutdown()`, the shared server state) and decides these.

Easy to get wrong: a client that closes and one that only shuts its write side look the same, both
send FIN. The second is still to be served. Bytes without meaning are sent a few times: a client
that is gone answers with a reset, within a round trip.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

import httptools
from uvicorn.config import Config
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from seekroute.api.table import PROBES
from seekroute.server.closing import Turns
from seekroute.server.connection import BULK, State
from seekroute.server.connection_table import ConnectionTable
from seekroute.server.cycle import Cycle, Header, closing_answer, http_scope
from seekroute.server.framing import (
    FRAMING_HEADERS,
    LEAST_CHUNK,
    MOST_SMALL_CHUNKS,
    Refused,
    check_framing,
    check_target,
    check_version,
    chunks_too_small,
    headers_too_large,
    too_many_connections,
    unknown_method,
)
from seekroute.server.limits import Limits
from seekroute.server.offers import read_behind_head
from seekroute.server.place import PlacedConnection

if TYPE_CHECKING:
    from seekroute.server.undelivered import Settled

# (code, message) -> status, headers, body of the error in the API's envelope.
Refuser = Callable[[str, str], tuple[int, list[Header], bytes]]

# Bytes of a chunked body given to the parser at once. One step without any sign of progress means
# that a chunk extension or a trailer line is at least this long.
_CHUNKED_STEP: Final = 2048

# The request line's method and version, and blank lines before it.
_REQUEST_LINE_SLACK: Final = 64

_MIB: Final = 1024 * 1024
_PROBES: Final = frozenset(path.encode() for path in PROBES)
_NO_HEADERS: Final[list[Header]] = []  # never changed: a request begins with lists of its own


class HttpProtocol(PlacedConnection):
    """One client connection. Event loop thread only. Made by `protocol_class()`."""

    __slots__ = (
        "_body_since", "_body_size", "_chunks", "_cycle", "_framing", "_head_fed",
        "_head_size", "_headers", "_length", "_reading", "_refused", "_silent", "_target",
        "_trailer_size", "_waiting", "app_state", "application", "client", "connections", "parser",
        "root_path", "scheme", "server", "server_state", "tasks",
    )  # fmt: skip

    # Set by `protocol_class()`: makes the answer to what does not reach the application.
    refuser: ClassVar[Refuser]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(_loop or asyncio.get_event_loop())
        self.application: Callable[..., Any] = config.loaded_app
        self.server_state = server_state
        self.connections: set[Any] = server_state.connections
        self.tasks: set[Any] = server_state.tasks
        self.root_path = config.root_path
        self.app_state = app_state
        self.parser: Any = None  # made for the first byte

        self._cycle: Cycle | None = None  # the one being answered
        self._reading: Cycle | None = None  # the one whose body is being received
        self._waiting: list[Cycle] = []  # at most max_pipelined

        self._target = b""
        self._headers = self._framing = _NO_HEADERS
        self._head_size = self._head_fed = 0  # of the fields seen; given to the parser in the head
        self._length: int | None = 0  # of the body being received; None: chunked
        # Bytes of a chunked body since the parser last made progress.
        self._silent = self._body_size = self._trailer_size = self._chunks = 0
        self._body_since = 0.0
        self._refused: Refused | None = None

    # --- connection -------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.server = get_local_addr(self.transport)
        self.client = get_remote_addr(self.transport)
        self.scheme = "https" if is_ssl(self.transport) else "http"
        self.connections.add(self)
        patience = self._take_place(self.client, len(self.connections))
        if patience:
            self._wait_for_head(patience)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._state = State.CLOSED
        self.connections.discard(self)
        cycles = [self._cycle, *self._waiting]
        self._waiting.clear()
        for cycle in cycles:
            if cycle is not None:
                cycle.lost()
        self.parser = None  # it holds a reference to this object

    def eof_received(self) -> bool:
        self._input_ended = True
        if self._state != State.ANSWERING:
            return False  # nothing complete to answer: let the transport close
        self._end_input()
        if self._cycle is not None:
            self._cycle.probe()
        return True

    def shutdown(self) -> None:
        """Called by uvicorn when it stops: idle connections go, answers are finished."""
        if self.busy:
            self._end_input()
        elif self._state < State.LINGER:
            self._close()

    def refuse_unfinished(self) -> None:
        """Ends the wait for the rest of a request: the server stops."""
        if self._state in (State.HEAD, State.BODY):
            self._refuse(Refused("shutting_down", "the gateway is stopping; try again"))

    def cut(self) -> list[Settled]:
        """Ends the connection if an answer on it is not delivered. Returns which are not."""
        cycles = [each for each in (self._cycle, *self._waiting) if each is not None]
        owed = self.undelivered()
        owed += [each.owner.request for each in cycles if each.owner is not None]
        if owed or cycles:
            self.abort()
        return owed

    @property
    def busy(self) -> bool:
        """Whether an answer is owed on this connection."""
        return self._cycle is not None or bool(self._waiting)

    # --- reading ----------------------------------------------------------------------------------

    def _in_bulk(self) -> bool:
        return self._discard or (self._state == State.BODY and self._length is not None)

    def data_received(self, data: bytes) -> None:
        if self._discard or self._state >= State.LINGER:
            self._throw_away()
            return
        position = 0
        try:
            while position < len(data) and not self._discard:
                position += self._feed(data, position)
        except httptools.HttpParserInvalidMethodError:
            self._refuse(unknown_method(data))
        except httptools.HttpParserError:
            refused, self._refused = self._refused, None
            self._refuse(refused or Refused("invalid_request", "malformed HTTP request"))
        if self._begun:
            self._settle_place(whole=self._cycle is not None and self._cycle.body_complete)

    def _feed(self, data: bytes, start: int) -> int:
        """Gives the parser as much from `start` as may be given at once. Returns how much."""
        limits = self.limits
        if self.parser is None:
            self.parser = httptools.HttpRequestParser(self)
        view = memoryview(data)[start:]
        if self._state == State.BODY:
            if self._length is not None:
                return self._parse(view)
            step = view[:_CHUNKED_STEP]
            self._silent += len(step)
            taken = self._parse(step)
            if self._silent >= _CHUNKED_STEP:
                self._refused = Refused("invalid_request", "chunk extension or trailer too long")
                raise httptools.HttpParserError("chunk")
            return taken
        if self._state != State.HEAD and data[start] in b"\r\n":
            return self._skip_blank_lines(data, start)
        # Before or in a head: the parser keeps an unfinished header line, so bound what it gets.
        budget = limits.max_target_bytes + limits.max_header_bytes + _REQUEST_LINE_SLACK
        size = max(budget - self._head_fed, 1)
        if len(view) > _CHUNKED_STEP:
            # Stop after this head: a chunked body behind it goes in smaller steps.
            end = data.find(b"\r\n\r\n", start)
            if end >= 0:
                size = min(size, end + 4 - start)
        step = view[:size]
        self._head_fed += len(step)
        taken = self._parse(step)
        if self._length is None and self._state != State.HEAD and not self._body_size:
            self._silent = taken - max(data.find(b"\r\n\r\n", start) + 4 - start, 0)
        if self._state == State.HEAD:
            if self._head_fed >= budget:
                self._refused = headers_too_large(limits)
                raise httptools.HttpParserError("head")
            if self._target and self.parser.get_http_version() == "0.9":
                self._refused = Refused("invalid_request", "HTTP/0.9 is not served", status=505)
                raise httptools.HttpParserError("version")
        return taken

    def _parse(self, piece: memoryview) -> int:
        # Returns how much of `piece` was taken.
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as offer:
            read_behind_head(self, self._length)
            return int(offer.args[0])
        return len(piece)

    def _skip_blank_lines(self, data: bytes, start: int) -> int:
        # The parser would skip any number of them, in the smallest of steps.
        size = len(data) - start - len(data[start:].lstrip(b"\r\n"))
        self._head_fed += size
        if self._head_fed > _REQUEST_LINE_SLACK:
            self._refused = Refused("invalid_request", "too many blank lines before a request")
            raise httptools.HttpParserError("blank lines")
        return size

    def _stop(self, refused: Refused) -> None:
        # An exception inside a callback stops the parser, which wraps it; keep the reason.
        self._refused = refused
        raise refused

    # --- parser callbacks -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._discard:
            self._stop(Refused("invalid_request", "data after the last request"))
        self._target = b""
        self._headers, self._framing = [], []
        self._head_size = 0
        self._receive_first()
        self._state = State.HEAD

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self.limits.max_target_bytes:
            longest = self.limits.max_target_bytes
            self._stop(Refused("uri_too_long", f"the target is longer than {longest} bytes"))

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name) + len(value) + 4
        if self._state == State.BODY:
            # Trailers are bounded and dropped: nothing sent after the checks may look checked.
            self._silent = 0
            self._trailer_size += size
            if self._trailer_size > self.limits.max_trailer_bytes:
                self._stop(Refused("invalid_request", "the trailers are too long"))
            return
        self._head_size += size
        headers = self._headers
        if (
            self._head_size > self.limits.max_header_bytes
            or len(headers) >= self.limits.max_header_fields
        ):
            self._stop(headers_too_large(self.limits))
        name = name.lower()
        if name in FRAMING_HEADERS:
            self._framing.append((name, value))
        headers.append((name, value.rstrip(b" \t")))  # llhttp takes away what is before it alone

    def on_headers_complete(self) -> None:
        try:
            self._begin()
        except Refused as refused:
            self._stop(refused)

    def _begin(self) -> None:
        parser = self.parser
        version = parser.get_http_version()
        check_version(version)
        method, target = parser.get_method(), self._target
        if method == b"CONNECT":
            raise Refused("method_not_allowed", "this is not a proxy", allow=b"GET, POST")
        check_target(target)
        if self._probes_only and target.partition(b"?")[0] not in _PROBES:
            raise too_many_connections()
        length, needs_continue = check_framing(version, self._framing)
        if len(self._waiting) >= self.limits.max_pipelined:
            raise Refused("invalid_request", "too many pipelined requests")
        scope = http_scope(
            method=method,
            target=target,
            version=version,
            headers=self._headers,
            root_path=self.root_path,
            state=self.app_state.copy(),
            ends=(self.scheme, self.client, self.server),
        )
        cycle = Cycle(
            self,
            scope,
            keep_alive=version == "1.1" and parser.should_keep_alive() and not self._probes_only,
            needs_continue=needs_continue,
            default_headers=self.server_state.default_headers,
        )
        scope["extensions"] = {"seekroute": cycle}
        self._reading = cycle
        self._length = length
        self._silent = self._body_size = self._trailer_size = self._chunks = 0
        self._state = State.BODY
        if length != 0:
            self._body_since = self.loop.time()
            self._deadline = self._body_since + self.limits.body_s
            self._arm(self._deadline)
        if self._cycle is None and self.on_writable is None:
            self._start(cycle)
        else:
            self._waiting.append(cycle)
            self.pause_reading()

    def _start(self, cycle: Cycle) -> None:
        self._cycle = cycle
        cycle.task = task = self.loop.create_task(cycle.run(self.application))
        self.tasks.add(task)

    def vouch_for(self, cycle: Cycle) -> None:
        """The request of `cycle` has a key that can be used."""
        if cycle is self._cycle:
            self.table.vouch(self)

    def forget_request(self) -> None:
        """Lets go of the last request's head, unless a next one has begun."""
        if self._state == State.ANSWERING:
            self._target = b""
            self._headers = self._framing = _NO_HEADERS

    def rest(self) -> None:
        """Lets go of the parser, unless it has begun a next request: a long answer is given."""
        if self._state == State.ANSWERING:
            self.parser = None

    def on_body(self, body: bytes) -> None:
        self._silent = 0
        self._body_size += len(body)
        if self._reading is not None and not self._reading.complete:
            self._reading.feed(body)

    def on_chunk_header(self) -> None:
        self._silent = 0
        self._chunks += 1
        if self._chunks > MOST_SMALL_CHUNKS and self._body_size < LEAST_CHUNK * (self._chunks - 1):
            self._stop(chunks_too_small())

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # the head alone is complete: see offers.py
        cycle, self._reading = self._reading, None
        self._head_fed = 0
        self._state = State.ANSWERING
        self._deadline = 0.0
        if cycle is not None:
            self._discard = self._discard or not cycle.keep_alive
            cycle.feed_end()

    # --- refusals ---------------------------------------------------------------------------------

    def _end_input(self) -> None:
        """Nothing more is read; the last request's answer closes the connection."""
        self._discard = True
        last = self._waiting[-1] if self._waiting else self._cycle
        if last is not None:
            last.keep_alive = False

    def error(self, code: str, message: str) -> tuple[int, list[Header], bytes]:
        """Status, headers and body of an error."""
        return type(self).refuser(code, message)

    def _refuse(self, refused: Refused) -> None:
        """Refuses the request being received."""
        if self._discard:
            return
        reading, self._reading = self._reading, None
        if reading is not None and reading is self._cycle:
            # Its application is running. Take the answer out of its hands, unless it has begun.
            if reading.started:
                self.abort()
                return
            self._cycle = None
            reading.lost()
        elif self.busy or self.on_writable is not None:
            # Earlier requests are answered first; then the connection closes without this answer.
            if reading is not None and self._waiting and self._waiting[-1] is reading:
                self._waiting.pop()
            self._end_input()
            return
        self._refuse_now(refused)

    def _refuse_now(self, refused: Refused) -> None:
        status, headers, body = self.error(refused.code, refused.message)
        headers = [*self.server_state.default_headers, *headers]
        if refused.allow:
            headers.append((b"allow", refused.allow))
        self.write(closing_answer(refused.status or status, headers, body))
        self._linger()

    # --- answers ----------------------------------------------------------------------------------

    def cycle_done(self, cycle: Cycle) -> None:
        """The answer of `cycle` has been given to the transport."""
        self.server_state.total_requests += 1
        if self._state >= State.LINGER or cycle is not self._cycle:
            return
        if not cycle.body_complete or not cycle.keep_alive:
            self._linger()
        else:
            self._next()

    def _next(self) -> None:
        self._cycle = None
        if self._state >= State.LINGER:
            return
        if self.write_paused:
            # Answers that nobody takes must not pile up: no other request is read or begun.
            self.pause_reading()
            self.on_writable = self._next
            return
        if self._waiting or self._state in (State.HEAD, State.BODY):
            self._counts_anew()
        if self._waiting:
            self._start(self._waiting.pop(0))
            if not self._waiting:
                self.resume_reading()
            return
        self.resume_reading()
        if self._discard:
            self._linger()
        elif self._state == State.ANSWERING:
            self._state = State.IDLE
            self.table.rest(self._address, self)
            self._deadline = self.loop.time() + self.limits.keep_alive_s
            self._arm(self._deadline)

    def resume_reading(self) -> None:
        """Reads again, unless requests are waiting for their turn."""
        if not self._waiting:
            super().resume_reading()

    # --- time -------------------------------------------------------------------------------------

    def _expired(self, now: float) -> None:
        if self._state in (State.FRESH, State.IDLE):
            self._close()
        elif self._state == State.HEAD:
            self._refuse(Refused("request_timeout", "the headers did not arrive in time"))
        elif self._state == State.BODY:
            allowed = self.limits.body_s + self._body_size / _MIB * self.limits.body_s_per_mib
            if self._read_paused:
                self._body_since = now  # it is us who do not read
            elif now >= self._body_since + allowed:
                self._refuse(Refused("request_timeout", "the body did not arrive in time"))
                return
            self._deadline = self._body_since + allowed


def protocol_class(
    limits: Limits, refuse: Refuser, table: ConnectionTable | None = None
) -> type[HttpProtocol]:
    """Makes the class to give to `uvicorn.Config(http=...)`.

    Args:
        limits: bounds and deadlines of its connections.
        refuse: makes the answer for requests that do not reach the application.
        table: where its connections are counted. Default: one of its own.
    """
    return type(
        "BoundHttpProtocol",
        (HttpProtocol,),
        {
            "__slots__": (),
            "limits": limits,
            "refuser": staticmethod(refuse),
            "table": table or ConnectionTable(limits),
            "turns": Turns(),
            "room": memoryview(bytearray(BULK)),
        },
    )
