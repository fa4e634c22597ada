"""Readiness: what makes `/readyz` 503, with the reason, and that it passes by itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control_support import open_control
from ledger_world import run, world
from seekroute.control import ControlError
from seekroute.server import readiness
from serving import PATIENCE, RunningServer, running_server
from small_disks import fill, needs_root, small_disk


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data", credits={"enabled": True}) as running:
        yield running


def ready(server: RunningServer) -> tuple[int, dict[str, Any]]:
    answer = server.request("GET", "/readyz?verbose", with_key=False)
    return answer.status, answer.json()


def until(server: RunningServer, status: int) -> dict[str, Any]:
    """Asks until it has that status, as a load balancer does."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found, told = ready(server)
        if found == status:
            return told
        assert time.monotonic() < deadline, told


def moved_away(path: Path) -> Callable[[], object]:
    aside = path.rename(path.with_name("aside"))
    return lambda: aside.rename(path)


def emptied(path: Path) -> Callable[[], object]:
    whole = path.read_bytes()
    path.write_bytes(b"")
    return lambda: path.write_bytes(whole)


def overwritten(path: Path) -> Callable[[], object]:
    whole = path.read_bytes()
    path.write_bytes(b"\xff" * len(whole))
    return lambda: path.write_bytes(whole)


def a_directory(path: Path) -> Callable[[], object]:
    back = moved_away(path)
    path.mkdir()
    return lambda: (path.rmdir(), back())


@pytest.mark.parametrize("spoil", [moved_away, emptied, overwritten, a_directory])
def test_a_control_db_that_cannot_be_read_is_not_ready(
    server: RunningServer, tmp_path: Path, spoil: Callable[[Path], Callable[[], object]]
) -> None:
    assert ready(server)[0] == 200
    mend = spoil(tmp_path / "data" / "control.db")
    told = until(server, 503)
    assert told["checks"]["keys"] == "failed"
    assert "control.db cannot be read" in told["reasons"]["keys"]
    assert str(tmp_path) not in str(told)
    mend()
    told = until(server, 200)
    deadline = time.monotonic() + PATIENCE
    while "reasons" in told:  # orders are looked for after keys
        assert time.monotonic() < deadline, told
        told = ready(server)[1]


def test_another_control_db_in_its_place_is_not_ready(
    server: RunningServer, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "control.db"
    server.service.control.backup(tmp_path / "copy.db")
    mend = moved_away(path)
    shutil.copy(tmp_path / "copy.db", path)
    assert until(server, 503)["checks"]["keys"] == "failed"
    path.unlink()
    mend()
    until(server, 200)


def test_the_control_plane_says_why_it_cannot_be_read(tmp_path: Path) -> None:
    with open_control(tmp_path) as control:
        control.check()
        mend = moved_away(control.path)
        with pytest.raises(ControlError, match=r"control\.db"):
            control.check()
        mend()
        control.check()


@needs_root
def test_a_full_disk_is_not_ready_until_there_is_room(tmp_path: Path) -> None:
    async def main(disk: Path) -> None:
        async with world(tmp_path / "world", data_dir=disk) as place:
            await place.serve()
            ballast = fill(disk)
            deadline = time.monotonic() + PATIENCE
            status, body = 0, b""
            while status != 503:
                status, body = await place.get("/readyz")
                assert time.monotonic() < deadline
            assert b'"disk":"failed"' in body
            assert b"less than 256 KiB are free" in body
            ballast.unlink()
            while status != 200:  # though nobody sends a request
                status, _ = await place.get("/readyz")
                assert time.monotonic() < deadline
            await place.stop()

    with small_disk(tmp_path / "disk", "size=5m") as disk:
        run(main(disk))


@pytest.mark.parametrize("free", [0, readiness.LEAST_FREE_BYTES - 1])
def test_a_disk_below_its_bound_is_not_ready(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    monkeypatch.setattr(readiness, "free_bytes", lambda path: free)
    assert until(server, 503)["checks"]["disk"] == "failed"
    monkeypatch.setattr(readiness, "free_bytes", lambda path: readiness.LEAST_FREE_BYTES)
    until(server, 200)


def test_a_ledger_that_was_refused_room_is_not_ready(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quota, say: the disk has room, and the ledger's writer gets none of it."""
    ledger = server.service.ledger
    assert ledger is not None
    assert ledger.blocked == ""
    kind = type(ledger)
    with monkeypatch.context() as patch:
        patch.setattr(kind, "blocked", property(lambda self: "storage_full"))
        status, told = ready(server)
        assert (status, told["checks"]["ledger"]) == (503, "failed")
        assert "disk is full" in told["reasons"]["ledger"]
    assert ready(server)[0] == 200


def test_a_disk_is_of_no_interest_without_a_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "free_bytes", lambda path: 0)
    with running_server(tmp_path / "data", credits={"enabled": False}) as server:
        until(server, 200)


def test_asking_for_changes_goes_on_once_the_file_is_mended(tmp_path: Path) -> None:
    with open_control(tmp_path) as control:
        mend = overwritten(control.path)
        with pytest.raises(ControlError, match="not a database"):
            control.version()
        mend()
        control.version()
