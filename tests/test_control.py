"""The control plane on real SQLite files."""

from __future__ import annotations

import base64
import doctest
import hashlib
import hmac
import importlib
import re
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
from hypothesis import given, settings
from hypothesis import strategies as st

from seekroute.control import ControlError, ControlPlane, InstanceLock, looks_valid, make_key
from seekroute.control.database import MIGRATIONS, Database
from seekroute.control.directory import write_lock

NOW = 1_800_000_000
SR = {"profile": "seekroute", "prefix": "sk-sr-"}


def open_control(directory: Path, **options: Any) -> ControlPlane:
    options.setdefault("environ", {})
    return ControlPlane(directory, clock=lambda: NOW + 0.9, **options)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlPlane]:
    with open_control(tmp_path / "data") as plane:
        yield plane


def add_key(control: ControlPlane, org: str = "acme", **options: Any) -> tuple[Any, str]:
    if org not in {row.name for row in control.list_orgs()}:
        control.create_org(org)
    return control.create_key(org, **{"name": "ci", **SR, **options})


def core_key_of(control: ControlPlane, key: str) -> dict[str, Any] | None:
    mac = hmac.new(control.pepper, key.encode(), hashlib.sha256).digest()
    return dict(control.core_keys()).get(mac)


class Follower:
    """What a running server does: all keys once, then the feed."""

    def __init__(self, control: ControlPlane, *, limit: int = 1000) -> None:
        self._control = control
        self._limit = limit
        self._cursor = control.change_cursor()
        self.keys = dict(control.core_keys())

    def poll(self) -> int:
        changed = 0
        while True:
            batch = self._control.changes_since(self._cursor, limit=self._limit)
            self._cursor = batch.cursor
            changed += len(batch.changes)
            for mac, key in batch.changes:
                if key is None:
                    self.keys.pop(mac, None)
                else:
                    self.keys[mac] = key
            if not batch.more:
                return changed


# --- the shape of keys -------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["sk-sr-", "sr-", "sr_", "sk-r9k-", "sk-"])
def test_a_key_has_its_prefix_256_bits_and_a_checksum(prefix: str) -> None:
    key = make_key(prefix)
    assert re.fullmatch(re.escape(prefix) + "[0-9A-Za-z]{43}[0-9A-Za-z]{6}", key)
    assert looks_valid(key)
    assert make_key(prefix) != key


@given(st.integers(0, 54), st.characters(codec="utf-8"))
def test_one_wrong_character_is_noticed(position: int, char: str) -> None:
    key = make_key("sk-sr-")
    changed = key[:position] + char + key[position + 1 :]
    assert looks_valid(changed) == (changed == key)


@pytest.mark.parametrize("text", ["", "sk-sr-", "sk-sr-hello", "é" * 55, "0" * 49, "\0" * 60])
def test_other_text_is_not_a_key(text: str) -> None:
    assert not looks_valid(text)


@pytest.mark.parametrize("prefix", ["", "-", "sk", "1-", "sk sr-", "sé-", "a" * 40 + "-", "sk-\n"])
def test_a_bad_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ControlError, match="key prefix"):
        make_key(prefix)


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
        _, second = control.roll_key(row.id)
        control.revoke_key(row.id)
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

    from seekroute.control.models import Base

    Database(tmp_path).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'control.db'}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
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
        assert [key.id for key in control.list_keys()] == [row.id]
    assert (tmp_path / "control.db").read_bytes() == before
    assert not list(tmp_path.glob("*.backup"))


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
    with pytest.raises(ControlError, match=r"has schema 9999, this seekroute knows .* 0001"):
        open_control(data)


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
        assert control.list_orgs() == []


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


# --- organizations, apps, keys -----------------------------------------------------------------


def test_ids_carry_128_random_bits(control: ControlPlane) -> None:
    row, _ = add_key(control)
    app = control.create_app("acme", name="bot")
    assert re.fullmatch("key_[0-9a-f]{32}", row.id)
    assert re.fullmatch("org_[0-9a-f]{32}", row.org_id)
    assert re.fullmatch("app_[0-9a-f]{32}", app.id)


def test_a_new_key_as_the_core_takes_it(control: ControlPlane) -> None:
    row, key = add_key(
        control, expires_at=NOW + 60, models=["deepseek/*", "openai/gpt-4o", "deepseek/*"]
    )
    assert core_key_of(control, key) == {
        "key_id": row.id,
        "org_id": control.get_org("acme").id,
        "profile": "seekroute",
        "disabled": False,
        "expires_at": NOW + 60,
        "models": ["deepseek/*", "openai/gpt-4o"],
        "app_pending": False,
    }
    assert row.label == f"sk-sr-...{key[-4:]}"
    assert row.created_at == NOW


def test_disable_and_enable(control: ControlPlane) -> None:
    row, key = add_key(control)
    assert control.disable_key(row.id).disabled
    assert core_key_of(control, key)["disabled"] is True  # type: ignore[index]
    assert not control.enable_key(row.id).disabled
    assert core_key_of(control, key)["disabled"] is False  # type: ignore[index]


