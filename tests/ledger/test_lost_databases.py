"""control.db or ledger.db gone beside the other: never a silent new beginning."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from money_cli import balance_of, clear, command, paid, run, run_json
from seekroute.cli.root import app
from seekroute.control import ControlPlane
from seekroute.control.lost import LostDatabaseError, open_ledger
from seekroute.ledger import FILE_NAME, Ledger
from seekroute.local_org import LOCAL_ORG
from serving import PATIENCE, chat_body, running_server

USD = 10**9
CONTROL = "control.db"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        clear(patch, folder)
        return paid(folder)


@pytest.fixture
def data(prepared: Path, tmp_path: Path) -> Path:
    """A directory in which acme has paid 5, and which has been served from."""
    shutil.rmtree(tmp_path / "data")  # of `clear`
    shutil.copytree(prepared, tmp_path / "data")
    return tmp_path / "data"


def lose(data: Path, name: str) -> None:
    for each in list(data.iterdir()):
        if each.name.startswith(name) and not each.name.endswith(".lock"):
            each.unlink()


def files(data: Path) -> set[str]:
    return {each.name for each in data.iterdir() if not each.name.endswith((".lock", ".yaml"))}


def refused(data: Path, **settings: Any) -> str:
    """Why a server does not start from it."""
    with (
        pytest.raises(LostDatabaseError) as raised,
        running_server(data, **{"credits": {"enabled": True}, **settings}),
    ):
        pass
    return str(raised.value)


# --- the ledger is gone ---------------------------------------------------------------------------


def test_a_server_does_not_begin_a_new_ledger_in_silence(data: Path) -> None:
    lose(data, FILE_NAME)
    before = files(data)
    said = refused(data)
    assert str(data / FILE_NAME) in said
    assert "Restore a backup" in said
    assert "--new-ledger" in said
    assert files(data) == before


def test_the_program_refuses_with_one_line_and_begins_anew_where_it_is_told(data: Path) -> None:
    lose(data, FILE_NAME)
    words = ("serve", "--port", "0", "--mock", "on")
    with command(*words) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert "--new-ledger" in errors
    with command(*words, "--new-ledger") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"  # its welcome: it serves
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert "seekroute credits replay" in errors
    # Said once: the next start that says it is refused, for it would hide the next loss.
    with command(*words, "--new-ledger") as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "leave it out" in errors
    assert run_json("credits", "replay")["orders"][0]["id"] == "stripe:evt_1"
    assert run_json("credits", "balance", "acme")["available"] == "5.00"


COMMANDS = [
    ("credits", "add", "acme", "7"),
    ("credits", "add", "acme", "5", "--id", "stripe:evt_1"),
    ("credits", "adjust", "acme", "7", "--note", "x"),
    ("credits", "balance", "acme"),
    ("credits", "replay"),
    ("ledger", "verify"),
    ("ledger", "export"),
    ("backup", "copy.db"),
    ("prune", "--older-than", "1d", "--yes"),
    ("logs",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_begins_a_new_ledger(data: Path, words: tuple[str, ...]) -> None:
    lose(data, FILE_NAME)
    before = files(data)
    result = run(*words, code=1)
    assert "--new-ledger" in result.stderr
    assert {name for name in files(data) - before if name.startswith(FILE_NAME)} == set()


# --- what control.db has lost with its log --------------------------------------------------------


def hollow(data: Path) -> None:
    """As a crash leaves it that took the log before it was first written back: no table."""
    lose(data, CONTROL)
    with closing(sqlite3.connect(data / CONTROL)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    assert 0 < (data / CONTROL).stat().st_size <= 4096


def without_rows(data: Path) -> None:
    """Its tables were written back, its organizations were not."""
    lose(data, CONTROL)
    ControlPlane(data, anew=True).close()
    with closing(sqlite3.connect(data / CONTROL)) as connection, connection:
        connection.execute("DELETE FROM organizations")


def of_before_acme(data: Path) -> None:
    """An older copy: another organization is in it, and this one is not."""
    without_rows(data)
    with closing(sqlite3.connect(data / CONTROL)) as connection, connection:
        columns = "id, name, created_at, updated_at, credit_line_nano"
        connection.execute(
            f"INSERT INTO organizations ({columns}) VALUES ('org_o', 'old', 1, 1, 0)"
        )


SPOILED = [hollow, without_rows, of_before_acme]


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda each: each.__name__)
def test_no_server_starts_beside_money_of_whom_control_db_does_not_know(
    data: Path, spoil: Callable[[Path], None]
) -> None:
    org = run_json("orgs", "list")[0]["id"]
    spoil(data)
    before = files(data)
    for enabled in (True, False):
        said = refused(data, credits={"enabled": enabled})
        assert str(data / CONTROL) in said
        assert "--new-control" in said
        assert spoil is hollow or org in said
    assert files(data) - before <= {f"{CONTROL}-wal", f"{CONTROL}-shm"}
    told = run_json("doctor", "--offline", code=1)["findings"]
    failed = [each for each in told if each["level"] == "failed"]
    assert any("--new-control" in each["message"] + each["hint"] for each in failed)
    told = run("ledger", "verify", code=1)
    assert "--new-control" in told.stderr
    with ControlPlane(data, anew=True) as control:  # once: its money has a name again
        assert org in {each.id for each in control.orgs.list()}
        with open_ledger(control.orders, data) as ledger:
            assert ledger.balance(org).available == 5 * USD
    with pytest.raises(LostDatabaseError, match="leave it out"):
        ControlPlane(data, anew=True)
    for enabled in (True, False):
        with running_server(data, credits={"enabled": enabled}) as server:
            assert server.chat().status == 200
    assert run_json("credits", "balance", org)["available"] == "5.00"
    assert run_json("keys", "create", "--org", org)["org_id"] == org


def test_a_command_that_writes_refuses_it_too(data: Path) -> None:
    of_before_acme(data)
    assert "--new-control" in run("credits", "add", "old", "7", code=1).stderr
    run("credits", "replay")  # which has nothing to do: nothing is known to be booked


def started(*words: str) -> tuple[int, str]:
    """The exit code and the errors of a program that is stopped once it has shown a first key."""
    with command("serve", "--port", "0", "--mock", "on", *words) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            process.terminate()
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    return process.returncode, errors


def test_a_new_control_db_has_whom_the_ledger_has_money_of(data: Path) -> None:
    org = run_json("orgs", "list")[0]["id"]
    lose(data, CONTROL)
    assert started("--new-control")[0] == 0
    with running_server(data, credits={"enabled": True}):
        pass
    names = {each["id"]: each["name"] for each in run_json("orgs", "list")}
    assert names.pop(org) == org
    assert list(names.values()) == ["default"]


def test_the_program_takes_over_whom_it_did_not_know_where_it_is_told(data: Path) -> None:
    org = run_json("orgs", "list")[0]["id"]
    without_rows(data)
    code, errors = started()
    assert (code, len(errors.splitlines())) == (2, 1)
    assert "--new-control" in errors
    assert started("--new-control")[0] == 0
    assert started("--new-control")[0] == 2
    with running_server(data, credits={"enabled": True}):
        pass
    assert org in {each["id"] for each in run_json("orgs", "list")}


def test_another_ledger_that_is_taken_brings_its_organizations(data: Path, tmp_path: Path) -> None:
    lose(data, FILE_NAME)
    with Ledger(data / FILE_NAME) as other:
        other.topup("x", "org_y", 1)
        other.topup("z", "acme", 1)  # an id that is another organization's name
    with ControlPlane(data) as control:
        open_ledger(control.orders, data, anew=True).close()
        open_ledger(control.orders, data).close()
        assert {"org_y", "acme"} <= {each.id for each in control.orgs.list()}


def test_a_control_db_that_a_first_start_did_not_finish_is_no_lost_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    hollow(data)
    lose(data, "pepper")  # which is made when control.db is complete
    with running_server(data, credits={"enabled": True}) as server:
        assert server.chat().status == 200


def test_whoever_needs_no_key_is_nobody_that_was_lost(tmp_path: Path) -> None:
    """Requests without a key are booked, and belong to no row of control.db."""
    data = tmp_path / "data"
    settings: dict[str, Any] = {"credits": {"enabled": True}, "require_key": False}
    with running_server(data, **settings) as server:
        json = {"Content-Type": "application/json"}
        path = "/v1/chat/completions"
        assert server.request("POST", path, chat_body(), json, with_key=False).status in (200, 402)
        assert server.service.ledger is not None
        server.service.ledger.topup("test:1", LOCAL_ORG, USD)
    with Ledger(data / FILE_NAME, read_only=True) as ledger:
        assert LOCAL_ORG in ledger.balances()
    with running_server(data, **settings):
        pass
    assert run_json("ledger", "verify")["orders"]["unknown_orgs"] == []


@pytest.mark.parametrize("left", ["ledger.db-wal", "ledger.db-shm", "ledger.db.mark"])
def test_what_is_left_of_a_ledger_tells_that_there_was_one(tmp_path: Path, left: str) -> None:
    data = tmp_path / "data"
    run_json("orgs", "create", "acme")  # this control.db knows of none
    (data / left).write_bytes(b"\x01" * 64)
    assert "--new-ledger" in refused(data)
    assert (data / left).read_bytes() == b"\x01" * 64
    with ControlPlane(data) as control, open_ledger(control.orders, data, anew=True) as ledger:
        assert ledger.verify()["rule"] == ""
    (aside,) = data.glob(f"{left}.lost-*")
    assert aside.read_bytes() == b"\x01" * 64


def test_a_ledger_that_was_emptied_is_lost_too(data: Path) -> None:
    lose(data, FILE_NAME)
    (data / FILE_NAME).touch()
    assert "--new-ledger" in refused(data)


def test_a_ledger_whose_log_was_all_of_it_is_lost_too(data: Path) -> None:
    """As after a kill before the log was first written back, with the log gone."""
    lose(data, FILE_NAME)
    path = str(data / FILE_NAME)
    script = "import os, pathlib; from seekroute.ledger import Ledger; "
    script += f"kept = Ledger(pathlib.Path({path!r})); "
    subprocess.run([sys.executable, "-c", script + "os.kill(os.getpid(), 9)"], timeout=PATIENCE)
    for left in ("-wal", "-shm", ".mark"):
        (data / (FILE_NAME + left)).unlink()
    assert (data / FILE_NAME).stat().st_size > 0
    said = refused(data)
    assert "ledger.db-wal" in said
    assert "--new-ledger" in said
    with ControlPlane(data) as control, open_ledger(control.orders, data, anew=True) as ledger:
        assert ledger.verify()["rule"] == ""


def test_orders_alone_tell_of_a_ledger(data: Path) -> None:
    """A control.db from before it kept the ledger's identity."""
    lose(data, FILE_NAME)
    with sqlite3.connect(data / CONTROL) as connection:
        assert connection.execute("DELETE FROM meta WHERE name = 'ledger'").rowcount == 1
    assert "--new-ledger" in refused(data)


