"""Counts and caps what passes a backend: usage by model, and the open budgets.

In process the core's own records say what every exchange cost, whatever became of its caller; they
are told apart by request id. Of a remote gateway it is what the answer says; an answer that was
not read to its end is charged with what was expected.
"""

from __future__ import annotations

import json
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seekroute import forks
from seekroute.client.spend.budget import NO_HOLD, Budgets, Hold
from seekroute.client.spend.prices import Estimate, Estimator, is_limited
from seekroute.client.spend.rollup import Rollup
from seekroute.client.wires.backend import CHAT_PATH, EMBEDDINGS_PATH
from seekroute.client.wires.cost import counted_nano
from seekroute.gateway import CHAT, EMBEDDINGS
from seekroute.money import nano_at_most

if TYPE_CHECKING:
    from seekroute.client.wires.backend import AsyncBackend, AsyncReply, Backend, Reply, Request
    from seekroute.gateway import Gateway, Record

# The end of a stream that is kept to read its usage from; the last chunk is far smaller.
_TAIL_BYTES = 64 * 1024
_REQUEST_ID = "x-request-id"
# What costs money, and what it is spoken in.
_PAID = {CHAT_PATH: CHAT, EMBEDDINGS_PATH: EMBEDDINGS}


class Meter:
    """The usage and the budgets of one client. Thread-safe.

    Args:
        gateway: the gateway in this process, whose records are counted; None for a remote one.
    """

    def __init__(self, gateway: Gateway | None) -> None:
        self.budgets = Budgets()
        self.rollup = Rollup()
        self.estimator = None if gateway is None else Estimator(gateway)
        self._gateway = gateway
        self._lock = threading.Lock()
        self._warned = False
        # Holds of running requests by their id, in process; a caller may use an id twice.
        self._holds: dict[str, list[Hold]] = {}
        if gateway is not None:
            gateway.on_record(self._on_record)
        forks.watch(self)

    def after_fork(self) -> None:
        """What runs belongs to the parent."""
        self._lock = threading.Lock()
        self._holds = {}

    def _on_record(self, record: Record) -> None:
        self.rollup.add_record(record)
        if not self._holds:
            return
        with self._lock:
            holds = self._holds.get(record.request_id)
            hold = holds.pop(0) if holds else NO_HOLD
            if holds is not None and not holds:
                del self._holds[record.request_id]
        hold.settle(counted_nano(record))

    def admit(self, request: Request) -> tuple[Request, Hold]:
        """Sets money aside for a request; raises BudgetExceededError.

        Returns the request to send instead, which has an id to be recognized by.
        """
        budgets = self.budgets.open_here()
        surface = _PAID.get(request.path)
        if not budgets or surface is None or request.method != "POST":
            return request, NO_HOLD
        hold = self.budgets.hold(self._estimate(surface, request.body), budgets)
        if self._gateway is None:
            return request, hold
        offered = next((v for k, v in request.headers.items() if k.lower() == _REQUEST_ID), "")
        given = self._gateway.core.new_request_id(offered.encode("latin-1", "replace") or None)
        request_id = given.decode("latin-1")
        with self._lock:
            self._holds.setdefault(request_id, []).append(hold)
        headers = {k: v for k, v in request.headers.items() if k.lower() != _REQUEST_ID}
        return replace(request, headers={**headers, _REQUEST_ID: request_id}), hold

    def _estimate(self, surface: str, body: bytes) -> Estimate | None:
        if self.estimator is None:
            return None
        try:
            fields = json.loads(body)
        except ValueError:
            return None  # the gateway will refuse it, at no cost
        # Vectors are not counted: what is read is all that is paid for.
        limited = surface == EMBEDDINGS or (isinstance(fields, dict) and is_limited(fields))
        return self.estimator.estimate(body, limited=limited, surface=surface)

    def failed(self, hold: Hold) -> None:
        """Books a request that got no answer at all."""
        if self._gateway is None:
            hold.settle(0)
            self.rollup.add("", ok=False)
        elif self._gateway.closed:
            hold.settle(0)  # no record will come

    def book(self, observed: _Observed, hold: Hold) -> None:
        """Books the answer of a remote gateway."""
        cost_nano = observed.cost_nano()
        if cost_nano is None:
            if hold is not NO_HOLD and observed.whole and not self._warned:
                self._warned = True
                warnings.warn(
                    "this gateway names no prices: a budget cannot hold here",
                    RuntimeWarning,
                    stacklevel=2,
                )
            hold.settle_expected()
        else:
            hold.settle(cost_nano)
        usage = observed.usage
        self.rollup.add(
            observed.model,
            ok=observed.status == 200,
            prompt_tokens=_count(usage.get("prompt_tokens")),
            completion_tokens=_count(usage.get("completion_tokens")),
            cost_nano=cost_nano or 0,
            seconds=time.monotonic() - observed.began,
        )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


