"""Waits for what another thread does every so often."""

from __future__ import annotations

import time
from collections.abc import Callable

_PATIENCE_S = 20.0


def eventually(holds: Callable[[], bool], patience: float = _PATIENCE_S) -> None:
    """Asks again and again, and fails when it has not become true for far too long."""
    end = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.02)
