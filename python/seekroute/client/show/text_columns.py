"""Columns of text for a terminal: as wide as it is, with what does not fit on further lines."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from typing import Final

_GAP: Final = 2  # between columns
_LEAST: Final = 8  # characters that a column of text keeps, however narrow the terminal is
_NARROWEST: Final = 40  # a terminal that says less is not asked
_USUAL: Final = (80, 24)  # of an output that is no terminal
# What is copied or compared, and so stays in one line.
_NUMBER: Final = re.compile(r"[-0-9.,%]*( ?(ms|s|USD))?")


def terminal_width() -> int:
    """The columns of the terminal, or of the variable COLUMNS; 80 where there is neither."""
    return max(shutil.get_terminal_size(_USUAL).columns, _NARROWEST)


def text_columns(table: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """The lines of a table, the head first.

    Where it does not fit, the head takes several lines, and then cells of text do. Numbers stay
    whole; a table of more of them than fit is wider.

    Args:
        table: rows of as many cells each.
        width: characters of a line; None: the terminal's.

    Example:
        >>> from seekroute.client.show.text_columns import text_columns
        >>> for line in text_columns([["model", "tokens in"], ["openai/gpt-4o", "17"]], 21):
        ...     print(line)
        model          tokens
                       in
        openai/gpt-4o  17
    """
    widths = _fitted(table, terminal_width() if width is None else width)
    lines: list[str] = []
    for row in table:
        cells = [_folded(cell, size) for cell, size in zip(row, widths, strict=True)]
        for place in range(max(map(len, cells))):
            parts = [cell[place] if place < len(cell) else "" for cell in cells]
            line = (" " * _GAP).join(map(_padded, parts, widths))
            lines.append(line.rstrip())
    return lines


def _fitted(table: Sequence[Sequence[str]], width: int) -> list[int]:
    columns = list(zip(*table, strict=True))
    room = width - _GAP * (len(columns) - 1)
    widths = [max(map(_cells, column)) for column in columns]
    if sum(widths) <= room:
        return widths
    for place, (name, *cells) in enumerate(columns):
        words = max(map(_cells, name.split()), default=0)
        widths[place] = max(words, *map(_cells, cells)) if cells else words
    texts = [
        place
        for place, (_, *cells) in enumerate(columns)
        if not all(_NUMBER.fullmatch(cell) for cell in cells)
    ]
    # First those that can be broken between words, then those of one long word, as a model's id.
    several = [place for place in texts if any(" " in cell for cell in columns[place][1:])]
    for some, least in ((several, 2 * _LEAST), (texts, _LEAST)):
        while sum(widths) > room and any(widths[place] > least for place in some):
            widths[max(some, key=lambda place: widths[place])] -= 1
    return widths


def _folded(cell: str, width: int) -> list[str]:
    """The lines of a cell: broken between words, a long word anywhere."""
    if _cells(cell) <= width:
        return [cell]
    from rich.cells import chop_cells

    lines = [""]
    for word in cell.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _cells(joined) <= width:
            lines[-1] = joined
            continue
        pieces = [word] if _cells(word) <= width else chop_cells(word, width)
        lines += pieces
    return lines if lines[0] else lines[1:]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))


def _cells(text: str) -> int:
    """The characters that a terminal has for it: two for one of Chinese."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
