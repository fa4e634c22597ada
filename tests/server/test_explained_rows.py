"""Why a request went where it went: in its row, in `logs show`, in headers, and asked ahead."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bare_cli import unconfigure
from seekroute.cli.root import app
from seekroute.ledger import Ledger
from seekroute.money import nano
from seekroute.server.refusals import refusals
from seekroute.testing import MockProvider, Status, Text, Usage
from serving import PATIENCE, Answer, RunningServer, running_server

ONE, OTHER = "acme/one", "acme/other"
WELL = Text("Well.", usage=Usage(100, 10))


@dataclass
class World:
    """A gateway with two models: the first at two providers, one of which is dear."""

    server: RunningServer
    cheap: MockProvider
    dear: MockProvider
    ledger: Ledger
    data_dir: Path

    def ask(self, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
        body = {"model": ONE, "messages": [{"role": "user", "content": "Hello!"}], **fields}
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self.server.request("POST", "/v1/chat/completions", json.dumps(body).encode(), sent)

    def row(self, answer: Answer) -> dict[str, Any]:
        found = self.ledger.generation(answer.headers["x-generation-id"])
        assert found is not None
        return dict(found)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    def at(provider: str, price: str) -> dict[str, Any]:
        return {"provider": provider, "model": "up", "price": {"input": price, "output": price}}

    def provider(mock: MockProvider) -> dict[str, Any]:
        return {"base_url": mock.base_url, "allow_http": True, "allow_private": True}

    data_dir = tmp_path_factory.mktemp("rows")
    with MockProvider() as cheap, MockProvider() as dear:
        settings: dict[str, Any] = {
            "models": [
                {"id": ONE, "context": 9000, "endpoints": [at("cheap", "1"), at("dear", "2")]},
                {"id": OTHER, "context": 9000, "endpoints": [at("dear", "2")]},
            ],
            "providers": {"cheap": provider(cheap), "dear": provider(dear)},
            "routing": {
                "balance": "listed",
                "retry_budget": {"percent": 20, "min": 3},
                "auto": {"models": [{"model": ONE, "quality": 0.6}, {"model": OTHER}]},
            },
            "credits": {"enabled": True},
        }
        with running_server(data_dir, **settings) as server:
            assert server.service.ledger is not None
            made = World(server, cheap, dear, server.service.ledger, data_dir)
            org = server.service.control.orgs.get("default").id
            made.ledger.topup("test:1", org, nano("1000"))
            yield made


@pytest.fixture
def world(served: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    unconfigure(monkeypatch, tmp_path)
    for mock in (served.cheap, served.dear):
        mock.reset()
        mock.default = WELL
    for name in ("cheap", "dear"):
        served.server.gateway.core.reset_health(name)
    return served


def command(world: World, *words: str, code: int = 0) -> Any:
    words = ("--data-dir", str(world.data_dir), *words)
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_a_row_keeps_no_report_of_what_needs_none(world: World) -> None:
    row = world.row(world.ask())
    assert row["routing"] is None
    assert [(each["provider"], each["model"]) for each in row["attempts"]] == [("cheap", ONE)]


def test_a_row_tells_each_attempt_s_model_and_why_it_was_made(world: World) -> None:
    world.cheap.default = Status(503)
    answer = world.ask()
    assert answer.status == 200
    row = world.row(answer)
    tried = [(each["provider"], each["model"], each["status"]) for each in row["attempts"]]
    assert tried == [("cheap", ONE, 503), ("dear", ONE, 200)]
    report = json.loads(row["routing"])
    assert [each["endpoint"] for each in report["candidates"]] == ["cheap", "dear"]
    assert report["excluded"] == []
    assert len(row["routing"]) < 4096
    text = command(world, "logs", "show", row["generation"]).stdout
    assert f"cheap\t{ONE}\t503\t" in text
    assert "order: drawn by seed" in text
    assert "cost, USD" in text
    assert re.search(r"^total +\d+ ms$", text, re.MULTILINE)
    for nothing in ("False", "refunded", "cached tokens", "first content"):
        assert nothing not in text
    world.cheap.default = Status(503)
    world.dear.queue(Status(503))
    row = world.row(world.ask(stream=True))
    assert "streamed" in command(world, "logs", "show", row["generation"]).stdout


def test_a_row_tells_why_its_model_was_chosen(world: World) -> None:
    row = world.row(world.ask(model="auto", route="auto/quality"))
    assert row["model"] == OTHER
    report = json.loads(row["routing"])
    assert report["strategy"] == "auto"
    told = [(each["model"], each["reason"]) for each in report["auto"]["models"]]
    assert told == [(OTHER, "best"), (ONE, "worse")]
    text = command(world, "logs", "show", row["generation"]).stdout
    assert re.search(
        rf"chosen by quality, difficulty 0\.\d\d: {OTHER} \(quality 0\.\d\d, best\)", text
    )


def test_another_model_s_attempt_is_told_by_its_own_name(world: World) -> None:
    world.cheap.default = Status(503)
    world.dear.queue(Status(503))
    answer = world.ask(models=[OTHER])
    assert answer.status == 200, answer.body
    row = world.row(answer)
    assert row["model"] == OTHER, row["attempts"]
    assert [each["model"] for each in row["attempts"]] == [ONE, ONE, OTHER]


def test_who_was_left_out_or_passed_over_is_told_with_words(world: World) -> None:
    answer = world.ask(provider={"max_price": {"prompt": 1.5}})
    report = json.loads(world.row(answer)["routing"])
    (left_out,) = report["excluded"]
    assert left_out == {
        "endpoint": "dear",
        "model": ONE,
        "excluded_by": "max_price",
        "detail": "costs more than provider.max_price",
    }
    world.cheap.default = Status(503, headers={"retry-after": "60"})
    assert world.ask().status == 200
    answer = world.ask(provider={"order": ["cheap"]})
    report = json.loads(world.row(answer)["routing"])
    words = {each["endpoint"]: each["excluded_by"] for each in report["candidates"]}
    assert words == {"cheap": "out_until", "dear": None}
    assert report["candidates"][0]["detail"] == "asked to be left alone"
    text = command(world, "logs", "show", world.row(answer)["generation"]).stdout
    assert "out_until\tasked to be left alone\n" in text
    shown = json.loads(
        command(world, "logs", "show", "--json", world.row(answer)["generation"]).stdout
    )
    assert shown["routing"] == report
    metrics = world.server.request("GET", "/metrics").body.decode()
    assert 'seekroute_excluded_total{word="max_price"}' in metrics
    assert 'seekroute_excluded_total{word="out_until"}' in metrics
    assert 'seekroute_retries_total{class="overloaded"}' in metrics


def test_a_429_tells_which_limit_refused(world: World) -> None:
    world.server.gateway.set_limits("model", ONE, {"requests_per_day": 0})
    try:
        refused = world.ask()
    finally:
        world.server.gateway.set_limits("model", ONE, None)
    assert refused.status == 429
    assert b"the model 'acme/one' is limited to 0 requests a day" in refused.body
    until = time.monotonic() + PATIENCE
    while not (lines := [x for x in refusals(world.data_dir) if x.get("limit")]):
        assert time.monotonic() < until
    assert lines[0]["limit"] == {"scope": "model", "dimension": "requests_per_day", "limit": 0}
    text = command(world, "logs", "show", lines[0]["request_id"]).stdout
    assert re.search(r"^limit +0 requests_per_day \(model\)$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("scope", "limits"),
    [
        ("model", {"concurrent": 0}),
        ("gateway", {"requests_per_day": 0}),
        ("org", {"requests_per_minute": 1}),
    ],
)
def test_a_dry_run_is_refused_as_the_request_would_be_and_takes_nothing(
    world: World, scope: str, limits: dict[str, int]
) -> None:
    control = world.server.service.control
    org = control.orgs.get("default").id
    id = {"model": ONE, "gateway": "", "org": org}[scope]
    key = control.keys.list()[0]
    as_key = ("route", "--as", key.id, "-m", ONE)
    body = json.dumps({"model": ONE, "messages": [{"role": "user", "content": "Hi"}]}).encode()

    def quote(headers: dict[str, str] | None = None) -> Answer:
        sent = {"Content-Type": "application/json", **(headers or {})}
        return world.server.request("POST", "/v1/quote", body, sent)

    world.server.gateway.set_limits(scope, id, limits)
    try:
        if scope == "org":
            assert [quote().status for _ in range(3)] == [200, 200, 200]
            assert world.ask().status == 200
        dry, real = quote(), world.ask()
        assert (dry.status, dry.code) == (real.status, real.code) == (429, "rate_limit_exceeded")
        facts = [each.json()["error"]["metadata"]["limit"] for each in (dry, real)]
        assert facts[0] == facts[1]
        said = dry.json()["error"]["message"].partition(":")[0]
        assert said in command(world, *as_key, code=1).output
        if scope == "org":  # it would wait for its turn
            assert quote({"x-seekroute-queue-ms": "60000"}).status == 200
    finally:
        world.server.gateway.set_limits(scope, id, None)
    assert quote().status == 200
    assert "selected" in command(world, *as_key).stdout


def test_a_dry_run_passes_over_a_model_that_is_at_its_limit(world: World) -> None:
    for limits, word in (({"concurrent": 0}, "limited"), ({"tokens_per_minute": 1}, "over_limit")):
        world.server.gateway.set_limits("model", OTHER, limits)
        try:
            for model in (ONE, "auto"):
                body = {"model": model, "models": [OTHER], "route": "auto/quality"}
                body |= {"messages": [{"role": "user", "content": "Hello there, you two!"}]}
                if model == ONE:
                    del body["route"]
                sent = {"Content-Type": "application/json"}
                data = json.dumps(body).encode()
                quote = world.server.request("POST", "/v1/quote", data, sent).json()
                told = {(each["model"], each["excluded_by"]) for each in quote["candidates"]}
                assert told == {(ONE, None), (OTHER, word)}
                assert (
                    world.server.request("POST", "/v1/chat/completions", data, sent).status == 200
                )
        finally:
            world.server.gateway.set_limits("model", OTHER, None)


def refused_line(world: World, answer: Answer) -> dict[str, Any]:
    name = answer.headers["x-request-id"]
    until = time.monotonic() + PATIENCE
    while not (lines := [x for x in refusals(world.data_dir) if x.get("request_id") == name]):
        assert time.monotonic() < until
    return dict(lines[0])


def test_who_was_left_out_of_a_refused_request_is_told(world: World) -> None:
    refused = world.ask(provider={"max_price": {"prompt": 0.5}})
    assert (refused.status, refused.code) == (404, "no_matching_endpoint")
    line = refused_line(world, refused)
    words = [(each["endpoint"], each["excluded_by"]) for each in line["excluded"]]
    assert words == [("cheap", "max_price"), ("dear", "max_price")]
    text = command(world, "logs", "show", line["request_id"]).stdout
    assert f"cheap\t{ONE}\tmax_price\tcosts more than provider.max_price\n" in text
    shown = json.loads(command(world, "logs", "show", "--json", line["request_id"]).stdout)
    assert shown["routing"] == {"excluded": line["excluded"], "more_excluded": 0}
    short = command(world, "logs", "show", "gen-01m", code=1).output
    assert "needs 18 characters" in " ".join(short.split())


def test_the_steps_of_a_request_are_timed_for_who_asks(world: World) -> None:
    assert "server-timing" not in world.ask().headers
    for stream, last in ((False, "relay"), (True, "ttfb")):
        answer = world.ask({"X-Seekroute-Explain": "1"}, stream=stream)
        steps = answer.headers["server-timing"].split(", ")
        assert all(re.fullmatch(r"[a-z]+;dur=\d+\.\d{3}", step) for step in steps)
        names = [step.partition(";")[0] for step in steps]
        assert names[:5] == ["auth", "parse", "plan", "limit", "hold"]
        assert names[-1] == last
        assert json.loads(world.row(answer)["routing"])["strategy"] == "direct"


def test_an_operator_asks_what_a_key_would_get(world: World) -> None:
    control = world.server.service.control
    row, _ = control.keys.create(
        "default", name="narrow", profile="seekroute", prefix="sk-sr-", models=[OTHER]
    )
    world.server.service.sync_keys()
    found = json.loads(command(world, "route", "--as", row.id, "-m", OTHER, "--json").stdout)
    assert [each["endpoint"] for each in found["endpoints"]["available"]] == ["dear"]
    assert "may not use" in command(world, "route", "--as", row.id, "-m", ONE, code=1).output
    assert command(world, "route", "--as", "key_none", code=1).output
    # With what is known of providers now.
    world.cheap.default = Status(503, headers={"retry-after": "60"})
    assert world.ask().status == 200
    wide = control.keys.list()[0]
    found = json.loads(
        command(world, "route", "--as", wide.id, "-m", ONE, "--seed", "1", "--json").stdout
    )
    states = {each["endpoint"]: each["health"] for each in found["endpoints"]["available"]}
    assert states == {"cheap": "out", "dear": "ok"}


def test_no_prompt_is_left_in_a_file(world: World, tmp_path: Path) -> None:
    body = tmp_path / "request.json"
    secret = "the moon is made of cheese"
    body.write_text(
        json.dumps(
            {
                "model": ONE,
                "messages": [{"role": "user", "content": secret * 400}],
                "tools": [{"type": "function", "function": {"name": secret}}],
                "max_tokens": 10,
            }
        )
    )
    key = world.server.service.control.keys.list()[0].id
    told = command(world, "route", "--as", key, "--body", str(body), "--json").stdout
    assert json.loads(told)["endpoints"]["available"]
    files = [each for each in world.data_dir.rglob("*") if each.is_file()]
    assert any(each.name.startswith("control.db") for each in files)
    assert not [each for each in files if b"made of cheese" in each.read_bytes()]
