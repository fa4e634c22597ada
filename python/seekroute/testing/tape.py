"""Tape: answers of a real provider, recorded into a file once and replayed in tests."""

from __future__ import annotations

import asyncio
import os
import re
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from seekroute.testing.http import MAX_BODY_BYTES, Exchange
from seekroute.testing.provider import MockProvider
from seekroute.testing.records import RecordedRequest
from seekroute.testing.replies import JSON_TYPE, Reply
from seekroute.testing.shapes import dump, error_body
from seekroute.testing.tape_file import Asked, Recorded, TapeFile, kept_headers

if TYPE_CHECKING:
    import httpx2

Mode = Literal["auto", "record", "replay"]

# Requests without an answer kept for the test to look at.
MAX_MISSES = 1000
# Requests kept in `Tape.requests`.
MAX_REQUESTS = 1000
CONNECT_SECONDS = 10.0
# Longest silence of the upstream, in seconds.
READ_SECONDS = 600.0
# The request headers that reach the upstream.
SENT_HEADERS = ("accept", "content-type")
_DONE = re.compile(rb"data: ?\[DONE\]\s*\Z")
# More than the last event and the line ends behind it.
_TAIL_BYTES = 64


class Tape:
    """An HTTP server that answers from a file, and fills the file from a real provider.

    Use it as the base URL of any OpenAI client. A request is known again by its method, path,
    query and body; the order of keys in the JSON body does not matter, headers do not either.
    The file holds one JSON object a line, is meant to be read and kept with the tests, and never
    gets a request's headers: no API key reaches it. Prompts and answers do.

    A request recorded several times is answered in that order, and with the last answer from then
    on. A stream is replayed in the pieces it came in, without their delays. Only a complete answer
    is recorded. All methods may be called from any thread; one tape at a time may record into a
    file.

    Args:
        path: the file; made when the first answer is recorded.
        upstream: base URL of the provider, for example ``"https://api.openai.com/v1"``. Not called
            in mode "replay".
        api_key: sent to the upstream as ``Authorization: Bearer``; without it no key is sent. The
            key of the client that calls the tape goes nowhere.
        mode: "replay" answers from the file and calls nobody; "record" forwards every request and
            appends its answer; "auto" replays what the file held when the tape was started, and
            records the rest if there is an `upstream`.

    Raises:
        ValueError: if an argument is not one of these, or mode "record" has no `upstream`.

    Example::

        from openai import OpenAI
        from seekroute.testing import Tape

        with Tape("tests/capital.jsonl") as tape:
            client = OpenAI(base_url=tape.base_url, api_key="any")
            ...
            assert not tape.misses
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        upstream: str | None = None,
        api_key: str | None = None,
        mode: Mode = "auto",
    ) -> None:
        if mode not in ("auto", "record", "replay"):
            raise ValueError(f'mode is "auto", "record" or "replay", not {mode!r}')
        if mode == "record" and upstream is None:
            raise ValueError('mode "record" needs upstream=, the base URL of the provider')
        if upstream is not None:
            _check_upstream(upstream)
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ValueError("api_key has characters that no HTTP header can carry")
        self._file = TapeFile(Path(path))
        forward = None if upstream is None or mode == "replay" else _Upstream(upstream, api_key)
        self._server = _TapeServer(self._file, forward, replays=mode != "record")

    def start(self) -> Tape:
        """Read the file and start serving in a thread of its own; returns the tape itself.

        Raises:
            FileNotFoundError: if there is no file and no upstream to record from.
            ValueError: if a line of the file is not one of a tape, or the file is larger than
                256 MiB. A last line that was cut off while it was written is left out.
            RuntimeError: if it is running already.
        """
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving; an answer that is still coming in is not recorded. Safe to call twice."""
        self._server.stop()

    def __enter__(self) -> Tape:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        """The base URL for an OpenAI client, for example ``"http://127.0.0.1:40123/v1"``."""
        return self._server.base_url

    @property
    def requests(self) -> list[RecordedRequest]:
        """The newest 1000 requests received, oldest first."""
        return self._server.requests

    @property
    def misses(self) -> list[RecordedRequest]:
        """The newest 1000 requests that got a 404 because the file has no answer to them."""
        return self._server.misses

    @property
    def replayed(self) -> int:
        """How many requests were answered from the file."""
        return self._server.replayed

    @property
    def recorded(self) -> int:
        """How many answers were written to the file."""
        return self._server.recorded

    @property
    def errors(self) -> list[BaseException]:
        """Why answers were not recorded: an upstream or a file that failed."""
        return self._server.errors


