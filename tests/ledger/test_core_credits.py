"""Credits in the core: a gateway over a ledger file and a provider on a real socket."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seekroute import _core
from seekroute.config import Settings
from seekroute.config.core_options import build_options
from seekroute.control import CoreKey
from seekroute.gateway import CHAT, IN_PROCESS, SERVER
from seekroute.testing import Answer
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
        self.core = _core.Gateway(
            {**options, "credits": True, "credits_local_org": "operator"}, self.ledger
        )
        self.core.install(server.snapshot())
        self.put_key()

    def put_key(self, **members: Any) -> None:
        """Gives the test's key other members."""
        mac = hmac.digest(PEPPER, KEY, hashlib.sha256)
        key = CoreKey(mac, "key", "acme", "seekroute", **members)
        self.core.put_keys([key], lambda _: {}, stand_ins=False)

    def ask(
        self, body: bytes, idempotency_key: bytes | None = None, *, local: bool = False
    ) -> tuple[int, Any, Any]:
        """Status, body and record of one chat completion."""
        authorization = None if local else b"Bearer " + KEY
        origin = IN_PROCESS if local else SERVER
        self.core.submit(CHAT, body, authorization, None, origin, 0, idempotency_key)
        self.core.flush()
        status, text = 0, b""
        while True:
            assert self.core.wait(20)
            for _, head, piece, record in self.core.take_all():
                status = head[0] if head else status
                text += piece
                if record is not None:
                    return status, json.loads(text), record


@pytest.fixture
def credits(tmp_path: Path) -> Iterator[Credits]:
    with running_server(tmp_path, credits={"enabled": False}) as server:
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
    assert credits.mock.requests[-1].json["max_completion_tokens"] > 0
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


def test_a_key_without_a_line_is_prepaid(credits: Credits) -> None:
    credits.ledger.adjust("test:2", "acme", -DOLLAR, "spent elsewhere")
    assert credits.ask(chat_body())[0] == 402
    credits.put_key(credit_line_nano=0)
    assert credits.ask(chat_body())[0] == 402
    credits.put_key(credit_line_nano=DOLLAR)
    assert credits.ask(chat_body())[0] == 200
    credits.put_key(credit_line_nano=None)
    assert credits.ask(chat_body())[0] == 200
    available, held, debt, *_ = credits.ledger.balance("acme")
    assert (available, held) == (0, 0)
    assert debt == -sum(row["cost"] for row in credits.ledger.rows(org="acme"))
    assert debt < 0
    credits.ledger.topup("test:3", "acme", DOLLAR)
    assert credits.ledger.balance("acme")[0] == DOLLAR + debt
    assert credits.ledger.verify()["rule"] == ""


def test_what_has_no_key_is_booked_for_the_operator(credits: Credits) -> None:
    status, _, record = credits.ask(chat_body(), local=True)
    assert (status, record.org_id) == (200, "operator")
    assert credits.ledger.balance("operator")[:3] == (0, 0, -record.cost_nano)


def test_a_key_limit_says_when_it_begins_anew(credits: Credits) -> None:
    credits.put_key(limit_nano=1, limit_reset="daily")
    status, answer, _ = credits.ask(chat_body())
    assert status == 402
    resets_at = answer["error"]["metadata"]["resets_at"]
    assert resets_at % 86_400 == 0
    assert 0 < resets_at - time.time() <= 86_400
    credits.put_key(limit_nano=1, limit_reset="never")
    assert "resets_at" not in credits.ask(chat_body())[1]["error"]["metadata"]


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"credit_line_nano": -1}, "credit_line_nano: expected 0 or more, or None"),
        ({"limit_nano": 1, "limit_reset": "yearly"}, "limit_reset: expected never or daily or"),
    ],
)
def test_keys_that_make_no_sense_are_refused(
    credits: Credits, members: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        credits.put_key(**members)


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ({"credits_on_client_abort": "no"}, "credits_on_client_abort: expected charge or free"),
        ({"credits_on_upstream_failure": ""}, "expected free or charge"),
        ({"credits_on_missing_usage": "guess"}, "expected estimate or free"),
        ({"credits_max_read_outs": -1}, "credits_max_read_outs: expected 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(option: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        _core.Gateway({**build_options(Settings(), PEPPER), **option})


def test_the_ledger_is_measured(credits: Credits) -> None:
    _, _, record = credits.ask(chat_body())
    samples = {name: value for name, labels, value in credits.core.samples() if not labels}
    assert samples["seekroute_ledger_ready"] == 1
    assert samples["seekroute_ledger_commits_total"] == 3  # a top-up, a hold, a settlement
    assert samples["seekroute_ledger_live_holds"] == 0
    assert samples["seekroute_ledger_waiting_settles"] == 0
    assert samples["seekroute_ledger_drift_nano"] == 0
    assert samples["seekroute_operator_revenue_nano"] == record.cost_nano
    assert samples["seekroute_operator_loss_nano"] == 0
    assert samples["seekroute_active_read_outs"] == 0


def test_a_client_that_leaves_a_provider_that_is_read_out_pays_for_all(tmp_path: Path) -> None:
    with running_server(tmp_path, credits={"enabled": False}) as server:
        opened = Credits(server, tmp_path / "ledger.db")
        try:
            snapshot = server.snapshot()
            for provider in snapshot["providers"]:
                provider["on_abort"] = "read_out"
            opened.core.install(snapshot)
            opened.mock.queue(Answer(first_byte_delay=1.0))
            exchange = opened.core.submit(CHAT, chat_body(), b"Bearer " + KEY, None, SERVER)
            opened.core.flush()
            opened.mock.wait_for_requests()
            opened.core.cancel(exchange)
            opened.core.flush()
            assert opened.core.wait(20)
            ((_, head, body, record),) = opened.core.take_all()
            assert (head, body) == (None, b"")
            assert record is not None
            assert (record.error, record.settlement) == ("client_closed", "exact")
            assert record.cost_nano > 0
            assert opened.ledger.balance("acme")[0] == DOLLAR - record.cost_nano
        finally:
            opened.core.close()
            opened.ledger.close()
