"""The one way to open a gateway: its order, and that nothing stays open of what failed."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from seekroute.config import load_settings, prepare
from seekroute.control import ControlError, ControlPlane, InstanceLock
from seekroute.gateway import Gateway
from seekroute.ledger import Ledger, LedgerError
from seekroute.opening import Opened, open_gateway
from seekroute.plan import Plan
from seekroute.testing import MockProvider


def plan_of(folder: Path, **overrides: Any) -> Plan:
    given = {"mock": "beside", "credits": {"enabled": True}, "data_dir": str(folder), **overrides}
    return prepare(load_settings(overrides=given, environ={}), {})


def answers(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname, parts.port), timeout=5):
            return True
    except OSError:
        return False


class Refusing(Gateway):
    """A core that cannot be made."""

    seen: dict[str, Any]

    def __init__(self, options: Any, snapshot: Any, **more: Any) -> None:
        type(self).seen = {"options": options, "snapshot": snapshot, **more}
        raise RuntimeError("no threads left")


def url_in(snapshot: dict[str, Any]) -> str:
    (url,) = {p["base_url"] for p in snapshot["providers"] if "127.0.0.1" in p["base_url"]}
    return str(url)


def is_free(folder: Path) -> bool:
    """Whether nobody has the directory or its ledger open."""
    try:
        with InstanceLock(folder), ControlPlane(folder), Ledger(folder / "ledger.db"):
            return True
    except (ControlError, LedgerError):
        return False


def test_a_server_s_gateway_has_all_its_parts_and_lets_go_of_them(tmp_path: Path) -> None:
    with open_gateway(plan_of(tmp_path), home=tmp_path) as opened:
        assert opened.control is not None
        assert opened.ledger is not None
        assert opened.mock is not None
        assert opened.mocked
        url = opened.mock.base_url
        assert answers(url)
        assert not is_free(tmp_path)
        with pytest.raises(ControlError, match="in use"):
            open_gateway(plan_of(tmp_path), home=tmp_path)
    opened.close()
    assert opened.gateway.closed
    assert not answers(url)
    assert is_free(tmp_path)


def test_the_last_is_closed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    def note(owner: type, method: str) -> None:
        then = getattr(owner, method)

        def noted(self: Any, *args: Any) -> Any:
            closed.append(owner.__name__)
            return then(self, *args)

        monkeypatch.setattr(owner, method, noted)

    note(Gateway, "close")
    note(Ledger, "close")
    note(MockProvider, "stop")
    note(ControlPlane, "close")
    note(InstanceLock, "__exit__")
    open_gateway(plan_of(tmp_path), home=tmp_path).close()
    firsts = list(dict.fromkeys(closed))
    assert firsts == ["Gateway", "Ledger", "MockProvider", "ControlPlane", "InstanceLock"]


def test_nothing_stays_open_where_the_core_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no threads"):
        open_gateway(plan_of(tmp_path), home=tmp_path, kind=Refusing)
    assert not answers(url_in(Refusing.seen["snapshot"]))
    assert is_free(tmp_path)
    with open_gateway(plan_of(tmp_path), home=tmp_path):
        pass


def test_nothing_stays_open_where_the_ledger_cannot_be_opened(tmp_path: Path) -> None:
    open_gateway(plan_of(tmp_path), home=tmp_path).close()
    for file in tmp_path.glob("ledger.db*"):
        file.unlink()
    with pytest.raises(ControlError, match=r"ledger\.db is gone"):
        open_gateway(plan_of(tmp_path), home=tmp_path)
    plan = replace(plan_of(tmp_path), anew=frozenset({"ledger"}))
    open_gateway(plan, home=tmp_path).close()
    assert is_free(tmp_path)


def test_a_gateway_in_process_needs_no_directory(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "none")
    book = tmp_path / "book.db"
    with open_gateway(plan, ledger=book) as first, open_gateway(plan, ledger=book) as second:
        assert first.control is None
        assert first.ledger is second.ledger
        first.close()
        assert second.ledger is not None
        assert second.ledger.balances() == {}
        assert second.mock is not None
        assert answers(second.mock.base_url)
    assert not (tmp_path / "none").exists()
    Ledger(book).close()
    with pytest.raises(RuntimeError, match="no threads"):
        open_gateway(plan, ledger=book, kind=Refusing)
    Ledger(book).close()
    assert Refusing.seen["options"]["pepper"]


def test_a_mock_that_was_given_stays_the_caller_s(tmp_path: Path) -> None:
    with MockProvider() as mock:
        opened: Opened = open_gateway(plan_of(tmp_path), home=tmp_path, mock=mock)
        assert opened.mock is mock
        assert not opened.mocked
        opened.close()
        assert answers(mock.base_url)
