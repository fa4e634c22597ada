"""A server with a ledger: what it holds, charges and writes down, through real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seekroute.ledger import FILE_NAME, Balance, Ledger, LedgerError
from seekroute.money import nano, usd
from serving import RunningServer, running_server

ON: dict[str, Any] = {"credits": {"enabled": True}}


def org_of(server: RunningServer) -> str:
    return server.service.control.orgs.get("default").id


def ledger_of(server: RunningServer) -> Ledger:
    assert server.service.ledger is not None
    return server.service.ledger


def test_a_request_is_paid_for_and_leaves_a_row(tmp_path: Path) -> None:
    with running_server(tmp_path, **ON) as server:
        org = org_of(server)
        ledger = ledger_of(server)
        ledger.topup("test:1", org, nano("1"))
        answer = server.chat()
        assert answer.status == 200
        (row,) = ledger.rows(org=org)
        assert row["state"] == "settled"
        assert row["generation"] == answer.json()["id"]
        assert row["cost"] > 0
        assert ledger.balance(org) == Balance(nano("1") - row["cost"], 0, 0)
        # Another process reads while the server writes.
        with Ledger(tmp_path / FILE_NAME, read_only=True) as reader:
            assert reader.balances() == {org: ledger.balance(org)}
            assert reader.verify()["rule"] == ""


def test_a_second_start_finds_what_the_first_one_wrote(tmp_path: Path) -> None:
    with running_server(tmp_path, **ON) as server:
        org = org_of(server)
        ledger_of(server).topup("test:1", org, nano("2.5"))
        assert server.chat().status == 200
        before = ledger_of(server).balance(org)
    with running_server(tmp_path, **ON) as server:
        assert ledger_of(server).balance(org) == before
        assert len(ledger_of(server).rows(org=org)) == 1


def test_a_file_in_use_or_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with Ledger(path), pytest.raises(LedgerError, match="open in this process") as busy:
        Ledger(path)
    assert busy.value.code == "store_unavailable"
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(LedgerError) as damaged:
        Ledger(path)
    assert damaged.value.code == "storage_corrupt"


@pytest.mark.parametrize("text", ["", "x", "1e30", "nan", "inf", "0.0000000001", "1,5"])
def test_an_amount_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|places"):
        nano(text)


def test_amounts_survive_the_round_trip() -> None:
    for amount in (0, 1, -1, 10**9, -(10**18), 123_456_789_012_345_678):
        assert nano(usd(amount)) == amount
