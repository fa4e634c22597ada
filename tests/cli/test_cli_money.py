"""Commands that show money and look after it: balances, logs, usage, the journal, copies."""

from __future__ import annotations

import csv
import io
import json
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from money_cli import asked, clear, command, run, run_json
from seekroute.cli.layout import layout
from seekroute.ledger import FILE_NAME, Ledger
from seekroute.money import nano, usd
from seekroute.testing import Status
from serving import MODEL, PATIENCE, RunningServer, running_server


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data", credits={"enabled": True}) as running:
        yield running


# --- balances, lines, limits ----------------------------------------------------------------------


def test_balances_of_all_and_what_the_operator_has() -> None:
    acme = run_json("orgs", "create", "acme")
    run_json("orgs", "create", "friend", "--credit-line", "5")
    run_json("orgs", "create", "own", "--credit-line", "unlimited")
    run_json("credits", "add", "acme", "10")
    run_json("credits", "adjust", "friend", "2", "--note", "welcome")
    told = run_json("credits", "balance")
    assert [(o["name"], o["available"], o["credit_line"]) for o in told["organizations"]] == [
        ("acme", "10.00", "0.00"),
        ("friend", "2.00", "5.00"),
        ("own", "0.00", "unlimited"),
    ]
    assert told["organizations"][2]["credit_line_nano"] is None
    operator = told["operator"]
    assert (operator["received"], operator["revenue"], operator["loss"]) == (
        "10.00",
        "0.00",
        "2.00",
    )
    lines = run("credits", "balance").stdout.splitlines()
    assert lines[0].split("\t") == [acme["id"], "acme", "10.00", "0.00", "0.00", "0.00"]
    assert lines[-3:] == [
        "operator\treceived\t10.00",
        "operator\trevenue\t0.00",
        "operator\tloss\t2.00",
    ]


def test_a_credit_line_is_shown_and_changed() -> None:
    run_json("orgs", "create", "acme")
    assert run_json("credits", "line", "acme", "2.5")["credit_line_nano"] == 2_500_000_000
    assert run_json("orgs", "show", "acme")["credit_line"] == "2.50"
    assert run_json("credits", "line", "acme", "none")["credit_line"] == "unlimited"
    assert "credit line   unlimited" in run("orgs", "show", "acme").stdout
    assert run("orgs", "list").stdout.strip().split("\t")[4] == "unlimited"
    assert "billion" in run("credits", "line", "acme", "--", "-1", code=1).stderr


def test_a_keys_limit_is_shown_and_changed() -> None:
    run_json("orgs", "create", "acme")
    words = ("keys", "create", "--org", "acme", "--limit", "5", "--limit-reset", "daily")
    made = run_json(*words, "--store-answers")
    assert (made["limit"], made["limit_reset"], made["store_answers"]) == ("5.00", "daily", True)
    changed = run_json("keys", "limit", made["id"], "0.000000001", "--reset", "monthly")
    assert (changed["limit_nano"], changed["limit_reset"]) == (1, "monthly")
    assert run_json("keys", "limit", made["id"], "7")["limit_reset"] == "monthly"
    assert run_json("keys", "limit", made["id"], "none")["limit"] == "unlimited"
    assert run_json("keys", "store-answers", made["id"], "--off")["store_answers"] is False
    assert "expected USD" in run("keys", "limit", made["id"], "x", code=2).stderr


def test_a_keys_strategy_is_shown_and_changed() -> None:
    run_json("orgs", "create", "acme")
    assert run_json("keys", "create", "--org", "acme")["auto_strategy"] is None
    made = run_json("keys", "create", "--org", "acme", "--name", "ci", "--auto-strategy", "cost")
    assert made["auto_strategy"] == "cost"
    assert run_json("keys", "auto-strategy", "ci", "latency")["auto_strategy"] == "latency"
    assert re.search(r"auto strategy +latency\n", run("keys", "show", "ci").stdout)
    listed = {row["name"]: row["auto_strategy"] for row in run_json("keys", "list")}
    assert listed == {"key": None, "ci": "latency"}
    assert "latency" in run("keys", "list").stdout
    assert run_json("keys", "auto-strategy", "ci", "none")["auto_strategy"] is None
    assert "best" in run("keys", "auto-strategy", "ci", "best", code=2).stderr


