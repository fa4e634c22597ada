"""`seekroute backup` and `prune`: looking after the ledger's file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from seekroute.cli.credits import carry_out
from seekroute.cli.progress import spinning
from seekroute.cli.shared import JsonOption, moment, parse_since, print_json, say, shared
from seekroute.errors import SeekrouteError

_PRUNE_WAIT_S = 600.0  # a server rolls up about a million entries meanwhile


def backup(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The copy of the ledger; must not exist.")],
    control: Annotated[
        Path | None,
        typer.Option("--control", help="Also copy control.db, to this file."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy the ledger as of one moment, also while a server writes it. Never copies the pepper."""
    for path in (file, control):
        if path is not None and path.exists():
            raise SeekrouteError(f"{path} exists: choose another name")
    if file == control:
        raise typer.BadParameter("it is the ledger's file", param_hint="--control")
    with shared(ctx).open_ledger() as ledger, spinning("copying the ledger"):
        ledger.backup(file)
    if control is not None:
        with shared(ctx).open_control() as plane:
            plane.backup(control)
    if as_json:
        print_json({"ledger": str(file), "control": None if control is None else str(control)})
        return
    say(f"wrote {file}")
    if control is not None:
        say(f"wrote {control}")
        say(
            f"The backup does not contain the pepper ({shared(ctx).folder() / 'pepper'}). Without "
            "it no API key works after a restore: back it up separately."
        )


def prune(
    ctx: typer.Context,
    older_than: Annotated[
        str, typer.Option("--older-than", help="What goes: 90d, 1y, before 2027-01-31.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Roll up old entries and delete old requests. Balances, totals of days and ids stay."""
    import time

    moment_s = parse_since(older_than)
    if moment_s > time.time():
        raise typer.BadParameter("it is in the future", param_hint="--older-than")
    shared(ctx).open_ledger().close()  # there is one
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nobody can be asked: say --yes", param_hint="--yes")
        typer.confirm(
            f"Requests that ended before {moment(moment_s)} will be gone from the ledger, and can "
            "no longer be refunded. Go on?",
            abort=True,
            err=True,
        )
    with spinning("rolling up"):
        carry_out(
            ctx,
            "prune",
            as_json=as_json,
            wait_s=_PRUNE_WAIT_S,
            older_than_ms=moment_s * 1000,
        )
