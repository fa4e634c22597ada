"""Credits in the core: a gateway over a ledger file and a provider on a real socket."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seekroute import _core
from seekroute.config.snapshot import build_options
from serving import RunningServer, chat_body, running_server

PEPPER = b"pepper of a test"
KEY = b"sr-a-key-of-a-test"
DOLLAR = 10**9


class Credits:
    """A core with credits on, one organization with a dollar, and its ledger file."""

    def __init__(self, server: RunningServer, path: Path) -> None:
        options = build_options(server.settings, PEPPER)
        self.mock = server.mock
        self.ledger = _core.LedgerFile(str(path))
        self.ledger.topup("test:1", "acme", DOLLAR)
        self.core = _core.Gateway({**options, "credits": True}, self.ledger)
        self.core.install(server.snapshot())
        self.core.put_key(
            hmac.digest(PEPPER, KEY, hashlib.sha256),
            {
                "key_id": "key",
                "org_id": "acme",
                "profile": "seekroute",
                "disabled": False,
                "app_pending": False,
            },
        )

    def ask(self, body: bytes, idempotency_key: bytes | None = None) -> tuple[int, Any, Any]:
        """Status, body and record of one chat completion."""
        self.core.submit(body, b"Bearer " + KEY, None, False, False, 0, idempotency_key)
        self.core.flush()
        status, text = 0, b""
        while True:
            assert self.core.wait(20)
            for _, head, piece, record in self.core.drain():
                status = head[0] if head else status
                text += piece
                if record is not None:
                    return status, json.loads(text), record


@pytest.fixture
def credits(tmp_path: Path) -> Iterator[Credits]:
    with running_server(tmp_path) as server:
        opened = Credits(server, tmp_path / "ledger.db")
        try:
            yield opened
        finally:
            opened.core.close()
            opened.ledger.close()


def test_a_request_is_held_sent_and_charged(credits: Credits) -> None:
    status, answer, record = credits.ask(chat_body())
    assert status == 200
    assert record.settlement == "exact"
    assert 0 < record.cost_nano <= record.held_nano
    assert credits.mock.requests[-1].json["max_tokens"] > 0
    available, held, *_ = credits.ledger.balance("acme")
    assert (available, held) == (DOLLAR - record.cost_nano, 0)
    row = credits.ledger.generation(record.generation_id)
    assert row is not None
    assert answer["usage"]["cost"] == pytest.approx(record.cost_nano / DOLLAR)
    assert credits.ledger.verify()["rule"] == ""


def test_what_is_not_affordable_is_not_sent(credits: Credits) -> None:
    sent = len(credits.mock.requests)
    credits.ledger.adjust("test:2", "acme", -DOLLAR + 1, "spent elsewhere")
    status, answer, _ = credits.ask(chat_body())
    assert status == 402
    assert answer["error"]["code"] == "insufficient_credits"
    assert answer["error"]["metadata"]["affordable_max_tokens"] == 0
    assert len(credits.mock.requests) == sent


def test_an_idempotency_key_is_sent_once(credits: Credits) -> None:
    _, _, record = credits.ask(chat_body(), b"order-1")
    status, answer, _ = credits.ask(chat_body(), b"order-1")
    assert (status, answer["error"]["code"]) == (409, "idempotency_completed")
    assert answer["error"]["metadata"]["generation_id"] == record.generation_id
    assert credits.ask(chat_body(seed=1), b"order-1")[0] == 422
    assert len(credits.mock.requests) == 1
