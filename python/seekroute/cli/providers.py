"""`seekroute providers`: the health of the running server's providers."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from seekroute.cli.asking_server import ask_server
from seekroute.cli.layout import NOTHING, alignment, filled, layout
from seekroute.cli.shared import JsonOption, Shared, print_json, print_rows, say, shared
from seekroute.errors import SeekrouteError
from seekroute.visible import visible
from seekroute.wording import number_of, span_of

if TYPE_CHECKING:
    from rich.console import RenderableType

app = typer.Typer(no_args_is_help=True, help="See the health of providers; mark one as healthy.")

_AGAIN_S: Final = 2.0
_COLUMNS: Final = (
    *("endpoint", "model", "state", "until", "in_flight", "uptime"),
    *("ttft_p50", "ttft_p90", "tokens_per_s", "judged"),
)
# Fields of a row that are four percentiles.
_PERCENTILES_OF: Final = ("ttft_ms_", "tokens_per_second_")
_PERCENTILES: Final = ("p50", "p75", "p90", "p99")
_KEY_COLUMNS: Final = ("key", "state", "until")
# What a narrow terminal does without.
_SPARE: Final = (
    *("judged", "ttft_p90", "tokens_per_s", "in_flight", "ttft_p50", "uptime"),
    "until",
)
_FOLDED: Final = ("model",)
_LEAST_FOLDED: Final = 12
# States in which an endpoint is asked.
_ASKED: Final = ("ok", "degraded", "slow_start")
_COLORS: Final = {
    "ok": "green",
    "slow_start": "cyan",
    "degraded": "yellow",
    "half_open": "yellow",
    "rate_limited": "yellow",
    "upstream_limit": "yellow",
}  # what is not here is out


@app.command()
def status(
    ctx: typer.Context,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every 2 s, until Ctrl-C.")
    ] = False,
    everyone: Annotated[
        bool,
        typer.Option("--all", help="Also those that are healthy and were not asked for a day."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the endpoints and provider keys of the running server: those that were asked in the
    last day, or are not healthy.

    Of each it tells the state, until when it is left out, and of its own traffic the uptime of 30
    minutes, and the time to first content and the tokens a second of 5 minutes; a dash where fewer
    than 20 requests tell. `judged` counts the calls of a day that tell how an endpoint does: not
    those that fail for the client's doing, nor the same request that fails again. JSON has all
    figures."""
    options = shared(ctx)
    if not watch:
        _show(_health(options), everyone=everyone, as_json=as_json)
        return
    with suppress(KeyboardInterrupt):
        if as_json:
            while True:
                typer.echo(json.dumps(_health(options)))
                time.sleep(_AGAIN_S)
        _watch(options, everyone=everyone)


