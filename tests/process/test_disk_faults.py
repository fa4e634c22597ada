"""Disks that are full, fail, cannot be written, or are kept busy by another process."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger_audit import Audit, Order
from ledger_load import Asked, Connection, ask
from ledger_world import PATIENCE, Customer, World, run, world
from seekroute.money import nano
from small_disks import fill, needs_root, small_disk

# Requests until a small disk must have refused one.
MOST = 5000

_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _PR_CAPBSET_DROP = 1, 2, 24


def give(place: World, audit: Audit) -> Customer:
    customer = place.customer("acme", "100")
    audit.ordered([Order("topup", "first:acme", customer.org, nano("100"), "ok")])
    return customer


async def until_refused(place: World, customer: Customer, name: str, heard: list[Asked]) -> Asked:
    """Asks one request after another until one is refused."""
    connection = Connection(place)
    for number in range(MOST):
        asked = await connection.ask(customer, f"{name}-{number}", "answer", max_tokens=20)
        heard.append(asked)
        if asked.outcome != "ok":
            await connection.close()
            return asked
    raise AssertionError("the disk never refused anything")


def retry_after(asked: Asked) -> int:
    """Its Retry-After, in seconds."""
    for line in asked.headers.split(b"\r\n"):
        if line.startswith(b"retry-after:"):
            return int(line.partition(b":")[2])
    raise AssertionError(f"no Retry-After in {asked.headers!r}")


@needs_root
@pytest.mark.parametrize("size", ["2m", "5m"])
def test_a_full_disk_passes_by(tmp_path: Path, size: str) -> None:
    async def main(disk: Path) -> None:
        async with world(tmp_path / "world", data_dir=disk) as place:
            audit = Audit(place)
            customer = give(place, audit)
            heard: list[Asked] = []
            await place.serve()
            running = [
                asyncio.create_task(
                    ask(
                        place,
                        customer,
                        f"running-{n}",
                        verb,
                        streamed=verb == "held",
                        max_tokens=20,
                    )
                )
                for n, verb in enumerate(("held", "gated", "held", "gated"))
            ]
            await place.upstream.until(lambda: len(place.upstream.asked) == 4)
            ballast = fill(disk)
            refused = await until_refused(place, customer, "full", heard)
            assert (refused.status, refused.code) == (503, "storage_full")
            assert retry_after(refused) >= 1
            # What runs gets its end, though its charge has to wait.
            place.upstream.gate.set()
            ended = await asyncio.gather(*running)
            heard += ended
            assert [each.outcome for each in ended] == ["ok"] * 4
            with place.ledger(read_only=True) as ledger:  # it can be read meanwhile
                assert ledger.balance(customer.org).held > 0
            ballast.unlink()
            # Without a restart: it serves, and the charges that waited are booked.
            async with asyncio.timeout(PATIENCE):
                for number in range(MOST):
                    asked = await ask(place, customer, f"after-{number}", "answer", max_tokens=20)
                    heard.append(asked)
                    if asked.outcome == "ok":
                        break
                    assert asked.code == "storage_full"
            await until_nothing_is_held(place)
            assert (await place.get("/readyz"))[0] == 200
            audit.heard(heard)
            audit.check(replay=True)
            await place.stop()
            audit.check(replay=True)

    with small_disk(tmp_path / "disk", f"size={size}") as disk:
        run(main(disk))


async def until_nothing_is_held(place: World) -> None:
    async with asyncio.timeout(PATIENCE):
        with place.ledger(read_only=True) as ledger:
            while any(balance.held for balance in ledger.balances().values()):
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("kilobytes", [500, 700, 1000])
def test_a_failed_write_ends_the_taking_of_money(tmp_path: Path, kilobytes: int) -> None:
    # A file that may not grow fails with EFBIG: for SQLite an I/O error like any other.
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, kilobytes << 10))

    async def main() -> None:
        async with world(tmp_path, preexec=limit) as place:
            audit = Audit(place)
            customer = give(place, audit)
            heard: list[Asked] = []
            await place.serve()
            refused = await until_refused(place, customer, "small", heard)
            assert (refused.status, refused.code) == (503, "store_unavailable")
            assert retry_after(refused) >= 1
            assert (await place.get("/readyz"))[0] == 503
            # It stays so, until a restart.
            again = await until_refused(place, customer, "again", heard)
            assert (again.status, again.code) == (503, "store_unavailable")
            assert heard[-2] is refused
            place.terminate()
            await place.ended()
            place.preexec = None
            await place.serve()
            # The one answer whose charge met the failure may have had its end without it.
            audit.doubtful = {heard[-3].token}
            audit.heard(heard)
            audit.check(replay=True)
            asked = await ask(place, customer, "after", "answer", max_tokens=20)
            assert asked.outcome == "ok"
            audit.heard([asked])
            audit.check(replay=True)
            await place.stop()

    run(main())


# --- another process has the file -----------------------------------------------------------------

# Takes the lock that SQLite's writers take, byte 120 of the shared memory file, without SQLite: two
# of them on one file are what must not be. Keeps it until its stdin ends.
_LOCKER = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 1, 120)
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_writer_that_stays_makes_holds_fail_and_charges_wait(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            audit = Audit(place)
            customer = give(place, audit)
            await place.serve()
            running = asyncio.create_task(
                ask(place, customer, "running", "held", streamed=True, max_tokens=20)
            )
            await place.upstream.until(lambda: place.upstream.asked == ["running"])
            locker = subprocess.Popen(
                [sys.executable, "-c", _LOCKER, f"{place.ledger_path}-shm"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            with locker:
                assert locker.stdout is not None
                assert locker.stdout.readline() == "locked\n"
                refused = await ask(place, customer, "locked", "answer", max_tokens=20)
                assert (refused.status, refused.code) == (503, "store_unavailable"), refused
                assert retry_after(refused) >= 1
                place.upstream.gate.set()
                ended = await running
                assert ended.outcome == "ok"
                with place.ledger(read_only=True) as ledger:
                    row = ledger.generation(ended.id)
                    assert row is not None
                    assert row["state"] == "held"
                locker.communicate()
            await until_nothing_is_held(place)
            asked = await ask(place, customer, "after", "answer", max_tokens=20)
            assert asked.outcome == "ok"
            audit.heard([refused, ended, asked])
            audit.check(replay=True)
            assert audit.rows["running"]["cost"] == ended.cost > 0
            await place.stop()

    run(main())


# --- directories that will not do -----------------------------------------------------------------


def refusal(place: World) -> str:
    """Starts a server that must refuse to serve, and returns what it says."""

    async def ended() -> int:
        place.start(whole=True)
        return await place.ended()

    before = len(place.log.read_bytes()) if place.log.exists() else 0
    code = run(ended())
    said = place.log.read_bytes()[before:].decode()
    assert code == 2, said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said
    return said


def obey_modes() -> None:
    """Takes from root what lets it ignore the modes of files."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


