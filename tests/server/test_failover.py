"""Two providers of one model, of which one fails: who is asked, what comes, and what it costs."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from seekroute.ledger import Ledger
from seekroute.money import nano
from seekroute.testing import MockProvider, Raw, Status, Text, Usage
from serving import PATIENCE, RunningServer, running_server
from shared import shared_folder

CORPUS = shared_folder() / "corpora" / "upstream-faults" / "scenarios.json"
MODEL = "acme/twice"
PRICE = {"input": "3", "cache_read": "0.3", "output": "15"}
WELL = Text("From the other one.", usage=Usage(100, 10))
BUSY = ("first-event-error",)
CHARGE = 450_000  # of that, in nano-USD


def scenarios() -> list[Any]:
    """The corpus as test parameters; one that skips without it."""
    if not CORPUS.exists():
        skip = pytest.mark.skip(reason=f"{CORPUS} is absent: set SEEKROUTE_SHARED")
        return [pytest.param({}, id="absent", marks=skip)]
    return [
        pytest.param(scenario, id=scenario["id"])
        for scenario in json.loads(CORPUS.read_text())["scenarios"]
    ]


@dataclass
class Two:
    """A gateway before two providers; the first is asked first."""

    server: RunningServer
    first: MockProvider
    second: MockProvider
    ledger: Ledger
    records: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def begin(self) -> None:
        """Nobody has failed yet; the second answers."""
        for mock in (self.first, self.second):
            mock.reset()
        for name in ("first", "second"):
            self.server.gateway.core.reset_health(name)
        self.second.default = WELL

    def next_record(self) -> Any:
        """The record of the exchange that ends next; it may follow the answer's last byte."""
        return self.records.get(timeout=PATIENCE)

    def posts(self) -> tuple[int, int]:
        """How many requests each has got."""
        return len(self.first.requests), len(self.second.requests)


def provider(mock: MockProvider, **settings: Any) -> dict[str, Any]:
    """One at that address."""
    address = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
    return {**address, **settings}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    deadlines = {
        "first_byte_timeout_ms": 1000,
        "first_content_timeout_ms": 1000,
        "idle_timeout_ms": 1000,
        "total_timeout_ms": 4000,
    }
    endpoints = [
        {"provider": name, "model": "up-model", "price": PRICE} for name in ("first", "second")
    ]
    keys = [{"id": "a", "api_key": "key-a", "weight": 1000}, {"id": "b", "api_key": "key-b"}]
    with MockProvider() as first, MockProvider() as second:
        settings: dict[str, Any] = {
            "models": [{"id": MODEL, "context": 128_000, "endpoints": endpoints}],
            "providers": {"first": provider(first, keys=keys), "second": provider(second)},
            "timeouts": deadlines,
            "routing": {
                "retry_ambiguous": True,
                "balance": "listed",
                "retry_budget": {"percent": 20, "min": 3},
            },
            "credits": {"enabled": True},
        }
        data_dir = tmp_path_factory.mktemp("two")
        with running_server(data_dir, **settings) as server:
            assert server.service.ledger is not None
            made = Two(server, first, second, server.service.ledger)
            org = server.service.control.orgs.get("default").id
            made.ledger.topup("test:1", org, nano("1000"))
            server.gateway.on_record(made.records.put)
            yield made


@pytest.mark.parametrize("scenario", scenarios())
def test_one_answer_and_one_charge_whatever_the_first_does(
    two: Two, scenario: dict[str, Any]
) -> None:
    two.begin()
    two.first.default = Raw.from_steps(scenario["steps"])
    answer = two.server.chat(model=MODEL, stream=scenario["stream"])
    record = two.next_record()
    first, second = two.posts()
    assert first >= 1
    # What it has refused, or is too busy for, is asked once more with its other key.
    assert first == 1 or scenario["id"].startswith("status-") or scenario["id"] in BUSY
    if second:
        assert second == 1
        assert answer.status == 200
        assert b"From the other one." in answer.body or scenario["stream"]
        assert record.cost_nano == CHARGE
        assert record.provider == "second"
    else:
        assert not scenario["expect"]["fallback_allowed"]
        charge = scenario["expect"]["charge_nano"]
        assert record.cost_nano > 0 if charge == "estimated" else record.cost_nano == charge
    assert record.attempts == first + second
    assert two.first.errors == two.second.errors == []


