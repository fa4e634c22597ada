"""Who may ask: sessions, the pages' origin, roles of each route, and other organizations."""

from __future__ import annotations

import re

import pytest

from browsing import PASSWORD, Browser, ConsoleWorld
from seekroute.console.routes import PAGES, ROUTES, Route, Who
from seekroute.control.people.roles import Grant, grant_of

ROLES = ("owner", "admin", "billing", "member")


def test_nobody_sees_anything_without_a_session(console: ConsoleWorld) -> None:
    stranger = console.browser()
    org = console.operator.orgs[0]["id"]
    for route in ROUTES:
        if route.who is not Who.PERSON:
            continue
        answer = stranger.ask(route.method, path_of(route, org), {})
        assert (answer.status, answer.code) == (401, "not_signed_in"), route


def path_of(route: Route, org: str) -> str:
    return re.sub(r"\{\w+\}", "none", route.path.replace("{org}", org)).removeprefix(PAGES)


def test_each_role_may_what_the_table_says(console: ConsoleWorld) -> None:
    org = console.operator.orgs[0]["id"]
    people = {role: console.person(role) for role in ROLES}
    for route in ROUTES:
        if route.who is not Who.PERSON or "{org}" not in route.path or "/admin/" in route.path:
            continue
        assert route.right is not None, f"{route.path} is of an organization"
        if (route.method, route.path.rpartition("/")[2]) == ("DELETE", "membership"):
            continue  # would end what the others are asked with
        for role, browser in people.items():
            answer = browser.ask(route.method, path_of(route, org), b"{}")
            grant = grant_of(route.right, role)
            sums = route.path.endswith(("/overview", "/activity"))
            allowed = bool(grant) and (grant is not Grant.SUMS or sums)
            refused = answer.status == 403 and "role" in answer.json()["error"]["message"]
            assert refused is not allowed, (route.method, route.path, role, answer)


def test_another_organization_is_as_none(console: ConsoleWorld) -> None:
    """A20: of each id of another organization a person learns nothing."""
    operator = console.operator
    other = console.server.service.control.orgs.create("foreign")
    key = operator.do("POST", f"/orgs/{other.id}/keys", {"name": "theirs"})["data"]["id"]
    stranger = console.person("owner")
    own = operator.orgs[0]["id"]
    for route in ROUTES:
        if route.who is Who.PERSON and "{org}" in route.path:
            answer = stranger.ask(route.method, path_of(route, other.id), b"{}")
            assert (answer.status, answer.code) == (404, "not_found"), route
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/roll")):
        answer = stranger.ask(method, f"/orgs/{own}/keys/{key}{path}", b"{}")
        assert answer.status == 404


def test_operators_paths_are_unknown_to_customers(console: ConsoleWorld) -> None:
    owner = console.person("owner")
    for route in ROUTES:
        if "/admin/" in route.path and "{org}" not in route.path:
            assert owner.ask(route.method, path_of(route, ""), b"{}").status == 404, route


def test_support_sees_all_and_changes_nothing(console: ConsoleWorld) -> None:
    control = console.server.service.control
    control.users.create("sam@example.com", name="Sam", password=PASSWORD, instance_role="support")
    sam = console.browser()
    assert sam.sign_in("sam@example.com").status == 200
    org = console.operator.orgs[0]["id"]
    for route in ROUTES:
        if route.right is None or route.who is not Who.PERSON:
            continue
        if route.path.endswith("/membership"):
            continue  # its own, which it has none of
        answer = sam.ask(route.method, path_of(route, org), b"{}")
        refused = answer.status == 403 and "role" in answer.json()["error"]["message"]
        assert refused is not bool(grant_of(route.right, "support")), route
        assert route.method == "GET" or refused or route.path.endswith("verify-audit"), route


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "csrf_failed"),
        ({"Sec-Fetch-Site": "same-site"}, "csrf_failed"),
        ({"Sec-Fetch-Site": "none"}, "csrf_failed"),
        ({"Sec-Fetch-Site": "", "Origin": "https://evil.example"}, "csrf_failed"),
        ({"Sec-Fetch-Site": ""}, "csrf_failed"),
        ({"X-CSRF-Token": ""}, "csrf_failed"),
        ({"X-CSRF-Token": "0" * 64}, "csrf_failed"),
        ({"Content-Type": "text/plain"}, "unsupported_media_type"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "unsupported_media_type"),
    ],
)
def test_only_our_own_pages_change_anything(
    console: ConsoleWorld, headers: dict[str, str], code: str
) -> None:
    """A9."""
    browser = console.operator
    before = browser.get(f"{browser.org}/audit")["data"][0]["n"]
    answer = browser.ask("POST", f"{browser.org}/keys", {"name": "forged"}, headers)
    assert (answer.status in (403, 415), answer.code) == (True, code)
    assert browser.get(f"{browser.org}/audit")["data"][0]["n"] == before


def test_cookies_are_for_pages_and_keys_for_programs(console: ConsoleWorld) -> None:
    """D6: a page's cookie opens no path of programs, and a key none of the pages."""
    browser = console.operator
    assert browser.ask("GET", "//v1/keys").code == "missing_api_key"
    made = browser.do("POST", f"{browser.org}/management-keys", {"name": "robot"})
    bearer = {"Authorization": f"Bearer {made['key']}"}
    assert console.browser().ask("GET", "//v1/keys", headers=bearer).status == 200
    stranger = console.browser().ask("GET", f"{browser.org}/keys", headers=bearer)
    assert stranger.code == "not_signed_in"


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "[::2]", "a b", ""])
def test_another_name_of_this_host_is_not_served(console: ConsoleWorld, host: str) -> None:
    """A10."""
    browser = Browser(console.server.port, host=host or "x", cookie=console.operator.cookie)
    answer = browser.ask("GET", "/session")
    assert (answer.status, answer.code) in ((421, "invalid_host"), (400, "invalid_host"))
