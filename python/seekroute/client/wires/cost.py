"""What a request counts, once its gateway knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seekroute.gateway import Record

# Errors of records whose provider may go on, and charge, although nobody waits any more.
_UNAWAITED = frozenset({"client_closed", "upstream_idle_timeout", "upstream_timeout"})


def counted_nano(record: Record) -> int:
    """What a request counts in spend, usage and caps.

    Its cost; where it was not waited for, also what its provider may charge, as estimated.
    """
    suspected = record.suspected_nano if record.error in _UNAWAITED else 0
    return record.cost_nano + suspected
