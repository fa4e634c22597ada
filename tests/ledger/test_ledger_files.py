"""Ledger files that are damaged, newer, or copied while they are written."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ledger_audit import Audit, Order
from ledger_load import Asked, Load, Mix, ask
from ledger_world import Customer, World, run, world
from seekroute.ledger import FILE_NAME, Ledger, LedgerError
from seekroute.money import nano

FLIPS = int(os.environ.get("SEEKROUTE_FLIPS", "30"))
SEED = int(os.environ.get("SEEKROUTE_SEED", "11"))
# In the head of a SQLite file, big endian.
_USER_VERSION = slice(60, 64)
_RESERVED_AT = 20
_PAGE = 4096


async def load(place: World, customer: Customer, count: int, name: str) -> list[Asked]:
    """Has so many requests answered."""
    heard = []
    for number in range(count):
        heard.append(await ask(place, customer, f"{name}-{number}", max_tokens=20))
    assert {each.outcome for each in heard} == {"ok"}
    return heard


# --- damage ---------------------------------------------------------------------------------------


def test_a_flipped_byte_never_makes_another_balance(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    found: Counter[str] = Counter()

    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("acme", "5")
            await place.serve()
            await load(place, customer, 40, "before")
            await place.stop()
            sound = place.ledger_path.read_bytes()
            with place.ledger(read_only=True) as ledger:
                before = ledger.balances()
            for flip in range(FLIPS):
                for file in place.data_dir.glob(f"{FILE_NAME}*"):
                    file.unlink()
                damaged = bytearray(sound)
                where = rng.randrange(len(sound))
                damaged[where] ^= 1 << rng.randrange(8)
                place.ledger_path.write_bytes(damaged)
                place.log.write_bytes(b"")
                outcome = await start(place, customer, f"flip-{flip}", before)
                found[outcome] += 1

    try:
        run(main())
    except BaseException as error:
        error.add_note(f"again: SEEKROUTE_SEED={SEED} SEEKROUTE_FLIPS={FLIPS}")
        raise
    assert found["refused"] + found["detected"] > 0, found


async def start(place: World, customer: Customer, name: str, before: dict[str, Any]) -> str:
    """Starts on a file that may be damaged and asks once; says how the damage showed."""
    place.start()
    assert place.process is not None
    while (await place.get("/readyz"))[0] == 0:
        if place.process.poll() is not None:
            code = await place.ended()
            assert code == 2, place.said()
            assert place.said().startswith("seekroute: "), place.said()
            assert "ledger" in place.said()
            assert "Traceback" not in place.said()
            return "refused"
        await asyncio.sleep(0.005)
    asked = await ask(place, customer, name, max_tokens=20)
    try:
        if asked.outcome != "ok":
            # Never 402: the customer's money is there, only not to be read.
            assert (asked.status, asked.code) in (
                (503, "storage_corrupt"),
                (503, "store_unavailable"),
            ), asked
            return "detected"
        try:
            with place.ledger(read_only=True) as ledger:
                if ledger.verify()["rule"]:
                    return "detected"
                after = ledger.balances()[customer.org]
        except LedgerError as error:
            if error.code != "storage_corrupt":
                raise
            return "detected"
        # The flip changed nothing that counts: free space, or a figure nobody adds up.
        assert after.available == before[customer.org].available - asked.cost
        assert (after.held, after.owed) == (0, 0)
        return "harmless"
    finally:
        place.kill()


# --- versions -------------------------------------------------------------------------------------


def seal(file: bytearray) -> None:
    """Gives the first page its checksum, as a seekroute of that version would have done."""
    if file[_RESERVED_AT] != 8:
        return  # a file without checksums
    total = 1
    for at in range(0, _PAGE - 8, 8):
        word = int.from_bytes(file[at : at + 8], "little")
        total = ((total ^ word) * 0xD6E8FEB86659FD93) % (1 << 64)
        total ^= total >> 32
    file[_PAGE - 8 : _PAGE] = total.to_bytes(8, "little")


def test_a_newer_file_is_refused_by_both_versions(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("acme", "5")
            await place.serve()
            audit = Audit(place)
            audit.ordered([Order("topup", "first:acme", customer.org, nano("5"), "ok")])
            audit.heard(await load(place, customer, 3, "before"))
            await place.stop()
            sound = bytearray(place.ledger_path.read_bytes())
            version = int.from_bytes(sound[_USER_VERSION], "big")
            newer = sound.copy()
            newer[_USER_VERSION] = (version + 5).to_bytes(4, "big")
            seal(newer)
            place.ledger_path.write_bytes(newer)
            place.start(whole=True)
            assert await place.ended() == 2
            said = place.said().splitlines()[-1]
            assert f"version {version + 5}" in said
            assert f"knows {version}" in said
            # It is as it was.
            assert place.ledger_path.read_bytes() == newer
            place.ledger_path.write_bytes(sound)
            await place.serve()
            audit.check(replay=True)
            await place.stop()

    run(main())


# --- copies ---------------------------------------------------------------------------------------


def test_copies_under_load_are_of_one_moment(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            customer = place.customer("acme", "50")
            audit = Audit(place)
            audit.ordered([Order("topup", "first:acme", customer.org, nano("50"), "ok")])
            await place.serve()
            clients = Load(place, Mix([customer], connections=12), "load", random.Random(SEED))
            clients.begin()
            copies = [tmp_path / f"copy-{number}.db" for number in range(5)]
            with place.ledger(read_only=True) as ledger:
                for copy in copies:
                    # Some more requests between two copies.
                    seen = len(clients.asked) + 30
                    await place.upstream.until(lambda seen=seen: len(clients.asked) >= seen)
                    await asyncio.to_thread(ledger.backup, copy)
            copies.append(await asyncio.to_thread(command_backup, place))
            await clients.end()
            audit.heard(clients.asked)
            audit.check(replay=True)
            await place.stop()
            check_copies(place, customer, copies)
            # A copy in the ledger's place serves; what it has not heard of is not there.
            for file in place.data_dir.glob(f"{FILE_NAME}*"):
                file.unlink()
            shutil.copy(copies[-1], place.ledger_path)
            await place.serve()
            asked = await ask(place, customer, "restored", max_tokens=20)
            assert asked.outcome == "ok"
            with place.ledger(read_only=True) as ledger:
                assert ledger.verify()["rule"] == ""
                assert ledger.balance(customer.org).held == 0
            await place.stop()

    run(main())


def command_backup(place: World) -> Path:
    """Has the command make a copy."""
    copy = place.folder / "copy.db"
    program = [sys.executable, "-m", "seekroute", "--config", str(place.config)]
    subprocess.run(
        [*program, "backup", str(copy)], env=place.environ, check=True, capture_output=True
    )
    return copy


def check_copies(place: World, customer: Customer, copies: list[Path]) -> None:
    """Each is sound and the beginning of what the ledger has become."""
    with place.ledger(read_only=True) as ledger:
        journal = list(ledger.entries())
    lengths = []
    for copy in copies:
        with Ledger(copy, read_only=True) as ledger:
            assert ledger.verify()["rule"] == ""
            entries = list(ledger.entries())
            assert entries == journal[: len(entries)]
            legs = [sum(entry[leg] for entry in entries) for leg in ("available", "held", "debt")]
            balance = ledger.balance(customer.org)
            assert [balance.available, balance.held, -balance.owed] == legs
        lengths.append(len(entries))
    assert lengths == sorted(set(lengths)), "copies of later moments know more"


def test_a_copy_does_not_take_a_files_place(tmp_path: Path) -> None:
    async def main() -> None:
        async with world(tmp_path) as place:
            place.customer("acme", "5")
            taken = tmp_path / "taken.db"
            taken.write_text("precious")
            with place.ledger(read_only=True) as ledger, pytest.raises(LedgerError):
                ledger.backup(taken)
            assert taken.read_text() == "precious"

    run(main())
