"""Commands that only read, on a data directory that cannot be written: a mounted backup."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import money_cli
from seekroute.ledger import Ledger
from seekroute.money import nano

# Root may write anywhere: its commands run as nobody.
USER = 65534 if os.geteuid() == 0 else None


class Folder:
    """A data directory that whoever runs the commands may read, and not write."""

    def __init__(self, path: Path) -> None:
        self.data = path

    def seal(self) -> None:
        for each in self.data.iterdir():
            each.chmod(0o400)
            if USER is not None:
                os.chown(each, USER, USER)
        self.data.chmod(0o555)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        before = sorted((each.name, each.stat().st_mtime_ns) for each in self.data.iterdir())
        done = subprocess.run(
            [sys.executable, "-m", "seekroute", "--data-dir", str(self.data), *words],
            capture_output=True,
            text=True,
            cwd=self.data.parent,
            user=USER,
            group=USER,
            extra_groups=None if USER is None else (),
            check=False,
        )
        if USER is not None and "No module named seekroute" in done.stderr:
            pytest.skip("other users may not read the package")
        after = sorted((each.name, each.stat().st_mtime_ns) for each in self.data.iterdir())
        assert before == after
        return done


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    # Not pytest's folder, which nobody but its owner may enter.
    parent = Path(tempfile.mkdtemp(prefix="seekroute-read-only-"))
    parent.chmod(0o755)
    money_cli.clear(monkeypatch, parent)
    money_cli.run("orgs", "create", "acme")
    money_cli.run("keys", "create", "--org", "acme", "--name", "bot")
    money_cli.run("credits", "add", "acme", "5", "--id", "paid:1")
    yield Folder(parent / "data")
    (parent / "data").chmod(0o755)
    shutil.rmtree(parent)


@pytest.mark.parametrize(
    ("words", "shows"),
    [
        (("ledger", "verify"), "ledger OK: 1 entry"),
        (("ledger", "export"), "paid:1"),
        (("credits", "balance"), "5.00"),
        (("credits", "orders"), "paid:1"),
        (("orgs", "list"), "acme"),
        (("keys", "list"), "bot"),
        (("apps", "list"), ""),
        (("logs",), ""),
        (("usage",), ""),
    ],
)
def test_commands_that_read_work_and_write_nothing(
    folder: Folder, words: tuple[str, ...], shows: str
) -> None:
    folder.seal()
    done = folder.run(*words)
    assert done.returncode == 0, done.stderr
    assert shows in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("orgs", "create", "other"),
        ("keys", "create", "--org", "acme"),
        ("credits", "add", "acme", "1"),
        ("credits", "line", "acme", "1"),
    ],
)
def test_commands_that_write_say_that_they_cannot(folder: Folder, words: tuple[str, ...]) -> None:
    folder.seal()
    done = folder.run(*words)
    assert done.returncode == 1
    assert f"{folder.data} cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_says_that_nothing_can_be_written(folder: Folder) -> None:
    folder.seal()
    done = folder.run("doctor")
    assert done.returncode == 1
    assert "cannot be written" in done.stdout


@pytest.mark.parametrize("with_index", [True, False])
def test_a_log_that_was_not_written_back_is_read_or_named(folder: Folder, with_index: bool) -> None:
    """A crash leaves it, with the newest entries in it."""
    path = folder.data / "ledger.db"
    with Ledger(path) as ledger:
        ledger.topup("paid:2", "acme", nano("7"))
        copied = [each for each in folder.data.iterdir() if each.name.startswith("ledger.db")]
        for each in copied:
            shutil.copyfile(each, folder.data.parent / each.name)
    for each in copied:
        shutil.move(folder.data.parent / each.name, each)
    if not with_index:
        (folder.data / "ledger.db-shm").unlink()
    folder.seal()
    done = folder.run("ledger", "export")
    if with_index:
        assert "paid:2" in done.stdout
    else:
        assert done.returncode == 1
        assert "ledger.db-wal has to be written back" in done.stderr
        assert "copy the folder" in done.stderr


def test_an_older_schema_is_not_brought_up_to_date(folder: Folder) -> None:
    with closing(sqlite3.connect(folder.data / "control.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        connection.commit()
    folder.seal()
    done = folder.run("orgs", "list")
    assert done.returncode == 1
    assert "has schema 0001" in done.stderr
    assert "copy the folder" in done.stderr
