"""Clients of a world: what they asked, and what they were told, kept in this process."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from asked_upstream import prompt
from ledger_world import MODEL, Customer, World, closed

# What a client knows: a whole answer that was paid for; a refusal before anything was sent; a
# failure after that; that it left itself; nothing.
Outcome = Literal["ok", "refused", "failed", "left", "unknown"]

_CHUNK_END = b"\r\n0\r\n\r\n"
# Error codes of requests that were not sent to an upstream, and have no row.
REFUSALS = {
    "insufficient_credits",
    "overloaded",
    "shutting_down",
    "storage_corrupt",
    "storage_full",
    "store_unavailable",
}


@dataclass
class Asked:
    """One request and what became of it as its client saw it."""

    token: str
    org: str
    verb: str
    streamed: bool
    outcome: Outcome = "unknown"
    status: int = 0
    code: str = ""
    id: str = ""  # the generation, where the answer told it
    cost: int = 0  # nano-USD, of an answer that is "ok"
    ended: float = 0.0  # time.monotonic()
    error: Any = None
    headers: bytes = b""
    received: int = 0  # bytes of the answer, head included


class ServerGone(Exception):
    """The connection ended before the answer did."""


class Connection:
    """One connection of a client, kept for its next request. Not for two requests at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def close(self, *, reset: bool = False) -> None:
        """With FIN, or with RST."""
        if self._streams is None:
            return
        _, writer = self._streams
        self._streams = None
        if reset:
            opened = writer.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        await closed(writer)

    async def ask(
        self,
        customer: Customer,
        token: str,
        verb: str,
        argument: float = 0,
        *,
        streamed: bool = False,
        leave_after: int | None = None,
        leave_when: Callable[[bytes], bool] | None = None,
        reset: bool = False,
        path: str = "/v1/chat/completions",
        **fields: Any,
    ) -> Asked:
        """Sends a chat completion and reads its answer.

        Args:
            token: unique; the request's id.
            verb: what the upstream shall do, with its `argument`.
            leave_after: close the connection once so many bytes have come; 0: at once.
            leave_when: close it once this is true of what has come.
            reset: leave with RST.
            fields: members of the body.
        """
        asked = Asked(token, customer.org, verb, streamed)
        body = json.dumps(
            {
                "model": MODEL,
                "messages": [{"role": "user", "content": prompt(verb, argument)}],
                "user": token,
                "stream": streamed,
                **fields,
            }
        ).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer {customer.key}\r\n"
            f"X-Request-Id: {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._world.port)
            reader, writer = self._streams
            writer.write(head.encode() + body)
            await self._read(asked, reader, leave_after, leave_when)
        except (OSError, ServerGone):
            asked.ended = time.monotonic()
            await self.close()
            return asked
        asked.ended = time.monotonic()
        if asked.outcome == "left":
            await self.close(reset=reset)
        elif asked.status >= 400 or b"connection: close" in asked.headers:
            await self.close()
        return asked

    async def _read(
        self,
        asked: Asked,
        reader: asyncio.StreamReader,
        leave_after: int | None,
        leave_when: Callable[[bytes], bool] | None,
    ) -> None:
        data = b""
        whole = -1  # length of a body that is not chunked
        begin = 0
        while True:
            enough = leave_after is not None and len(data) >= leave_after
            if enough or (leave_when is not None and leave_when(data)):
                asked.outcome = "left"
                asked.received = len(data)
                return
            wanted = 65536 if leave_after is None else leave_after - len(data)
            more = await reader.read(wanted)
            if not more:
                raise ServerGone
            data += more
            if not asked.headers and (end := data.find(b"\r\n\r\n")) >= 0:
                begin = end + 4
                asked.headers = data[:begin].lower()
                asked.status = int(data[9:12])
                asked.id = _header(asked.headers, b"x-generation-id")
                if (length := _header(asked.headers, b"content-length")) != "":
                    whole = int(length)
            if not asked.headers:
                continue
            body = data[begin:]
            if whole >= 0 and len(body) >= whole:
                break
            if whole < 0 and body.endswith(_CHUNK_END):
                break
        asked.received = len(data)
        _conclude(asked, body)


