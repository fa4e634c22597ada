"""Who asks, and whether it may: sessions, management keys, roles."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from seekroute.api.call import RefusedError
from seekroute.console.call import Call, Caller
from seekroute.console.desk import Desk
from seekroute.console.routes import Route, Who
from seekroute.control import ControlError, looks_valid
from seekroute.control.people.roles import MANAGEMENT_KEY, Grant, grant_of

__all__ = ["FRESH_S", "authorize", "is_fresh", "person_of", "program_of"]

FRESH_S: Final = 600


def person_of(desk: Desk, token: str, address: str) -> Caller:
    """The person whose session a cookie is of; nobody where it is none that holds."""
    session = desk.control.sessions.find(token) if token else None
    if session is None:
        return Caller(address=address)
    try:
        user = desk.control.users.get(session.user_id)
    except ControlError:
        return Caller(address=address)
    if user.disabled:
        return Caller(address=address)
    return Caller(user=user, session=session, address=address)


def program_of(desk: Desk, bearer: str, address: str, now: float) -> Caller:
    """The management key of an Authorization header. Raises RefusedError."""
    scheme, _, text = bearer.partition(" ")
    text = text.strip(" ")
    if scheme.lower() != "bearer" or not text:
        raise RefusedError("missing_api_key", "send a management key: Authorization: Bearer …")
    if not looks_valid(text):
        raise RefusedError("invalid_api_key", "that is no key: it is mistyped or cut short")
    try:
        key = desk.control.keys.get(text)
    except ControlError:
        raise RefusedError("invalid_api_key", "there is no such key") from None
    if key.revoked:
        raise RefusedError("invalid_api_key", "there is no such key")
    if key.kind != "management":
        raise RefusedError(
            "permission_denied",
            "this path takes a management key, which the console makes: this one asks models",
        )
    if key.expires_at is not None and now >= key.expires_at:
        raise RefusedError("invalid_api_key", "the key has expired: make a new one")
    if key.disabled or desk.control.orgs.get(key.org_id).suspended:
        raise RefusedError("permission_denied", "the key, or its organization, is disabled")
    return Caller(key=key, address=address)


def authorize(route: Route, call: Call, desk: Desk) -> Call:
    """The call with the organization and how far the caller's right goes.

    Raises:
        RefusedError: it may not ask. Of an organization that is none of its own it learns nothing,
            not even that there is one.
    """
    caller = call.caller
    if route.who is Who.ANYBODY:
        return call
    if route.who is Who.PROGRAM:
        key = caller.key
        assert key is not None, "program_of has found it"
        assert route.right is not None, "a test looks at all rows"
        grant = grant_of(route.right, MANAGEMENT_KEY)
        if not grant:
            raise RefusedError("permission_denied", "a management key may not do that")
        return replace(call, org=key.org_id, grant=grant, role=MANAGEMENT_KEY)
    if caller.user is None:
        raise RefusedError("not_signed_in", "you are not signed in, or no longer")
    if route.right is None:
        return call
    user, org, role = caller.user, call.params.get("org", ""), None
    if org:
        role = desk.control.members.role(org, user.id)
        known = role is not None or user.instance_role is not None
        if not known or not desk.control.orgs.exists(org):
            raise RefusedError("not_found", "there is no such organization")
    instance_role = user.instance_role
    if instance_role is not None and desk.plan.public_url and not user.has_totp:
        # Beyond this machine what may change all is worth a second factor.
        instance_role = None
        if not grant_of(route.right, role):
            raise RefusedError(
                "permission_denied",
                f"to act as {user.instance_role}, add a second factor to your account first",
            )
    grant = grant_of(route.right, role, instance_role)
    if not grant:
        if "{org}" not in route.path and user.instance_role is None:
            raise RefusedError("not_found", "there is no such path")
        raise RefusedError("permission_denied", f"your role does not let you {route.right.value}")
    if grant is Grant.SUMS and not route.path.endswith(("/overview", "/activity")):
        raise RefusedError("permission_denied", "your role sees sums alone, not single rows")
    return replace(call, org=org, grant=grant, role=role or "")


def is_fresh(call: Call) -> bool:
    """Whether the person has given its password within the last ten minutes."""
    session = call.caller.session
    return session is not None and call.now - session.reauth_at < FRESH_S
