"""What the server does with bytes that are not good HTTP, and with clients that misbehave.

Everything goes through real sockets; "B" and "F" numbers group the cases by kind of input.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seekroute.server.limits import Limits
from seekroute.testing import Raw, Text
from serving import (
    PATIENCE,
    RunningServer,
    chat_body,
    parse_answers,
    post_bytes,
    read_until,
    read_until_closed,
    running_server,
)

HOST = b"Host: gateway\r\n"
CHUNKED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = b"a" * 9000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway with the deadlines of production and a short linger."""
    with running_server(tmp_path_factory.mktemp("http"), limits=Limits(linger_s=0.2)) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway with deadlines that a test can wait for."""
    limits = Limits(
        first_byte_s=0.3,
        header_s=0.3,
        body_s=0.3,
        keep_alive_s=0.3,
        write_s=0.3,
        linger_s=0.2,
        max_connections=20,
        reserved_connections=0,
    )
    with running_server(tmp_path_factory.mktemp("hasty"), limits=limits) as running:
        yield running


def head(*lines: bytes, request: bytes = b"GET /livez HTTP/1.1") -> bytes:
    return b"\r\n".join((request, *lines)) + b"\r\n\r\n"


def post(*lines: bytes, body: bytes = b"hello") -> bytes:
    return head(HOST.strip(), *lines, request=b"POST /v1/chat/completions HTTP/1.1") + body


REFUSED: dict[str, tuple[bytes, set[int]]] = {
    # B18, B19: size of the head
    "target of 9,000 bytes": (head(HOST.strip(), request=b"GET /" + LONG + b" HTTP/1.1"), {414}),
    "header of 17,000 bytes": (head(HOST.strip(), b"X: " + b"a" * 17000), {431}),
    "many small headers": (head(HOST.strip(), *[b"X%d: y" % n for n in range(101)]), {431}),
    "header line that does not end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 40000, {431}),
    "target that does not end": (b"GET /" + b"a" * 40000, {414}),
    # B20: how long is the body?
    "length and chunked": (
        post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        {400},
    ),
    "chunked and length": (
        post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
        {400},
    ),
    "two equal lengths": (post(b"Content-Length: 5", b"Content-Length: 5"), {400}),
    "two lengths": (post(b"Content-Length: 5", b"Content-Length: 6"), {400}),
    "list of lengths": (post(b"Content-Length: 5, 5"), {400}),
    "signed length": (post(b"Content-Length: +5"), {400}),
    "hex length": (post(b"Content-Length: 0x5"), {400}),
    "length with a trailing space": (post(b"Content-Length: 5 "), {400}),
    "negative length": (post(b"Content-Length: -5"), {400}),
    "empty length": (post(b"Content-Length: "), {400}),
    "length above 2**63": (post(b"Content-Length: 9223372036854775808"), {400}),
    "length above 2**64": (post(b"Content-Length: 99999999999999999999"), {400}),
    "gzip, chunked": (post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), {400}),
    "identity": (post(b"Transfer-Encoding: identity", body=b"0\r\n\r\n"), {400}),
    "xchunked": (post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), {400}),
    "chunked twice": (
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        {400},
    ),
    "chunked in HTTP/1.0": (
        head(b"Transfer-Encoding: chunked", request=b"POST /v1/models HTTP/1.0") + b"0\r\n\r\n",
        {400},
    ),
    # B21: chunks
    "chunk size 0x1": (CHUNKED + b"0x1\r\na\r\n0\r\n\r\n", {400}),
    "chunk size 1_0": (CHUNKED + b"1_0\r\na\r\n0\r\n\r\n", {400}),
    "chunk size overflow": (CHUNKED + b"f" * 17 + b"\r\na\r\n0\r\n\r\n", {400}),
    "chunk without CRLF": (CHUNKED + b"1\r\nab\r\n0\r\n\r\n", {400}),
    "CR in a chunk extension": (CHUNKED + b"1;a\rb\r\na\r\n0\r\n\r\n", {400}),
    "LF in a chunk extension": (CHUNKED + b"1;a\nb\r\na\r\n0\r\n\r\n", {400}),
    "chunk extension of 5,000": (CHUNKED + b"1;" + b"a" * 5000 + b"\r\na\r\n0\r\n\r\n", {400}),
    "trailer line of 5,000": (CHUNKED + b"0\r\nX: " + b"a" * 5000 + b"\r\n\r\n", {400}),
    "trailers of 5,000": (CHUNKED + b"0\r\n" + b"Xy: 3456\r\n" * 500 + b"\r\n", {400}),
    # B22: Host
    "no Host": (head(), {400}),
    "two Hosts": (head(b"Host: a", b"Host: a"), {400}),
    "empty Host": (head(b"Host: "), {400}),
    "Host with a path": (head(b"Host: a/b"), {400}),
    "Host with a query": (head(b"Host: a?b"), {400}),
    "Host with a fragment": (head(b"Host: a#b"), {400}),
    "Host with a user": (head(b"Host: a@b"), {400}),
    "Host with a backslash": (head(b"Host: a\\b"), {400}),
    "Host with a space": (head(b"Host: a b"), {400}),
    "Host with a bad port": (head(b"Host: a:b"), {400}),
    # B23: characters
    "bare LF": (b"GET /livez HTTP/1.1\nHost: a\n\n", {400}),
    "bare LF after a header": (b"GET /livez HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", {400}),
    "bare CR": (b"GET /livez HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", {400}),
    "NUL": (head(HOST.strip(), b"X: a\0b"), {400}),
    "folded header": (head(HOST.strip(), b"X: a\r\n b"), {400}),
    "space before the colon": (head(b"Host : a"), {400}),
    "empty name": (head(HOST.strip(), b": a"), {400}),
    "name that is no token": (head(HOST.strip(), b"X@: a"), {400}),
    "control character": (head(HOST.strip(), b"X: a\x01b"), {400}),
    "DEL": (head(HOST.strip(), b"X: a\x7fb"), {400}),
    # B24: versions and other protocols
    "HTTP/0.9": (b"GET /livez\r\n\r\n", {400, 505}),
    "HTTP/0.9 without an end": (b"GET /livez\r\nHo", {400, 505}),
    "HTTP/9.9": (head(HOST.strip(), request=b"GET /livez HTTP/9.9"), {400, 505}),
    "HTTP/1.2": (head(HOST.strip(), request=b"GET /livez HTTP/1.2"), {400, 505}),
    "HTTP/2.0": (head(HOST.strip(), request=b"GET /livez HTTP/2.0"), {400, 505}),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505}),
    "TLS ClientHello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400, 505}),
    # B25: methods that end the connection
    "CONNECT": (head(b"Host: a:1", request=b"CONNECT a:1 HTTP/1.1"), {405}),
    "unknown method": (head(HOST.strip(), request=b"BREW /livez HTTP/1.1"), {405}),
    "method in lower case": (head(HOST.strip(), request=b"get /livez HTTP/1.1"), {405}),
    # B27, B28
    "absolute form": (head(HOST.strip(), request=b"GET http://a/livez HTTP/1.1"), {400}),
    "asterisk form": (head(HOST.strip(), request=b"OPTIONS * HTTP/1.1"), {400}),
    "fragment": (head(HOST.strip(), request=b"GET /livez#a HTTP/1.1"), {400}),
    "target that is not ASCII": (head(HOST.strip(), request=b"GET /\xff HTTP/1.1"), {400}),
    "other expectation": (post(b"Content-Length: 5", b"Expect: 200-ok"), {417}),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("cut", ["whole", "bytewise"])
def test_refuses_and_closes(server: RunningServer, name: str, cut: str) -> None:
    sent, statuses = REFUSED[name]
    with server.connect() as client:
        if cut == "whole":
            client.sendall(sent)
        else:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                for index in range(len(sent)):
                    client.send(sent[index : index + 1])
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all was sent
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status in statuses
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert error["message"]
    if answer.status == 405:
        assert answer.headers["allow"]
    if "Host" in name:
        assert error["code"] == "invalid_host"


@pytest.mark.parametrize(
    "host",
    ["gateway", "gateway:8000", "127.0.0.1", "[::1]:80", "my-host.example", "gateway:", "a_b"],
)
def test_accepts_host(server: RunningServer, host: str) -> None:
    with server.connect() as client:
        client.sendall(head(b"Host: " + host.encode(), b"Connection: close"))
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 200


def test_http_1_0_is_answered_and_closed(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 200
    assert answer.headers["connection"] == "close"


def test_http_1_0_stream_ends_with_the_connection(server: RunningServer) -> None:
    sent = server.chat_bytes(stream=True).replace(b"HTTP/1.1", b"HTTP/1.0")
    with server.connect() as client:
        client.sendall(sent)
        received = read_until_closed(client)
    assert b"transfer-encoding" not in received
    assert received.endswith(b"data: [DONE]\n\n")


def test_chunked_body_with_extension_and_trailer_is_taken(server: RunningServer) -> None:
    body = chat_body()
    first, second = body[:7], body[7:]
    sent = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
        b"Authorization: Bearer " + server.key.encode() + b"\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
        b"%x;name=value\r\n%b\r\n%x\r\n%b\r\n0\r\nAuthorization: Bearer other\r\n\r\n"
        % (len(first), first, len(second), second)
    )
    with server.connect() as client:
        client.sendall(sent)
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 200


def test_pipelined_requests_are_answered_in_order(server: RunningServer) -> None:
    ids = [f"order-{number}" for number in range(6)]
    sent = b"".join(server.chat_bytes(f"x-request-id: {each}") for each in ids)
    with server.connect() as client:
        client.sendall(sent + head(HOST.strip(), b"Connection: close"))
        answers = parse_answers(read_until_closed(client))
    assert [a.headers.get("x-request-id") for a in answers[:6]] == ids
    assert [a.status for a in answers] == [200] * 7


def test_pipelined_requests_are_bounded(server: RunningServer) -> None:
    count = 3 * Limits().max_pipelined
    with server.connect() as client:
        client.sendall(server.chat_bytes() * count)
        answers = parse_answers(read_until_closed(client))
    assert 1 <= len(answers) <= Limits().max_pipelined + 1
    assert {a.status for a in answers} == {200}
    assert answers[-1].headers["connection"] == "close"


def test_answers_that_nobody_takes_do_not_pile_up(tmp_path: Path) -> None:
    request = head(HOST.strip(), request=b"GET /openapi.json HTTP/1.1")
    with running_server(tmp_path) as server, server.connect(receive_buffer=4096) as client:
        client.sendall(head(HOST.strip()))
        read_until(client, b'{"status":"ok"}')
        (there,) = list(server.server.server_state.connections)
        kernel = there.transport.get_extra_info("socket")
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        client.sendall(request * 8)
        for _ in range(50):  # turns of the event loop
            assert server.request("GET", "/livez").status == 200
        size = len(server.request("GET", "/openapi.json").body)
        assert there.transport.get_write_buffer_size() < 65_536 + 2 * size
        client.sendall(head(b"Connection: close", HOST.strip()))
        came = read_until_closed(client)  # who reads after all gets every answer
    assert [len(each.body) for each in parse_answers(came)][:8] == [size] * 8
    assert came.endswith(b'{"status":"ok"}')


@pytest.mark.parametrize("before", [b"", head(HOST.strip())])
def test_blank_lines_before_a_request_are_bounded(server: RunningServer, before: bytes) -> None:
    with server.connect() as client:
        client.sendall(before + b"\r\n" * 16 + head(b"Connection: close", HOST.strip()))
        answers = parse_answers(read_until_closed(client))
    assert [each.status for each in answers] == [200] * (2 if before else 1)
    with server.connect() as client:
        if before:
            client.sendall(before)
            read_until(client, b'{"status":"ok"}')
        client.sendall(b"\r\n" * 50_000)
        (refused,) = parse_answers(read_until_closed(client))
        assert (refused.status, refused.code) == (400, "invalid_request")


def test_a_bad_request_does_not_spoil_the_answer_before_it(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(server.chat_bytes() + b"\x16\x03\x01 nonsense\r\n\r\n")
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 200
    assert answer.headers["connection"] == "close"


def test_data_after_the_last_request_is_not_a_request(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(head(HOST.strip(), b"Connection: close") + head(HOST.strip()))
        answers = parse_answers(read_until_closed(client))
    assert len(answers) == 1


def test_upgrade_is_ignored(server: RunningServer) -> None:
    upgrade = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    with server.connect() as client:
        client.sendall(head(HOST.strip(), *upgrade, request=b"GET /ws HTTP/1.1") + b"\x81\x00")
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 404


def test_expect_100_continue(server: RunningServer) -> None:
    sent = server.chat_bytes("Expect: 100-continue", "Connection: close")
    cut = sent.index(b"\r\n\r\n") + 4
    with server.connect() as client:
        client.sendall(sent[:cut])
        interim = read_until(client, b"\r\n\r\n")
        client.sendall(sent[cut:])
        (answer,) = parse_answers(read_until_closed(client))
    assert interim.startswith(b"HTTP/1.1 100 ")
    assert answer.status == 200


def test_expect_100_continue_is_not_given_to_a_refused_body(server: RunningServer) -> None:
    lines = (b"Expect: 100-continue", b"Content-Length: 99999999", b"Content-Type: text/plain")
    with server.connect() as client:
        client.sendall(post(*lines, body=b""))
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 415


# --- bodies ---------------------------------------------------------------------------------------


def test_declared_body_over_the_limit(server: RunningServer) -> None:
    size = server.service.max_body_bytes + 1
    authorization = b"Authorization: Bearer " + server.key.encode()
    with server.connect() as client:
        client.sendall(post(authorization, b"Content-Length: %d" % size, body=b"{"))
        (answer,) = parse_answers(read_until_closed(client))
    assert (answer.status, answer.code) == (413, "request_too_large")
    assert answer.headers["connection"] == "close"


def test_counted_body_over_the_limit(tmp_path: Path) -> None:
    chunk = b"%x\r\n%b\r\n" % (60_000, b" " * 60_000)
    with running_server(
        tmp_path, limits=Limits(linger_s=5), limits_={"max_body_bytes": 200_000}
    ) as server:
        authorization = b"Authorization: Bearer " + server.key.encode()
        with server.connect() as client:
            client.sendall(post(authorization, b"Transfer-Encoding: chunked", body=b""))
            for _ in range(20):
                client.sendall(chunk)
            (answer,) = parse_answers(read_until_closed(client))
    assert (answer.status, answer.code) == (413, "request_too_large")


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked"])
def test_a_stranger_cannot_make_us_hold_a_large_body(server: RunningServer, framing: bytes) -> None:
    body = b"" if b"Content" in framing else b"%x\r\n%b\r\n" % (70_000, b" " * 70_000)
    with server.connect() as client:
        client.sendall(post(b"Authorization: Bearer sk-sr-nobody", framing, body=body))
        (answer,) = parse_answers(read_until_closed(client))
    assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_large_body_with_a_key_is_taken(server: RunningServer) -> None:
    text = "long " * 100_000
    server.mock.reset()
    answer = server.chat(messages=[{"role": "user", "content": text}])
    assert answer.status == 200
    assert server.mock.requests[-1].json["messages"][0]["content"] == text


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", ""],
)
def test_content_types_taken(server: RunningServer, content_type: str) -> None:
    answer = server.request(
        "POST", "/v1/chat/completions", chat_body(), {"Content-Type": content_type}
    )
    assert answer.status == 200


def test_missing_content_type_is_taken(server: RunningServer) -> None:
    assert server.request("POST", "/v1/chat/completions", chat_body()).status == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/jsonp", "multipart/form-data; boundary=x", "json"]
)
def test_other_content_types(server: RunningServer, content_type: str) -> None:
    answer = server.request(
        "POST", "/v1/chat/completions", chat_body(), {"Content-Type": content_type}
    )
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "gzip, identity"])
def test_content_encodings(server: RunningServer, encoding: str) -> None:
    answer = server.request(
        "POST", "/v1/chat/completions", chat_body(), {"Content-Encoding": encoding}
    )
    assert (answer.status, answer.code) == (415, "unsupported_content_encoding")


# --- deadlines ------------------------------------------------------------------------------------


def drip(client: socket.socket, data: bytes) -> bytes:
    """Sends byte after byte until the server answers, then returns all of its answer."""
    client.settimeout(0.03)
    for index in range(len(data)):
        client.send(data[index : index + 1])
        try:
            first = client.recv(65536)
        except TimeoutError:
            continue
        client.settimeout(PATIENCE)
        return first + read_until_closed(client)
    raise AssertionError("the server took everything")


def test_silent_connection_is_closed_without_an_answer(hasty: RunningServer) -> None:
    with hasty.connect() as client:
        assert read_until_closed(client) == b""


def test_slow_headers(hasty: RunningServer) -> None:
    with hasty.connect() as client:
        received = drip(client, b"GET /livez HTTP/1.1\r\n" + b"X-Slow: yes\r\n" * 100)
    (answer,) = parse_answers(received)
    assert (answer.status, answer.code) == (408, "request_timeout")
    assert answer.headers["connection"] == "close"


def test_slow_body(hasty: RunningServer) -> None:
    with hasty.connect() as client:
        received = drip(client, post(b"Content-Length: 5000", body=b" " * 5000))
    (answer,) = parse_answers(received)
    assert (answer.status, answer.code) == (408, "request_timeout")


def test_idle_connection_is_closed(hasty: RunningServer) -> None:
    with hasty.connect() as client:
        client.sendall(head(HOST.strip()))
        received = read_until_closed(client)
    (answer,) = parse_answers(received)
    assert answer.status == 200


def test_answering_is_under_no_read_deadline(hasty: RunningServer) -> None:
    hasty.mock.queue(Text("late", first_byte_delay=1.0))
    with hasty.connect() as client:
        client.sendall(hasty.chat_bytes("Connection: close"))
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 200


def test_connections_are_capped(hasty: RunningServer) -> None:
    clients = [hasty.connect() for _ in range(20)]
    try:
        for client in clients:
            client.sendall(b"G")  # all of them are in the middle of a head
        with hasty.connect() as late:
            (answer,) = parse_answers(read_until_closed(late))
    finally:
        for client in clients:
            client.close()
    assert (answer.status, answer.code) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) > 0


# --- clients that go away -------------------------------------------------------------------------


def reset(client: socket.socket) -> None:
    """Closes with RST instead of FIN."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("stream", [False, True])
