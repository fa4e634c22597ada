"""A gateway for whichever event loops ask it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from seekroute.errors import APIConnectionError
from seekroute.gateway import EXPLAIN_NO, IN_PROCESS, AsyncExchange, Gateway, Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from seekroute.gateway import Event
    from seekroute.ledger import Ledger
    from seekroute.routing_state import RoutingState


class LoopGateway(Gateway):
    """Serves exchanges of any number of event loops, one after another or at once.

    While there is one loop, the core's mailbox is read on it: no other thread is involved. When
    the loop has been closed, the next one takes over. When two are open at once, a thread reads
    for all from then on, and hands each loop its batch.
    """

    def __init__(
        self,
        options: dict[str, Any],
        snapshot: dict[str, Any],
        *,
        ledger: Ledger | None = None,
        state: RoutingState | None = None,
    ) -> None:
        super().__init__(options, snapshot, ledger=ledger, state=state)
        # Which loop an exchange lives on; entries are those of `_live`, under the same lock.
        self._homes: dict[int, asyncio.AbstractEventLoop] = {}

    def submit_here(
        self, surface: str, body: bytes, request_id: bytes | None, explain: int = EXPLAIN_NO
    ) -> AsyncExchange:
        """Starts an exchange for the running event loop.

        Raises:
            APIConnectionError: the gateway has been closed.
        """
        loop = asyncio.get_running_loop()
        with self._submitting:
            if self._closed.is_set():
                raise APIConnectionError("the client is closed")
            self._serve(loop)
            exchange = self.core.submit(surface, body, None, request_id, IN_PROCESS, explain)
            running = AsyncExchange(self.core, loop, exchange, self._ack_bytes)
            self._live[exchange] = running
            self._homes[exchange] = loop
        self.core.flush()
        return running

    def submit_for(self, sink: Sink, surface: str, body: bytes) -> int:
        """As `Gateway.submit_for`, with the events on the running event loop."""
        loop = asyncio.get_running_loop()
        with self._submitting:
            if self._closed.is_set():
                raise APIConnectionError("the client is closed")
            self._serve(loop)
            exchange = self.core.submit(surface, body, None, None, IN_PROCESS)
            self._live[exchange] = sink
            self._homes[exchange] = loop
        return exchange

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        before = self._loop
        if before is loop or self._thread is not None:
            return
        if before is None or before.is_closed():
            self.attach(loop)
            return
        self._loop = None
        try:
            before.call_soon_threadsafe(before.remove_reader, self.core.fileno())
        except RuntimeError:  # it was closed just now, and its reader with it
            self.attach(loop)
            return
        self.start_thread()

    def _dispatch(self) -> None:
        # Under the lock as a whole, so that two readers cannot hand out batches in another order
        # than they took them.
        with self._submitting:
            here = self._loop
            elsewhere: dict[asyncio.AbstractEventLoop, list[tuple[Sink, Event]]] = {}
            for event in self.core.take_all():
                exchange, record = event[0], event[3]
                if record is not None:
                    for callback in self._on_record:
                        callback(record)
                running = self._live.get(exchange)
                if running is None:
                    continue
                home = self._homes[exchange]
                if record is not None:
                    del self._live[exchange], self._homes[exchange]
                if home is here:
                    running.push(event)
                else:
                    elsewhere.setdefault(home, []).append((running, event))
            for home, batch in elsewhere.items():
                try:
                    home.call_soon_threadsafe(_push_all, batch)
                except RuntimeError:  # closed, and with it whoever waited
                    for _, event in batch:
                        self.core.cancel(event[0])

    def after_fork(self) -> None:
        super().after_fork()
        self._pumps = False  # it begins anew with one loop
        self._homes = {}

    def abandon(self, then: Callable[[], None]) -> None:
        if self._thread is not None:
            super().abandon(then)
            return
        if "core" not in self.__dict__ or self._closed.is_set():
            return
        loop = self._loop
        with contextlib.suppress(RuntimeError):  # it was closed just now
            if loop is not None and loop.is_running():
                loop.call_soon_threadsafe(self._end, then)
                return
        self._end(then)

    def _end(self, then: Callable[[], None]) -> None:
        loop, self._loop = self._loop, None
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self.core.fileno())
        self.close()
        then()

    def leave(self) -> None:
        """Stops reading on the running event loop, which is about to close the gateway."""
        if self._loop is not None and self._loop is asyncio.get_running_loop():
            self.detach()

    def _drop(self, exchange: int, sink: Sink) -> None:
        if not isinstance(sink, AsyncExchange):  # those are told by close(), ended or not
            with contextlib.suppress(RuntimeError):
                self._homes[exchange].call_soon_threadsafe(sink.drop)

    def close(self) -> None:
        if "core" not in self.__dict__:  # it is the parent's
            super().close()
            return
        before, self._loop = self._loop, None
        if before is not None:
            with contextlib.suppress(RuntimeError):  # closed, and its reader with it
                before.call_soon_threadsafe(before.remove_reader, self.core.fileno())
        with self._submitting:
            self._closed.set()
            waiting = [
                (self._homes[exchange], running)
                for exchange, running in self._live.items()
                if isinstance(running, AsyncExchange)
            ]
        if self._thread is None:  # else the base does it, after the thread has ended
            self._cancel_running()
        super().close()
        self._homes.clear()
        for home, running in waiting:
            with contextlib.suppress(RuntimeError):  # closed, and with it whoever waited
                home.call_soon_threadsafe(running.drop)


def _push_all(batch: list[tuple[Sink, Event]]) -> None:
    for running, event in batch:
        running.push(event)
