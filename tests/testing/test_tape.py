"""Tape: record from a provider, replay without it, through real sockets and real clients."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import openai
import pytest
import requests

import seekroute
from seekroute.testing import Gate, MockProvider, Raw, Status, Stream, Tape, Text, Usage
from seekroute.testing import tape as tapes

HELLO: list[Any] = [{"role": "user", "content": "Grüße, hello!"}]
KEY = "sk-canary/0123456789+="  # other letters in a URL
CLIENT_KEY = "sk-client-canary-987"
# No test below waits longer than this for anything, in seconds.
TIMEOUT = 10


@pytest.fixture
def upstream() -> Iterator[MockProvider]:
    with MockProvider(api_key=KEY) as provider:
        yield provider


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tapes" / "one.jsonl"


def recording(path: Path, upstream: MockProvider, mode: Any = "auto") -> Tape:
    return Tape(path, upstream=upstream.base_url, api_key=KEY, mode=mode)


def post(tape: Tape, at: str = "/chat/completions", **fields: Any) -> requests.Response:
    return requests.post(
        tape.base_url + at,
        json={"model": "m", "messages": HELLO, **fields},
        headers={"authorization": f"Bearer {CLIENT_KEY}"},
        timeout=TIMEOUT,
    )


def sdk(tape: Tape, retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=tape.base_url, api_key=CLIENT_KEY, max_retries=retries, timeout=TIMEOUT
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def ask_gateway(tape: Tape) -> list[Any]:
    """What the product's client makes of a whole answer, a stream, and an error."""
    provider = {
        "base_url": tape.base_url,
        "api_key": "any",
        "allow_http": True,
        "allow_private": True,
    }
    seen: list[Any] = []
    with seekroute.Client(providers={"openai": provider}, max_retries=0) as client:
        completions = client.chat.completions
        answer = completions.create(model="gpt-4o-mini", messages=HELLO)
        seen += [answer.text, answer.cost, dict(answer.usage), answer.provider]
        stream = completions.create(model="gpt-4o-mini", messages=HELLO, stream=True)
        seen += [[chunk.choices[0].delta.get("content") for chunk in stream], stream.cost]
        try:
            completions.create(model="gpt-4o-mini", messages=HELLO, temperature=1)
        except seekroute.RateLimitError as error:
            seen += [error.retry_after, str(error.status_code)]
    return seen


def test_the_client_gets_the_same_without_the_provider(upstream: MockProvider, path: Path) -> None:
    upstream.queue(
        Text("Paris, naïve 🙂.", usage=Usage(1000, 100)),
        Text("Lima and more", usage=Usage(2000, 10)),
        Status(429, headers={"retry-after": "7"}),
    )
    with recording(path, upstream) as tape:
        first = ask_gateway(tape)
        assert (tape.recorded, tape.replayed, tape.errors) == (3, 0, [])
    assert first[0] == "Paris, naïve 🙂."
    assert "".join(piece or "" for piece in first[4]) == "Lima and more"
    assert first[-2:] == [7, "429"]
    upstream.stop()
    for mode in ("replay", "auto"):
        with Tape(path, mode=mode) as tape:  # type: ignore[arg-type]
            assert ask_gateway(tape) == first
            assert (tape.recorded, tape.replayed, tape.misses) == (0, 3, [])