def test_who_fails_is_left_out_until_it_is_asked_again(two: Two) -> None:
    two.begin()
    two.first.default = Status(500)
    for i in range(8):
        body = [{"role": "user", "content": f"number {i}"}]
        # Who has failed just now would be asked last; an order of the client's stands.
        order = {"order": ["first", "second"]}
        assert two.server.chat(model=MODEL, messages=body, provider=order).status == 200
        two.next_record()
    assert two.posts() == (5, 8)
    rows = [row for row in two.server.gateway.core.health() if row["key"] is None]
    assert {
        row["provider"]: row["state"] for row in rows if row["upstream_model"] == "up-model"
    } == {
        "first": "ejected",
        "second": "ok",
    }
    metrics = two.server.request("GET", "/metrics").body.decode()
    (line,) = [
        x
        for x in metrics.splitlines()
        if x.startswith("seekroute_endpoint_state{") and "first" in x
    ]
    assert 'state="ejected"' in line
    two.first.default = WELL
    two.server.gateway.core.reset_health("first/up-model")
    assert two.server.chat(model=MODEL).status == 200
    assert two.next_record().provider == "first"


def test_what_is_so_of_each_key_at_an_endpoint_is_its_state(two: Two) -> None:
    two.begin()
    for status, word in ((403, "forbidden"), (404, "no_model"), (401, "dead_key")):
        two.begin()
        two.first.default = Status(status)
        for i in range(4):  # 404: the other key is not asked for the same request
            body = [{"role": "user", "content": f"{word} {i}"}]
            assert two.server.chat(model=MODEL, messages=body).status == 200
            two.next_record()
        rows = two.server.gateway.core.health()
        (row,) = (
            row for row in rows if (row["tag"], row["upstream_model"]) == ("first", "up-model")
        )
        assert row["lacks"] == word
        metrics = two.server.request("GET", "/metrics").body.decode()
        state = (
            f'{{endpoint="first",model="{MODEL}",provider="first",state="{word}",'
            'upstream_model="up-model"} 1.0'
        )
        assert f"seekroute_endpoint_state{state}" in metrics
    two.begin()


def test_a_clients_errors_eject_nobody(two: Two) -> None:
    two.begin()
    two.first.default = Status(400)
    for i in range(8):
        body = [{"role": "user", "content": f"number {i}"}]
        assert two.server.chat(model=MODEL, messages=body).status == 400
        two.next_record()
    assert two.posts() == (8, 0)


def test_a_key_that_is_refused_gives_way_to_the_other_one(two: Two) -> None:
    two.begin()
    bad: list[str] = []

    def refused(request: Any) -> bool:
        key = request.headers["authorization"]
        if not bad:
            bad.append(key)
        return bool(key == bad[0])

    two.first.on(refused, Status(401))
    two.first.default = WELL
    for expected in (2, 3, 4):
        assert two.server.chat(model=MODEL).status == 200
        assert two.next_record().provider == "first"
        assert two.posts() == (expected, 0)
    keys = {row["key"]: row["state"] for row in two.server.gateway.core.health() if row["key"]}
    assert sorted(keys.values()) == ["bad_key", "ok"]


def test_where_nobody_is_left_the_answer_comes_at_once(two: Two) -> None:
    two.begin()
    two.first.default = two.second.default = Raw(
        [("head", 429, {"Retry-After": "30", "Content-Length": "2"}), ("send", b"{}")]
    )
    answer = two.server.chat(model=MODEL)
    two.next_record()
    assert answer.status == 429
    before = two.posts()
    answer = two.server.chat(model=MODEL)
    record = two.next_record()
    assert two.posts() == before
    assert (answer.status, answer.code) == (429, "upstream_rate_limited")
    assert 25 <= int(answer.headers["retry-after"]) <= 30
    assert record.attempts == 0
    assert record.cost_nano == 0


def test_the_ledger_is_sound_after_all_of_it(two: Two) -> None:
    assert two.ledger.verify()["rule"] == ""
    (balance,) = two.ledger.balances().values()
    assert balance.held == 0


def test_a_reset_forgets_failures_and_no_figures(two: Two) -> None:
    two.begin()
    two.first.default = Status(500)

    def row() -> dict[str, Any]:
        rows = two.server.gateway.core.health()
        return next(each for each in rows if (each["provider"], each["key"]) == ("first", None))

    order = {"order": ["first", "second"]}
    for i in range(5):
        body = [{"role": "user", "content": f"number {i}"}]
        assert two.server.chat(model=MODEL, messages=body, provider=order).status == 200
        two.next_record()
    ejected = row()
    assert ejected["state"] == "ejected"
    two.server.gateway.core.reset_health("first")
    well = row()
    assert (well["state"], well["retry_in_ms"]) == ("ok", 0)
    assert well["judged_1d"] == ejected["judged_1d"] >= 5
