"""`seekroute orgs`: organizations, the owners of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli._shared import Fields, JsonOption, moment, print_row, print_rows, shared

if TYPE_CHECKING:
    from seekroute.control.models import Organization

app = typer.Typer(no_args_is_help=True, help="Organizations, the owners of keys.")

_Org = Annotated[str, typer.Argument(metavar="ORG", help="Id or name.")]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name, not yet taken.")],
    as_json: JsonOption = False,
) -> None:
    """Make an organization."""
    with shared(ctx).open_control() as control:
        print_row(_fields(control.create_org(name)), as_json=as_json)


@app.command("list")
def list_(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the organizations."""
    with shared(ctx).open_control() as control:
        rows = [_fields(org) for org in control.list_orgs()]
    print_rows(rows, ("id", "name", "status", "created_at"), as_json=as_json)


@app.command()
def suspend(ctx: typer.Context, org: _Org, as_json: JsonOption = False) -> None:
    """Turn all its keys away (403) until it is resumed."""
    with shared(ctx).open_control() as control:
        print_row(_fields(control.suspend_org(org)), as_json=as_json)


@app.command()
def resume(ctx: typer.Context, org: _Org, as_json: JsonOption = False) -> None:
    """Let the keys of a suspended organization work again."""
    with shared(ctx).open_control() as control:
        print_row(_fields(control.resume_org(org)), as_json=as_json)


def _fields(org: Organization) -> Fields:
    return {
        "id": org.id,
        "name": org.name,
        "status": "suspended" if org.suspended else "active",
        "created_at": moment(org.created_at),
        "suspended_at": moment(org.suspended_at),
    }
