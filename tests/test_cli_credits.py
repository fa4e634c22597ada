"""The commands for money: against a running server, and without one."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import seekroute
from seekroute.cli._root import app
from seekroute.control import ControlPlane, InstanceLock
from seekroute.control.booking import book, carry_out
from seekroute.ledger import FILE_NAME, Balance, Ledger, nano, usd
from serving import MODEL, PATIENCE, RunningServer, running_server

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SEEKROUTE_") or name in {"FORCE_COLOR", "TTY_COMPATIBLE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("SEEKROUTE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("PYTHONPATH", str(Path(seekroute.__file__).parents[1]))
    monkeypatch.chdir(tmp_path)


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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data", credits={"enabled": True}) as running:
        yield running


def command(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "seekroute", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def balance_of(data_dir: Path, org: str) -> Balance:
    with Ledger(data_dir / FILE_NAME, read_only=True) as ledger:
        return ledger.balance(org)


def asked(server: RunningServer, run_json: Run, usd: str = "5") -> str:
    """One paid request of the organization `default`; its generation id."""
    run_json("credits", "add", "default", usd)
    answer = server.chat()
    assert answer.status == 200
    return str(answer.json()["id"])


# --- orders ---------------------------------------------------------------------------------------


def test_credit_is_booked_without_a_server(run: Run, run_json: Run, tmp_path: Path) -> None:
    org = run_json("orgs", "create", "acme")
    added = run_json("credits", "add", "acme", "12.5", "--note", '"it\'s" 🎁, paid; --')
    assert (
        added.items()
        >= {
            "kind": "topup",
            "org": "acme",
            "org_id": org["id"],
            "amount": "12.50",
            "amount_nano": 12_500_000_000,
            "note": '"it\'s" 🎁, paid; --',
            "state": "booked",
            "result": "ok",
            "available": "12.50",
            "available_nano": 12_500_000_000,
            "owed_nano": 0,
            "error": None,
        }.items()
    )
    assert added["id"].startswith("manual:")
    taken = run_json("credits", "adjust", org["id"], "-20.000000001", "--note", "double credit")
    assert (taken["available"], taken["owed"]) == ("0.00", "7.500000001")
    back = run_json("credits", "adjust", "acme", "0.000000001", "--note", "x", "--chargeback")
    assert (back["kind"], back["owed"]) == ("chargeback", "7.50")
    assert balance_of(tmp_path / "data", org["id"]) == Balance(0, 0, 7_500_000_000)
    lines = run("credits", "add", "acme", "7.5").stdout.splitlines()
    assert "owed         0.00" in lines
    assert not any("_nano" in line or "org_id" in line for line in lines)
    with InstanceLock(tmp_path / "data"):  # the commands have let go of it
        pass


def test_an_id_makes_a_payment_count_once(run: Run, run_json: Run, tmp_path: Path) -> None:
    org = run_json("orgs", "create", "acme")
    words = ("credits", "add", "acme", "5", "--id", "stripe:evt_1")
    assert run_json(*words)["result"] == "ok"
    again = run(*words)
    assert "was booked before: nothing was done" in again.stderr
    assert run_json(*words)["result"] == "exists"
    other = run("credits", "add", "acme", "6", "--id", "stripe:evt_1", code=1)
    assert "is that of another order, which is booked" in other.stderr
    assert balance_of(tmp_path / "data", org["id"]).available == nano("5")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("add", "acme", "nan"), 2, "not an amount"),
        (("add", "acme", "Infinity"), 2, "not an amount"),
        (("add", "acme", "ten"), 2, "expected USD"),
        (("add", "acme", ""), 2, "expected USD"),
        (("add", "acme", "0.0000000001"), 2, "nine places"),
        (("add", "acme", "1e12"), 2, "not an amount between"),
        (("add", "acme", "0"), 1, "nothing would be booked"),
        (("add", "acme", "-5"), 1, "only an adjustment takes credit away"),
        (("add", "nobody", "5"), 1, "no organization 'nobody'"),
        (("add", "acme", "5", "--id", "ü"), 1, "printable ASCII"),
        (("add", "acme", "5", "--note", "a\nb"), 1, "control characters"),
        (("adjust", "acme", "5"), 2, "--note"),
        (("adjust", "acme", "5", "--note", " "), 1, "note is empty"),
        (("refund", "gen-nothing", "1"), 1, "there is nothing to refund"),
        (("refund", "gen-nothing", "-1"), 2, "-1"),
        (("line", "acme", "much"), 2, "expected USD"),
        (("balance", "nobody"), 1, "no organization 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    run: Run, words: tuple[str, ...], code: int, message: str
) -> None:
    run("orgs", "create", "acme")
    run("credits", "add", "acme", "1")
    result = run("credits", *words, code=code)
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert run("credits", "balance", "acme").stdout.split()[5] == "1.00"


def test_a_refused_order_is_told_in_json_too(run_json: Run) -> None:
    run_json("orgs", "create", "acme")
    told = run_json("credits", "refund", "gen-nothing", "1", code=1)
    assert (told["state"], told["result"]) == ("refused", "unknown")
    assert "nothing to refund" in told["error"]
    assert run_json("credits", "orders") == [told]


def test_a_command_books_through_the_server_that_runs(
    server: RunningServer, run_json: Run, tmp_path: Path
) -> None:
    org = run_json("orgs", "create", "acme")
    with command("credits", "add", "acme", "3.25", "--json") as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert json.loads(output)["available"] == "3.25"
    assert server.service.ledger is not None
    assert server.service.ledger.balance(org["id"]) == Balance(nano("3.25"), 0, 0)
    with command("credits", "refund", "gen-nothing", "1") as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.startswith("error: there is nothing to refund")


def test_eight_commands_at_once_are_booked_once_each(
    server: RunningServer, run_json: Run, tmp_path: Path
) -> None:
    org = run_json("orgs", "create", "acme")["id"]
    # Each twice, under one id: whoever retries must not pay twice.
    amounts = [f"0.{10 ** (8 - number):09d}" for number in range(4)]
    words = [
        ("credits", "add", "acme", amount, "--id", f"test:{number}", "--json")
        for number, amount in enumerate(amounts)
    ]
    running = [command(*each) for each in (*words, *words)]
    told = []
    for process in running:
        with process:
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            told.append(json.loads(output))
    assert {each["state"] for each in told} == {"booked"}
    assert balance_of(tmp_path / "data", org).available == sum(map(nano, amounts))
    with Ledger(tmp_path / "data" / FILE_NAME, read_only=True) as reader:
        topups = [entry["id"] for entry in reader.entries() if entry["kind"] == "topup"]
        assert sorted(topups) == [f"test:{number}" for number in range(4)]
        assert reader.verify()["rule"] == ""


def test_what_waits_is_booked_when_a_server_starts(run_json: Run, tmp_path: Path) -> None:
    data = tmp_path / "data"
    org = run_json("orgs", "create", "acme")["id"]
    with ControlPlane(data) as control:
        crashed = control.orders.put("topup", org="acme", amount_nano=5)
        with Ledger(data / FILE_NAME) as ledger:
            book(ledger, crashed)  # and the process dies before it could say so
        waiting = control.orders.put("topup", org="acme", amount_nano=7)
        with running_server(data, credits={"enabled": True}):
            done = [carry_out(control.orders, data, order) for order in (crashed, waiting)]
    assert [(order.state, order.result) for order in done] == [
        ("booked", "exists"),
        ("booked", "ok"),
    ]
    assert balance_of(data, org).available == 12


# A process that is killed as soon as it has booked something, before it can say so.
DIES = """
import os, signal, sys
from seekroute.control.orders import OrderBook
OrderBook.finish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""
DYING_COMMAND = DIES + "from seekroute.cli import main; main()"
DYING_SERVER = (
    DIES
    + """
from seekroute.server import serve
serve(config=sys.argv[1], port=0)
"""
)


