"""Calls of web pages: which origins may read answers, and what their browsers are told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seekroute.config import load_settings
from seekroute.errors import ConfigError
from seekroute.server.app import App
from seekroute.testing import Status
from serving import Answer, RunningServer, chat_body, running_server

PAGE = "https://chat.example"
LOCAL = "http://localhost:3000"
CHAT = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    origins = {"cors_origins": [PAGE, LOCAL]}
    with running_server(tmp_path_factory.mktemp("cors"), server=origins) as running:
        yield running


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway whose operator has named no origin."""
    with running_server(tmp_path_factory.mktemp("closed")) as running:
        yield running


def preflight(server: RunningServer, origin: str, path: str = CHAT, method: str = "POST") -> Answer:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os",
    }
    return server.request("OPTIONS", path, None, headers, with_key=False)


def cors_of(answer: Answer) -> dict[str, str]:
    return {k: v for k, v in answer.headers.items() if k.startswith("access-control-")}


@pytest.mark.parametrize("origin", [PAGE, LOCAL])
def test_a_browser_asks_before_it_sends(server: RunningServer, origin: str) -> None:
    answer = preflight(server, origin)
    assert (answer.status, answer.body) == (204, b"")
    allowed = cors_of(answer)
    assert allowed.pop("access-control-expose-headers")
    assert allowed == {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "POST",
        "access-control-allow-headers": "authorization,content-type,x-stainless-os",
        "access-control-max-age": "7200",
    }
    assert cors_of(preflight(server, origin, "/v1/models", "GET"))[
        "access-control-allow-methods"
    ] == ("GET, HEAD")


@pytest.mark.parametrize(
    "origin",
    ["https://other.example", "http://chat.example", "https://chat.example:8443", "null", "*",
     "https://chat.example.evil.example", "HTTPS://CHAT.EXAMPLE"],
)  # fmt: skip
def test_other_origins_are_told_nothing(server: RunningServer, origin: str) -> None:
    refused = preflight(server, origin)
    assert (refused.status, cors_of(refused)) == (405, {})
    answer = server.request("GET", "/v1/credits", None, {"Origin": origin})
    assert (answer.status, cors_of(answer)) == (200, {})
    assert answer.headers["vary"] == "origin"


def test_without_the_setting_nobody_is_told_anything(closed: RunningServer) -> None:
    assert (preflight(closed, PAGE).status, cors_of(preflight(closed, PAGE))) == (405, {})
    answer = closed.request("GET", "/livez", None, {"Origin": PAGE})
    assert cors_of(answer) == {}
    assert "vary" not in answer.headers


def check_readable(answer: Answer, status: int) -> None:
    assert answer.status == status, answer.body
    assert answer.headers["access-control-allow-origin"] == PAGE
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "x-generation-id", "x-seekroute-cost", "retry-after"} <= set(exposed)
    assert "access-control-allow-credentials" not in answer.headers


def test_every_answer_can_be_read_errors_too(server: RunningServer) -> None:
    page = {"Origin": PAGE, **JSON}
    check_readable(server.request("POST", CHAT, chat_body(), page), 200)
    streamed = server.request("POST", CHAT, chat_body(stream=True), page)
    check_readable(streamed, 200)
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    check_readable(server.request("POST", CHAT, b"{", page), 400)
    check_readable(server.request("POST", CHAT, chat_body(), page, with_key=False), 401)
    check_readable(server.request("GET", "/v1/nothing", None, page), 404)
    check_readable(server.request("GET", CHAT, None, page), 405)
    server.mock.queue(Status(429, headers={"retry-after": "7"}))
    check_readable(server.request("POST", CHAT, chat_body(), page), 429)
    check_readable(server.request("GET", "/v1/models", None, page), 200)


def test_two_origins_are_none(server: RunningServer) -> None:
    lines = f"Origin: {PAGE}\r\nOrigin: {PAGE}\r\n".encode()
    with server.connect() as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: g\r\nConnection: close\r\n" + lines + b"\r\n")
        received = b""
        while data := client.recv(4096):
            received += data
    assert received.startswith(b"HTTP/1.1 200")
    assert b"access-control-" not in received


def test_odd_names_of_headers_are_not_repeated(server: RunningServer) -> None:
    headers = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "a b;c",
    }
    answer = server.request("OPTIONS", CHAT, None, headers, with_key=False)
    assert answer.status == 204
    assert "access-control-allow-headers" not in answer.headers


def test_under_another_server_it_is_the_same(server: RunningServer) -> None:
    """Without the short way that our own protocol gives."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/livez",
        "raw_path": b"/livez",
        "query_string": b"",
        "headers": [(b"origin", PAGE.encode())],
    }
    asyncio.run(App(server.service)(scope, receive, send))
    assert sent[0]["status"] == 200
    assert (b"access-control-allow-origin", PAGE.encode()) in sent[0]["headers"]


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "chat.example", "https://chat.example/", "https://chat.example/app",
     "https://*.example", "https://Chat.example", "https://chat.example:443", "ftp://a.example",
     "http://a.example:80", "https://user@chat.example", ""],
)  # fmt: skip
def test_what_is_no_origin_is_refused(tmp_path: Path, origin: str) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(json.dumps({"server": {"cors_origins": [origin]}}))
    with pytest.raises(ConfigError, match="cors_origins"):
        load_settings(file, environ={})
