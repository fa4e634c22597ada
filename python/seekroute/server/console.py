"""The console beside the gateway: its process, watched, and its paths, forwarded to it.

Whatever becomes of it, inference goes on: nothing here is waited for by a request of a model.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ipaddress
import logging
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from httptools import HttpParserError, HttpResponseParser

from seekroute.server.answers import HttpCall, Refusal
from seekroute.server.followers import Follower

if TYPE_CHECKING:
    from seekroute.plan import ConsolePlan
    from seekroute.server.cycle import Header

_log: Final = logging.getLogger("seekroute.server")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

SOCKET_NAME: Final = "console.sock"
_MOST_PATH: Final = 100  # bytes of a socket's path that every system takes
_BACKLOG: Final = 128
_POLL_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0
_WELL_S: Final = 60.0  # a process that lived so long begins anew with the shortest pause
_STOP_S: Final = 8.0
_AT_ONCE: Final = 64
_MOST_BODY: Final = 1 << 20
_MOST_ANSWER: Final = 16 << 20
_PIECE: Final = 1 << 16
_BODY_S: Final = 30.0
_ANSWER_S: Final = 60.0
# Of the environment what a Python program needs, and where the pepper may be. No provider's key.
_PASSED: Final = (
    *("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "PYTHONPATH", "SEEKROUTE_PEPPER"),
    *("TMPDIR", "TZ", "VIRTUAL_ENV"),
)
_PREFIXES: Final = ("/console/", "/api/console/")
_EXACT: Final = frozenset(
    base + path for base in ("/v1", "/api/v1") for path in ("/keys", "/organization/members")
)
# What ordinary keys ask of the gateway, and management keys of the console.
_SHARED: Final = frozenset(
    base + path
    for base in ("/v1", "/api/v1")
    for path in ("/key", "/credits", "/activity", "/generation")
)
_MANAGEMENT: Final = b"mgmt-"
_LONGEST_PREFIX: Final = 48  # of a key, behind `Bearer `
_BELOW: Final = ("/v1/keys/", "/api/v1/keys/")
# Of hop to hop, or ours to say.
_NOT_SENT: Final = frozenset(
    (
        *(b"connection", b"content-length", b"expect", b"keep-alive", b"te", b"trailer"),
        *(b"transfer-encoding", b"upgrade", b"x-seekroute-client", b"x-seekroute-scheme"),
    )
)
_NOT_BACK: Final = frozenset((b"connection", b"content-length", b"date", b"server"))


def owns(path: str, authorization: bytes | None = None) -> bool:
    """Whether a path is the console's to answer; of some paths only for a management key.

    >>> owns("/console/keys"), owns("/v1/keys/key_1"), owns("/v1/key"), owns("/consoles")
    (True, True, False, False)
    >>> owns("/v1/key", b"Bearer sk-sr-mgmt-0aZ"), owns("/v1/key", b"Bearer sk-sr-0aZ")
    (True, False)
    """
    if path in _SHARED:
        return authorization is not None and _MANAGEMENT in authorization[:_LONGEST_PREFIX]
    return (
        path.startswith(_PREFIXES)
        or path in _EXACT
        or path.startswith(_BELOW)
        or path == "/console"
    )


class Console:
    """The console's process and the way to it. `open` and `close` block; `forward` belongs to the
    loop that serves.

    Args:
        plan: what it may know of the configuration.
        proxies: networks of proxies whose word of their clients counts.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        plan: ConsolePlan,
        *,
        proxies: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proxies: Final = tuple(ipaddress.ip_network(each) for each in proxies)
        self._clock = clock
        self._stack: Final = contextlib.ExitStack()
        self._path = _socket_path(Path(plan.data_dir).resolve(), self._stack)
        self._listener = _listen(self._path)
        self._stack.callback(self._listener.close)
        self._stack.callback(self._path.unlink, missing_ok=True)
        self._plan = os.memfd_create("seekroute-console-plan", os.MFD_CLOEXEC)
        self._stack.callback(os.close, self._plan)
        self._digest = b""
        self._keep(plan)
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self._due = 0.0
        self._pause = 1.0
        self._running = 0
        self._is_due_anew = False  # ended by us, so not by a fault

    @property
    def is_up(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Of the process that runs."""
        return self._process.pid if self.is_up and self._process is not None else None

    def follower(self) -> Follower:
        """What starts the process, and starts it again when it has died."""
        return Follower(
            "console",
            _POLL_S,
            self.turn,
            does="start the console",
            trouble="the console does not start",
            at_once=True,
        )

    def turn(self) -> bool:
        """Looks whether the process lives; begins it where it does not, after a pause."""
        now = self._clock()
        if self.is_up:
            return False
        if self._is_due_anew:
            self._is_due_anew, self._process = False, None
        elif self._process is not None:
            lived, code = now - self._began, self._process.returncode
            self._process = None
            self._pause = 1.0 if lived > _WELL_S else self._pause
            _log.error("the console has died (%d) and starts again in %g s", code, self._pause)
            self._due = now + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
        if now >= self._due:
            self._began = now
            self._process = self._start()
        return False

    def adopt(self, plan: ConsolePlan) -> None:
        """Takes over another plan: the process ends what it is asked, and begins anew with it."""
        if self._keep(plan) and self._process is not None:
            self._is_due_anew = True
            self._process.terminate()

    def _keep(self, plan: ConsolePlan) -> bool:
        """Writes the plan down for the next process. Returns whether it is another one."""
        data = pickle.dumps(plan, pickle.HIGHEST_PROTOCOL)
        digest = hashlib.blake2b(data).digest()
        if digest == self._digest:
            return False
        self._digest = digest
        os.ftruncate(self._plan, 0)
        os.pwrite(self._plan, data, 0)
        return True

    def _start(self) -> subprocess.Popen[bytes]:
        passed = (self._listener.fileno(), self._plan)
        return subprocess.Popen(
            [sys.executable, "-m", "seekroute.console.process", *map(str, passed)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED if name in os.environ},
            pass_fds=passed,
            start_new_session=True,  # Ctrl-C is the gateway's: it ends this process in its turn
        )

    def close(self) -> None:
        """Ends the process. Idempotent."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._stack.close()

    # --- forwarding -------------------------------------------------------------------------------

    async def forward(self, call: HttpCall) -> None:
        """Has the console answer a call, and relays what it says.

        Raises:
            Refusal: it is not there, too busy, or the body is too large.
        """
        call.route = "console"
        if call.service.shutting_down:
            raise Refusal("shutting_down", "the gateway is stopping; try again", close=True)
        if not self.is_up:
            raise Refusal("console_unavailable", "the console is starting, or has died")
        if self._running >= _AT_ONCE:
            raise Refusal("overloaded", "too many requests to the console at once")
        self._running += 1
        try:
            body = await asyncio.wait_for(_body(call), _BODY_S)
            if body is not None:
                await asyncio.wait_for(self._relay(call, body), _ANSWER_S)
        except TimeoutError:
            raise Refusal("console_unavailable", "the console did not answer in time") from None
        finally:
            self._running -= 1

    async def _relay(self, call: HttpCall, body: bytes) -> None:
        try:
            answer = await _exchange(self._path, _request(call, body, self._proxies))
        except (OSError, EOFError, HttpParserError) as error:
            _log.warning("the console did not answer: %s", type(error).__name__)
            raise Refusal("console_unavailable", "the console has died; it starts again") from None
        headers = [pair for pair in answer.headers if pair[0] not in _NOT_BACK]
        headers += [
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", call.service.core.new_request_id(call.request_id)),
        ]
        await call.answer(answer.status, headers, bytes(answer.body))


class _Answer:
    """What the console answers, as httptools tells it."""

    def __init__(self) -> None:
        self.parser: Final = HttpResponseParser(self)
        self.headers: list[Header] = []
        self.body = bytearray()
        self.complete = False

    @property
    def status(self) -> int:
        return int(self.parser.get_status_code())

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.complete = True


def _request(call: HttpCall, body: bytes, proxies: Sequence[Network]) -> bytes:
    """The call as it is sent on, with what we know of who asks."""
    scope = call.scope
    target = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
    if query := scope.get("query_string", b""):
        target += b"?" + query
    headers = [(name, value) for name, value in scope["headers"] if name.lower() not in _NOT_SENT]
    headers += [
        (b"x-seekroute-client", client_of(scope, proxies).encode()),
        (b"x-seekroute-scheme", str(scope.get("scheme", "http")).encode()),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    # What answers HEAD is what answers GET; its body is left out on the way back.
    method = "GET" if call.method == "HEAD" else call.method
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target)]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def _exchange(path: Path, request: bytes) -> _Answer:
    """Sends a request over a connection of its own, and reads the whole answer.

    Raises:
        OSError, EOFError: the other side is not there, or has gone.
        HttpParserError: it does not speak HTTP.
    """
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(request)
        await writer.drain()
        answer = _Answer()
        while not answer.complete:
            data = await reader.read(_PIECE)
            if not data:
                raise EOFError
            answer.parser.feed_data(data)
            if len(answer.body) > _MOST_ANSWER:
                raise EOFError
        return answer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def client_of(scope: Mapping[str, Any], proxies: Sequence[Network]) -> str:
    """Who asks: whoever connects, or, of proxies that are trusted, the last whom they name and who
    is none of them. What stands before that in the header anybody may have written.

    >>> trusted = [ipaddress.ip_network("10.0.0.0/8")]
    >>> forged = [(b"x-forwarded-for", b"192.0.2.1, 198.51.100.7, 10.0.0.2")]
    >>> client_of({"client": ("10.0.0.1", 1), "headers": forged}, trusted)
    '198.51.100.7'
    >>> client_of({"client": ("203.0.113.9", 1), "headers": forged}, trusted)
    '203.0.113.9'
    """
    client = scope.get("client")
    address = str(client[0]) if client else ""
    named = b",".join(v for name, v in scope["headers"] if name == b"x-forwarded-for")
    for each in reversed(named.decode("latin-1").split(",")):
        try:
            if not any(ipaddress.ip_address(address) in network for network in proxies):
                break
            address = str(ipaddress.ip_address(each.strip()))
        except ValueError:  # of a unix socket, or written by no proxy
            break
    return address


async def _body(call: HttpCall) -> bytes | None:
    """The body; None where the client left. Raises Refusal where it is too large."""
    found = bytearray()
    while True:
        event = await call.receive()
        if event["type"] == "http.disconnect":
            return None
        found += event.get("body", b"")
        if len(found) > _MOST_BODY:
            raise Refusal("request_too_large", "the body is over 1 MiB", close=True)
        if not event.get("more_body", False):
            return bytes(found)


def _socket_path(home: Path, stack: contextlib.ExitStack) -> Path:
    """Where the socket is: in the data directory, or in a private folder where that is too deep."""
    path = home / SOCKET_NAME
    if len(os.fsencode(path)) <= _MOST_PATH:
        return path
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="seekroute-"))
    return Path(folder) / SOCKET_NAME


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))  # in a folder that nobody else may enter
        path.chmod(0o600)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
