"""Rows as a small table that shows itself in a terminal and in a notebook, or as a DataFrame."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seekroute.client.show.text_columns import terminal_width, text_columns

if TYPE_CHECKING:
    from pandas import DataFrame

# Longest text of a cell in the terminal; a notebook wraps by itself.
_WIDEST_CELL = 60
_UNBOUND = 10_000  # columns of a terminal that any table fits
_LEFT = "text-align:left;vertical-align:top"


class Table:
    """Rows of text under column names. `str()` draws it, a notebook shows it as HTML.

    Drawn, it is as wide as the terminal at most, 80 columns where there is none: with lines around
    if these fit, too.

    Example:
        >>> from seekroute.client.show.table import Table
        >>> print(Table("Two", ["a", "b"], [["1", "2"]]).plain())
        a  b
        1  2
    """

    def __init__(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.title = title
        self.columns = list(columns)
        self.rows = [list(row) for row in rows]

    def plain(self, width: int | None = None) -> str:
        """Columns of text, without lines around.

        Args:
            width: characters of a line; None: the terminal's.
        """
        return "\n".join(text_columns(self._cells(), width))

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        names, *rows = self._cells()
        table = RichTable(title=self.title, title_justify="left")
        for name in names:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        width = terminal_width()
        # Inside a notebook rich would show the table instead of capturing it.
        console = Console(width=width, color_system=None, force_jupyter=False)
        if (
            console.measure(table, options=console.options.update(max_width=_UNBOUND)).maximum
            > width
        ):
            return f"{self.title}\n{self.plain(width)}"
        with console.capture() as captured:
            console.print(table)
        return "\n".join(line.rstrip() for line in captured.get().rstrip().splitlines())

    def _cells(self) -> list[list[str]]:
        return [self.columns, *([_cut(cell) for cell in row] for row in self.rows)]

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
        >>> from seekroute.client.show.table import seconds
        >>> seconds(0.00042), seconds(0.25), seconds(12.345)
        ('0.42 ms', '250 ms', '12.35 s')
    """
    if value is None:
        return ""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.3g} ms"


def frame_of(rows: list[dict[str, Any]]) -> DataFrame:
    """Rows as a DataFrame, costs as floats."""
    try:
        import pandas
    except ImportError:
        raise ImportError("pandas is needed for this: pip install pandas", name="pandas") from None
    return pandas.DataFrame(
        [
            {**row, "cost": float(row["cost"])} if row.get("cost") is not None else row
            for row in rows
        ]
    )
