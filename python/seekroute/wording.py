"""Numbers of things, and reports, in words."""

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


def chosen_by(auto: Mapping[str, Any]) -> str:
    """How a report says that `auto` has chosen, in a line.

    >>> model = {"model": "a/m", "quality": 0.71, "reason": "only"}
    >>> chosen_by({"strategy": "cost", "difficulty": 0.25, "revision": None, "models": [model]})
    'chosen by cost, difficulty 0.25: a/m (quality 0.71, only)'
    """
    models = [
        f"{row['model']} (quality {row['quality']:.2f}, {row['reason']})" for row in auto["models"]
    ]
    learned = f", weights {auto['revision']}" if auto["revision"] else ""
    known = f"chosen by {auto['strategy']}, difficulty {auto['difficulty']:.2f}{learned}"
    return f"{known}: {', '.join(models)}"
