"""The file of a `Tape`: one exchange a line, to be read by people too."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from seekroute.testing.http import Exchange
from seekroute.testing.records import RecordedRequest

FORMAT = 1
# Largest file that is read or written; all of it is held in memory.
MAX_TAPE_BYTES = 256 * 1024 * 1024
# The only headers that reach the file. None of them can carry a credential.
KEPT_HEADERS = ("content-type", "retry-after", "retry-after-ms", "x-request-id")
# Parameters of a query that reach neither the file nor the upstream.
KEY_PARAMETERS = frozenset(
    ("access_token", "api-key", "api_key", "apikey", "key", "sig", "signature", "token")
)
# A shorter key is a word like "any", which would be cut out of innocent text.
MIN_KEY_LENGTH = 8
REMOVED = b"[removed]"


@dataclass(frozen=True)
class Asked:
    """One request in the form that is compared, forwarded and written."""

    method: str
    path: str  # below the base URL, with its query
    request: RecordedRequest
    digest: str

    @classmethod
    def of(cls, request: RecordedRequest) -> Asked:
        parts = urlsplit(request.target)
        path = "/" + parts.path.lstrip("/")
        if path == "/v1" or path.startswith("/v1/"):
            path = path[3:] or "/"
        query = [
            pair
            for pair in parse_qsl(parts.query, keep_blank_values=True)
            if pair[0].lower() not in KEY_PARAMETERS
        ]
        if query:
            path += "?" + urlencode(query)
        head = f"{request.method} {path}\n".encode()
        digest = hashlib.sha256(head + _canonical(request)).hexdigest()
        return cls(request.method, path, request, digest)

    def stored(self, key: str | None) -> dict[str, Any]:
        _, _, own = self.request.headers.get("authorization", "").partition(" ")
        body = _without(_without(self.request.body, key), own.strip())
        try:
            shown = json.loads(body)
        except (ValueError, RecursionError):
            shown = _text(body) if body else None
        return {
            "tape": FORMAT,
            "method": self.method,
            "path": _without(self.path.encode(), key).decode(),
            "digest": self.digest,
            "request": shown,
        }


@dataclass(frozen=True)
class Recorded:
    """One recorded answer; a reply like any other."""

    status: int
    headers: Mapping[str, str]
    pieces: Sequence[bytes]
    streamed: bool

    async def play(self, exchange: Exchange) -> None:
        if not self.streamed:
            await exchange.respond(self.status, self.headers, b"".join(self.pieces))
            return
        await exchange.start_stream(self.status, self.headers)
        for piece in self.pieces:
            await exchange.chunk(piece)
        await exchange.end_stream()

    def stored(self, key: str | None) -> dict[str, Any]:
        whole = b"".join(self.pieces)
        safe = _without(whole, key)
        # A key may lie across two pieces, so a stream that holds one becomes a single piece.
        pieces = self.pieces if safe == whole else [safe]
        headers = {
            name: _without(value.encode(), key).decode() for name, value in self.headers.items()
        }
        answer: Any = [_text(piece) for piece in pieces] if self.streamed else _text(safe)
        return {"status": self.status, "headers": headers, "answer": answer}

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Recorded:
        status, headers, answer = line["status"], line["headers"], line["answer"]
        if type(status) is not int or not 200 <= status <= 599:
            raise ValueError("status is not one of HTTP")
        if not isinstance(headers, dict):
            raise ValueError("headers is not an object")
        streamed = isinstance(answer, list)
        pieces = tuple(_bytes(piece) for piece in (answer if streamed else [answer]))
        return cls(status, kept_headers(headers), pieces, streamed)


class TapeFile:
    """The file: one exchange a line. Used from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._sound = False

    def read(self, *, must_exist: bool) -> dict[str, list[Recorded]]:
        """The recorded answers by digest of their request, each in the order of the file."""
        self._sound = False
        try:
            with self.path.open("rb") as file:
                content = file.read(MAX_TAPE_BYTES + 1)
        except FileNotFoundError:
            if must_exist:
                raise FileNotFoundError(
                    f"there is no tape {self.path}; record one: give upstream= and api_key="
                ) from None
            return {}
        if len(content) > MAX_TAPE_BYTES:
            raise ValueError(f"{self.path} is larger than {MAX_TAPE_BYTES} bytes; use two tapes")
        known: dict[str, list[Recorded]] = {}
        lines = content.split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line.strip() or (number == len(lines) and not _is_json(line)):
                continue
            try:
                fields = json.loads(line)
                if not isinstance(fields, dict) or fields["tape"] != FORMAT:
                    raise ValueError(f"not of format {FORMAT}")
                if not isinstance(fields["digest"], str):
                    raise ValueError("digest is not a string")
                known.setdefault(fields["digest"], []).append(Recorded.read(fields))
            except (ValueError, KeyError, RecursionError) as error:
                said = f"no {error}" if isinstance(error, KeyError) else str(error)
                raise ValueError(
                    f"{self.path}, line {number} is not one of a tape: {said}; remove the line "
                    "and record its request again"
                ) from None
        return known

    def append(self, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Write one line, in one piece."""
        fields = {**asked, **answer}
        try:
            line = json.dumps(fields, ensure_ascii=False).encode()
        except UnicodeEncodeError:  # half a surrogate pair, which only an escape can hold
            line = json.dumps(fields).encode()
        if not self._sound:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._repair()
        with self.path.open("ab", buffering=0) as file:
            if file.tell() + len(line) + 1 > MAX_TAPE_BYTES:
                raise ValueError(f"{self.path} would exceed {MAX_TAPE_BYTES} bytes; use two tapes")
            left = memoryview(line + b"\n")
            while left:
                self._sound = False  # until the last byte is written
                left = left[file.write(left) :]
            self._sound = True

    def _repair(self) -> None:
        """Make the file end with a line's end, without the line that was cut off, if there is."""
        with self.path.open("a+b") as file:
            file.seek(0)
            content = file.read(MAX_TAPE_BYTES + 1)
            if len(content) > MAX_TAPE_BYTES:
                return  # `append` refuses it
            last = content[content.rfind(b"\n") + 1 :]
            if last and _is_json(last):
                file.write(b"\n")
            elif last:
                file.truncate(len(content) - len(last))


def _canonical(request: RecordedRequest) -> bytes:
    """The body with its keys sorted if it is JSON, else as it is."""
    if request.json is None:
        return request.body
    try:
        return json.dumps(request.json, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError:
        return request.body


def kept_headers(headers: Mapping[str, Any]) -> dict[str, str]:
    """The headers that a tape keeps, without values that could not go out again."""
    named = {name: headers.get(name) for name in KEPT_HEADERS}
    return {
        name: value
        for name, value in named.items()
        if isinstance(value, str) and value.isascii() and value.isprintable()
    }


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _without(data: bytes, key: str | None) -> bytes:
    if not key or len(key) < MIN_KEY_LENGTH:
        return data
    # also as it looks inside a JSON string, and in a URL
    for form in {key, json.dumps(key)[1:-1], quote_plus(key)}:
        data = data.replace(form.encode(), REMOVED)
    return data


def _text(data: bytes) -> str | dict[str, str]:
    """Bytes as JSON can hold them: text, or base64 where they are not UTF-8 by themselves."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _bytes(stored: Any) -> bytes:
    """What `_text` made into JSON."""
    if isinstance(stored, str):
        return stored.encode()
    if isinstance(stored, dict) and isinstance(stored.get("base64"), str):
        return base64.b64decode(stored["base64"], validate=True)
    raise ValueError('an answer is neither text nor {"base64": text}')
