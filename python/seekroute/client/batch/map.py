"""`client.map`: many prompts at once, in order, within limits, resumable.

The run itself (`run.py`) has no threads: here it is driven from the caller's thread, or on
the caller's event loop. In process no thread or task is started for a request; over HTTP each is a
task on one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, field
from decimal import Decimal
from os import PathLike
from random import Random
from typing import TYPE_CHECKING, Any

from seekroute.client.batch.checkpoint import Checkpoint, describe
from seekroute.client.batch.errors import CheckpointError, NotRunError
from seekroute.client.batch.job import Job, Lane, Told
from seekroute.client.batch.outcome import Outcome
from seekroute.client.batch.progress import MapProgress, progress_of
from seekroute.client.batch.requests import RequestWriter, check_prompts
from seekroute.client.batch.results import Results
from seekroute.client.batch.run import Caps, OnError, Run
from seekroute.client.batch.schedule import LONGEST_PAUSE, MAX_RETRIES, Schedule
from seekroute.client.spend.prices import Estimate, Estimator, is_limited

if TYPE_CHECKING:
    from seekroute.client.spend.budget import Budgets

__all__ = ["CheckpointError", "MapProgress", "NotRunError", "Results"]

MAX_CONCURRENCY = 4096
# Seconds that a run which was broken off waits for what it cancelled, to learn what it cost.
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class MapOptions:
    """The arguments of `map`, checked. See `Client.map`."""

    model: str = "auto"
    concurrency: int = 16
    progress: bool | Callable[[MapProgress], object] = True
    max_cost: Decimal | str | float | None = None
    checkpoint: str | PathLike[str] | None = None
    on_error: OnError = "return"
    system: str | None = None
    deadline: float | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "map"

    def __post_init__(self) -> None:
        count = self.concurrency
        if (
            isinstance(count, bool)
            or not isinstance(count, int)
            or not 1 <= count <= MAX_CONCURRENCY
        ):
            raise ValueError(
                f"concurrency: expected a whole number from 1 to {MAX_CONCURRENCY}, found {count!r}"
            )
        if self.on_error not in ("return", "raise", "skip"):
            raise ValueError(
                f"on_error: expected 'return', 'raise' or 'skip', found {self.on_error!r}"
            )
        if not isinstance(self.progress, bool) and not callable(self.progress):
            raise TypeError(
                "progress: expected True, False or a function, "
                f"found {type(self.progress).__name__}"
            )
        if self.deadline is not None and not self.deadline > 0:
            raise ValueError(f"deadline: expected seconds above 0, found {self.deadline!r}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a client lends to a run.

    Args:
        budgets: its budgets.
        estimator: its prices; None where they are not known (a remote gateway).
        book: told of every ended try and its nano-USD; None where the core's records are counted.
        told: says errors anew; as `Backend.told`.
        max_retries, longest_pause: as of `Schedule`.
        timeout: seconds that one try may take.
        clock, rng: for tests.
    """

    budgets: Budgets
    estimator: Estimator | None
    book: Callable[[Outcome, int], None] | None = None
    told: Told | None = None
    max_retries: int = MAX_RETRIES
    longest_pause: float = LONGEST_PAUSE
    timeout: float = math.inf
    clock: Callable[[], float] = time.monotonic
    rng: Random = field(default_factory=Random)


def _writer_of(options: MapOptions) -> RequestWriter:
    return RequestWriter(options.model, options.system, options.fields, options.kind)


def _prepare(
    prompts: Iterable[object],
    writer: RequestWriter,
    options: MapOptions,
    around: Surroundings,
    make_lane: Callable[[], Lane],
    arrive: Callable[[Job], None],
) -> Run:
    budgets, estimator = around.budgets, around.estimator
    all_limited = is_limited(writer.common)

    def estimate(prompt: object, request: bytes) -> Estimate | None:
        if estimator is None:
            return None
        limited = all_limited or (isinstance(prompt, Mapping) and is_limited(prompt))
        return estimator.estimate(request, limited=limited)

    cap = None if options.max_cost is None else budgets.cap(options.max_cost, name="max_cost")
    checkpoint = None
    if options.checkpoint is not None:
        said = describe(options.model, options.system, writer.common)
        checkpoint = Checkpoint(options.checkpoint, said)
        if cap is not None:
            cap.charge(checkpoint.spent_nano)
    try:
        lane = make_lane()
        total = len(prompts) if isinstance(prompts, Sized) else None
        progress = progress_of(options.progress, total)
    except BaseException:
        if checkpoint is not None:
            checkpoint.close()
        raise
    return Run(
        prompts,
        writer=writer,
        lane=lane,
        arrive=arrive,
        schedule=Schedule(
            options.concurrency,
            around.rng,
            max_retries=around.max_retries,
            longest_pause=around.longest_pause,
        ),
        caps=Caps(budgets, budgets.open_here(), cap, estimate),
        checkpoint=checkpoint,
        progress=progress,
        on_error=options.on_error,
        clock=around.clock,
        deadline=options.deadline,
        timeout=around.timeout,
        book=around.book,
        told=around.told,
    )