def test_leaving_before_the_answer_cancels_the_upstream(
    server: RunningServer, how: str, stream: bool
) -> None:
    server.mock.reset()
    server.mock.queue(Raw([("hang",)]))
    client = server.connect()
    client.sendall(server.chat_bytes(stream=stream))
    server.mock.wait_for_requests(1)
    left = time.monotonic()
    if how == "rst":
        reset(client)
    else:
        client.close()
    server.mock.wait_for_abort(1)
    assert time.monotonic() - left < 1.0  # 0.1 s is the aim; the machine may be busy


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_leaving_in_the_stream_cancels_the_upstream(server: RunningServer, how: str) -> None:
    server.mock.reset()
    server.mock.queue(Text("word " * 50, delay=lambda chunk: 0.0 if chunk < 5 else 3600.0))
    client = server.connect()
    client.sendall(server.chat_bytes(stream=True))
    read_until(client, b"word")
    left = time.monotonic()
    if how == "rst":
        reset(client)
    else:
        client.close()
    server.mock.wait_for_abort(1)
    assert time.monotonic() - left < 1.0


def test_half_closed_client_is_served(server: RunningServer) -> None:
    server.mock.queue(Text("still here", first_byte_delay=0.3))
    with server.connect() as client:
        client.sendall(server.chat_bytes())
        client.shutdown(socket.SHUT_WR)
        answers = parse_answers(read_until_closed(client))
    assert {a.status for a in answers[:-1]} <= {100}
    assert answers[-1].status == 200
    assert b"still here" in answers[-1].body