def test_a_key_of_who_has_no_credit_comes_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "seekroute.yaml").write_text("credits: {enabled: true}\n")
    run("orgs", "create", "two words")
    hint = "two words has no credit yet: seekroute credits add 'two words' 10"
    made = run("keys", "create", "--org", "two words")
    assert hint in made.stderr
    assert "credit" not in made.stdout
    run("credits", "add", "two words", "10")
    assert "no credit" not in run("keys", "create", "--org", "two words").stderr
    run("orgs", "create", "own", "--credit-line", "unlimited")
    assert "no credit" not in run("keys", "create", "--org", "own").stderr


# --- reports --------------------------------------------------------------------------------------


def test_logs_show_what_was_asked(server: RunningServer) -> None:
    generation = asked(server)
    (row,) = run_json("logs")
    assert (
        row.items()
        >= {
            "generation": generation,
            "org": "default",
            "key": "first key",
            "requested_model": MODEL,
            "state": "settled",
            "settlement": "exact",
            "status": 200,
            "streamed": False,
        }.items()
    )
    assert row["cost"] == usd(row["cost_nano"])
    assert row["cost_nano"] > 0
    assert run("logs").stdout.split("\t")[1:3] == [generation, "default"]
    assert run_json("logs", "--org", "default", "--key", row["key_id"]) == [row]
    assert run_json("logs", "--model", MODEL, "--since", "1h") == [row]
    assert run_json("logs", "--failed") == []
    assert run_json("logs", "--model", "other/model") == []
    assert run_json("logs", "--before", str(row["n"])) == []
    shown = run_json("logs", "show", generation)
    assert shown.items() >= row.items()
    assert [attempt["status"] for attempt in shown["attempts"]] == [200]
    assert generation in run("logs", "show", generation).stdout
    assert "no request 'gen-x'" in run("logs", "show", "gen-x", code=1).stderr


def test_logs_show_what_the_provider_said(server: RunningServer) -> None:
    run_json("credits", "add", "default", "5")
    words = "Quota of org-Ab12Cd is gone, see https://example.com"
    server.mock.queue(Status(429, body={"error": {"message": words, "code": "insufficient_quota"}}))
    refused = server.chat()
    assert refused.json()["error"]["code"] == "upstream_no_credit"
    assert b"uota" not in refused.body
    generation = refused.headers["x-generation-id"]
    (attempt,) = run_json("logs", "show", generation)["attempts"]
    assert attempt["words"] == "insufficient_quota: Quota of [redacted] is gone, see [redacted]"
    assert "Quota of [redacted]" in run("logs", "show", generation).stdout