@app.command()
def reset(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="An endpoint (groq/llama-3.1-8b, or its tag), a key (groq#a), or a provider: all "
            "of it."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Let the running server mark an endpoint, a key or a provider as healthy, as if it had never
    failed. Its figures stay: the uptime, the requests, the time to first content."""
    count = ask_server(shared(ctx), "reset", name)["reset"]
    if as_json:
        print_json({"reset": count})
    elif count:
        what = number_of(count, "endpoint or key", "endpoints and keys")
        say(f"{name}: marked {what} as healthy")
    if not count:
        raise SeekrouteError(
            f"the server knows no endpoint, key or provider {name!r}: seekroute providers status "
            "names them"
        )


def _health(options: Shared) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ask_server(options, "health")["health"]
    return [{name: _named(name, value) for name, value in row.items()} for row in found]


def _named(name: str, value: Any) -> Any:
    """Percentiles by their names; anything else as it is."""
    if not name.startswith(_PERCENTILES_OF) or value is None:
        return value
    return dict(zip(_PERCENTILES, value, strict=True))


def _worth_showing(health: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that were asked lately, their providers' keys, and all that are not healthy."""
    asked = {row["provider"] for row in health if row["judged_1d"] or row["in_flight"]}

    def is_worth_it(row: Mapping[str, Any]) -> bool:
        if _state(row) != "ok":
            return True
        if row["key"] is not None:
            return row["provider"] in asked
        return bool(row["judged_1d"] or row["in_flight"])

    return [row for row in health if is_worth_it(row)]


def _show(health: Sequence[Mapping[str, Any]], *, everyone: bool, as_json: bool) -> None:
    from rich.console import Console

    if as_json:
        print_json(health)
        return
    console = Console()
    if console.is_terminal:
        console.print(_screen(health, everyone=everyone, width=console.width))
        return
    endpoints, keys = _rows(health if everyone else _worth_showing(health))
    print_rows(endpoints, _COLUMNS, as_json=False)
    print_rows(keys, _KEY_COLUMNS, as_json=False)


def _watch(options: Shared, *, everyone: bool) -> None:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console()
    if not console.is_terminal:
        while True:
            _show(_health(options), everyone=everyone, as_json=False)
            time.sleep(_AGAIN_S)
    health = _health(options)  # where no server runs, there is nothing to watch
    with Live(console=console, screen=True, auto_refresh=False) as live:
        seen = time.time()
        trouble = ""
        while True:
            shown = _screen(health, everyone=everyone, width=console.width)
            if trouble:
                at = time.strftime("%H:%M:%S", time.localtime(seen))
                shown = Group(Text(f"{trouble}. Below: as of {at}.", style="red"), shown)
            live.update(shown, refresh=True)
            time.sleep(_AGAIN_S)
            try:
                health, seen, trouble = _health(options), time.time(), ""
            except SeekrouteError as error:  # it may be about to start again
                trouble = str(error)


def _rows(
    health: Sequence[Mapping[str, Any]],
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """What is shown of endpoints, and of the keys of providers: those that are out come first."""
    ordered = sorted(health, key=lambda row: _state(row) == "ok")
    return (
        [_endpoint(row) for row in ordered if row["key"] is None],
        [_key(row) for row in ordered if row["key"] is not None],
    )


def _state(row: Mapping[str, Any]) -> str:
    """The one word for all of it, as `seekroute_endpoint_state` has it: what is missing to ask one
    that would be asked, else its state."""
    state: str = row["state"]
    return row["lacks"] or state if state in _ASKED else state


def _endpoint(row: Mapping[str, Any]) -> dict[str, str]:
    waits, rates = row["ttft_ms_5m"], row["tokens_per_second_5m"]
    uptime = row["uptime_30m"]
    return {
        "endpoint": row["tag"],
        "model": row["model"],
        "state": _state(row) + (" (last resort)" if row["last_resort"] else ""),
        "until": _until(row["retry_in_ms"]),
        "in_flight": f"{row['in_flight']:,}",
        "uptime": "-" if uptime is None else f"{uptime:.1%}",
        "ttft_p50": "-" if waits is None else span_of(waits["p50"]),
        "ttft_p90": "-" if waits is None else span_of(waits["p90"]),
        "tokens_per_s": "-" if rates is None else f"{rates['p50']:,}",
        "judged": f"{row['judged_1d']:,}",
    }


def _key(row: Mapping[str, Any]) -> dict[str, str]:
    name = row["provider"] + (f"#{row['key']}" if row["key"] else "")
    return {"key": name, "state": _state(row), "until": _until(row["retry_in_ms"])}


def _until(ms: int) -> str:
    """In how long it may be asked; a dash: now."""
    return NOTHING if ms <= 0 else span_of(-(-ms // 1000) * 1000)


def _screen(health: Sequence[Mapping[str, Any]], *, everyone: bool, width: int) -> RenderableType:
    """What a terminal shows: the endpoints, the keys, and of how many nothing is shown."""
    from rich.console import Group
    from rich.text import Text

    shown = health if everyone else _worth_showing(health)
    endpoints, keys = _rows(shown)
    parts: list[RenderableType] = [_table(endpoints, _COLUMNS, width)] if endpoints else []
    if keys:
        parts.append(_table(keys, _KEY_COLUMNS, width))
    if rest := len(health) - len(shown):
        text = number_of(
            rest,
            "more is healthy, and was not asked in the last day: --all shows it",
            "more are healthy, and were not asked in the last day: --all shows them",
        )
        parts.append(Text(text, style="dim"))
    return Group(*parts)


def _table(rows: Sequence[Mapping[str, str]], columns: Sequence[str], width: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    cells = [{column: visible(row[column]) for column in columns} for row in rows]
    columns = filled(cells, columns, _SPARE)
    widths = layout(
        cells, columns, spare=_SPARE, folded=_FOLDED, least_folded=_LEAST_FOLDED, width=width
    )
    table = Table()
    for column, size in widths.items():
        justify = alignment(cells, column)
        table.add_column(column.replace("_", " "), overflow="fold", width=size, justify=justify)
    for line in cells:
        color = _COLORS.get(line["state"].partition(" ")[0], "red")
        # Text, not str: names are shown literally, square brackets too.
        table.add_row(
            *(Text(line[name], style=color if name == "state" else "") for name in widths)
        )
    return table
