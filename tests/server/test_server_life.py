"""The life of a server: shutdown, lock, signals, start, logs; inside another application too."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from first_starts import first_words
from seekroute.config import load_settings
from seekroute.control import ControlError
from seekroute.server import create_app, logs
from seekroute.server.logs import LineWriter
from seekroute.server.service import Service
from seekroute.testing import Gate, MockProvider, Raw, Text
from serving import (
    PATIENCE,
    RunningServer,
    chat_body,
    parse_answers,
    read_until,
    read_until_closed,
    running_server,
)

# --- stopping -------------------------------------------------------------------------------------


def test_a_shutdown_lets_streams_finish_and_refuses_new_work(tmp_path: Path) -> None:
    gate = Gate()
    with running_server(tmp_path) as server:
        server.mock.queue(Text("before after", chunks=["before ", "after"], gate=gate))
        with server.connect() as stream, server.connect() as idle:
            stream.sendall(server.chat_bytes("Connection: close", stream=True))
            gate.release(2)
            begun = read_until(stream, b"before ")
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: g\r\n\r\n")
            read_until(idle, b'{"status":"ok"}')
            server.stop()
            idle.sendall(server.chat_bytes())
            (refused,) = parse_answers(read_until_closed(idle))
            assert (refused.status, refused.code) == (503, "shutting_down")
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["connection"] == "close"
            fresh = server.request("GET", "/readyz")
            assert (fresh.status, fresh.json()["checks"]["accepting"]) == (503, "failed")
            assert server.request("GET", "/livez").status == 200
            gate.open()
            (answer,) = parse_answers(begun + read_until_closed(stream))
            assert answer.body.endswith(b"data: [DONE]\n\n")
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


def test_a_shutdown_ends_after_its_time(tmp_path: Path) -> None:
    with running_server(tmp_path, server={"shutdown_seconds": 0.2}) as server:
        server.mock.queue(Raw([("hang",)]))
        with server.connect() as client:
            client.sendall(server.chat_bytes())
            server.mock.wait_for_requests(1)
            server.stop()
            (cut,) = parse_answers(read_until_closed(client))
            assert (cut.status, cut.code) == (503, "shutting_down")
        server.mock.wait_for_abort(1)
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


def test_nothing_is_left_of_clients_that_left(tmp_path: Path) -> None:
    # The shutdown waits for every running request, longer than this test does.
    with running_server(tmp_path, server={"shutdown_seconds": 600}) as server:
        for stream in (False, True):
            server.mock.queue(Raw([("hang",)]))
            client = server.connect()
            client.sendall(server.chat_bytes(stream=stream))
            server.mock.wait_for_requests(1 + stream)
            client.close()
            server.mock.wait_for_abort(1 + stream)
        server.stop()
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()


def test_second_process_on_a_data_directory_is_refused(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        settings = load_settings(overrides={"data_dir": str(tmp_path)}, environ={})
        second = Service(settings, environ={})
        with pytest.raises(ControlError, match="in use by another"):
            second.open()
        assert server.chat().status == 200


# --- the process ----------------------------------------------------------------------------------


@contextlib.contextmanager
def process(data_dir: Path, *, port: int = 0, stderr: Any = subprocess.PIPE) -> Iterator[Any]:
    """`seekroute serve` as a process of its own, with the mock provider."""
    code = (
        "from seekroute.server import serve\n"
        f"raise SystemExit(serve(data_dir={str(data_dir)!r}, port={port}, mock='on',"
        " log_format='json'))"
    )
    environ = {name: os.environ[name] for name in os.environ if "KEY" not in name}
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=environ,
        cwd=data_dir.parent,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_first_start_prints_a_request_that_answers(tmp_path: Path) -> None:
    with process(tmp_path / "data") as child:
        key, _, curl = first_words(child)
        ran = subprocess.run(["bash", "-c", curl], capture_output=True, timeout=PATIENCE)
        assert json.loads(ran.stdout)["choices"][0]["message"]["content"]
        child.send_signal(signal.SIGTERM)
        out, log = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
        lines = [json.loads(line) for line in log.splitlines()]
        assert {"ts", "level", "msg"} <= set.intersection(*(set(line) for line in lines))
        (request,) = [line for line in lines if line["msg"] == "request"]
        assert request["status"] == 200
        assert re.fullmatch(r"\d+(\.\d+)?", request["cost_usd"])
        assert request["key_id"].startswith("key_")
        assert key not in log + out
        assert "Hello!" not in log
    with process(tmp_path / "data") as child:  # a later start shows no key
        assert json.loads(child.stderr.readline())["msg"] == "listening"
        child.send_signal(signal.SIGTERM)
        out, _ = child.communicate(timeout=PATIENCE)
        assert (child.returncode, out) == (0, "")


def test_signals_shut_down_cleanly(tmp_path: Path) -> None:
    with process(tmp_path / "data") as child:
        key, port, _ = first_words(child)
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
            body = chat_body(stream=True, messages=[{"role": "user", "content": "a " * 10}])
            client.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n"
                b"Authorization: Bearer %b\r\n\r\n%b" % (len(body), key.encode(), body)
            )
            read_until(client, b"data: ")
            child.send_signal(signal.SIGTERM)
            child.send_signal(signal.SIGINT)
            _, log = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
        assert json.loads(log.splitlines()[-1])["msg"] == "stopped"


def test_refusals_to_start(tmp_path: Path) -> None:
    with process(tmp_path / "data") as first:
        _, port, _ = first_words(first)
        with process(tmp_path / "data") as second:
            _, said = second.communicate(timeout=PATIENCE)
            assert second.returncode == 2
            assert "in use by another seekroute server" in said
            assert str(first.pid) in said
        with process(tmp_path / "other", port=port) as third:
            _, said = third.communicate(timeout=PATIENCE)
            assert third.returncode == 2
            assert f"port {port} on 127.0.0.1 is in use" in said
            assert "Traceback" not in said


def test_log_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    try:
        with process(tmp_path / "data", stderr=writer) as child:
            key, port, _ = first_words(child)
            sent = (
                "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n"
                f"x-request-id: {'x' * 100}\r\nAuthorization: Bearer {key}\r\n\r\n{{}}"
            )
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
                for _ in range(400):  # more lines than a pipe holds
                    client.sendall(sent.encode())
                    read_until(client, b"}}")
            child.send_signal(signal.SIGTERM)
            assert child.wait(PATIENCE) == 0
    finally:
        os.close(reader)
        os.close(writer)


def test_log_lines_that_find_no_room_are_counted() -> None:
    reader, descriptor = os.pipe()
    try:
        writer = LineWriter(descriptor, max_queued=100_000)
        for _ in range(100):
            writer.write(b"x" * 9_999 + b"\n")
        assert 80 <= writer.dropped <= 99  # the pipe took some, the queue ten
        threading.Thread(target=writer.close).start()
        kept = (100 - writer.dropped) * 10_000
        received = 0
        while received < kept:
            received += len(os.read(reader, 65536))
        assert received == kept
    finally:
        os.close(reader)
        os.close(descriptor)


def test_a_log_line_has_what_the_providers_said() -> None:
    texts = dict.fromkeys(("key_id", "org_id", "service_tier", "price_revision"), "")
    times = dict.fromkeys(("total_ms", "first_content_ms", "overhead_ms"), 1.0)
    counts = ("prompt_tokens", "completion_tokens", "cost_nano", "upstream_cost_nano")
    record: Any = types.SimpleNamespace(
        **texts,
        **times,
        **dict.fromkeys(counts, 0),
        **dict.fromkeys(("streamed", "usage_odd", "cap_ignored"), False),
        request_id="req-1",
        model="a/m",
        provider="groq",
        error="",
        status=200,
        attempts=2,
        tried=[
            ("openai", 429, "upstream_no_credit", 5.0, 'insufficient_quota: no "money"'),
            ("groq", 200, "", 9.0, ""),
        ],
    )
    failures = json.loads(logs.json_line(record, "2027-01-31T00:00:00Z"))["failures"]
    words = 'insufficient_quota: no "money"'
    assert failures == [
        {"provider": "openai", "status": 429, "error": "upstream_no_credit", "words": words}
    ]
    assert f"openai: {words}" in logs.pretty_line(record, "2027-01-31T00:00:00Z")


@pytest.mark.parametrize("log_format", ["json", "pretty"])
def test_tracebacks_show_no_values(log_format: Any) -> None:
    reader, descriptor = os.pipe()
    root = logging.getLogger()
    before = root.handlers, root.level
    try:
        writer = LineWriter(descriptor)
        logs.configure(writer, log_format, "info")

        def fail(prompt: str) -> None:
            raise ValueError("the reason")

        try:
            fail("canary " * 2)
        except ValueError:
            logging.getLogger("seekroute.http").exception("the application failed")
        writer.close()
        shown = os.read(reader, 65536).decode()
    finally:
        root.handlers, root.level = before
        os.close(reader)
        os.close(descriptor)
    assert "the reason" in shown
    assert "fail" in shown
    assert "canary canary" not in shown


# --- under another server -------------------------------------------------------------------------


@contextlib.contextmanager
def foreign_server(app: Any, *, http: str) -> Iterator[int]:
    """uvicorn as an operator would run it, with its own protocols."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    config = uvicorn.Config(app, http=http, log_config=None, timeout_graceful_shutdown=1)
    outer = uvicorn.Server(config)
    thread = threading.Thread(target=outer.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        outer.should_exit = True
        thread.join(PATIENCE)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture(params=["h11", "httptools"])
def mounted(request: Any, tmp_path: Path) -> Iterator[RunningServer]:
    """The application mounted in a FastAPI application, which starts it with the first request."""
    with MockProvider() as mock:
        settings = load_settings(overrides={"mock": "on", "data_dir": str(tmp_path)}, environ={})
        gateway = create_app(settings)
        gateway.service._mock = mock
        outer = FastAPI()
        outer.mount("/llm", gateway)
        with foreign_server(outer, http=request.param) as port:
            probe = RunningServer(port, "", mock, gateway.service, None, None, None)  # type: ignore[arg-type]
            assert probe.request("GET", "/llm/readyz").status == 200
            key = gateway.service.create_first_key()
            assert key is not None
            probe.key = key
            yield probe
        gateway.service.close()


def test_mounted(mounted: RunningServer) -> None:
    assert mounted.request("GET", "/llm/v1/models").status == 200
    assert mounted.request("GET", "/llm/v1/models/openai%2Fgpt-4o-mini").status == 200
    assert mounted.request("GET", "/llm/v1/model%73/openai/gpt-4o-mini").status == 404
    assert mounted.request("GET", "/v1/models").status == 404
    document = mounted.request("GET", "/llm/openapi.json").json()
    assert document["servers"] == [{"url": "/llm"}]
    answer = mounted.request("POST", "/llm/api/v1/chat/completions", chat_body())
    assert answer.status == 200
    stream = mounted.request("POST", "/llm/v1/chat/completions", chat_body(stream=True))
    assert stream.body.endswith(b"data: [DONE]\n\n")
    big = mounted.request("POST", "/llm/v1/chat/completions", b" " * 100_000, with_key=False)
    assert big.status == 401


def test_mounted_cancels_the_upstream(mounted: RunningServer) -> None:
    mounted.mock.queue(Raw([("hang",)]))
    body = chat_body(stream=True)
    client = mounted.connect()
    client.sendall(
        b"POST /llm/v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Length: %d\r\n"
        b"Authorization: Bearer %b\r\n\r\n%b" % (len(body), mounted.key.encode(), body)
    )
    mounted.mock.wait_for_requests(1)
    client.close()
    mounted.mock.wait_for_abort(1)


def test_a_small_window_is_always_resumed(tmp_path: Path) -> None:
    # Far more than the window, in chunks that do not divide it, to a client that reads on.
    words = " ".join(f"word{i}" for i in range(2000))
    with running_server(tmp_path / "data", limits_={"window_bytes": 1024}) as server:
        server.mock.queue(Text(words))
        answer = server.chat(stream=True)
    assert answer.status == 200
    events = answer.body.decode().split("\n\n")
    chunks = [json.loads(event[6:]) for event in events if event.startswith("data: {")]
    told = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert told == words


def test_a_client_that_stops_reading_gets_everything_later(tmp_path: Path) -> None:
    words = " ".join(f"word{i}" for i in range(20_000))
    with running_server(tmp_path / "data") as server:
        server.mock.queue(Text(words))
        with contextlib.closing(server.connect(receive_buffer=4096)) as client:
            client.sendall(server.chat_bytes("Connection: close", stream=True))
            (connection,) = wait_for(lambda: server.server.server_state.connections)
            wait_for(lambda: connection.write_paused)
            received = read_until_closed(client)
        (answer,) = parse_answers(received)
        wait_for(lambda: not server.server.server_state.tasks)
    events = answer.body.decode().split("\n\n")
    chunks = [json.loads(event[6:]) for event in events if event.startswith("data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == words


def wait_for(look: Any) -> Any:
    """What `look()` returns, as soon as that is something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen"
        os.sched_yield()
    return found
