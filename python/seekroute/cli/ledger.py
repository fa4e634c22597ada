"""`seekroute ledger`: the journal itself."""

from __future__ import annotations

import csv
import enum
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from seekroute.cli.comparison import (
    broken_text,
    compared_orders,
    comparison_fields,
    comparison_lines,
    lacking_text,
)
from seekroute.cli.money import amounts, org_names
from seekroute.cli.progress import counted, spinning
from seekroute.cli.shared import Fields, JsonOption, print_json, say, shared
from seekroute.errors import SeekrouteError
from seekroute.visible import visible, visible_json
from seekroute.wording import number_of

app = typer.Typer(no_args_is_help=True, help="The journal: check it, write it out.")

_ACCOUNTS = ("available", "held", "debt", "cash", "revenue", "loss")
_COLUMNS = (
    *("seq", "at", "kind", "id", "org_id", "org", "generation", "note"),
    *(f"{account}{unit}" for account in _ACCOUNTS for unit in ("", "_nano")),
)


class Format(enum.StrEnum):
    """How entries are written."""

    CSV = "csv"
    JSONL = "jsonl"


@app.command()
def verify(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Replay the whole journal, and look for what control.db counts as booked in it. Exit 1 at the
    first rule that is broken, with its entry, and if an order is missing."""
    with shared(ctx).open_ledger() as ledger:
        with spinning("replaying the journal"):
            report = ledger.verify()
        with spinning("looking for orders"):
            compared = compared_orders(shared(ctx).folder(), ledger)
    sound = not report["rule"]
    found, names = compared or (None, {})
    lacking = "" if found is None else lacking_text(found, shared(ctx).folder())
    if as_json:
        orders = None if found is None else comparison_fields(found, names)
        print_json({"ok": sound and not lacking, **report, "orders": orders})
    elif sound:
        entries = number_of(report["entries"], "entry", "entries")
        say(f"ledger OK: {entries}, {number_of(report['requests'], 'request')}")
    if found is not None and not as_json:
        for line in comparison_lines(found, names):
            say(line)
    if not sound:
        raise SeekrouteError(broken_text(report))
    if lacking:
        raise SeekrouteError(lacking)


@app.command()
def export(
    ctx: typer.Context,
    format_: Annotated[
        Format, typer.Option("--format", help="csv, or jsonl: a JSON object a line.")
    ] = Format.CSV,
    after: Annotated[
        int, typer.Option("--after", min=0, help="Only entries after this number.")
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="A new file; default: the standard output."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As --format jsonl.")] = False,
) -> None:
    """Write all journal entries out, oldest first, in nano-USD and in USD."""
    from seekroute.control.revisions import DATABASE_FILE

    names = {}
    if os.path.exists(shared(ctx).folder() / DATABASE_FILE):  # not beside a copy
        with shared(ctx).open_control() as control:
            names = org_names(control)
    with shared(ctx).open_ledger() as ledger, _target(output) as file:
        entries = ledger.entries(after)
        if not file.isatty():  # else the entries themselves show how far it is
            entries = counted(entries, "entries")
        rows = (_fields(entry, names) for entry in entries)
        shown = file.isatty()  # a terminal would obey what a file or pipe gets as it is
        if as_json or format_ is Format.JSONL:
            written = _jsonl(file, rows, shown=shown)
        else:
            written = _csv(file, map(_visible, rows) if shown else rows)
    if output is not None:
        say(f"wrote {number_of(written, 'entry', 'entries')} to {output}", err=True)


def _fields(entry: Mapping[str, Any], names: Mapping[str, str]) -> Fields:
    at = datetime.fromtimestamp(entry["at"] // 1000, UTC).replace(
        microsecond=entry["at"] % 1000 * 1000
    )
    return {
        "seq": entry["seq"],
        "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "kind": entry["kind"],
        "id": entry["id"],
        "org_id": entry["org"],
        "org": names.get(entry["org"], entry["org"]),
        "generation": entry["generation"],
        "note": entry["note"],
        **amounts({account: entry[account] for account in _ACCOUNTS}),
    }


def _csv(file: TextIO, rows: Iterable[Fields]) -> int:
    writer = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    written = 0
    for row in rows:
        writer.writerow(row)
        written += 1
    return written


def _visible(row: Fields) -> Fields:
    return {k: visible(v) if isinstance(v, str) else v for k, v in row.items()}


def _jsonl(file: TextIO, rows: Iterable[Fields], *, shown: bool) -> int:
    written = 0
    for row in rows:
        line = json.dumps(row, ensure_ascii=False)
        file.write((visible_json(line) if shown else line) + "\n")
        written += 1
    return written


@contextmanager
def _target(path: Path | None) -> Iterator[TextIO]:
    """The standard output, or a new private file that is removed if it does not get whole."""
    if path is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SeekrouteError(f"cannot write {path}: {error.strerror}") from error
    try:
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            yield file
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise SeekrouteError(f"cannot write {path}: {error.strerror}") from error
        raise
