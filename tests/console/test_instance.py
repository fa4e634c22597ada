"""What an operator changes: all of a change or nothing of it."""

from __future__ import annotations

import pytest

from browsing import ConsoleWorld


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"owner_email": "no address"}, "owner_email"),
        ({"credit": "-1"}, "credit"),
        ({"credit": "a lot"}, "credit"),
        ({"credit_line": 1.5}, "credit_line"),
    ],
)
def test_a_wrong_organization_is_not_made(
    console: ConsoleWorld, body: dict[str, object], param: str
) -> None:
    name = f"half made {param} {body[param]}"
    refused = console.operator.ask("POST", "/admin/orgs", {"name": name, **body})
    assert (refused.status, refused.json()["error"]["param"]) == (400, param)
    assert name not in [row.name for row in console.server.service.control.orgs.list()]


def test_a_customer_is_let_in_by_one_request(console: ConsoleWorld) -> None:
    body = {"name": "let in", "owner_email": "lily@example.com", "credit": "25"}
    told = console.operator.do("POST", "/admin/orgs", body)
    org = told["data"]["id"]
    browser = console.browser()
    token = told["link"].partition("#")[2]
    assert browser.do("POST", "/invitations/open", {"token": token})["role"] == "owner"
    order = console.server.service.control.orders.get(f"console:first:{org}")
    assert (order.org_id, order.amount_nano) == (org, 25_000_000_000)
    again = console.operator.ask("POST", "/admin/orgs", {"name": "let in"})
    assert (again.status, again.code) == (409, "conflict")


def test_of_a_change_that_cannot_be_made_nothing_is(console: ConsoleWorld) -> None:
    org = console.operator.do("POST", "/admin/orgs", {"name": "whole"})["data"]["id"]
    path = f"/admin/orgs/{org}"
    bad = {"name": "renamed", "suspended": True, "credit_line": "-1"}
    assert console.operator.ask("PATCH", path, bad).status == 409
    assert console.operator.ask("PATCH", path, {"name": None}).status == 400
    told = console.operator.get(path)["data"]
    assert (told["name"], told["suspended"], told["credit_line"]) == ("whole", False, "0.00")
    good = {"name": "renamed", "suspended": True, "credit_line": "7"}
    told = console.operator.do("PATCH", path, good)["data"]
    assert (told["name"], told["suspended"], told["credit_line"]) == ("renamed", True, "7.00")

    last = console.operator.get("/me")["data"]["id"]
    refused = console.operator.ask("PATCH", f"/admin/users/{last}", {"disabled": True})
    assert (refused.status, refused.code) == (409, "conflict")
    assert console.operator.ask("PATCH", "/admin/users/user_none", {}).status == 404
    assert console.operator.ask("POST", "/admin/users/user_none/end-sessions").status == 404
