"""`seekroute keys`: API keys. They work, or stop working, within a second in a running server."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli._shared import (
    Fields,
    JsonOption,
    Shared,
    moment,
    parse_expiry,
    print_json,
    print_row,
    print_rows,
    shared,
)

if TYPE_CHECKING:
    from seekroute.config import ProfileFile
    from seekroute.control import ControlPlane
    from seekroute.control.models import ApiKey

app = typer.Typer(no_args_is_help=True, help="API keys.")

_MAX_KEY = 512  # characters read from the standard input


def _key_or_stdin(value: str) -> str:
    return sys.stdin.readline(_MAX_KEY).strip() if value == "-" else value


_Key = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        callback=_key_or_stdin,
        help="The key's id; or - to read the id or the key itself from the standard input.",
    ),
]


@app.command()
def create(
    ctx: typer.Context,
    org: Annotated[str, typer.Option("--org", help="Id or name of its organization.")],
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "key",
    profile: Annotated[
        str | None,
        typer.Option("--profile", help="The profile it works with.", show_default="the gateway's"),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", help="When it ends: 12h, 30d, 1y, 2027-01-31. Default: never."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option("--models", help="Model ids and author/* patterns, by commas. Default: all."),
    ] = None,
    app_: Annotated[
        str | None, typer.Option("--app", help="Id or name of the app it belongs to.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, this once."""
    expires_at = None if expires is None else parse_expiry(expires)
    allowed = None if models is None else [model.strip() for model in models.split(",")]
    chosen = _profile(shared(ctx), profile)
    with shared(ctx).open_control() as control:
        row, text = control.create_key(
            org,
            name=name,
            profile=chosen.name,
            prefix=chosen.key_prefix,
            expires_at=expires_at,
            models=allowed,
            app=app_,
        )
        _show_once(control, row, text, as_json=as_json)


@app.command("list")
def list_(
    ctx: typer.Context,
    org: Annotated[str | None, typer.Option("--org", help="Only of this organization.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys, revoked ones too."""
    with shared(ctx).open_control() as control:
        names = {row.id: row.name for row in control.list_orgs()}
        rows = [_fields(row, names[row.org_id]) for row in control.list_keys(org)]
    columns = ("id", "name", "org", "label", "profile", "status", "expires_at")
    print_rows(rows, columns, as_json=as_json)


@app.command()
def show(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Show what is known about a key."""
    with shared(ctx).open_control() as control:
        _show(control, control.get_key(key), as_json=as_json)


@app.command()
def disable(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Turn a key away (403) until it is enabled."""
    with shared(ctx).open_control() as control:
        _show(control, control.disable_key(key), as_json=as_json)


@app.command()
def enable(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Let a disabled key work again."""
    with shared(ctx).open_control() as control:
        _show(control, control.enable_key(key), as_json=as_json)


@app.command()
def revoke(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """End a key for good (401)."""
    with shared(ctx).open_control() as control:
        _show(control, control.revoke_key(key), as_json=as_json)


@app.command()
def roll(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Replace a key: the old one ends, the new one has its id and rights and is shown once."""
    with shared(ctx).open_control() as control:
        row, text = control.roll_key(key)
        _show_once(control, row, text, as_json=as_json)


def _profile(options: Shared, name: str | None) -> ProfileFile:
    """One of the profiles that the configuration lists; by default its first."""
    from seekroute.config import profiles_of

    profiles = profiles_of(options.settings())
    for profile in profiles:
        if name in (None, profile.name):
            return profile
    known = ", ".join(profile.name for profile in profiles)
    raise typer.BadParameter(f"no profile {name!r}: choose one of {known}", param_hint="--profile")


def _show(control: ControlPlane, row: ApiKey, *, as_json: bool) -> None:
    print_row(_fields(row, control.get_org(row.org_id).name), as_json=as_json)


def _show_once(control: ControlPlane, row: ApiKey, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json({**_fields(row, control.get_org(row.org_id).name), "key": text})
        return
    # Only the key goes to the standard output: KEY=$(seekroute keys create ...) works.
    typer.echo(text)
    typer.secho(
        f"Copy the key now: it is shown this once and is stored nowhere. Its id is {row.id}.",
        err=True,
    )


def _fields(row: ApiKey, org: str) -> Fields:
    if row.revoked:
        status = "revoked"
    elif row.expires_at is not None and row.expires_at <= time.time():
        status = "expired"
    else:
        status = "disabled" if row.disabled else "active"
    return {
        "id": row.id,
        "name": row.name,
        "label": row.label,
        "org": org,
        "org_id": row.org_id,
        "app_id": row.app_id,
        "profile": row.profile,
        "status": status,
        "models": row.models,
        "created_at": moment(row.created_at),
        "expires_at": moment(row.expires_at),
        "disabled_at": moment(row.disabled_at),
        "revoked_at": moment(row.revoked_at),
    }
