"""An answer that was settled, and that the gateway's own stop keeps from its client."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seekroute.config import load_settings
from seekroute.ledger import Balance, Ledger
from seekroute.money import nano
from seekroute.server import runner
from seekroute.server.app import App
from seekroute.server.service import Service
from seekroute.testing import MockProvider, Text, Usage
from serving import (
    PATIENCE,
    Answer,
    RunningServer,
    chat_body,
    parse_answers,
    read_until,
    read_until_closed,
    running_server,
)

ON: dict[str, Any] = {"credits": {"enabled": True}}
KEY = "Idempotency-Key: order-1"
SMALL = 4096  # bytes of the kernel's buffers, doubled by it
LONG = "some words " * 200_000
PAID = nano("1")


class Settled:
    """Tells when requests have ended for the core."""

    def __init__(self, server: RunningServer) -> None:
        self._ended = threading.Semaphore(0)
        server.gateway.on_record(lambda record: self._ended.release())

    def wait(self) -> None:
        assert self._ended.acquire(timeout=PATIENCE)


def serve(folder: Path, how: str = "time", **settings: Any) -> Any:
    seconds = 0.2 if how == "time" else 600
    return running_server(folder, server={"shutdown_seconds": seconds}, **ON, **settings)


def stop(server: RunningServer, how: str) -> None:
    server.stop()
    if how == "signal":
        server.stop()


def pay_in(server: RunningServer) -> str:
    org = server.service.control.orgs.get("default").id
    assert server.service.ledger is not None
    server.service.ledger.topup("test:1", org, PAID)
    return org


def narrow(server: RunningServer) -> socket.socket:
    """A connection that takes few bytes unless its client reads."""
    client = server.connect(receive_buffer=SMALL)
    client.sendall(b"GET /livez HTTP/1.1\r\nHost: g\r\n\r\n")
    read_until(client, b'{"status":"ok"}')
    for each in list(server.server.server_state.connections):
        each.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL
        )
    return client


def queue(server: RunningServer, kind: str) -> None:
    # A stream's end has to fit into the gateway's window, or its settlement would wait for the
    # client to read.
    text = LONG if kind == "plain" else LONG[:150_000]
    server.mock.queue(Text(text, chunks=8, usage=Usage(100, 1000)))


def again(folder: Path, key: str) -> Answer:
    """The same request to the next process."""
    with serve(folder) as server, server.connect() as client:
        server.key = key
        client.sendall(server.chat_bytes(KEY, "Connection: close"))
        (answer,) = parse_answers(read_until_closed(client))
    return answer


@contextmanager
def unread(folder: Path, how: str = "time") -> Iterator[tuple[RunningServer, str, socket.socket]]:
    """A gateway with a long answer that is settled and whose client reads nothing yet: it, the
    organization that paid, and the client."""
    with serve(folder, how) as server:
        org = pay_in(server)
        settled = Settled(server)
        queue(server, "plain")
        with narrow(server) as client:
            client.sendall(server.chat_bytes())
            settled.wait()
            yield server, org, client


@pytest.mark.parametrize("kind", ["plain", "stream"])
@pytest.mark.parametrize("how", ["time", "signal"])
def test_what_the_stop_cuts_is_paid_back_and_may_be_asked_for_again(
    tmp_path: Path, how: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(tmp_path, how, limits_={"window_bytes": 1 << 20}) as server:
        org = pay_in(server)
        settled = Settled(server)
        queue(server, kind)
        with narrow(server) as client:
            client.sendall(server.chat_bytes(KEY, stream=kind == "stream"))
            settled.wait()
            stop(server, how)
            server.thread.join(PATIENCE)
            came = read_until_closed(client)
        assert b"[DONE]" not in came
        assert len(came) < 150_000
        key = server.key
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        assert ledger.balance(org) == Balance(PAID, 0, 0)
        (row,) = ledger.rows(org=org)
        assert (row["settlement"], row["status"]) == ("exact", 200)
        assert row["cost"] > 0
        found = ledger.generation(row["generation"])
        assert found is not None
        assert found["refunded"] == row["cost"]
        assert ledger.verify()["rule"] == ""
    assert again(tmp_path, key).status == 200
    (said,) = [each.getMessage() for each in caplog.records if row["generation"] in each.message]
    assert "was not delivered" in said


def test_both_files_agree_on_what_was_paid_back(tmp_path: Path) -> None:
    from seekroute.control import ControlPlane
    from seekroute.control.comparison import compare

    with unread(tmp_path) as (server, _, _):
        stop(server, "time")
        server.thread.join(PATIENCE)
    with (
        ControlPlane(tmp_path) as control,
        Ledger(tmp_path / "ledger.db", read_only=True) as ledger,
    ):
        found = compare(control.orders, ledger)
        assert (found.compared, found.counts["missing"]) == (1, 0)
        assert [each.kind for each in found.named["unknown"]] == ["topup"]  # by hand, above


def test_what_was_delivered_is_charged_once(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        org = pay_in(server)
        queue(server, "plain")
        with narrow(server) as client:
            client.sendall(server.chat_bytes(KEY))
            read_until(client, b'"usage"')
            stop(server, "time")
            server.thread.join(PATIENCE)
        key = server.key
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        (row,) = ledger.rows(org=org)
        assert row["cost"] > 0
        assert ledger.balance(org) == Balance(PAID - row["cost"], 0, 0)
        assert ledger.verify()["rule"] == ""
    refused = again(tmp_path, key)
    assert (refused.status, refused.code) == (409, "idempotency_completed")


def test_what_the_kernel_has_taken_is_delivered(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        org = pay_in(server)
        settled = Settled(server)
        server.mock.queue(Text("short", usage=Usage(10, 1)))
        with server.connect() as client:
            client.sendall(server.chat_bytes())
            settled.wait()
            stop(server, "time")
            server.thread.join(PATIENCE)
            (answer,) = parse_answers(read_until_closed(client))  # of a process that is gone
        assert answer.status == 200
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        (row,) = ledger.rows(org=org)
        assert row["cost"] > 0
        assert ledger.balance(org) == Balance(PAID - row["cost"], 0, 0)


def test_of_two_answers_the_one_that_was_cut_is_paid_back(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        org = pay_in(server)
        settled = Settled(server)
        with narrow(server) as client:
            server.mock.queue(Text("short", usage=Usage(10, 1)))
            client.sendall(server.chat_bytes())
            settled.wait()
            read_until(client, b'"usage"')
            queue(server, "plain")
            client.sendall(server.chat_bytes())
            settled.wait()
            stop(server, "time")
            server.thread.join(PATIENCE)
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        long, short = ledger.rows(org=org)
        assert long["cost"] > short["cost"] > 0
        assert ledger.balance(org) == Balance(PAID - short["cost"], 0, 0)


def test_a_body_on_its_way_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_GRACE_S", 0)  # so the shutdown alone waits
    with unread(tmp_path, "patient") as (server, org, client):
        stop(server, "patient")
        (answer,) = parse_answers(read_until_closed(client))
        assert LONG in answer.json()["choices"][0]["message"]["content"]
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        (row,) = ledger.rows(org=org)
        assert ledger.balance(org) == Balance(PAID - row["cost"], 0, 0)


def test_who_had_left_before_pays_for_what_was_settled(tmp_path: Path) -> None:
    with unread(tmp_path) as (server, org, client):
        client.close()
        stop(server, "time")
        server.thread.join(PATIENCE)
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        (row,) = ledger.rows(org=org)
        assert row["cost"] > 0
        assert ledger.balance(org) == Balance(PAID - row["cost"], 0, 0)


def test_under_another_server_a_task_that_is_cancelled_while_it_sends(tmp_path: Path) -> None:
    with MockProvider() as mock:
        overrides: dict[str, Any] = {"mock": "on", "data_dir": str(tmp_path), **ON}
        settings = load_settings(overrides=overrides, environ={})
        service = Service(settings, environ={}, mock=mock)
        service.open()
        key = service.create_first_key()
        org = service.control.orgs.get("default").id
        assert service.ledger is not None
        service.ledger.topup("test:1", org, PAID)
        mock.queue(Text("Hello.", usage=Usage(100, 1000)))
        asyncio.run(_cancelled_while_it_sends(service, f"Bearer {key}".encode()))
    with Ledger(tmp_path / "ledger.db", read_only=True) as ledger:
        (row,) = ledger.rows(org=org)
        assert row["cost"] > 0
        assert ledger.balance(org) == Balance(PAID, 0, 0)


async def _cancelled_while_it_sends(service: Service, authorization: bytes) -> None:
    """Another server: its client takes the head of the answer, and then nothing."""
    await service.start()
    stuck, never = asyncio.Event(), asyncio.Event()
    sent = iter([{"type": "http.request", "body": chat_body(), "more_body": False}])

    async def receive() -> dict[str, Any]:
        message: dict[str, Any] | None = next(sent, None)
        if message is None:
            await never.wait()
            raise AssertionError
        return message

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            stuck.set()
            await never.wait()

    path = "/v1/chat/completions"
    headers = [(b"content-type", b"application/json"), (b"authorization", authorization)]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    task = asyncio.create_task(App(service)(scope, receive, send))
    await asyncio.wait_for(stuck.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await service.stop()