def test_a_command_that_is_killed_books_once(run_json: Run, run: Run, tmp_path: Path) -> None:
    org = run_json("orgs", "create", "acme")["id"]
    words = ["credits", "add", "acme", "5", "--id", "test:1"]
    killed = subprocess.run(
        [sys.executable, "-c", DYING_COMMAND, *words], check=False, capture_output=True, timeout=60
    )
    assert killed.returncode == -signal.SIGKILL
    (waiting,) = run_json("credits", "orders")
    assert waiting["state"] == "pending"
    assert balance_of(tmp_path / "data", org).available == nano("5")
    assert run_json(*words)["result"] == "exists"
    assert balance_of(tmp_path / "data", org).available == nano("5")


def test_a_server_that_is_killed_books_once(run_json: Run, tmp_path: Path) -> None:
    org = run_json("orgs", "create", "acme")["id"]
    config = tmp_path / "gateway.yaml"
    config.write_text("mock: on\ncredits: {enabled: true}\n")
    with subprocess.Popen(
        [sys.executable, "-c", DYING_SERVER, str(config)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "\n"  # its welcome: it serves
        with command("credits", "add", "acme", "5", "--json") as process:
            output, errors = process.communicate(timeout=PATIENCE)
        assert server.wait(PATIENCE) == -signal.SIGKILL
    # The command took over where the server had died.
    assert process.returncode == 0, errors
    told = json.loads(output)
    assert (told["state"], told["result"]) == ("booked", "exists")
    assert balance_of(tmp_path / "data", org).available == nano("5")


@pytest.mark.parametrize("next_one", ["nobody", "a server"])
def test_a_command_goes_on_when_the_server_it_waits_for_ends(
    run_json: Run, tmp_path: Path, next_one: str
) -> None:
    data = tmp_path / "data"
    org = run_json("orgs", "create", "acme")["id"]
    with ControlPlane(data) as control:
        with InstanceLock(data):  # a server that hangs
            process = command("credits", "add", "acme", "3", "--json")
            until = time.monotonic() + PATIENCE
            while not control.orders.pending(1) and time.monotonic() < until:
                pass
        if next_one == "a server":
            with running_server(data, credits={"enabled": True}), process:
                output, errors = process.communicate(timeout=PATIENCE)
        else:
            with process:
                output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert json.loads(output)["state"] == "booked"
    with Ledger(data / FILE_NAME, read_only=True) as reader:
        assert [entry["org"] for entry in reader.entries()] == [org]


def test_a_server_without_a_ledger_says_so(
    run_json: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekroute.control.booking.WAIT_S", 1.0)
    data = tmp_path / "data"
    with running_server(data, credits={"enabled": False}):
        result = CliRunner().invoke(app, ["credits", "add", "default", "5"])
        assert result.exit_code == 1
        assert "the server that runs here keeps no ledger" in result.stderr
        assert "is stored and will be booked once" in result.stderr
    (waiting,) = run_json("credits", "orders", "--pending")
    assert waiting["state"] == "pending"
    run_json("credits", "add", "default", "1")  # no server: everything that waits is booked
    assert run_json("credits", "balance", "default")["available"] == "6.00"


# --- balances, lines, limits ----------------------------------------------------------------------


def test_balances_of_all_and_what_the_operator_has(run: Run, run_json: Run) -> None:
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


def test_a_credit_line_is_shown_and_changed(run: Run, run_json: Run) -> None:
    run_json("orgs", "create", "acme")
    assert run_json("credits", "line", "acme", "2.5")["credit_line_nano"] == 2_500_000_000
    assert run_json("orgs", "show", "acme")["credit_line"] == "2.50"
    assert run_json("credits", "line", "acme", "none")["credit_line"] == "unlimited"
    assert "credit line   unlimited" in run("orgs", "show", "acme").stdout
    assert run("orgs", "list").stdout.strip().split("\t")[4] == "unlimited"
    assert "billion" in run("credits", "line", "acme", "--", "-1", code=1).stderr


def test_a_keys_limit_is_shown_and_changed(run_json: Run, run: Run) -> None:
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


def test_a_key_of_who_has_no_credit_comes_with_a_hint(run: Run, tmp_path: Path) -> None:
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


def test_logs_show_what_was_asked(server: RunningServer, run: Run, run_json: Run) -> None:
    generation = asked(server, run_json)
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
    assert {**row, "attempts": shown["attempts"]} == shown
    assert [attempt["status"] for attempt in shown["attempts"]] == [200]
    assert generation in run("logs", "show", generation).stdout
    assert "no request 'gen-x'" in run("logs", "show", "gen-x", code=1).stderr


def test_logs_are_paged_and_filtered_over_pages(
    server: RunningServer, run_json: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekroute.cli._logs._PAGE", 2)
    run_json("credits", "add", "default", "5")
    ids = [server.chat().json()["id"] for _ in range(5)][::-1]
    assert [row["generation"] for row in run_json("logs")] == ids
    page = run_json("logs", "--limit", "3")
    assert [row["generation"] for row in page] == ids[:3]
    rest = run_json("logs", "--before", str(page[-1]["n"]))
    assert [row["generation"] for row in rest] == ids[3:]


def test_usage_adds_up(server: RunningServer, run: Run, run_json: Run) -> None:
    asked(server, run_json)
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


def test_a_request_is_refunded_in_parts(server: RunningServer, run: Run, run_json: Run) -> None:
    generation = asked(server, run_json)
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
    assert run_json("ledger", "verify")["ok"]


# --- the journal ----------------------------------------------------------------------------------


def test_the_journal_is_written_out_exactly(server: RunningServer, run: Run, run_json: Run) -> None:
    note = 'he said "no", 🎁\u00a0'
    run_json("credits", "adjust", "default", "0.123456789", "--note", note)
    generation = asked(server, run_json)
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


def test_an_export_takes_no_files_place(run: Run, tmp_path: Path) -> None:
    run("orgs", "create", "acme")
    run("credits", "add", "acme", "1")
    target = tmp_path / "journal.csv"
    assert "wrote 1 entries" in run("ledger", "export", "--output", str(target)).stderr
    kept = target.read_bytes()
    assert len(kept.splitlines()) == 2
    assert "File exists" in run("ledger", "export", "--output", str(target), code=1).stderr
    assert target.read_bytes() == kept
    assert target.stat().st_mode & 0o077 == 0


def test_a_broken_journal_is_found(run: Run, run_json: Run, tmp_path: Path) -> None:
    org = run_json("orgs", "create", "acme")["id"]
    run("credits", "add", "acme", "1")
    assert run_json("ledger", "verify") == {
        "ok": True,
        "rule": "",
        "seq": 0,
        "why": "",
        "entries": 1,
        "requests": 0,
    }
    assert run("ledger", "verify").stdout == "sound: 1 entries, 0 requests\n"
    # No process has it open, so that another library may: what the triggers refuse is done here.
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME)) as connection:
        connection.execute("DROP TRIGGER entry_is_final")
        connection.execute("UPDATE entry SET available = available + 1, cash = cash - 1")
        connection.commit()
    broken = run("ledger", "verify", code=1)
    assert "is broken at entry" in broken.stderr
    told = run_json("ledger", "verify", code=1)
    assert not told["ok"]
    assert told["rule"].startswith("L")
    assert org not in broken.stdout
    assert "is broken at entry" in run("doctor", "--offline", code=1).stdout


@pytest.mark.parametrize(
    "words",
    [
        ("credits", "balance"),
        ("credits", "refund", "gen-x"),
        ("ledger", "verify"),
        ("ledger", "export"),
        ("logs",),
        ("logs", "show", "gen-x"),
        ("usage",),
        ("backup", "copy.db"),
        ("prune", "--older-than", "1d", "--yes"),
    ],
)
def test_without_a_ledger_it_is_said_how_to_get_one(
    run: Run, words: tuple[str, ...], tmp_path: Path
) -> None:
    result = run(*words, code=1)
    assert "there is no ledger at" in result.stderr
    assert "credits.enabled" in result.stderr
    assert not (tmp_path / "data" / FILE_NAME).exists()


# --- upkeep ---------------------------------------------------------------------------------------


def test_a_backup_is_made_while_the_server_runs(
    server: RunningServer, run: Run, run_json: Run, tmp_path: Path
) -> None:
    asked(server, run_json)
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


def test_a_prune_through_the_server(server: RunningServer, run: Run, run_json: Run) -> None:
    generation = asked(server, run_json)
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


def test_doctor_looks_at_the_ledger(run: Run, run_json: Run, tmp_path: Path) -> None:
    (tmp_path / "seekroute.yaml").write_text("mock: on\ncredits: {enabled: true}\n")
    run("orgs", "create", "acme")

    def found(code: int = 0) -> dict[str, Any]:
        told = run_json("doctor", "--offline", code=code)
        return {each["check"]: each for each in told["findings"]}

    assert "ledger" not in found()
    run("credits", "add", "acme", "1")
    assert found()["ledger"]["message"].endswith("1 entries, 1 organizations, sound")
    (tmp_path / "data" / FILE_NAME).rename(tmp_path / "elsewhere.db")
    gone = found(code=1)["ledger"]
    assert gone["level"] == "failed"
    assert "is gone" in gone["message"]