class _Observed:
    """What passed of a remote answer, as far as it says what it cost."""

    def __init__(self, status: int, headers: Mapping[str, str], began: float) -> None:
        self.status = status
        self.began = began
        self.model = headers.get("x-seekroute-model", "")
        self.usage: Mapping[str, Any] = {}
        self._said = headers.get("x-seekroute-cost")
        self._streamed = headers.get("content-type", "").startswith("text/event-stream")
        self._tail = b""
        self._parts: list[bytes] = []
        self._ended = False

    def see(self, part: bytes | None) -> None:
        """Takes the next piece of the body; None at its end."""
        if part is None:
            self._ended = True
            self._read()
        elif self._streamed:
            self._tail = (self._tail + part)[-_TAIL_BYTES:]
        elif self.status == 200:
            self._parts.append(part)

    def _read(self) -> None:
        events = self._tail.split(b"\n\n")[::-1] if self._streamed else [b"".join(self._parts)]
        for event in events:
            try:
                data = json.loads(event[event.find(b"{") :])
            except ValueError:
                continue
            if isinstance(data, dict):
                model, usage = data.get("model"), data.get("usage")
                self.model = self.model or (model if isinstance(model, str) else "")
                if isinstance(usage, dict):
                    self.usage = usage
                    break
        self._tail, self._parts = b"", []

    @property
    def whole(self) -> bool:
        """Whether it is an answer that came to its end."""
        return self._ended and self.status == 200

    def cost_nano(self) -> int | None:
        """Nano-USD; None where the answer did not come to its end or does not say."""
        said: Any = self._said if self._said is not None else self.usage.get("cost")
        if said is None:
            return 0 if self._ended and self.status != 200 else None
        try:
            return nano_at_most(said, "cost")
        except ValueError:
            return None


class _MeteredReply:
    """A remote answer on its way through the meter."""

    __slots__ = ("_booked", "_hold", "_meter", "_observed", "_reply")

    def __init__(self, meter: Meter, hold: Hold, reply: Any, began: float) -> None:
        self._meter = meter
        self._hold = hold
        self._reply = reply
        self._observed = _Observed(reply.status, reply.headers, began)
        self._booked = False

    @property
    def status(self) -> int:
        status: int = self._reply.status
        return status

    @property
    def headers(self) -> Mapping[str, str]:
        headers: Mapping[str, str] = self._reply.headers
        return headers

    @property
    def record(self) -> Record | None:
        return None

    def _see(self, part: bytes | None) -> None:
        self._observed.see(part)
        if part is None:
            self._book()

    def _book(self) -> None:
        if not self._booked:
            self._booked = True
            self._meter.book(self._observed, self._hold)


class _SyncReply(_MeteredReply):
    def next(self) -> bytes | None:
        part: bytes | None = self._reply.next()
        self._see(part)
        return part

    def read(self) -> bytes:
        body: bytes = self._reply.read()
        if not self._booked:
            self._see(body)
            self._see(None)
        return body

    def close(self) -> None:
        self._reply.close()
        self._book()


class _AsyncReply(_MeteredReply):
    async def next(self) -> bytes | None:
        part: bytes | None = await self._reply.next()
        self._see(part)
        return part

    async def read(self) -> bytes:
        body: bytes = await self._reply.read()
        if not self._booked:
            self._see(body)
            self._see(None)
        return body

    async def aclose(self) -> None:
        await self._reply.aclose()
        self._book()

    def abandon(self) -> None:
        self._reply.abandon()
        self._book()


class MeteredBackend:
    """The way into a backend past its meter; the backend itself is opened and closed elsewhere."""

    def __init__(self, inner: Backend, meter: Meter) -> None:
        self.meter = meter
        self._inner = inner

    def open(self, request: Request) -> Reply:
        """As `Backend.open`; raises BudgetExceededError too."""
        began = time.monotonic()
        request, hold = self.meter.admit(request)
        try:
            reply = self._inner.open(request)
        except BaseException:
            self.meter.failed(hold)
            raise
        if self._inner.records or request.path not in _PAID:
            return reply
        return _SyncReply(self.meter, hold, reply, began)


class AsyncMeteredBackend:
    """As `MeteredBackend`, for asyncio."""

    def __init__(self, inner: AsyncBackend, meter: Meter) -> None:
        self.meter = meter
        self._inner = inner

    async def open(self, request: Request) -> AsyncReply:
        """As `AsyncBackend.open`; raises BudgetExceededError too."""
        began = time.monotonic()
        request, hold = self.meter.admit(request)
        try:
            reply = await self._inner.open(request)
        except BaseException:
            self.meter.failed(hold)
            raise
        if self._inner.records or request.path not in _PAID:
            return reply
        return _AsyncReply(self.meter, hold, reply, began)
