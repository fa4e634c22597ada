"""`seekroute apps`: programs whose keys the operator approves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli.limits import limits_app
from seekroute.cli.shared import Fields, JsonOption, Shared, moment, print_row, print_rows, shared

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.control.models import App

app = typer.Typer(no_args_is_help=True, help="Apps, whose keys work once you approve them.")

_App = Annotated[str, typer.Argument(metavar="APP", help="Id or name.")]
_Org = Annotated[str | None, typer.Option("--org", help="Id or name of its organization.")]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name, not yet taken in the organization.")],
    org: Annotated[str, typer.Option("--org", help="Id or name of its organization.")],
    as_json: JsonOption = False,
) -> None:
    """Make an app; it is pending until you approve it."""
    with shared(ctx).open_control() as control:
        print_row(_fields(control.apps.create(org, name=name)), as_json=as_json)


@app.command("list")
def list_(ctx: typer.Context, org: _Org = None, as_json: JsonOption = False) -> None:
    """List the apps."""
    with shared(ctx).open_control() as control:
        names = {row.id: row.name for row in control.orgs.list()}
        rows = [{**_fields(row), "org": names[row.org_id]} for row in control.apps.list(org)]
    columns = ("id", "name", "org", "status", "created_at")
    spare = ("created_at", "org", "id")
    print_rows(rows, columns, as_json=as_json, spare=spare, folded=("name", "org"))


@app.command()
def approve(ctx: typer.Context, name: _App, org: _Org = None, as_json: JsonOption = False) -> None:
    """Approve an app."""
    with shared(ctx).open_control() as control:
        print_row(_fields(control.apps.approve(name, org=org)), as_json=as_json)


@app.command()
def reject(ctx: typer.Context, name: _App, org: _Org = None, as_json: JsonOption = False) -> None:
    """Reject an app: its keys get 403."""
    with shared(ctx).open_control() as control:
        print_row(_fields(control.apps.reject(name, org=org)), as_json=as_json)


def _limited(_options: Shared, control: ControlPlane, app: str) -> tuple[str, str, str]:
    row = control.apps.get(app)
    return row.id, row.name, ""


app.add_typer(limits_app("app", "an app", "APP", _limited), name="limits")


def _fields(row: App) -> Fields:
    return {
        "id": row.id,
        "name": row.name,
        "org_id": row.org_id,
        "status": row.status,
        "created_at": moment(row.created_at),
    }
