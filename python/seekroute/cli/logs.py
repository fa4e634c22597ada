"""`seekroute logs`: the requests, one row each, as the ledger keeps them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from heapq import merge
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from seekroute.cli.money import amounts, margin, org_names, without_repeats
from seekroute.cli.progress import counted
from seekroute.cli.requests import (
    DISORDER_S,
    ID_HELP,
    MOST_ROWS,
    PAGE,
    find_refused,
    find_request,
    newest_first,
)
from seekroute.cli.shared import (
    LEAST_BEGINNING,
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
from seekroute.local_org import OWN_ORGS
from seekroute.wording import chosen_by, number_of, span_of

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.ledger import Ledger, Row

app = typer.Typer(help="List requests: model, tokens, cost, result.")

# How its model was found, by the strategy of a route.
_FOUND: Final = {
    "direct": "the model was asked for by its id",
    "alias": "the model was asked for by another name",
    "auto": "the model was chosen by auto",
    "virtual": "the model is one of the virtual model that was asked for",
    "fallback": "the model is a fallback: the first may not be used",
}
_MOST_NUMBER: Final = 2**63 - 1  # of a row: SQLite's largest
_LOOK_S = 0.5  # between two looks for what has ended
_MOST_NEW = 10_000  # requests of one look; older ones of a rush are not shown
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
    "upstream_cost",
    "margin",
    "total_ms",
)
# Behind the others, which have the same places in either list.
_FAILED_COLUMNS = (*_COLUMNS, "error", "request_id")
# In a table one column names each of them, as commands take it: a refused one has no generation.
_FAILED_SHOWN = tuple("request" if name == "generation" else name for name in _FAILED_COLUMNS)
# What a narrow terminal does without. The id stays: everything else is found with it.
_SPARE = (
    *("request_id", "upstream_cost", "margin", "total_ms", "tokens", "settlement", "provider"),
    *("key", "org", "created_at", "model"),
)
# Of what failed, too; that costs little, and is looked for by its error.
_SPARE_OF_FAILED = (*_SPARE[:-3], "cost", "org", "model", "created_at")
_FOLDED = ("org", "key", "model", "provider")
_LEAST_FOLDED = 10


@app.callback(invoke_without_command=True)
def logs(
    ctx: typer.Context,
    org: Annotated[str | None, typer.Option("--org", help="Id or name.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Its id or name.")] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="As asked for, or as answered.")
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what ended with an error, and what was refused.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", help="How far back: 12h, 30d, 2027-01-31, yesterday.")
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
        int,
        typer.Option(
            "--limit",
            "-n",
            min=1,
            max=MOST_ROWS,
            help="The most rows; with --failed as many refusals besides.",
        ),
    ] = 50,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow",
            help="After these show each request when it ends, a line each, until Ctrl-C.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List requests, newest first; with --follow, oldest first."""
    if ctx.invoked_subcommand is not None:
        return
    earliest = 0 if since is None else parse_since(since)
    with shared(ctx).open_control() as control:
        names = org_names(control)
        keys = {row.id: row.name for row in control.keys.list()}
        org_id = "" if org is None else _org_id(control, names, org)
        key_id = "" if key is None else control.keys.get(key).id

    def wanted(row: Row) -> bool:
        of_model = model is None or model in (row["model"], row["requested_model"])
        return of_model and (not failed or _failed(row)) and row["created"] >= earliest

    from seekroute.server.refusals import refusals

    def refused() -> Iterator[Fields]:
        """What was refused before it was sent, newest first; only as a part of what failed."""
        for line in refusals(shared(ctx).folder()) if failed and before is None else ():
            of_org = org_id in ("", line.get("org")) and key_id in ("", line.get("key"))
            of_model = model is None or model == line.get("model")
            if of_org and of_model and "request_id" in line and line["created"] >= earliest:
                yield _refused_fields(line, names, keys)

    with shared(ctx).open_ledger() as ledger:
        # Looked at first: what ends meanwhile is neither missed nor shown twice.
        last, running = _running(ledger, org_id, key_id) if follow else (0, set())
        page: list[Fields] = []
        for row in counted(newest_first(ledger, org_id, key_id, before, limit), "requests"):
            if row["created"] < earliest - DISORDER_S or len(page) == limit:
                break
            # Of what is followed, those that run now and what came since are shown at their end.
            later = follow and (row["state"] == "held" or row["n"] > last)
            if wanted(row) and not later:
                page.append(_fields(row, names, keys))
        # As many of either: only those of the ledger have a number, before which the next page is.
        latest = islice(refused(), limit)
        both = merge(page, latest, key=lambda row: str(row["created_at"]), reverse=True)
        rows = list(both)
        columns = _FAILED_COLUMNS if failed else _COLUMNS
        if not follow:
            if failed and not as_json:
                rows = [{**row, "request": row["generation"] or row["request_id"]} for row in rows]
            print_rows(
                rows,
                columns,
                as_json=as_json,
                spare=_SPARE_OF_FAILED if failed else _SPARE,
                folded=_FOLDED,
                least_folded=_LEAST_FOLDED,
                shown=_FAILED_SHOWN if failed else (),
            )
            return
        with suppress(KeyboardInterrupt):
            for fields in reversed(rows):
                print_line(fields, columns, as_json=as_json)
                running.discard(str(fields["generation"]))
            for row in _ended(ledger, org_id, key_id, last, running):
                if wanted(row):
                    print_line(_fields(row, names, keys), columns, as_json=as_json)


