"""What the commands share: the common options, opening the control plane, printing rows."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seekroute.errors import ConfigError, Problem, SeekrouteError
from seekroute.visible import visible, visible_json

if TYPE_CHECKING:
    from seekroute.config import Settings
    from seekroute.control import ControlPlane
    from seekroute.ledger import Ledger

Fields = Mapping[str, Any]

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
# Of commands that ask without a server.
MockOption = Annotated[
    str | None,
    typer.Option(
        "--mock",
        help="The built-in mock provider: on (no provider is asked), beside, off, or auto (on "
        "while no provider has a key). Default: the configuration's, auto without one.",
    ),
]

NO_FILE = "there is no configuration file: defaults are in force, and variables (SEEKROUTE_…)"
_ANOTHER = "Is it another one that is meant? --data-dir and --config say which"
_WITHOUT_FILE = Problem(
    "",
    "the configuration says where the data directory is: with --data-dir DIR before the command, "
    "a command that needs nothing else of it works without it",
)
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_DAYS_AGO = {"today": 0, "yesterday": 1}
LEAST_BEGINNING = 18  # characters of an answer's id, as lists show it and commands take it
_LEAST_FOLDED = 10  # characters of a column that may take several lines
_DURATION = re.compile(r"(\d{1,6})([mhdwy])")


@dataclass(frozen=True, slots=True)
class Shared:
    """The options before the command."""

    data_dir: Path | None
    config: Path | None

    def settings(self, *, provider_keys: bool = False, profile: str = "") -> Settings:
        """The configuration, with the command line on top. Raises ConfigError.

        Args:
            provider_keys: whether the providers are about to be called, so that a variable with a
                key that is not set is a problem.
            profile: the default profile, in the place of the configuration's.
        """
        from seekroute.config import load_settings

        overrides = {} if self.data_dir is None else {"data_dir": str(self.data_dir)}
        if profile:
            overrides["profile"] = profile
        return load_settings(self.config, overrides=overrides, provider_keys=provider_keys)

    def open_control(self) -> ControlPlane:
        """The control plane of the data directory, which is there. Raises ControlError,
        ConfigError."""
        from seekroute.control import ControlError, ControlPlane

        folder = self.folder()
        if not is_begun(folder):
            raise ControlError(
                f"there is no data directory at {folder} yet: `seekroute serve` and `seekroute "
                f"init` make one. {_ANOTHER}"
            )
        return ControlPlane(folder)

    def folder(self) -> Path:
        """The data directory, there or not yet. Raises ConfigError."""
        if self.data_dir is not None:
            return usable(self.data_dir)
        try:
            settings = self.settings()
        except ConfigError as error:
            if any(each.path == "data_dir" for each in error.problems):
                raise
            raise ConfigError([*error.problems, _WITHOUT_FILE]) from None
        return usable(Path(settings.data_dir))

    def open_ledger(self, folder: Path | None = None) -> Ledger:
        """The ledger of the data directory, for reading; also while a server writes it.

        Args:
            folder: another directory.

        Raises LedgerError, ControlError, ConfigError.
        """
        from seekroute.control.lost import LostDatabaseError, opened, why_lost
        from seekroute.ledger import FILE_NAME, LedgerError

        folder = self.folder() if folder is None else folder
        if lost := why_lost(folder):
            raise LostDatabaseError(lost)
        path = folder / FILE_NAME
        if not os.path.exists(path):
            raise LedgerError(
                "store_unavailable",
                f"there is no ledger at {path} yet: it is made by the first `seekroute credits "
                f"add`, or by a server that runs with credits.enabled. {_ANOTHER}",
            )
        return opened(path, read_only=True)


def is_begun(folder: Path) -> bool:
    """Whether anything of a data directory is there: what is lost of it is for others to say."""
    from seekroute.control.remains import TRACES

    names = ("control.db*", "ledger.db*", *TRACES)
    return any(any(folder.glob(name)) for name in names)


def usable(folder: Path) -> Path:
    """A data directory that is given. Raises ConfigError: it cannot be one."""
    from seekroute.control.directory import why_unusable

    if why := why_unusable(folder):
        raise ConfigError([Problem("data_dir", why)])
    return folder


def shared(ctx: typer.Context) -> Shared:
    """The options before the command."""
    found = ctx.find_object(Shared)
    assert found is not None  # the root callback made it
    return found


def moment(seconds: int | None) -> str | None:
    """Unix seconds as ISO 8601 in UTC: `2027-01-31T00:00:00Z`."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_expiry(text: str) -> int:
    """Unix seconds of `30d` from now (m, h, d, w, y), or of an ISO 8601 date or time.

    A date means its first moment; a time without an offset is in UTC.
    """
    return _moment_of(text, 1)


def parse_since(text: str) -> int:
    """Unix seconds of `30d` ago, or of an ISO 8601 date or time, as `parse_expiry` reads them.

    `today` and `yesterday` are their first moments in UTC. 0 where that is before 1970.
    """
    if text in _DAYS_AGO:
        return (int(time.time()) // _UNITS["d"] - _DAYS_AGO[text]) * _UNITS["d"]
    return max(0, _moment_of(text, -1))


def _moment_of(text: str, direction: int) -> int:
    duration = _DURATION.fullmatch(text)
    if duration:
        return int(time.time()) + direction * int(duration[1]) * _UNITS[duration[2]]
    try:
        found = datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is neither a duration like 12h, 30d or 1y nor a date like 2027-01-31"
        ) from None


