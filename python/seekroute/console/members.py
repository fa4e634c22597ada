"""Who belongs to an organization, and who is invited, for its pages."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seekroute.api.call import RefusedError
from seekroute.console import shapes
from seekroute.console.call import Answer, Body, Call, take
from seekroute.console.desk import Desk
from seekroute.console.fields import Money, Name, page_of
from seekroute.console.throttle import INVITE
from seekroute.control import ControlError
from seekroute.control.audit import Actor
from seekroute.control.people.members import LastOwnerError
from seekroute.control.people.roles import may_grant
from seekroute.control.people.users import email_key

Role = Literal["owner", "admin", "billing", "member"]

_VOID = "the invitation is no longer valid: ask for a new one"


class _Change(Body):
    role: Role | None = None
    monthly_limit: Money = None


class _Invite(Body):
    email: str = Field(max_length=254)
    role: Role = "member"


class _Open(Body):
    token: str = Field(max_length=200)


class _Accept(Body):
    token: str = Field(max_length=200)
    name: Name | None = None
    password: str | None = Field(None, max_length=1000)


def listed(call: Call, desk: Desk) -> Answer:
    """GET members."""
    page = page_of(call.query)
    offset = page.number or 0
    rows, total = desk.control.members.list(call.org, offset=offset, limit=page.limit)
    end = offset + len(rows)
    return Answer(
        {
            "data": [shapes.member(row, person) for row, person in rows],
            "total": total,
            "next": str(end) if end < total else None,
        }
    )


def change(call: Call, desk: Desk) -> Answer:
    """PATCH members/{user}: another role, or another monthly limit."""
    body = take(call, _Change)
    given = body.given()
    if body.role is not None:
        _check_grant(call, desk, body.role)
    limit: int | bool | None = body.monthly_limit if "monthly_limit" in given else False
    try:
        row = desk.control.members.change(
            call.org,
            call.params["user"],
            role=body.role,
            monthly_limit_nano=limit,
            by=call.caller.actor,
        )
    except LastOwnerError as error:
        raise RefusedError("conflict", str(error), "role") from error
    except ControlError as error:
        raise RefusedError("not_found", str(error)) from error
    if body.role is not None:
        # What it may do has changed: it signs in anew, and no old page acts with the old role.
        desk.control.sessions.end_all(
            row.user_id, but=call.caller.session.id if call.caller.session else ""
        )
    return Answer({"data": shapes.member(row, desk.control.users.get(row.user_id))})


def remove(call: Call, desk: Desk) -> Answer:
    """DELETE members/{user}: its keys stay, but for management keys."""
    _check_grant(call, desk, desk.control.members.role(call.org, call.params["user"]) or "member")
    try:
        desk.control.members.remove(call.org, call.params["user"], by=call.caller.actor)
    except LastOwnerError as error:
        raise RefusedError("conflict", str(error)) from error
    except ControlError as error:
        raise RefusedError("not_found", str(error)) from error
    _end_management_keys(call, desk, call.params["user"])
    return Answer(status=204)


def leave(call: Call, desk: Desk) -> Answer:
    """DELETE membership: the caller's own."""
    try:
        desk.control.members.remove(call.org, call.user.id, by=call.caller.actor)
    except LastOwnerError as error:
        raise RefusedError("conflict", str(error)) from error
    except ControlError as error:
        raise RefusedError("not_found", str(error)) from error
    _end_management_keys(call, desk, call.user.id)
    return Answer(status=204)


# --- invitations ----------------------------------------------------------------------------------


def invitations(call: Call, desk: Desk) -> Answer:
    """GET invitations: those that nobody has accepted."""
    rows = desk.control.members.invitations(call.org)
    return Answer({"data": [shapes.invitation(row, now=call.now) for row in rows]})


def invite(call: Call, desk: Desk) -> Answer:
    """POST invitations: the link is in this answer, and nowhere ever again."""
    body = take(call, _Invite)
    _check_grant(call, desk, body.role)
    if not call.user.instance_role:
        desk.throttle.take((INVITE, call.user.id))
    try:
        row, token = desk.control.members.invite(
            call.org, body.email, body.role, by=call.caller.actor
        )
    except ControlError as error:
        raise RefusedError("invalid_value", str(error), "email") from error
    told = shapes.invitation(row, now=call.now)
    return Answer({"data": told, "link": f"/console/invitation#{token}"}, status=201)


def withdraw(call: Call, desk: Desk) -> Answer:
    """DELETE invitations/{id}."""
    try:
        desk.control.members.withdraw(call.org, call.params["id"], by=call.caller.actor)
    except ControlError as error:
        raise RefusedError("not_found", str(error)) from error
    return Answer(status=204)


def opened(call: Call, desk: Desk) -> Answer:
    """POST invitations/open: what is accepted by it, for whoever holds the link."""
    row = desk.control.members.opened(take(call, _Open).token)
    if row is None:
        raise RefusedError("not_found", _VOID)
    org = desk.control.orgs.get(row.org_id)
    known = desk.control.users.known(row.email)
    return Answer(
        {"email": row.email, "role": row.role, "org": org.name, "has_account": known is not None}
    )


def accept(call: Call, desk: Desk) -> Answer:
    """POST invitations/accept: by the account of that address, or with a new one."""
    body = take(call, _Accept)
    users, row = desk.control.users, desk.control.members.opened(body.token)
    if row is None:
        raise RefusedError("not_found", _VOID)
    known = users.known(row.email)
    signed_in = call.caller.user
    if signed_in is not None and signed_in.email_key != row.email_key:
        raise RefusedError(
            "conflict", f"the invitation is for {row.email}: sign out, and open it again"
        )
    if known is not None and signed_in is None:
        raise RefusedError("not_signed_in", f"sign in as {row.email} first, then open the link")
    try:
        if known is None:
            if body.name is None or body.password is None:
                raise RefusedError(
                    "missing_required_parameter", "a new account needs name and password", "name"
                )
            user = users.draft(row.email, name=body.name, password=body.password)
        else:
            user = known
        actor = Actor("user", user.id, user.email, call.caller.address)
        accepted = desk.control.members.accept(body.token, user, is_new=known is None, by=actor)
    except ControlError as error:
        text = str(error)
        name = "password" if text.startswith("password") else ""
        raise RefusedError("invalid_value" if name else "conflict", text, name) from error
    return Answer({"org_id": accepted.org_id, "email": email_key(row.email)}, status=201)


def _end_management_keys(call: Call, desk: Desk, user: str) -> None:
    """A management key may what its maker might: it ends with the membership."""
    while rows := desk.control.keys.page(call.org, kind="management", created_by=user):
        for row in rows:
            desk.control.keys.revoke(row.id, by=call.caller.actor)


def _check_grant(call: Call, desk: Desk, role: str) -> None:
    """Raises RefusedError where the caller may not make somebody that, or end that."""
    by = [call.role, call.user.instance_role]
    if not any(each and may_grant(role, by=each) for each in by):
        raise RefusedError("permission_denied", f"your role does not let you give {role}", "role")
