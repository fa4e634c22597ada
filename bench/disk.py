"""What the disk itself takes, beside a gateway that waits for it."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

_WRITE = b"x" * 16_384  # the pages of a small commit of the ledger
_PLACES = 256
_SAMPLES = 500


def two_synced_writes(folder: Path, core: int) -> dict[str, float]:
    """Time two writes over a file's old bytes, each with its fdatasync, one after the other.

    A request of a gateway that settles durably waits for as much at least: for its hold, and for
    its settlement.

    Args:
        folder: On the disk that is meant.
        core: The only one to run on, as the gateway does.

    Returns:
        Microseconds of both together: `two_writes_p50_us` and `two_writes_p99_us`.
    """
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            number = file.fileno()
            for place in range(_PLACES):
                os.pwrite(number, _WRITE, place * len(_WRITE))
            os.fsync(number)
            times = [_one_pair(number, sample) for sample in range(_SAMPLES)]
    finally:
        os.sched_setaffinity(0, allowed)
    cuts = statistics.quantiles(times, n=100)
    return {"two_writes_p50_us": cuts[49], "two_writes_p99_us": cuts[98]}


def _one_pair(number: int, sample: int) -> float:
    started = time.perf_counter_ns()
    for place in (2 * sample, 2 * sample + 1):
        os.pwrite(number, _WRITE, place % _PLACES * len(_WRITE))
        os.fdatasync(number)
    return (time.perf_counter_ns() - started) / 1000
