"""Requests that offer another protocol (`Upgrade: h2c`): they are served as they are, in HTTP/1.1.

Programs on the JDK's HTTP client offer HTTP/2 with every request on plain http, bodies included. A
server may ignore an offer (RFC 9110, 7.8), but httptools takes such a request for ended with its
head. So a parser of its own begins where the head ended. It is told of the body's length by a head
that is made up, of which nobody hears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from seekroute.server.protocol import HttpProtocol


class _BehindHead:
    """The callbacks of a protocol, but for those of the first head."""

    def __init__(self, protocol: HttpProtocol) -> None:
        self._protocol = protocol
        self._in_head = True
        self.on_body = protocol.on_body
        self.on_chunk_header = protocol.on_chunk_header
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if not self._in_head:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._in_head:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._in_head:
            self._in_head = False
        else:
            self._protocol.on_headers_complete()


def read_behind_head(protocol: HttpProtocol, length: int | None) -> None:
    """Gives `protocol` a parser that expects the rest of a request whose head was read.

    Args:
        protocol: gets the callbacks of the body, and of all requests after it.
        length: bytes of the body, None where it is chunked. With 0 the request's end is told at
            once.
    """
    protocol.parser = parser = httptools.HttpRequestParser(_BehindHead(protocol))
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