@app.command()
def show(
    ctx: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help=ID_HELP)],
    as_json: JsonOption = False,
) -> None:
    """Show everything about one request, with its attempts; also of one that was refused."""
    with shared(ctx).open_control() as control:
        names = org_names(control)
        keys = {row.id: row.name for row in control.keys.list()}
    with shared(ctx).open_ledger() as ledger:
        row = find_request(ledger, id_)
    if row is None:
        line = find_refused(shared(ctx).folder(), id_)
        if line is not None:
            _show_refused(_refused_fields(line, names, keys), line, as_json=as_json)
            return
        short = len(id_.removesuffix("…")) < LEAST_BEGINNING
        raise SeekrouteError(
            f"there is no request {id_!r}: neither the id of an answer (gen-…) nor a request_id of "
            "the ledger, nor of those that were refused lately"
            + (f"; the beginning of an id needs {LEAST_BEGINNING} characters" if short else "")
        )
    fields = _fields(row, names, keys)
    attempts = [_attempt_fields(attempt) for attempt in row["attempts"]]
    routing = None if row["routing"] is None else json.loads(row["routing"])
    if as_json:
        print_json({**fields, "routing": routing, "attempts": attempts})
        return
    print_row(_read(fields), as_json=False)
    if attempts:
        say("\nattempts:")
        columns = ("provider", "model", "status", "error", "waited_ms", "suspected_usd", "words")
        read = [_read_attempt(attempt) for attempt in attempts]
        spare = ("suspected_usd", "waited", "model", "words")
        folded = ("model", "words")
        shown = ["waited" if name == "waited_ms" else name for name in columns]
        print_rows(read, columns, as_json=False, spare=spare, folded=folded, shown=shown)
    if routing is not None:
        say()
        _say_routing(routing)


def _show_refused(found: Fields, line: Mapping[str, Any], *, as_json: bool) -> None:
    """A request that was refused, and who was left out of it where nobody could serve it."""
    told = line.get("excluded", [])
    excluded = [each for each in told if "more" not in each]
    more = sum(each.get("more", 0) for each in told)
    if as_json:
        routing = {"excluded": excluded, "more_excluded": more} if excluded else None
        print_json({**found, "routing": routing})
        return
    print_row(_read(found), as_json=False)
    if not excluded:
        return
    say("\nwho was left out:")
    rows = [{**each, "why": each["detail"]} for each in excluded]
    columns = ("endpoint", "model", "excluded_by", "why")
    print_rows(rows, columns, as_json=False, spare=columns[1:], folded=("model", "why"))
    if more:
        say(f"and {number_of(more, 'more endpoint')}")


def _org_id(control: ControlPlane, names: Mapping[str, str], org: str) -> str:
    # A customer may have had the name before it meant this.
    if org in OWN_ORGS and org not in names.values():
        return org
    return control.orgs.get(org).id


def _say_routing(routing: Mapping[str, Any]) -> None:
    """Why a request went where it went, and who was left out for what."""
    if first := routing.get("shadow_of"):
        say(f"second answer to {first}, for comparison: nobody was sent it")
    sort = routing["sort"]
    drawn = f"sorted by {sort}" if sort != "default" else f"drawn by seed {routing['seed']}"
    explored = ", the first to learn how it performs" if routing["explored"] else ""
    say(f"order: {drawn}{explored}; {_FOUND.get(routing['strategy'], routing['strategy'])}")
    if queued := routing.get("queued_ms"):
        say(f"waited for room in its limits: {span_of(queued)}")
    if auto := routing.get("auto"):
        say(chosen_by(auto))
    rows = [
        {
            "endpoint": each["endpoint"],
            "model": each["model"],
            "share": f"{each['probability']:.1%}" if "probability" in each else None,
            "expected_usd": f"{each['expected_usd']:.6f}" if "expected_usd" in each else None,
            "excluded_by": each["excluded_by"],
            "why": each.get("detail"),
        }
        for each in (*routing["candidates"], *routing["excluded"])
    ]
    columns = ("endpoint", "model", "share", "expected_usd", "excluded_by", "why")
    spare = ("expected_usd", "model", "share", "excluded_by", "why")
    print_rows(rows, columns, as_json=False, spare=spare, folded=("model", "why"))
    if more := routing["more_candidates"] + routing["more_excluded"]:
        say(f"and {number_of(more, 'more endpoint')}")


