"""The root command: the options that all commands share, and how errors are shown.

Commands import what they need when they run: `seekroute --help` loads neither the core nor
SQLAlchemy.
"""

from __future__ import annotations

import difflib
import inspect
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from seekroute.cli import (
    apps,
    chat,
    config,
    credits,
    doctor,
    init,
    keys,
    ledger,
    limits,
    logs,
    models,
    orgs,
    providers,
    receipt,
    route,
    router_learning,
    run,
    upkeep,
    usage,
    users,
)
from seekroute.cli.shared import Shared, say, told
from seekroute.errors import ConfigError, SeekrouteError


class _Root(TyperGroup):
    """Shows expected errors as one red line each, without a traceback."""

    def invoke(self, ctx: Any) -> Any:  # Any: typer's releases differ in whose Context this is
        try:
            return super().invoke(ctx)
        except SeekrouteError as error:
            say(f"error: {told(error)}", fg=typer.colors.RED, err=True)
            raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from error
        except _UsageError as error:
            _say_where(error)
            _say_nearest(error)
            raise


# Of typer's own click or of the one beside it: releases differ.
_UsageError: Any = typer.BadParameter.__bases__[0]
_SHARED_OPTION = re.compile(
    r"(?:No such option|unexpected extra argument).*(--data-dir|--config)\b"
)


def _say_where(error: Any) -> None:
    """Adds to an unknown option that it stands before the command, if it does."""
    found = _SHARED_OPTION.search(error.message)
    if found is None or error.ctx is None:
        return
    program, *command = error.ctx.command_path.split()
    value = "FOLDER" if found[1] == "--data-dir" else "FILE"
    words = " ".join((program, found[1], value, *command))
    error.message = f"{error.message.rstrip('.')}: it stands before the command: {words}"
    error.possibilities = []  # other options that look like it


_WRONG_WORD = re.compile(r"(?:Value error, )?'(.*)' is not one of ('.*')\.?", re.DOTALL)


def _say_nearest(error: Any) -> None:
    """Adds to a wrong word, of a few that are allowed, the one that looks like it."""
    found = _WRONG_WORD.fullmatch(error.message)
    if found is None:
        return
    allowed = re.findall(r"'([^']*)'", found[2])
    close = difflib.get_close_matches(found[1].lower(), allowed, n=1, cutoff=0.6)
    near = f" (did you mean {close[0]}?)" if close else ""
    error.message = f"{found[1]!r} is not one of {', '.join(allowed)}{near}"


# A traceback with local variables would show keys.
app = typer.Typer(
    cls=_Root,
    name="seekroute",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Self-hosted, OpenAI-compatible LLM gateway.",
)
app.add_typer(orgs.app, name="orgs")
app.add_typer(apps.app, name="apps")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.add_typer(users.members, name="members")
app.add_typer(users.audit, name="audit")
app.add_typer(users.console, name="console")
app.add_typer(credits.app, name="credits")
app.add_typer(ledger.app, name="ledger")
app.add_typer(logs.app, name="logs")
models.app.add_typer(limits.models, name="limits")
app.add_typer(limits.gateway, name="limits")
app.add_typer(config.app, name="config")
app.add_typer(models.app, name="models")
app.add_typer(providers.app, name="providers")
app.add_typer(receipt.app, name="receipt")
app.add_typer(router_learning.app, name="router")
app.command("serve")(run.serve)
app.command("mock")(run.mock)
app.command("ask")(run.ask)
app.command("chat")(chat.chat)
app.command("route")(route.route)
app.command("usage")(usage.usage)
app.command("backup")(upkeep.backup)
app.command("prune")(upkeep.prune)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)


def _unwrap(commands: typer.Typer) -> None:
    """Puts each paragraph of a help text on one line, for the terminal to break: typer would keep
    the line breaks of the source beside its own."""
    for each in commands.registered_commands:
        text = each.help or inspect.getdoc(each.callback) or ""
        each.help = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _unwrap(group.typer_instance)


_unwrap(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            found = version("seekroute")
        except PackageNotFoundError:
            found = "(not installed)"
        say(f"seekroute {found}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="SEEKROUTE_DATA_DIR",
            readable=False,  # which is looked at where it is used, in words of our own
            help="Where keys and records are kept.",
            show_default="from the configuration",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(envvar="SEEKROUTE_CONFIG", help="The configuration file."),
    ] = None,
    _version_wanted: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    ctx.obj = Shared(data_dir=data_dir, config=config)
