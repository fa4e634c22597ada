"""When `map` may start, retry and pause: a state machine without clock, I/O or thread.

Times are seconds of any monotonic clock, given by the caller. One pause is shared by all prompts:
after a 429 nothing is started until it has passed, while what runs may finish.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from random import Random

    from seekroute.errors import APIError

JobT = TypeVar("JobT")

# Tries of one prompt after its first.
MAX_RETRIES = 5
# Seconds of the first wait when nobody says how long; it doubles up to the second.
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
# A provider that asks for more than this has closed its door for the day: the run ends instead.
LONGEST_PAUSE = 600.0
# Waits are lengthened by up to this part, so that many clients do not come back at once.
JITTER = 0.25

# After these every other prompt would be refused too: no key, no money, no such model.
HOPELESS = {401: "authentication", 402: "credits", 404: "model"}
# A 403 may be about one prompt: a router's moderation. These are not.
_FORBIDDEN = ("permission_denied", "app_not_approved", "upstream_forbidden")


def ends_the_run(error: APIError, *, own_model: bool) -> str:
    """Why every other prompt of a run would be refused like this one; empty: they would not.

    Args:
        error: what a try ended with.
        own_model: whether the prompt named a model of its own.
    """
    status, code = error.status_code or 0, str(error.code)
    if (status, code) == (404, "not_found"):
        return "path"
    if code == "max_cost_exceeded" or (
        own_model and (status in (403, 404) or code.startswith("upstream_"))
    ):
        return ""
    if status == 402 and error.retryable:  # the money is held by requests that will end
        return ""
    return "permission" if code in _FORBIDDEN else HOPELESS.get(status, "")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed.

    Args:
        status: HTTP status; 0 where there was none (the connection broke).
        retry_after: seconds the other side asked to wait, or None.
        retryable: whether the same request may well succeed later.
        ends: why the run has to end; empty: it need not.
    """

    status: int
    retry_after: float | None = None
    retryable: bool = True
    ends: str = ""

    @property
    def pauses(self) -> bool:
        """Whether it is about all requests and not about this one."""
        return self.status == 429 or (self.status in (402, 503) and self.retry_after is not None)


class Schedule(Generic[JobT]):
    """Slots, waiting retries and the shared pause.

    At most `concurrency` jobs run and at most `concurrency` wait for a retry while new ones are
    started. `stopped` says why nothing more is started; empty while the run goes on.

    Args:
        concurrency: jobs in flight at most; at least 1.
        rng: source of the jitter.
        max_retries: tries of one job after its first.
        longest_pause: a longer wait that is asked for ends the run instead, in seconds.
    """

    def __init__(
        self,
        concurrency: int,
        rng: Random,
        *,
        max_retries: int = MAX_RETRIES,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        self.concurrency = concurrency
        self.in_flight = 0
        self.paused_until = 0.0
        self.pauses = 0
        self.retries = 0
        self.stopped = ""
        self._rng = rng
        self._max_retries = max_retries
        self._longest_pause = longest_pause
        self._waiting: list[tuple[float, int, JobT]] = []
        self._order = 0
        # Pauses in a row, for waits that nobody named: one success ends the row.
        self._row = 0
        # Starts before this belong to the time before the pause: their 429s are the same refusal.
        self._paused_at = float("-inf")

    @property
    def waiting(self) -> int:
        """Jobs that wait for their next try."""
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return self.in_flight == 0 and not self._waiting

    def stop(self, reason: str) -> None:
        """Starts nothing from now on, retries neither; the first reason stays."""
        self.stopped = self.stopped or reason

    def may_start(self, now: float) -> bool:
        """Whether a new job may begin."""
        return self.has_room(now) and len(self._waiting) < self.concurrency

    def has_room(self, now: float) -> bool:
        """Whether a job that was there before may begin."""
        return not self.stopped and self.in_flight < self.concurrency and now >= self.paused_until

    def due(self, now: float) -> JobT | None:
        """Takes a job whose retry is due; to be asked before a new one is started."""
        if self._waiting and self._waiting[0][0] <= now and self.has_room(now):
            return heapq.heappop(self._waiting)[2]
        return None

    def begin(self) -> None:
        """Counts a job as running."""
        self.in_flight += 1

    def succeed(self) -> None:
        """Counts a job as answered."""
        self.in_flight -= 1
        self._row = 0

    def cancel(self) -> None:
        """Counts a job as ended by ourselves."""
        self.in_flight -= 1

    def fail(self, job: JobT, failure: Failure, *, tries: int, began: float, now: float) -> bool:
        """Counts a failed try; True when the job waits for another one.

        Args:
            job: what failed.
            failure: how.
            tries: tries of this job so far, this one included.
            began: when this try was started.
            now: the time.
        """
        self.in_flight -= 1
        if failure.ends:
            self.stop(failure.ends)
        if not failure.retryable:
            return False
        if failure.retry_after is not None and failure.retry_after > self._longest_pause:
            self.stop("rate limit")
        elif failure.pauses:
            self._pause(failure, began=began, now=now)
        if self.stopped or tries > self._max_retries:
            return False
        self.retries += 1
        if failure.pauses:
            due = self.paused_until
        elif failure.retry_after is not None:
            due = now + self._stretched(failure.retry_after)
        else:
            due = now + self._stretched(_doubled(tries - 1))
        self._wait(job, due)
        return True

    def _pause(self, failure: Failure, *, began: float, now: float) -> None:
        fresh = began >= self._paused_at and now >= self.paused_until
        if fresh:
            self.pauses += 1
        if failure.retry_after is not None:
            until = now + self._stretched(failure.retry_after)
        elif fresh:
            until = now + self._stretched(_doubled(self._row))
        else:
            return  # sent before the pause began: it says nothing new
        if fresh:
            self._row += 1
            self._paused_at = now
        self.paused_until = max(self.paused_until, until)

    def _wait(self, job: JobT, due: float) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (due, self._order, job))

    def _stretched(self, seconds: float) -> float:
        return seconds * (1 + JITTER * self._rng.random())

    def wake_at(self) -> float | None:
        """When something may be started that may not be now; None when only an end changes that.

        To be asked after everything that may be started was started.
        """
        if self.stopped or self.in_flight >= self.concurrency:
            return None
        if self._waiting:
            return max(self._waiting[0][0], self.paused_until)
        return self.paused_until


def _doubled(times: int) -> float:
    return min(FIRST_WAIT * 2.0 ** min(times, 16), LONGEST_WAIT)