def test_suspending_an_organization_disables_its_keys_only(control: ControlPlane) -> None:
    _, ours = add_key(control, "acme")
    _, theirs = add_key(control, "other")
    control.suspend_org("acme")
    assert core_key_of(control, ours)["disabled"] is True  # type: ignore[index]
    assert core_key_of(control, theirs)["disabled"] is False  # type: ignore[index]
    control.resume_org("acme")
    assert core_key_of(control, ours)["disabled"] is False  # type: ignore[index]


def test_an_apps_key_waits_for_its_approval(control: ControlPlane) -> None:
    control.create_org("acme")
    app = control.create_app("acme", name="bot")
    _, key = add_key(control, app="bot")
    assert app.status == "pending"
    assert core_key_of(control, key)["app_pending"] is True  # type: ignore[index]
    control.approve_app("bot")
    assert core_key_of(control, key)["app_pending"] is False  # type: ignore[index]
    control.reject_app(app.id)
    assert core_key_of(control, key)["app_pending"] is True  # type: ignore[index]


def test_a_revoked_key_is_gone_for_good(control: ControlPlane) -> None:
    row, key = add_key(control)
    control.revoke_key(row.id)
    assert control.revoke_key(row.id).revoked_at == NOW
    assert core_key_of(control, key) is None
    for change in (control.enable_key, control.disable_key, control.roll_key):
        with pytest.raises(ControlError, match="is revoked, and that is final"):
            change(row.id)
    assert control.get_key(row.id).name == "ci"


def test_a_rolled_key_keeps_its_id_and_ends_the_old_text(control: ControlPlane) -> None:
    row, old = add_key(control, models=["deepseek/*"])
    before = core_key_of(control, old)
    again, new = control.roll_key(row.id)
    assert again.id == row.id
    assert again.last4 == new[-4:]
    assert core_key_of(control, old) is None
    assert core_key_of(control, new) == before


def test_a_key_is_found_by_its_text(control: ControlPlane) -> None:
    row, key = add_key(control)
    assert control.get_key(key).id == row.id
    stranger = make_key("sk-sr-")
    for unknown in (stranger, stranger[:-1]):
        with pytest.raises(ControlError) as caught:
            control.get_key(unknown)
        assert unknown not in str(caught.value)
    with pytest.raises(ControlError) as caught:
        control.get_org(stranger)
    assert stranger not in str(caught.value)


def test_names_are_stored_literally(control: ControlPlane) -> None:
    names = ["'; DROP TABLE api_keys; --", "<script>alert(1)</script>", "%s%n {0}", "[red]x[/red]"]
    for name in names:
        control.create_org(name)
        add_key(control, name, name=name)
    assert [org.name for org in control.list_orgs()] == sorted(names)
    assert {key.name for key in control.list_keys()} == set(names)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31mred", "x" * 201, "\udcff", "a\u2028b"])
def test_a_name_that_would_break_a_screen_is_refused(control: ControlPlane, name: str) -> None:
    with pytest.raises(ControlError, match="name of the organization"):
        control.create_org(name)


def test_an_invalid_text_as_a_name_to_find_is_refused(control: ControlPlane) -> None:
    with pytest.raises(ControlError, match="not valid Unicode"):
        control.get_org("\udcff")


def test_a_name_is_taken_once(control: ControlPlane) -> None:
    control.create_org("acme")
    control.create_app("acme", name="bot")
    with pytest.raises(ControlError, match="already an organization named 'acme'"):
        control.create_org(" acme ")
    with pytest.raises(ControlError, match="already has an app named 'bot'"):
        control.create_app("acme", name="bot")


def test_an_app_name_of_two_organizations_needs_the_organization(control: ControlPlane) -> None:
    for org in ("one", "two"):
        control.create_org(org)
        control.create_app(org, name="bot")
    with pytest.raises(ControlError, match="more than an app"):
        control.approve_app("bot")
    approved = control.approve_app("bot", org="two")
    assert [app.status for app in control.list_apps("one")] == ["pending"]
    assert [app.id for app in control.list_apps("two")] == [approved.id]


def test_an_app_of_another_organization_is_not_found(control: ControlPlane) -> None:
    control.create_org("other")
    app = control.create_app("other", name="bot")
    with pytest.raises(ControlError, match="no app"):
        add_key(control, app=app.id)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expires_at": NOW}, "not in the future"),
        ({"expires_at": 10**15}, "after the year 9999"),
        ({"models": []}, "1 to 1000 models"),
        ({"models": ["m"] + [f"m{i}" for i in range(1000)]}, "1 to 1000 models"),
        ({"models": [""]}, "not a model id"),
        ({"models": ["*"]}, "not a model id"),
        ({"models": ["a b"]}, "not a model id"),
        ({"models": ["deepseek/chat*"]}, "not a model id"),
        ({"models": ["modèle"]}, "printable ASCII"),
        ({"name": ""}, "name of the key"),
        ({"profile": "\0"}, "name of the profile"),
        ({"prefix": "sk"}, "key prefix"),
        ({"app": "nowhere"}, "no app 'nowhere'"),
    ],
)
def test_a_bad_key_is_refused_whole(
    control: ControlPlane, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ControlError, match=message):
        add_key(control, **options)
    assert control.list_keys() == []
    assert control.change_cursor() == 0


