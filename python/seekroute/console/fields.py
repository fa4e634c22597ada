"""Values that several requests take, checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, StringConstraints

from seekroute.api.call import RefusedError
from seekroute.money import nano

__all__ = ["Moment", "Money", "Name", "Page", "page_of", "text_of"]

_MOST_LIMIT: Final = 100


def _nano(value: Any) -> Any:
    """A decimal string of USD, never a float, as nano-USD; null stays null."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        value = value if value is None else str(value)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError('expected USD as a string such as "12.50", or null')
    return nano(value)


def _seconds(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("expected a moment such as 2027-01-31T00:00:00Z, or null")
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("expected a moment such as 2027-01-31T00:00:00Z") from None
    if found.tzinfo is None:
        raise ValueError("expected a moment in UTC, such as 2027-01-31T00:00:00Z")
    return int(found.astimezone(UTC).timestamp())


def _no_edges(value: str) -> str:
    return value.strip()


Money = Annotated[int | None, BeforeValidator(_nano)]
"""USD as an exact decimal string, taken as nano-USD; null is no limit."""

Moment = Annotated[int | None, BeforeValidator(_seconds)]
"""ISO 8601 with an offset, taken as Unix seconds; null is never."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_no_edges)]
"""A name of something."""


class Page:
    """What part of a list is asked for."""

    __slots__ = ("cursor", "limit")

    def __init__(self, cursor: str, limit: int) -> None:
        self.cursor = cursor
        self.limit = limit

    @property
    def number(self) -> int | None:
        """The cursor where it is a number; None: it begins. Raises RefusedError."""
        if not self.cursor:
            return None
        if not (self.cursor.isascii() and self.cursor.isdigit() and len(self.cursor) < 20):
            raise RefusedError("invalid_value", "cursor: expected the `next` of a page", "cursor")
        return int(self.cursor)


def page_of(query: Mapping[str, str], *, default: int = 50) -> Page:
    """`cursor` and `limit` of a query. Raises RefusedError."""
    text = query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= _MOST_LIMIT):
        raise RefusedError("invalid_value", f"limit: expected 1 to {_MOST_LIMIT}", "limit")
    return Page(query.get("cursor", ""), int(text))


def text_of(query: Mapping[str, str], name: str, *allowed: str) -> str:
    """One of the values that a parameter may have; empty where it is not given."""
    value = query.get(name, "")
    if value and allowed and value not in allowed:
        raise RefusedError("invalid_value", f"{name}: expected {', '.join(allowed)}", name)
    return value
