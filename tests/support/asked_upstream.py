"""An upstream that writes down what it was asked before it answers a byte.

A prompt is its own script, and the member `user` is the request's `x-request-id`, its token here:
what was asked can be looked up in the ledger.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, cast

PROMPT_TOKENS = 20
# Of the one piece of an answer.
PIECE = " ferry"
# Of an answer, but for the verb `long`.
PIECES = 8
_MOST_HEAD = 65_536


def prompt(verb: str, argument: float = 0) -> str:
    """The prompt that makes the upstream do it.

    `answer`: completely, in eight pieces, `argument` seconds apart. `long`: likewise, in as many
    pieces as `argument` says. `gated`: when `Upstream.gate` opens. `silent`: never. `held`: all of
    a stream but its end, which comes when the gate opens. `refuse`: status 500. `cut`: half of an
    answer. `unused`: completely, without usage.
    """
    return f"{verb} {argument}"


class Upstream:
    """Speaks OpenAI's protocol on a port of its own, in the running event loop.

    Attributes:
        asked: the tokens in the order in which their requests came, before any answer.
        answered: when an answer was written whole, by token (`time.monotonic()`).
        left: tokens whose connection ended before their answer did.
        bodies: the requests, by token.
        gate: what `gated` and `held` answers wait for.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answered: dict[str, float] = {}
        self.left: set[str] = set()
        self.bodies: dict[str, Any] = {}
        self.gate = asyncio.Event()
        self.changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", 0, backlog=4096
        )

    @property
    def base_url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [each.task for each in self._connections if each.task is not None]
        for each in list(self._connections):
            each.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def until(self, what: Any, patience: float = 30.0) -> None:
        """Waits until `what()` is true; looks whenever something has happened here."""
        async with asyncio.timeout(patience):
            while not what():
                self.changed.clear()
                await self.changed.wait()


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._buffer = b""
        self._closed = asyncio.Event()
        self._token = ""
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass
        self._upstream._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._upstream._connections.discard(self)
        self._closed.set()
        if self._token:
            self._upstream.left.add(self._token)
            self._upstream.changed.set()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            assert len(self._buffer) < _MOST_HEAD
            return
        lines = head.lower().split(b"\r\n")
        (length,) = (int(x.split(b":")[1]) for x in lines if x.startswith(b"content-length:"))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        body = json.loads(rest[:length])
        token = body["user"]
        verb, argument = body["messages"][-1]["content"].split(" ")
        # Before the first byte of the answer: what happens next may be the end of the asker.
        self._upstream.asked.append(token)
        self._upstream.bodies[token] = body
        self._upstream.changed.set()
        self._token = token
        self.task = asyncio.get_running_loop().create_task(
            self._answer(body, verb, float(argument))
        )

    async def _answer(self, body: Any, verb: str, argument: float) -> None:
        if verb == "silent":
            await self._closed.wait()
            return
        if verb == "gated":
            await self._gate()
        if verb == "refuse":
            self._send(_plain(500, {"error": {"message": "no", "type": "server_error"}}))
            return self._done()
        pieces = int(argument) if verb == "long" else PIECES
        pause = 0.0 if verb == "long" else argument
        longest = body.get("max_tokens") or body.get("max_completion_tokens") or pieces
        pieces = min(pieces, longest)
        usage = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": pieces,
            "total_tokens": PROMPT_TOKENS + pieces,
        }
        if body.get("stream"):
            self._send(_HEAD)
            for place in range(pieces):
                await self._pause(pause)
                if verb == "cut" and place == pieces // 2:
                    return self.transport.close()
                self._send(_chunk({"choices": [_delta({"content": PIECE})]}))
            if verb == "held":
                await self._gate()
            self._send(_chunk({"choices": [{**_delta({}), "finish_reason": "stop"}]}))
            if verb != "unused":
                self._send(_chunk({"choices": [], "usage": usage}))
            self._send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        else:
            await self._pause(pause * pieces)
            message = {"role": "assistant", "content": PIECE * pieces}
            answer = {
                "id": "u",
                "object": "chat.completion",
                "created": 1,
                "model": "gpt-4o-mini",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage,
            }
            if verb == "unused":
                del answer["usage"]
            whole = _plain(200, answer)
            if verb == "cut":
                self._send(whole[: len(whole) // 2])
                return self.transport.close()
            self._send(whole)
        self._done()

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds)

    async def _gate(self) -> None:
        opened = asyncio.ensure_future(self._upstream.gate.wait())
        closed = asyncio.ensure_future(self._closed.wait())
        await asyncio.wait((opened, closed), return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        closed.cancel()

    def _send(self, data: bytes) -> None:
        if not self._closed.is_set():
            self.transport.write(data)

    def _done(self) -> None:
        if not self._closed.is_set():
            self._upstream.answered[self._token] = time.monotonic()
            self._upstream.changed.set()
            self._token = ""


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _delta(delta: dict[str, str]) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": None}


def _chunk(fields: dict[str, Any]) -> bytes:
    whole = {
        "id": "u",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini",
        **fields,
    }
    data = b"data: " + json.dumps(whole).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def _plain(status: int, answer: Any) -> bytes:
    body = json.dumps(answer).encode()
    return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )
