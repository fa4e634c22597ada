"""`seekroute logs`: the requests, one row each, as the ledger keeps them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from seekroute.cli._money import amounts, org_names, without_repeats
from seekroute.cli._progress import counted
from seekroute.cli._shared import (
    Fields,
    JsonOption,
    moment,
    parse_since,
    print_json,
    print_line,
    print_row,
    print_rows,
    say,
    shared,
)
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.ledger import Ledger, Row

app = typer.Typer(help="The requests: what each was, cost and came to.")

_PAGE = 1000  # rows read at once
_MOST_NUMBER: Final = 2**63 - 1  # of a row: SQLite's largest
_MOST_ROWS = 100_000  # shown at once
_LOOK_S = 0.5  # between two looks for what has ended
_MOST_NEW = 10_000  # requests of one look; older ones of a rush are not shown
# Requests are numbered as they are held, and dated as they came in: a little apart.
_DISORDER_S = 60
_COLUMNS = (
    "created_at",
    "generation",
    "org",
    "key",
    "model",
    "provider",
    "settlement",
    "status",
    "tokens",
    "cost",
    "total_ms",
)
# What a narrow terminal does without.
_SPARE = ("total_ms", "tokens", "provider", "key", "org", "status", "settlement")


@app.callback(invoke_without_command=True)
def logs(
    ctx: typer.Context,
    org: Annotated[str | None, typer.Option("--org", help="Id or name.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="The key's id.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="As asked for, or as answered.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what ended with an error.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", help="How far back: 12h, 30d, 2027-01-31.")
    ] = None,
    before: Annotated[
        int | None,
        typer.Option(
            "--before",
            min=1,
            max=_MOST_NUMBER,
            help="Only rows before this number (`n`): the next page.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=_MOST_ROWS, help="The most rows.")
    ] = 50,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", help="Then show each request when it ends, a line each, until Ctrl-C."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List requests, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    earliest = 0 if since is None else parse_since(since)
    with shared(ctx).open_control() as control:
        names = org_names(control)
        keys = {row.id: row.name for row in control.list_keys()}
        org_id = "" if org is None else control.get_org(org).id
        key_id = "" if key is None else control.get_key(key).id

    def wanted(row: Row) -> bool:
        of_model = model is None or model in (row["model"], row["requested_model"])
        return of_model and (not failed or _failed(row)) and row["created"] >= earliest

    with shared(ctx).open_ledger() as ledger:
        if follow:
            with suppress(KeyboardInterrupt):
                for row in _ended(ledger, org_id, key_id):
                    if wanted(row):
                        print_line(_fields(row, names, keys), _COLUMNS, as_json=as_json)
            return
        rows: list[Fields] = []
        for row in counted(_newest_first(ledger, org_id, key_id, before, limit), "requests"):
            if row["created"] < earliest - _DISORDER_S or len(rows) == limit:
                break
            if wanted(row):
                rows.append(_fields(row, names, keys))
    print_rows(rows, _COLUMNS, as_json=as_json, spare=_SPARE)


@app.command()
def show(
    ctx: typer.Context,
    generation: Annotated[str, typer.Argument(metavar="GENERATION", help="Its id: gen-…")],
    as_json: JsonOption = False,
) -> None:
    """Show everything about one request, with its attempts."""
    with shared(ctx).open_control() as control:
        names = org_names(control)
        keys = {row.id: row.name for row in control.list_keys()}
    with shared(ctx).open_ledger() as ledger:
        row = ledger.generation(generation)
    if row is None:
        raise SeekrouteError(f"there is no request {generation!r} in the ledger")
    fields = _fields(row, names, keys)
    attempts = [_attempt_fields(attempt) for attempt in row["attempts"]]
    if as_json:
        print_json({**fields, "attempts": attempts})
        return
    print_row(without_repeats(fields), as_json=False)
    if attempts:
        say()
        columns = ("provider", "status", "error", "waited_ms", "words")
        print_rows(attempts, columns, as_json=False, spare=("waited_ms",))


def _newest_first(
    ledger: Ledger, org: str, key: str, before: int | None, limit: int
) -> Iterator[Row]:
    size = min(limit, _PAGE)
    while True:
        page = ledger.rows(org=org, key=key, before=before, limit=size)
        yield from page
        if len(page) < size:
            return
        before = page[-1]["n"]
        size = _PAGE  # a filter drops rows: do not come back for few


def _ended(ledger: Ledger, org: str, key: str) -> Iterator[Row]:
    """The requests that end from now on, without end."""
    newest = ledger.rows(org=org, key=key, limit=1)
    last = newest[0]["n"] if newest else 0
    # Those that run: as many as a gateway has at once, and of one look at most _MOST_NEW.
    running = {row["generation"] for row in _since(ledger, org, key, 0) if row["state"] == "held"}
    while True:
        for row in reversed(_since(ledger, org, key, last)):
            running.add(row["generation"])
            last = row["n"]
        for generation in sorted(running):
            found = ledger.generation(generation)
            if found is None or found["state"] != "held":
                running.remove(generation)
            if found is not None and found["state"] != "held":
                yield found
        time.sleep(_LOOK_S)


def _since(ledger: Ledger, org: str, key: str, last: int) -> list[Row]:
    newest = islice(_newest_first(ledger, org, key, None, _PAGE), _MOST_NEW)
    return list(takewhile(lambda row: row["n"] > last, newest))


def _failed(row: Row) -> bool:
    return bool(row["error"]) or row["state"] == "expired"


def _fields(row: Row, names: Mapping[str, str], keys: Mapping[str, str]) -> Fields:
    """A request as it is shown: everything that the ledger has of it."""
    rest = {
        name: value
        for name, value in row.items()
        if name not in _RENAMED and name not in _MONEY and name not in _FLAGS
    }
    return {
        "n": row["n"],
        "generation": row["generation"],
        "created_at": moment(row["created"]),
        "ended_at": None if row["ended"] is None else moment(row["ended"] // 1000),
        "org": names.get(row["org"], row["org"]),
        "org_id": row["org"],
        "key": keys.get(row["key"], row["key"]),
        "key_id": row["key"],
        **rest,
        **{name: None if row[name] is None else bool(row[name]) for name in _FLAGS},
        "tokens": _tokens(row),
        **{f"{name}_ms": _thousandth(row[f"{name}_us"]) for name in _TIMES},
        **amounts({name: row[name] for name in _MONEY if name in row}),
    }


def _attempt_fields(attempt: Mapping[str, Any]) -> Fields:
    money = {name: value for name, value in attempt.items() if name == "suspected"}
    rest = {name: value for name, value in attempt.items() if name not in money}
    return {**rest, "waited_ms": attempt["waited_us"] // 1000, **amounts(money)}


_RENAMED = ("created", "ended", "org", "key", "attempts", "hold_seq", "end_seq")
_MONEY = ("held", "cost", "refunded", "upstream_cost", "suspected_cost", "lost_bound")
_FLAGS = ("streamed", "estimated", "usage_odd", "cap_ignored")
_TIMES = ("total", "first_content", "overhead")


def _tokens(row: Row) -> str | None:
    if row["prompt_tokens"] is None:
        return None
    return f"{row['prompt_tokens']}+{row['completion_tokens']}"


def _thousandth(value: Any) -> int | None:
    return None if value is None else int(value) // 1000
