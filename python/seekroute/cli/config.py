"""`seekroute config`: what the configuration is, and whether it is right."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from seekroute.cli.asking_server import await_answer, server_of
from seekroute.cli.config_import import import_
from seekroute.cli.shared import NO_FILE, JsonOption, Shared, print_json, print_rows, say, shared
from seekroute.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Check, show, import and reload the configuration.")
app.command("import")(import_)

# How long the server may take: it gives up on a reading after 60 s, and may have one before this.
_PATIENCE_S: Final = 135.0
_NOTHING: Final[Mapping[str, Any]] = {
    **{"warnings": [], "changes": [], "more_changes": 0},
    "needs_restart": [],
}


@app.command()
def check(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Report every error in the configuration, also for this machine: folders,
    addresses, certificates. Exit with 2 if there is one. Warn of fallbacks that are never asked."""
    problems = []
    warnings: list[str] = []
    from seekroute.cli.start_checks import start_problems, start_warnings
    from seekroute.config import config_file

    options = shared(ctx)
    file = config_file(options.config)
    try:
        settings = options.settings(provider_keys=True)
        found = start_problems(settings, options.data_dir or Path(settings.data_dir))
        if found:
            raise ConfigError(found)
        warnings = start_warnings(settings)
    except ConfigError as error:
        if not as_json:
            raise
        problems = [dataclasses.asdict(problem) for problem in error.problems]
    if as_json:
        told = {"ok": not problems, "file": file and str(file), "problems": problems}
        print_json({**told, "warnings": warnings})
    else:
        _say_warnings(warnings)
        say(f"{file} is valid" if file else NO_FILE)
    if problems:
        raise typer.Exit(2)


@app.command()
def show(
    ctx: typer.Context,
    origin: Annotated[
        bool, typer.Option("--origin", help="Show where each value comes from.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the settings in force. Secrets are masked."""
    settings = shared(ctx).settings()
    values = settings.model_dump(mode="json")
    if origin:
        rows = [
            {
                "setting": path,
                "value": value,
                "origin": settings.origin(path),
                "where": settings.origin_detail(path),
            }
            for path, value in _leaves(values, "")
        ]
        columns = ("setting", "value", "origin", "where")
        spare = ("origin", "where")  # a value that has no place is a default
        print_rows(rows, columns, as_json=as_json, spare=spare, folded=("value", "where"))
    elif as_json:
        print_json(values)
    else:
        import yaml

        say(yaml.safe_dump(values, sort_keys=False, allow_unicode=True), nl=False)


@app.command()
def schema(_as_json: JsonOption = True) -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    from seekroute.config import config_schema

    print_json(config_schema())


@app.command()
def reload(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Let the running server read its configuration again, whole or not at all: print what
    changed. Exit 1 when it is refused; the old one then stays in force."""
    answer = _reloaded(shared(ctx))
    if as_json:
        print_json(answer)
    elif answer["result"] == "applied":
        _say_changes(answer)
    else:
        for problem in answer["problems"]:
            say(problem, err=True)
        say(
            "the configuration was not reloaded: a running server keeps the one that it has",
            err=True,
        )
    if answer["result"] != "applied":
        raise typer.Exit(1)


def _reloaded(options: Shared) -> dict[str, Any]:
    """What the server of the data directory says of a reload; or this process, of a configuration
    that does not lead to one. Raises SeekrouteError."""
    try:
        folder = options.folder()
    except ConfigError as error:
        # The server has to count and log what it is asked to read, also where that is wrong.
        if options.data_dir is not None:
            raise
        serving = _serving_folder(options, error)
        if serving is None:
            problems = [str(problem) for problem in error.problems]
            return {"result": "refused", "problems": problems, **_NOTHING}
        folder = serving
        options = dataclasses.replace(options, data_dir=folder)
    pid = server_of(folder, "the next start reads everything")
    with options.open_control() as control:
        n = control.reloads.put()
        told = await_answer(folder, pid, lambda: control.reloads.get(n).told, _PATIENCE_S)
    answer: dict[str, Any] = json.loads(told)
    return answer


def _serving_folder(options: Shared, error: ConfigError) -> Path | None:
    """The data directory of a configuration that is wrong elsewhere, if a server runs there."""
    from seekroute.config import data_dir_of
    from seekroute.control.directory import serving_pid

    if any(each.path == "data_dir" for each in error.problems):
        return None
    folder = data_dir_of(options.config)
    return folder if serving_pid(folder) is not None else None


def _say_changes(answer: dict[str, Any]) -> None:
    for change in answer["changes"]:
        say(change["text"])
    if answer["more_changes"]:
        say(f"and {answer['more_changes']} more")
    if not answer["changes"]:
        say("nothing changed")
    for path in answer["needs_restart"]:
        say(f"{path}: needs a restart, and stays as it was", err=True)
    _say_warnings(answer.get("warnings", ()))  # an older server has none


def _say_warnings(warnings: Iterable[str]) -> None:
    for each in warnings:
        say(f"warning: {each}", fg=typer.colors.YELLOW, err=True)


def _leaves(value: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, child in value.items():
        at = f"{path}.{name}" if path else name
        if isinstance(child, dict) and child:
            yield from _leaves(child, at)
        else:
            yield at, child
