"""A small table that shows itself in a terminal and in a notebook."""

from __future__ import annotations

import html
from collections.abc import Sequence

# Longest text of a cell in the terminal; a notebook wraps by itself.
_WIDEST_CELL = 60
_WIDTH = 120
_LEFT = "text-align:left;vertical-align:top"


class Table:
    """Rows of text under column names. `str()` draws it, a notebook shows it as HTML.

    Example:
        >>> from seekroute.client.batch_table import Table
        >>> print(Table("Two", ["a", "b"], [["1", "2"]]).plain())
        a  b
        1  2
    """

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.title = title
        self.columns = list(columns)
        self.rows = [list(row) for row in rows]

    def plain(self) -> str:
        """Columns of text, without lines around."""
        cells = [self.columns, *([_cut(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = (
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in cells
        )
        return "\n".join(line.rstrip() for line in lines)

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(title=self.title, title_justify="left")
        for column in self.columns:
            table.add_column(column, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(_cut(cell)) for cell in row))
        # Inside a notebook rich would show the table instead of capturing it.
        console = Console(width=_WIDTH, color_system=None, force_jupyter=False)
        with console.capture() as captured:
            console.print(table)
        return captured.get().rstrip()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        # Left, as the cards of answers: a notebook's own style puts text to the right.
        head = "".join(
            f'<th scope="col" style="{_LEFT}">{html.escape(column)}</th>' for column in self.columns
        )
        body = "".join(
            "<tr>" + "".join(f'<td style="{_LEFT}">{_cell(cell)}</td>' for cell in row) + "</tr>"
            for row in self.rows
        )
        named = f"<thead><tr>{head}</tr></thead>" if any(self.columns) else ""
        return (
            f'<table><caption style="text-align:left;white-space:nowrap">{html.escape(self.title)}'
            f"</caption>{named}<tbody>{body}</tbody></table>"
        )


def _cell(text: str) -> str:
    return html.escape(text).replace("\n", "<br>")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST_CELL else line[: _WIDEST_CELL - 1] + "…"


def seconds(value: float | None) -> str:
    """A time in the unit that suits it; empty for None.

    Example:
        >>> from seekroute.client.batch_table import seconds
        >>> seconds(0.00042), seconds(0.25), seconds(12.345)
        ('0.42 ms', '250 ms', '12.35 s')
    """
    if value is None:
        return ""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"
