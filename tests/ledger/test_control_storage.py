"""The files of the control plane: modes, schema, pepper, locks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from control_support import add_key, open_control
from seekroute.control import ControlError, ControlPlane, DirectoryInUseError, InstanceLock
from seekroute.control.database import MIGRATIONS, Database
from seekroute.control.models import metadata


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlPlane]:
    with open_control(tmp_path / "data") as plane:
        yield plane


# --- files -------------------------------------------------------------------------------------


def test_files_are_private(tmp_path: Path) -> None:
    directory = tmp_path / "deep" / "data"
    with open_control(directory) as control, InstanceLock(directory):
        add_key(control)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert modes.keys() >= {"control.db", "control.db-wal", "pepper", "server.lock"}
    assert set(modes.values()) == {0o600}


def test_a_database_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    open_control(tmp_path).close()
    (tmp_path / "control.db").chmod(0o644)
    open_control(tmp_path).close()
    assert stat.S_IMODE((tmp_path / "control.db").stat().st_mode) == 0o600


def test_a_key_is_nowhere_on_disk(tmp_path: Path) -> None:
    with open_control(tmp_path) as control:
        row, first = add_key(control, name="the-name-of-the-key")
        _, second = control.keys.roll(row.id)
        control.keys.revoke(row.id)
        found = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    found += b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"the-name-of-the-key" in found
    for key in (first, second):
        random = key.removeprefix("sk-sr-")
        # No recognisable part either: only the last 4 characters are stored.
        assert not any(random[i : i + 8].encode() in found for i in range(len(random) - 7))


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ControlError, match="cannot use the data directory"):
        open_control(tmp_path / "file")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_bytes(b"hello" * 1000)
    with pytest.raises(ControlError, match="not a database"):
        open_control(tmp_path)


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "control.db")) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(ControlError, match="not a control database of seekroute"):
        open_control(tmp_path)


# --- the schema and its history ----------------------------------------------------------------


def test_the_migrations_lead_to_the_models(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    from seekroute.control.models import metadata

    Database(tmp_path).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'control.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_every_table_is_strict(tmp_path: Path) -> None:
    Database(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "control.db")) as connection:
        rows = connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema='main'")
        loose = {name for name, strict in rows if not strict}
    assert loose == {"alembic_version", "sqlite_schema", "sqlite_sequence"}


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    with open_control(tmp_path) as control:
        row, _ = add_key(control)
    before = (tmp_path / "control.db").read_bytes()
    with open_control(tmp_path) as control:
        assert [key.id for key in control.keys.list()] == [row.id]
    assert (tmp_path / "control.db").read_bytes() == before
    assert not list(tmp_path.glob("*.backup"))


def test_a_database_of_before_credits_keeps_its_rows(tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(MIGRATIONS, old)
    for migration in (old / "versions").glob("[0-9]*.py"):
        if migration.name > "0002":
            migration.unlink()
    data = tmp_path / "data"
    Database(data, migrations=old).close()
    key, mac = "key_1", b"m" * 32
    with closing(sqlite3.connect(data / "control.db")) as connection:
        connection.execute("INSERT INTO organizations VALUES ('org_1', 'acme', 1, 2, NULL)")
        connection.execute(
            "INSERT INTO api_keys VALUES (?, 'org_1', NULL, 'seekroute', 'ci', 'sk-sr-', 'abcd', "
            "?, NULL, 3, 4, NULL, NULL, NULL)",
            (key, mac),
        )
        connection.execute("INSERT INTO key_changes VALUES (7, ?)", (mac,))
        connection.commit()

    with open_control(data) as control:
        (org,) = control.orgs.list()
        assert (org.id, org.name, org.created_at, org.updated_at) == ("org_1", "acme", 1, 2)
        assert org.credit_line_nano is None  # it goes on as it was: unlimited
        (row,) = control.keys.list()
        assert (row.id, row.mac, row.created_at) == (key, mac, 3)
        assert (row.limit_nano, row.limit_reset, row.store_answers) == (None, "never", False)
        assert row.auto_strategy is None
        assert [key.credit_line_nano for key in control.core_keys()] == [None]
        assert control.change_cursor() == 7
        assert control.orgs.create("new").credit_line_nano == 0
    (backup,) = data.glob("control.db.schema-0001.*.backup")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT id FROM api_keys").fetchall() == [(key,)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE api_keys SET limit_reset = 'yearly'",
        "UPDATE api_keys SET store_answers = 2",
        "UPDATE api_keys SET auto_strategy = 'best'",
        "INSERT INTO credit_orders (id, kind, note, created_at, state) "
        "VALUES ('x', 'gift', '', 1, 'pending')",
        "INSERT INTO credit_orders (id, kind, note, created_at, state) "
        "VALUES ('x', 'topup', '', 1, 'lost')",
    ],
)
def test_the_database_refuses_words_it_does_not_know(tmp_path: Path, change: str) -> None:
    with open_control(tmp_path) as control:
        add_key(control)
    with (
        closing(sqlite3.connect(tmp_path / "control.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="CHECK"),
    ):
        connection.execute(change)


def test_a_backup_is_a_database_of_that_moment(tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "control.db"
    copy.parent.mkdir()
    with open_control(tmp_path / "data") as control:
        row, key = add_key(control)
        control.backup(copy)
        control.keys.revoke(row.id)
        with pytest.raises(ControlError, match=r"cannot write .*: File exists"):
            control.backup(copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in copy.parent.iterdir()] == ["control.db"]
    shutil.copy(tmp_path / "data" / "pepper", copy.parent)
    with open_control(copy.parent) as restored:
        assert not restored.keys.get(key).revoked


@pytest.fixture
def newer_migrations(tmp_path: Path) -> Path:
    """The schema's history with one more step."""
    folder = tmp_path / "newer"
    shutil.copytree(MIGRATIONS, folder)
    last = max(file.name for file in (folder / "versions").glob("0*.py"))[:4]
    (folder / "versions" / "9999_add_a_note.py").write_text(
        "import sqlalchemy as sa\n"
        "from alembic import op\n"
        f"revision, down_revision = '9999', '{last}'\n"
        "def upgrade():\n"
        "    with op.batch_alter_table('organizations', recreate='always') as table:\n"
        "        table.add_column(sa.Column('note', sa.Text))\n"
    )
    return folder


