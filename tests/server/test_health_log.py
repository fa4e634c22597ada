"""The log lines of endpoints and provider keys that are left out, and that are back."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from seekroute.server.health_log import HealthLog

ENDPOINT = {
    **{"provider": "groq", "key": None, "tag": "groq/fp8", "model": "a/m", "upstream_model": "up"},
    **{"state": "ok", "last_resort": False, "retry_in_ms": 0},
}
KEY = {**ENDPOINT, "key": "team", "tag": None, "model": None, "upstream_model": None}


def test_each_change_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    rows: list[dict[str, Any]] = []
    log = HealthLog(lambda: rows)

    def told(*now: dict[str, Any]) -> list[str]:
        rows[:] = now
        caplog.clear()
        assert log.look() is False
        assert {record.levelno for record in caplog.records} <= {logging.WARNING}
        return [record.getMessage() for record in caplog.records]

    assert told(ENDPOINT, KEY) == []
    out = {**ENDPOINT, "state": "ejected", "retry_in_ms": 29_400}
    name = "endpoint groq/fp8 of a/m (up)"
    assert told(out, KEY) == [f"{name} is left out: ejected, asked again in 30 s"]
    # A probe is no return, nor is a key that only has to wait dead.
    assert told({**out, "state": "half_open"}, {**KEY, "state": "rate_limited"}) == []
    dead = {**KEY, "state": "bad_key"}
    assert told({**ENDPOINT, "state": "slow_start"}, dead) == [
        f"{name} is back: slow_start",
        "provider key groq#team is left out: bad_key",
    ]
    assert told(ENDPOINT, KEY) == ["provider key groq#team is back: ok"]
    assert told({**out, "last_resort": True}) == [
        f"{name} is left out: ejected, and asked as a last resort"
    ]
    assert told() == []  # it has left the configuration


def test_an_outage_of_many_is_cut_short(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{**ENDPOINT, "tag": f"p{i}", "state": "ejected"} for i in range(100)]
    HealthLog(lambda: rows).look()
    assert len(caplog.records) == 21
    assert caplog.records[-1].getMessage() == (
        "80 more endpoints and keys are left out or back: see seekroute providers status"
    )
