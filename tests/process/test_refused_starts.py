"""A start that is refused writes nothing, and says what to do, which then works."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from money_cli import clear, command, paid, run, run_json
from seekroute.config import load_settings
from seekroute.control import ControlPlane
from seekroute.errors import SeekrouteError
from seekroute.ledger import FILE_NAME, Ledger
from seekroute.server.service import Service
from serving import PATIENCE

CONTROL = "control.db"
MARK = f"{FILE_NAME}.mark"
NEW_CONTROL, NEW_LEDGER, LEAVE_OUT = "--new-control", "--new-ledger", "leave it out"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which acme has paid 5, and a backup of it in `backup`."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        clear(patch, folder)
        paid(folder)
        with closing(sqlite3.connect(folder / "data" / CONTROL)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        start(folder / "data")
        (folder / "backup").mkdir()
        run("backup", "backup/ledger.db", "--control", "backup/control.db")
    return folder


@pytest.fixture
def data(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    clear(monkeypatch, tmp_path)
    shutil.rmtree(tmp_path / "data")
    shutil.copytree(prepared / "data", tmp_path / "data")
    return tmp_path / "data"


def start(data: Path, *anew: Any, credits: bool = True) -> None:
    """Begins to serve from it, and stops."""
    given = {"mock": "on", "data_dir": str(data), "credits.enabled": credits}
    service = Service(load_settings(overrides=given, environ={}), environ={}, anew=anew)
    try:
        service.open()
    finally:
        service.close()


def files(data: Path) -> dict[str, bytes]:
    """What is there, but for locks, and the empty log with its index that is made to read."""
    return {
        each.name: each.read_bytes()
        for each in data.iterdir()
        if each.is_file() and not each.name.endswith((".lock", "-shm")) and each.stat().st_size
    }


def keep(data: Path, *names: str) -> None:
    """All that is left of the databases, and the pepper."""
    for each in list(data.iterdir()):
        if each.is_file() and each.name not in (*names, "pepper"):
            each.unlink()


def both(data: Path) -> None:
    keep(data, CONTROL, FILE_NAME, MARK)


def no_ledger(data: Path) -> None:
    keep(data, CONTROL)


def only_a_mark(data: Path) -> None:
    keep(data, CONTROL, MARK)


def no_control(data: Path) -> None:
    keep(data, FILE_NAME, MARK)


def neither_but_a_mark(data: Path) -> None:
    keep(data, MARK)


def neither_but_a_log(data: Path) -> None:
    keep(data)
    (data / f"{FILE_NAME}-wal").write_bytes(b"\x01" * 64)


def neither(data: Path) -> None:
    keep(data)


def spoiled_ledger_alone(data: Path) -> None:
    keep(data, FILE_NAME)
    (data / FILE_NAME).write_bytes(b"not a database at all" * 500)


# What is there, what a start is told, and of what it says; none: it starts. As in
# docs/deployment.md.
STARTS: list[tuple[Callable[[Path], None], set[str], set[str]]] = [
    (both, set(), set()),
    (both, {"control"}, {NEW_CONTROL, LEAVE_OUT}),
    (both, {"ledger"}, {NEW_LEDGER, LEAVE_OUT}),
    (both, {"control", "ledger"}, {LEAVE_OUT}),
    (no_ledger, set(), {NEW_LEDGER}),
    (no_ledger, {"control"}, {NEW_LEDGER}),
    (no_ledger, {"ledger"}, set()),
    (only_a_mark, set(), {NEW_LEDGER}),
    (only_a_mark, {"ledger"}, set()),
    (no_control, set(), {NEW_CONTROL}),
    (no_control, {"ledger"}, {NEW_CONTROL}),
    (no_control, {"control"}, set()),
    (no_control, {"control", "ledger"}, {NEW_LEDGER, LEAVE_OUT}),
    (neither_but_a_mark, set(), {NEW_CONTROL, NEW_LEDGER}),
    (neither_but_a_mark, {"control"}, {NEW_CONTROL, NEW_LEDGER}),
    (neither_but_a_mark, {"ledger"}, {NEW_CONTROL, NEW_LEDGER}),
    (neither_but_a_mark, {"control", "ledger"}, set()),
    (neither_but_a_log, {"control"}, {NEW_CONTROL, NEW_LEDGER}),
    (neither_but_a_log, {"control", "ledger"}, set()),
    (neither, set(), {NEW_CONTROL}),
    (neither, {"ledger"}, {NEW_CONTROL}),
    (neither, {"control"}, set()),
    (spoiled_ledger_alone, {"control"}, {FILE_NAME}),
]


def named(value: Any) -> str:
    return value.__name__ if callable(value) else "+".join(sorted(value)) or "-"


@pytest.mark.parametrize(("become", "anew", "said"), STARTS, ids=named)
def test_what_a_start_says_and_that_a_refused_one_writes_nothing(
    data: Path, become: Callable[[Path], None], anew: set[str], said: set[str]
) -> None:
    become(data)
    before = files(data)
    if not said:
        start(data, *anew)
        start(data)
        return
    with pytest.raises(SeekrouteError) as raised:
        start(data, *anew)
    assert all(each in str(raised.value) for each in said), str(raised.value)
    assert files(data) == before


def test_a_damaged_ledger_says_what_to_do(data: Path) -> None:
    spoil_head(data / FILE_NAME)
    said = [
        run("ledger", "verify", code=1).stderr,
        run("credits", "balance", code=1).stderr,
        run("credits", "add", "acme", "1", code=1).stderr,
        run("doctor", "--offline", code=1).output,
    ]
    for anew in ((), ("ledger",)):
        with pytest.raises(SeekrouteError) as raised:
            start(data, *anew)
        said.append(str(raised.value))
    for text in (" ".join(each.split()) for each in said):
        assert f"is damaged: {data}" not in text
        assert f"{data / FILE_NAME} is damaged: " in text
        assert "restore a backup" in text
        assert NEW_LEDGER in text
    for each in data.glob(f"{FILE_NAME}*"):
        each.unlink()
    start(data, "ledger")
    assert run_json("credits", "replay")["orders"][0]["id"] == "stripe:evt_1"


def test_the_program_writes_nothing_either(data: Path) -> None:
    neither_but_a_mark(data)
    before = files(data)
    with command("serve", "--port", "0", "--mock", "on", NEW_CONTROL) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert len(errors.splitlines()) == 1
    assert NEW_LEDGER in errors
    assert files(data) == before


@pytest.mark.parametrize("credits", [True, False])
def test_a_start_that_would_sell_echoes_begins_no_control_db(
    data: Path, monkeypatch: pytest.MonkeyPatch, credits: bool
) -> None:
    keep(data, FILE_NAME, MARK)
    (data / "pepper").unlink()
    before = files(data)
    monkeypatch.setenv("SEEKROUTE_CREDITS__ENABLED", str(credits).lower())
    with command("serve", "--port", "0", NEW_CONTROL) as process:
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2
    assert "No provider has a key, but a customer has paid" in errors
    assert files(data) == before
    given = {"mock": "auto", "data_dir": str(data), "credits.enabled": credits}
    service = Service(load_settings(overrides=given, environ={}), environ={}, anew={"control"})
    with pytest.raises(SeekrouteError, match="has paid"):
        service.open()
    assert files(data) == before


def test_without_credits_a_lost_ledger_needs_no_word(data: Path) -> None:
    neither_but_a_mark(data)
    start(data, "control", credits=False)
    assert (data / MARK).exists()


# --- a damaged control.db -------------------------------------------------------------------------


def spoil_head(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 500)


def spoil_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("spoil", [spoil_head, spoil_pages, cut], ids=lambda each: each.__name__)
def test_a_damaged_control_db_says_what_to_do(
    data: Path, prepared: Path, spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    org = run_json("orgs", "list")[0]["id"]
    keep(data, CONTROL, FILE_NAME, MARK)
    spoil(data / CONTROL)
    said = [
        run("orgs", "list", code=1).stderr,
        run("doctor", "--offline", code=1).output,
        run("credits", "balance", code=1).stderr,
    ]
    for anew in ((), ("control",)):
        with pytest.raises(SeekrouteError) as raised:
            start(data, *anew)
        said.append(str(raised.value))
    for text in (" ".join(each.split()) for each in said):
        assert "is damaged" in text
        assert "put a copy of `seekroute backup --control` in their place" in text
        assert "without its organizations, apps and keys" in text
        assert NEW_CONTROL in text
    # Either way works.
    (data / CONTROL).rename(tmp_path / "damaged")
    for suffix in ("-wal", "-shm"):
        (data / f"{CONTROL}{suffix}").unlink(missing_ok=True)
    shutil.copy(prepared / "backup" / CONTROL, data / CONTROL)
    assert run_json("orgs", "list")[0]["name"] == "acme"
    (data / CONTROL).unlink()
    start(data, "control")
    with ControlPlane(data) as control:
        assert org in {each.id for each in control.orgs.list()}
    with Ledger(data / FILE_NAME, read_only=True) as ledger:
        assert ledger.balance(org).available == 5 * 10**9