def test_doctor_says_that_the_ledger_is_gone(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEKROUTE_MOCK", "on")  # who has paid needs a provider, or this one by name
    lose(data, FILE_NAME)
    found = run_json("doctor", "--offline", code=1)["findings"]
    failed = [each["message"] for each in found if each["level"] == "failed"]
    assert len(failed) == 1
    assert "--new-ledger" in failed[0]


def test_a_ledger_that_comes_with_credits_is_no_lost_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, credits={"enabled": False}) as server:
        assert server.chat().status == 200
    assert not (data / FILE_NAME).exists()
    with running_server(data, credits={"enabled": True}) as server:
        assert server.chat_with(server.key).status in (200, 402)
    assert (data / FILE_NAME).exists()


def test_credits_that_are_off_need_no_ledger(data: Path) -> None:
    lose(data, FILE_NAME)
    with running_server(data, credits={"enabled": False}) as server:
        assert server.chat().status == 200
    assert not (data / FILE_NAME).exists()


# --- another ledger -------------------------------------------------------------------------------


def test_another_ledger_is_not_taken_for_the_right_one(data: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "other.db") as other:
        other.topup("x", "y", 1)
    run("backup", "copy.db")
    lose(data, FILE_NAME)
    shutil.copy(tmp_path / "other.db", data / FILE_NAME)
    before = (data / FILE_NAME).read_bytes()
    said = refused(data)
    assert "another one" in said
    result = run("credits", "add", "acme", "1", code=1)
    assert "another one" in result.stderr
    assert (data / FILE_NAME).read_bytes() == before
    # Its own copy is the same one.
    lose(data, FILE_NAME)
    shutil.copy(tmp_path / "copy.db", data / FILE_NAME)
    run("credits", "add", "acme", "1")
    # The other one is taken where somebody says so.
    lose(data, FILE_NAME)
    shutil.copy(tmp_path / "other.db", data / FILE_NAME)
    with ControlPlane(data) as control:
        open_ledger(control.orders, data, anew=True).close()
        open_ledger(control.orders, data).close()
        with pytest.raises(LostDatabaseError, match="leave it out"):
            open_ledger(control.orders, data, anew=True)


