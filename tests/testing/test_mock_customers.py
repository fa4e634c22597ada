"""The mock provider and money: whoever has paid is never charged for an echo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import money_cli
from bare_cli import unconfigure
from control_support import SR, open_control
from seekroute.control.booking import carry_out
from seekroute.money import nano
from seekroute.testing import MockProvider
from serving import RunningServer, running_server

PAID = nano("5")


def prepared(data: Path, kind: str) -> str:
    """Makes a data directory whose customer has paid, or got a gift. Returns its key."""
    data.mkdir(parents=True, exist_ok=True)
    with open_control(data) as control:
        control.keys.create_first(**SR)
        control.orgs.create("acme")
        note = "" if kind == "topup" else "a gift"
        order = control.orders.put(kind, org="acme", amount_nano=PAID, note=note)
        carry_out(control.orders, data, order)
        return control.keys.create("acme", name="ci", **SR)[1]


def available(server: RunningServer) -> int:
    org = server.service.control.orgs.get("acme").id
    assert server.service.ledger is not None
    return server.service.ledger.balance(org).available


def serve(data: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`seekroute serve` with nothing but a data directory; it is refused, or never ends."""
    bare = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    command = [sys.executable, "-m", "seekroute", "serve", "--data-dir", str(data), "--port", "0"]
    return subprocess.run(
        [*command, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=data.parent,
        env={**bare, **environ},
    )


@pytest.mark.parametrize("lost", [False, True])
def test_a_service_that_lost_its_configuration_does_not_sell_echoes(
    tmp_path: Path, lost: bool
) -> None:
    data = tmp_path / "data"
    prepared(data, "topup")
    if lost:  # then the ledger alone knows who has paid
        for each in data.glob("control.db*"):
            each.unlink()
    result = serve(data, *(["--new-control"] if lost else []))
    assert result.returncode == 2
    said = " ".join(result.stderr.split())
    who = "a customer" if lost else "acme"
    assert f"No provider has a key, but {who} has paid. Set a key (OPENAI_API_KEY" in said
    assert "--config" in result.stderr
    assert "--mock on" in result.stderr
    assert not result.stdout


def test_the_doctor_says_why_it_would_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    prepared(data, "topup")
    refused = serve(data)
    assert refused.returncode == 2
    money_cli.clear(monkeypatch, tmp_path)
    unconfigure(monkeypatch, tmp_path)
    monkeypatch.setenv("SEEKROUTE_DATA_DIR", str(data))
    found = money_cli.run_json("doctor", "--offline", code=1)
    (finding,) = [each for each in found["findings"] if each["check"] == "providers"]
    assert finding["level"] == "failed"
    assert finding["message"] in " ".join(refused.stderr.split())
    for mode in ("on", "beside"):  # which were asked for
        Path("seekroute.yaml").write_text(f"mock: {mode}\n", encoding="utf-8")
        found = money_cli.run_json("doctor", "--offline")
        assert found["ok"]


def test_the_doctor_beside_a_server_does_not_say_that_it_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    prepared(data, "topup")
    with running_server(data, own_mock=True, mock="on") as server:
        money_cli.clear(monkeypatch, tmp_path)
        unconfigure(monkeypatch, tmp_path)
        monkeypatch.setenv("SEEKROUTE_DATA_DIR", str(data))
        monkeypatch.setenv("SEEKROUTE_PORT", str(server.port))
        found = money_cli.run_json("doctor", "--offline")
        told = {each["check"]: each for each in found["findings"]}
        assert told["providers"]["level"] == "warning"
        assert f"the server runs (pid {os.getpid()})" in told["providers"]["message"]
        assert told["address"]["level"] == "ok"
        assert f"pid {os.getpid()}" in told["address"]["message"]
        assert told["orders"]["message"] == "1 order is in the ledger as it was given"


def test_without_customers_the_mock_starts_by_itself(tmp_path: Path) -> None:
    prepared(tmp_path / "data", "adjust")
    with running_server(tmp_path / "data", own_mock=True, mock="auto") as server:
        assert server.chat().status == 200


@pytest.mark.parametrize("mode", ["on", "beside"])
@pytest.mark.parametrize("stream", [False, True])
def test_who_has_paid_is_not_charged_by_a_mock_that_was_asked_for(
    tmp_path: Path, mode: str, stream: bool
) -> None:
    key = prepared(tmp_path / "data", "topup")
    with running_server(tmp_path / "data", own_mock=True, mock=mode) as server:
        own = server.key
        server.key = key
        answer = server.chat(stream=stream)
        assert answer.status == 200
        assert answer.headers["x-seekroute-provider"] == "mock"
        assert available(server) == PAID
        row = server.service.ledger.rows()[0]  # type: ignore[union-attr]
        assert (row["cost"], row["upstream_cost"], row["held"]) == (0, 0, 0)
        server.key = own  # `default` is the operator's: it sees what things would cost
        server.chat(stream=stream)
        assert server.service.ledger.rows()[0]["cost"] > 0  # type: ignore[union-attr]


def test_a_gift_is_spent_as_anywhere(tmp_path: Path) -> None:
    key = prepared(tmp_path / "data", "adjust")
    with running_server(tmp_path / "data", own_mock=True, mock="on") as server:
        server.key = key
        assert server.chat().status == 200
        assert available(server) < PAID


def test_a_payment_while_the_mock_serves_counts_before_it_is_booked(tmp_path: Path) -> None:
    key = prepared(tmp_path / "data", "adjust")
    with running_server(tmp_path / "data", own_mock=True, mock="on") as server:
        server.key = key
        with open_control(tmp_path / "data") as control:
            order = control.orders.put("topup", org="acme", amount_nano=PAID)
            booked = carry_out(control.orders, tmp_path / "data", order)
        assert booked.state == "booked"
        before = available(server)
        assert before == 2 * PAID
        assert server.chat().status == 200
        assert available(server) == before


def test_a_quote_says_that_it_costs_nothing(tmp_path: Path) -> None:
    key = prepared(tmp_path / "data", "topup")
    with running_server(tmp_path / "data", own_mock=True, mock="on") as server:
        server.key = key
        body = b'{"model":"openai/gpt-4o","messages":[{"role":"user","content":"Hi"}]}'
        told = server.request("POST", "/v1/quote", body, {"Content-Type": "application/json"})
        assert told.json()["hold"] == {"min": 0, "max": 0}


def test_a_provider_of_the_callers_own_is_charged(tmp_path: Path) -> None:
    key = prepared(tmp_path / "data", "topup")
    with running_server(tmp_path / "data", mock="beside") as server:
        server.key = key
        assert server.chat().status == 200
        assert available(server) < PAID


@pytest.mark.parametrize(
    "profile", ["seekroute", "seekrouter", "solrouter", "router9", "routerone", "reseller"]
)
def test_every_answer_names_the_mock(tmp_path: Path, profile: str) -> None:
    with running_server(tmp_path / "data", own_mock=True, mock="on", profile=profile) as server:
        for stream in (False, True):
            assert server.chat(stream=stream).headers["x-seekroute-provider"] == "mock"


def test_readiness_and_the_log_tell_of_the_mock(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", own_mock=True, mock="on") as server:
        told = server.request("GET", "/readyz?verbose", with_key=False)
        assert told.status == 200
        assert told.json()["checks"]["mock"] == "warning"
        assert "mock provider answers" in told.json()["reasons"]["mock"]
    with MockProvider() as upstream:
        own = {
            "base_url": upstream.base_url,
            "api_key": "x",
            "allow_http": True,
            "allow_private": True,
        }
        settings = {"own_mock": True, "mock": "auto", "providers": {"openai": own}}
        with running_server(tmp_path / "other", **settings) as server:
            told = server.request("GET", "/readyz?verbose", with_key=False).json()
            assert told["checks"]["mock"] == "ok"
