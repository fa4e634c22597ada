"""What readiness looks at: the parts that have to work, and the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, NamedTuple

# About what one commit of the ledger takes: below it, the next requests are refused anyway.
LEAST_FREE_BYTES: Final = 256 * 1024

# By the code of what keeps the ledger from being written.
_BLOCKED: Final = {
    "storage_full": "its disk is full: requests are refused until there is room",
    "store_unavailable": "it cannot be written now: requests are refused until it can",
}


class Check(NamedTuple):
    """A part of the gateway, as readiness tells it."""

    state: Literal["ok", "warning", "failed"]  # only `failed` makes the gateway not ready
    reason: str  # nothing secret, no path: who asks for it needs no key

    @classmethod
    def of(cls, reason: str) -> Check:
        """Failed, if there is a reason."""
        return cls("failed" if reason else "ok", reason)


def blocked_reason(code: str) -> str:
    """Why a ledger that is `blocked` takes no money."""
    return _BLOCKED.get(code, _BLOCKED["store_unavailable"]) if code else ""


def disk_reason(folder: Path) -> str:
    """Why nothing can be written to the disk of a folder soon; empty while it has room."""
    try:
        free = free_bytes(folder)
    except OSError:
        return "the disk of the data directory cannot be looked at"
    return "" if free >= LEAST_FREE_BYTES else f"less than {LEAST_FREE_BYTES >> 10} KiB are free"


def free_bytes(folder: Path) -> int:
    """What this process may still write to the disk of a folder."""
    found = os.statvfs(folder)
    # Some blocks are kept for root.
    return found.f_frsize * (found.f_bfree if os.geteuid() == 0 else found.f_bavail)
