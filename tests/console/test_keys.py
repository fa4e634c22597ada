"""An organization's keys in the console."""

from __future__ import annotations

import pytest

from browsing import ConsoleWorld


def test_a_key_is_shown_once_and_answers(console: ConsoleWorld) -> None:
    browser = console.operator
    made = browser.do(
        "POST", f"{browser.org}/keys", {"name": "ci", "limit": "5", "limit_reset": "daily"}
    )
    key, text = made["data"], made["key"]
    assert text.startswith("sk-sr-")
    assert (key["limit"], key["limit_reset"], key["state"]) == ("5.00", "daily", "active")
    assert key["creator"]["email"] == "olivia@example.com"
    console.server.service.sync_keys()
    assert console.server.chat_with(text).status == 200
    shown = browser.ask("GET", f"{browser.org}/keys/{key['id']}")
    assert text not in shown.body.decode()
    told = shown.json()["data"]
    assert told["limit_remaining"] < "5.00"
    assert told["usage_daily"] != "0.00"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_required_parameter", "name"),
        ({"name": "x", "colour": "red"}, "unknown_parameter", "colour"),
        ({"name": "x", "limit": 1.5}, "invalid_value", "limit"),
        ({"name": "x", "limit": "1e3"}, "invalid_value", "limit"),
        ({"name": "x", "limit_reset": "hourly"}, "invalid_value", "limit_reset"),
        ({"name": "x", "expires_at": "2027-01-31"}, "invalid_value", "expires_at"),
        ({"name": "x", "expires_at": "2020-01-31T00:00:00Z"}, "invalid_value", ""),
        ({"name": "x", "models": []}, "invalid_value", ""),
        ({"name": ""}, "invalid_value", "name"),
        ({"name": "a\nb"}, "invalid_value", ""),
        ({"name": "x", "app": "none"}, "invalid_value", ""),
        (b"[]", "invalid_value", ""),
        (b"{", "invalid_json", ""),
    ],
)
def test_a_wrong_key_is_refused(console: ConsoleWorld, body: object, code: str, param: str) -> None:
    browser = console.operator
    before = len(browser.get(f"{browser.org}/keys")["data"])
    refused = browser.ask("POST", f"{browser.org}/keys", body)
    assert (refused.status, refused.code) == (400, code)
    assert (refused.json()["error"]["param"] or "") == param
    assert len(browser.get(f"{browser.org}/keys")["data"]) == before


def test_a_key_is_changed_for_what_it_was(console: ConsoleWorld) -> None:
    browser = console.operator
    key = browser.do("POST", f"{browser.org}/keys", {"name": "edited"})["data"]
    path = f"{browser.org}/keys/{key['id']}"
    fresh = browser.ask(
        "PATCH", path, {"name": "renamed", "limit": "2.5"}, {"If-Match": str(key["version"])}
    )
    assert fresh.status == 200
    stale = browser.ask("PATCH", path, {"name": "again"}, {"If-Match": str(key["version"] - 1)})
    assert (stale.status, stale.code) == (412, "precondition_failed")
    told = browser.get(path)["data"]
    assert (told["name"], told["limit"]) == ("renamed", "2.50")
    assert browser.do("PATCH", path, {"limit": None})["data"]["limit"] is None
    assert browser.do("PATCH", path, {"disabled": True})["data"]["state"] == "disabled"
    assert browser.ask("PATCH", path, {"name": None}).status == 400


def test_a_leaked_key_ends_at_once(console: ConsoleWorld) -> None:
    browser = console.operator
    made = browser.do("POST", f"{browser.org}/keys", {"name": "leaked"})
    path = f"{browser.org}/keys/{made['data']['id']}"
    rolled = browser.do("POST", f"{path}/roll")
    console.server.service.sync_keys()
    assert console.server.chat_with(made["key"]).status == 401
    assert console.server.chat_with(rolled["key"]).status == 200
    assert browser.ask("DELETE", path).status == 204
    console.server.service.sync_keys()
    assert console.server.chat_with(rolled["key"]).status == 401
    assert browser.get(path)["data"]["state"] == "revoked"
    assert browser.ask("POST", f"{path}/roll").status == 409
    names = [row["name"] for row in browser.get(f"{browser.org}/keys?q=leaked")["data"]]
    assert names == []
    found = browser.get(f"{browser.org}/keys?state=revoked&q=leaked")["data"]
    assert [row["id"] for row in found] == [made["data"]["id"]]


def test_keys_are_found_and_paged(console: ConsoleWorld) -> None:
    org = console.server.service.control.orgs.create("paged")
    browser, path = console.operator, f"/orgs/{org.id}/keys"
    made = [browser.do("POST", path, {"name": f"page {n}"}) for n in range(7)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = browser.get(f"{path}?limit=3{cursor and f'&cursor={cursor}'}")
        seen += [row["id"] for row in page["data"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert sorted(seen) == sorted(each["data"]["id"] for each in made)
    one = made[3]
    for q in (one["data"]["id"], one["key"][-4:], "page 3"):
        assert one["data"]["id"] in [
            row["id"] for row in browser.get(f"{path}?q={q.replace(' ', '%20')}")["data"]
        ]
    assert browser.ask("GET", f"{path}?limit=0").status == 400
    assert browser.ask("GET", f"{path}?cursor=x").status == 400


def test_a_member_makes_keys_within_its_limit(console: ConsoleWorld) -> None:
    operator = console.operator
    member = console.person("member")
    user = member.get("/me")["data"]["id"]
    operator.do("PATCH", f"{operator.org}/members/{user}", {"monthly_limit": "10"})
    path = f"{operator.org}/keys"
    made = member.do("POST", path, {"name": "mine"})["data"]
    assert (made["limit"], made["limit_reset"]) == ("10.00", "monthly")
    too_much = member.ask("POST", path, {"name": "more", "limit": "1", "limit_reset": "daily"})
    assert (too_much.status, too_much.code) == (403, "permission_denied")
    assert "10.00 USD a month" in too_much.json()["error"]["message"]
    raised = member.ask("PATCH", f"{path}/{made['id']}", {"limit": None})
    assert raised.json()["data"]["limit"] == "10.00"
    others = operator.do("POST", path, {"name": "not the member's"})["data"]
    assert member.ask("GET", f"{path}/{others['id']}").status == 404
    assert member.ask("DELETE", f"{path}/{others['id']}").status == 404
    assert [row["id"] for row in member.get(path)["data"]] == [made["id"]]
