"""The first operator, sign-in and what a person changes of its own account."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field

from seekroute.api.call import RefusedError
from seekroute.console import shapes
from seekroute.console.call import Answer, Body, Call, Cookie, take
from seekroute.console.csrf import csrf_token
from seekroute.console.desk import Desk
from seekroute.console.fields import Name
from seekroute.console.throttle import (
    RESET,
    SECOND_FACTOR,
    SETUP,
    SIGN_IN_ACCOUNT,
    SIGN_IN_ADDRESS,
    network,
)
from seekroute.control import ControlError
from seekroute.control.audit import Actor
from seekroute.control.people.passwords import BusyError
from seekroute.control.people.sessions import ABSOLUTE_S
from seekroute.control.people.tables import Session, User
from seekroute.control.people.users import email_key

_WRONG: Final = "the address or the password is wrong"
_RESET_S: Final = 3600
_SECOND_STEP_S: Final = 300
FIRST_ORG: Final = "default"


class _Setup(Body):
    token: str = Field(max_length=200)
    name: Name
    email: str = Field(max_length=254)
    password: str = Field(max_length=1000)


class _SignIn(Body):
    email: str = Field(max_length=254)
    password: str = Field(max_length=1000)


class _SecondStep(Body):
    challenge: str = Field(max_length=200)
    code: str = Field(max_length=40)


class _Password(Body):
    current: str = Field(max_length=1000)
    new: str = Field(max_length=1000)


class _Again(Body):
    password: str = Field(max_length=1000)


class _Me(Body):
    name: Name


class _Reset(Body):
    token: str = Field(max_length=200)
    password: str = Field(max_length=1000)


def setup_state(call: Call, desk: Desk) -> Answer:
    """GET setup: whether the first operator is still to be made."""
    return Answer({"needed": not desk.control.has_people()})


def set_up(call: Call, desk: Desk) -> Answer:
    """POST setup: makes the first operator, owner of `default`, and signs it in."""
    body = take(call, _Setup)
    desk.throttle.take((SETUP, network(call.caller.address)))
    if desk.control.has_people():
        raise RefusedError("not_found", "this gateway has been set up: sign in")
    try:
        user = desk.control.set_up(
            body.token,
            body.email,
            name=body.name,
            password=body.password,
            org=FIRST_ORG,
            address=call.caller.address,
        )
    except ControlError as error:
        raise _wrong(error) from error
    if user is None:
        raise RefusedError(
            "permission_denied",
            "the link does not hold any more: `seekroute console setup-link` makes a new one",
        )
    return _signed_in(call, desk, user, status=201)


def sign_in(call: Call, desk: Desk) -> Answer:
    """POST session: signs a person in by its password."""
    body = take(call, _SignIn)
    tries = (
        (SIGN_IN_ACCOUNT, email_key(body.email)),
        (SIGN_IN_ADDRESS, network(call.caller.address)),
    )
    desk.throttle.check(*tries)
    try:
        user = desk.control.users.password_user(body.email, body.password)
    except BusyError as error:
        raise RefusedError("overloaded", str(error)) from error
    if user is None:
        desk.throttle.count(*tries)
        raise RefusedError("invalid_api_key", _WRONG)
    desk.throttle.forget(tries[0])
    if user.has_totp:
        challenge = desk.control.sessions.make_token("mfa", user.id, lasts_s=_SECOND_STEP_S)
        return Answer({"mfa": ["totp", "recovery"], "challenge": challenge})
    return _signed_in(call, desk, user)


def second_step(call: Call, desk: Desk) -> Answer:
    """POST session/mfa: a code of the app, or a recovery code, after the password."""
    body = take(call, _SecondStep)
    found = desk.control.sessions.look("mfa", body.challenge)
    if found is None:
        raise RefusedError("not_signed_in", "begin again with your password")
    desk.throttle.take((SECOND_FACTOR, found.subject))
    method = desk.control.second_factors.check(found.subject, body.code)
    if method is None:
        raise RefusedError("invalid_value", "code: is wrong, or was used already", "code")
    if desk.control.sessions.spend("mfa", body.challenge) is None:
        raise RefusedError("not_signed_in", "begin again with your password")
    desk.throttle.forget((SECOND_FACTOR, found.subject))
    return _signed_in(call, desk, desk.control.users.get(found.subject), f"password {method}")


def session(call: Call, desk: Desk) -> Answer:
    """GET session: who is signed in, and all that the frame of the pages needs."""
    assert call.caller.session is not None, "a route for people"
    return Answer(_told(desk, call.user, call.caller.session, call.csrf))


def sign_out(call: Call, desk: Desk) -> Answer:
    """DELETE session: ends it."""
    assert call.caller.session is not None, "a route for people"
    desk.control.sessions.end(call.user.id, call.caller.session.id)
    return Answer(status=204, cookie=Cookie())


def again(call: Call, desk: Desk) -> Answer:
    """POST session/again: the password once more, before something that matters."""
    body = take(call, _Again)
    _check_password(call, desk, body.password)
    assert call.caller.session is not None, "a route for people"
    token = desk.control.sessions.renew(call.caller.session, call.caller.session.methods)
    return Answer({"csrf": csrf_token(desk.control.pepper, token)}, cookie=_cookie(token))


# --- one's own account ----------------------------------------------------------------------------


def me(call: Call, desk: Desk) -> Answer:
    """GET me."""
    return Answer({"data": shapes.user(call.user)})


def edit_me(call: Call, desk: Desk) -> Answer:
    """PATCH me: another name."""
    body = take(call, _Me)
    row = desk.control.users.set_name(call.user.id, body.name, by=call.caller.actor)
    return Answer({"data": shapes.user(row)})


def change_password(call: Call, desk: Desk) -> Answer:
    """PUT me/password: ends all other sessions."""
    body = take(call, _Password)
    _check_password(call, desk, body.current)
    try:
        desk.control.users.set_password(call.user.id, body.new, by=call.caller.actor)
    except ControlError as error:
        raise _wrong(error, "new") from error
    session = call.caller.session
    assert session is not None, "a route for people"
    desk.control.sessions.end_all(call.user.id, but=session.id)
    token = desk.control.sessions.renew(session, session.methods)
    return Answer({"csrf": csrf_token(desk.control.pepper, token)}, cookie=_cookie(token))


def sessions(call: Call, desk: Desk) -> Answer:
    """GET me/sessions: the browsers that are signed in."""
    assert call.caller.session is not None, "a route for people"
    current = call.caller.session.id
    rows = desk.control.sessions.list(call.user.id)
    return Answer({"data": [shapes.session(row, current=current) for row in rows]})


def end_session(call: Call, desk: Desk) -> Answer:
    """DELETE me/sessions/{id}: signs one browser out."""
    if not desk.control.sessions.end(call.user.id, call.params["id"]):
        raise RefusedError("not_found", "there is no such session")
    return Answer(status=204)


def end_others(call: Call, desk: Desk) -> Answer:
    """DELETE me/sessions: signs all other browsers out."""
    assert call.caller.session is not None, "a route for people"
    ended = desk.control.sessions.end_all(call.user.id, but=call.caller.session.id)
    return Answer({"ended": ended})


def reset_password(call: Call, desk: Desk) -> Answer:
    """POST password/reset: a new password by a link; all sessions end."""
    body = take(call, _Reset)
    desk.throttle.take((RESET, network(call.caller.address)))
    users = desk.control.users
    found = desk.control.sessions.look("reset", body.token)
    if found is None:
        raise RefusedError("not_found", "the link is no longer valid: ask for a new one")
    user = users.get(found.subject)
    try:
        users.passwords.check(body.password, email=user.email)
    except ControlError as error:
        raise _wrong(error) from error
    if desk.control.sessions.spend("reset", body.token) is None:
        raise RefusedError("not_found", "the link is no longer valid: ask for a new one")
    actor = Actor("user", user.id, user.email, call.caller.address)
    users.set_password(user.id, body.password, by=actor)
    desk.control.sessions.end_all(user.id)
    return Answer(status=204)


# --- shared ---------------------------------------------------------------------------------------


def _signed_in(
    call: Call, desk: Desk, user: User, methods: str = "password", *, status: int = 200
) -> Answer:
    session, token = desk.control.sessions.open(
        user.id,
        methods,
        address=call.caller.address,
        agent=call.headers.get("user-agent", ""),
    )
    actor = Actor("user", user.id, user.email, call.caller.address)
    desk.control.users.signed_in(user.id, session.methods, by=actor)
    told = _told(desk, user, session, csrf_token(desk.control.pepper, token))
    return Answer(told, status=status, cookie=_cookie(token))


def _told(desk: Desk, user: User, session: Session, csrf: str) -> dict[str, Any]:
    roles = dict(desk.control.users.orgs_of(user.id))
    orgs = []
    for id, role in roles.items():
        row = desk.control.orgs.get(id)
        account = desk.account(id)
        available = shapes.money(account["available"] - account["owed"])
        rights = shapes.rights(role, user.instance_role)
        orgs.append(
            {**shapes.organization(row), "role": role, "balance": available, "rights": rights}
        )
    profile = desk.plan.profiles[0]
    return {
        "user": shapes.user(user),
        "orgs": orgs,
        "instance_role": user.instance_role,
        "rights": shapes.rights(user.instance_role),
        "csrf": csrf,
        "features": {
            "credits": desk.ledger is not None,
            "version": desk.plan.version,
            "api_base": profile.base_path,
            "example_model": desk.plan.example_model,
        },
    }


def _check_password(call: Call, desk: Desk, password: str) -> None:
    tries = ((SIGN_IN_ACCOUNT, call.user.email_key),)
    desk.throttle.check(*tries)
    if not desk.control.users.passwords.matches(password, call.user.password_hash):
        desk.throttle.count(*tries)
        raise RefusedError("permission_denied", "the password is wrong", "password")


def _cookie(token: str) -> Cookie:
    return Cookie(token, ABSOLUTE_S)


def _wrong(error: ControlError, name: str = "password") -> RefusedError:
    """What a person typed and cannot be taken."""
    text = str(error)
    field, colon, _ = text.partition(": ")
    return RefusedError("invalid_value", text, field if colon and field.isidentifier() else name)


def make_reset_link(desk: Desk, user: User) -> str:
    """The path of a link by which a person sets a new password, once, within an hour."""
    return "/console/reset#" + desk.control.sessions.make_token("reset", user.id, lasts_s=_RESET_S)
