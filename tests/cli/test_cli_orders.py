"""Orders by command: booked once, by a running server or without one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from money_cli import balance_of, clear, command, run, run_json
from seekroute.cli.root import app
from seekroute.control import ControlPlane, InstanceLock
from seekroute.control.booking import book, carry_out
from seekroute.ledger import FILE_NAME, Balance, Ledger
from seekroute.money import nano
from serving import PATIENCE, RunningServer, running_server


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data", credits={"enabled": True}) as running:
        yield running


# --- orders ---------------------------------------------------------------------------------------


def test_credit_is_booked_without_a_server(tmp_path: Path) -> None:
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


def test_an_id_makes_a_payment_count_once(tmp_path: Path) -> None:
    org = run_json("orgs", "create", "acme")
    words = ("credits", "add", "acme", "5", "--id", "stripe:evt_1")
    assert run_json(*words)["result"] == "ok"
    again = run(*words)
    assert "was booked before: nothing was done" in again.stderr
    assert run_json(*words)["result"] == "exists"
    other = run("credits", "add", "acme", "6", "--id", "stripe:evt_1", code=1)
    assert "was already used for a different order, which is booked" in other.stderr
    assert balance_of(tmp_path / "data", org["id"]).available == nano("5")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("add", "acme", "nan"), 2, "not an amount"),
        (("add", "acme", "Infinity"), 2, "not an amount"),
        (("add", "acme", "ten"), 2, "expected USD"),
        (("add", "acme", ""), 2, "expected USD"),
        (("add", "acme", "0.0000000001"), 2, "nine places"),
        (("add", "acme", "1000000000001"), 2, "not an amount between"),
        (("add", "acme", "0"), 1, "nothing would be booked"),
        (("add", "acme", "-5"), 1, "only an adjustment takes credit away"),
        (("add", "nobody", "5"), 1, "no organization 'nobody'"),
        (("add", "acme", "5", "--id", "ü"), 1, "printable ASCII"),
        (("add", "acme", "5", "--id", ""), 1, "printable ASCII"),
        (("add", "acme", "5", "--note", "a\nb"), 1, "control characters"),
        (("adjust", "acme", "5"), 2, "--note"),
        (("adjust", "acme", "5", "--note", " "), 1, "note is empty"),
        (("refund", "gen-nothing", "1"), 1, "there is nothing to refund"),
        (("refund", "gen-nothing", "-1"), 2, "-1"),
        (("line", "acme", "much"), 2, "expected USD"),
        (("balance", "nobody"), 1, "no organization 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], code: int, message: str) -> None:
    run("orgs", "create", "acme")
    run("credits", "add", "acme", "1")
    result = run("credits", *words, code=code)
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output
    assert run("credits", "balance", "acme").stdout.split()[5] == "1.00"


def test_a_refused_order_is_told_in_json_too() -> None:
    run_json("orgs", "create", "acme")
    told = run_json("credits", "refund", "gen-nothing", "1", code=1)
    assert (told["state"], told["result"]) == ("refused", "unknown")
    assert "nothing to refund" in told["error"]
    assert run_json("credits", "orders") == [told]


def test_a_command_books_through_the_server_that_runs(
    server: RunningServer, tmp_path: Path
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


def test_eight_commands_at_once_are_booked_once_each(server: RunningServer, tmp_path: Path) -> None:
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


def test_what_waits_is_booked_when_a_server_starts(tmp_path: Path) -> None:
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


def test_a_command_that_is_killed_books_once(tmp_path: Path) -> None:
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


def test_a_server_that_is_killed_books_once(tmp_path: Path) -> None:
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
def test_a_command_goes_on_when_the_server_it_waits_for_ends(tmp_path: Path, next_one: str) -> None:
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


def test_an_interrupted_command_says_that_its_order_stands(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run_json("orgs", "create", "acme")
    words = ("credits", "add", "acme", "3", "--id", "test:1")
    with ControlPlane(data) as control, InstanceLock(data), command(*words) as process:
        until = time.monotonic() + PATIENCE
        while not control.orders.pending(1) and time.monotonic() < until:
            pass
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert errors.startswith("error: interrupted. The order test:1 is stored and will be booked")
    assert run_json(*words)["available"] == "3.00"


def test_a_server_without_a_ledger_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
