"""The command line: organizations, apps, keys, and how it reaches the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer import BadParameter
from typer.testing import CliRunner

import seekroute
from seekroute.cli.root import app
from seekroute.cli.shared import parse_expiry, parse_since
from seekroute.control import ControlPlane, looks_valid
from serving import running_server

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SEEKROUTE_") or name in {"FORCE_COLOR", "TTY_COMPATIBLE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("SEEKROUTE_DATA_DIR", str(tmp_path / "data"))
    # Commands started below find the same package, whichever folder they start in.
    monkeypatch.setenv("PYTHONPATH", str(Path(seekroute.__file__).parents[1]))
    monkeypatch.chdir(tmp_path)
    ControlPlane(tmp_path / "data").close()  # commands make no data directory


@pytest.fixture
def run() -> Run:
    def invoke(*words: str, code: int = 0, stdin: str | None = None) -> Any:
        result = CliRunner().invoke(app, words, input=stdin, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.fixture
def run_json(run: Run) -> Run:
    return lambda *words, **options: json.loads(run(*words, "--json", **options).stdout)


def test_a_key_from_making_to_revoking(run_json: Run) -> None:
    org = run_json("orgs", "create", "acme")
    models = "openai/*, x-ai/grok-4.3"
    made = run_json("keys", "create", "--org", "acme", "--name", "ci", "--models", models)
    assert looks_valid(made["key"])
    assert made["key"].startswith("sk-sr-")
    assert made["label"] == f"sk-sr-...{made['key'][-4:]}"
    assert made["models"] == ["openai/*", "x-ai/grok-4.3"]
    assert made["org_id"] == org["id"]

    shown = run_json("keys", "show", made["id"])
    assert {**shown, "key": made["key"]} == made
    assert run_json("keys", "list") == [{**shown, "used": None}]
    run_json("keys", "limits", "set", made["id"], "--model", "x-ai/grok-4.3", "--concurrent", "2")
    limited = run_json("keys", "show", made["id"])
    assert limited == {**shown, "model_rate_limits": {"x-ai/grok-4.3": {"concurrent": 2}}}
    run_json(
        "keys", "limits", "set", made["id"], "--model", "x-ai/grok-4.3", "--concurrent", "none"
    )
    assert run_json("keys", "show", made["id"]) == shown
    assert run_json("keys", "disable", made["id"])["status"] == "disabled"
    assert run_json("keys", "enable", made["id"])["status"] == "active"

    rolled = run_json("keys", "roll", made["id"])
    assert rolled["id"] == made["id"]
    assert rolled["key"] != made["key"]
    assert looks_valid(rolled["key"])
    assert run_json("keys", "revoke", made["id"])["status"] == "revoked"


def test_the_key_alone_goes_to_the_standard_output(run: Run) -> None:
    run("orgs", "create", "acme")
    result = run("keys", "create", "--org", "acme")
    assert looks_valid(result.stdout.removesuffix("\n"))
    assert "shown only once" in result.stderr
    assert result.stdout.strip() not in run("keys", "list").output


@pytest.mark.parametrize(
    ("profile", "prefix"),
    [("seekroute", "sk-sr-"), ("seekrouter", "sr-"), ("solrouter", "sr_"), ("router9", "sk-r9k-")],
)
def test_a_key_has_the_shape_of_its_profile(run_json: Run, profile: str, prefix: str) -> None:
    run_json("orgs", "create", "acme")
    made = run_json("keys", "create", "--org", "acme", "--profile", profile)
    assert made["key"].startswith(prefix)
    assert made["profile"] == profile


def test_the_configured_profile_is_the_default(run_json: Run, tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("profile: solrouter\n")
    run_json("orgs", "create", "acme")
    made = run_json("--config", "gateway.yaml", "keys", "create", "--org", "acme")
    assert made["profile"] == "solrouter"


def test_the_profile_that_a_server_was_told_is_the_default(run_json: Run, tmp_path: Path) -> None:
    run_json("orgs", "create", "acme")
    (tmp_path / "acme.yaml").write_text("{extends: reseller, name: acme, key_prefix: sk-acme-}\n")
    told = {"solrouter": "solrouter", str(tmp_path / "acme.yaml"): "acme"}
    for profile, name in told.items():
        with running_server(tmp_path / "data", profile=profile):
            made = run_json("keys", "create", "--org", "acme")
        assert made["profile"] == name
        # So it is for a server that is to start again; its configuration stays what it was.
        assert run_json("keys", "create", "--org", "acme")["profile"] == name
        named = run_json("keys", "create", "--org", "acme", "--profile", "router9")
        assert named["profile"] == "router9"
    with running_server(tmp_path / "data"):
        pass
    assert run_json("keys", "create", "--org", "acme")["profile"] == "seekroute"


def test_an_unknown_profile_is_refused(run: Run) -> None:
    run("orgs", "create", "acme")
    result = run("keys", "create", "--org", "acme", "--profile", "solrooter", code=2)
    assert "solrouter" in result.stderr


def test_a_key_can_come_from_the_standard_input(run: Run, run_json: Run) -> None:
    run("orgs", "create", "acme")
    made = run_json("keys", "create", "--org", "acme")
    result = run_json("keys", "revoke", "-", stdin=made["key"] + "\n")
    assert (result["id"], result["status"]) == (made["id"], "revoked")


def test_a_mistyped_key_is_not_shown(run: Run) -> None:
    result = run("keys", "show", "sk-sr-mistyped", code=1)
    assert "no such key" in result.stderr
    assert "mistyped" not in result.output


def test_organizations(run: Run, run_json: Run) -> None:
    assert run_json("orgs", "list") == []
    made = run_json("orgs", "create", "acme")
    assert run_json("orgs", "suspend", "acme")["status"] == "suspended"
    assert run_json("orgs", "resume", made["id"])["status"] == "active"
    assert run_json("orgs", "list") == [made]
    assert run("orgs", "list").stdout.split("\t")[:3] == [made["id"], "acme", "active"]


def test_apps(run_json: Run) -> None:
    run_json("orgs", "create", "acme")
    made = run_json("apps", "create", "bot", "--org", "acme")
    assert made["status"] == "pending"
    key = run_json("keys", "create", "--org", "acme", "--app", "bot")
    assert key["app_id"] == made["id"]
    assert run_json("apps", "approve", "bot")["status"] == "approved"
    assert run_json("apps", "reject", made["id"], "--org", "acme")["status"] == "rejected"
    (listed,) = run_json("apps", "list", "--org", "acme")
    assert (listed["org"], listed["status"]) == ("acme", "rejected")


def test_a_terminal_shows_names_literally(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("orgs", "create", "[bold red]acme[/]")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "[bold red]acme[/]" in run("orgs", "list").stdout


def test_an_error_is_one_line_without_a_traceback(run: Run) -> None:
    result = run("keys", "create", "--org", "nowhere", code=1)
    assert (
        result.stderr
        == "error: there is no organization 'nowhere': seekroute orgs list shows all\n"
    )
    assert result.stdout == ""


@pytest.mark.parametrize("text", ["tomorrow", "30", "30x", "2027-13-01", "-1d", "1" * 9 + "d"])
def test_a_bad_expiry_is_refused(run: Run, text: str) -> None:
    result = run("keys", "create", "--org", "acme", "--expires", text, code=2)
    assert "30d" in result.stderr


def test_a_past_expiry_is_refused(run: Run) -> None:
    run("orgs", "create", "acme")
    result = run("keys", "create", "--org", "acme", "--expires", "2020-01-01", code=1)
    assert "not in the future" in result.stderr


def test_expiry_spellings() -> None:
    assert parse_expiry("2027-01-31") == 1_801_353_600
    assert parse_expiry("2027-01-31T01:00:00+01:00") == 1_801_353_600
    assert parse_expiry("2027-01-31T00:00:00Z") == 1_801_353_600
    assert 0 <= parse_expiry("30d") - (time.time() + 30 * 86_400 - 1) < 60
    for text in ("", "30 d", "2027-02-30"):
        with pytest.raises(BadParameter):
            parse_expiry(text)


def test_days_that_have_a_name() -> None:
    today = int(time.time()) // 86_400 * 86_400
    assert parse_since("today") in (today, today + 86_400)  # it may be midnight meanwhile
    assert parse_since("today") - parse_since("yesterday") == 86_400
    with pytest.raises(BadParameter):
        parse_expiry("yesterday")


# --- configuration -----------------------------------------------------------------------------


def test_a_wrong_configuration_exits_with_2(run: Run, run_json: Run, tmp_path: Path) -> None:
    (tmp_path / "seekroute.yaml").write_text("server: {port: 70000}\nmokc: on\n")
    result = run("config", "check", code=2)
    assert "server.port" in result.stderr
    assert "mokc" in result.stderr
    assert "Traceback" not in result.output
    found = run_json("config", "check", code=2)
    assert found["ok"] is False
    assert {problem["path"] for problem in found["problems"]} == {"server.port", "mokc"}


def test_config_check_show_and_schema(run: Run, run_json: Run, tmp_path: Path) -> None:
    (tmp_path / "seekroute.yaml").write_text(
        "server: {port: 9000}\nproviders: {openai: {api_key: sk-canary}}\n"
    )
    found = {"ok": True, "file": "seekroute.yaml", "problems": [], "warnings": []}
    assert run_json("config", "check") == found
    assert run_json("config", "show")["server"]["port"] == 9000
    assert "port: 9000" in run("config", "show").stdout
    rows = {row["setting"]: row for row in run_json("config", "show", "--origin")}
    assert rows["server.port"]["origin"] == "file"
    assert rows["server.host"]["origin"] == "default"
    assert rows["data_dir"]["origin"] == "cli"
    for words in (("show",), ("show", "--json"), ("show", "--origin")):
        assert "sk-canary" not in run("config", *words).output
    assert "server" in run_json("config", "schema")["properties"]


# --- serve, mock, ask --------------------------------------------------------------------------


def test_serve_hands_over_its_options(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}

    def serve(**options: Any) -> int:
        seen.update(options)
        return 3

    server = types.ModuleType("seekroute.server")
    server.serve = serve  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "seekroute.server", server)
    run("--config", "x.yaml", "serve", "--port", "0", "--mock", "on", code=3)
    assert seen == {
        "config": Path("x.yaml"),
        "data_dir": tmp_path / "data",
        "host": None,
        "port": 0,
        "profile": None,
        "mock": "on",
        "log_level": None,
        "log_format": None,
        "new_ledger": False,
        "new_control": False,
    }


def test_ask_without_a_question_is_refused(run: Run) -> None:
    assert "give a question" in run("ask", code=2).stderr


def command(*words: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "seekroute", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_mock_runs_until_sigterm() -> None:
    with command("mock", "--port", "0") as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        port = line.split(":")[2].partition("/")[0].strip()
        with command("mock", "--port", port) as second:
            _, errors = second.communicate()
        assert second.returncode == 1
        assert errors.startswith(f"error: cannot listen on 127.0.0.1:{port}")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")


def test_a_real_process_makes_a_key_that_a_server_sees(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "data") as server:
        cursor = server.change_cursor()
        for words in (["orgs", "create", "acme"], ["keys", "create", "--org", "acme"]):
            with command(*words) as process:
                output, errors = process.communicate()
            assert process.returncode == 0, errors
        (key,) = server.changes_since(cursor).keys
        assert key.key_id == server.keys.get(output.strip()).id
        assert output.strip() not in errors


def test_help_loads_neither_the_core_nor_the_database() -> None:
    script = (
        "import sys\n"
        "from seekroute.cli.root import app\n"
        "heavy = {'seekroute._core', 'sqlalchemy', 'alembic', 'pydantic', 'starlette', 'uvicorn'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_version(run: Run) -> None:
    assert run("--version").stdout.startswith("seekroute ")
