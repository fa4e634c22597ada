"""Members, their roles, and invitations."""

from __future__ import annotations

import pytest

from browsing import PASSWORD, ConsoleWorld
from seekroute.control.people.roles import RIGHTS, Grant, may_grant

NEW = {"name": "Nina New", "password": PASSWORD}


def invited(console: ConsoleWorld, email: str, role: str = "member") -> str:
    browser = console.operator
    body = {"email": email, "role": role}
    told = browser.do("POST", f"{browser.org}/invitations", body)
    link: str = told["link"]
    assert link.startswith("/console/invitation#")
    return link.partition("#")[2]


def test_who_is_invited_joins_with_a_new_account(console: ConsoleWorld) -> None:
    token = invited(console, "nina@example.com", "admin")
    browser = console.browser()
    opened = browser.do("POST", "/invitations/open", {"token": token})
    assert opened == {
        "email": "nina@example.com",
        "role": "admin",
        "org": "default",
        "has_account": False,
    }
    assert browser.ask("POST", "/invitations/accept", {"token": token}).status == 400
    weak = browser.ask("POST", "/invitations/accept", {"token": token, **NEW, "password": "x"})
    assert (weak.code, weak.json()["error"]["param"]) == ("invalid_value", "password")
    browser.do("POST", "/invitations/accept", {"token": token, **NEW})
    assert browser.ask("POST", "/invitations/accept", {"token": token, **NEW}).status == 404
    assert browser.sign_in("nina@example.com").json()["orgs"][0]["role"] == "admin"


def test_an_invitation_is_for_its_address_alone(console: ConsoleWorld) -> None:
    """A14."""
    other = console.person("member")
    token = invited(console, "somebody.else@example.com")
    refused = other.ask("POST", "/invitations/accept", {"token": token})
    assert (refused.status, refused.code) == (409, "conflict")


def test_an_account_that_exists_has_to_sign_in_first(console: ConsoleWorld) -> None:
    """A14: nobody takes an account over by knowing a link."""
    org = console.server.service.control.orgs.create("joined later")
    person = console.person("member", email="exists@example.com")
    told = console.operator.do(
        "POST", f"/orgs/{org.id}/invitations", {"email": "Exists@Example.com", "role": "billing"}
    )
    token = told["link"].partition("#")[2]
    stranger = console.browser().ask("POST", "/invitations/accept", {"token": token, **NEW})
    assert (stranger.status, stranger.code) == (401, "not_signed_in")
    person.do("POST", "/invitations/accept", {"token": token})
    roles = {each["name"]: each["role"] for each in person.get("/session")["orgs"]}
    assert roles["joined later"] == "billing"


def test_a_second_invitation_voids_the_first(console: ConsoleWorld) -> None:
    first = invited(console, "twice@example.com")
    second = invited(console, "TWICE@example.com")
    browser = console.browser()
    assert browser.ask("POST", "/invitations/open", {"token": first}).status == 404
    assert browser.ask("POST", "/invitations/open", {"token": second}).status == 200
    rows = console.operator.get(f"{console.operator.org}/invitations")["data"]
    (row,) = [row for row in rows if row["email"].lower() == "twice@example.com"]
    assert "link" not in row
    console.operator.do("DELETE", f"{console.operator.org}/invitations/{row['id']}")
    assert browser.ask("POST", "/invitations/open", {"token": second}).status == 404


def test_the_last_owner_stays(console: ConsoleWorld) -> None:
    """P9."""
    control = console.server.service.control
    org = control.orgs.create("of one owner")
    owner = console.person("owner", org=org.id)
    user = owner.get("/me")["data"]["id"]
    for method, path, body in (
        ("PATCH", f"/orgs/{org.id}/members/{user}", {"role": "admin"}),
        ("DELETE", f"/orgs/{org.id}/members/{user}", None),
        ("DELETE", f"/orgs/{org.id}/membership", None),
    ):
        refused = owner.ask(method, path, body)
        assert (refused.status, refused.code) == (409, "conflict")
    console.person("owner", org=org.id)
    assert owner.ask("DELETE", f"/orgs/{org.id}/membership").status == 204
    assert owner.ask("GET", f"/orgs/{org.id}/overview").status == 404


def test_nobody_gives_more_than_it_has(console: ConsoleWorld) -> None:
    """P10."""
    admin = console.person("admin")
    path = f"{console.operator.org}/invitations"
    for role, status in (("owner", 403), ("billing", 403), ("admin", 201), ("member", 201)):
        answer = admin.ask("POST", path, {"email": f"{role}.x@example.com", "role": role})
        assert answer.status == status, role
    owner = console.person("owner")
    user = owner.get("/me")["data"]["id"]
    assert admin.ask("DELETE", f"{console.operator.org}/members/{user}").status == 403


def test_a_management_key_ends_with_its_makers_membership(console: ConsoleWorld) -> None:
    """A19."""
    admin = console.person("admin")
    path = console.operator.org
    management = admin.do("POST", f"{path}/management-keys", {"name": "robot"})
    ordinary = admin.do("POST", f"{path}/keys", {"name": "stays"})
    user = admin.get("/me")["data"]["id"]
    console.operator.do("DELETE", f"{path}/members/{user}")
    bearer = {"Authorization": f"Bearer {management['key']}"}
    assert console.browser().ask("GET", "//v1/keys", headers=bearer).code == "invalid_api_key"
    assert (
        console.operator.get(f"{path}/keys/{ordinary['data']['id']}")["data"]["state"] == "active"
    )


@pytest.mark.parametrize("by", ["owner", "admin", "billing", "member"])
@pytest.mark.parametrize("role", ["owner", "admin", "billing", "member"])
def test_what_may_be_granted_is_within_ones_own_rights(by: str, role: str) -> None:
    order = list(Grant).index
    if may_grant(role, by=by):
        assert all(order(grants[role]) >= order(grants[by]) for grants in RIGHTS.values())


def test_another_role_ends_the_sessions_of_the_old_one(console: ConsoleWorld) -> None:
    """A7."""
    member = console.person("member")
    user = member.get("/me")["data"]["id"]
    console.operator.do("PATCH", f"{console.operator.org}/members/{user}", {"role": "admin"})
    assert member.ask("GET", "/session").code == "not_signed_in"


def test_money_matters_ask_for_the_password_once_more(console: ConsoleWorld) -> None:
    """A18."""
    owner = console.person("owner")
    path = f"{console.operator.org}/management-keys"
    control = console.server.service.control
    session = control.sessions.list(owner.get("/me")["data"]["id"])[0]
    with control._database.write() as connection:  # eleven minutes later
        from sqlalchemy import text

        connection.execute(
            text("UPDATE sessions SET reauth_at = reauth_at - 660 WHERE id = :id"),
            {"id": session.id},
        )
    refused = owner.ask("POST", path, {"name": "late"})
    assert (refused.status, refused.code) == (403, "reauthentication_required")
    assert owner.ask("POST", "/session/again", {"password": "wrong"}).status == 403
    owner.do("POST", "/session/again", {"password": PASSWORD})
    assert owner.ask("POST", path, {"name": "late"}).status == 201
