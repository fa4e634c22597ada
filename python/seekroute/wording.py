"""Numbers of things, in words."""

from __future__ import annotations


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
