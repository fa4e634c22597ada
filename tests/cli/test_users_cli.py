"""`seekroute users`, `members`, `audit` and `console` on a data directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from control_support import open_control
from seekroute.cli.root import app

PASSWORD = "a long enough secret\n" * 2


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with open_control(tmp_path / "data") as control:
        control.orgs.create("acme")
    return tmp_path / "data"


def run(data: Path, *words: str, text: str = "", code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["--data-dir", str(data), *words], input=text)
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout) if "--json" in words else result.output


def test_an_operator_is_made_without_a_browser(data: Path) -> None:
    link = run(data, "console", "setup-link", "--json")["link"]
    assert link.startswith("http://localhost:8000/console/setup#")
    made = run(data, "users", "create", "o@example.com", "--operator", "--json", text=PASSWORD)
    assert (made["email"], made["role"], made["name"]) == ("o@example.com", "operator", "o")
    with open_control(data) as control:
        assert control.users.password_user("o@example.com", PASSWORD.partition("\n")[0])
        assert control.setup_token() is None
    assert "users create" in run(data, "console", "setup-link", code=1)


def test_members_are_added_changed_and_removed(data: Path) -> None:
    run(data, "users", "create", "m@example.com", "--json", text=PASSWORD)
    assert run(data, "members", "add", "acme", "m@example.com", "--json")["role"] == "member"
    changed = run(data, "members", "change", "acme", "m@example.com", "owner", "--json")
    assert changed["role"] == "owner"
    assert [row["email"] for row in run(data, "members", "list", "acme", "--json")] == [
        "m@example.com"
    ]
    assert "last owner" in run(data, "members", "remove", "acme", "m@example.com", code=1)
    assert "role: expected" in run(data, "members", "change", "acme", "m@example.com", "x", code=1)


def test_what_commands_change_is_in_the_audit_log(data: Path) -> None:
    run(data, "orgs", "suspend", "acme")
    run(data, "users", "create", "a@example.com", "--json", text=PASSWORD)
    run(data, "users", "disable", "a@example.com")
    run(data, "users", "set-role", "a@example.com", "support")
    run(data, "users", "set-password", "a@example.com", text=PASSWORD)
    rows = run(data, "audit", "list", "--json")
    assert [row["action"] for row in rows] == [
        *("user.password", "user.edit", "user.edit", "user.create", "org.edit"),
        "org.create",
    ]
    assert json.loads(rows[1]["after"]) == {"instance_role": "support"}
    assert json.loads(rows[4]["before"]) == {"suspended_at": None}
    assert rows[0]["actor"].startswith("command line, ")
    assert run(data, "audit", "list", "--org", "acme", "--json") == rows[-2:]
    assert run(data, "audit", "verify", "--json") == {"rows": 6, "broken": None}
    assert "6 rows" in run(data, "audit", "verify")
    assert "a long enough" not in json.dumps(rows)