# --- from a thread --------------------------------------------------------------------------------


class _Interrupts:
    """Lets Ctrl-C end a run between two of its steps instead of anywhere inside one.

    While the caller's own code runs (`prompts`, `progress`), and at a second Ctrl-C, it ends at
    once. Does nothing outside the main thread, or where the caller has a handler of its own.
    """

    def __init__(self, run: Run, inbox: queue.SimpleQueue[Job | None]) -> None:
        self.seen = False
        self._run = run
        self._inbox = inbox
        self._ours = False

    def __enter__(self) -> _Interrupts:
        self._ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._ours:
            signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: object) -> None:
        if self.seen or self._run.outside:
            raise KeyboardInterrupt
        self.seen = True
        self._inbox.put(None)  # a SimpleQueue's put may interrupt its get

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _take(inbox: queue.SimpleQueue[Job | None], timeout: float | None) -> list[Job]:
    """What has arrived; waits for something up to `timeout` seconds."""
    try:
        first = inbox.get(timeout=timeout)
    except queue.Empty:
        return []
    items = [first, *(inbox.get() for _ in range(inbox.qsize()))]
    return [job for job in items if job is not None]


def map_prompts(
    prompts: Iterable[object],
    options: MapOptions,
    around: Surroundings,
    make_lane: Callable[[], Lane],
) -> Results:
    """Runs `map` from this thread. See `Client.map`."""
    writer = _writer_of(options)
    for _ in check_prompts(prompts, writer):
        pass
    inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    run = _prepare(prompts, writer, options, around, make_lane, inbox.put)
    try:
        with _Interrupts(run, inbox) as interrupts:
            timeout = run.step(())
            while not run.finished and not interrupts.seen:
                timeout = run.step(_take(inbox, timeout))
            if interrupts.seen:
                raise KeyboardInterrupt
        return run.close()
    except BaseException as error:
        with contextlib.suppress(KeyboardInterrupt):  # a second one: do not wait any longer
            _break_off(run, inbox, around.clock)
        error.partial = run.close()  # type: ignore[attr-defined]
        raise


def _break_off(run: Run, inbox: queue.SimpleQueue[Job | None], clock: Callable[[], float]) -> None:
    run.cancel("interrupted")
    until = clock() + _GRACE_SECONDS
    while not run.finished and (left := until - clock()) > 0:
        try:
            run.step(_take(inbox, left))
        except Exception:
            continue


# --- on an event loop -----------------------------------------------------------------------------


class _AsyncInbox:
    """Where jobs arrive on the event loop that waits for them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived: list[Job] = []
        self._waiter: asyncio.Future[None] | None = None

    def put(self, job: Job) -> None:
        self._arrived.append(job)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def take(self, timeout: float | None) -> list[Job]:
        """What has arrived; waits for something up to `timeout` seconds."""
        if self._arrived:
            await asyncio.sleep(0)  # others on the loop have their turn in any case
        else:
            self._waiter = self._loop.create_future()
            timer = None if timeout is None else self._loop.call_later(timeout, self._wake)
            try:
                await self._waiter
            finally:
                self._waiter = None
                if timer is not None:
                    timer.cancel()
        arrived, self._arrived = self._arrived, []
        return arrived


async def map_prompts_async(
    prompts: Iterable[object],
    options: MapOptions,
    around: Surroundings,
    make_lane: Callable[[], Lane],
) -> Results:
    """Runs `map` on this event loop. See `AsyncClient.map`."""
    writer = _writer_of(options)
    for _ in check_prompts(prompts, writer):
        await asyncio.sleep(0)  # others on the loop have their turn
    inbox = _AsyncInbox()
    run = _prepare(prompts, writer, options, around, make_lane, inbox.put)
    try:
        timeout = run.step(())
        while not run.finished:
            timeout = run.step(await inbox.take(timeout))
        return run.close()
    except BaseException as error:
        await _break_off_async(run, inbox, around.clock)
        error.partial = run.close()  # type: ignore[attr-defined]
        raise


async def _break_off_async(run: Run, inbox: _AsyncInbox, clock: Callable[[], float]) -> None:
    run.cancel("interrupted")
    until = clock() + _GRACE_SECONDS
    while not run.finished and (left := until - clock()) > 0:
        try:
            run.step(await inbox.take(left))
        except Exception:
            continue
