"""The ways a run's requests go: the core in this process, or a gateway at a URL."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from seekroute.errors import APIConnectionError, APIError
from seekroute.gateway import CHAT

if TYPE_CHECKING:
    from seekroute.client.batch.job import Job
    from seekroute.client.wires.backend import AsyncBackend
    from seekroute.gateway import Gateway

# Longest wait for the end of the thread of a remote run, in seconds.
_THREAD_SECONDS = 10.0


class LocalLane:
    """Straight into the core's queue; the job itself takes its events from the mailbox.

    The gateway's pump thread brings the events, or the event loop that runs `map`.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._core = gateway.core
        self._submit = gateway.submit_for

    def start(self, job: Job) -> None:
        try:
            job.exchange = self._submit(job, CHAT, job.body)
        except APIConnectionError as error:
            job.broken = error
            job.arrive(job)

    def flush(self) -> None:
        self._core.flush()

    def cancel(self, job: Job) -> None:
        self._core.cancel(job.exchange)

    def close(self) -> None:
        """Nothing here is the lane's own."""


class RemoteLane:
    """Over HTTP, one task for each request on an event loop.

    Args:
        backend: sends them; used on that loop alone.
        loop: which one; None starts a thread with a loop of its own, which `close()` ends.
        timeout: seconds of silence that end a request.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        backend: AsyncBackend,
        loop: asyncio.AbstractEventLoop | None,
        *,
        timeout: float,
        clock: Callable[[], float],
    ) -> None:
        self._backend = backend
        self._timeout = timeout
        self._clock = clock
        self._tasks: dict[Job, asyncio.Task[None]] = {}
        self._starting: list[Job] = []
        self._thread: threading.Thread | None = None
        if loop is None:
            loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._serve, args=(loop,), name="seekroute-map", daemon=True
            )
            self._loop = loop
            self._thread.start()
        else:
            self._loop = loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.run_forever()
        finally:
            loop.close()

    def start(self, job: Job) -> None:
        self._starting.append(job)

    def flush(self) -> None:
        batch, self._starting = self._starting, []
        if self._thread is None:
            self._start_all(batch)
        else:
            self._loop.call_soon_threadsafe(self._start_all, batch)

    def _start_all(self, batch: list[Job]) -> None:
        for job in batch:
            task = self._tasks[job] = self._loop.create_task(self._ask(job))
            # Not the end of `_ask`: a task that is cancelled before it began never gets there.
            task.add_done_callback(functools.partial(self._ended, job))

    async def _ask(self, job: Job) -> None:
        began = self._clock()
        answer = await self._backend.send(job.body, timeout=self._timeout)
        job.took = self._clock() - began
        job.status = answer.status
        job.headers = answer.headers
        job.parts = answer.body

    def _ended(self, job: Job, task: asyncio.Task[None]) -> None:
        self._tasks.pop(job, None)
        if task.cancelled():
            job.gone = True
        elif (error := task.exception()) is not None:
            job.broken = (
                error
                if isinstance(error, APIError)
                else APIConnectionError(f"the request failed: {type(error).__name__}")
            )
        job.arrive(job)

    def cancel(self, job: Job) -> None:
        if self._thread is None:
            self._cancel(job)
        else:
            self._loop.call_soon_threadsafe(self._cancel, job)

    def _cancel(self, job: Job) -> None:
        task = self._tasks.get(job)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """Ends the thread, if there is one; requests that still run are cancelled."""
        thread, self._thread = self._thread, None
        if thread is None:
            for task in list(self._tasks.values()):
                task.cancel()
            return

        async def end() -> None:
            for task in list(self._tasks.values()):
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await self._backend.aclose()
            self._loop.stop()

        asyncio.run_coroutine_threadsafe(end(), self._loop)
        thread.join(_THREAD_SECONDS)