def test_logs_are_paged_and_filtered_over_pages(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekroute.cli.requests.PAGE", 2)
    run_json("credits", "add", "default", "5")
    ids = [server.chat().json()["id"] for _ in range(5)][::-1]
    assert [row["generation"] for row in run_json("logs")] == ids
    page = run_json("logs", "--limit", "3")
    assert [row["generation"] for row in page] == ids[:3]
    rest = run_json("logs", "--before", str(page[-1]["n"]))
    assert [row["generation"] for row in rest] == ids[3:]


def test_logs_can_be_followed(server: RunningServer) -> None:
    before = asked(server)
    with command("logs", "--follow", "--json") as process:
        output = process.stdout
        assert output is not None
        # What ended before comes first; then ask until it shows a new one.
        assert json.loads(output.readline())["generation"] == before
        told: list[str] = []
        reader = threading.Thread(target=lambda: told.append(output.readline()))
        reader.start()
        ids = []
        until = time.monotonic() + PATIENCE
        while reader.is_alive() and time.monotonic() < until:
            ids.append(server.chat().json()["id"])
            reader.join(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    row = json.loads(told[0])
    assert row["generation"] in ids
    assert row["state"] == "settled"


def test_usage_adds_up(server: RunningServer) -> None:
    asked(server)
    assert server.chat().status == 200
    cost = sum(row["cost_nano"] for row in run_json("logs"))
    for by, name in (("day", None), ("model", MODEL), ("key", "first key"), ("org", "default")):
        told = run_json("usage", "--by", by)
        (line,) = told["rows"]
        if name is not None:
            assert line[by] == name
        assert line["requests"] == told["total"]["requests"] == 2
        assert line["cost_nano"] == told["total"]["cost_nano"] == cost
        assert line["cost"] == usd(cost)
    lines = run("usage").stdout.splitlines()
    assert lines[-1].split("\t")[:2] == ["total", "2"]
    assert run_json("usage", "--since", "2000-01-01", "--until", "2001-01-01")["rows"] == []
    assert run_json("usage", "--org", "default")["total"]["cost_nano"] == cost
    assert "before --since" in run("usage", "--until", "2001-01-01", code=2).stderr


def test_a_request_is_refunded_in_parts(server: RunningServer) -> None:
    generation = asked(server)
    (row,) = run_json("logs")
    before = nano(run_json("credits", "balance", "default")["available"])
    assert run_json("credits", "refund", generation, "0.000000001")["result"] == "ok"
    too_much = run("credits", "refund", generation, row["cost"], code=1)
    assert "more than what is left" in too_much.stderr
    rest = run_json("credits", "refund", generation, "--id", "case:7")
    assert rest["amount_nano"] == row["cost_nano"] - 1
    assert rest["available_nano"] == before + row["cost_nano"]
    again = run_json("credits", "refund", generation, "--id", "case:7")
    assert (again["result"], again["amount"]) == ("exists", rest["amount"])
    assert "was refunded before" in run("credits", "refund", generation, code=1).stderr
    assert "no request 'gen-x'" in run("credits", "refund", "gen-x", code=1).stderr
    assert run_json("logs", "show", generation)["refunded"] == row["cost"]
    assert run_json("ledger", "verify")["ok"]


@pytest.mark.parametrize(
    "words",
    [
        ("credits", "refund"),
        ("credits", "refund", "--id", "x"),
        ("logs", "show"),
        ("receipt", "show"),
    ],
    ids=" ".join,
)
def test_an_id_that_is_no_text_is_of_no_request(words: tuple[str, ...]) -> None:
    run("orgs", "create", "acme")
    run("credits", "add", "acme", "1")
    told = run(*words, "gen-\udcff", code=1)
    assert "no request" in told.output + told.stderr


# --- the journal ----------------------------------------------------------------------------------


def test_the_journal_is_written_out_exactly(server: RunningServer) -> None:
    note = 'he said "no", 🎁\u00a0'
    run_json("credits", "adjust", "default", "0.123456789", "--note", note)
    generation = asked(server)
    rows = list(csv.DictReader(io.StringIO(run("ledger", "export").stdout)))
    lines = [json.loads(line) for line in run("ledger", "export", "--json").stdout.splitlines()]
    assert [row["kind"] for row in rows] == ["adjust", "topup", "hold", "settle"]
    assert [{**line, "seq": str(line["seq"])}["seq"] for line in lines] == [r["seq"] for r in rows]
    assert rows[0]["note"] == lines[0]["note"] == note.strip()
    assert (rows[0]["available"], rows[0]["available_nano"]) == ("0.123456789", "123456789")
    assert {row["org"] for row in rows} == {"default"}
    assert rows[3]["generation"] == generation
    accounts = ("available", "held", "debt", "cash", "revenue", "loss")
    for line in lines:
        assert sum(line[f"{account}_nano"] for account in accounts) == 0
        assert all(nano(line[account]) == line[f"{account}_nano"] for account in accounts)
    assert len(run("ledger", "export", "--after", "3").stdout.splitlines()) == 2


def test_an_export_takes_no_files_place(tmp_path: Path) -> None:
    run("orgs", "create", "acme")
    run("credits", "add", "acme", "1")
    target = tmp_path / "journal.csv"
    assert "wrote 1 entry" in run("ledger", "export", "--output", str(target)).stderr
    kept = target.read_bytes()
    assert len(kept.splitlines()) == 2
    assert "File exists" in run("ledger", "export", "--output", str(target), code=1).stderr
    assert target.read_bytes() == kept
    assert target.stat().st_mode & 0o077 == 0


def test_a_broken_journal_is_found(tmp_path: Path) -> None:
    org = run_json("orgs", "create", "acme")["id"]
    run("credits", "add", "acme", "1")
    assert run_json("ledger", "verify") == {
        "ok": True,
        "rule": "",
        "seq": 0,
        "why": "",
        "entries": 1,
        "requests": 0,
        "orders": {
            "compared": 1,
            "counts": {"missing": 0, "differing": 0, "unknown": 0},
            "unknown_orgs": [],
            "missing": [],
            "differing": [],
            "unknown": [],
        },
    }
    assert run("ledger", "verify").stdout == "ledger OK: 1 entry, 0 requests\n"
    # An older copy takes the file's place: the journal has lost its end.
    ledger = tmp_path / "data" / FILE_NAME
    run("backup", str(tmp_path / "copy.db"))
    run("credits", "add", "acme", "2")
    ledger.unlink()
    (tmp_path / "copy.db").rename(ledger)
    broken = run("ledger", "verify", code=1)
    assert "is broken at entry" in broken.stderr
    told = run_json("ledger", "verify", code=1)
    assert not told["ok"]
    assert told["rule"].startswith("L")
    assert org not in broken.stdout
    assert "is broken at entry" in run("doctor", "--offline", code=1).stdout


def test_a_file_that_another_program_wrote_is_found(tmp_path: Path) -> None:
    run("orgs", "create", "acme")
    run("credits", "add", "acme", "1")
    # No process has it open, so that another library may.
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME)) as connection:
        connection.execute("UPDATE account SET available = available + 1")
        connection.commit()
    assert "checksum" in run("ledger", "verify", code=1).stderr
    assert "checksum" in run("doctor", "--offline", code=1).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("credits", "balance"),
        ("credits", "refund", "gen-x"),
        ("credits", "replay"),
        ("ledger", "verify"),
        ("ledger", "export"),
        ("logs",),
        ("logs", "show", "gen-x"),
        ("usage",),
        ("backup", "copy.db"),
        ("prune", "--older-than", "1d", "--yes"),
    ],
)
def test_without_a_ledger_it_is_said_how_to_get_one(words: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*words, code=1)
    assert "there is no ledger at" in result.stderr
    assert "credits.enabled" in result.stderr
    assert "Is it another one that is meant? --data-dir and --config say which" in result.stderr
    assert not (tmp_path / "data" / FILE_NAME).exists()


