"""What whoever runs the gateway sees and changes: all organizations, people and the system."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from seekroute.api.call import RefusedError, unreadable
from seekroute.console import shapes
from seekroute.console.call import Answer, Body, Call, take
from seekroute.console.desk import Desk
from seekroute.console.fields import Money, Name, page_of, text_of
from seekroute.console.signing_in import make_reset_link
from seekroute.control import ControlError
from seekroute.control.people.tables import User
from seekroute.control.people.users import checked_email
from seekroute.ledger import LedgerError

_MOST_WAITING: Final = 1000  # orders that are counted


class _NewOrg(Body):
    name: Name
    credit_line: Money = 0
    owner_email: str | None = Field(None, max_length=254)
    credit: Money = None


class _OrgEdit(Body):
    name: Name | None = None
    credit_line: Money = 0
    suspended: bool | None = None


class _Adjust(Body):
    amount: Money
    note: str = Field(min_length=1, max_length=500)
    client_token: str = Field(min_length=8, max_length=100)


class _UserEdit(Body):
    instance_role: Literal["operator", "support"] | None = None
    disabled: bool | None = None


def overview(call: Call, desk: Desk) -> Answer:
    """GET admin/overview: is money right today."""
    orgs = desk.control.orgs.list()
    pending = [row for row in desk.control.apps.list() if row.status == "pending"]
    waiting = len(desk.control.orders.pending(_MOST_WAITING))
    told = {
        "orgs": len(orgs),
        "suspended": sum(row.suspended for row in orgs),
        "pending_apps": len(pending),
        "waiting_orders": waiting,
        "ledger": desk.ledger is not None,
        "warnings": list(desk.plan.warnings),
        "version": desk.plan.version,
    }
    if desk.ledger is not None:
        try:
            balances = desk.ledger.balances()
            books = desk.ledger.operator()
        except LedgerError as error:
            raise unreadable(error) from error
        names = {row.id: row.name for row in orgs}
        debtors = sorted(
            ((org, row.owed) for org, row in balances.items() if row.owed > 0),
            key=lambda each: -each[1],
        )
        told |= {
            "liability": shapes.money(sum(row.available for row in balances.values())),
            "held": shapes.money(sum(row.held for row in balances.values())),
            "owed": shapes.money(sum(row.owed for row in balances.values())),
            "debtors": [
                {"id": org, "name": names.get(org, org), "owed": shapes.money(owed)}
                for org, owed in debtors[:10]
            ],
            "books": {name: shapes.money(value) for name, value in books.items()},
        }
    return Answer(told)


def orgs(call: Call, desk: Desk) -> Answer:
    """GET admin/orgs: with balances; `q` is the beginning of a name, or an id."""
    page = page_of(call.query)
    q = call.query.get("q", "").casefold()
    rows = [
        row
        for row in desk.control.orgs.list()
        if (not q or row.name.casefold().startswith(q) or row.id == q) and row.name > page.cursor
    ]
    rows.sort(key=lambda row: row.name)
    shown = rows[: page.limit]
    found = []
    for row in shown:
        money = desk.account(row.id)
        found.append(
            {
                **shapes.organization(row),
                "available": shapes.money(money["available"]),
                "held": shapes.money(money["held"]),
                "owed": shapes.money(money["owed"]),
                "spent": shapes.money(money["charged"] - money["refunded"]),
            }
        )
    more = len(rows) > page.limit
    return Answer({"data": found, "total": len(rows), "next": shown[-1].name if more else None})


def create_org(call: Call, desk: Desk) -> Answer:
    """POST admin/orgs: an organization; with `owner_email` its owner is invited, too."""
    body = take(call, _NewOrg)
    if body.credit is not None:
        desk.books()
        if body.credit < 0:
            raise RefusedError("invalid_value", "credit: expected USD of 0 or more", "credit")
    try:
        if body.owner_email is not None:
            checked_email(body.owner_email)
    except ControlError as error:
        raise RefusedError("invalid_value", str(error), "owner_email") from error
    by = call.caller.actor
    try:
        row = desk.control.orgs.create(body.name, body.credit_line, by=by)
    except ControlError as error:
        raise RefusedError("conflict", str(error), "name") from error
    told: dict[str, Any] = {"data": shapes.organization(row)}
    if body.owner_email is not None:
        _, token = desk.control.members.invite(row.id, body.owner_email, "owner", by=by)
        told["link"] = f"/console/invitation#{token}"
    if body.credit:
        desk.control.orders.put(
            "topup",
            id=f"console:first:{row.id}",
            org=row.id,
            amount_nano=body.credit,
            note=f"first credit, by {call.user.email}",
            by=by,
        )
    return Answer(told, status=201)


def org(call: Call, desk: Desk) -> Answer:
    """GET admin/orgs/{org}."""
    return Answer({"data": shapes.organization(desk.control.orgs.get(call.org))})


def edit_org(call: Call, desk: Desk) -> Answer:
    """PATCH admin/orgs/{org}: its name, credit line, and whether its keys are turned away."""
    given = take(call, _OrgEdit).given()
    for name in ("name", "suspended"):
        if name in given and given[name] is None:
            raise RefusedError("invalid_value", f"{name}: expected a value, not null", name)
    if "credit_line" in given:
        given["credit_line_nano"] = given.pop("credit_line")
    try:
        row = desk.control.orgs.edit(call.org, by=call.caller.actor, **given)
    except ControlError as error:
        raise RefusedError("conflict", str(error)) from error
    return Answer({"data": shapes.organization(row)})


def adjust(call: Call, desk: Desk) -> Answer:
    """POST admin/orgs/{org}/adjust: gives or takes credit, once for each `client_token`."""
    body = take(call, _Adjust)
    desk.books()
    if not body.amount:
        raise RefusedError("invalid_value", "amount: expected USD that are not 0", "amount")
    try:
        order = desk.control.orders.put(
            "adjust",
            id=f"console:{call.user.id}:{body.client_token}",
            org=call.org,
            amount_nano=body.amount,
            note=body.note,
            by=call.caller.actor,
        )
    except ControlError as error:
        raise RefusedError("conflict", str(error)) from error
    return Answer({"order": {"id": order.id, "state": order.state}}, status=202)


# --- people ---------------------------------------------------------------------------------------


def users(call: Call, desk: Desk) -> Answer:
    """GET admin/users: by address; `q` is its beginning."""
    page = page_of(call.query)
    rows = desk.control.users.list(
        q=text_of(call.query, "q"), after=page.cursor, limit=page.limit + 1
    )
    more = len(rows) > page.limit
    rows = rows[: page.limit]
    return Answer(
        {"data": [shapes.user(row) for row in rows], "next": rows[-1].email_key if more else None}
    )


def edit_user(call: Call, desk: Desk) -> Answer:
    """PATCH admin/users/{user}: what it may do here, and whether it may sign in."""
    given = take(call, _UserEdit).given()
    if "disabled" in given and given["disabled"] is None:
        raise RefusedError("invalid_value", "disabled: expected true or false", "disabled")
    row = _user(call, desk)
    try:
        row = desk.control.users.edit(row.id, by=call.caller.actor, **given)
    except ControlError as error:
        raise RefusedError("conflict", str(error)) from error
    # It signs in anew: no page acts with what it was before.
    desk.control.sessions.end_all(row.id, but=call.caller.session.id if call.caller.session else "")
    return Answer({"data": shapes.user(row)})


def reset_link(call: Call, desk: Desk) -> Answer:
    """POST admin/users/{user}/reset-link: by which it sets a new password, once, within an hour."""
    row = _user(call, desk)
    desk.control.users.note_reset(row, by=call.caller.actor)
    return Answer({"link": make_reset_link(desk, row)}, status=201)


def end_sessions(call: Call, desk: Desk) -> Answer:
    """POST admin/users/{user}/end-sessions: signs it out everywhere."""
    return Answer({"ended": desk.control.sessions.end_all(_user(call, desk).id)})


def _user(call: Call, desk: Desk) -> User:
    """The account that the path names. Raises RefusedError."""
    found = desk.control.users.named([call.params["user"]])
    if not found:
        raise RefusedError("not_found", "there is no such account")
    return found[0]


# --- audit, system --------------------------------------------------------------------------------


def audit(call: Call, desk: Desk) -> Answer:
    """GET audit: who changed what; of the organization, or of all."""
    page = page_of(call.query)
    rows = desk.control.audit.list(org=call.org or None, before=page.number, limit=page.limit)
    more = len(rows) == page.limit
    return Answer(
        {"data": [shapes.audit_row(row) for row in rows], "next": str(rows[-1].n) if more else None}
    )


def system(call: Call, desk: Desk) -> Answer:
    """GET admin/system: what this gateway is, and what of its configuration is no secret."""
    plan = desk.plan
    return Answer(
        {
            "version": plan.version,
            "data_dir": plan.data_dir,
            "config": plan.config,
            "public_url": plan.public_url,
            "ledger": desk.ledger is not None,
            "mock": plan.mock,
            "profiles": [each.name for each in plan.profiles],
            "providers": [
                {"name": each.name, "shown_name": each.shown_name, "has_key": each.has_key,
                 "models": each.models}
                for each in plan.providers
            ],
            "warnings": list(plan.warnings),
        }
    )  # fmt: skip


def verify_audit(call: Call, desk: Desk) -> Answer:
    """POST admin/system/verify-audit: whether any row of the audit log was changed or taken out."""
    rows, broken = desk.control.audit.verify()
    told = None if broken is None else {"n": broken.n, "why": broken.why}
    return Answer({"rows": rows, "broken": told})
