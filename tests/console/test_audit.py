"""The audit log: what is in it, and that no row of it can be changed unseen."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from browsing import PASSWORD, ConsoleWorld
from control_support import open_control
from seekroute.control import ControlPlane
from seekroute.control.audit import Broken


def test_each_change_has_its_row(console: ConsoleWorld) -> None:
    browser = console.operator
    made = browser.do("POST", f"{browser.org}/keys", {"name": "audited"})
    path = f"{browser.org}/keys/{made['data']['id']}"
    browser.do("PATCH", path, {"limit": "3"})
    browser.do("POST", f"{path}/roll")
    browser.do("DELETE", path)
    rows = [
        row
        for row in browser.get(f"{browser.org}/audit?limit=100")["data"]
        if row["target"] == made["data"]["id"]
    ]
    assert [row["action"] for row in rows] == ["key.revoke", "key.roll", "key.edit", "key.create"]
    assert {row["actor"]["label"] for row in rows} == {"olivia@example.com"}
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert json.loads(rows[2]["before"]) == {"limit_nano": None}
    assert json.loads(rows[2]["after"]) == {"limit_nano": 3_000_000_000}
    assert made["key"] not in json.dumps(rows)


def test_money_and_limits_have_their_rows(control: ControlPlane) -> None:
    with control:
        control.orders.put("topup", id="paid:1", org="org 1", amount_nano=5)
        control.orders.put("topup", id="paid:1", org="org 1", amount_nano=5)  # the same one
        org = control.orgs.get("org 1").id
        control.limits.set("org", org, {"requests_per_minute": 60})
        control.limits.set("org", org, {"requests_per_minute": 60})
        control.limits.set("gateway", "", {"concurrent": 9})
        gateway, limits, order = control.audit.list(limit=3)
        assert (order.action, order.target, order.org_id) == ("order.put", "paid:1", org)
        assert json.loads(order.after)["amount_nano"] == 5
        assert (limits.action, limits.target, limits.org_id) == ("limits.set", org, org)
        assert json.loads(limits.after) == {"requests_per_minute": 60}
        assert (gateway.target, gateway.org_id) == ("gateway", None)
        assert control.audit.verify() == (9, None)


def test_no_secret_is_in_the_database(console: ConsoleWorld) -> None:
    """P12."""
    browser = console.operator
    made = browser.do("POST", f"{browser.org}/keys", {"name": "canary"})
    invited = browser.do("POST", f"{browser.org}/invitations", {"email": "canary@example.com"})
    secrets = [made["key"], PASSWORD, browser.cookie, invited["link"].partition("#")[2]]
    home = Path(console.server.service.data_dir)
    for file in home.glob("control.db*"):
        content = file.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, file


@pytest.fixture
def control(tmp_path: Path) -> ControlPlane:
    plane = open_control(tmp_path / "data")
    for n in range(6):
        plane.orgs.create(f"org {n}")
    assert plane.audit.verify() == (6, None)
    return plane


def test_rows_cannot_be_changed_or_deleted(control: ControlPlane) -> None:
    with control, sqlite3.connect(control.path) as other:
        for change in ("UPDATE audit_log SET action = 'x'", "DELETE FROM audit_log"):
            with pytest.raises(sqlite3.IntegrityError, match="only appended to"):
                other.execute(change)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE audit_log SET after = '{}' WHERE n = 3", Broken(3, "changed")),
        ("UPDATE audit_log SET at = at + 1 WHERE n = 1", Broken(1, "changed")),
        ("UPDATE audit_log SET mac = zeroblob(32) WHERE n = 6", Broken(6, "changed")),
        ("DELETE FROM audit_log WHERE n = 2", Broken(2, "missing")),
        ("UPDATE audit_log SET n = 99 WHERE n = 6", Broken(6, "missing")),
    ],
)
def test_a_changed_chain_is_found(control: ControlPlane, change: str, found: Broken) -> None:
    """A24, for somebody who has the file, and takes the triggers away."""
    with control:
        with sqlite3.connect(control.path) as other:
            for trigger in ("update", "delete"):
                other.execute(f"DROP TRIGGER audit_log_no_{trigger}")
            other.execute(change)
        assert control.audit.verify()[1] == found


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["create", "suspend", "resume", "line"]), max_size=12))
def test_a_change_and_its_row_are_kept_together(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """P11: as many rows as changes, whatever is undone."""
    with open_control(tmp_path_factory.mktemp("chain") / "data") as plane:
        plane.orgs.create("one")
        changes = 1
        state = {"suspended": False, "line": 0}
        for n, step in enumerate(steps):
            if step == "create":
                plane.orgs.create(f"org {n}")
                changes += 1
            elif step == "line":
                plane.orgs.set_credit_line("one", n + 1)
                changes += state["line"] != n + 1
                state["line"] = n + 1
            else:
                wanted = step == "suspend"
                (plane.orgs.suspend if wanted else plane.orgs.resume)("one")
                changes += state["suspended"] != wanted
                state["suspended"] = wanted
        assert plane.audit.verify() == (changes, None)
