"""A gate that holds a reply at each chunk until the test lets it go: no sleeps needed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque

from seekroute.wording import number_of


class Gate:
    """Holds a reply before each of its chunks until the test releases it. Thread-safe.

    A streamed reply sends its response head at once and then takes one permit per chunk (each
    ``data:`` event, ``[DONE]`` included). A reply that is not streamed takes one permit before
    its response head.

    Example::

        gate = Gate()
        mock.queue(Text("Hello", gate=gate))
        stream = client.chat.completions.create(model="m", messages=messages, stream=True)
        gate.wait_arrivals(1)  # the provider is about to send its first chunk
        gate.release()         # let one chunk go
        gate.open()            # let all the others go
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._permits = 0
        self._open = False
        self._arrivals = 0
        # One entry per reply held here, so bounded by the open connections.
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()

    def release(self, count: int = 1) -> None:
        """Let `count` more chunks pass, now or when they arrive."""
        with self._changed:
            self._permits += count
            self._wake()

    def open(self) -> None:
        """Let every chunk pass from now on."""
        with self._changed:
            self._open = True
            self._wake()

    @property
    def arrivals(self) -> int:
        """How many chunks have arrived at the gate, passed ones included."""
        with self._changed:
            return self._arrivals

    def wait_arrivals(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until `count` chunks in all have arrived at the gate.

        Args:
            count: chunks since the gate was made, passed ones included.
            timeout: longest wait, in seconds.

        Raises:
            TimeoutError: if fewer arrived in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._arrivals >= count, timeout):
                raise TimeoutError(
                    f"waited {timeout} s for {number_of(count, 'chunk')} at the gate; "
                    f"saw {self._arrivals}"
                )

    async def passed(self) -> None:
        """Wait for a permit; called by replies on the loop of the mock provider."""
        loop = asyncio.get_running_loop()
        arrived = False
        # Ends when a permit is there; each turn waits for a release, so it does not spin.
        while True:
            with self._changed:
                if not arrived:
                    arrived = True
                    self._arrivals += 1
                    self._changed.notify_all()
                if self._open:
                    return
                if self._permits > 0:
                    self._permits -= 1
                    return
                entry = (loop, loop.create_future())
                self._waiting.append(entry)
            try:
                await entry[1]
            finally:
                with self._changed, contextlib.suppress(ValueError):
                    self._waiting.remove(entry)

    def _wake(self) -> None:
        # Everyone wakes and takes a permit itself: a waiter cancelled meanwhile loses none.
        for loop, future in self._waiting:
            with contextlib.suppress(RuntimeError):  # that loop is closed already
                loop.call_soon_threadsafe(_resolve, future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
