"""A real gateway on a real port, for tests: uvicorn in a thread, a mock provider behind it."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from routings import NO_REPEATS
from seekroute.config import (
    Settings,
    build_snapshot,
    catalog_of,
    load_settings,
    profiles_of,
)
from seekroute.gateway import Gateway
from seekroute.server.limits import Limits
from seekroute.server.listening import listen
from seekroute.server.runner import GatewayServer, make_server, run_loop
from seekroute.server.service import Service
from seekroute.testing import MockProvider

# Longest wait for anything in a test, in seconds; reached only when something is broken.
PATIENCE = 20.0
MODEL = "openai/gpt-4o-mini"


def forget_health(gateway: Gateway | None) -> None:
    """As if no provider of a gateway in this process had ever failed."""
    if gateway is None:
        return
    for provider in {row["provider"] for row in gateway.core.health()}:
        gateway.core.reset_health(provider)


@dataclass
class RunningServer:
    """What a test needs to know of its gateway."""

    port: int
    key: str
    mock: MockProvider
    service: Service
    server: GatewayServer
    thread: threading.Thread
    settings: Settings

    def snapshot(self) -> dict[str, Any]:
        """What its core was given, to be changed and installed anew."""
        return build_snapshot(
            self.settings,
            catalog_of(self.settings),
            profiles_of(self.settings),
            {},
            mock_base_url=self.mock.base_url,
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def gateway(self) -> Gateway:
        return self.service.gateway

    def another_key(self, org: str = "default") -> str:
        """One more key of an organization, known to the core already."""
        _, key = self.service.control.keys.create(
            org, name="other", profile="seekroute", prefix="sk-sr-"
        )
        self.service.sync_keys()
        return key

    def stop(self) -> None:
        """Does what SIGTERM does."""
        self.server.handle_exit(signal.SIGTERM, None)

    def connect(self, *, receive_buffer: int = 0) -> socket.socket:
        """A plain connection; `receive_buffer` bytes of the kernel's, for a client that is slow."""
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", self.port))
        return client

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        *,
        with_key: bool = True,
    ) -> Answer:
        """One request on a connection of its own."""
        sent = dict(headers or {})
        if with_key:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())

    def chat(self, **fields: Any) -> Answer:
        """One chat completion."""
        return self.request(
            "POST",
            "/v1/chat/completions",
            chat_body(**fields),
            {"Content-Type": "application/json"},
        )

    def chat_with(self, key: str) -> Answer:
        """One chat completion with another key."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        return self.request("POST", "/v1/chat/completions", chat_body(), headers)

    def chat_bytes(self, *extra: str, **fields: Any) -> bytes:
        """The bytes of a chat completion request, with `extra` header lines."""
        return post_bytes(chat_body(**fields), f"Authorization: Bearer {self.key}", *extra)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> Any:
        """The error's code."""
        return self.json()["error"]["code"]


def chat_body(**fields: Any) -> bytes:
    """A chat completion request; `fields` replace or add."""
    request = {"model": MODEL, "messages": [{"role": "user", "content": "Hello!"}]}
    return json.dumps({**request, **fields}).encode()


def post_bytes(body: bytes, *lines: str, path: str = "/v1/chat/completions") -> bytes:
    """The bytes of a POST request."""
    head = [
        f"POST {path} HTTP/1.1",
        "Host: gateway",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *lines,
    ]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def read_until_closed(client: socket.socket) -> bytes:
    """Everything the other side sends before it closes."""
    # Who reads in windows of 2 KiB waits thousands of times for the kernel: see `connect()`.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    received = bytearray()
    while True:
        try:
            data = client.recv(65536)
        except ConnectionResetError:
            return bytes(received)
        if not data:
            return bytes(received)
        received += data


def read_until(client: socket.socket, mark: bytes) -> bytes:
    """What comes up to and including `mark`, and what was received with it."""
    received = bytearray()
    while mark not in received:
        data = client.recv(65536)
        if not data:
            raise AssertionError(f"closed before {mark!r}: {bytes(received)!r}")
        received += data
    return bytes(received)


def parse_answers(received: bytes) -> list[Answer]:
    """The answers in `received`; each has a Content-Length or is chunked."""
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])
        }
        if status < 200:
            body, received = b"", rest
        elif headers.get("transfer-encoding") == "chunked":
            body, received = _dechunk(rest)
        else:
            size = int(headers["content-length"])
            body, received = rest[:size], rest[size:]
        answers.append(Answer(status, headers, body))
    return answers


def _dechunk(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        body += data[:size]
        data = data[size + 2 :]
        if size == 0:
            return body, data


@contextlib.contextmanager
def running_server(
    data_dir: Path,
    *,
    limits: Limits | None = None,
    own_mock: bool = False,
    with_console: bool = False,
    **settings: Any,
) -> Iterator[RunningServer]:
    """Runs a gateway with a mock provider of its own and a fresh key.

    Args:
        data_dir: an empty or earlier data directory.
        limits: bounds of the HTTP side.
        own_mock: let the gateway start its mock itself, as a program does.
        with_console: start the console's process beside it.
        settings: as in a configuration file: `profile="router9"`, `limits_={...}`; a trailing
            underscore is dropped.
    """
    overrides: dict[str, Any] = {"mock": "beside", "data_dir": str(data_dir)}
    settings["routing"] = {**NO_REPEATS, **settings.get("routing", {})}
    server_settings = {"port": 0, **settings.pop("server", {})}
    for name, value in settings.items():
        overrides[name.removesuffix("_")] = value
    overrides["server"] = server_settings
    loaded = load_settings(_no_file(data_dir), overrides=overrides, environ={})
    with MockProvider() as mock, contextlib.ExitStack() as stack:
        service = Service(
            loaded,
            limits=limits,
            environ={},
            mock=None if own_mock else mock,
            console=with_console,
        )
        stack.callback(service.close)
        listener = stack.enter_context(contextlib.closing(listen(loaded)))
        service.open()
        key = service.create_first_key()
        if key is None:
            _, key = service.control.keys.create(
                "default",
                name="test",
                profile=service.default_profile.name,
                prefix=service.default_profile.key_prefix,
            )
            service.sync_keys()
        server = make_server(service)
        thread = threading.Thread(target=run_loop, args=(server, listener), name="test-server")
        port = listener.getsockname()[1]
        thread.start()
        running = RunningServer(port, key, mock, service, server, thread, loaded)
        try:
            yield running
        finally:
            running.stop()
            running.stop()  # a test may have left a stream open: do not wait for it
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the server did not stop"


def _no_file(data_dir: Path) -> Path:
    """An empty configuration file, so that none from the working directory is taken."""
    data_dir.mkdir(parents=True, exist_ok=True)
    file = data_dir / "seekroute.yaml"
    file.write_text("{}\n")
    return file
