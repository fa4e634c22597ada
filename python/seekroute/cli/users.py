"""`seekroute users`, `members`, `audit` and `console`: people, their roles, what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli.shared import Fields, JsonOption, moment, print_row, print_rows, shared

if TYPE_CHECKING:
    from seekroute.control.people.tables import Membership, User

app = typer.Typer(no_args_is_help=True, help="People with an account in the console.")
members = typer.Typer(no_args_is_help=True, help="Who belongs to an organization, as what.")
audit = typer.Typer(no_args_is_help=True, help="Who changed what.")
console = typer.Typer(no_args_is_help=True, help="The pages for accounts, keys and logs.")

_User = Annotated[str, typer.Argument(metavar="USER", help="Id or e-mail address.")]
_Org = Annotated[str, typer.Argument(metavar="ORG", help="Id or name.")]
_Role = Annotated[str, typer.Argument(metavar="ROLE", help="owner, admin, billing or member.")]


@app.command()
def create(
    ctx: typer.Context,
    email: Annotated[str, typer.Argument(help="Its address, not yet taken.")],
    name: Annotated[str, typer.Option("--name", help="How it is shown.")] = "",
    operator: Annotated[
        bool, typer.Option("--operator", help="It runs this gateway: sees and changes all.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make an account. Asks for its password; without a terminal that is read from the input."""
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with shared(ctx).open_control() as control:
        row = control.users.create(
            email,
            name=name or email.partition("@")[0],
            password=password,
            instance_role="operator" if operator else None,
        )
    print_row(_fields(row), as_json=as_json)


@app.command("list")
def list_(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the accounts."""
    with shared(ctx).open_control() as control:
        rows = [_fields(row) for row in control.users.list(limit=10_000)]
    columns = ("id", "email", "name", "role", "status", "last_seen_at")
    print_rows(rows, columns, as_json=as_json, spare=("last_seen_at", "name"), folded=("email",))


@app.command()
def disable(ctx: typer.Context, user: _User, as_json: JsonOption = False) -> None:
    """Let it sign in no more, and end its sessions. Its keys work on."""
    with shared(ctx).open_control() as control:
        row = control.users.disable(user)
        control.sessions.end_all(row.id)
    print_row(_fields(row), as_json=as_json)


@app.command()
def enable(ctx: typer.Context, user: _User, as_json: JsonOption = False) -> None:
    """Let it sign in again."""
    with shared(ctx).open_control() as control:
        print_row(_fields(control.users.enable(user)), as_json=as_json)


@app.command("set-role")
def set_role(
    ctx: typer.Context,
    user: _User,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="operator, support or none.")],
    as_json: JsonOption = False,
) -> None:
    """Say what it may do beyond its organizations: all, see all, or nothing."""
    with shared(ctx).open_control() as control:
        row = control.users.set_instance_role(user, None if role == "none" else role)
        control.sessions.end_all(row.id)
    print_row(_fields(row), as_json=as_json)


@app.command("set-password")
def set_password(ctx: typer.Context, user: _User, as_json: JsonOption = False) -> None:
    """Give it another password, and end its sessions. Asks for it."""
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with shared(ctx).open_control() as control:
        row = control.users.set_password(user, password)
        control.sessions.end_all(row.id)
    print_row(_fields(row), as_json=as_json)


def _fields(row: User) -> Fields:
    return {
        "id": row.id,
        "email": row.email,
        "name": row.name,
        "role": row.instance_role,
        "status": "disabled" if row.disabled else "active",
        "created_at": moment(row.created_at),
        "last_seen_at": moment(row.last_seen_at),
    }


# --- members --------------------------------------------------------------------------------------


@members.command("list")
def list_members(ctx: typer.Context, org: _Org, as_json: JsonOption = False) -> None:
    """List the members of an organization."""
    with shared(ctx).open_control() as control:
        found, _ = control.members.list(org, limit=10_000)
    rows = [_member(row, person) for row, person in found]
    columns = ("user", "email", "name", "role")
    print_rows(rows, columns, as_json=as_json, spare=("name",), folded=("email",))


@members.command()
def add(
    ctx: typer.Context, org: _Org, user: _User, role: _Role = "member", as_json: JsonOption = False
) -> None:
    """Make an account a member of an organization."""
    with shared(ctx).open_control() as control:
        row = control.members.add(org, user, role)
        print_row(_member(row, control.users.get(row.user_id)), as_json=as_json)


@members.command()
def change(
    ctx: typer.Context, org: _Org, user: _User, role: _Role, as_json: JsonOption = False
) -> None:
    """Give a member another role."""
    with shared(ctx).open_control() as control:
        person = control.users.get(user)
        row = control.members.change(org, person.id, role=role)
        control.sessions.end_all(person.id)
    print_row(_member(row, person), as_json=as_json)


@members.command()
def remove(ctx: typer.Context, org: _Org, user: _User, as_json: JsonOption = False) -> None:
    """End a membership. Keys that the member made work on."""
    with shared(ctx).open_control() as control:
        person = control.users.get(user)
        control.members.remove(org, person.id)
    print_row({"removed": person.id, "email": person.email}, as_json=as_json)


def _member(row: Membership, person: User) -> Fields:
    return {"user": person.id, "email": person.email, "name": person.name, "role": row.role}


# --- audit ----------------------------------------------------------------------------------------


@audit.command("list")
def list_audit(
    ctx: typer.Context,
    org: Annotated[str, typer.Option("--org", metavar="ORG", help="Of this one alone.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List who changed what, the newest first."""
    with shared(ctx).open_control() as control:
        id = control.orgs.get(org).id if org else None
        found = control.audit.list(org=id, limit=limit)
    rows: list[Fields] = [
        {
            "n": row.n,
            "at": moment(row.at),
            "actor": row.actor_label,
            "action": row.action,
            "target": row.target,
            "before": row.before,
            "after": row.after,
        }
        for row in found
    ]
    columns = ("n", "at", "actor", "action", "target", "after")
    print_rows(rows, columns, as_json=as_json, spare=("target", "after"), folded=("after",))


@audit.command()
def verify(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Check that no row was changed or taken out since it was written. Exit code 1 if one was."""
    with shared(ctx).open_control() as control:
        rows, broken = control.audit.verify()
    if as_json:
        print_row({"rows": rows, "broken": broken and broken.n}, as_json=True)
    elif broken is None:
        typer.echo(f"{rows} rows, all as they were written")
    if broken is None:
        return
    what = "is missing" if broken.why == "missing" else "or one before it was changed"
    typer.echo(f"row {broken.n} {what}; {rows} rows before it are as they were written", err=True)
    raise typer.Exit(1)


# --- the console ----------------------------------------------------------------------------------


@console.command("setup-link")
def setup_link(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Make a link by which the first operator is made, once, within a day."""
    from seekroute.control import ControlError

    options = shared(ctx)
    with options.open_control() as control:
        token = control.setup_token()
    if token is None:
        raise ControlError("there is an operator already: sign in, or `seekroute users create`")
    settings = options.settings()
    url = settings.console.public_url or f"http://localhost:{settings.server.port}"
    link = f"{url}/console/setup#{token}"
    if as_json:
        print_row({"link": link}, as_json=True)
    else:
        typer.echo(link)