def say(text: str = "", *, fg: str | None = None, err: bool = False, nl: bool = True) -> None:
    """Print text that may be anybody's: see `visible`. Newlines and tabs stay.

    Args:
        text: what to print.
        fg: its color, one of `typer.colors`.
        err: whether it goes to the standard error.
        nl: whether a newline follows.
    """
    typer.secho(visible(text, lines=True), fg=fg, err=err, nl=nl)


def told(error: SeekrouteError) -> str:
    """An error in the words of the command line."""
    if getattr(error, "code", "") == "missing_api_key":
        return "no API key was given: set SEEKROUTE_API_KEY"
    return str(error)


def print_json(value: Any) -> None:
    """Print a value as JSON, indented."""
    typer.echo(visible_json(json.dumps(value, indent=2, ensure_ascii=False)))


def print_rows(
    rows: Sequence[Fields],
    columns: Sequence[str],
    *,
    as_json: bool,
    spare: Sequence[str] = (),
    folded: Sequence[str] = (),
    least_folded: int = _LEAST_FOLDED,
    shown: Sequence[str] = (),
) -> None:
    """Print rows: as JSON whole, else `columns`, as a table or, into a pipe, tab-separated.

    A table shows a number, an amount, a status and a time whole, or not the column: see `layout`.
    A spare column without a value in any row is left out.

    Args:
        rows: of the same fields.
        columns: which of them, in order.
        as_json: whether JSON was asked for.
        spare: columns that a narrow terminal does without, the first of them first.
        folded: columns of words, which may take several lines.
        least_folded: the characters that such a column gets at least, before one is done without.
        shown: the columns of a table, where they are others than `columns`.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from seekroute.cli.layout import alignment, filled, layout

    if as_json:
        print_json(rows)
        return
    console = Console()
    if not console.is_terminal:
        for row in rows:
            print_line(row, columns, as_json=False)
        return
    if not rows:
        typer.echo("none yet")
        return
    columns = shown or columns
    cells = [{column: _table_cell(row[column]) for column in columns} for row in rows]
    columns = filled(cells, columns, spare)
    fitted = partial(
        layout, spare=spare, folded=folded, least_folded=least_folded, width=console.width
    )
    widths = fitted(cells, columns)
    if any(widths.get(column, 0) < len(row[column]) for row in cells for column in columns):
        rows = [_shortened(row) for row in rows]
        cells = [{column: _table_cell(row[column]) for column in columns} for row in rows]
        widths = fitted(cells, columns)
    table = Table()
    for column, width in widths.items():
        justify = alignment(cells, column)
        table.add_column(column.replace("_", " "), overflow="fold", width=width, justify=justify)
    for line in cells:
        # Text, not str: names are shown literally, square brackets too.
        table.add_row(*(Text(line[column]) for column in widths))
    console.print(table)


def _short_moment(value: str) -> str:
    """`2027-01-31T12:30:59Z` as `01-31 12:30`: a list is read for the last days."""
    return value[5:16].replace("T", " ")


def _short_generation(value: str) -> str:
    """An answer's id without its end: as long as commands need it."""
    return f"{value[:LEAST_BEGINNING]}…" if len(value) > LEAST_BEGINNING else value


def _short_id(value: str) -> str:
    """One of ours, as `short_id` cuts it; of an order without a name somebody gave it, too."""
    return _RANDOM_ID.sub(r"\1…", value)


_RANDOM_ID = re.compile(r"^((?:(?:key|org|app)_|[a-z]+:)[0-9a-f]{10})[0-9a-f]{22}$")

# How columns are written where a table does not fit; commands take the short forms.
_SHORTENED: Mapping[str, Callable[[str], str]] = {
    "id": _short_id,
    "generation": _short_generation,
    "request": _short_generation,
    "created_at": _short_moment,
    "expires_at": _short_moment,
}


def _shortened(row: Fields) -> Fields:
    return {
        name: _SHORTENED[name](value) if name in _SHORTENED and isinstance(value, str) else value
        for name, value in row.items()
    }


def print_row(row: Fields, *, as_json: bool) -> None:
    """Print one row: as JSON, or a line for each field."""
    if as_json:
        print_json(row)
        return
    width = max(len(name) for name in row)
    for name, value in row.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_cell(value)}")


def print_line(row: Fields, columns: Sequence[str], *, as_json: bool) -> None:
    """Print one row of many that come one by one: as a line of JSON, or tab-separated."""
    if as_json:
        typer.echo(visible_json(json.dumps(row, ensure_ascii=False)))
    else:
        typer.echo("\t".join(_cell(row[column]) for column in columns))


def _table_cell(value: Any) -> str:
    return f"{value:,}" if type(value) is int else _cell(value)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    # A newline or tab in a value would begin another cell.
    return visible(", ".join(map(str, value)) if isinstance(value, list) else str(value))