READERS = [
    ("credits", "balance"),
    ("credits", "balance", "acme"),
    ("credits", "replay"),
    ("credits", "replay", "--dry-run"),
    ("credits", "add", "acme", "5", "--id", "stripe:evt_1"),  # booked before, in the right one
    ("credits", "refund", "gen-x"),
    ("usage",),
    ("logs",),
    ("logs", "show", "gen-x"),
    ("backup", "copy.db"),
    ("receipt", "show", "gen-x"),
    ("ledger", "verify"),
    ("ledger", "export"),
    ("prune", "--older-than", "1d", "--yes"),
    ("doctor", "--offline"),
]


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_no_command_takes_another_ledger_for_the_right_one(
    data: Path, words: tuple[str, ...]
) -> None:
    lose(data, FILE_NAME)
    with Ledger(data / FILE_NAME) as other, ControlPlane(data) as control:
        other.topup("stripe:evt_1", control.orgs.get("acme").id, 5 * USD)
    result = run(*words, code=1)
    assert "another one" in result.output + result.stderr
    assert "--new-ledger" in result.output + result.stderr
    assert not Path("copy.db").exists()


def as_loop(path: Path) -> None:
    path.symlink_to(path.name)


def as_long_link(path: Path) -> None:
    path.symlink_to("/" + "x" * 300)


