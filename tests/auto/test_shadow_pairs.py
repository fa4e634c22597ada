"""Shadow pairs over sockets: a share of requests for `auto` is asked of a second model, too."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import seekroute
from seekroute.cli.root import app
from seekroute.config import load_settings, prepare
from seekroute.config.differences import differences
from seekroute.errors import ConfigError
from seekroute.ledger import Balance, Ledger
from seekroute.money import nano, usd
from seekroute.testing import Answer, MockProvider, Status
from serving import PATIENCE, RunningServer, running_server

MODELS = ("acme/weak", "acme/middle", "acme/strong")
MOST_TRIES = 300  # of which a fifth is drawn
EVERY = {"share": 0.2}


def settings_for(mock: MockProvider, **shadow: Any) -> dict[str, Any]:
    """Three models at one provider, of which `auto` chooses the last."""
    provider = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
    price = {"input": "1", "output": "2"}
    models = [
        {
            "id": each,
            "context": 100_000,
            "endpoints": [{"provider": "up", "model": f"up-{each[5:]}", "price": price}],
        }
        for each in MODELS
    ]
    pool = [{"model": each, "quality": 0.5 + 0.2 * place} for place, each in enumerate(MODELS)]
    return {
        "providers": {"up": provider},
        "models": models,
        "credits": {"enabled": True},
        "routing": {"auto": {"models": pool, "strategy": "quality", "shadow": shadow}},
    }


@dataclass(frozen=True)
class Shadowed:
    """A gateway that asks a second model, too, and the provider of them all."""

    server: RunningServer
    upstream: MockProvider

    @property
    def core(self) -> Any:
        return self.server.gateway.core

    @property
    def ledger(self) -> Ledger:
        assert self.server.service.ledger is not None
        return self.server.service.ledger

    @property
    def org(self) -> str:
        return self.server.service.control.orgs.get("default").id

    def figure(self, name: str, **labels: str) -> float:
        """A metric of shadow pairs, over all series that have these labels."""
        return sum(
            value
            for series, told, value in self.core.samples()
            if series == f"seekroute_shadow_{name}" and labels.items() <= dict(told).items()
        )

    def ask(self, **fields: Any) -> Any:
        """The answer to one request, once its pair, if it was drawn, has come to an end."""
        body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], **fields}
        headers = {"Content-Type": "application/json"}
        answer = self.server.request(
            "POST", "/v1/chat/completions", json.dumps(body).encode(), headers
        )
        until = time.monotonic() + PATIENCE
        while self.figure("under_way"):
            assert time.monotonic() < until
        return answer

    def ask_until(self, done: Callable[[], bool], **fields: Any) -> list[Any]:
        """The answers to as many requests as it took."""
        answers: list[Any] = []
        while not done():
            assert len(answers) < MOST_TRIES
            answers.append(self.ask(**fields))
        return answers


@contextlib.contextmanager
def shadowed(folder: Path, upstream: MockProvider, **shadow: Any) -> Iterator[Shadowed]:
    with running_server(folder, **settings_for(upstream, **shadow)) as server:
        found = Shadowed(server, upstream)
        found.ledger.topup("test:1", found.org, nano("10"))
        yield found


@pytest.fixture
def upstream() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


@pytest.fixture
def gateway(tmp_path: Path, upstream: MockProvider) -> Iterator[Shadowed]:
    with shadowed(tmp_path, upstream, **EVERY) as found:
        yield found


def test_a_pair_has_both_answers_and_the_operator_pays_for_the_second(gateway: Shadowed) -> None:
    answers = gateway.ask_until(lambda: gateway.figure("sent_total") > 0, temperature=0.5)
    (pair,) = gateway.core.take_shadow_pairs()
    generation, models, body, first, second, propensity, status = pair
    assert generation == answers[-1].json()["id"]
    assert first == answers[-1].body
    assert models[0] == "acme/strong"
    assert models[1] in MODELS[:2]
    assert json.loads(body)["model"] == "auto"
    assert json.loads(second)["model"] == models[1]
    assert (propensity, status) == (pytest.approx(0.1), 200)
    sent = gateway.upstream.requests[-1].json
    assert sent["model"] == f"up-{models[1][5:]}"
    assert sent["temperature"] == 0.5
    # The customer has the rows and the charges of its own requests.
    own = gateway.ledger.rows(org=gateway.org)
    assert [row["generation"] for row in own] == [each.json()["id"] for each in answers][::-1]
    spent = sum(row["cost"] for row in own)
    assert gateway.ledger.balance(gateway.org) == Balance(nano("10") - spent, 0, 0)
    (row,) = gateway.ledger.rows(org="operator")
    assert (row["key"], row["model"], row["state"]) == ("", models[1], "settled")
    assert row["cost"] == row["upstream_cost"] > 0
    whole = gateway.ledger.generation(row["generation"])
    assert whole is not None
    assert json.loads(whole["routing"])["shadow_of"] == generation
    assert gateway.ledger.balance("operator").owed == row["cost"]
    assert gateway.figure("cost_usd_total") == pytest.approx(float(usd(row["cost"])))
    assert gateway.ledger.verify()["rule"] == ""
    # No client has sent it.
    series = "seekroute_http_requests_total"
    counted = [value for name, _, value in gateway.core.samples() if name == series]
    assert sum(counted) == len(answers)


def test_a_stream_is_kept_as_it_was_sent(gateway: Shadowed) -> None:
    answers = gateway.ask_until(
        lambda: gateway.figure("sent_total") > 0,
        stream=True,
        stream_options={"include_usage": True},
    )
    ((_, _, body, first, second, _, status),) = gateway.core.take_shadow_pairs()
    assert first == answers[-1].body
    assert first.endswith(b"data: [DONE]\n\n")
    assert json.loads(body)["stream"] is True
    assert json.loads(second)["choices"][0]["message"]["content"]
    assert status == 200
    assert not {"stream", "stream_options"} & set(gateway.upstream.requests[-1].json)


def test_what_asks_for_privacy_is_not_drawn(gateway: Shadowed) -> None:
    for _ in range(50):
        gateway.ask(provider={"data_collection": "deny"})
        gateway.ask(zdr=True)
        gateway.ask(max_cost="1")
    assert gateway.figure("drawn_total") == 0


def test_a_second_model_that_fails_is_nothing_to_the_client(gateway: Shadowed) -> None:
    gateway.upstream.default = lambda sent: (
        Answer() if sent.json["model"] == "up-strong" else Status(503)
    )
    answers = gateway.ask_until(lambda: gateway.figure("sent_total") > 0)
    assert {each.status for each in answers} == {200}
    ((_, _, _, first, second, _, status),) = gateway.core.take_shadow_pairs()
    assert first == answers[-1].body
    assert status >= 500
    assert "error" in json.loads(second)
    (row,) = gateway.ledger.rows(org="operator")
    assert (row["cost"], row["state"]) == (0, "voided")


def test_the_logs_show_whose_second_answer_it_is(gateway: Shadowed, tmp_path: Path) -> None:
    gateway.ask_until(lambda: gateway.figure("sent_total") > 0)
    ((generation, *_),) = gateway.core.take_shadow_pairs()

    def run(*command: str) -> str:
        shown = CliRunner().invoke(
            app, ["--data-dir", str(tmp_path), *command], catch_exceptions=False
        )
        assert shown.exit_code == 0, shown.output
        return shown.output

    rows = json.loads(run("logs", "--org", "operator", "--json"))
    assert [row["org"] for row in rows] == ["operator"]
    assert f"second answer to {generation}" in run("logs", "show", rows[0]["generation"])


def test_nothing_is_sent_that_might_exceed_the_bound(
    tmp_path: Path, upstream: MockProvider
) -> None:
    # Of 8,192 tokens at 2 USD a million, and a prompt.
    with shadowed(tmp_path, upstream, share=0.2, usd_per_day=0.0163) as gateway:
        gateway.ask_until(lambda: gateway.figure("dropped_total", reason="budget") > 0)
        assert gateway.figure("sent_total") == 0
        assert gateway.ledger.rows(org="operator") == []
        plan = prepare(
            load_settings(
                None,
                overrides=settings_for(upstream, share=0.2, usd_per_day=0.02),
                environ={},
            ),
            {},
        )
        gateway.server.gateway.install(plan.snapshot)  # as a reload does
        gateway.ask_until(lambda: gateway.figure("sent_total") > 0)
        (row,) = gateway.ledger.rows(org="operator")
    # What the ledger has of today counts after a restart.
    bound = usd(row["held"] + row["cost"] - 1)
    with shadowed(tmp_path, upstream, share=0.2, usd_per_day=bound) as gateway:
        gateway.ask_until(lambda: gateway.figure("dropped_total", reason="budget") > 0)
        assert gateway.figure("sent_total") == 0


def test_a_program_that_has_the_gateway_in_it_sends_none(upstream: MockProvider) -> None:
    settings = settings_for(upstream, **EVERY)
    del settings["credits"]
    with seekroute.Client(**settings) as client:
        for _ in range(60):
            client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "Hi"}]
            )
    assert len(upstream.requests) == 60


def test_a_share_has_bounds_and_a_reload_tells_it(upstream: MockProvider) -> None:
    def plan(**shadow: Any) -> Any:
        return prepare(
            load_settings(None, overrides=settings_for(upstream, **shadow), environ={}), {}
        )

    changes = differences(plan(), plan(share=0.02, usd_per_day=2.5)).changes
    assert [(each.name, each.was, each.now) for each in changes] == [
        ("auto.shadow.share", "0.0", "0.02"),
        ("auto.shadow.usd_per_day", "1.00", "2.50"),
    ]
    for wrong in ({"share": 0.21}, {"share": -0.1}, {"usd_per_day": -1}):
        with pytest.raises(ConfigError, match=r"routing\.auto\.shadow"):
            plan(**wrong)


def test_no_customer_is_called_as_the_operator_is(gateway: Shadowed) -> None:
    with pytest.raises(seekroute.SeekrouteError, match="choose another name"):
        gateway.server.service.control.orgs.create("Operator")