# --- upkeep ---------------------------------------------------------------------------------------


def test_a_backup_is_made_while_the_server_runs(server: RunningServer, tmp_path: Path) -> None:
    asked(server)
    ledger, control = tmp_path / "copy.db", tmp_path / "control-copy.db"
    told = run_json("backup", str(ledger), "--control", str(control))
    assert told == {"ledger": str(ledger), "control": str(control)}
    assert {path.stat().st_mode & 0o777 for path in (ledger, control)} == {0o600}
    with Ledger(ledger, read_only=True) as copy:
        assert copy.verify()["rule"] == ""
        assert len(copy.rows()) == 1
    pepper = server.service.control.pepper
    assert not any(pepper in path.read_bytes() for path in (ledger, control))
    kept = ledger.read_bytes()
    for words in ((str(ledger),), (str(tmp_path / "new.db"), "--control", str(control))):
        assert "exists: choose another name" in run("backup", *words, code=1).stderr
    assert ledger.read_bytes() == kept
    assert not (tmp_path / "new.db").exists()


def test_a_prune_through_the_server(server: RunningServer) -> None:
    generation = asked(server)
    before = run_json("credits", "balance", "default")["available"]
    told = run_json("prune", "--older-than", "1d", "--yes")
    assert (told["pruned_entries"], told["pruned_requests"]) == (0, 0)
    assert "say --yes" in " ".join(run("prune", "--older-than", "1d", code=2).stderr.split())
    assert "future" in run("prune", "--older-than", "9000-01-01", "--yes", code=2).stderr
    assert run_json("logs")[0]["generation"] == generation
    # Everything is older than now, once a millisecond has passed.
    gone = run_json("prune", "--older-than", "0d", "--yes")
    assert gone["state"] == "booked"
    assert run_json("credits", "balance", "default")["available"] == before
    assert run_json("ledger", "verify")["ok"]


def test_doctor_looks_at_the_ledger(tmp_path: Path) -> None:
    (tmp_path / "seekroute.yaml").write_text("mock: on\ncredits: {enabled: true}\n")
    run("orgs", "create", "acme")

    def found(code: int = 0) -> dict[str, Any]:
        told = run_json("doctor", "--offline", code=code)
        return {each["check"]: each for each in told["findings"]}

    assert "ledger" not in found()
    run("credits", "add", "acme", "1")
    assert found()["ledger"]["message"].endswith("1 organization; ledger OK")
    (tmp_path / "data" / FILE_NAME).rename(tmp_path / "elsewhere.db")
    gone = found(code=1)["ledger"]
    assert gone["level"] == "failed"
    assert "is gone" in gone["message"]


def test_a_narrow_terminal_does_without_spare_columns() -> None:
    cells = [{"id": "gen-1", "model": "m" * 20, "provider": "p" * 20, "cost": "0.01"}]

    def shown(width: int, *folded: str) -> dict[str, int]:
        spare = ("provider", "model")
        options: Any = {"spare": spare, "folded": folded, "least_folded": 10, "width": width}
        return layout(cells, tuple(cells[0]), **options)

    assert shown(80) == {"id": 5, "model": 20, "provider": 20, "cost": 4}
    assert shown(50) == {"id": 5, "model": 20, "cost": 4}
    assert shown(10) == {"id": 5}
    assert shown(50, "model", "provider") == {"id": 5, "model": 14, "provider": 14, "cost": 4}
