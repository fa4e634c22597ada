"""A connection as the table of connections knows it."""

from __future__ import annotations


class Place:
    """A connection in the table."""

    def __init__(self, *, fresh: bool = False) -> None:
        self.gone = False
        self.fresh = fresh

    def give_way(self) -> bool:
        self.gone = not self.fresh
        return self.gone

    def turn_away(self) -> None:
        self.gone = True
