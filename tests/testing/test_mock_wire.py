"""MockProvider on the wire: bad bytes, resets, hangs, disconnects, and its own life."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import openai
import pytest
import requests

from checkout import ROOT
from seekroute.testing import Answer, Gate, MockProvider, Raw, Status, Stream, Text

SHARED = Path(os.environ.get("SEEKROUTE_SHARED") or ROOT.parent / "shared")
SCENARIOS = SHARED / "corpora" / "upstream-faults" / "scenarios.json"
HELLO: list[Any] = [{"role": "user", "content": "hello world"}]
# No test below waits longer than this for anything, in seconds.
TIMEOUT = 10


@pytest.fixture
def mock(caplog: pytest.LogCaptureFixture) -> Iterator[MockProvider]:
    with MockProvider() as provider:
        yield provider
        assert provider.errors == []
    # asyncio logs what its tasks and transports lose.
    records = caplog.get_records("call") + caplog.get_records("teardown")
    assert [record.getMessage() for record in records if record.name == "asyncio"] == []


def post(mock: MockProvider, **fields: Any) -> Any:
    body = {"model": "m", "messages": HELLO, **fields}
    return requests.post(mock.base_url + "/chat/completions", json=body, timeout=TIMEOUT)


class Wire:
    """A bare client socket."""

    def __init__(self, mock: MockProvider) -> None:
        self.socket = socket.create_connection(("127.0.0.1", mock.port), timeout=TIMEOUT)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def post(self, body: bytes = b"{}", headers: str = "", version: str = "1.1") -> None:
        head = f"POST /v1/chat/completions HTTP/{version}\r\nHost: x\r\n{headers}"
        self.socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (part := self.socket.recv(min(count - len(data), 1 << 20))):
            data += part
        return data

    def read_all(self) -> tuple[bytes, str]:
        """Everything until the end, and how the connection ended: "fin" or "rst"."""
        data = b""
        try:
            while part := self.socket.recv(1 << 20):
                data += part
        except ConnectionResetError:
            return data, "rst"
        return data, "fin"

    def read_head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self.socket.recv(1)
            assert byte, f"the connection ended inside a head: {head!r}"
            head += byte
        return head

    def read_response(self) -> tuple[int, bytes]:
        """One response with a Content-Length."""
        head = self.read_head()
        length = re.search(rb"content-length: (\d+)", head)
        return int(head.split()[1]), self.read_exactly(int(length[1]) if length else 0)


# --- raw replies


def scenarios() -> list[Any]:
    if not SCENARIOS.exists():
        return []
    return [
        pytest.param(one["steps"], id=one["id"])
        for one in json.loads(SCENARIOS.read_bytes())["scenarios"]
    ]


@pytest.mark.skipif(not SCENARIOS.exists(), reason=f"the shared corpus is not at {SCENARIOS}")
def test_there_are_scenarios() -> None:
    assert len(scenarios()) >= 30


@pytest.mark.parametrize("steps", scenarios())
def test_scenario_plays_byte_exactly(mock: MockProvider, steps: list[Any]) -> None:
    # The pauses have a test of their own; here they would only take time.
    mock.script([["sleep_ms", 0] if step[0] == "sleep_ms" else step for step in steps])
    sent = [base64.b64decode(step[1]) for step in steps if step[0] in ("send", "bytes1")]
    body = b"".join(sent)
    with Wire(mock) as wire:
        wire.post()
        if steps[0][0] == "head":
            _, status, headers = steps[0]
            lines = wire.read_head().decode().split("\r\n")
            assert lines[0].startswith(f"HTTP/1.1 {status} ")
            given = [f"{name}: {value}" for name, value in headers.items()]
            assert lines[1:] == [*given, "Connection: close", "", ""]
        if steps[-1][0] == "hang":
            assert wire.read_exactly(len(body)) == body
            assert not mock.requests[0].completed.is_set()
        else:
            assert wire.read_all() == (body, steps[-1][0])
            mock.requests[0].wait_completed()
    if steps[-1][0] == "hang":
        mock.requests[0].wait_aborted()
    assert mock.requests[0].aborted.is_set() == (steps[-1][0] == "hang")


def test_reset_comes_after_everything_sent(mock: MockProvider) -> None:
    data = os.urandom(3 << 20)
    mock.queue(Raw([("send", data), ("rst",)]))
    with Wire(mock) as wire:
        wire.post()
        assert wire.read_all() == (data, "rst")


def test_raw_without_an_ending_closes_in_order(mock: MockProvider) -> None:
    mock.queue(Raw([("send", b"no http")]))
    with Wire(mock) as wire:
        wire.post()
        assert wire.read_all() == (b"no http", "fin")


@pytest.mark.skipif(sys.platform != "linux", reason="counts segments with Linux' TCP_INFO")
def test_bytes1_sends_one_byte_per_segment(mock: MockProvider) -> None:
    data = b"data: {}\n\n" * 10
    mock.queue(Raw([("bytes1", data), ("fin",)]))
    with Wire(mock) as wire:
        wire.post()
        assert wire.read_exactly(len(data)) == data
        info = wire.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
        (segments,) = struct.unpack_from("I", info, 152)  # tcpi_data_segs_in
        assert segments >= len(data)


def test_sleep_and_delays_take_their_time(mock: MockProvider) -> None:
    numbers: list[int] = []

    def delay(number: int) -> float:
        numbers.append(number)
        return 0.02 if number == 1 else 0

    mock.queue(
        Raw([("sleep_ms", 30), ("send", b"x")]),
        Text("ab", chunks=2, delay=delay, first_byte_delay=0.01),
        Status(500, first_byte_delay=0.03),
    )
    started = time.monotonic()
    with Wire(mock) as wire:
        wire.post()
        assert wire.read_all() == (b"x", "fin")
    assert time.monotonic() - started >= 0.03
    started = time.monotonic()
    post(mock, stream=True)
    assert time.monotonic() - started >= 0.03
    assert numbers == [0, 1, 2, 3, 4]  # role, "a", "b", finish, [DONE]
    started = time.monotonic()
    post(mock)
    assert time.monotonic() - started >= 0.03


# --- gates and disconnects


def test_gate_lets_one_chunk_through_at_a_time(mock: MockProvider) -> None:
    gate = Gate()
    mock.queue(Stream(["a", "b", "c"], gate=gate))
    url = mock.base_url + "/chat/completions"
    with requests.post(url, json={}, stream=True, timeout=TIMEOUT) as response:
        lines = response.iter_lines()
        gate.wait_arrivals(1)
        gate.release()
        assert next(lines) == b"data: a"
        gate.wait_arrivals(2)
        assert gate.arrivals == 2
        gate.open()
        assert [line for line in lines if line] == [b"data: b", b"data: c", b"data: [DONE]"]
    with pytest.raises(TimeoutError):
        gate.wait_arrivals(99, timeout=0)


def test_gate_shared_by_replies_loses_no_permit(mock: MockProvider) -> None:
    gate = Gate()
    reply = Raw([("gate", gate), ("send", b"x")])
    mock.queue(reply, reply, reply)
    with Wire(mock) as gone, Wire(mock) as one, Wire(mock) as two:
        for wire in (gone, one, two):
            wire.post()
        gate.wait_arrivals(3)
        gone.socket.close()
        mock.wait_for_abort()
        gate.release()
        gate.release()
        assert one.read_all() == two.read_all() == (b"x", "fin")


def test_gate_holds_a_reply_that_is_not_streamed(mock: MockProvider) -> None:
    gate = Gate()
    mock.queue(Text("x", gate=gate))
    with Wire(mock) as wire:
        wire.post()
        gate.wait_arrivals()
        assert not mock.requests[0].completed.is_set()
        gate.release()
        assert wire.read_response()[0] == 200
        mock.requests[0].wait_completed()


def test_cancelled_stream_is_seen_at_once(mock: MockProvider) -> None:
    gate = Gate()
    mock.queue(Text("Hello world", gate=gate))
    with openai.OpenAI(base_url=mock.base_url, api_key="any", timeout=TIMEOUT) as client:
        stream = client.chat.completions.create(model="m", messages=HELLO, stream=True)
        gate.release()
        assert next(iter(stream)).choices[0].delta.role == "assistant"
        closed_at = time.monotonic()
        stream.close()
        request = mock.wait_for_abort()
    assert request is mock.requests[0]
    assert 0 <= request.wait_aborted() - closed_at < 1
    assert not request.completed.is_set()
    with pytest.raises(TimeoutError):
        request.wait_completed(timeout=0)


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_client_that_leaves_a_hanging_reply_is_seen(mock: MockProvider, how: str) -> None:
    mock.queue(Raw([("hang",)]))
    with Wire(mock) as wire:
        wire.post()
        mock.wait_for_requests(1)
        if how == "rst":
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    mock.wait_for_abort()
    mock.wait_until_closed()
    assert mock.open_connections == 0


def test_client_that_leaves_with_its_request_is_recorded(mock: MockProvider) -> None:
    mock.queue(Raw([("hang",)]))
    with Wire(mock) as wire:
        wire.post()
    assert mock.wait_for_abort().body == b"{}"


def test_waiting_ends_in_time(mock: MockProvider) -> None:
    for wait in (mock.wait_for_requests, mock.wait_for_abort):
        with pytest.raises(TimeoutError, match="saw 0 requests"):
            wait(1, timeout=0.01)
    post(mock)
    with pytest.raises(TimeoutError):
        mock.requests[0].wait_aborted(timeout=0)


def test_endless_stream_ends_with_its_client(mock: MockProvider) -> None:
    mock.queue(Stream(repeat({"choices": []})))
    with Wire(mock) as wire:
        wire.post()
        assert len(wire.read_exactly(1 << 20)) == 1 << 20
        assert post(mock).status_code == 200  # others are served meanwhile
    mock.wait_for_abort()


def test_paused_client_stops_an_endless_stream(mock: MockProvider) -> None:
    sent = 0

    def counted() -> Iterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65536

    mock.queue(Stream(counted()))
    with Wire(mock) as wire:
        wire.post()
        wire.read_exactly(65536)
        # The reply stands still once the system's socket buffers are full (some MiB); other
        # requests give it thousands of turns in which it would go on otherwise.
        for _ in range(50):
            assert post(mock).status_code == 200
        assert sent < 1000
    mock.wait_for_abort()


# --- HTTP


def test_requests_are_recorded(mock: MockProvider) -> None:
    with Wire(mock) as wire, Wire(mock) as other:
        wire.post(b'{"a":1}', "X-Twice: 1\r\nX-Twice: 2\r\n")
        assert wire.read_response()[0] == 400
        wire.post()
        wire.read_response()
        other.post()
        other.read_response()
    first = mock.requests[0]
    assert (first.method, first.path, first.body) == ("POST", "/v1/chat/completions", b'{"a":1}')
    assert first.json == {"a": 1}
    assert first.headers["x-twice"] == "2"
    assert ("X-Twice", "1") in first.raw_headers
    assert first.wait_completed() >= first.received_at
    assert [request.connection for request in mock.requests] == [1, 1, 2]
    assert mock.connections == 2


def test_pipelined_requests_are_answered_in_order(mock: MockProvider) -> None:
    mock.queue(Status(201, body={}), Status(202, body={}))
    with Wire(mock) as wire:
        one = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
        wire.socket.sendall(one + one)
        assert [wire.read_response()[0], wire.read_response()[0]] == [201, 202]


def test_chunked_request_one_byte_at_a_time(mock: MockProvider) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Wire(mock) as wire:
        for byte in head + b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n":
            wire.socket.sendall(bytes([byte]))
        assert wire.read_response()[0] == 400
    assert mock.requests[0].body == b"abc0123456789"


def test_expect_continue_is_answered(mock: MockProvider) -> None:
    with Wire(mock) as wire:
        head = "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        wire.socket.sendall(head.encode())
        assert wire.read_head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.socket.sendall(b"{}")
        assert wire.read_response()[0] == 404


@pytest.mark.parametrize(("headers", "version"), [("Connection: close\r\n", "1.1"), ("", "1.0")])
def test_connection_closes_when_the_client_wants(
    mock: MockProvider, headers: str, version: str
) -> None:
    mock.queue(Stream(["x"]))
    with Wire(mock) as wire:
        wire.post(b"{}", headers, version)
        head, _, body = wire.read_all()[0].partition(b"\r\n\r\n")
    assert (b"chunked" in head) == (version == "1.1")
    assert b"data: x\n\ndata: [DONE]\n\n" in body.replace(b"\r\n9\r\n", b"").replace(
        b"\r\ne\r\n", b""
    )


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 67108865\r\n\r\nxx", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4000001\r\nx", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 5000, 400),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 70_000, 431),
    ],
)
def test_bad_request_is_refused(mock: MockProvider, data: bytes, status: int) -> None:
    with Wire(mock) as wire:
        wire.socket.sendall(data)
        assert wire.read_response()[0] == status
        assert wire.read_all() == (b"", "fin")


def test_large_body_arrives_whole(mock: MockProvider) -> None:
    body = b"x" * (8 << 20)
    requests.post(mock.base_url + "/chat/completions", data=body, timeout=TIMEOUT)
    assert mock.requests[0].body == body


def test_records_are_bounded() -> None:
    with MockProvider(record_limit=2) as mock:
        for name in "abc":
            post(mock, model=name)
        assert [request.json["model"] for request in mock.wait_for_requests(3)] == ["b", "c"]


# --- its own life


def test_stop_is_prompt_with_hanging_connections() -> None:
    before = set(threading.enumerate())
    with MockProvider() as mock, contextlib.ExitStack() as stack:
        mock.default = Raw([("head", 200, {}), ("hang",)])
        wires = [stack.enter_context(Wire(mock)) for _ in range(20)]
        for wire in wires:
            wire.post()
        requests_seen = mock.wait_for_requests(20)
        idle = stack.enter_context(Wire(mock))
        started = time.monotonic()
        mock.stop()
        assert time.monotonic() - started < 1
        for wire in [*wires, idle]:
            wire.read_all()  # ends
        assert not any(request.aborted.is_set() for request in requests_seen)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", mock.port), timeout=TIMEOUT)
    new = set(threading.enumerate()) - before
    assert not [one for one in new if one.name == "seekroute-mock"]


def test_stops_while_a_stream_is_blocked_or_held() -> None:
    with MockProvider() as mock, Wire(mock) as blocked, Wire(mock) as held:
        gate = Gate()
        mock.queue(Stream(repeat(b"x" * (1 << 20))), Text("x", gate=gate))
        blocked.post()
        mock.wait_for_requests(1)
        held.post()
        gate.wait_arrivals()
    gate.open()  # its loop is gone; nothing happens


def test_starts_once_and_again_on_the_same_port() -> None:
    mock = MockProvider()
    with mock:
        with pytest.raises(RuntimeError, match="running"):
            mock.start()
        port = mock.port
        with pytest.raises(OSError, match=str(port)):
            MockProvider(port=port).start()
    with mock:
        assert mock.port == port
        assert post(mock).status_code == 200
    mock.stop()


def test_delay_goes_with_the_fake_model_only() -> None:
    with pytest.raises(ValueError, match="default"):
        MockProvider(Text("x"), delay=1)
    with MockProvider(Answer(first_byte_delay=0.01)) as mock:
        assert post(mock).status_code == 200


def test_runs_on_a_running_loop() -> None:
    async def use() -> int:
        async with MockProvider() as mock:
            with pytest.raises(RuntimeError, match="running"):
                await mock.start_async()
            response = await asyncio.to_thread(post, mock)
        serving = asyncio.create_task(mock.serve_forever())
        await asyncio.sleep(0)
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        return int(response.status_code)

    assert asyncio.run(use()) == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_mock_serves_until_a_signal(number: signal.Signals) -> None:
    code = (
        "from seekroute.testing import run_mock\n"
        "run_mock(on_start=lambda mock: print(mock.base_url, flush=True), api_key='k')\n"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().decode().strip()
            assert requests.get(url + "/models", timeout=TIMEOUT).status_code == 401
            process.send_signal(number)
            assert process.communicate(timeout=TIMEOUT) == (b"", b"")
        finally:
            process.kill()
    assert process.returncode == 0
