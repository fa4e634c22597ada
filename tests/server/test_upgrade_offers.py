"""Requests that offer another protocol, as the JDK's client and `curl --http2` do on plain http."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from checkout import ROOT
from seekroute.server.limits import Limits
from serving import (
    PATIENCE,
    RunningServer,
    chat_body,
    parse_answers,
    read_until,
    read_until_closed,
    running_server,
)

OFFER = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
)
JAVA_FILE = ROOT / "tests/java/Ask.java"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway that takes bodies of 100 KB and waits half a second for one."""
    limits = Limits(linger_s=0.2, body_s=0.5)
    path = tmp_path_factory.mktemp("offers")
    bodies = {"max_body_bytes": 100_000}
    with running_server(path, limits=limits, limits_=bodies) as running:
        yield running


def request(server: RunningServer, says: str, *lines: str, chunked: bool = False) -> bytes:
    """A chat completion that offers HTTP/2 and says `says`."""
    body = chat_body(messages=[{"role": "user", "content": says}])
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
    head = [
        "POST /v1/chat/completions HTTP/1.1",
        "Host: gateway",
        "Content-Type: application/json",
        f"Authorization: Bearer {server.key}",
        *OFFER,
        framing,
        *lines,
    ]
    if chunked:
        pieces = [body[:7], body[7:]]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        body += b"0\r\nX-Trailer: dropped\r\n\r\n"
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def said(server: RunningServer) -> list[str]:
    """What the provider was told since the last time."""
    heard = [each.json["messages"][0]["content"] for each in server.mock.requests]
    server.mock.reset()
    return heard


@pytest.mark.parametrize("chunked", [False, True])
def test_the_body_is_read(server: RunningServer, chunked: bool) -> None:
    said(server)
    with server.connect() as client:
        client.sendall(request(server, "one", "X-Last: 1", chunked=chunked))
        client.sendall(request(server, "two", chunked=chunked))
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
        answers = parse_answers(read_until_closed(client))
    assert [each.status for each in answers] == [200, 200, 200]
    assert said(server) == ["one", "two"]
    assert all("upgrade" not in each.headers for each in answers)


@pytest.mark.parametrize("chunked", [False, True])
def test_requests_may_come_in_one_piece(server: RunningServer, chunked: bool) -> None:
    said(server)
    plain = server.chat_bytes("Connection: close")
    turns = [request(server, f"turn {n}", chunked=chunked) for n in range(3)]
    with server.connect() as client:
        client.sendall(b"".join(turns) + plain)
        answers = parse_answers(read_until_closed(client))
    assert [each.status for each in answers] == [200] * 4
    assert said(server) == ["turn 0", "turn 1", "turn 2", "Hello!"]


@pytest.mark.parametrize("chunked", [False, True])
def test_the_pieces_may_be_cut_anywhere(server: RunningServer, chunked: bool) -> None:
    said(server)
    sent = request(server, "cut", chunked=chunked)
    end = sent.index(b"\r\n\r\n")
    cuts = [end - 20, *range(end, end + 12), len(sent) - 3]
    for cut in cuts:
        with server.connect() as client:
            client.sendall(sent[:cut])
            # The server has read the first piece before it gets the second: it answers a probe.
            assert server.request("GET", "/livez").status == 200
            client.sendall(sent[cut:])
            head = read_until(client, b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), cut
    assert said(server) == ["cut"] * len(cuts)


def test_an_offer_without_a_body_is_answered_and_the_connection_goes_on(
    server: RunningServer,
) -> None:
    lines = ["GET /livez HTTP/1.1", "Host: gateway", *OFFER]
    get = "\r\n".join(lines).encode() + b"\r\n\r\n"
    with server.connect() as client:
        client.sendall(get + get + request(server, "after", "Connection: close"))
        answers = parse_answers(read_until_closed(client))
    assert [each.status for each in answers] == [200, 200, 200]


@pytest.mark.parametrize("chunked", [False, True])
def test_the_bounds_of_a_body_hold(server: RunningServer, chunked: bool) -> None:
    with server.connect() as client:
        client.sendall(request(server, "a" * 150_000, chunked=chunked))
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 413


def test_a_body_that_stays_away_is_waited_for_as_ever(server: RunningServer) -> None:
    with server.connect() as client:
        client.sendall(request(server, "slow")[:-1])
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 408


def test_a_chunk_extension_is_bounded(server: RunningServer) -> None:
    sent = request(server, "x", chunked=True)
    end = sent.index(b"\r\n\r\n") + 4
    with server.connect() as client:
        client.sendall(sent[:end] + b"1;" + b"a" * 9000)
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 400


def test_two_lengths_are_refused(server: RunningServer) -> None:
    for line in ("Content-Length: 3", "Transfer-Encoding: chunked"):
        with server.connect() as client:
            client.sendall(request(server, "x", line))
            (answer,) = parse_answers(read_until_closed(client))
        assert answer.status == 400, line


def test_expect_100_continue(server: RunningServer) -> None:
    sent = request(server, "patient", "Expect: 100-continue")
    end = sent.index(b"\r\n\r\n") + 4
    with server.connect() as client:
        client.sendall(sent[:end])
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.sendall(sent[end:])
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("stream", [False, True])
def test_curl_with_http2(server: RunningServer, stream: bool) -> None:
    said(server)
    done = subprocess.run(
        [
            "curl", "--http2", "--silent", "--show-error", "--max-time", str(int(PATIENCE)),
            "--header", f"Authorization: Bearer {server.key}",
            "--header", "Content-Type: application/json",
            "--data-binary", chat_body(stream=stream).decode(),
            f"{server.base_url}/chat/completions",
        ],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=True,
    )  # fmt: skip
    assert said(server) == ["Hello!"]
    if stream:
        assert done.stdout.endswith("data: [DONE]\n\n")
    else:
        assert json.loads(done.stdout)["object"] == "chat.completion"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_the_client_of_the_jdk(server: RunningServer, stream: bool, chunked: bool) -> None:
    java = shutil.which("java")
    if java is None or shutil.which("javac") is None:
        pytest.skip("no JDK is installed")
    said(server)
    command = [java, str(JAVA_FILE), f"{server.base_url}/chat/completions", server.key]
    command += [chat_body(stream=stream).decode(), *(["chunked"] if chunked else [])]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=6 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0::2] == ["200 HTTP_1_1"] * 2
    for body in lines[1::2]:
        assert body.endswith(r"data: [DONE]\n\n") if stream else json.loads(body)["choices"]
    assert said(server) == ["Hello!"] * 2
