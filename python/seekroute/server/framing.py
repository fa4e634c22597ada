"""Checks of a request's head that the parser leaves open.

llhttp refuses bare CR and LF, folded headers, bad names, two or non-numeric Content-Length, and
Transfer-Encoding beside Content-Length. What it lets pass and a gateway must not (other transfer
codings, versions other than 1.0 and 1.1, odd targets, Host) is refused here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from seekroute.server.limits import Limits

# reg-name or IPv4, or a bracketed IPv6 address; then a port. No userinfo, no path, no space.
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_LENGTH: Final = re.compile(rb"[0-9]{1,19}")
_MAX_LENGTH: Final = 2**63 - 1
_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?: |\Z)")

# Each chunk is work, whatever is in it. So many a body may have however small they are: a program
# that writes one word by word sends some thousands. Of more, each has so many bytes on average.
MOST_SMALL_CHUNKS: Final = 16 * 1024
LEAST_CHUNK: Final = 64

# Headers that decide how a message is framed or routed; the protocol keeps these apart.
FRAMING_HEADERS: Final = frozenset({b"content-length", b"expect", b"host", b"transfer-encoding"})


class Refused(Exception):
    """The request cannot be served; the connection is closed after the answer.

    `code` is a wire name of the core's error table. `status` overrides the table's where HTTP asks
    for one that no API error has (417, 505). `allow` is the Allow header of a 405.
    """

    def __init__(self, code: str, message: str, *, status: int = 0, allow: bytes = b"") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.allow = allow


def unknown_method(data: bytes) -> Refused:
    """Why bytes are refused that begin with no method the parser knows."""
    if _METHOD.match(data.lstrip(b"\r\n")):
        return Refused("method_not_allowed", "unknown method", allow=b"GET, POST")
    return Refused("invalid_request", "this is not an HTTP/1.1 request")


def headers_too_large(limits: Limits) -> Refused:
    """Why a head is refused that is larger than `limits` let one be."""
    size, fields = limits.max_header_bytes, limits.max_header_fields
    message = f"the headers are larger than {size} bytes or more than {fields} fields"
    return Refused("headers_too_large", message)


def too_many_connections() -> Refused:
    """Why a connection is refused where others have all the places."""
    return Refused("overloaded", "too many connections; try again later")


def chunks_too_small() -> Refused:
    """Why a body is refused that comes in ever more chunks with next to nothing in them."""
    message = (
        f"the body comes in more than {MOST_SMALL_CHUNKS} chunks of less than {LEAST_CHUNK} bytes "
        "each: send larger chunks, or a Content-Length"
    )
    return Refused("invalid_request", message)


def check_target(target: bytes) -> None:
    """Refuses every request target but origin form.

    Raises:
        Refused: absolute form, authority form, asterisk, or a fragment.
    """
    if not target.startswith(b"/"):
        raise Refused("invalid_request", "the request target must be a path that starts with '/'")
    if b"#" in target:
        raise Refused("invalid_request", "the request target must not have a fragment")


def check_version(version: str) -> None:
    """Refuses what is neither HTTP/1.0 nor HTTP/1.1.

    Raises:
        Refused: with status 505.
    """
    if version not in ("1.1", "1.0"):
        raise Refused("invalid_request", "only HTTP/1.0 and HTTP/1.1 are served", status=505)


def check_framing(version: str, headers: list[tuple[bytes, bytes]]) -> tuple[int | None, bool]:
    """Reads the framing headers of one request.

    Args:
        version: "1.0" or "1.1".
        headers: those of `FRAMING_HEADERS` that were sent, names in lower case.

    Returns:
        The declared body size (None for a chunked body, 0 when there is none), and whether the
        client waits for `100 Continue`.

    Raises:
        Refused: bad Host, Content-Length, Transfer-Encoding or Expect.
    """
    hosts = 0
    length: int | None = 0
    lengths = codings = 0
    expects = False
    for name, value in headers:
        if name == b"host":
            hosts += 1
            if _HOST.fullmatch(value) is None:
                raise Refused("invalid_host", "the Host header is not a host name with a port")
        elif name == b"content-length":
            lengths += 1
            if _LENGTH.fullmatch(value) is None or int(value) > _MAX_LENGTH:
                raise Refused("invalid_request", "Content-Length is not a number of bytes")
            length = int(value)
        elif name == b"transfer-encoding":
            codings += 1
            if value.lower() != b"chunked":
                raise Refused("invalid_request", "the only transfer coding taken is 'chunked'")
            if version == "1.0":
                raise Refused("invalid_request", "HTTP/1.0 has no Transfer-Encoding")
            length = None
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise Refused(
                    "invalid_request", "the only expectation taken is '100-continue'", status=417
                )
            expects = version == "1.1"
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        raise Refused("invalid_host", "exactly one Host header is needed")
    if lengths + codings > 1:
        raise Refused("invalid_request", "more than one header says how long the body is")
    return length, expects
