"""Limits of requests and tokens in control.db, and which of several holds."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from seekroute.control import ControlError, ControlPlane
from seekroute.control.models import ApiKey
from seekroute.rate_limits import BOUNDS, LimitPlan, effective, source_of


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path) as plane:
        yield plane


def add_key(control: ControlPlane) -> ApiKey:
    org = control.orgs.create("acme")
    row, _ = control.keys.create(org.id, name="k", profile="seekroute", prefix="sk-sr-")
    return row


def test_what_is_named_changes_and_none_takes_it_back(control: ControlPlane) -> None:
    key = add_key(control)
    assert control.limits.get("key", key.id) == {}
    both = {"requests_per_minute": 60, "concurrent": 0}
    assert control.limits.set("key", key.id, both) == both
    assert control.limits.set("key", key.id, {"tokens_per_day": 5}) == both | {"tokens_per_day": 5}
    assert control.limits.set("key", key.id, {"concurrent": None, "tokens_per_day": None}) == {
        "requests_per_minute": 60
    }
    assert control.limits.get("key", key.id) == {"requests_per_minute": 60}
    assert control.limits.all("key") == {key.id: {"requests_per_minute": 60}}
    control.limits.set("key", key.id, {"requests_per_minute": None})
    assert control.limits.all("key") == {}


def test_a_keys_limits_come_by_the_change_feed(control: ControlPlane) -> None:
    key = add_key(control)
    cursor = control.change_cursor()
    control.limits.set("key", key.id, {"concurrent": 3})
    [seen] = control.changes_since(cursor).keys
    assert seen.limits == {"concurrent": 3}
    cursor = control.change_cursor()
    control.limits.set("key", key.id, {"concurrent": 3})  # nothing new
    assert control.changes_since(cursor).keys == []
    assert [key.limits for key in control.core_keys()] == [{"concurrent": 3}]
    assert control.limits.changed_after(0) == []  # those of keys come with them


def test_all_others_come_by_number_also_what_is_taken_back(control: ControlPlane) -> None:
    org = control.orgs.create("acme")
    control.limits.set("org", org.id, {"requests_per_minute": 6})
    control.limits.set("gateway", "", {"concurrent": 100})
    seen = control.limits.changed_after(0)
    found = [(each.scope, each.id, each.limits) for each in seen]
    assert found == [
        ("org", org.id, {"requests_per_minute": 6}),
        ("gateway", "", {"concurrent": 100}),
    ]
    control.limits.set("org", org.id, {"requests_per_minute": None})
    [change] = control.limits.changed_after(seen[-1].seq)
    assert (change.scope, change.limits) == ("org", {})
    assert control.limits.changed_after(change.seq) == []


def test_a_look_reads_no_rows_of_keys(control: ControlPlane, tmp_path: Path) -> None:
    asked: list[tuple[str, Any]] = []
    engine = control.limits._database._engine
    sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *a: asked.append((a[2], a[3])))
    control.limits.changed_after(0)
    [(query, values)] = [each for each in asked if "limits" in each[0]]
    with contextlib.closing(sqlite3.connect(tmp_path / "control.db")) as connection:
        plan = str(connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall())
    assert "(scope=? AND seq>?)" in plan


@pytest.mark.parametrize("name", BOUNDS)
def test_bounds(control: ControlPlane, name: str) -> None:
    least, most = BOUNDS[name]
    base = {"requests_per_minute": 1, "tokens_per_minute": 1}
    org = control.orgs.create("acme").id  # of which everything can be said
    for fits in (least, most):
        assert control.limits.set("org", org, base | {name: fits})[name] == fits
    for wrong in (least - 1, most + 1):
        with pytest.raises(ControlError, match=f"expected {least} to {most} as {name}"):
            control.limits.set("org", org, base | {name: wrong})
    assert control.limits.get("org", org)[name] == most


def test_whether_there_are_hedges_is_said_of_keys_and_organizations(control: ControlPlane) -> None:
    key = add_key(control)
    for scope, id in (("key", key.id), ("org", key.org_id)):
        assert control.limits.set(scope, id, {"hedge": True}) == {"hedge": True}
        assert control.limits.set(scope, id, {"hedge": False})["hedge"] is False
        assert control.limits.get(scope, id)["hedge"] is False
    assert control.limits.changed_after(0)[0].limits == {"hedge": False}
    for scope, id in (("app", "x"), ("model", "a/b"), ("gateway", "")):
        with pytest.raises(ControlError, match="hedge is set for a key or an organization, not"):
            control.limits.set(scope, id, {"hedge": True})


def test_what_is_said_of_queues_is_of_keys_and_organizations(control: ControlPlane) -> None:
    key = add_key(control)
    assert control.limits.set("key", key.id, {"queue_ms": 500}) == {"queue_ms": 500}
    for scope, id, name in (
        ("key", key.id, "queue_weight"),
        ("app", "x", "queue_ms"),
        ("model", "a/b", "queue_ms"),
        ("gateway", "", "queue_weight"),
    ):
        with pytest.raises(ControlError, match=f"{name} is set for .*an organization, not for"):
            control.limits.set(scope, id, {name: 1})
    plan = LimitPlan(key={"concurrent": 1})
    assert plan.of_key({"queue_ms": 500}, "seekroute") == {"concurrent": 1, "queue_ms": 500}


def test_a_burst_needs_its_rate(control: ControlPlane) -> None:
    with pytest.raises(ControlError, match="burst_tokens is a part of tokens_per_minute"):
        control.limits.set("gateway", "", {"burst_tokens": 5})
    control.limits.set("gateway", "", {"burst_tokens": 5, "tokens_per_minute": 9})
    with pytest.raises(ControlError, match="burst_tokens is a part of tokens_per_minute"):
        control.limits.set("gateway", "", {"tokens_per_minute": None})


def test_a_revoked_key_and_nobody_have_no_limits(control: ControlPlane) -> None:
    key = add_key(control)
    control.keys.revoke(key.id)
    with pytest.raises(ControlError, match="revoked"):
        control.limits.set("key", key.id, {"concurrent": 1})
    for scope, id in (("gateway", "x"), ("org", ""), ("planet", "x")):
        with pytest.raises(ControlError, match="nothing is limited"):
            control.limits.set(scope, id, {"concurrent": 1})


def test_a_rolled_key_keeps_its_limits(control: ControlPlane) -> None:
    key = add_key(control)
    control.limits.set("key", key.id, {"concurrent": 1})
    rolled, _ = control.keys.roll(key.id)
    assert control.limits.get("key", rolled.id) == {"concurrent": 1}


def test_the_most_specific_holds_and_a_burst_goes_with_its_rate() -> None:
    plan = LimitPlan(
        key={"requests_per_minute": 6, "burst_requests": 2, "tokens_per_minute": 100},
        profiles={"reseller": {"requests_per_minute": 60, "concurrent": 10}},
        org={"concurrent": 50},
        models={"a/b": {"concurrent": 7}},
    )
    assert plan.of_key({}, "seekroute") == plan.key
    assert plan.of_key({}, "reseller") == {
        "requests_per_minute": 60,  # without the burst of the other
        "tokens_per_minute": 100,
        "concurrent": 10,
    }
    assert plan.of_key({"concurrent": 0}, "reseller")["concurrent"] == 0
    assert plan.of("org", "o", {}) == {"concurrent": 50}
    assert plan.of("org", "o", {"requests_per_day": 1}) == {
        "concurrent": 50,
        "requests_per_day": 1,
    }
    assert plan.of("model", "a/b", {}) == {"concurrent": 7}
    assert plan.of("app", "x", {"concurrent": 1}) == {"concurrent": 1}


def test_who_says_a_limit() -> None:
    said = {
        "own": {"requests_per_minute": 1},
        "profile": {"requests_per_minute": 2, "concurrent": 3},
    }
    assert source_of("requests_per_minute", said) == (1, "own")
    assert source_of("concurrent", said) == (3, "profile")
    assert source_of("burst_requests", said) is None
    assert effective(*said.values()) == {"requests_per_minute": 1, "concurrent": 3}


def test_a_key_has_limits_for_single_models(control: ControlPlane) -> None:
    key = add_key(control)
    control.limits.set("key", key.id, {"concurrent": 3})
    cursor = control.change_cursor()
    two = {"requests_per_minute": 6, "burst_requests": 2}
    assert control.limits.set("key", key.id, two, model="a/m") == two
    assert control.limits.set("key", key.id, {"concurrent": 1}, model="a/n") == {"concurrent": 1}
    assert control.limits.get("key", key.id) == {"concurrent": 3}
    assert control.limits.get("key", key.id, model="a/m") == two
    both = {"a/m": two, "a/n": {"concurrent": 1}}
    assert control.limits.for_models(key.id) == both
    [seen] = control.changes_since(cursor).keys
    assert seen.model_limits == both
    assert seen.limits == {"concurrent": 3}
    none = dict.fromkeys(two)
    assert control.limits.set("key", key.id, none, model="a/m") == {}
    control.limits.set("key", key.id, {"concurrent": None}, model="a/n")
    assert control.limits.for_models(key.id) == {}
    assert next(control.core_keys()).model_limits is None
    with pytest.raises(ControlError, match="of a key"):
        control.limits.set("org", key.org_id, {"concurrent": 1}, model="a/m")


def test_how_tokens_are_counted_is_said_by_the_configuration() -> None:
    said = {"tokens_per_minute": 60, "count_cached": False}
    assert effective({}, said) == said
    assert effective({"tokens_per_minute": 6}, said) == {**said, "tokens_per_minute": 6}
    assert effective({}, {"count_cached": False}) == {}
