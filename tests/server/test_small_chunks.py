"""Bodies in the smallest of chunks: each is work, and nobody else may have to wait for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seekroute.server.connection import PIECE
from seekroute.server.framing import LEAST_CHUNK, MOST_SMALL_CHUNKS
from seekroute.server.limits import Limits
from seekroute.server.protocol import HttpProtocol
from serving import RunningServer, chat_body, parse_answers, read_until_closed, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("chunks"), limits=Limits(linger_s=0.2)) as running:
        yield running


def chunked(body: bytes, size: int, key: str) -> bytes:
    """A request whose body comes in chunks of `size` bytes."""
    out = [
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
        b"Authorization: Bearer " + key.encode() + b"\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    ]
    for at in range(0, len(body), size):
        chunk = body[at : at + size]
        out.append(b"%x\r\n%b\r\n" % (len(chunk), chunk))
    return b"".join([*out, b"0\r\n\r\n"])


def padded(size: int) -> bytes:
    """A body of `size` bytes: blanks before it mean nothing."""
    return chat_body().rjust(size)


@pytest.mark.parametrize(
    ("body", "size"),
    [
        (padded(2_000), 1),  # byte by byte
        (padded(4 * (MOST_SMALL_CHUNKS - 1)), 4),  # 64 KiB, word by word
        (padded(LEAST_CHUNK * (MOST_SMALL_CHUNKS + 500)), LEAST_CHUNK),
        (padded(2_000_000), 1024),
    ],
    ids=["bytes", "words", "lines", "pieces"],
)
def test_bodies_that_programs_write_are_taken(
    server: RunningServer, body: bytes, size: int
) -> None:
    with server.connect() as client:
        client.sendall(chunked(body, size, server.key))
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 200, answer.body


@pytest.mark.parametrize("size", [1, 16, LEAST_CHUNK - 1])
def test_more_small_chunks_than_any_program_writes_are_refused(
    server: RunningServer, size: int
) -> None:
    with server.connect() as client:
        client.sendall(chunked(padded(size * (MOST_SMALL_CHUNKS + 1)), size, server.key))
        (answer,) = parse_answers(read_until_closed(client))
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert "larger chunks, or a Content-Length" in answer.json()["error"]["message"]
    assert answer.headers["connection"] == "close"


def test_no_turn_of_the_event_loop_takes_more_than_a_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: dict[int, int] = {}  # of the event loop: bytes of chunked bodies
    turn = 0
    receive = HttpProtocol.data_received

    def noted(self: HttpProtocol, data: bytes) -> None:
        nonlocal turn

        def next_turn() -> None:
            nonlocal turn
            turn += 1

        if not self._discard and self._length is None:
            turns[turn] = turns.get(turn, 0) + len(data)
        self.loop.call_soon(next_turn)
        receive(self, data)

    monkeypatch.setattr(HttpProtocol, "data_received", noted)
    with running_server(tmp_path) as server, server.connect() as client:
        sent = chunked(padded(12_000), 1, server.key)
        client.sendall(sent)
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 200
    assert sum(turns.values()) >= len(sent) - PIECE  # what came with the head is not among them
    assert max(turns.values()) <= PIECE


def test_a_body_of_a_stated_length_is_read_in_bulk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []
    receive = HttpProtocol.data_received

    def noted(self: HttpProtocol, data: bytes) -> None:
        pieces.append(len(data))
        receive(self, data)

    monkeypatch.setattr(HttpProtocol, "data_received", noted)
    with running_server(tmp_path) as server:
        text = "x" * 4_000_000
        assert server.chat(messages=[{"role": "user", "content": text}]).status == 200
    assert max(pieces) > PIECE
