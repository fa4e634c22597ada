"""The ledger's file, as a process without a gateway uses it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from seekroute import _core

USD = 10**9


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


@pytest.fixture
def ledger(path: str) -> Iterator[_core.LedgerFile]:
    opened = _core.LedgerFile(path)
    yield opened
    opened.close()


def test_orders_are_durable_and_happen_once(ledger: _core.LedgerFile, path: str) -> None:
    assert ledger.topup("manual:1", "acme", 5 * USD) == ("ok", 5 * USD, 0, 0)
    assert ledger.topup("manual:1", "acme", 5 * USD) == ("exists", 5 * USD, 0, 0)
    assert ledger.topup("manual:1", "acme", 6 * USD)[0] == "conflict"
    assert ledger.topup("manual:2", "acme", 0)[0] == "invalid"
    assert ledger.adjust("fix", "acme", -7 * USD, "double credit") == ("ok", 0, 0, -2 * USD)
    assert ledger.refund("r", "gen-none", 1)[0] == "unknown"
    ledger.close()
    again = _core.LedgerFile(path)
    assert again.balance("acme")[:3] == (0, 0, -2 * USD)
    assert again.balance("") == (0, 0, 0, -5 * USD, 0, 7 * USD)
    assert again.adjust("fix", "acme", -7 * USD, "double credit")[0] == "exists"
    assert again.expired_at_start == 0
    again.close()


def test_a_reader_sees_what_the_writer_wrote(ledger: _core.LedgerFile, path: str) -> None:
    reader = _core.LedgerFile(path, read_only=True)
    ledger.topup("manual:1", "acme", 3)
    ledger.adjust("gift", "zeta", 4, "welcome", chargeback=False)
    assert reader.balances() == [
        {"org": "acme", "available": 3, "held": 0, "debt": 0},
        {"org": "zeta", "available": 4, "held": 0, "debt": 0},
    ]
    first, second = reader.entries()
    assert (first["seq"], first["kind"], first["id"], first["cash"]) == (1, "topup", "manual:1", -3)
    assert (second["kind"], second["loss"], second["note"]) == ("adjust", -4, "welcome")
    assert reader.entries(after=1, limit=1) == [second]
    assert reader.generation("gen-none") is None
    assert reader.rows(org="acme") == []
    assert reader.activity() == []
    with pytest.raises(ValueError, match="open for reading"):
        reader.topup("manual:2", "acme", 1)


def test_verify_and_backup(ledger: _core.LedgerFile, tmp_path: Path) -> None:
    ledger.topup("manual:1", "acme", 3)
    report = ledger.verify()
    assert report == {"rule": "", "seq": 0, "why": "", "entries": 1, "requests": 0}
    copy = str(tmp_path / "copy.db")
    ledger.backup(copy)
    assert Path(copy).stat().st_mode & 0o777 == 0o600
    ledger.topup("manual:2", "acme", 3)
    with pytest.raises(_core.CoreError, match="exists"):
        ledger.backup(copy)
    restored = _core.LedgerFile(copy)
    assert restored.balance("acme")[0] == 3
    assert restored.topup("manual:2", "acme", 3)[0] == "ok"
    restored.close()


def test_only_one_process_writes(ledger: _core.LedgerFile, path: str) -> None:
    code = "import sys; from seekroute import _core; _core.LedgerFile(sys.argv[1])"
    other = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert other.returncode == 1
    assert "CoreError" in other.stderr
    assert "in use by another process" in other.stderr


def test_files_that_are_no_ledger_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "notes.db"
    text.write_text("this is not a database, but it is longer than the header of one: " * 20)
    for path, read_only, code in (
        (text, False, "storage_corrupt"),
        (tmp_path / "absent.db", True, "store_unavailable"),
        (tmp_path / "nowhere" / "ledger.db", False, "store_unavailable"),
    ):
        with pytest.raises(_core.CoreError) as refused:
            _core.LedgerFile(str(path), read_only=read_only)
        error = refused.value
        assert (error.code, error.retry_after_ms) == (code, 0)
        assert str(error) == error.message
        assert code not in error.message
    assert not (tmp_path / "absent.db").exists()


def test_threads_share_one_file(ledger: _core.LedgerFile) -> None:
    def credit(thread: int) -> None:
        for i in range(50):
            assert ledger.topup(f"{thread}:{i}", f"org-{thread % 2}", 1)[0] == "ok"

    threads = [threading.Thread(target=credit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["available"] for row in ledger.balances()] == [200, 200]
    assert ledger.verify()["rule"] == ""


def test_pruning_keeps_sums_and_ids(ledger: _core.LedgerFile) -> None:
    for i in range(20):
        ledger.topup(f"manual:{i}", "acme", 10)
    assert ledger.prune(0) == (0, 0)
    # Everything is older than a moment that is far ahead.
    assert ledger.prune(2**50) == (19, 0)
    assert ledger.balance("acme")[0] == 200
    assert [entry["kind"] for entry in ledger.entries()] == ["opening"]
    assert ledger.topup("manual:3", "acme", 10)[0] == "exists"
    assert ledger.verify()["rule"] == ""
