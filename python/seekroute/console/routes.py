"""The routes of the console's process: the one list of them, with the right that each needs.

Two skins over one service layer. Paths below `/api/console` are for pages and take the session's
cookie alone; those of the management API are for programs and take a bearer key alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from seekroute.console import (
    apps,
    instance,
    keys,
    management,
    members,
    second_factors,
    signing_in,
    use,
)
from seekroute.console.call import Answer, Call
from seekroute.console.desk import Desk
from seekroute.control.people.roles import Right

__all__ = ["ROUTES", "Route", "Who", "find"]

Handler = Callable[[Call, Desk], Answer]

PAGES: Final = "/api/console"
_ORG: Final = f"{PAGES}/orgs/{{org}}"
_ADMIN: Final = f"{PAGES}/admin"
_BASES: Final = ("/v1", "/api/v1")


class Who(Enum):
    """Who may ask at all, before rights are looked at."""

    ANYBODY = "anybody"
    PERSON = "person"  # who is signed in
    PROGRAM = "program"  # with a management key


@dataclass(frozen=True, slots=True)
class Route:
    """A row of the table.

    Attributes:
        method: of HTTP.
        path: parts in braces stand for any text without a slash.
        run: what answers.
        right: what the caller needs, in the organization that the path names or, without one, in
            the whole gateway; None: nothing more than `who` says.
        who: who may ask.
        fresh: whether the password must have been given within the last ten minutes.
    """

    method: str
    path: str
    run: Handler
    right: Right | None = None
    who: Who = Who.PERSON
    fresh: bool = False

    def match(self, path: str) -> dict[str, str] | None:
        """What stands for the names in braces; None: it is another path."""
        wanted, given = self.path.split("/"), path.split("/")
        if len(wanted) != len(given):
            return None
        params: dict[str, str] = {}
        for name, value in zip(wanted, given, strict=True):
            if name.startswith("{") and value:
                params[name[1:-1]] = value
            elif name != value:
                return None
        return params


def _open(method: str, path: str, run: Handler) -> Route:
    return Route(method, PAGES + path, run, who=Who.ANYBODY)


def _own(method: str, path: str, run: Handler, *, fresh: bool = False) -> Route:
    return Route(method, PAGES + path, run, fresh=fresh)


def _org(method: str, path: str, run: Handler, right: Right, *, fresh: bool = False) -> Route:
    return Route(method, _ORG + path, run, right, fresh=fresh)


def _admin(method: str, path: str, run: Handler, right: Right, *, fresh: bool = False) -> Route:
    return Route(method, _ADMIN + path, run, right, fresh=fresh)


def _program(method: str, path: str, run: Handler, right: Right) -> tuple[Route, ...]:
    return tuple(Route(method, base + path, run, right, who=Who.PROGRAM) for base in _BASES)


ROUTES: Final[tuple[Route, ...]] = (
    _open("GET", "/setup", signing_in.setup_state),
    _open("POST", "/setup", signing_in.set_up),
    _open("POST", "/session", signing_in.sign_in),
    _open("POST", "/password/reset", signing_in.reset_password),
    _open("POST", "/invitations/open", members.opened),
    _open("POST", "/invitations/accept", members.accept),
    _open("POST", "/session/mfa", signing_in.second_step),
    _own("GET", "/session", signing_in.session),
    _own("DELETE", "/session", signing_in.sign_out),
    _own("POST", "/session/again", signing_in.again),
    _own("GET", "/me", signing_in.me),
    _own("PATCH", "/me", signing_in.edit_me),
    _own("PUT", "/me/password", signing_in.change_password),
    _own("POST", "/me/totp", second_factors.begin, fresh=True),
    _own("POST", "/me/totp/confirm", second_factors.confirm),
    _own("DELETE", "/me/totp", second_factors.remove, fresh=True),
    _own("POST", "/me/recovery-codes", second_factors.renew_codes, fresh=True),
    _own("GET", "/me/sessions", signing_in.sessions),
    _own("DELETE", "/me/sessions", signing_in.end_others),
    _own("DELETE", "/me/sessions/{id}", signing_in.end_session),
    _own("GET", "/models", use.models),
    _org("GET", "/overview", use.overview, Right.SEE_BALANCE),
    _org("GET", "/activity", use.activity, Right.SEE_USE),
    _org("GET", "/generations", use.generations, Right.SEE_USE),
    _org("GET", "/generations/{id}", use.generation, Right.SEE_USE),
    _org("GET", "/keys", keys.listed, Right.SEE_USE),
    _org("POST", "/keys", keys.create, Right.CHANGE_KEYS),
    _org("GET", "/keys/{id}", keys.one, Right.SEE_USE),
    _org("PATCH", "/keys/{id}", keys.edit, Right.CHANGE_KEYS),
    _org("DELETE", "/keys/{id}", keys.revoke, Right.CHANGE_KEYS),
    _org("POST", "/keys/{id}/roll", keys.roll, Right.CHANGE_KEYS),
    _org("GET", "/management-keys", keys.management_keys, Right.MANAGEMENT_KEYS),
    _org(
        "POST", "/management-keys", keys.create_management_key, Right.MANAGEMENT_KEYS, fresh=True
    ),
    _org("DELETE", "/management-keys/{id}", keys.revoke_management_key, Right.MANAGEMENT_KEYS),
    _org("GET", "/members", members.listed, Right.SEE_MEMBERS),
    _org("PATCH", "/members/{user}", members.change, Right.CHANGE_MEMBERS, fresh=True),
    _org("DELETE", "/members/{user}", members.remove, Right.CHANGE_MEMBERS),
    _org("DELETE", "/membership", members.leave, Right.SEE_BALANCE),
    _org("GET", "/invitations", members.invitations, Right.SEE_MEMBERS),
    _org("POST", "/invitations", members.invite, Right.CHANGE_MEMBERS),
    _org("DELETE", "/invitations/{id}", members.withdraw, Right.CHANGE_MEMBERS),
    _org("GET", "/apps", apps.listed, Right.SEE_USE),
    _org("POST", "/apps", apps.create, Right.CREATE_APPS),
    _org("GET", "/audit", instance.audit, Right.SEE_AUDIT),
    _admin("GET", "/overview", instance.overview, Right.SEE_INSTANCE),
    _admin("GET", "/orgs", instance.orgs, Right.SEE_INSTANCE),
    _admin("POST", "/orgs", instance.create_org, Right.CHANGE_INSTANCE),
    _admin("GET", "/orgs/{org}", instance.org, Right.SEE_INSTANCE),
    _admin("PATCH", "/orgs/{org}", instance.edit_org, Right.CHANGE_INSTANCE),
    _admin("POST", "/orgs/{org}/adjust", instance.adjust, Right.CHANGE_INSTANCE, fresh=True),
    _admin("GET", "/users", instance.users, Right.SEE_INSTANCE),
    _admin("PATCH", "/users/{user}", instance.edit_user, Right.CHANGE_INSTANCE, fresh=True),
    _admin(
        "POST", "/users/{user}/reset-link", instance.reset_link, Right.CHANGE_INSTANCE, fresh=True
    ),
    _admin("POST", "/users/{user}/end-sessions", instance.end_sessions, Right.CHANGE_INSTANCE),
    _admin("GET", "/apps", apps.of_all, Right.SEE_INSTANCE),
    _admin("PATCH", "/apps/{id}", apps.decide, Right.CHANGE_INSTANCE),
    _admin("GET", "/audit", instance.audit, Right.SEE_INSTANCE),
    _admin("GET", "/system", instance.system, Right.SEE_INSTANCE),
    _admin("POST", "/system/verify-audit", instance.verify_audit, Right.SEE_INSTANCE),
    *_program("GET", "/keys", management.listed, Right.SEE_USE),
    *_program("POST", "/keys", management.create, Right.CHANGE_KEYS),
    *_program("GET", "/keys/{id}", management.one, Right.SEE_USE),
    *_program("PATCH", "/keys/{id}", management.edit, Right.CHANGE_KEYS),
    *_program("DELETE", "/keys/{id}", management.delete, Right.CHANGE_KEYS),
    *_program("POST", "/keys/{id}/roll", management.roll, Right.CHANGE_KEYS),
    *_program("GET", "/key", management.own_key, Right.SEE_BALANCE),
    *_program("GET", "/credits", management.credits, Right.SEE_BALANCE),
    *_program("GET", "/activity", management.activity, Right.SEE_USE),
    *_program("GET", "/generation", management.generation, Right.SEE_USE),
    *_program("GET", "/organization/members", management.members, Right.SEE_MEMBERS),
)  # fmt: skip
"""All of them."""


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]] | frozenset[str]:
    """The route of a request and what stands in its path; of an unknown one the methods that the
    path takes, which are none where there is no such path."""
    others = set()
    for route in ROUTES:
        params = route.match(path)
        if params is None:
            continue
        if route.method == method:
            return route, params
        others.add(route.method)
    return frozenset(others)
