"""Keys managed by programs: OpenRouter's shapes, at both base paths."""

from __future__ import annotations

from typing import Any

import pytest

from browsing import ConsoleWorld
from serving import Answer


class Robot:
    """A program with a management key."""

    def __init__(self, console: ConsoleWorld, key: str, base: str = "/v1") -> None:
        self._server = console.server
        self._key = key
        self._base = base

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        return self._server.request(method, self._base + path, body, headers)


@pytest.fixture(params=["/v1", "/api/v1"])
def robot(console: ConsoleWorld, request: pytest.FixtureRequest) -> Robot:
    browser = console.operator
    made = browser.do("POST", f"{browser.org}/management-keys", {"name": "robot"})
    assert made["key"].startswith("sk-sr-mgmt-")
    console.server.service.sync_keys()
    return Robot(console, made["key"], request.param)


def test_a_program_makes_a_key_that_answers(console: ConsoleWorld, robot: Robot) -> None:
    made = robot.ask(
        "POST", "/keys", b'{"name":"made by a program","limit":2.5,"limit_reset":"monthly"}'
    )
    assert made.status == 201, made
    told: dict[str, Any] = made.json()
    assert told["data"]["limit"] == told["data"]["limit_remaining"] == 2.5
    assert told["data"]["limit_reset"] == "monthly"
    assert told["data"]["workspace_id"] == console.operator.orgs[0]["id"]
    console.server.service.sync_keys()
    assert console.server.chat_with(told["key"]).status == 200

    hash = told["data"]["hash"]
    shown = robot.ask("GET", f"/keys/{hash}").json()["data"]
    assert shown["usage"] > 0
    assert shown["label"] == f"sk-sr-...{told['key'][-4:]}"
    changed = robot.ask(
        "PATCH", f"/keys/{hash}", b'{"name":"renamed","limit":null,"disabled":true}'
    )
    assert changed.json()["data"]["disabled"] is True
    assert changed.json()["data"]["limit"] is None
    rolled = robot.ask("POST", f"/keys/{hash}/roll").json()
    assert rolled["data"]["hash"] == hash
    assert rolled["key"] != told["key"]
    assert robot.ask("DELETE", f"/keys/{hash}").json() == {"deleted": True}
    listed = robot.ask("GET", "/keys?include_disabled=true").json()["data"]
    assert hash not in [row["hash"] for row in listed]


def test_a_management_key_asks_no_model(console: ConsoleWorld, robot: Robot) -> None:
    answer = robot.ask(
        "POST",
        "/chat/completions",
        b'{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"x"}]}',
    )
    assert answer.status == 403
    assert console.server.chat().status == 200


def test_an_ordinary_key_manages_nothing(console: ConsoleWorld) -> None:
    answer = console.server.request("GET", "/v1/keys")
    assert (answer.status, answer.code) == (403, "permission_denied")
    assert "management key" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "missing_required_parameter"),
        (b'{"name":"x","limit":"a lot"}', "invalid_value"),
        (b'{"name":"x","limit":true}', "invalid_type"),
        (b'{"name":"x","limit":-1}', "invalid_value"),
        (b'{"name":"x","creator_user_id":"user_none"}', "invalid_value"),
        (b'{"name":"x","workspace_id":"org_none"}', "invalid_value"),
        (b'{"name":"x","limit_reset":"yearly"}', "invalid_value"),
        (b"not json", "invalid_json"),
    ],
)
def test_a_wrong_request_makes_no_key(robot: Robot, body: bytes, code: str) -> None:
    refused = robot.ask("POST", "/keys", body)
    assert (refused.status, refused.code) == (400, code)


def test_lists_are_bounded_and_paged(console: ConsoleWorld, robot: Robot) -> None:
    for n in range(3):
        assert robot.ask("POST", "/keys", b'{"name":"of a list %d"}' % n).status == 201
    whole = [row["hash"] for row in robot.ask("GET", "/keys?limit=100").json()["data"]]
    first = [row["hash"] for row in robot.ask("GET", "/keys?limit=2").json()["data"]]
    second = [row["hash"] for row in robot.ask("GET", "/keys?limit=2&offset=2").json()["data"]]
    assert first + second == whole[:4]
    for query in ("limit=0", "limit=101", "offset=-1", "offset=x"):
        assert robot.ask("GET", f"/keys?{query}").status == 400


def test_members_are_listed(console: ConsoleWorld, robot: Robot) -> None:
    rows = robot.ask("GET", "/organization/members").json()
    assert rows["total_count"] >= 1
    (olivia,) = [row for row in rows["data"] if row["email"] == "olivia@example.com"]
    assert (olivia["first_name"], olivia["last_name"]) == ("Olivia", "Operator")
    assert (olivia["role"], olivia["seekroute_role"]) == ("org:admin", "owner")


def test_a_revoked_management_key_ends_at_once(console: ConsoleWorld) -> None:
    browser = console.operator
    made = browser.do("POST", f"{browser.org}/management-keys", {"name": "ends"})
    robot = Robot(console, made["key"])
    assert robot.ask("GET", "/keys").status == 200
    browser.do("DELETE", f"{browser.org}/management-keys/{made['data']['id']}")
    refused = robot.ask("GET", "/keys")
    assert (refused.status, refused.code) == (401, "invalid_api_key")


def test_money_and_requests_of_all_keys_are_told(console: ConsoleWorld, robot: Robot) -> None:
    made = robot.ask("POST", "/keys", b'{"name":"spends"}').json()
    console.server.service.sync_keys()
    answer = console.server.chat_with(made["key"])
    id = answer.headers["x-generation-id"]
    assert robot.ask("GET", f"/generation?id={id}").json()["data"]["key_id"] == made["data"]["hash"]
    assert robot.ask("GET", "/credits").json()["data"]["total_usage"] > 0
    today = robot.ask("GET", "/activity?from=2020-01-01&to=2020-01-02").json()
    assert today == {"data": [], "has_more": False}
    one = robot.ask("GET", f"/activity?api_key_hash={made['data']['hash']}")
    assert one.status == 200
    assert robot.ask("GET", "/activity?user_id=x").status == 400
    told = robot.ask("GET", "/key").json()["data"]
    assert told["is_management_key"] is True
    # An ordinary key asks the gateway itself.
    assert console.server.request("GET", "/v1/key").json()["data"]["is_management_key"] is False
