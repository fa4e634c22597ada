"""`seekroute credits`: what organizations have, and orders that change it.

The running server owns the ledger: orders go to it through control.db. Without a server the command
books them itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seekroute.cli.comparison import refuse_broken
from seekroute.cli.money import (
    amounts,
    limit_of,
    line_fields,
    nano_of,
    org_names,
    without_repeats,
)
from seekroute.cli.orders import MISSING, listed, order_fields
from seekroute.cli.progress import spinning
from seekroute.cli.requests import ID_HELP, find_request
from seekroute.cli.shared import (
    Fields,
    JsonOption,
    print_json,
    print_line,
    print_row,
    print_rows,
    say,
    shared,
)
from seekroute.errors import SeekrouteError
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.control.models import Organization
    from seekroute.ledger import Balance, Ledger

app = typer.Typer(no_args_is_help=True, help="Credits of organizations.")

_Org = Annotated[str, typer.Argument(metavar="ORG", help="Id or name.")]
_Id = Annotated[
    str | None,
    typer.Option("--id", help="Makes it happen once, however often it is given: stripe:evt_17."),
]
_MOST_ORDERS = 10_000
_LISTED = ("created_at", "id", "kind", "org", "generation", "amount", "state", "note", "error")
# What a narrow terminal does without.
_SPARE = ("generation", "note", "kind", "error", "org", "created_at")
_FOLDED = ("id", "org", "note", "error")
_REPLAY_COLUMNS = ("id", "kind", "org", "generation", "amount", "state", "error")


# Unknown options pass: a negative amount looks like one.
@app.command(context_settings={"ignore_unknown_options": True})
def add(
    ctx: typer.Context,
    org: _Org,
    usd: Annotated[str, typer.Argument(metavar="USD", help="How much came in: 10, 12.50.")],
    id_: _Id = None,
    note: Annotated[str, typer.Option("--note", help="Whose payment, and for what.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Book a payment: it repays what is owed, the rest becomes available."""
    amount = nano_of(usd)
    carry_out(ctx, "topup", as_json=as_json, id=id_, org=org, amount_nano=amount, note=note)


@app.command(context_settings={"ignore_unknown_options": True})
def adjust(
    ctx: typer.Context,
    org: _Org,
    usd: Annotated[
        str, typer.Argument(metavar="USD", help="How much to give; with a minus, to take.")
    ],
    note: Annotated[str, typer.Option("--note", help="Why. Stays in the journal.")],
    chargeback: Annotated[
        bool, typer.Option("--chargeback", help="The payment itself was reversed.")
    ] = False,
    id_: _Id = None,
    as_json: JsonOption = False,
) -> None:
    """Give credit or take it; what is taken beyond the balance is owed."""
    kind = "chargeback" if chargeback else "adjust"
    amount = nano_of(usd)
    carry_out(ctx, kind, as_json=as_json, id=id_, org=org, amount_nano=amount, note=note)


