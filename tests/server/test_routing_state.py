"""What routing knows of endpoints and keys is kept over a restart, in `routing.state`."""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bare_cli import unconfigure
from eventually import eventually
from seekroute.cli import providers
from seekroute.cli.root import app
from seekroute.file_names import ROUTING_STATE
from seekroute.routing_state import RoutingState
from seekroute.testing import MockProvider, Status, Text, Usage
from serving import RunningServer, running_server

MODEL = "acme/one"
WELL = Text("Well.", usage=Usage(100, 40))
KEYS = [{"id": "a", "api_key": "key-a"}, {"id": "b", "api_key": "key-b"}]


def settings_of(mock: MockProvider, keys: list[dict[str, str]], **routing: Any) -> dict[str, Any]:
    address = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
    ends = [
        {
            "provider": "host",
            "model": "up",
            "quantization": "fp8",
            "price": {"input": "1", "output": "1"},
        }
    ]
    return {
        "models": [{"id": MODEL, "context": 8000, "endpoints": ends}],
        "providers": {"host": {**address, "keys": keys}},
        "routing": {"retry_budget": {"percent": 20, "min": 3}, **routing},
    }


def states(server: RunningServer) -> dict[str, str]:
    """The states of the provider's keys."""
    rows = server.gateway.core.health()
    return {row["key"]: row["state"] for row in rows if row["provider"] == "host" and row["key"]}


def kill_a_key(server: RunningServer, mock: MockProvider) -> str:
    """Lets one key be refused; the other one answers. Returns the dead one's id."""
    refused: list[str] = []

    def is_refused(request: Any) -> bool:
        key = request.headers["authorization"]
        if not refused:
            refused.append(key)
        return bool(key == refused[0])

    mock.on(is_refused, Status(401))
    mock.default = WELL
    assert server.chat(model=MODEL).status == 200
    return refused[0][-1]


def test_a_dead_key_stays_dead_over_a_restart(tmp_path: Path) -> None:
    with MockProvider() as mock:
        with running_server(tmp_path, **settings_of(mock, KEYS)) as server:
            dead = kill_a_key(server, mock)
            assert states(server)[dead] == "bad_key"
        file = tmp_path / ROUTING_STATE
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        kept = file.read_bytes()
        assert b"key-" not in kept
        assert mock.base_url.encode() not in kept
        mock.reset()
        mock.default = WELL
        with running_server(tmp_path, **settings_of(mock, KEYS)) as server:
            assert states(server)[dead] == "bad_key"
            for _ in range(6):
                assert server.chat(model=MODEL).status == 200
            used = {request.headers["authorization"][-1] for request in mock.requests}
            assert used == {"a", "b"} - {dead}
        new = [{**each, "api_key": f"new-{each['id']}"} for each in KEYS]
        with running_server(tmp_path, **settings_of(mock, new)) as server:
            assert states(server) == {"a": "ok", "b": "ok"}  # another secret is alive


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda kept: b"", "it is no state of routing"),
        (lambda kept: kept[:-1], "it is damaged"),
        (lambda kept: kept[:20] + bytes([kept[20] ^ 1]) + kept[21:], "it is damaged"),
        (lambda kept: b"{}", "it is no state of routing"),
    ],
)
def test_a_damaged_file_is_left_alone_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any, why: str
) -> None:
    with MockProvider() as mock:
        with running_server(tmp_path, **settings_of(mock, KEYS)) as server:
            dead = kill_a_key(server, mock)
        file = tmp_path / ROUTING_STATE
        file.write_bytes(damage(file.read_bytes()))
        with (
            caplog.at_level(logging.WARNING, "seekroute.server"),
            running_server(tmp_path, **settings_of(mock, KEYS)) as server,
        ):
            assert states(server)[dead] == "ok"
        (told,) = [record for record in caplog.records if ROUTING_STATE in record.getMessage()]
        assert why in told.getMessage()


def test_a_pipe_or_a_link_beside_the_file_holds_nothing_up(tmp_path: Path) -> None:
    class Core:
        def export_state(self) -> bytes:
            return b"kept"

    class Asked:
        core = Core()

    beside = tmp_path / f"{ROUTING_STATE}.new"
    own = tmp_path / "own"
    own.write_bytes(b"of somebody else")
    state = RoutingState(tmp_path)
    for put in (lambda: os.mkfifo(beside), lambda: beside.symlink_to(own)):
        put()
        with pytest.raises(OSError, match=ROUTING_STATE):
            state.save(Asked())  # type: ignore[arg-type]
        state.save(Asked())  # type: ignore[arg-type]
        assert state.path.read_bytes() == b"kept"
    os.mkfifo(beside)
    reader = os.open(beside, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="no file"):
            state.save(Asked())  # type: ignore[arg-type]
    finally:
        os.close(reader)
    assert own.read_bytes() == b"of somebody else"