@contextlib.contextmanager
def with_a_ledger(folder: Path, **options: Any) -> Iterator[World]:
    made: list[World] = []

    async def main() -> None:
        async with world(folder, **options) as place:
            place.customer("acme", "1")
            made.append(place)

    run(main())
    yield made[0]


def test_a_file_in_the_directorys_place_is_refused(tmp_path: Path) -> None:
    async def main() -> World:
        async with world(tmp_path) as place:
            place.data_dir.write_text("not a directory")
            return place

    place = run(main())
    said = refusal(place)
    assert "cannot use the data directory" in said
    assert str(place.data_dir) in said


@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_a_directory_that_may_not_be_written_is_refused(tmp_path: Path, mode: int) -> None:
    with with_a_ledger(tmp_path, preexec=obey_modes) as place:
        place.data_dir.chmod(mode)
        try:
            said = refusal(place)
        finally:
            place.data_dir.chmod(0o700)
        assert str(place.data_dir) in said
        assert "cannot be written" in said or "cannot be read" in said


@needs_root
def test_another_owners_directory_is_refused(tmp_path: Path) -> None:
    with with_a_ledger(tmp_path, preexec=obey_modes) as place:
        os.chown(place.data_dir, 65534, 65534)
        said = refusal(place)
        assert str(place.data_dir) in said
        assert "cannot be written" in said or "cannot be read" in said


@needs_root
def test_a_read_only_disk_is_refused(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", "size=5m") as disk,
        with_a_ledger(tmp_path / "world", data_dir=disk) as place,
    ):
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        said = refusal(place)
        assert "cannot be written" in said
        assert str(disk) in said


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db.lock"])
def test_a_ledger_that_may_not_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    with with_a_ledger(tmp_path, preexec=obey_modes) as place:
        (place.data_dir / name).chmod(0)
        assert str(place.data_dir / name) in refusal(place)
