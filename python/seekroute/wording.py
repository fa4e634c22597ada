"""Numbers of things, spans of time, and reports, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def number_of(number: int, one: str, many: str = "") -> str:
    """A number and its noun.

    Args:
        one: the noun of one.
        many: of any other number; default: `one` with an s.

    Example:
        >>> number_of(1, "request"), number_of(0, "request"), number_of(2, "entry", "entries")
        ('1 request', '0 requests', '2 entries')
    """
    return f"{number} {one if number == 1 else many or one + 's'}"


def span_of(ms: float) -> str:
    """A span of time as it is read: in milliseconds below a second, then in larger units.

    Args:
        ms: milliseconds; no less than 0.

    Example:
        >>> span_of(827), span_of(1240), span_of(59_000), span_of(599_952), span_of(5_430_000)
        ('827 ms', '1.2 s', '59 s', '10 min', '1 h 30 min')
    """
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 9950:
        return f"{ms / 1000:.1f}".removesuffix(".0") + " s"
    seconds = round(ms / 1000)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return _two(*divmod(seconds, 60), "min", "s")
    return _two(*divmod(seconds // 60, 60), "h", "min")


def _two(large: int, small: int, of_large: str, of_small: str) -> str:
    return f"{large} {of_large}" + (f" {small} {of_small}" if small else "")


def chosen_by(auto: Mapping[str, Any]) -> str:
    """How a report says that `auto` has chosen, in a line.

    >>> model = {"model": "a/m", "quality": 0.71, "reason": "only"}
    >>> auto = {"strategy": "cost", "strategy_source": "key", "difficulty": 0.25, "revision": None}
    >>> chosen_by({**auto, "models": [model]})
    'chosen by cost, the strategy of the key, difficulty 0.25: a/m (quality 0.71, only)'
    """
    models = [
        f"{row['model']} (quality {row['quality']:.2f}, {row['reason']})" for row in auto["models"]
    ]
    learned = f", weights {auto['revision']}" if auto["revision"] else ""
    # What was stored before keys had a strategy lacks the member.
    of_key = ", the strategy of the key" if auto.get("strategy_source") == "key" else ""
    known = f"chosen by {auto['strategy']}{of_key}, difficulty {auto['difficulty']:.2f}"
    return f"{known}{learned}: {', '.join(models)}"