@app.command()
def refund(
    ctx: typer.Context,
    generation: Annotated[str, typer.Argument(metavar="ID", help=ID_HELP)],
    usd: Annotated[
        str | None,
        typer.Argument(metavar="USD", help="How much; default: all that is left of its charge."),
    ] = None,
    id_: _Id = None,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Give back what a request was charged, or part of it."""
    given = None if usd is None else nano_of(usd)
    generation = _meant(ctx, generation)
    amount = _amount_of_refund(ctx, generation, id_) if given is None else given
    carry_out(
        ctx,
        "refund",
        as_json=as_json,
        id=id_,
        generation=generation,
        amount_nano=amount,
        note=note,
    )


@app.command()
def balance(
    ctx: typer.Context,
    org: Annotated[
        str | None, typer.Argument(metavar="ORG", help="Id or name; default: all of them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an organization has; without ORG, all of them and what the operator received."""
    from seekroute.ledger import Balance

    with shared(ctx).open_control() as control:
        orgs = control.orgs.list() if org is None else [control.orgs.get(org)]
    with shared(ctx).open_ledger() as ledger:
        if org is not None:
            fields = _balance_fields(orgs[0], ledger.balance(orgs[0].id))
            print_row(fields if as_json else without_repeats(fields), as_json=as_json)
            return
        found = ledger.balances()
        own = ledger.operator()
    rows = [_balance_fields(each, found.get(each.id, Balance(0, 0, 0))) for each in orgs]
    # Booked against the organizations, so with the other sign.
    operator = amounts({"received": -own["cash"], "revenue": own["revenue"], "loss": -own["loss"]})
    if as_json:
        print_json({"organizations": rows, "operator": operator})
        return
    columns = ("id", "name", "available", "held", "owed", "credit_line")
    spare = ("credit_line", "id", "held", "owed")
    print_rows(rows, columns, as_json=False, spare=spare, folded=("name",))
    own_rows = [
        {"whose": "operator", "account": name, "amount": operator[name]}
        for name in ("received", "revenue", "loss")
    ]
    print_rows(own_rows, ("whose", "account", "amount"), as_json=False, spare=("whose",))


@app.command()
def line(
    ctx: typer.Context,
    org: _Org,
    usd: Annotated[
        str,
        typer.Argument(
            metavar="USD", help="How far below zero it may go: 0 is prepaid; or unlimited."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Let an organization spend more than it has paid; a running server follows at once."""
    amount = limit_of(usd)
    with shared(ctx).open_control() as control:
        row = control.orgs.set_credit_line(org, amount)
    fields = {"id": row.id, "name": row.name, **line_fields(row)}
    print_row(fields if as_json else without_repeats(fields), as_json=as_json)


@app.command()
def orders(
    ctx: typer.Context,
    org: Annotated[str | None, typer.Option("--org", help="Only of this organization.")] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Only those that wait.")] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=_MOST_ORDERS, help="The most orders.")
    ] = 100,
    as_json: JsonOption = False,
) -> None:
    """List payments, adjustments, refunds and prunes, and what became of each, newest first."""
    rows = listed(shared(ctx), org=org, pending=pending, limit=limit)
    print_rows(rows, _LISTED, as_json=as_json, spare=_SPARE, folded=_FOLDED)


@app.command()
def replay(
    ctx: typer.Context,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only show what would be booked or refused, tried in a copy."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Book again, once, what counts as booked and is not in the ledger: after an older copy of the
    ledger was restored. Exit 1 if something was refused, or the ledger itself is broken."""
    from seekroute.control import booking

    options = shared(ctx)
    shown: list[Fields] = []
    booked = refused = 0
    with options.open_ledger() as ledger, spinning("replaying the journal"):
        refuse_broken(ledger)
    with options.open_control() as control:
        names = org_names(control)
        found = booking.book_again(
            control.orders,
            options.folder(),
            dry_run=dry_run,
            orphans=shared(ctx).settings().credits.orphans,
        )
        for order in found:
            booked += order.state == "booked"
            refused += order.state == "refused"
            if as_json and len(shown) == _MOST_ORDERS:
                continue
            fields = order_fields(order, names)
            if dry_run and order.state == "booked":
                fields = {**fields, "state": MISSING}
            if as_json:
                shown.append(fields)
            else:
                print_line(fields, _REPLAY_COLUMNS, as_json=False)
    if as_json:
        more = booked + refused > len(shown)
        print_json({"dry_run": dry_run, "orders": shown, "more": more})
    elif not booked + refused:
        say("nothing is missing")
    elif dry_run:
        say(f"{booked} would be booked, {refused} would be refused", err=True)
    else:
        say(f"{booked} booked, {refused} refused", err=True)
    if refused:
        orders = number_of(refused, "order")
        verb = "would be" if dry_run else "was" if refused == 1 else "were"
        raise SeekrouteError(f"{orders} {verb} refused: nothing is booked for what is refused")


def carry_out(
    ctx: typer.Context, kind: str, *, as_json: bool, wait_s: float | None = None, **order: Any
) -> None:
    """Gives an order, sees to it that it is booked, and shows what became of it."""
    from seekroute.control import booking
    from seekroute.control.orders import new_order_id

    folder = shared(ctx).folder()
    if order.get("id") is None:
        order["id"] = new_order_id(kind)
    # Before the order is stored: what cannot be read must not leave one behind.
    orphans = shared(ctx).settings().credits.orphans
    with shared(ctx).open_control() as control:
        given = None
        try:
            given = control.orders.put(kind, **order)
            done = booking.carry_out(
                control.orders,
                folder,
                given,
                wait_s=wait_s or booking.WAIT_S,
                orphans=orphans,
            )
        except KeyboardInterrupt:
            stored = control.orders.find(order["id"])
            if stored is None:
                raise
            if stored.state == "pending":  # the waiting has ended, the order has not
                raise SeekrouteError(f"interrupted. {booking.still_waits(stored)}") from None
            if given is None or given.state != "pending":
                raise SeekrouteError(
                    f"interrupted. {stored.id} was given before and counts as {stored.state}; "
                    "seekroute credits orders shows it"
                ) from None
            done = stored  # it was too late to interrupt anything
        fields = dict(order_fields(done, org_names(control)))
    if given.state == "booked" and done.result == "exists":
        say(f"{done.id} was booked before: nothing was done", err=True)
    elif given.state == "booked" and done.state == "booked":
        say(
            f"{done.id} was given before, but the ledger did not have it: booked again. Was the "
            "ledger restored? seekroute ledger verify names what else is missing",
            err=True,
        )
    if as_json:
        print_json(fields)
    elif done.state == "booked":
        print_row(without_repeats(fields), as_json=False)
    if done.state == "refused":
        raise SeekrouteError(f"{done.error} ({done.id})")


def _balance_fields(org: Organization, balance: Balance) -> Fields:
    return {
        "id": org.id,
        "name": org.name,
        **amounts({"available": balance.available, "held": balance.held, "owed": balance.owed}),
        **line_fields(org),
    }


def _meant(ctx: typer.Context, id_: str) -> str:
    """The answer's id of the one request that is meant; `id_` itself if there is none.

    Which is for the order to say: a repeated one may be of a request that was pruned.
    """
    from seekroute.ledger import FILE_NAME

    if not os.path.lexists(shared(ctx).folder() / FILE_NAME):  # a link is for who opens it
        return id_
    with shared(ctx).open_ledger() as ledger:
        row = find_request(ledger, id_)
    return id_ if row is None else str(row["generation"])


def _amount_of_refund(ctx: typer.Context, generation: str, order_id: str | None) -> int:
    """All that is left; of an order that is repeated, what it was then."""
    if order_id is not None:
        with shared(ctx).open_control() as control:
            given = control.orders.find(order_id)
        if given is not None and given.state != "refused" and given.amount_nano is not None:
            return given.amount_nano
    with shared(ctx).open_ledger() as ledger:
        if order_id is not None:
            # control.db is an older copy, or another shell has given the order meanwhile.
            (entry,) = ledger.find_orders([("refund", order_id)])
            if entry is not None:
                amount: int = entry["amount"]
                return amount
        return _left_of(ledger, generation)


def _left_of(ledger: Ledger, generation: str) -> int:
    """What is left of a request's charge, in nano-USD."""
    row = ledger.generation(generation)
    if row is None:
        raise SeekrouteError(f"there is no request {generation!r} in the ledger")
    if row["state"] != "settled" or not row["cost"]:
        raise SeekrouteError(f"{generation} was not charged: there is nothing to refund")
    if not row["end_seq"]:
        raise SeekrouteError(
            f"the charge of {generation} was rolled up by a prune: give credit with "
            "seekroute credits adjust"
        )
    left: int = row["cost"] - row["refunded"]
    if left <= 0:
        raise SeekrouteError(f"all of the charge of {generation} was refunded before")
    return left
