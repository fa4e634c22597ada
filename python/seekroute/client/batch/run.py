"""One run of `map`: a loop body without threads, which the drivers in `batch.py` turn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from seekroute.client.batch.checkpoint import SYNC_SECONDS, Checkpoint, digest
from seekroute.client.batch.job import Job, Lane, Told
from seekroute.client.batch.outcome import Outcome
from seekroute.client.batch.results import Results
from seekroute.client.batch.schedule import Schedule
from seekroute.client.spend.prices import Estimate
from seekroute.errors import BudgetExceededError, NotSupportedError, timed_out
from seekroute.money import decimal_usd

if TYPE_CHECKING:
    from seekroute.client.batch.progress import Progress
    from seekroute.client.batch.requests import RequestWriter
    from seekroute.client.spend.budget import Budget, Budgets, Hold

OnError = Literal["return", "raise", "skip"]


@dataclass(slots=True)
class Caps:
    """The money limits of a run.

    Args:
        budgets: the client's.
        covering: its budgets that are open where `map` was called.
        max_cost: the run's own cap, or None.
        estimate: what the request of a prompt may cost; None when that is not known.
    """

    budgets: Budgets
    covering: tuple[Budget, ...]
    max_cost: Budget | None
    estimate: Callable[[object, bytes], Estimate | None]

    @property
    def any(self) -> bool:
        return self.max_cost is not None or bool(self.covering)


class Run:
    """Takes prompts, starts requests, collects answers; `step()` does what can be done now.

    Args:
        prompts: read only as fast as requests are started.
        writer: makes the requests.
        lane: where they go.
        arrive: put into every job; called when its try has ended.
        schedule: when they go.
        caps: what they may cost.
        checkpoint: where outcomes are kept, or None.
        progress: who is told, or None.
        on_error: as in `map`.
        clock: monotonic seconds.
        deadline: seconds this run may take, or None.
        timeout: seconds that one try may take.
        book: told of every ended try and its nano-USD, where nobody else counts them.
        told: says errors anew; as `Backend.told`.
    """

    def __init__(
        self,
        prompts: Iterable[object],
        *,
        writer: RequestWriter,
        lane: Lane,
        arrive: Callable[[Job], None],
        schedule: Schedule[Job],
        caps: Caps,
        checkpoint: Checkpoint | None,
        progress: Progress | None,
        on_error: OnError,
        clock: Callable[[], float],
        deadline: float | None,
        timeout: float = math.inf,
        book: Callable[[Outcome, int], None] | None = None,
        told: Told | None = None,
    ) -> None:
        self.results = Results(drop_failed=on_error == "skip")
        # True while code of the caller runs: an interrupt may end it at once.
        self.outside = False
        self._total = len(prompts) if isinstance(prompts, Sized) else None
        self._ready_made = isinstance(prompts, Sequence)
        # It has been read once already, by `check_prompts`, so the rest can be read without asking.
        self._reads_again = isinstance(prompts, Sized) and not isinstance(prompts, Iterator)
        self._source: Iterator[object] = iter(prompts)
        self._writer = writer
        self._lane = lane
        self._arrive = arrive
        self._schedule = schedule
        self._caps = caps
        self._checkpoint = checkpoint
        self._progress = progress
        self._on_error = on_error
        self._clock = clock
        self._book = book
        self._told = told
        self._began = clock()
        self._deadline = None if deadline is None else self._began + deadline
        self._timeout = timeout
        # In the order of their starts, for the timeout: the values mean nothing.
        self._running: dict[Job, None] = {}
        # A job that the caps do not let start while others run; at most one.
        self._held_back: Job | None = None
        self._spent_nano = 0
        self._answered = 0
        self._answered_nano = 0
        self._failed = 0
        self._raise: Exception | None = None
        self._closed = False

    # --- the loop body ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Nothing runs, and nothing more will be started."""
        if self._schedule.stopped:
            return self._schedule.in_flight == 0
        return self.results.exhausted and self._schedule.idle and self._held_back is None

    def step(self, arrived: Sequence[Job]) -> float | None:
        """Takes ended tries in and starts what may start.

        Returns the seconds after which it wants to be called at the latest; None: when something
        arrives. Raises what `prompts` raises, errors of the checkpoint's file, and with
        `on_error="raise"` the first error of a prompt.
        """
        now = self._clock()
        done = []
        for job in arrived:
            outcome = self._ended(job, now)
            if outcome is not None:
                done.append(outcome)
                if self._checkpoint is not None:
                    self._checkpoint.add(outcome, job.digest)
        if done:
            self._keep(done)
        if self._raise is not None:
            error, self._raise = self._raise, None
            raise error
        if self._deadline is not None and now >= self._deadline and not self._schedule.stopped:
            self.cancel("deadline")
        self._expire(now)
        self._start(now)
        if self._raise is not None:  # a prompt that is none
            error, self._raise = self._raise, None
            raise error
        if self._checkpoint is not None:
            self._checkpoint.sync(now)
        self._tell(now, last=False)
        return self._wait_at_most(now)

    def _wait_at_most(self, now: float) -> float | None:
        moments = []
        if self._held_back is not None:
            # It waits for something that runs to end, or for the end of a pause.
            if now < self._schedule.paused_until:
                moments.append(self._schedule.paused_until)
        elif not self.results.exhausted or self._schedule.waiting:
            wake = self._schedule.wake_at()
            if wake is not None:
                moments.append(wake)
        if self._deadline is not None and not self._schedule.stopped:
            moments.append(self._deadline)
        oldest = next((job for job in self._running if job.broken is None), None)
        if oldest is not None and self._timeout < math.inf:
            moments.append(oldest.began + self._timeout)
        if self._checkpoint is not None and self._checkpoint.unsynced:
            moments.append(now + SYNC_SECONDS)
        return max(min(moments) - now, 0.0) if moments else None

    def _expire(self, now: float) -> None:
        for job in self._running:
            if job.began + self._timeout > now:
                break
            if job.broken is None:
                job.broken = timed_out(self._timeout)
                self._lane.cancel(job)

    def cancel(self, reason: str) -> None:
        """Starts nothing more and cancels what runs; `step()` on until `finished`."""
        self._schedule.stop(reason)
        for job in list(self._running):
            self._lane.cancel(job)

    def close(self) -> Results:
        """Writes what is left, frees everything and returns the results. Idempotent."""
        if self._closed:
            return self.results
        self._closed = True
        results, schedule = self.results, self._schedule
        for job in self._running:  # only when the run was broken off: these did not come back
            self._settle(job, 0)
        try:
            if self._checkpoint is not None:
                self._checkpoint.close()
        finally:
            self._lane.close()
            now = self._clock()
            results.stopped = schedule.stopped
            if not results.exhausted and self._total is not None:
                results.unread = max(self._total - len(results._outcomes), 0)
            if self._reads_again:
                results._prompts += self._source
            results.spent = decimal_usd(self._spent_nano)
            results.elapsed = now - self._began
            results.pauses = schedule.pauses
            results.retries = schedule.retries
            self._tell(now, last=True)
        return results

    def _tell(self, now: float, *, last: bool) -> None:
        if self._progress is None:
            return
        self.outside = True
        try:
            self._progress.tell(
                now,
                last=last,
                done=self._answered + self._failed + self.results.restored,
                errors=self._failed,
                cost_nano=self._spent_nano,
                pauses=self._schedule.pauses,
                pause=max(self._schedule.paused_until - now, 0.0),
            )
        finally:
            self.outside = False

    # --- ends ------------------------------------------------------------------------------------

    def _ended(self, job: Job, now: float) -> Outcome | None:
        """Books one ended try; returns the outcome when it was the last."""
        self._running.pop(job, None)
        schedule = self._schedule
        before = job.cost_nano
        outcome, failure = job.outcome(self._told)
        cost = job.cost_nano - before
        self._spent_nano += cost
        self._settle(job, cost)
        if self._book is not None and not job.cancelled:
            self._book(outcome, cost)
        if failure is None:
            schedule.succeed()
            if self._caps.any and not outcome.priced:
                self._raise = NotSupportedError(
                    "this gateway names no prices: max_cost and budgets cannot hold here",
                    hint="leave them out, and bound what an answer costs by max_tokens",
                )
            self._answered += 1
            self._answered_nano += cost
            return outcome
        if schedule.stopped and job.cancelled:
            schedule.cancel()
            return None
        if schedule.fail(job, failure, tries=job.tries, began=job.began, now=now):
            return None
        if failure.retryable and schedule.stopped:
            return None  # stopped before its retry: not asked, rather than failed
        self._failed += 1
        if self._on_error == "raise" and self._raise is None:
            self._raise = outcome.error
        return outcome

    def _settle(self, job: Job, cost_nano: int) -> None:
        for hold in job.holds:
            hold.settle(cost_nano)
        job.holds = ()

    def _keep(self, outcomes: list[Outcome]) -> None:
        # First the file, then the results: what counts as done is in the file.
        if self._checkpoint is not None:
            self._checkpoint.write()
        for outcome in outcomes:
            self.results._put(outcome)

    # --- starts ----------------------------------------------------------------------------------

    def _start(self, now: float) -> None:
        schedule, started = self._schedule, False
        while True:
            job = self._held_back
            if job is not None:
                if not schedule.has_room(now):
                    break
                self._held_back = None
            elif (job := schedule.due(now)) is None:
                if not schedule.may_start(now):
                    break
                if started and not self._ready_made:
                    self._lane.flush()  # the next prompt may be long in coming
                if (job := self._next()) is None:
                    break
            if self._caps.any and not self._afford(job):
                self._held_back = job
                break
            job.clear()
            job.tries += 1
            job.began = now
            schedule.begin()
            self._running[job] = None
            self._lane.start(job)
            started = True
        if started:
            self._lane.flush()

    def _next(self) -> Job | None:
        """The next prompt that has no stored answer; None at the end."""
        while not self.results.exhausted:
            self.outside = True
            try:
                prompt = next(self._source)
            except StopIteration:
                self.results.exhausted = True
                return None
            finally:
                self.outside = False
            index = self.results._reserve(prompt)
            try:
                body = self._writer.write(prompt, index)
            except (TypeError, ValueError) as error:
                self._refuse(index, error)
                if self._raise is not None:
                    return None
                continue
            key = ""
            if self._checkpoint is not None:
                key = digest(body)
                stored = self._checkpoint.take(key, index)
                if stored is not None:
                    self.results._put(stored)
                    self.results.restored += 1
                    continue
            own_model = isinstance(prompt, Mapping) and prompt.get("model") is not None
            job = Job(index, body, key, self._arrive, own_model=own_model)
            if self._caps.any:
                job.estimate = self._caps.estimate(prompt, body)
            return job
        return None

    def _refuse(self, index: int, error: Exception) -> None:
        """A prompt that is none, out of a stream: its error stands in its place."""
        outcome = Outcome(index, error=error)
        outcome.tries = outcome.attempts = 0
        self._failed += 1
        self.results._put(outcome)
        if self._on_error == "raise" and self._raise is None:
            self._raise = error

    def _afford(self, job: Job) -> bool:
        """Sets the job's money aside; False when it has to wait, or the run to stop."""
        caps, schedule = self._caps, self._schedule
        estimate = job.estimate
        mean = self._answered_nano // self._answered if self._answered else 0
        if estimate is None:
            if not self._answered and schedule.in_flight:
                return False  # one goes first, to learn what the others may cost
            estimate = Estimate(0, mean)
        else:
            estimate = Estimate(estimate.minimum, max(estimate.expected, mean))
        holds: list[Hold] = []
        for name, budgets in (
            ("max_cost", () if caps.max_cost is None else (caps.max_cost,)),
            ("budget", caps.covering),
        ):
            if not budgets:
                continue
            try:
                holds.append(caps.budgets.hold(estimate, budgets, whole=True))
            except BudgetExceededError:
                for hold in holds:
                    hold.settle(0)
                # What runs may turn out cheaper than was set aside for it; then there is room.
                if schedule.in_flight == 0:
                    schedule.stop(name)
                return False
        job.holds = tuple(holds)
        return True