def test_an_older_database_is_backed_up_and_upgraded(
    tmp_path: Path, newer_migrations: Path
) -> None:
    data = tmp_path / "data"
    with open_control(data) as control:
        row, _ = add_key(control)
    Database(data, migrations=newer_migrations).close()

    (backup,) = data.glob("control.db.schema-*.backup")
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    for path, has_note in ((backup, False), (data / "control.db", True)):
        with closing(sqlite3.connect(path)) as connection:
            columns = {line[1] for line in connection.execute("PRAGMA table_info(organizations)")}
            keys = connection.execute("SELECT id FROM api_keys").fetchall()
        assert ("note" in columns) == has_note
        assert keys == [(row.id,)]


def test_a_newer_database_is_refused(tmp_path: Path, newer_migrations: Path) -> None:
    data = tmp_path / "data"
    Database(data, migrations=newer_migrations).close()
    with pytest.raises(ControlError, match=r"has schema 9999, this seekroute knows .* 0011"):
        open_control(data)


def without(data: Path, *statements: str) -> None:
    """Takes something out of the database behind our back."""
    with closing(sqlite3.connect(data / "control.db")) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for each in statements:
            connection.execute(each)
        connection.commit()


TABLES = sorted(set(metadata.tables) - {"alembic_version"})


@pytest.mark.parametrize("table", TABLES)
def test_a_database_without_one_of_its_tables_is_refused(tmp_path: Path, table: str) -> None:
    with open_control(tmp_path) as control:
        add_key(control)
    without(tmp_path, f"DROP TABLE {table}")
    before = (tmp_path / "control.db").read_bytes()
    for _ in range(2):
        with pytest.raises(ControlError) as raised:
            open_control(tmp_path)
        said = str(raised.value)
        assert str(tmp_path / "control.db") in said
        assert f"table {table}" in said
        assert "estore a backup" in said
        assert "--new-control" in said
    with pytest.raises(ControlError, match=f"table {table}"):
        Database(tmp_path, anew=True)  # its other tables would be lost in silence
    assert (tmp_path / "control.db").read_bytes() == before


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("organizations", "suspended_at"),
        ("api_keys", "limit_nano"),
        ("credit_orders", "note"),
        ("apps", "updated_at"),
    ],
)
def test_a_database_without_one_of_its_columns_is_refused(
    tmp_path: Path, table: str, column: str
) -> None:
    open_control(tmp_path).close()
    without(tmp_path, f"ALTER TABLE {table} DROP COLUMN {column}")
    with pytest.raises(ControlError, match=rf"column {table}\.{column}"):
        open_control(tmp_path)


