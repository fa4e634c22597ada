"""What becomes of providers, as the log tells it: who is left out, and who is back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from seekroute.wording import number_of, span_of

__all__ = ["LOOK_S", "HealthLog"]

# Between two looks. An ejection lasts thirty seconds at least, and a dead key minutes.
LOOK_S: Final = 5.0
# Of one look; of a greater outage the rest is only counted.
_MOST_LINES: Final = 20

_EJECTED: Final = frozenset(("ejected", "half_open"))
_DEAD: Final = frozenset(("bad_key", "no_credit", "forbidden"))

_log: Final = logging.getLogger("seekroute.server")


class HealthLog:
    """Writes a line when an endpoint is ejected or a provider key dies, and one when it is back.

    Not thread-safe: one thread looks.

    Args:
        rows: how endpoints and keys stand, as the core tells it.
    """

    def __init__(self, rows: Callable[[], Sequence[Mapping[str, Any]]]) -> None:
        self._rows = rows
        self._out: set[str] = set()

    def look(self) -> bool:
        """Tells what has changed since the last look. Returns False: nobody waits for more."""
        lines: list[tuple[str, ...]] = []
        out: set[str] = set()
        for row in self._rows():
            name = _name_of(row)
            if row["state"] in (_EJECTED if row["key"] is None else _DEAD):
                out.add(name)
                if name not in self._out:
                    lines.append(("%s is left out: %s%s", name, row["state"], _until(row)))
            elif name in self._out:
                lines.append(("%s is back: %s", name, row["state"]))
        self._out = out  # whoever has left the configuration is forgotten
        for line in lines[:_MOST_LINES]:
            _log.warning(*line)
        if (more := len(lines) - _MOST_LINES) > 0:
            changes = number_of(more, "more endpoint or key is", "more endpoints and keys are")
            _log.warning("%s left out or back: see seekroute providers status", changes)
        return False


def _name_of(row: Mapping[str, Any]) -> str:
    if row["key"] is not None:
        return f"provider key {row['provider']}" + (f"#{row['key']}" if row["key"] else "")
    return f"endpoint {row['tag']} of {row['model']} ({row['upstream_model']})"


def _until(row: Mapping[str, Any]) -> str:
    if row["last_resort"]:
        return ", and asked as a last resort"
    wait = row["retry_in_ms"]
    return f", asked again in {span_of(-(-wait // 1000) * 1000)}" if wait > 0 else ""
