"""A database of 0 bytes whose log is whole: SQLite removes that log, so nobody may open it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from money_cli import clear, command, paid
from seekroute.cli.root import app
from seekroute.control import upgrade_is_due
from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.ledger import FILE_NAME, Ledger, LedgerError
from serving import PATIENCE

CONTROL = "control.db"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory in which acme has paid 5."""
    return paid(tmp_path)


def empty(data: Path, name: str) -> dict[str, bytes]:
    """Leaves a database as a power cut may: its file cut to nothing, its log whole.

    Returns the bytes of the files of that name.
    """
    path, log = data / name, data / f"{name}-wal"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA user_version = 7")
        kept = log.read_bytes()
    assert kept
    shutil.copy(path, data.parent / f"{name}.whole")
    for suffix in ("-wal", "-shm"):
        (data / f"{name}{suffix}").unlink(missing_ok=True)
    path.write_bytes(b"")
    log.write_bytes(kept)
    return held(data, name)


def held(data: Path, name: str) -> dict[str, bytes]:
    return {
        each.name: each.read_bytes()
        for each in data.iterdir()
        if each.name.startswith(name) and not each.name.endswith((".lock", "-shm"))
    }


COMMANDS = [
    ("orgs", "list"),
    ("orgs", "create", "other"),
    ("apps", "list"),
    ("keys", "list"),
    ("keys", "create", "--org", "acme"),
    ("credits", "add", "acme", "1"),
    ("credits", "balance"),
    ("credits", "orders"),
    ("credits", "replay"),
    ("ledger", "verify"),
    ("ledger", "export"),
    ("backup", "copy.db"),
    ("prune", "--older-than", "1d", "--yes"),
    ("logs",),
    ("usage",),
    ("doctor", "--offline"),
    ("config", "check"),
    ("receipt", "verify", "copy.json"),
]


@pytest.fixture(params=[CONTROL, FILE_NAME])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[False, True], ids=["beside", "alone"])
def kept(request: pytest.FixtureRequest, data: Path, name: str) -> dict[str, bytes]:
    """An emptied database, beside the other one or alone: the bytes of its files."""
    found = empty(data, name)
    if request.param:
        for each in list(data.iterdir()):
            if not each.name.startswith(name):
                each.unlink()
    return found


def test_no_command_takes_the_log_of_an_emptied_database(
    data: Path, name: str, kept: dict[str, bytes]
) -> None:
    for words in COMMANDS:
        CliRunner().invoke(app, words, catch_exceptions=False)
        assert held(data, name) == kept, words


def test_the_program_refuses_an_emptied_database_and_leaves_its_log(
    data: Path, name: str, kept: dict[str, bytes]
) -> None:
    # It ends by itself: one that serves would not.
    with command("serve", "--port", "0", "--mock", "on") as process:
        try:
            _, errors = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, len(errors.splitlines())) == (2, 1), errors
    assert "Restore a backup" in errors
    assert held(data, name) == kept


def test_an_emptied_database_is_not_opened_to_ask_for_its_schema(data: Path) -> None:
    assert not upgrade_is_due(data)
    kept = empty(data, CONTROL)
    assert upgrade_is_due(data)
    assert held(data, CONTROL) == kept


def test_who_has_it_open_makes_no_connection_to_one_that_is_cut(data: Path, tmp_path: Path) -> None:
    with closing(Database(data)) as database:
        kept = empty(data, CONTROL)
        for use in (
            database.version,
            database.check,
            lambda: database.read().__enter__(),
            lambda: database.write().__enter__(),
            lambda: database.backup(tmp_path / "copy.db"),
        ):
            with pytest.raises(ControlError, match="is empty"):
                use()
            assert held(data, CONTROL) == kept


def test_the_ledger_says_that_it_was_emptied(data: Path) -> None:
    kept = empty(data, FILE_NAME)
    for read_only in (True, False):
        with pytest.raises(LedgerError, match=r"is empty, though .*-wal is there"):
            Ledger(data / FILE_NAME, read_only=read_only)
        assert held(data, FILE_NAME) == kept
