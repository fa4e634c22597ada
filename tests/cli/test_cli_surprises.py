"""Commands in unusual moments: a ledger that cannot be read, an empty folder, an interruption."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from money_cli import balance_of, clear, run, run_json
from seekroute.cli import ledger as ledger_commands
from seekroute.cli import logs
from seekroute.cli.money import margin
from seekroute.cli.root import app
from seekroute.control import ControlPlane, booking, looks_valid
from seekroute.ledger import FILE_NAME, Ledger
from seekroute.testing import Status
from serving import running_server

USD = 10**9


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)


# --- a ledger that cannot be read -----------------------------------------------------------------


def as_garbage(path: Path) -> None:
    path.write_bytes(b"no ledger " * 1000)


@pytest.mark.parametrize("become", [Path.mkdir, as_garbage], ids=["folder", "garbage"])
def test_a_key_is_made_beside_a_ledger_that_cannot_be_read(
    tmp_path: Path, become: Callable[[Path], None]
) -> None:
    run_json("orgs", "create", "acme")
    become(tmp_path / "data" / FILE_NAME)
    (tmp_path / "seekroute.yaml").write_text("credits: {enabled: true}\n")
    made = run("--config", "seekroute.yaml", "keys", "create", "--org", "acme")
    assert looks_valid(made.stdout.strip())
    assert "has no credit yet" not in made.stderr
    assert "whether acme has credit cannot be read" in made.stderr
    assert len(run_json("keys", "list")) == 1


@pytest.mark.parametrize("words", [("keys", "list"), ("providers", "status"), ("orgs", "list")])
def test_a_broken_configuration_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("SEEKROUTE_DATA_DIR")
    (tmp_path / "seekroute.yaml").write_text("nonsense: 1\n")
    told = run(*words, code=2).stderr
    assert "nonsense: unknown key" in told
    assert "--data-dir DIR before the command" in told
    passed = CliRunner().invoke(app, ("--data-dir", "data", *words))
    assert passed.exit_code == (1 if words[0] == "providers" else 0)
    assert "nonsense" not in passed.output


def test_what_keys_have_used_is_summed_in_the_ledger(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", credits={"enabled": True}) as server:
        ids = [server.chat().headers["x-generation-id"] for _ in range(2)]
        key = run_json("keys", "list")[0]["id"]
        assert server.service.ledger is not None
        charged = [server.service.ledger.generation(id) for id in ids]
    total = sum(row["cost"] for row in charged if row is not None)
    assert total > 0
    with Ledger(tmp_path / "data" / FILE_NAME, read_only=True) as ledger:
        assert ledger.key_charges() == {key: total}
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(Ledger, "activity")  # a row a key, day and model: too many for a list
        (row,) = run_json("keys", "list")
    assert row["used"].rstrip("0") == f"{total / USD:.9f}".rstrip("0")


# --- a folder in which nothing was begun ----------------------------------------------------------


def test_doctor_makes_nothing_in_an_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    result = CliRunner().invoke(app, ("--data-dir", str(folder), "doctor", "--offline"))
    assert "the first start" in result.output
    assert list(folder.iterdir()) == []


# --- an order that is interrupted -----------------------------------------------------------------


def interrupted(monkeypatch: pytest.MonkeyPatch, *, booked: bool) -> None:
    carry_out = booking.carry_out

    def cut(*args: Any, **options: Any) -> Any:
        if booked:
            carry_out(*args, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(booking, "carry_out", cut)


def test_an_order_that_is_cut_after_it_was_booked_is_shown_as_booked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = run_json("orgs", "create", "acme")["id"]
    interrupted(monkeypatch, booked=True)
    result = run("credits", "add", "acme", "5", "--id", "stripe:evt_1", "--json")
    told = json.loads(result.stdout)
    assert (told["state"], told["result"], told["available"]) == ("booked", "ok", "5.00")
    assert "will be booked" not in result.stderr
    assert balance_of(tmp_path / "data", org).available == 5 * USD


def test_an_order_that_is_cut_before_it_was_booked_still_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_json("orgs", "create", "acme")
    interrupted(monkeypatch, booked=False)
    said = run("credits", "add", "acme", "5", "--id", "stripe:evt_1", code=1).stderr
    assert "stripe:evt_1 is stored and will be booked once" in said


def test_a_repeated_order_that_is_cut_counts_as_booked(monkeypatch: pytest.MonkeyPatch) -> None:
    run_json("orgs", "create", "acme")
    run("credits", "add", "acme", "5", "--id", "stripe:evt_1")
    interrupted(monkeypatch, booked=False)
    said = run("credits", "add", "acme", "5", "--id", "stripe:evt_1", code=1).stderr
    assert "stripe:evt_1 was given before and counts as booked" in said
    assert "will be booked" not in said


# --- lists of requests ----------------------------------------------------------------------------


def test_a_request_that_ends_before_the_first_page_is_followed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_server(tmp_path / "data", credits={"enabled": True}) as server:
        ids = [server.chat().headers["x-generation-id"]]
        look = logs._running

        def running(*args: Any) -> Any:
            found = look(*args)
            ids.append(server.chat().headers["x-generation-id"])
            return found

        def rest(_: float) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(logs, "_running", running)
        monkeypatch.setattr("seekroute.cli.logs.time.sleep", rest)
        shown = run("logs", "--follow", "--json").stdout.splitlines()
    assert [json.loads(line)["generation"] for line in shown] == ids


def test_refusals_do_not_hide_the_number_of_the_next_page(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", credits={"enabled": True}) as server:
        server.mock.default = Status(500)
        for _ in range(3):
            server.chat()
        for _ in range(5):
            wrong = {"Authorization": "Bearer sk-x", "Content-Type": "application/json"}
            assert server.request("GET", "/v1/models", headers=wrong).status == 401
    found: list[int] = []
    page = ["logs", "--failed", "--limit", "2"]
    rows = run_json(*page)
    # As many of either: those that were refused have no number to go on from.
    assert sorted(row["settlement"] == "refused" for row in rows) == [False, False, True, True]
    while numbers := [row["n"] for row in rows if row.get("n")]:
        found += numbers
        rows = run_json(*page, "--before", str(numbers[-1]))
    assert len(found) == 3
    assert found == sorted(found, reverse=True)


def test_a_margin_has_one_meaning() -> None:
    """Of what was charged: totals of days know no refunds, so that of a request does neither."""
    assert margin({"cost": 10, "upstream_cost": 4}) == 6
    assert margin({"cost": 10, "upstream_cost": 4, "refunded": 3}) == 6
    assert margin({"cost": 10, "upstream_cost": None}) is None


# --- a terminal -----------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_an_export_to_a_terminal_shows_what_it_would_obey(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    note = "paid\x1b[2J \u202eback\x9b"
    org = run_json("orgs", "create", "acme")["id"]
    run("credits", "add", "acme", "5", "--note", "x")
    with Ledger(tmp_path / "data" / FILE_NAME) as ledger:
        ledger.adjust("case:1", org, 5, note)
    screen = _Terminal()

    @contextlib.contextmanager
    def target(_: Path | None) -> Iterator[io.StringIO]:
        yield screen

    with monkeypatch.context() as patch:
        patch.setattr(ledger_commands, "_target", target)
        run("ledger", "export", "--format", format_)
    shown = screen.getvalue()
    assert "paid" in shown
    for each in "\x1b\u202e\x9b":
        assert each not in shown
    if format_ == "jsonl":
        assert note in [json.loads(line)["note"] for line in shown.splitlines()]
    # A file or pipe gets it as it is.
    piped = run("ledger", "export", "--format", format_).stdout
    assert "\u202e" in piped


def test_models_check_says_which_key_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "seekroute.yaml").write_text(
        "providers: {deepseek: {api_key: '${NOBODY_SETS_THIS}'}}\n"
    )
    said = CliRunner().invoke(app, ("--config", "seekroute.yaml", "models", "check")).stderr
    assert "NOBODY_SETS_THIS" in said


def test_a_control_db_without_the_index_gets_it(tmp_path: Path) -> None:
    import shutil
    import sqlite3

    from seekroute.control.database import Database
    from seekroute.control.revisions import MIGRATIONS

    index = "SELECT count(*) FROM sqlite_master WHERE name = 'ix_credit_orders_org_id'"
    old = tmp_path / "old"
    shutil.copytree(MIGRATIONS, old)
    for step in (old / "versions").glob("[0-9]*.py"):
        if step.name >= "0003":
            step.unlink()
    for name, had in (("with", True), ("without", False)):
        data = tmp_path / name
        Database(data, migrations=old).close()
        with contextlib.closing(sqlite3.connect(data / "control.db")) as connection:
            connection.execute("DROP INDEX IF EXISTS ix_credit_orders_org_id")
            if had:  # as the second step made it for a while
                connection.execute("CREATE INDEX ix_credit_orders_org_id ON credit_orders (org_id)")
            connection.commit()
        ControlPlane(data).close()
        with contextlib.closing(sqlite3.connect(data / "control.db")) as connection:
            assert connection.execute(index).fetchone() == (1,)
