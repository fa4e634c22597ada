"""Limits of a day that are new go on from what was used of the day."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from seekroute.control import CoreKey
from seekroute.ledger import LedgerError
from seekroute.money import nano
from seekroute.rate_limits import LimitPlan
from seekroute.server.day_counts import DayCounts
from serving import PATIENCE, RunningServer, running_server

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.gateway import Gateway
    from seekroute.ledger import Ledger


@pytest.fixture
def daily(tmp_path: Path) -> Iterator[RunningServer]:
    """A server whose key has been answered three times today."""
    with running_server(tmp_path / "data", credits={"enabled": True}) as server:
        org = server.service.control.orgs.get("default").id
        assert server.service.ledger is not None
        server.service.ledger.topup("test:1", org, nano("1"))
        for _ in range(3):
            assert server.chat().status == 200
        yield server


def left_of_day(server: RunningServer, key: str) -> str:
    """What is left of the requests of a key, or of what it shares."""
    told = server.request("GET", "/v1/key", headers={"Authorization": f"Bearer {key}"})
    return told.headers.get("x-ratelimit-remaining-requests", "none")


def key_of(server: RunningServer, **more: str) -> tuple[str, str]:
    """The id and the text of a new key of `default`."""
    profile = server.service.default_profile
    key, text = server.service.control.keys.create(
        "default", name="another", profile=profile.name, prefix=profile.key_prefix, **more
    )
    server.service.sync_keys()
    return key.id, text


@pytest.mark.parametrize("scope", ["key", "org"])
def test_a_day_that_is_limited_anew_counts_what_was_used(daily: RunningServer, scope: str) -> None:
    control = daily.service.control
    mine = control.keys.list("default")[0].id
    id = mine if scope == "key" else control.orgs.get("default").id
    control.limits.set(scope, id, {"requests_per_day": 5, "tokens_per_day": 1_000_000})
    daily.service.sync_keys()
    assert left_of_day(daily, daily.key) == "2"
    _, other = key_of(daily)
    assert left_of_day(daily, other) == ("none" if scope == "key" else "2")
    # What holds already is not counted again.
    control.limits.set(scope, id, {"requests_per_day": 6})
    daily.service.sync_keys()
    assert left_of_day(daily, daily.key) == "3"
    assert [daily.chat().status for _ in range(4)] == [200, 200, 200, 429]
    # Nor is what was used while there was no limit forgotten.
    control.limits.set(scope, id, {"requests_per_day": None})
    daily.service.sync_keys()
    assert daily.chat().status == 200
    control.limits.set(scope, id, {"requests_per_day": 8})
    daily.service.sync_keys()
    assert left_of_day(daily, daily.key) == "1"


def test_a_day_of_an_app_counts_all_its_keys(daily: RunningServer) -> None:
    control = daily.service.control
    app = control.apps.create("default", name="shop")
    control.apps.approve(app.id)
    keys = [key_of(daily, app=app.id)[1] for _ in range(2)]
    for key in keys:
        assert daily.chat_with(key).status == 200
    control.limits.set("app", app.id, {"requests_per_day": 5})
    daily.service.sync_keys()
    assert [left_of_day(daily, key) for key in keys] == ["3", "3"]


def test_limits_may_be_said_of_what_there_is_not(daily: RunningServer) -> None:
    daily.service.control.limits.set("app", "app_gone", {"requests_per_day": 5})
    daily.service.sync_keys()
    assert daily.chat().status == 200


def test_a_day_that_a_reload_limits_counts_what_was_used(daily: RunningServer) -> None:
    keys = [key_of(daily)[1] for _ in range(20)]  # more than are read one by one
    for key in keys[:2]:
        assert daily.chat_with(key).status == 200
    plan = LimitPlan(key={"requests_per_day": 9})
    daily.service._key_feed.adopt(plan, mocked=daily.service.mocked)
    daily.service.sync_keys()
    found = [left_of_day(daily, key) for key in (daily.key, *keys[:3])]
    assert found == ["6", "8", "8", "9"]


def test_a_running_server_counts_a_new_day_by_itself(daily: RunningServer) -> None:
    mine = daily.service.control.keys.list("default")[0].id
    daily.service.control.limits.set("key", mine, {"requests_per_day": 5})
    until = time.monotonic() + PATIENCE
    while left_of_day(daily, daily.key) != "2":
        assert time.monotonic() < until, left_of_day(daily, daily.key)


def test_what_shadow_pairs_have_cost_today_is_told_once() -> None:
    told: list[int] = []
    asked: list[tuple[str, int]] = []
    rows = [
        {"upstream_cost": 5, "suspected_cost": 2, "cost": 5},
        {"upstream_cost": 10, "suspected_cost": 0, "cost": 10},
    ]

    def activity(*, org: str, since: int, until: int) -> list[dict[str, int]]:
        assert since == until
        asked.append((org, since // 86_400))
        if len(asked) == 1:
            raise LedgerError("ledger_unavailable", "its disk fails")
        return rows

    today = 86_400 * 20_000
    requests = [
        {"n": 5, "created": today + 9, "state": "held", "held": 1000},
        {"n": 4, "created": today + 8, "state": "expired", "held": 300},
        {"n": 3, "created": today, "state": "expired", "held": 40},
        {"n": 2, "created": today - 1, "state": "expired", "held": 5000},
    ]

    def pages(*, org: str, before: int | None, limit: int) -> list[dict[str, Any]]:
        assert org == "operator"
        return [each for each in requests if before is None or each["n"] < before][:1]

    ledger = SimpleNamespace(activity=activity, rows=pages)
    counts = DayCounts(
        cast("ControlPlane", None),
        cast("Gateway", SimpleNamespace(core=SimpleNamespace(raise_shadow_spent=told.append))),
        cast("Ledger", ledger),
        now=lambda: 86_400.0 * 20_000,
    )
    with pytest.raises(LedgerError):
        counts.count_operator()
    counts.count_operator()
    counts.count_operator()
    assert told == [17 + 340]
    assert asked == [("operator", 20_000)] * 2


class Book:
    """A ledger that cannot be read at first."""

    def __init__(self, now: list[float]) -> None:
        self.asked: list[tuple[str, int]] = []
        self._now = now

    def day_rows(self, org: str, day: int, *, key: str) -> list[dict[str, Any]]:
        self.asked.append((key, day))
        if len(self.asked) == 1:
            raise LedgerError("ledger_unavailable", "its disk fails")
        if len(self.asked) == 2:
            self._now[0] += 86_400  # midnight
        return [{"key": key, "requests": 1, "prompt_tokens": 2, "completion_tokens": 3}]


def test_a_day_is_read_until_it_could_be_and_belongs_to_its_day(daily: RunningServer) -> None:
    now = [86_400.0 * 20_000]
    book = Book(now)
    told: list[tuple[Any, ...]] = []
    core = SimpleNamespace(raise_today=lambda *what: told.append(what))
    counts = DayCounts(
        daily.service.control,
        cast("Gateway", SimpleNamespace(core=core)),
        cast("Ledger", book),
        now=lambda: now[0],
    )
    counts.expect_keys([CoreKey(b"", "key_1", "org_1", "seekroute")])
    with pytest.raises(LedgerError):
        counts.count()
    counts.count()
    counts.count()
    assert book.asked == [("key_1", 20_000)] * 2
    assert told == []
    counts.expect_keys([CoreKey(b"", "key_1", "org_1", "seekroute")])
    counts.count()
    assert told == [("key", "org_1", "key_1", 1, 5)]