def test_the_first_key_is_made_once(control: ControlPlane) -> None:
    made = control.create_first_key(**SR)
    assert made is not None
    assert control.get_org("default").id == made[0].org_id
    assert looks_valid(made[1])
    control.revoke_key(made[0].id)
    assert control.create_first_key(**SR) is None


def test_key_info_has_openrouters_fields(control: ControlPlane) -> None:
    row, key = add_key(control, expires_at=NOW + 86_400)
    data = control.key_info(row.id)["data"]
    assert data["label"] == f"sk-sr-...{key[-4:]}"
    assert data["expires_at"] == "2027-01-16T08:00:00Z"
    assert data["limit"] is None
    assert data["usage_weekly"] == 0
    assert data["rate_limit"] == {"requests": -1, "interval": "10s", "note": "deprecated"}


# --- the change feed ---------------------------------------------------------------------------


def test_another_process_changes_are_followed(tmp_path: Path) -> None:
    with open_control(tmp_path) as server, open_control(tmp_path) as command:
        row, _ = add_key(command)
        follower = Follower(server)
        assert list(follower.keys) == [row.mac]
        assert follower.poll() == 0

        command.disable_key(row.id)
        follower.poll()
        assert follower.keys[row.mac]["disabled"] is True

        rolled, _ = command.roll_key(row.id)
        follower.poll()
        assert list(follower.keys) == [rolled.mac]

        command.revoke_key(row.id)
        follower.poll()
        assert follower.keys == {}


def test_a_change_of_an_organization_or_app_reaches_all_its_keys(control: ControlPlane) -> None:
    control.create_org("acme")
    control.create_app("acme", name="bot")
    for _ in range(5):
        add_key(control, app="bot")
    add_key(control)
    follower = Follower(control, limit=2)  # several batches
    control.suspend_org("acme")
    assert follower.poll() == 6
    assert all(key["disabled"] for key in follower.keys.values())
    control.approve_app("bot")
    assert follower.poll() == 5
    assert not any(key["app_pending"] for key in follower.keys.values())


def test_a_repeated_change_is_no_change(control: ControlPlane) -> None:
    row, _ = add_key(control)
    control.disable_key(row.id)
    cursor = control.change_cursor()
    control.disable_key(row.id)
    control.resume_org("acme")
    assert control.change_cursor() == cursor


def test_the_feed_does_not_grow_with_changes(control: ControlPlane) -> None:
    row, _ = add_key(control)
    for _ in range(5):
        control.disable_key(row.id)
        control.enable_key(row.id)
    changes = control.changes_since(0).changes
    assert [mac for mac, _ in changes] == [row.mac]


actions = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "create",
                "disable",
                "enable",
                "revoke",
                "roll",
                "suspend",
                "resume",
                "approve",
                "poll",
            ]
        ),
        st.integers(0, 3),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=50)  # real files and syncs: the time of a step says nothing
@given(actions)
def test_a_follower_ends_where_a_new_reader_starts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    with open_control(tmp_path_factory.mktemp("data")) as control:
        control.create_org("acme")
        control.create_app("acme", name="bot")
        follower = Follower(control, limit=3)
        for action, which in steps:
            keys = [key for key in control.list_keys() if not key.revoked]
            if action == "create":
                add_key(control, app="bot" if which else None)
            elif action == "suspend":
                control.suspend_org("acme")
            elif action == "resume":
                control.resume_org("acme")
            elif action == "approve":
                control.approve_app("bot")
            elif action == "poll":
                follower.poll()
            elif keys:
                getattr(control, f"{action}_key")(keys[which % len(keys)].id)
        follower.poll()
        assert follower.keys == dict(control.core_keys())


def test_all_keys_are_read_page_by_page(
    control: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekroute.control.service._PAGE", 2)
    macs = {add_key(control)[0].mac for _ in range(4)}
    read = [mac for mac, _ in control.core_keys()]
    assert len(read) == 4
    assert set(read) == macs


def test_writers_in_threads_wait_for_each_other(control: ControlPlane) -> None:
    control.create_org("acme")
    errors: list[Exception] = []

    def run() -> None:
        try:
            for _ in range(5):
                control.create_key("acme", name="ci", **SR)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(control.list_keys()) == 30


def test_a_writer_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seekroute.control.directory._WRITE_WAIT_SECONDS", 0.0)
    with open_control(tmp_path) as control:
        with write_lock(tmp_path), pytest.raises(ControlError, match="another process has been"):
            control.create_org("acme")
        control.create_org("acme")


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


def test_the_lock_can_be_taken_again_after_release(tmp_path: Path) -> None:
    lock = InstanceLock(tmp_path)
    with lock, pytest.raises(ControlError, match="already serves"):
        lock.acquire()
    with lock:
        pass
    lock.release()


@pytest.mark.parametrize("module", ["__init__", "errors", "directory", "keys", "models", "service"])
def test_the_examples_in_the_documentation_work(module: str) -> None:
    name = "seekroute.control" + ("" if module == "__init__" else f".{module}")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