async def ask(
    world: World,
    customer: Customer,
    token: str,
    verb: str = "answer",
    argument: float = 0,
    **how: Any,
) -> Asked:
    """One request on a connection of its own; `how` as `Connection.ask` has it."""
    connection = Connection(world)
    try:
        return await connection.ask(customer, token, verb, argument, **how)
    finally:
        await connection.close()


def _header(headers: bytes, name: bytes) -> str:
    """A header's value, from headers in lower case; empty where it is not there."""
    _, found, rest = headers.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip().decode() if found else ""


def _conclude(asked: Asked, body: bytes) -> None:
    """What an answer that has come whole means."""
    if b"text/event-stream" in asked.headers:
        assert (b"data: [DONE]" in body) != (b'"error":' in body), body
        events = [json.loads(x[6:], parse_float=Decimal) for x in _events(body)]
        answer = events[-1] if events else {}
        ids = {each["id"] for each in events if "id" in each}
        assert len(ids) <= 1, ids
    else:
        answer = json.loads(body, parse_float=Decimal)
    asked.id = answer.get("id", asked.id)
    if "error" in answer:
        asked.error = answer["error"]
        asked.code = str(answer["error"]["code"])
        asked.outcome = "refused" if asked.code in REFUSALS else "failed"
    else:
        asked.outcome = "ok"
        cost = Decimal(answer["usage"]["cost"]) * 10**9
        asked.cost = int(cost)
        assert asked.cost == cost, f"{cost} nano-USD is no whole number"


def _events(body: bytes) -> list[bytes]:
    # Chunks end where events do: what is between two events are the lines of a chunk's size.
    lines = body.split(b"\n")
    return [x for x in lines if x.startswith(b"data: ") and not x.startswith(b"data: [DONE]")]


@dataclass
class Mix:
    """The load of one round: who asks, and how often for what."""

    customers: list[Customer]
    connections: int
    aborts: float = 0.1
    faults: float = 0.05
    pace: float = 0.004  # between two pieces of an answer, at most


class Load:
    """Clients that ask until their server is gone or they are told to stop.

    Args:
        name: the beginning of all tokens.
        rng: decides everything that a client decides.
    """

    def __init__(self, world: World, mix: Mix, name: str, rng: random.Random) -> None:
        self._world = world
        self._mix = mix
        self._name = name
        self._rng = rng
        self._count = 0
        self._stopping = False
        self._clients: list[asyncio.Task[None]] = []
        self.asked: list[Asked] = []

    def begin(self) -> None:
        for _ in range(self._mix.connections):
            self._clients.append(asyncio.create_task(self._client()))

    async def end(self) -> None:
        """Lets the clients finish: what they have asked, or because their server is gone."""
        self._stopping = True
        await asyncio.gather(*self._clients)

    async def _client(self) -> None:
        connection = Connection(self._world)
        rng, mix = self._rng, self._mix
        while not self._stopping:
            self._count += 1
            token = f"{self._name}-{self._count}"
            verb = "answer"
            if rng.random() < mix.faults:
                verb = rng.choice(("refuse", "cut", "unused"))
            leaves = rng.randrange(0, 2500) if rng.random() < mix.aborts else None
            asked = await connection.ask(
                rng.choice(mix.customers),
                token,
                verb,
                rng.choice((0, 0, rng.random() * mix.pace)),
                streamed=rng.random() < 0.5,
                leave_after=leaves,
                reset=rng.random() < 0.5,
                max_tokens=rng.choice((5, 8, 20)),
            )
            self.asked.append(asked)
            if asked.outcome == "unknown":
                break
            if rng.random() < 0.2:
                await connection.close()
        await connection.close()
