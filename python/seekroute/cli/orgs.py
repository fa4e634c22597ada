"""`seekroute orgs`: organizations, the owners of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli.limits import limits_app, shown_limits
from seekroute.cli.money import limit_of, line_fields
from seekroute.cli.shared import Fields, JsonOption, Shared, moment, print_row, print_rows, shared

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.control.models import Organization

app = typer.Typer(no_args_is_help=True, help="Organizations, the owners of keys.")

_Org = Annotated[str, typer.Argument(metavar="ORG", help="Id or name.")]


@app.command()
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name, not yet taken.")],
    credit_line: Annotated[
        str,
        typer.Option(
            "--credit-line",
            help="How far below zero its balance may go, in USD: 0 is prepaid; or unlimited.",
        ),
    ] = "0",
    as_json: JsonOption = False,
) -> None:
    """Make an organization. What its keys use is paid for out of its credit."""
    line = limit_of(credit_line, "--credit-line")
    with shared(ctx).open_control() as control:
        _show(control, control.orgs.create(name, line), as_json=as_json)


@app.command("list")
def list_(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the organizations."""
    with shared(ctx).open_control() as control:
        said = control.limits.all("org")
        rows = [
            {**_fields(org), "rate_limits": said.get(org.id, {})} for org in control.orgs.list()
        ]
    columns = ("id", "name", "status", "created_at", "credit_line")
    spare = ("created_at", "credit_line", "id")
    print_rows(rows, columns, as_json=as_json, spare=spare, folded=("name",))


@app.command()
def show(ctx: typer.Context, org: _Org, as_json: JsonOption = False) -> None:
    """Show an organization."""
    with shared(ctx).open_control() as control:
        _show(control, control.orgs.get(org), as_json=as_json)


@app.command()
def suspend(ctx: typer.Context, org: _Org, as_json: JsonOption = False) -> None:
    """Turn all its keys away (403) until it is resumed."""
    with shared(ctx).open_control() as control:
        _show(control, control.orgs.suspend(org), as_json=as_json)


@app.command()
def resume(ctx: typer.Context, org: _Org, as_json: JsonOption = False) -> None:
    """Let the keys of a suspended organization work again."""
    with shared(ctx).open_control() as control:
        _show(control, control.orgs.resume(org), as_json=as_json)


def _limited(_options: Shared, control: ControlPlane, org: str) -> tuple[str, str, str]:
    row = control.orgs.get(org)
    return row.id, row.name, ""


app.add_typer(limits_app("org", "an organization", "ORG", _limited), name="limits")


def _show(control: ControlPlane, org: Organization, *, as_json: bool) -> None:
    said = control.limits.get("org", org.id)
    fields = {**_fields(org), "rate_limits": said if as_json else shown_limits(said) or None}
    hidden = () if as_json else ("credit_line_nano",)
    print_row({k: v for k, v in fields.items() if k not in hidden}, as_json=as_json)


def _fields(org: Organization) -> Fields:
    return {
        "id": org.id,
        "name": org.name,
        "status": "suspended" if org.suspended else "active",
        "created_at": moment(org.created_at),
        "suspended_at": moment(org.suspended_at),
        **line_fields(org),
    }
