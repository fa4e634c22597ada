"""How wide the columns of a table are in a terminal, and which of them it does without."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

_BORDER = 3  # of a column: a line and a space on either side; the table has one more line
_LEAST = 4  # characters that a folded column keeps where nothing else helps
NOTHING: Final = "-"  # the cell of a value that there is not
_NUMBER: Final = re.compile(r"[-+]?\d[\d,]*(\.\d+)?( ?%| (ms|s|min|h))?")


def alignment(cells: Sequence[Mapping[str, str]], column: str) -> Literal["left", "right"]:
    """Numbers stand below one another by their ends, and words by their beginnings."""
    told = [row[column] for row in cells if row[column] != NOTHING]
    numbers = bool(told) and all(map(_NUMBER.fullmatch, told))
    return "right" if numbers else "left"


def filled(
    cells: Sequence[Mapping[str, str]], columns: Sequence[str], spare: Collection[str]
) -> list[str]:
    """The columns without those that can be done without and have nothing in any row."""
    return [
        column
        for column in columns
        if column not in spare or any(row[column] != NOTHING for row in cells)
    ]


def layout(
    cells: Sequence[Mapping[str, str]],
    columns: Sequence[str],
    *,
    spare: Sequence[str],
    folded: Collection[str],
    least_folded: int,
    width: int,
) -> dict[str, int]:
    """The columns that are shown, in order, and how wide each is.

    A column is as wide as its longest cell, or it is not shown: a number that is cut is another
    number. Only folded columns are narrower; what they cannot show in one line they show in more.

    Args:
        cells: what the rows show, by column.
        columns: in order.
        spare: what is done without, the first of them first; after them the last of the others.
        folded: columns of words, which may take several lines.
        least_folded: the characters that each of these gets before a spare one is done without.
        width: of the terminal, in characters.
    """
    from rich.cells import cell_len

    full = {
        column: max(len(column), *(cell_len(row[column]) for row in cells)) for column in columns
    }

    def least_of(least: int) -> dict[str, int]:
        return {
            column: min(full[column], least) if column in folded else full[column]
            for column in shown
        }

    shown = list(columns)
    room = width - 1
    for column in spare:
        if _sum(least_of(least_folded)) <= room:
            break
        if column in shown and len(shown) > 1:
            shown.remove(column)
    least = least_of(least_folded)
    if _sum(least) > room:
        least = least_of(_LEAST)
    while _sum(least) > room and len(shown) > 1:
        least.pop(shown.pop())
    return _widened(least, full, room - _sum(least))


def _sum(widths: Mapping[str, int]) -> int:
    return sum(widths.values()) + _BORDER * len(widths)


def _widened(least: Mapping[str, int], full: Mapping[str, int], left: int) -> dict[str, int]:
    """Shares what is left among the columns that need it; who needs least is served first."""
    widths = dict(least)
    narrow = sorted(
        (column for column in widths if widths[column] < full[column]), key=lambda each: full[each]
    )
    for served, column in enumerate(narrow):
        more = min(full[column] - widths[column], max(0, left) // (len(narrow) - served))
        widths[column] += more
        left -= more
    return widths