def test_the_file_is_written_when_something_is_new(tmp_path: Path) -> None:
    now = [0.0]
    with MockProvider() as mock, running_server(tmp_path, **settings_of(mock, KEYS)) as server:
        mock.default = WELL
        state = RoutingState(tmp_path / "beside", lambda: now[0])
        with pytest.raises(OSError, match="No such file"):
            state.turn(server.gateway)
        state.path.parent.mkdir()
        for written in (True, False):
            state.turn(server.gateway)
            assert state.path.exists() == written
            state.path.unlink(missing_ok=True)
        assert server.chat(model=MODEL).status == 200
        state.turn(server.gateway)
        assert state.path.exists()
        state.path.unlink()
        now[0] += 3601  # else it would be void in a day
        state.turn(server.gateway)
        assert state.path.exists()
        assert not state.path.with_name("routing.state.new").exists()


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command against the server that runs from a folder."""
    unconfigure(monkeypatch, tmp_path)

    def run(*words: str, code: int = 0) -> Any:
        words = ("--data-dir", str(tmp_path), *words)
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return run


def test_percentiles_are_told_by_name(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        **{"endpoint": 1, "provider": "host", "key": None, "model": "up", "tag": "host/fp8"},
        **{"state": "ok", "lacks": "", "last_resort": False, "in_flight": 0, "retry_in_ms": 0},
        **{"judged_1d": 50, "uptime_30m": 1.0, "ttft_ms_5m": [10, 20, 30, 40]},
        **{"tokens_per_second_5m": [4.5, 3, 2, 1], "tokens_per_second_30m": None},
    }
    monkeypatch.setattr(providers, "ask_server", lambda *_: {"health": [row]})
    (told,) = json.loads(asked("providers", "status", "--json").stdout)
    assert told["ttft_ms_5m"] == {"p50": 10, "p75": 20, "p90": 30, "p99": 40}
    assert told["tokens_per_second_5m"]["p50"] == 4.5
    assert told["tokens_per_second_30m"] is None
    assert "\t10 ms\t30 ms\t4.5\t50\n" in asked("providers", "status").stdout


def test_commands_see_the_health_of_providers_and_mark_one_as_healthy(
    tmp_path: Path, asked: Any
) -> None:
    with MockProvider() as mock, running_server(tmp_path, **settings_of(mock, KEYS)) as server:
        dead = kill_a_key(server, mock)
        found = json.loads(asked("providers", "status", "--json").stdout)
        rows = {(row["provider"], row["key"]): row for row in found}
        assert rows["host", dead]["state"] == "bad_key"
        assert 590_000 < rows["host", dead]["retry_in_ms"] <= 600_000
        endpoint = rows["host", None]
        assert (endpoint["tag"], endpoint["upstream_model"]) == ("host/fp8", "up")
        assert endpoint["model"] == "acme/one"
        assert endpoint["uptime_30m"] is None  # of one request
        text = asked("providers", "status").stdout
        assert f"host#{dead}\tbad_key\t" in text
        assert "host/fp8\tacme/one\tok\t-\t0\t-\t-\t-\t-\t1\n" in text
        assert json.loads(asked("providers", "reset", f"host#{dead}", "--json").stdout) == {
            "reset": 1
        }
        assert set(states(server).values()) == {"ok"}
        assert (
            "host/fp8: marked 1 endpoint or key as healthy"
            in asked("providers", "reset", "host/fp8").stdout
        )
        assert (
            "host: marked 3 endpoints and keys as healthy"
            in asked("providers", "reset", "host").stdout
        )
        assert "knows no endpoint" in asked("providers", "reset", "hosts", code=1).output
    assert "no server runs" in asked("providers", "status", code=1).output


def test_endpoints_tell_of_their_own_traffic(tmp_path: Path) -> None:
    with (
        MockProvider() as mock,
        running_server(tmp_path, **settings_of(mock, KEYS[:1], leave_out_failing=False)) as server,
    ):
        mock.default = WELL

        def endpoint() -> dict[str, Any]:
            data = server.request("GET", f"/v1/models/{MODEL}/endpoints").json()["data"]
            (found,) = data["endpoints"]
            assert "upstream_model" not in found
            return dict(found)

        def ask(count: int) -> None:
            for i in range(count):
                body = [{"role": "user", "content": f"number {i}"}]
                server.chat(model=MODEL, messages=body, stream=True)

        ask(19)
        found = endpoint()
        assert (found["tag"], found["quantization"], found["status"]) == ("host/fp8", "fp8", 0)
        names = ("uptime_last_5m", "uptime_last_30m", "uptime_last_1d", "latency_last_30m")
        assert [found[name] for name in names] == [None] * 4
        ask(1)
        mock.default = Status(500)
        ask(5)
        eventually(lambda: endpoint()["uptime_last_30m"] == 80.0)
        found = endpoint()
        assert found["uptime_last_5m"] == found["uptime_last_1d"] == 80.0
        assert found["status"] == 0  # it is measured, and nobody is left out
        assert set(found["latency_last_30m"]) == {"p50", "p75", "p90", "p99"}
        assert 0 < found["latency_last_30m"]["p50"] <= found["latency_last_30m"]["p99"]
        metrics = server.request("GET", "/metrics").body.decode()
        assert (
            'seekroute_endpoint_state{endpoint="host/fp8",model="acme/one",provider="host"'
            in metrics
        )