def test_a_stream_is_replayed_in_its_pieces(upstream: MockProvider, path: Path) -> None:
    gate = Gate()
    sent = [f'data: {{"n": {n}}}\n\n'.encode() for n in range(3)]
    torn = 'data: {"é": 1}\n\n'.encode()
    at = torn.index("é".encode()) + 1
    sent += [torn[:at], torn[at:]]
    upstream.queue(Stream(sent, gate=gate))
    with (
        recording(path, upstream) as tape,
        requests.post(
            tape.base_url + "/chat/completions", json={"stream": True}, stream=True, timeout=TIMEOUT
        ) as response,
    ):
        pieces = response.raw.stream(decode_content=False)
        whole = b""
        for piece in sent:
            gate.release(1)  # the next leaves the provider only when this one went through
            assert next(pieces) == piece
            whole += piece
        gate.open()
        whole += b"".join(pieces)
    assert whole == b"".join(sent) + b"data: [DONE]\n\n"
    answer = lines(path)[0]["answer"]
    assert answer[:3] == [piece.decode() for piece in sent[:3]]
    assert list(answer[3]) == ["base64"]
    with (
        Tape(path, mode="replay") as tape,
        requests.post(
            tape.base_url + "/chat/completions", json={"stream": True}, stream=True, timeout=TIMEOUT
        ) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        replayed = list(response.raw.read_chunked())
    assert replayed[: len(sent)] == sent
    assert b"".join(replayed) == whole


def test_the_openai_sdk_repeats_its_retries(upstream: MockProvider, path: Path) -> None:
    upstream.queue(Status(429, headers={"retry-after-ms": "1"}), Text("second"), Text("third"))
    for mode, count in (("auto", 3), ("replay", 0)):
        with Tape(path, upstream=upstream.base_url, api_key=KEY, mode=mode) as tape:  # type: ignore[arg-type]
            with sdk(tape, retries=1) as client:
                texts = [
                    client.chat.completions.create(model="m", messages=HELLO)
                    .choices[0]
                    .message.content
                    for _ in range(2 if count else 3)
                ]
            assert tape.recorded == count
        # in their order, and then the last one again
        assert texts == ["second", "third"] + ([] if count else ["third"])
    assert len(upstream.requests) == 3


def test_auto_records_only_what_it_does_not_know(upstream: MockProvider, path: Path) -> None:
    with recording(path, upstream) as tape:
        known = post(tape).json()
    with recording(path, upstream) as tape:
        assert post(tape).json() == known
        assert post(tape, temperature=0).status_code == 200
        assert (tape.recorded, tape.replayed) == (1, 1)
    with recording(path, upstream, mode="record") as tape:
        assert post(tape).json()["id"] != known["id"]
    assert len(lines(path)) == 3
    assert len(upstream.requests) == 3


def test_a_request_is_known_by_what_it_asks(upstream: MockProvider, path: Path) -> None:
    with recording(path, upstream) as tape:
        post(tape, stream=False)
        assert requests.get(tape.base_url + "/models?limit=2", timeout=TIMEOUT).ok
    upstream.stop()
    with Tape(path) as tape:
        body = json.dumps({"stream": False, "messages": HELLO, "model": "m"}, indent=1)
        same = requests.post(tape.base_url + "/chat/completions", data=body, timeout=TIMEOUT)
        assert same.status_code == 200
        listed = requests.get(tape.base_url + "/models?limit=2&key=mine", timeout=TIMEOUT)
        assert "mock-model" in [model["id"] for model in listed.json()["data"]]
        for unknown in (
            post(tape),
            post(tape, stream=True),
            post(tape, stream=False, stream_options={"include_usage": True}),
            post(tape, "/embeddings", stream=False),
            requests.get(tape.base_url + "/models", timeout=TIMEOUT),
        ):
            assert unknown.status_code == 404
            assert unknown.json()["error"]["code"] == "tape_miss"
            assert "upstream=" in unknown.json()["error"]["message"]
            assert "Grüße" not in unknown.text
        assert len(tape.misses) == 5
        assert tape.misses[3].path == "/v1/embeddings"
        assert requests.put(tape.base_url + "/models", timeout=TIMEOUT).status_code == 405


def test_a_miss_is_an_error_of_the_sdk(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with Tape(path, mode="replay") as tape, sdk(tape) as client:
        with pytest.raises(openai.NotFoundError, match="has no answer to this POST"):
            client.chat.completions.create(model="m", messages=HELLO)
        assert [request.json["model"] for request in tape.misses] == ["m"]


def test_replay_calls_nobody(upstream: MockProvider, path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with recording(path, upstream, mode="replay") as tape:
        assert post(tape).status_code == 404
    assert upstream.connections == 0
    assert path.read_bytes() == b""


def test_no_key_reaches_the_file(upstream: MockProvider, path: Path) -> None:
    half = len(KEY) // 2
    upstream.queue(
        Text("fine", headers={"set-cookie": f"k={KEY}", "x-request-id": f"req-{KEY}"}),
        Status(400, body={"error": {"message": f"Incorrect API key provided: {KEY}"}}),
        Stream([f"data: {KEY[:half]}".encode(), f"{KEY[half:]}\n\n".encode()]),
    )
    with recording(path, upstream) as tape:
        assert post(tape, user=f"{KEY} and {CLIENT_KEY}").ok
        assert KEY in post(tape, f"/chat/completions?api_key={CLIENT_KEY}&x={quote_plus(KEY)}").text
        assert KEY in post(tape, stream=True).text
        assert tape.recorded == 3
    text = path.read_text()
    assert KEY not in text
    assert CLIENT_KEY not in text
    assert "cookie" not in text.lower()
    assert "authorization" not in text.lower()
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in upstream.requests)
    assert all(CLIENT_KEY not in request.target for request in upstream.requests)
    first, second, third = lines(path)
    assert first["request"]["user"] == "[removed] and [removed]"
    assert first["request"]["messages"] == HELLO
    assert first["headers"]["x-request-id"] == "req-[removed]"
    assert second["path"] == "/chat/completions?x=[removed]"
    assert json.loads(second["answer"])["error"]["message"].endswith("provided: [removed]")
    assert third["answer"] == ["data: [removed]\n\ndata: [DONE]\n\n"]
    # a request that held a key is still known
    with Tape(path, mode="replay") as tape:
        assert post(tape, user=f"{KEY} and {CLIENT_KEY}").ok


def test_a_torn_last_line_is_left_out(upstream: MockProvider, path: Path) -> None:
    with recording(path, upstream) as tape:
        first, second = post(tape).json(), post(tape, seed=1)
        assert second.ok
    sound = path.read_bytes()
    path.write_bytes(sound[:-20])
    with Tape(path, mode="replay") as tape:
        assert post(tape).json() == first
        assert post(tape, seed=1).status_code == 404
    with recording(path, upstream) as tape:
        assert post(tape, seed=1).ok
        assert post(tape, seed=2).ok
    assert [line["request"].get("seed") for line in lines(path)] == [None, 1, 2]
    # only the line's end is missing: the line counts
    path.write_bytes(path.read_bytes()[:-1])
    with recording(path, upstream) as tape:
        assert post(tape, seed=2).ok
        assert post(tape, seed=3).ok
        assert (tape.replayed, tape.recorded) == (1, 1)
    assert [line["request"].get("seed") for line in lines(path)] == [None, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tape": 2}, "format"),
        ({"status": "200"}, "status"),
        ({"answer": [1]}, "answer"),
        ({"answer": {"base64": "?"}}, "base64"),
        ({"headers": []}, "headers"),
        ({"digest": None}, "digest"),
        (None, "property name"),
    ],
)
def test_a_bad_line_is_named(
    upstream: MockProvider, path: Path, change: dict[str, Any] | None, said: str
) -> None:
    with recording(path, upstream) as tape:
        post(tape)
    good = path.read_text()
    bad = "{no" if change is None else json.dumps({**json.loads(good), **change})
    path.write_text(good + bad + "\n" + good)
    with pytest.raises(ValueError, match=rf"line 2 is not one of a tape: .*{said}"):
        Tape(path).start()


def test_an_upstream_that_fails_leaves_nothing(upstream: MockProvider, path: Path) -> None:
    upstream.queue(
        Raw([("head", 200, {"Content-Length": "100"}), ("send", b"half"), ("rst",)]),
        Raw(
            [
                ("head", 200, {"Content-Type": "text/event-stream", "Content-Length": "100"}),
                ("send", b"data: {}\n\n"),
                ("rst",),
            ]
        ),
    )
    with recording(path, upstream) as tape:
        assert post(tape).status_code == 502
        with pytest.raises(requests.RequestException):
            post(tape, stream=True)
        upstream.stop()
        refused = post(tape)
        assert refused.status_code == 502
        assert refused.json()["error"]["code"] == "upstream_failed"
        assert len(tape.errors) == 3
        assert "ConnectError" in str(tape.errors[2])
        assert KEY not in repr(tape.errors)
    assert not path.exists()


@pytest.mark.parametrize("streamed", [False, True])
def test_too_large_an_answer_is_not_recorded(
    upstream: MockProvider, path: Path, monkeypatch: pytest.MonkeyPatch, streamed: bool
) -> None:
    monkeypatch.setattr(tapes, "MAX_BODY_BYTES", 1000)
    upstream.queue(Stream([b": " + b"x" * 990 + b"\n\n"] * 3) if streamed else Text("x" * 1000))
    with recording(path, upstream) as tape:
        if streamed:
            with pytest.raises(requests.RequestException):
                post(tape, stream=True)
        else:
            assert post(tape).status_code == 502
        assert "larger than 1000 bytes" in str(tape.errors[0])
    assert not path.exists()


@pytest.mark.parametrize(("last", "recorded"), [(b"data: [DONE]\n\n", 1), (b"data: {}\n\n", 0)])
def test_a_client_that_hangs_up(
    upstream: MockProvider, path: Path, last: bytes, recorded: int
) -> None:
    head = ("head", 200, {"Content-Type": "text/event-stream"})
    upstream.queue(Raw([head, ("send", b"data: {}\n\n" + last), ("hang",)]))
    with recording(path, upstream) as tape:
        port = int(tape.base_url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
            seen = b""
            while last not in seen:
                got = client.recv(65536)
                assert got
                seen += got
        tape.requests[0].wait_aborted(TIMEOUT)
        upstream.wait_for_abort(timeout=TIMEOUT)  # it is not kept going for nobody
    assert tape.recorded == recorded
    assert path.exists() == bool(recorded)


def test_other_bodies_come_back_as_they_were(upstream: MockProvider, path: Path) -> None:
    binary = bytes(range(256))
    upstream.queue(Status(200, body=binary, headers={"content-type": "audio/mpeg"}), Status(204))
    sent: list[bytes] = [binary, b'{"half": "\\ud800"}']
    for mode in ("record", "replay"):
        with recording(path, upstream, mode=mode) as tape:
            got = [
                requests.post(tape.base_url + "/audio", data=body, timeout=TIMEOUT) for body in sent
            ]
        assert got[0].content == binary
        assert got[0].headers["content-type"] == "audio/mpeg"
        assert [one.status_code for one in got] == [200, 204]
    assert list(lines(path)[0]["request"]) == ["base64"]
    assert lines(path)[1]["request"] == {"half": "\ud800"}


def test_what_it_refuses(path: Path) -> None:
    bad: list[dict[str, Any]] = [
        {"mode": "once"},
        {"mode": "record"},
        {"upstream": "api.openai.com"},
        {"upstream": "https://me:secret@host/v1"},
        {"upstream": "https://host:port/v1"},
        {"upstream": "https://host/v1", "api_key": "line\nfeed"},
    ]
    for options in bad:
        with pytest.raises(ValueError, match=r"mode|upstream|api_key") as caught:
            Tape(path, **options)
        assert "secret" not in str(caught.value)
        assert "feed" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match="give upstream="):
        Tape(path).start()


def test_it_can_be_started_again(upstream: MockProvider, path: Path) -> None:
    tape = recording(path, upstream)
    for _ in range(2):
        with tape:
            assert post(tape).ok
            with pytest.raises(RuntimeError):
                tape.start()
        tape.stop()
    assert (tape.recorded, tape.replayed) == (1, 1)
