"""Limits of providers, their keys and endpoints, over real sockets: who is asked in their place."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seekroute.cli.root import app
from seekroute.testing import Gate, MockProvider, Text
from serving import (
    PATIENCE,
    RunningServer,
    chat_body,
    read_until,
    read_until_closed,
    running_server,
)

MODEL = "acme/twice"
# The rest of a sample of its endpoints, behind the state.
UP = ',upstream_model="up"} 1.0'


@dataclass
class Two:
    """A gateway before two providers; the first is asked first."""

    server: RunningServer
    first: MockProvider
    second: MockProvider

    def limit(self, provider: int | None = None, key: int | None = None, **limits: int) -> None:
        """Limits of the first provider's key, of a provider, or else of the first's endpoint."""
        snapshot = self.server.snapshot()
        providers = snapshot["providers"]
        row = snapshot["models"][0]["candidates"][0]
        if provider is not None:
            row = next(each for each in providers if each["id"] == ("first", "second")[provider])
            row = row if key is None else row["keys"][key]
        row["limits"] = limits
        self.server.gateway.core.install(snapshot)

    def posts(self) -> tuple[int, int]:
        return len(self.first.requests), len(self.second.requests)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    price = {"input": "3", "output": "15"}
    with MockProvider() as first, MockProvider() as second:
        keys = [{"id": "a", "api_key": "key-a", "weight": 1000}, {"id": "b", "api_key": "key-b"}]

        def at(mock: MockProvider, **settings: Any) -> dict[str, Any]:
            address = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
            return {**address, **settings}

        endpoints = [
            {"provider": name, "model": "up", "price": price} for name in ("first", "second")
        ]
        settings: dict[str, Any] = {
            "models": [{"id": MODEL, "context": 128_000, "endpoints": endpoints}],
            "providers": {"first": at(first, keys=keys), "second": at(second)},
            "routing": {"balance": "listed"},
        }
        with running_server(tmp_path, **settings) as server:
            yield Two(server, first, second)


def test_no_more_run_at_a_provider_than_may(two: Two) -> None:
    two.limit(provider=0, concurrent=1)
    with contextlib.ExitStack() as stack:
        gate = Gate()
        two.first.queue(Text("before after", chunks=["before ", "after"], gate=gate))
        client = stack.enter_context(two.server.connect())
        body = two.server.chat_bytes("Connection: close", model=MODEL, stream=True)
        client.sendall(body)
        gate.release(2)
        read_until(client, b"before ")
        for _ in range(3):
            assert two.server.chat(model=MODEL).status == 200
        assert two.posts() == (1, 3)
        gate.open()
        read_until_closed(client)
    # The provider may close its transfer a moment after the client's last byte.
    until = time.monotonic() + PATIENCE
    while two.posts()[0] == 1 and time.monotonic() < until:
        assert two.server.chat(model=MODEL).status == 200
    assert two.posts()[0] == 2


def test_where_all_are_at_their_rate_the_true_wait_is_told(two: Two) -> None:
    two.limit(provider=0, requests_per_minute=1)
    snapshot = two.server.snapshot()
    for row in snapshot["providers"]:
        row["limits"] = {"requests_per_minute": 1}
    two.server.gateway.core.install(snapshot)
    assert [two.server.chat(model=MODEL).status for _ in range(2)] == [200, 200]
    refused = two.server.chat(model=MODEL)
    assert (refused.status, refused.code) == (429, "upstream_rate_limited")
    assert 0 < int(refused.headers["retry-after-ms"]) <= 60_000
    assert two.posts() == (1, 1)
    samples = two.server.gateway.core.samples()
    counted = [labels for name, labels, _ in samples if name == "seekroute_limit_refused_total"]
    assert {"scope": "provider", "dimension": "requests_per_minute"} in [dict(x) for x in counted]


def test_another_key_is_used_where_one_is_at_its_limit(two: Two) -> None:
    two.limit(provider=0, key=0, requests_per_minute=1)
    for _ in range(2):
        assert two.server.chat(model=MODEL).status == 200
    sent = [request.headers["authorization"] for request in two.first.requests]
    assert sent == ["Bearer key-a", "Bearer key-b"]


def test_an_endpoint_at_its_limit_is_passed_over(two: Two) -> None:
    two.limit(requests_per_minute=1)
    for _ in range(2):
        assert two.server.chat(model=MODEL).status == 200
    assert two.posts() == (1, 1)


def told_by(two: Two, *words: str) -> Any:
    """What a command says in JSON."""
    words = ("--data-dir", str(two.server.service.data_dir), *words, "--json")
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_limit_that_is_used_up_is_shown_before_anybody_asks(two: Two) -> None:
    two.limit(provider=0, requests_per_minute=1)
    (key,) = two.server.service.control.keys.list()

    def shown() -> list[dict[str, Any]]:
        headers = {"Content-Type": "application/json"}
        answer = two.server.request("POST", "/v1/quote", chat_body(model=MODEL), headers).json()
        quoted = {each["provider"]: each["excluded_by"] for each in answer["candidates"]}
        routed = told_by(two, "route", "--model", MODEL, "--as", key.id)["endpoints"]["available"]
        rows = [row for row in told_by(two, "providers", "status", "--all") if row["key"] is None]
        path = f"/v1/models/{MODEL}/endpoints"
        listed = two.server.request("GET", path).json()["data"]["endpoints"]
        metrics = two.server.request("GET", "/metrics").body.decode().splitlines()
        state = (
            f'seekroute_endpoint_state{{endpoint="first",model="{MODEL}",provider="first",state="'
        )
        return [
            quoted,
            {each["provider"]: each["excluded_by"] for each in routed},
            {row["provider"]: row["lacks"] for row in rows if row["upstream_model"] == "up"},
            {each["tag"]: each["status"] for each in listed},
            {"state": [x.removeprefix(state) for x in metrics if x.startswith(state)]},
        ]

    none = {"first": None, "second": None}
    nothing = {"first": "", "second": ""}
    well = {"first": 0, "second": 0}
    assert shown() == [none, none, nothing, well, {"state": [f'ok"{UP}']}]
    assert two.server.chat(model=MODEL).status == 200
    word = "upstream_limit"
    limited = {"first": word, "second": None}
    lacks = {"first": word, "second": ""}
    full = {"first": -5, "second": 0}
    assert shown() == [limited, limited, lacks, full, {"state": [f'{word}"{UP}']}]
    assert two.posts() == (1, 0)


def test_what_never_fits_goes_where_it_does_and_is_else_not_to_be_sent_again(two: Two) -> None:
    long = [{"role": "user", "content": "many words " * 200}]
    two.limit(tokens_per_minute=100)
    assert two.server.chat(model=MODEL, messages=long).status == 200
    assert two.posts() == (0, 1)
    snapshot = two.server.snapshot()
    for row in snapshot["models"][0]["candidates"]:
        row["limits"] = {"tokens_per_minute": 100}
    two.server.gateway.core.install(snapshot)
    refused = two.server.chat(model=MODEL, messages=long)
    assert (refused.status, refused.code) == (400, "request_too_large_for_limit")
    assert b"shorten the prompt" in refused.body
    assert "retry-after" not in refused.headers
    assert two.posts() == (0, 1)


def told(remaining: str, reset: str, limit: str = "60") -> Text:
    """An answer of a provider that tells how many requests it leaves."""
    figures = {"limit": limit, "remaining": remaining, "reset": reset}
    headers = {f"X-RateLimit-{name}-Requests": value for name, value in figures.items()}
    return Text("Well.", headers=headers)


def test_who_tells_that_nothing_is_left_is_left_alone(two: Two) -> None:
    two.first.default = told("0", "6m0s")
    for _ in range(3):
        assert two.server.chat(model=MODEL).status == 200
    sent = [request.headers["authorization"] for request in two.first.requests]
    assert sent == ["Bearer key-a", "Bearer key-b"]
    two.second.default = told("0", "20s")
    answers = [two.server.chat(model=MODEL) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[1].code == "upstream_rate_limited"
    assert 15_000 < int(answers[1].headers["retry-after-ms"]) <= 20_000
    assert two.posts() == (2, 2)
    lines = two.server.request("GET", "/metrics").body.decode().splitlines()
    metric = "seekroute_endpoint_out_until_seconds{"
    waits = sorted(float(line.split()[-1]) for line in lines if line.startswith(metric))[-3:]
    assert waits[0] == 0
    assert 15 < waits[1] <= 20 < waits[2] <= 60


def test_what_cannot_be_meant_is_not_obeyed(two: Two) -> None:
    odd = [told("-1", "60s", "-1"), told("0", "60s", "0"), told("0", "0s"), told("0", "9999h")]
    two.first.queue(*odd)
    for _ in range(len(odd) + 1):
        assert two.server.chat(model=MODEL).status == 200
    assert two.posts() == (len(odd) + 1, 0)
