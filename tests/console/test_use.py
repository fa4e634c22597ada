"""What the pages show of an organization's use, and to whom."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from browsing import ConsoleWorld
from seekroute.console.desk import Desk
from seekroute.console.use import search
from seekroute.testing import Status


@pytest.fixture
def key(console: ConsoleWorld) -> tuple[str, str]:
    """A new key of the operator: its id and its text."""
    made = console.operator.do("POST", f"{console.operator.org}/keys", {"name": "used"})
    console.server.service.sync_keys()
    return made["data"]["id"], made["key"]


def test_requests_are_found_by_status_and_model(
    console: ConsoleWorld, key: tuple[str, str]
) -> None:
    id, text = key
    server, browser = console.server, console.operator
    assert server.chat_with(text).status == 200
    server.mock.queue(Status(500))
    assert server.chat_with(text).status == 502

    def found(query: str) -> list[Any]:
        told = browser.get(f"{browser.org}/generations?key={id}{query}")
        assert told["scanned_to"] is None
        return [row["status"] for row in told["data"]]

    assert found("") == [502, 200]
    assert found("&status=failed") == [502]
    assert found("&status=ok") == [200]
    (row, _) = browser.get(f"{browser.org}/generations?key={id}")["data"]
    assert found(f"&model={row['model']}") == [502, 200]
    assert found("&model=no/such") == []
    refused = browser.ask("GET", f"{browser.org}/generations?status=odd")
    assert (refused.status, refused.json()["error"]["param"]) == (400, "status")
    assert browser.get(f"{browser.org}/overview")["failures"][0]["id"] == row["id"]


def test_a_member_sees_of_the_overview_what_is_its_own(
    console: ConsoleWorld, key: tuple[str, str]
) -> None:
    assert console.server.chat_with(key[1]).status == 200
    told = console.person("member").get(f"{console.operator.org}/overview")
    assert told["balance"]["available"] is not None
    assert told["keys"] == told["models"] == told["failures"] == []
    assert sum(day["requests"] for day in told["days"]) == 0
    # Whoever sees sums alone sees those of all, and no request.
    sums = console.person("billing").get(f"{console.operator.org}/overview")
    assert key[0] in {row["id"] for row in sums["keys"]}
    assert sums["failures"] == []


def test_everybody_who_is_signed_in_sees_the_models(console: ConsoleWorld) -> None:
    rows = console.person("member").get("/models")["data"]
    assert {"id", "name", "pricing", "context_length"} <= set(rows[0])
    assert console.browser().ask("GET", "/models").status == 401


def test_the_session_says_what_its_pages_may_offer(console: ConsoleWorld) -> None:
    told = console.person("billing").get("/session")
    (org,) = told["orgs"]
    assert org["rights"]["see_use"] == "sums"
    assert "change_keys" not in org["rights"]
    assert told["rights"] == {}
    assert console.operator.get("/session")["rights"]["change_instance"] == "all"


class _Books:
    """A ledger with many rows, of which none is what anybody looks for."""

    def rows(self, *, org: str, key: str, before: int | None, limit: int) -> list[dict[str, int]]:
        first = 10_000 if before is None else before
        return [{"n": n, "created": n} for n in range(first - 1, max(0, first - 1 - limit), -1)]


def test_a_search_that_finds_little_ends_and_says_how_far_it_came() -> None:
    desk = cast(Desk, SimpleNamespace(books=_Books))
    found, next, scanned_to = search(
        desk, "org", lambda row: False, key="", before=None, limit=5, most=2000
    )
    assert (found, next, scanned_to) == ([], 8000, 8000)
    found, next, scanned_to = search(
        desk, "org", lambda row: row["n"] < 3, key="", before=500, limit=5, most=2000
    )
    assert ([row["n"] for row in found], next, scanned_to) == ([2, 1], None, None)
