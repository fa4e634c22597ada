"""HTTP/1.1 heads as bytes: parsing a request's, writing a response's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


class BadRequestError(Exception):
    """The bytes are not a request this server can answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse_head(head: bytes) -> tuple[str, str, str, list[tuple[str, str]]]:
    """Parse a request head: method, target, version ("1.1" or "1.0"), headers.

    Raises:
        BadRequestError: if it is not a request head.
    """
    first, *rest = head.decode("latin-1").lstrip("\r\n").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequestError(400, "the first line is not an HTTP/1.1 request")
    headers = []
    for line in rest:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequestError(400, "a header line has no name")
        headers.append((name, value.strip()))
    return parts[0], parts[1], parts[2][5:], headers


def format_head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The bytes of a response head, header lines as given."""
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def pairs(headers: Headers) -> Iterable[tuple[str, str]]:
    return headers.items() if isinstance(headers, Mapping) else headers