def test_a_database_without_one_of_its_indexes_is_refused(tmp_path: Path) -> None:
    open_control(tmp_path).close()
    without(tmp_path, "DROP INDEX ix_credit_orders_pending")
    with pytest.raises(ControlError, match="index ix_credit_orders_pending"):
        open_control(tmp_path)


def test_what_somebody_has_added_is_left_alone(tmp_path: Path) -> None:
    open_control(tmp_path).close()
    without(
        tmp_path,
        "CREATE TABLE notes (x)",
        "ALTER TABLE organizations ADD COLUMN note TEXT",
        "CREATE VIEW key_names AS SELECT name FROM api_keys",
    )
    open_control(tmp_path).close()


def test_a_failed_upgrade_leaves_the_database_as_it_was(
    tmp_path: Path, newer_migrations: Path
) -> None:
    data = tmp_path / "data"
    open_control(data).close()
    (script,) = (newer_migrations / "versions").glob("9999_*.py")
    script.write_text(script.read_text() + "    op.execute('INSERT INTO nowhere VALUES (1)')\n")
    with pytest.raises(ControlError, match="no such table: nowhere"):
        Database(data, migrations=newer_migrations)
    with open_control(data) as control:
        assert control.orgs.list() == []


# --- the pepper --------------------------------------------------------------------------------


def test_the_stored_mac_is_the_hmac_of_the_key(control: ControlPlane, tmp_path: Path) -> None:
    pepper = (tmp_path / "data" / "pepper").read_bytes()
    row, key = add_key(control)
    assert len(pepper) == 32
    assert control.pepper == pepper
    assert row.mac == hmac.new(pepper, key.encode(), hashlib.sha256).digest()


def test_the_pepper_stays(tmp_path: Path) -> None:
    with open_control(tmp_path) as first:
        pepper = first.pepper
    with open_control(tmp_path) as second:
        assert second.pepper == pepper
    with open_control(tmp_path / "other") as other:
        assert other.pepper != pepper


def test_keys_without_their_pepper_are_refused(tmp_path: Path) -> None:
    with open_control(tmp_path) as control:
        add_key(control)
    (tmp_path / "pepper").unlink()
    with pytest.raises(ControlError, match=r"pepper file .* is missing"):
        open_control(tmp_path)
    assert not (tmp_path / "pepper").exists()


def test_another_pepper_is_refused(tmp_path: Path) -> None:
    with open_control(tmp_path) as control:
        add_key(control)
    with pytest.raises(ControlError, match="not the one"):
        open_control(tmp_path, environ={"SEEKROUTE_PEPPER": "ab" * 32})


def test_a_pepper_that_others_can_read_is_refused(tmp_path: Path) -> None:
    open_control(tmp_path).close()
    (tmp_path / "pepper").chmod(0o640)
    with pytest.raises(ControlError, match="chmod 600"):
        open_control(tmp_path)


