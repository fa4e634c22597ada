"""What outlives a request in the core: its idempotency key, its answer, its progress notes."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from seekroute import _core
from seekroute.config.core_options import build_options
from seekroute.control import CoreKey
from seekroute.gateway import CHAT, SERVER
from serving import RunningServer, chat_body, running_server

PEPPER = b"pepper of a test"
KEY = b"sr-a-key-of-a-test"
DOLLAR = 10**9
REPLAY = (b"x-seekroute-idempotent-replay", b"true")


class Life:
    """One life of a core over the ledger at `path`: opened, asked, and ended."""

    def __init__(
        self, server: RunningServer, path: Path, *, orphans: str = "expire", **options: Any
    ) -> None:
        store_answers = options.pop("store_answers", False)
        self.ledger = _core.LedgerFile(str(path), orphans=orphans)
        self.ledger.topup("test:1", "acme", DOLLAR)
        built = build_options(server.settings, PEPPER)
        self.core = _core.Gateway({**built, "credits": True, **options}, self.ledger)
        self.core.install(server.snapshot())
        mac = hmac.digest(PEPPER, KEY, hashlib.sha256)
        key = CoreKey(mac, "key", "acme", "seekroute", store_answers=store_answers)
        self.core.put_keys([key], lambda _: {}, stand_ins=False)

    def __enter__(self) -> Life:
        return self

    def __exit__(self, *_: object) -> None:
        self.core.close()
        self.ledger.close()

    def ask(self, body: bytes, key: bytes = b"order-1") -> tuple[int, list[Any], bytes, Any]:
        """Status, headers, body and record of one chat completion."""
        self.core.submit(CHAT, body, b"Bearer " + KEY, None, SERVER, 0, key)
        self.core.flush()
        status, headers, text = 0, [], b""
        while True:
            assert self.core.wait(20)
            for _, head, piece, record in self.core.take_all():
                if head:
                    status, headers = head
                text += piece
                if record is not None:
                    return status, headers, text, record


def test_a_restart_does_not_forget_what_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with running_server(tmp_path, credits={"enabled": False}) as server:
        with Life(server, path) as life:
            status, _, _, first = life.ask(chat_body())
            assert status == 200
        with Life(server, path) as life:
            status, _, text, _ = life.ask(chat_body())
            assert status == 409
            assert first.generation_id.encode() in text
            assert b"idempotency_completed" in text
            assert life.ask(chat_body(seed=1))[0] == 422
            assert life.ask(chat_body(), b"order-2")[0] == 200
        assert len(server.mock.requests) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_stored_answer_is_given_again(tmp_path: Path, stream: bool) -> None:
    path = tmp_path / "ledger.db"
    body = chat_body(stream=stream)
    with running_server(tmp_path, credits={"enabled": False}) as server:
        with Life(server, path, store_answers=True) as life:
            status, headers, text, record = life.ask(body)
            entries = len(life.ledger.entries())
            again = life.ask(body)
            assert again[:1] + again[2:3] == (status, text)
            assert REPLAY in again[1]
            assert REPLAY not in headers
            kept = [header for header in headers if header[0] != b"x-request-id"]
            assert [each for each in again[1] if each[0] != b"x-request-id"] == [*kept, REPLAY]
            assert again[3].cost_nano == 0
            assert again[3].generation_id == record.generation_id
            assert len(life.ledger.entries()) == entries
            assert len(life.ledger.rows()) == 1
        with Life(server, path, store_answers=True) as life:
            assert life.ask(body)[0] == 409  # answers are in memory
        assert len(server.mock.requests) == 1


def test_too_large_answers_are_not_stored(tmp_path: Path) -> None:
    options = {"store_answers": True, "max_stored_answers_bytes": 100}
    with (
        running_server(tmp_path, credits={"enabled": False}) as server,
        Life(server, tmp_path / "l.db", **options) as life,
    ):
        assert life.ask(chat_body())[0] == 200
        assert life.ask(chat_body())[0] == 409


def test_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="orphans"):
        _core.LedgerFile(str(tmp_path / "l.db"), orphans="forget")
    with running_server(tmp_path, credits={"enabled": False}) as server:
        options = build_options(server.settings, PEPPER)
        with pytest.raises(ValueError, match="credits_progress_note_ms"):
            _core.Gateway({**options, "credits_progress_note_ms": -1})
    with closing(_core.LedgerFile(str(tmp_path / "l.db"), orphans="charge")) as ledger:
        assert (ledger.expired_at_start, ledger.charged_at_start) == (0, 0)