def test_half_closed_client_gets_its_whole_stream(server: RunningServer) -> None:
    server.mock.queue(Text("a b c d e f", delay=0.02))
    with server.connect() as client:
        client.sendall(server.chat_bytes(stream=True))
        client.shutdown(socket.SHUT_WR)
        answer = parse_answers(read_until_closed(client))[-1]
    assert answer.status == 200
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_client_that_reads_nothing_is_aborted(hasty: RunningServer) -> None:
    hasty.mock.reset()
    hasty.mock.queue(Text("word " * 2_000_000))
    client = hasty.connect(receive_buffer=4096)
    client.sendall(hasty.chat_bytes(stream=True))
    hasty.mock.wait_for_abort(1, timeout=PATIENCE)
    client.close()


def test_cut_request_is_no_exchange(server: RunningServer) -> None:
    server.mock.reset()
    whole = post_bytes(chat_body(), f"Authorization: Bearer {server.key}")
    for size in (1, 40, len(whole) - 1):
        with server.connect() as client:
            client.sendall(whole[:size])
    assert server.chat().status == 200
    assert len(server.mock.requests) == 1


@pytest.mark.parametrize("cuts", [(), (1, 500), (1900, 3940), (2040, 4080), (4600, 5000)])
def test_a_long_chunk_extension_is_refused_wherever_it_is_cut(
    server: RunningServer, cuts: tuple[int, ...]
) -> None:
    sent, _ = REFUSED["chunk extension of 5,000"]
    with server.connect() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for start, end in itertools.pairwise((0, *cuts, len(sent))):
            client.sendall(sent[start:end])
            server.request("GET", "/livez")  # answered after the server has read this part
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 400
