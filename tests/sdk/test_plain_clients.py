"""The curl program and requests."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from seekroute.testing import Gate, Image, Status, Text, ToolCalls
from serving import MODEL, PATIENCE, RunningServer, chat_body

CHAT = "/chat/completions"


def curl(gateway: RunningServer, path: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs curl; anything but exit code 0 fails the test."""
    return subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            str(int(PATIENCE)),
            "--header",
            f"Authorization: Bearer {gateway.key}",
            *options,
            gateway.base_url + path,
        ],
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=True,
    )


def post(body: bytes) -> list[str]:
    """curl's options for a JSON body."""
    return ["--header", "Content-Type: application/json", "--data-binary", body.decode()]


@pytest.fixture
def session(gateway: RunningServer) -> Iterator[requests.Session]:
    """A session with the key."""
    with requests.Session() as made:
        made.headers["Authorization"] = f"Bearer {gateway.key}"
        yield made


def test_curl_whole(gateway: RunningServer) -> None:
    done = curl(gateway, CHAT, "--include", *post(chat_body()))
    head, _, body = done.stdout.partition("\n\n")
    assert head.startswith("HTTP/1.1 200")
    headers = {line.partition(":")[0].lower() for line in head.splitlines()[1:]}
    assert {"x-request-id", "x-generation-id", "x-seekroute-provider"} <= headers
    assert {"content-length", "date", "x-seekroute-overhead-ms"} <= headers
    assert "server" not in headers
    assert json.loads(body)["choices"][0]["message"]["content"] == "Hello! You said: Hello!"


def test_curl_stream(gateway: RunningServer) -> None:
    done = curl(gateway, CHAT, "--no-buffer", *post(chat_body(stream=True)))
    events = done.stdout.split("\n\n")
    assert events.pop() == ""
    assert events.pop() == "data: [DONE]"
    assert all(event.startswith("data: {") and "\n" not in event for event in events)
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert sum(bool(chunk.get("usage")) for chunk in chunks) == 1
    assert chunks[-1]["usage"]["total_tokens"] == 13


@pytest.mark.parametrize("chunked", [False, True])
def test_curl_sends_a_large_body(gateway: RunningServer, tmp_path: Path, chunked: bool) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(chat_body(messages=[{"role": "user", "content": "x" * 3_000_000}]))
    options = ["--header", "Content-Type: application/json", "--data-binary", f"@{file}"]
    if chunked:
        options += ["--header", "Transfer-Encoding: chunked"]
    answer = json.loads(curl(gateway, CHAT, *options).stdout)
    assert answer["choices"][0]["message"]["content"].startswith("Hello! You said: xxx")


def test_curl_models_and_key(gateway: RunningServer) -> None:
    models = json.loads(curl(gateway, "/models").stdout)
    assert models["object"] == "list"
    key = json.loads(curl(gateway, "/key").stdout)
    assert key
    assert gateway.key not in json.dumps(key)


