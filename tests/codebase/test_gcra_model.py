"""The core's rates beside the shared model of them: a million decisions, with settlements and jumps
of the clock."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from checkout import ROOT
from shared import shared_module

TESTS = ROOT / "build" / "dev" / "seekroute_tests"
DECISIONS = 1_000_000
STEPS = 80
SECOND = 10**9
UNITS = (1, 3, 7, 60, 997, 100_000, 4_000_000_000)


def lines(model: Any) -> Iterator[str]:
    """What random cells are asked, and what the model says: see `gcra_stream_test.cc`."""
    decisions = seed = 0
    while decisions < DECISIONS:
        seed += 1
        rng = random.Random(seed)
        units, period = rng.choice(UNITS), rng.choice((SECOND, 60 * SECOND))
        burst = rng.choice((1, 2, 5, units, 2 * units, rng.randint(1, 10 * units)))
        cell, clock = model.Gcra(units, period, burst), model.Clock()
        yield f"L {units} {period} {burst}\n"
        taken: list[tuple[int, Any]] = []
        count = 0
        told = rng.randint(0, 10**15)
        steps = (0, 1, period // units, period // (2 * units) + 1, period // 4, period)
        for _ in range(STEPS):
            told += rng.choice(steps)
            if rng.random() < 0.05:  # it jumps
                told = max(0, told + rng.choice((-3600 * SECOND, -1, 3600 * SECOND)))
            now = clock.now(told)
            yield f"K {told} {now}\n"
            if taken and rng.random() < 0.45:
                which, reservation = taken.pop(rng.randrange(len(taken)))
                cost = reservation[0]
                actual = (
                    rng.randint(0, cost) if rng.random() < 0.7 else cost + rng.randint(1, burst)
                )
                before = cell.forgiven
                cell.settle(now, reservation, actual)
                line = f"S {now} {which} {actual} {(cell.forgiven - before) // period}"
            else:
                beyond = rng.random() < 0.1
                cost = rng.randint(
                    1, burst + 1 if beyond else max(1, burst // rng.choice((1, 2, 3)))
                )
                reservation, wait = cell.check(now, cost)
                if reservation:
                    taken.append((count, reservation))
                    count += 1
                decisions += 1
                line = f"C {now} {cost} {-1 if wait is None else wait}"
            used = max(0, cell.tat - now * units)
            yield f"{line} {used // units} {used % units}\n"


@pytest.mark.skipif(not TESTS.exists(), reason="build/dev is not built")
def test_rates_decide_as_the_shared_model_does() -> None:
    model = shared_module("oracles", "gcra_model.py")
    with subprocess.Popen(
        [TESTS, "--gtest_filter=GcraStreamTest.*"],
        env={**os.environ, "SEEKROUTE_GCRA_STREAM": "/dev/stdin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as tests:
        assert tests.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # at the first difference
            tests.stdin.writelines(lines(model))
        said, _ = tests.communicate(timeout=100)
    assert tests.returncode == 0, said[-2000:]
    assert "[  PASSED  ] 1 test" in said
    assert "SKIPPED" not in said