def _running(ledger: Ledger, org: str, key: str) -> tuple[int, set[str]]:
    """The number of the newest request, and those that run: as many as a gateway has at once."""
    newest = _since(ledger, org, key, 0)
    last = newest[0]["n"] if newest else 0
    return last, {row["generation"] for row in newest if row["state"] == "held"}


def _ended(ledger: Ledger, org: str, key: str, last: int, running: set[str]) -> Iterator[Row]:
    """The requests that end after `_running` has found these, without end. Of one look at most
    _MOST_NEW."""
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
    newest = islice(newest_first(ledger, org, key, None, PAGE), _MOST_NEW)
    return list(takewhile(lambda row: row["n"] > last, newest))


def _read(fields: Fields) -> Fields:
    """What of a request a person reads: first what its client can name it by. Amounts and spans
    tell their unit; a nought or a no that nothing follows from is left out."""
    read = {"request_id": fields["request_id"]}
    for name, value in without_repeats(fields).items():
        if name in _FLAGS:
            value = "yes" if value else None
        elif name in _UNLESS_ZERO and not float(value):
            value = None
        if value is None:
            continue
        if name.endswith("_ms"):
            read[name.removesuffix("_ms")] = span_of(value)
        elif name == "limit":
            read[name] = f"{value['limit']:,} {value['dimension']} ({value['scope']})"
        else:
            read[f"{name}, USD" if f"{name}_nano" in fields else name] = value
    return read


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
        **amounts({"margin": margin(row)}),
    }


def _refused_fields(
    line: Mapping[str, Any], names: Mapping[str, str], keys: Mapping[str, str]
) -> Fields:
    """A refused request in the columns of the others, which it shares or leaves empty."""
    org, key = line.get("org", ""), line.get("key", "")
    wanted = f"{line.get('method', '')} {line.get('path', '')}".strip()
    return {
        **dict.fromkeys(_COLUMNS),
        "created_at": moment(line["created"]),
        "request_id": line["request_id"],
        "org": names.get(org, org),
        "org_id": org,
        "key": keys.get(key, key),
        "key_id": key,
        "model": line.get("model", ""),
        "wanted": wanted,
        "settlement": "refused",
        "status": line.get("status"),
        "error": line.get("error", ""),
        "limit": line.get("limit"),
        "queued_ms": line.get("queued_ms"),
    }


def _attempt_fields(attempt: Mapping[str, Any]) -> Fields:
    money = {name: value for name, value in attempt.items() if name == "suspected"}
    rest = {name: value for name, value in attempt.items() if name not in money}
    return {**rest, "waited_ms": attempt["waited_us"] // 1000, **amounts(money)}


def _read_attempt(attempt: Fields) -> Fields:
    """An attempt as a person reads it: a dash for no answer, no error and no words."""
    dashed = {name: attempt[name] or None for name in ("status", "error", "words")}
    suspected = attempt["suspected"] if float(attempt["suspected"]) else None
    waited = span_of(attempt["waited_ms"])
    return {**attempt, **dashed, "suspected_usd": suspected, "waited": waited}


_RENAMED = ("created", "ended", "org", "key", "attempts", "routing", "hold_seq", "end_seq")
_MONEY = ("held", "cost", "refunded", "upstream_cost", "suspected_cost", "lost_bound")
_FLAGS = ("streamed", "estimated", "usage_odd", "cap_ignored")
# Noughts that say nothing: no answer, no content, no such tokens, no such money.
_UNLESS_ZERO = frozenset(
    {"status", "first_content_ms", "cached_tokens", "reasoning_tokens", "cache_write_tokens"}
    | {"refunded", "suspected_cost", "lost_bound"}
)
_TIMES = ("total", "first_content", "overhead")


def _tokens(row: Row) -> str | None:
    if row["prompt_tokens"] is None:
        return None
    return f"{row['prompt_tokens']}+{row['completion_tokens']}"


def _thousandth(value: Any) -> int | None:
    return None if value is None else int(value) // 1000