def test_curl_health_needs_no_key(gateway: RunningServer) -> None:
    for path in ("/livez", "/readyz", "/healthz"):
        done = subprocess.run(
            ["curl", "--silent", "--fail", f"http://127.0.0.1:{gateway.port}{path}"],
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        assert json.loads(done.stdout) == {"status": "ok"}


def test_requests_whole(gateway: RunningServer, session: requests.Session) -> None:
    answer = session.post(
        gateway.base_url + CHAT,
        json={"model": MODEL, "messages": [{"role": "user", "content": "Grüße, 世界 🌍"}]},
        timeout=PATIENCE,
    )
    assert answer.status_code == 200
    assert answer.encoding == "utf-8"
    text = answer.json()["choices"][0]["message"]["content"]
    assert text == "Hello! You said: Grüße, 世界 🌍"
    assert answer.headers["x-seekroute-provider"] == "mock"


def read_events(answer: requests.Response) -> list[Any]:
    """The chunks of a streamed answer; it has to end with [DONE]."""
    lines = [line for line in answer.iter_lines(decode_unicode=True) if line]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_requests_stream(gateway: RunningServer, session: requests.Session) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Grüße"}], "stream": True}
    with session.post(gateway.base_url + CHAT, json=body, stream=True, timeout=PATIENCE) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        answer.encoding = "utf-8"
        chunks = read_events(answer)
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == "Hello! You said: Grüße"


def test_requests_tools_and_structured_output(
    gateway: RunningServer, session: requests.Session
) -> None:
    gateway.mock.queue(ToolCalls([("f", {"a": [1, None, "ü"]}), ("f", {})]))
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    url = gateway.base_url + CHAT
    hello = [{"role": "user", "content": "Hi"}]
    answer = session.post(
        url, json={"model": MODEL, "messages": hello, "tools": [tool]}, timeout=PATIENCE
    ).json()
    calls = answer["choices"][0]["message"]["tool_calls"]
    assert [json.loads(call["function"]["arguments"]) for call in calls] == [
        {"a": [1, None, "ü"]},
        {},
    ]
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    answer = session.post(
        url, json={"model": MODEL, "messages": hello, "response_format": form}, timeout=PATIENCE
    ).json()
    assert set(json.loads(answer["choices"][0]["message"]["content"])) == {"n"}


def test_requests_image_as_a_data_url(gateway: RunningServer, session: requests.Session) -> None:
    gateway.mock.queue(Image(b64="iVBORw0KGgo="))
    answer = session.post(
        gateway.base_url + CHAT,
        json={"model": "jimeng-image", "messages": [{"role": "user", "content": "A cat"}]},
        timeout=PATIENCE,
    ).json()
    content = answer["choices"][0]["message"]["content"]
    assert content == "data:image/png;base64,iVBORw0KGgo="
    assert answer["usage"]["cost"] == 0.03


def test_requests_errors(gateway: RunningServer, session: requests.Session) -> None:
    url = gateway.base_url + CHAT
    hello = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    gateway.mock.queue(Status(429, headers={"retry-after": "3"}))
    limited = session.post(url, json=hello, timeout=PATIENCE)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "3")
    compressed = session.post(
        url,
        data=gzip.compress(json.dumps(hello).encode()),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        timeout=PATIENCE,
    )
    assert compressed.status_code == 415
    assert compressed.json()["error"]["code"] == "unsupported_content_encoding"
    form = session.post(url, data=hello, timeout=PATIENCE)
    assert form.status_code == 415
    assert form.json()["error"]["code"] == "unsupported_media_type"
    wrong_method = session.get(url, timeout=PATIENCE)
    assert wrong_method.status_code == 405
    assert wrong_method.headers["allow"] == "POST"
    for path in ("/v1/chat/completions/", "/v1/Chat/completions", "/v2/chat/completions"):
        missing = session.post(f"http://127.0.0.1:{gateway.port}{path}", json=hello, timeout=9)
        assert missing.status_code == 404
        assert missing.json()["error"]["code"] == "not_found"


def test_requests_leaves_a_stream(gateway: RunningServer, session: requests.Session) -> None:
    gate = Gate()
    gate.release(2)
    gateway.mock.queue(Text("one two three", gate=gate))
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    with session.post(gateway.base_url + CHAT, json=body, stream=True, timeout=PATIENCE) as answer:
        assert next(answer.iter_content(16))
    gateway.mock.wait_for_abort()


def test_connections_are_reused_on_both_sides(
    gateway: RunningServer, session: requests.Session
) -> None:
    before = gateway.mock.connections
    for number in range(20):
        answer = session.post(
            gateway.base_url + CHAT,
            json={
                "model": MODEL,
                "messages": [{"role": "user", "content": f"{number}"}],
                "stream": number % 2 == 0,
            },
            timeout=PATIENCE,
        )
        assert answer.status_code == 200
    assert gateway.mock.connections - before <= 2