class _TapeServer(MockProvider):
    """The mock provider's server and thread, with every request answered by the tape."""

    def __init__(self, file: TapeFile, upstream: _Upstream | None, *, replays: bool) -> None:
        super().__init__(record_limit=MAX_REQUESTS)
        self._file = file
        self._upstream = upstream
        self._replays = replays
        self._known: dict[str, list[Recorded]] = {}
        self._next: dict[str, int] = {}
        self._missed: deque[RecordedRequest] = deque(maxlen=MAX_MISSES)
        self.replayed = 0
        self.recorded = 0

    def start(self) -> _TapeServer:
        if self._thread is not None:
            raise RuntimeError("the tape is running already")
        self._known = self._file.read(must_exist=self._upstream is None)
        self._next = {}
        super().start()
        return self

    async def stop_async(self) -> None:
        await super().stop_async()
        if self._upstream is not None:
            await self._upstream.close()

    @property
    def misses(self) -> list[RecordedRequest]:
        with self._lock:
            return list(self._missed)

    async def _route(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method not in ("GET", "POST"):
            message = f"A tape answers GET and POST, not {request.method}."
            await _refuse(exchange, 405, message, "method_not_allowed")
            return
        asked = Asked.of(request)
        reply = self._recorded_answer(asked) if self._replays else None
        if reply is not None:
            await reply.play(exchange)
        elif self._upstream is not None:
            await self._record(exchange, asked, self._upstream)
        else:
            await self._miss(exchange, asked)

    def _recorded_answer(self, asked: Asked) -> Reply | None:
        # Only what the file held at the start: a client that tries again after a 429 recorded a
        # moment ago must reach the upstream, not the same 429.
        answers = self._known.get(asked.digest)
        if answers is None:
            return None
        number = self._next.get(asked.digest, 0)
        self._next[asked.digest] = min(number + 1, len(answers) - 1)
        self.replayed += 1
        return answers[number]

    async def _miss(self, exchange: Exchange, asked: Asked) -> None:
        with self._lock:
            self._missed.append(exchange.request)
        message = (
            f"The tape {self._file.path.name} has no answer to this {asked.method} {asked.path} "
            f"(digest {asked.digest[:12]}). Record it: give the tape upstream= and api_key=."
        )
        await _refuse(exchange, 404, message, "tape_miss")

    async def _record(self, exchange: Exchange, asked: Asked, upstream: _Upstream) -> None:
        import httpx2

        try:
            async with upstream.send(asked) as response:
                streamed = _is_stream(response.headers)
                await (self._stream if streamed else self._whole)(exchange, asked, response)
        except (
            httpx2.HTTPError,
            httpx2.StreamError,
            httpx2.InvalidURL,
            _AnswerTooLargeError,
        ) as error:
            # The library's own words may hold a URL; its name for the failure says enough.
            said = str(error) if isinstance(error, _AnswerTooLargeError) else type(error).__name__
            message = f"The tape's upstream failed, nothing was recorded: {said}"
            with self._lock:
                self._errors.append(OSError(message))
            if exchange.started:
                await exchange.rst()
            else:
                await _refuse(exchange, 502, message, "upstream_failed")

    async def _whole(self, exchange: Exchange, asked: Asked, response: httpx2.Response) -> None:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            _check_size(len(body))
        answer = Recorded(
            response.status_code, kept_headers(response.headers), (bytes(body),), False
        )
        self._write(asked, answer)
        await answer.play(exchange)

    async def _stream(self, exchange: Exchange, asked: Asked, response: httpx2.Response) -> None:
        headers = kept_headers(response.headers)
        pieces: list[bytes] = []
        size, tail = 0, b""
        await exchange.start_stream(response.status_code, headers.items())
        try:
            async for piece in response.aiter_bytes():
                size += len(piece)
                _check_size(size)
                pieces.append(piece)
                tail = (tail + piece)[-_TAIL_BYTES:]
                await exchange.chunk(piece)
        except (asyncio.CancelledError, ConnectionError):
            # Many clients hang up at [DONE], ahead of the end of the body: they had it all.
            if _DONE.search(tail):
                self._write(asked, Recorded(response.status_code, headers, tuple(pieces), True))
            raise
        # Before the client can know of the end, so that it then finds the line in the file.
        self._write(asked, Recorded(response.status_code, headers, tuple(pieces), True))
        await exchange.end_stream()

    def _write(self, asked: Asked, answer: Recorded) -> None:
        key = None if self._upstream is None else self._upstream.key
        self._file.append(asked.stored(key), answer.stored(key))
        self.recorded += 1


class _Upstream:
    """The provider that answers are recorded from. Used on the server's loop."""

    def __init__(self, base_url: str, key: str | None) -> None:
        self.key = key or None
        self._base_url = base_url.rstrip("/")
        self._client: httpx2.AsyncClient | None = None

    def send(self, asked: Asked) -> Any:
        """The request's answer, as an asynchronous context of an `httpx2.Response`."""
        import httpx2

        if self._client is None:
            timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
            self._client = httpx2.AsyncClient(timeout=timeout)
        given = asked.request.headers
        headers = {name: given[name] for name in SENT_HEADERS if name in given}
        headers["accept-encoding"] = "identity"  # pieces as the provider cut them
        if self.key is not None:
            headers["authorization"] = f"Bearer {self.key}"
        url = self._base_url + asked.path
        return self._client.stream(
            asked.method, url, headers=headers, content=asked.request.body or None
        )

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


class _AnswerTooLargeError(Exception):
    """The answer exceeds what a tape holds."""


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise _AnswerTooLargeError(f"the answer is larger than {MAX_BODY_BYTES} bytes")


def _check_upstream(upstream: str) -> None:
    try:
        parts = urlsplit(upstream)
        parts.port  # noqa: B018  raises when it is not a port
    except ValueError:
        raise ValueError("upstream is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("upstream is not a base URL like https://api.openai.com/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("upstream must have no user, query or fragment; the key is api_key=")


def _is_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").lower().startswith("text/event-stream")


async def _refuse(exchange: Exchange, status: int, message: str, code: str) -> None:
    body = dump(error_body(message, status=status, code=code))
    await exchange.respond(status, [JSON_TYPE], body)
