"""When a call is tried again, and after how long."""

from __future__ import annotations

import math
import random
import time
from typing import Any, Final

from seekroute.errors import APIError

MAX_RETRIES: Final = 100
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 8.0
# A gateway that wants more is not asked again: coming sooner than it said helps nobody, and a call
# that sleeps for an hour looks hung. The error says how long it wanted.
_LONGEST_WAIT: Final = 60.0


def checked_max_retries(value: Any) -> int:
    """Raises ValueError unless `value` is a whole number from 0 to 100."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_RETRIES:
        raise ValueError(f"max_retries: expected a whole number from 0 to {MAX_RETRIES}")
    return value


# Seconds. A minute above the gateway's own `total_timeout_ms`: it is the gateway that ends a call
# that takes too long, says why, and settles it.
DEFAULT_TIMEOUT: Final = 1860.0


def checked_timeout(value: Any) -> float:
    """Raises ValueError unless `value` is seconds above 0; infinity is."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError('timeout: expected seconds above 0; float("inf") waits for ever')
    return float(value)


def pause_before(retry: int, retry_after: float | None, jitter: float) -> float | None:
    """Seconds to wait before a retry; None: do not retry.

    Args:
        retry: 1 for the first.
        retry_after: What the answer said, in seconds.
        jitter: From 0 to 1, at random.

    Example:
        >>> [pause_before(n, None, 0.0) for n in (1, 2, 3, 4, 5, 6)]
        [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
        >>> pause_before(1, None, 1.0), pause_before(1, 3.0, 1.0), pause_before(1, 3600.0, 0.0)
        (0.375, 3.0, None)
    """
    if retry_after is not None:
        return retry_after if retry_after <= _LONGEST_WAIT else None
    # A quarter of jitter, downwards: clients that failed together do not come back together.
    pause = min(_FIRST_PAUSE * math.ldexp(1.0, min(retry, 10) - 1), _LONGEST_PAUSE)
    return pause * (1.0 - 0.25 * jitter)


class Tries:
    """The tries of one call: counts them and says whether there is another one.

    Args:
        max_retries: How many more than the first.
    """

    __slots__ = ("attempts", "retries", "retries_left", "started")

    def __init__(self, max_retries: int) -> None:
        self.retries_left = max_retries
        self.retries = 0
        self.attempts = 0
        self.started = time.monotonic()

    def count(self, headers: Any) -> int:
        """Counts what one answer says it took, at least one; returns the sum."""
        said = headers.get("x-seekroute-attempts", "1")
        self.attempts += max(1, int(said)) if said.isdecimal() and len(said) < 10 else 1
        return self.attempts

    def after(self, error: APIError) -> float:
        """Seconds to wait before the next try; raises `error` when there is none."""
        if error.retryable and self.retries_left > 0:
            pause = pause_before(self.retries + 1, error.retry_after, random.random())
            if pause is not None:
                self.retries += 1
                self.retries_left -= 1
                return pause
        raise error