NO_FILES = [as_loop, as_long_link, Path.mkdir, os.mkfifo]


@pytest.mark.parametrize("become", NO_FILES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", [FILE_NAME, CONTROL])
def test_what_is_no_file_is_named_and_left_alone(
    data: Path, name: str, become: Callable[[Path], None]
) -> None:
    (data / name).rename(data.parent / name)
    become(data / name)
    commands = READERS if name == FILE_NAME else [("orgs", "list"), ("doctor", "--offline")]
    for words in commands:
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        said = (result.output + result.stderr).replace("\n", " ")
        assert result.exit_code in (1, 2), (words, said)
        assert f"{data / name} cannot be used: " in said, (words, said)
    assert f"{data / name} cannot be used: " in refused(data)
    run("keys", "list", code=0 if name == FILE_NAME else 1)
    (os.rmdir if os.path.isdir(data / name) else os.unlink)(data / name)
    (data.parent / name).rename(data / name)
    assert run_json("credits", "balance", "acme")["available"] == "5.00"


# --- control.db is gone ---------------------------------------------------------------------------


def test_a_server_does_not_begin_a_new_control_db_in_silence(data: Path) -> None:
    lose(data, CONTROL)
    before = files(data)
    for enabled in (True, False):
        said = refused(data, credits={"enabled": enabled})
        assert str(data / CONTROL) in said
        assert "--new-control" in said
    assert files(data) == before


def test_the_program_begins_a_new_control_db_where_it_is_told(data: Path) -> None:
    org = run_json("orgs", "list")[0]["id"]
    lose(data, CONTROL)
    words = ("serve", "--port", "0", "--mock", "on")
    with command(*words) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert "--new-control" in errors
    with command(*words, "--new-control") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    with command(*words, "--new-control") as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "leave it out" in errors
    assert balance_of(data, org).available == 5 * USD  # the ledger is the one that was there


@pytest.mark.parametrize(
    "words",
    [
        ("orgs", "create", "other"),
        ("orgs", "list"),
        ("keys", "create", "--org", "acme"),
        ("keys", "list"),
        ("apps", "list"),
        ("credits", "add", "acme", "1"),
        ("credits", "balance"),
        ("logs",),
        ("usage",),
    ],
    ids=" ".join,
)
def test_no_command_begins_a_new_control_db(data: Path, words: tuple[str, ...]) -> None:
    lose(data, CONTROL)
    result = run(*words, code=1)
    assert "--new-control" in result.stderr
    assert not (data / CONTROL).exists()


@pytest.mark.parametrize("left", ["control.db-wal", "ledger.db-wal", "ledger.db.mark", FILE_NAME])
def test_what_is_left_tells_that_there_was_a_control_db(tmp_path: Path, left: str) -> None:
    data = tmp_path / "another"
    data.mkdir()
    (data / left).write_bytes(b"\x01" * 64)
    with pytest.raises(LostDatabaseError, match="--new-control"):
        ControlPlane(data)
    assert files(data) == {left}


def test_an_empty_control_db_beside_a_ledger_is_lost_too(data: Path) -> None:
    lose(data, CONTROL)
    (data / CONTROL).touch()
    assert "--new-control" in refused(data)


def test_a_first_start_is_not_affected(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, credits={"enabled": True}) as server:
        assert server.chat().status == 200
    with running_server(data, credits={"enabled": True}) as server:  # nor the second
        assert server.chat_with(server.key).status == 200


# --- both are gone --------------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["pepper", "refused.jsonl"])
def test_a_folder_that_lost_both_is_no_first_start(data: Path, left: str) -> None:
    for each in list(data.iterdir()):
        if each.is_file() and each.suffix != ".yaml":
            each.unlink()
    (data / left).write_bytes(b"x" * 32)
    (data / left).chmod(0o600)
    before = files(data)
    said = refused(data)
    assert str(data / CONTROL) in said
    assert f"{left} is there" in said
    assert "ledger.db" in said
    assert "Restore" in said
    assert "--new-control" in said
    assert files(data) == before
    again = CliRunner().invoke(app, ["orgs", "create", "acme"])
    assert again.exit_code == 1  # commands make no data directory
    assert files(data) == before


def test_both_begin_anew_where_it_is_said(data: Path) -> None:
    pepper = (data / "pepper").read_bytes()
    lose(data, FILE_NAME)
    lose(data, CONTROL)
    with ControlPlane(data, anew=True) as control:
        with open_ledger(control.orders, data) as ledger:
            assert ledger.balances() == {}
        assert control.pepper == pepper
    with ControlPlane(data) as control:
        assert control.orgs.list() == []


def test_an_empty_pepper_and_locks_are_no_sign_of_a_database(tmp_path: Path) -> None:
    for name in ("server.lock", "write.lock", "pepper.0123456789abcdef"):
        (tmp_path / name).touch()
    ControlPlane(tmp_path).close()
