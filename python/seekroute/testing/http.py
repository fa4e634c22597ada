"""A minimal HTTP/1.1 server that can misbehave on purpose.

A general HTTP library refuses to send bad bytes, half a body or a reset; this one sends what a
reply tells it to, and notes when the client goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Protocol

from seekroute.testing.records import RecordedRequest, Recorder
from seekroute.testing.shapes import dump, error_body
from seekroute.testing.wire import BadRequestError, Headers, format_head, pairs, parse_head

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 64 * 1024 * 1024
# Size line of one chunk and its extensions.
MAX_CHUNK_LINE_BYTES = 4096
# Bytes received but not yet parsed; reading pauses above it. A client that pipelines more than
# this behind an unfinished reply is not noticed to disconnect until that reply ends.
MAX_UNPARSED_BYTES = 1024 * 1024
# Time given to a client to read a refusal before its connection closes, in seconds.
LINGER_SECONDS = 1.0
# Looks at the send queue, mostly 1 ms apart: a client that does not read is not waited for longer.
MAX_SETTLE_TURNS = 1000


class Queued(Enum):
    """Bytes in a socket's send queue, by the Linux ioctl that counts them."""

    UNACKNOWLEDGED = 0x5411  # SIOCOUTQ
    UNSENT = 0x894B  # SIOCOUTQNSD


