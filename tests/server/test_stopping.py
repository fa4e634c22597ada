"""The gateway's own stop: who is still being answered is told, pays nothing, and may ask again."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from seekroute.config import load_settings
from seekroute.ledger import Balance, Ledger
from seekroute.money import nano
from seekroute.server.app import App
from seekroute.server.service import Service
from seekroute.testing import Gate, MockProvider, Raw, Text
from serving import (
    PATIENCE,
    RunningServer,
    parse_answers,
    read_until,
    read_until_closed,
    running_server,
)

ON: dict[str, Any] = {"credits": {"enabled": True}}
HOW = ["time", "signal"]  # its time is over, or a second signal ends it


@pytest.fixture(params=HOW)
def how(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def serve(folder: Path, how: str) -> Any:
    seconds = 0.2 if how == "time" else 600
    return running_server(folder, server={"shutdown_seconds": seconds}, **ON)


def stop(server: RunningServer, how: str) -> None:
    server.stop()
    if how == "signal":
        server.stop()


def pay_in(server: RunningServer) -> tuple[Ledger, str]:
    org = server.service.control.orgs.get("default").id
    ledger = server.service.ledger
    assert ledger is not None
    ledger.topup("test:1", org, nano("1"))
    return ledger, org


def begun(server: RunningServer, client: socket.socket, *lines: str) -> bytes:
    """A stream that has brought content and will bring no more; what came of it."""
    gate = Gate()
    server.mock.queue(Text("before after", chunks=["before ", "after"], gate=gate))
    client.sendall(server.chat_bytes(*lines, stream=True))
    gate.release(2)
    return read_until(client, b"before ")


def test_a_stream_that_is_cut_says_so_and_costs_nothing(tmp_path: Path, how: str) -> None:
    with serve(tmp_path, how) as server:
        _, org = pay_in(server)
        with server.connect() as client:
            came = begun(server, client)
            stop(server, how)
            came += read_until_closed(client)
        (answer,) = parse_answers(came)
        events = [line for line in answer.body.split(b"\n") if line.startswith(b"data: ")]
        last = json.loads(events[-1].removeprefix(b"data: "))
        assert last["error"]["code"] == "shutting_down"
        assert came.count(b'"error":{') == 1
        assert b"[DONE]" not in came
        server.mock.wait_for_abort(1)
        server.thread.join(PATIENCE)
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        (row,) = ledger.rows(org=org)
        assert (row["settlement"], row["error"], row["status"]) == ("failed", "shutting_down", 503)
        assert row["cost"] == 0
        assert ledger.balance(org) == Balance(nano("1"), 0, 0)
        assert ledger.verify()["rule"] == ""


def test_who_has_no_head_yet_gets_a_503(tmp_path: Path, how: str) -> None:
    with serve(tmp_path, how) as server:
        _, org = pay_in(server)
        server.mock.queue(Raw([("hang",)]))
        with server.connect() as waiting, server.connect() as sending:
            waiting.sendall(server.chat_bytes())
            sending.sendall(server.chat_bytes()[:-5])  # its body is not complete
            server.mock.wait_for_requests(1)
            stop(server, how)
            for client in (waiting, sending):
                (answer,) = parse_answers(read_until_closed(client))
                assert (answer.status, answer.code) == (503, "shutting_down")
                assert int(answer.headers["retry-after"]) > 0
                assert answer.headers["connection"] == "close"
        server.thread.join(PATIENCE)
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        assert ledger.balance(org) == Balance(nano("1"), 0, 0)


def test_its_idempotency_key_is_free_again(tmp_path: Path, how: str) -> None:
    key = "Idempotency-Key: order-1"
    with serve(tmp_path, how) as server:
        pay_in(server)
        with server.connect() as client:
            begun(server, client, key)
            stop(server, how)
            read_until_closed(client)
        server.thread.join(PATIENCE)
        claimed_by = server.key
    with serve(tmp_path, how) as server, server.connect() as client:
        server.key = claimed_by
        client.sendall(server.chat_bytes(key, "Connection: close", stream=True))
        (answer,) = parse_answers(read_until_closed(client))
        assert answer.status == 200
        assert answer.body.endswith(b"data: [DONE]\n\n")


def test_who_had_left_before_still_pays(tmp_path: Path) -> None:
    with serve(tmp_path, "signal") as server:
        ledger, org = pay_in(server)
        with server.connect() as client:
            begun(server, client)
        server.mock.wait_for_abort(1)
        stop(server, "signal")
        server.thread.join(PATIENCE)
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        (row,) = ledger.rows(org=org)
        assert row["settlement"] == "partial"
        assert row["cost"] > 0


def test_a_task_that_another_server_cancels_is_not_the_clients_leaving(tmp_path: Path) -> None:
    with MockProvider() as mock:
        settings = load_settings(
            overrides={"mock": "on", "data_dir": str(tmp_path), **ON}, environ={}
        )
        service = Service(settings, environ={}, mock=mock)
        service.open()
        key = service.create_first_key()
        assert key is not None
        outer = uvicorn.Server(
            uvicorn.Config(App(service), log_config=None, timeout_graceful_shutdown=1)
        )
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=outer.run, kwargs={"sockets": [listener]})
            thread.start()
            port = listener.getsockname()[1]
            server = RunningServer(port, key, mock, service, None, thread, settings)  # type: ignore[arg-type]
            _, org = pay_in(server)
            with server.connect() as client:
                begun(server, client)
                outer.should_exit = True
                read_until_closed(client)
            thread.join(PATIENCE)
            assert not thread.is_alive()
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        (row,) = ledger.rows(org=org)
        assert (row["settlement"], row["error"], row["cost"]) == ("failed", "shutting_down", 0)


@pytest.mark.parametrize("count", [1, 2])
def test_the_log_says_what_a_stop_waits_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int
) -> None:
    gate = Gate()
    with (
        caplog.at_level("INFO", "seekroute.server"),
        running_server(tmp_path, server={"shutdown_seconds": 17}) as server,
        contextlib.ExitStack() as stack,
    ):
        clients = [stack.enter_context(server.connect()) for _ in range(count)]
        for client in clients:
            server.mock.queue(Text("late", gate=gate))
            client.sendall(server.chat_bytes("Connection: close"))
        server.mock.wait_for_requests(count)
        server.stop()
        until = time.monotonic() + PATIENCE
        while "stopping: " not in caplog.text and time.monotonic() < until:
            server.thread.join(0.01)
        gate.open()
        for client in clients:
            assert parse_answers(read_until_closed(client))[0].status == 200
    waited = "1 request" if count == 1 else "2 requests"
    assert (
        f"stopping: waiting for {waited}, at most 17 s; the next signal ends at once" in caplog.text
    )
