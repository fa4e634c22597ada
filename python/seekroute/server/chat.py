"""POST /v1/chat/completions and /v1/quote: from the request's bytes to the core, and back."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from seekroute.api.dry_run import drawn_by
from seekroute.gateway import (
    RequestBody,
)
from seekroute.server.answers import OWS, HttpCall, Refusal
from seekroute.server.body_budget import UNCOUNTED_BYTES, Sender
from seekroute.server.credit import has_credit, quoted
from seekroute.server.header_options import READERS

if TYPE_CHECKING:
    from seekroute.gateway import AsyncExchange
    from seekroute.server.body_budget import Lease
    from seekroute.server.cycle import Cycle, Header
    from seekroute.server.unfinished import Ticket

_log: Final = logging.getLogger("seekroute.http")


async def inference(call: HttpCall, surface: str) -> None:
    """Answers one request that goes to a provider, streamed or not.

    Args:
        call: The request.
        surface: What it is spoken in.

    Raises:
        Refusal: what the HTTP side refuses; everything in the body is the core's to judge.
    """
    lease: Lease | None = None
    try:
        body, lease = await take_body(call)
        if body is None:
            return  # the client left in the middle of its request
        exchange = call.service.gateway.submit(
            surface,
            body,
            call.authorization,
            call.request_id,
            origin=call.origin,
            explain=call.explain,
            idempotency_key=call.idempotency_key,
            options=call.options,
        )
        exchange.lease, lease = lease, None
        del body  # the core has its own
    finally:
        if lease is not None:
            lease.release()
    try:
        if call.cycle is not None:
            call.cycle.vouch()  # its answer takes its time, or is a refusal and there at once
            Relay(call.cycle, exchange).begin()
        else:
            await _relay_asgi(call, exchange)
    except BaseException:
        exchange.cancel()
        raise


async def quote(call: HttpCall, surface: str) -> None:
    """POST /v1/quote: what the same body would cost as a chat completion. Nobody is asked.

    Args:
        call: The request.
        surface: What its body is spoken in.

    Raises:
        Refusal: as for the request itself.
        RefusedError: `seed` or `simulate` is none.
    """
    query: bytes = call.scope.get("query_string", b"")
    drawn = drawn_by(dict(parse_qsl(query.decode("latin-1"))))
    body, lease = await take_body(call)
    try:
        if body is None:
            return
        work = functools.partial(
            call.service.core.quote,
            surface,
            body,
            call.authorization,
            call.request_id,
            call.origin,
            *drawn,
            options=call.options,
        )
        # Reading a short prompt is quicker than handing it to a thread.
        short = len(body) <= UNCOUNTED_BYTES and drawn[1] == 0
        if short:
            answer = work()
        else:
            running = asyncio.get_running_loop()
            answer = await running.run_in_executor(call.service.quotes, work)
    finally:
        if lease is not None:
            lease.release()
    status, headers, text = answer
    if status == 200 and call.service.ledger is not None:
        text = await quoted(call, text)
        length = b"%d" % len(text)
        headers = [(n, length if n == b"content-length" else v) for n, v in headers]
    await call.send({"type": "http.response.start", "status": status, "headers": headers})
    await call.send({"type": "http.response.body", "body": text})


async def take_body(
    call: HttpCall, most: int | None = None
) -> tuple[bytes | RequestBody | None, Lease | None]:
    """The whole body of a request that may be looked at, None when the client left; and its lease.

    Of `most` bytes, or else of what the server takes. One that is large is read only for a caller
    with a key, and as long as there is room for it: a stranger cannot make us hold more than
    `UNCOUNTED_BYTES`.
    """
    if call.service.shutting_down:
        raise Refusal("shutting_down", "the gateway is stopping; try again", close=True)
    call.check_single_authorization()
    max_body = call.service.max_body_bytes if most is None else most
    declared = _check_headers(call, max_body)
    ticket = await _enter(call)
    try:
        return await _read(call, declared, max_body)
    finally:
        if ticket is not None:
            call.service.unfinished.leave(ticket)


async def _enter(call: HttpCall) -> Ticket | None:
    """Counts a request of a key whose body is not here yet. None: it needs no place.

    Raises:
        Refusal: there are too many of this key or its organization.
    """
    cycle = call.cycle
    if cycle is None or cycle.body_complete:
        return None  # of another server connections are its own matter
    found = call.service.known_key(call.authorization)
    if found is None or not found[0]:
        return None  # a stranger's: without a key anybody would do
    key_id, org, _ = found
    unfinished = call.service.unfinished
    ticket = unfinished.enter(key_id, org)
    try:
        if unfinished.asks_for_credit(ticket):
            unfinished.check(ticket, pays=await has_credit(call, key_id, org))
    except BaseException:
        unfinished.leave(ticket)
        raise
    cycle.vouch()  # who was refused stays a stranger, who gives way to others
    return ticket


async def _read(
    call: HttpCall, declared: int, max_body: int
) -> tuple[bytes | RequestBody | None, Lease | None]:
    lease: Lease | None = None
    if declared > UNCOUNTED_BYTES:
        sender = await _sender(call)
        if sender is None:
            return b"", None  # the core refuses the key before it looks at the body
        # What would not fit is refused from its head; what fits takes its bytes as they come.
        lease = _open(call, sender, declared)
    body: bytes | RequestBody | None = None
    try:
        if lease is not None:
            body = await _read_whole(call, declared, lease)
        else:
            body, lease = await _read_counted(call, max_body)
    finally:
        if body is None and lease is not None:
            lease.release()
    return body, lease


def _check_headers(call: HttpCall, max_body: int) -> int:
    """Looks at each header once. Returns the declared size of the body, 0 if there is none."""
    declared = 0
    for name, value in call.scope["headers"]:
        if name == b"content-length":
            length = value.strip(OWS)
            declared = int(length) if length.isdigit() and len(length) < 20 else 0
        elif (read := READERS.get(name)) is not None:
            read(call, name, value.strip(OWS))
    if declared > max_body:
        raise _too_large(max_body)
    return declared


def _too_large(max_body: int) -> Refusal:
    return Refusal("request_too_large", f"the body is larger than {max_body} bytes", close=True)


async def _sender(call: HttpCall) -> Sender | None:
    """Whose body it is; None for a stranger. Asks the ledger."""
    found = call.service.known_key(call.authorization)
    if found is None:
        return None
    key_id, org, _ = found
    return Sender(key_id, org, pays=await has_credit(call, key_id, org))


def _open(call: HttpCall, sender: Sender, size: int) -> Lease:
    # Under another server nothing ends the wait for a body: there it does not give way.
    give_way = None if call.cycle is None else call.cycle.interrupt
    return call.service.bodies.open(sender, size, give_way)


async def _read_whole(call: HttpCall, size: int, lease: Lease) -> RequestBody | None:
    """The body of a request that was let in; None if it was cut. `size`: as declared."""
    body = RequestBody(size)
    more = True
    while more:
        message = await call.receive()
        if message["type"] != "http.request":
            return None
        part: bytes = message.get("body", b"")
        lease.grow(len(part))
        body.append(part)
        more = message.get("more_body", False)
        if len(body) > size:
            raise _too_large(size)  # no server lets that through
    lease.arrived()
    return body


async def _read_counted(
    call: HttpCall, max_body: int
) -> tuple[bytes | RequestBody | None, Lease | None]:
    """A body of unknown size; b"" early for a stranger with a large one, None if it was cut."""
    message = await call.receive()
    if message["type"] != "http.request":
        return None, None
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(first) <= min(UNCOUNTED_BYTES, max_body):
        return first, None  # the usual case
    body = RequestBody(0)
    lease: Lease | None = None
    try:
        while True:
            part: bytes = message.get("body", b"")
            body.append(part)
            if len(body) > max_body:
                raise _too_large(max_body)
            if lease is not None:
                lease.grow(len(part))
            elif len(body) > UNCOUNTED_BYTES:
                sender = await _sender(call)
                if sender is None:
                    return b"", None
                lease = _open(call, sender, len(body))
                lease.grow(len(body))
            if not message.get("more_body", False):
                if lease is not None:
                    lease.arrived()
                return body, lease
            message = await call.receive()
            if message["type"] != "http.request":
                return None, lease
    except BaseException:
        if lease is not None:
            lease.release()
        raise


class Relay:
    """Carries one answer from the core to its client over our own protocol.

    It takes no task while it waits, which it may do for minutes, and no ASGI event.
    """

    __slots__ = ("_cycle", "_exchange")

    def __init__(self, cycle: Cycle, exchange: AsyncExchange) -> None:
        self._cycle = cycle
        self._exchange = exchange

    @property
    def request(self) -> AsyncExchange:
        """Whose answer it is."""
        return self._exchange

    def begin(self) -> None:
        """Takes the answer over from the request's task."""
        cycle, exchange = self._cycle, self._exchange
        if cycle.disconnected:
            exchange.cancel()
            return
        cycle.on_disconnect = exchange.cancel
        cycle.detach(self)
        exchange.pour(self)

    def answer(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Sends a whole answer."""
        try:
            self._cycle.answer(status, headers, body)
        except Exception:
            self._failed()

    def start(self, status: int, headers: Sequence[Header]) -> None:
        """Sends the head of a stream."""
        try:
            self._cycle.start(status, headers)
        except Exception:
            self._failed()
        self._cycle.protocol.rest()

    def write(self, body: bytes) -> bool:
        """Sends bytes to the client. Returns False where it takes no more; goes on by itself."""
        cycle = self._cycle
        try:
            cycle.write(body)
        except Exception:
            self._failed()
        if cycle.protocol.write_paused and not cycle.disconnected:
            cycle.protocol.on_writable = self._resume
            return False
        return True

    def _resume(self) -> None:
        protocol = self._cycle.protocol
        if protocol.write_paused and not self._cycle.disconnected:
            protocol.on_writable = self._resume
        else:
            self._exchange.pour(self)

    def done(self) -> None:
        """Ends the answer."""
        cycle = self._cycle
        try:
            cycle.finish()
        except Exception:
            self._failed()

    def cancel(self, msg: str | None = None) -> None:
        """Ends the exchange and cuts the connection, as cancelling a task would."""
        self._exchange.cancel()
        self._cycle.protocol.abort()

    def _failed(self) -> None:
        # One answer's failure must not reach the others, which are served in the same turn.
        _log.exception("an answer could not be relayed")
        self.cancel()


async def _relay_asgi(call: HttpCall, exchange: AsyncExchange) -> None:
    """Relays the answer through plain ASGI, under any server and any middleware."""
    watch = asyncio.create_task(_cancel_when_gone(call, exchange))
    try:
        status, headers = await exchange.head()
        if not headers:
            return  # cancelled: nobody is left to be answered
        await _within(
            call, call.send({"type": "http.response.start", "status": status, "headers": headers})
        )
        while (batch := await exchange.next()) is not None:
            await _within(
                call,
                call.send({"type": "http.response.body", "body": batch, "more_body": True}),
            )
            exchange.ack(len(batch))
        await _within(call, call.send({"type": "http.response.body", "body": b""}))
    except TimeoutError:
        exchange.cancel()  # a client that takes nothing is as good as gone
    except asyncio.CancelledError:
        # A server that stops ends the tasks of clients that are still there: they pay nothing.
        if not watch.done():
            exchange.stop()
            call.service.undelivered.add(exchange)  # if it has ended, stopping it does nothing
        raise
    finally:
        watch.cancel()


async def _within(call: HttpCall, sending: Awaitable[None]) -> None:
    async with asyncio.timeout(call.service.limits.write_s):
        await sending


async def _cancel_when_gone(call: HttpCall, exchange: AsyncExchange) -> None:
    while (await call.receive())["type"] != "http.disconnect":
        pass
    exchange.cancel()