class Exchange:
    """One request and the wire its reply goes to. Not thread-safe: used on the server's loop.

    A reply calls either `respond`, or `start_stream`, `chunk` … `end_stream`, or the raw
    operations `head`, `send`, `fin`, `rst`, `hang`.
    """

    def __init__(self, request: RecordedRequest, connection: Connection) -> None:
        self.request = request
        self.closed = False
        self._connection = connection
        self._chunked = False
        self._started = False
        self._done = False

    @property
    def started(self) -> bool:
        """Whether any byte of a reply was sent."""
        return self._started

    @property
    def origin(self) -> str:
        """The scheme, host and port the client reached, for URLs inside an answer."""
        host, port = self._connection.local_address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole response with its Content-Length; the connection stays usable."""
        lines = [*pairs(headers), ("content-length", str(len(body)))]
        await self.send(format_head(status, lines) + body)
        self._finish()

    async def start_stream(self, status: int, headers: Headers) -> None:
        """Send the head of a response whose body comes in chunks (chunked transfer coding)."""
        lines = list(pairs(headers))
        self._chunked = self.request.http_version == "1.1"
        if self._chunked:
            lines.append(("transfer-encoding", "chunked"))
        else:
            lines.append(("connection", "close"))
        await self.send(format_head(status, lines))

    async def chunk(self, data: bytes) -> None:
        """Send one chunk of the body that `start_stream` began; empty data sends nothing."""
        if not data:
            return
        await self.send(b"%x\r\n%s\r\n" % (len(data), data) if self._chunked else data)
        await asyncio.sleep(0)  # an endless reply must not starve the other connections

    async def end_stream(self) -> None:
        """End the body that `start_stream` began."""
        if not self._chunked:
            await self.fin()
            return
        await self.send(b"0\r\n\r\n")
        self._finish()

    async def head(self, status: int, headers: Headers) -> None:
        """Send a head as given; without Content-Length the body ends when the connection does."""
        lines = list(pairs(headers))
        if not any(name.lower() == "connection" for name, _ in lines):
            lines.append(("Connection", "close"))
        await self.send(format_head(status, lines))

    async def send(self, data: bytes) -> None:
        """Send bytes verbatim and wait until the operating system has taken them all."""
        self._started = True
        await self._connection.write(data)

    async def send_segment(self, data: bytes) -> None:
        """Send bytes as a TCP segment of their own (Linux; elsewhere the system may join two).

        Without the wait, a full congestion window would join several to one segment.
        """
        await self.send(data)
        await self._connection.settle(Queued.UNSENT)

    async def fin(self) -> None:
        """Close the connection in order (FIN), after everything that was sent."""
        self._finish()
        self.closed = True
        self._connection.close()

    async def rst(self) -> None:
        """Reset the connection (RST), after everything that was sent has reached the client."""
        await self._connection.settle(Queued.UNACKNOWLEDGED)
        self._finish()
        self.closed = True
        self._connection.reset()

    async def hang(self) -> None:
        """Send nothing more; ends when the client disconnects or the server stops."""
        await asyncio.get_running_loop().create_future()

    @property
    def done(self) -> bool:
        """Whether the reply was sent to its end."""
        return self._done

    def _finish(self) -> None:
        self._done = True
        self._connection.completed(self.request)


Handler = Callable[[Exchange], Awaitable[None]]


class Server(Protocol):
    """What a connection needs of the server it belongs to."""

    handler: Handler
    recorder: Recorder
    connections: set[Connection]


class Connection(asyncio.Protocol):
    """One client connection: parses requests and runs the handler for each, in order."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = False
        self._reading_paused = False
        self._number = 0
        self._current: RecordedRequest | None = None
        self._transport: asyncio.Transport
        self.task: asyncio.Task[None]

    # --- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # With a limit of 0 "writable" means that the operating system has taken every byte.
        transport.set_write_buffer_limits(0)
        self._number = self._server.recorder.connection_opened()
        self._server.connections.add(self)
        self.task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MAX_UNPARSED_BYTES:
            self._reading_paused = True
            self._transport.pause_reading()
        self._arrived.set()

    def eof_received(self) -> bool:
        # A client that only half-closes cannot be told from one that went away; both count as
        # gone, because noticing the second at once is what tests need.
        self._client_gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._client_gone()
        self._server.connections.discard(self)
        self._server.recorder.connection_closed()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # --- used by Exchange

    @property
    def local_address(self) -> tuple[str, int]:
        address = self._transport.get_extra_info("sockname")
        return str(address[0]), int(address[1])

    async def write(self, data: bytes) -> None:
        if self._lost:
            raise ConnectionResetError("the client is gone")
        self._transport.write(data)
        await self._writable.wait()
        if self._lost:
            raise ConnectionResetError("the client is gone")

    async def settle(self, what: Queued) -> None:
        """Wait (bounded) until the system's send queue holds no byte that is `what`."""
        if sys.platform != "linux":
            return
        import fcntl

        sock = self._transport.get_extra_info("socket")
        for turn in range(MAX_SETTLE_TURNS):
            if self._lost:
                raise ConnectionResetError("the client is gone")
            queued = fcntl.ioctl(sock.fileno(), what.value, b"\0\0\0\0")
            if struct.unpack("i", queued)[0] == 0:
                return
            # The first turns cost no time: on the loopback the answer is mostly there at once.
            await asyncio.sleep(0 if turn < 10 else 0.001)

    def completed(self, request: RecordedRequest) -> None:
        self._current = None
        self._server.recorder.complete(request)

    def close(self) -> None:
        self._transport.close()

    def reset(self) -> None:
        # SO_LINGER with a time of 0 makes close() send RST.
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def stop(self) -> None:
        """Drop the connection because the server stops; its request does not count as aborted."""
        self._current = None
        self._lost = True
        self.task.cancel()
        self._transport.abort()

    # --- serving

    def _client_gone(self) -> None:
        if self._lost:
            return
        self._lost = True
        self._arrived.set()
        self._writable.set()
        if self._current is not None:
            self._abort()
            self.task.cancel()
            self._transport.abort()

    def _abort(self) -> None:
        if self._current is not None:
            self._server.recorder.abort(self._current)
            self._current = None

    async def _serve(self) -> None:
        try:
            await self._serve_all()
        except ConnectionError:
            pass  # the client went away, which its record says
        except Exception as error:
            context = {"message": "the mock provider failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
        finally:
            self._transport.close()

    async def _serve_all(self) -> None:
        try:
            while await self._serve_one():
                pass
        except BadRequestError as bad:
            await self._refuse(bad)

    async def _serve_one(self) -> bool:
        """Answer one request; returns whether the connection may carry another."""
        request = await self._read_request()
        if request is None:
            return False
        self._current = request
        self._server.recorder.add(request)
        if self._lost:  # the request and the client's goodbye came together
            self._abort()
            return False
        exchange = Exchange(request, self)
        await self._server.handler(exchange)
        if not exchange.done and not exchange.closed:
            await exchange.fin()
        wants_close = "close" in request.headers.get("connection", "").lower()
        return not (exchange.closed or wants_close or request.http_version != "1.1")

    async def _refuse(self, bad: BadRequestError) -> None:
        body = dump(error_body(str(bad)))
        lines = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        with contextlib.suppress(ConnectionError, EOFError, TimeoutError):
            await self.write(format_head(bad.status, lines) + body)
            self._transport.write_eof()
            # Closing with unread input would reset the connection and lose the refusal.
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._lost:
                    self._consume(len(self._buffer))
                    await self._more()

    async def _read_request(self) -> RecordedRequest | None:
        """The next request, or None when the client closed the connection before one."""
        try:
            head = await self._take_until(b"\r\n\r\n", MAX_HEAD_BYTES, 431)
        except EOFError:
            return None
        method, target, version, headers = parse_head(head)
        by_name = {name.lower(): value for name, value in headers}
        if by_name.get("expect", "").lower() == "100-continue":
            await self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = await self._read_body(by_name)
        except EOFError:
            return None
        return RecordedRequest(method, target, headers, body, self._number, version)

    async def _read_body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._read_chunked()
        length_text = headers.get("content-length", "0")
        if not (length_text.isascii() and length_text.isdigit()) or len(length_text) > 18:
            raise BadRequestError(400, "Content-Length is not a number")
        if int(length_text) > MAX_BODY_BYTES:
            raise BadRequestError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
        return await self._take(int(length_text))

    async def _read_chunked(self) -> bytes:
        body = bytearray()
        while True:
            line = await self._take_until(b"\r\n", MAX_CHUNK_LINE_BYTES, 400)
            try:
                size = int(line.split(b";")[0].strip(), 16)
            except ValueError:
                raise BadRequestError(400, "bad chunk size") from None
            if size < 0 or len(body) + size > MAX_BODY_BYTES:
                raise BadRequestError(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
            if size == 0:
                break
            body += await self._take(size)
            if await self._take(2) != b"\r\n":
                raise BadRequestError(400, "a chunk does not end with CR LF")
        trailer_bytes = 0
        while line := await self._take_until(b"\r\n", MAX_CHUNK_LINE_BYTES, 400):
            trailer_bytes += len(line)
            if trailer_bytes > MAX_HEAD_BYTES:
                raise BadRequestError(431, "the trailers are too large")
        return bytes(body)

    async def _take(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            if not self._buffer:
                await self._more()
            wanted = size - len(parts)
            parts += self._buffer[:wanted]
            self._consume(wanted)
        return bytes(parts)

    async def _take_until(self, marker: bytes, limit: int, status: int) -> bytes:
        searched = 0
        while (end := self._buffer.find(marker, searched)) < 0:
            if len(self._buffer) > limit:
                raise BadRequestError(status, f"a line or head is larger than {limit} bytes")
            searched = max(0, len(self._buffer) - len(marker) + 1)
            await self._more()
        if end > limit:
            raise BadRequestError(status, f"a line or head is larger than {limit} bytes")
        taken = bytes(self._buffer[:end])
        self._consume(end + len(marker))
        return taken

    def _consume(self, size: int) -> None:
        del self._buffer[:size]
        if self._reading_paused and len(self._buffer) <= MAX_UNPARSED_BYTES:
            self._reading_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    async def _more(self) -> None:
        """Wait for more bytes; raises EOFError when none can come."""
        if self._lost:
            raise EOFError
        before = len(self._buffer)
        self._arrived.clear()
        await self._arrived.wait()
        if self._lost and len(self._buffer) == before:
            raise EOFError