def test_a_cut_pepper_is_refused(tmp_path: Path) -> None:
    open_control(tmp_path).close()
    (tmp_path / "pepper").write_bytes(b"short")
    with pytest.raises(ControlError, match="5 bytes instead of 32"):
        open_control(tmp_path)


@pytest.mark.parametrize(
    "spell",
    [
        lambda raw: raw.hex(),
        lambda raw: raw.hex().upper(),
        lambda raw: base64.b64encode(raw).decode() + "\n",
        lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ],
)
def test_the_pepper_comes_from_the_environment(tmp_path: Path, spell: Any) -> None:
    raw = bytes(range(220, 252))
    with open_control(tmp_path, environ={"SEEKROUTE_PEPPER": spell(raw)}) as control:
        assert control.pepper == raw
    assert not (tmp_path / "pepper").exists()


@pytest.mark.parametrize("value", ["secret-word", "ab" * 31, "ü" * 64, "!" * 64])
def test_a_bad_pepper_is_refused_without_showing_it(tmp_path: Path, value: str) -> None:
    with pytest.raises(ControlError, match="at least 32 random bytes") as caught:
        open_control(tmp_path, environ={"SEEKROUTE_PEPPER": value})
    assert value not in str(caught.value)
    assert caught.value.__cause__ is None


def test_two_first_openings_agree_on_the_pepper(tmp_path: Path) -> None:
    peppers = []
    gate = threading.Barrier(8)

    def run() -> None:
        gate.wait()
        with open_control(tmp_path) as control:
            peppers.append(control.pepper)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(peppers) == 8
    assert len(set(peppers)) == 1
    assert {path.name for path in tmp_path.glob("pepper*")} == {"pepper"}


# --- several of them ---------------------------------------------------------------------------

ADD_ORG = """
import sys
from pathlib import Path
from seekroute.control import ControlPlane
with ControlPlane(Path(sys.argv[1])) as control:
    control.orgs.create("theirs")
"""


def test_another_opening_in_the_process_keeps_it_in_touch_with_others(tmp_path: Path) -> None:
    with open_control(tmp_path) as server:
        server.orgs.create("ours")
        open_control(tmp_path).close()
        subprocess.run([sys.executable, "-c", ADD_ORG, str(tmp_path)], check=True, timeout=60)
        assert {org.name for org in server.orgs.list()} == {"ours", "theirs"}


# --- the server's lock -------------------------------------------------------------------------

HOLD = """
import sys
from pathlib import Path
from seekroute.control import InstanceLock
with InstanceLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_server_is_refused_and_told_the_pid(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(ControlError, match=rf"in use by another .*\(pid {first.pid}\)"):
            InstanceLock(tmp_path).acquire()
        with open_control(tmp_path) as control:  # commands go on
            add_key(control)
        first.kill()
        first.wait()
    with InstanceLock(tmp_path):  # a killed server leaves no lock behind
        assert (tmp_path / "server.lock").read_text().strip().isdigit()


def test_a_server_waits_for_a_command_that_writes(tmp_path: Path) -> None:
    command = InstanceLock(tmp_path, serving=False)
    command.acquire()
    with pytest.raises(DirectoryInUseError, match=r"command .* is writing the ledger"):
        InstanceLock(tmp_path, serving=False).acquire()  # a command waits for nobody
    started = threading.Event()

    def serve() -> None:
        with InstanceLock(tmp_path):
            started.set()

    thread = threading.Thread(target=serve)
    thread.start()
    assert not started.wait(0.5)  # longer than it waits for another server
    command.release()
    thread.join(10)
    assert started.is_set()


def test_the_lock_can_be_taken_again_after_release(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path)
    with lock, pytest.raises(ControlError, match="already serves"):
        lock.acquire()
    with lock:
        pass
    lock.release()
