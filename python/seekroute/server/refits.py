"""New weights from ratings, by a process of its own, once there are enough new ones."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final

_log: Final = logging.getLogger("seekroute.server")

# New ratings that are worth a training, and as a part of those that it was last made from.
_LEAST_NEW: Final = 50
_NEW_PART: Final = 10
# Between two trainings, and the longest one: of tens of thousands of prompts it takes a minute.
_BETWEEN_S: Final = 600.0
_LONGEST_S: Final = 1800.0
_MOST_SAID: Final = 64 * 1024
_NEEDS: Final = ("lightgbm", "numpy", "scipy")


class Refits:
    """At most one training at a time. For one thread.

    Args:
        home: the data directory.
        clock: seconds that only grow.
    """

    def __init__(self, home: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._home: Final = home
        self._clock = clock
        self._running: subprocess.Popen[bytes] | None = None
        self._began = float("-inf")
        self._tried = 0  # ratings that the last training was made from
        self._told = False

    def turn(
        self, ratings: int, learned: int, settings: dict[str, Any], trusted: Collection[str]
    ) -> None:
        """Looks after a training that runs, or begins one.

        Args:
            ratings: that there are.
            learned: those that the last weights were made from.
            settings: `auto` of the snapshot.
            trusted: ids of organizations.
        """
        if self._running is not None:
            self._look()
            return
        known = max(self._tried, learned)
        due = ratings - known >= max(_LEAST_NEW, known // _NEW_PART)
        if not due or self._clock() - self._began < _BETWEEN_S:
            return
        self._began, self._tried = self._clock(), ratings
        if not all(map(importlib.util.find_spec, _NEEDS)):
            if not self._told:
                _log.warning(
                    "no weights are made of the ratings: pip install 'seekroute[router]'; how each "
                    "model has done of late is learned all the same"
                )
            self._told = True
            return
        self._begin(pickle.dumps((str(self._home), settings, set(trusted))))

    def _begin(self, given: bytes) -> None:
        self._running = subprocess.Popen(
            [sys.executable, "-m", "seekroute.learning.refit"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), "OMP_NUM_THREADS": "1"},  # no provider's key
        )
        assert self._running.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._running.stdin:
            self._running.stdin.write(given)

    def _look(self) -> None:
        assert self._running is not None
        if self._running.poll() is None:
            if self._clock() - self._began < _LONGEST_S:
                return
            _log.warning("a training of the router took too long and was ended")
            self.close()
            return
        assert self._running.stdout is not None
        with self._running.stdout as stream:
            said = stream.read(_MOST_SAID)
        code, self._running = self._running.returncode, None
        try:
            told = json.loads(said)
        except ValueError:
            _log.warning("a training of the router has failed: exit code %d", code)
            return
        if "error" in told:
            _log.info("no new weights of the router: %s", told["error"])
        else:
            verdict = "in force" if told["state"] == "in_force" else "worse than those in force"
            _log.info(
                "version %d of the router's weights is %s: loss %.4f against %.4f",
                told["number"],
                verdict,
                told["loss"],
                told["loss_in_force"],
            )

    def close(self) -> None:
        """Ends a training that runs. Idempotent."""
        if self._running is None:
            return
        self._running.kill()
        self._running.wait()
        if self._running.stdout is not None:
            self._running.stdout.close()
        self._running = None
