"""A gateway with a ledger as a process of its own, which tests start, kill and start again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from asked_upstream import Upstream
from routings import NO_MEMORY
from seekroute.config import load_settings, prepare
from seekroute.control import ControlPlane
from seekroute.ledger import FILE_NAME, Ledger
from seekroute.money import nano

# Longest wait for anything, in seconds; reached only when something is broken.
PATIENCE = 60.0
# Longest time until a restarted server serves, without what it waited for a busy machine's cores.
RECOVERY = 2.0
MODEL = "openai/gpt-4o-mini"

# What `serve` executes itself again as, once it has read the configuration and opened the port.
_PREPARED = """
import pickle, sys
sys.modules.setdefault("rich", None)
from seekroute.server.listening import listen
from seekroute.server.runner import serve_plan
with open(sys.argv[1], "rb") as file:
    plan = pickle.load(file)
raise SystemExit(serve_plan(plan, listen(plan)))
"""


@dataclass(frozen=True)
class Customer:
    """An organization and its key."""

    org: str
    key: str


@dataclass(frozen=True)
class Recovery:
    """How long a server took from its start to its first ready answer, in seconds."""

    wall: float
    starved: float  # of it, waiting for a core that others had

    @property
    def own(self) -> float:
        return self.wall - self.starved


class World:
    """A data directory that lives through many servers, and the upstream behind them.

    Args:
        folder: an empty folder.
        upstream: a running one.
        data_dir: where the data is; a folder inside of `folder` by default.
        environ: added to the servers' environment.
        preexec: what a server's process does before it becomes one.
        settings: as in a configuration file.
    """

    def __init__(
        self,
        folder: Path,
        upstream: Upstream,
        *,
        data_dir: Path | None = None,
        environ: Mapping[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.upstream = upstream
        self.data_dir = data_dir or folder / "data"
        self.ledger_path = self.data_dir / FILE_NAME
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "server.log"
        self.preexec = preexec
        self.environ = {
            **{name: value for name, value in os.environ.items() if "KEY" not in name},
            **(environ or {}),
        }
        provider = {
            "base_url": upstream.base_url,
            "api_key": "upstream-key",
            "allow_http": True,
            "allow_private": True,
        }
        whole = {
            "mock": "off",
            "data_dir": str(self.data_dir),
            "providers": {"openai": provider},
            "routing": NO_MEMORY,
            **settings,
            "credits": {"enabled": True, **settings.get("credits", {})},
            "server": {"port": self.port, "log_level": "warning", **settings.get("server", {})},
        }
        self.config = folder / "seekroute.yaml"
        self.config.write_text(yaml.safe_dump(whole))
        loaded = load_settings(self.config, environ={})
        self.plan = folder / "plan"
        self.plan.write_bytes(pickle.dumps(prepare(loaded, {})))

    # --- while no server runs ---------------------------------------------------------------------

    def customer(self, name: str, credit: str = "") -> Customer:
        """Makes an organization with a key, and gives it credit (USD)."""
        self.data_dir.mkdir(exist_ok=True)
        with ControlPlane(self.data_dir) as control:
            org = control.orgs.create(name)
            _, key = control.keys.create(name, name=name, profile="seekroute", prefix="sk-sr-")
        if credit:
            with self.ledger() as ledger:
                assert ledger.topup(f"first:{name}", org.id, nano(credit)).result == "ok"
        return Customer(org.id, key)

    def ledger(self, *, read_only: bool = False) -> Ledger:
        return Ledger(self.ledger_path, read_only=read_only)

    # --- the server -------------------------------------------------------------------------------

    def start(self, *, whole: bool = False, environ: Mapping[str, str] | None = None) -> float:
        """Starts a server, and returns when (`time.monotonic()`).

        Args:
            whole: by the command line; otherwise from a prepared plan, which is what the command
                executes itself again as.
            environ: added to this server's environment.
        """
        assert self.process is None
        arguments = (
            ["-m", "seekroute", "serve", "--config", str(self.config)]
            if whole
            else ["-c", _PREPARED, str(self.plan)]
        )
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**self.environ, **(environ or {})},
                cwd=self.folder,
                preexec_fn=self.preexec,
            )
        return began

    async def ready(self, began: float) -> Recovery:
        """Waits for the first 200 of /readyz of the server that was started at `began`."""
        assert self.process is not None
        pid = self.process.pid
        while True:
            status, _ = await self.get("/readyz")
            if status == 200:
                wall = time.monotonic() - began
                with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
                    starved = int(file.read().split()[1]) / 1e9
                return Recovery(wall, starved)
            assert self.process.poll() is None, self.said()
            assert time.monotonic() - began < PATIENCE, self.said()
            await asyncio.sleep(0.005)

    async def serve(self, *, whole: bool = False) -> Recovery:
        return await self.ready(self.start(whole=whole))

    async def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; 0 where nobody answers."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return 0, b""
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            return (int(head.split(b" ")[1]) if head else 0), body
        except OSError:
            return 0, b""
        finally:
            await closed(writer)

    def kill(self) -> None:
        """`kill -9`."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def terminate(self) -> None:
        """Begins a stop."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Waits for the end of the server; its exit code."""
        assert self.process is not None
        code = await asyncio.to_thread(self.process.wait, PATIENCE)
        self.process = None
        return code

    async def stop(self) -> None:
        self.terminate()
        code = await self.ended()
        assert code == 0, self.said()

    def said(self) -> str:
        """What the servers have written to stderr."""
        return self.log.read_text(errors="replace")[-5000:]


@contextlib.asynccontextmanager
async def world(folder: Path, **options: Any) -> AsyncIterator[World]:
    """A world with an upstream of its own; kills the server that is left in the end."""
    folder.mkdir(parents=True, exist_ok=True)
    upstream = Upstream()
    await upstream.start()
    made = World(folder, upstream, **options)
    try:
        yield made
    finally:
        if made.process is not None:
            made.kill()
        await upstream.stop()


async def closed(writer: asyncio.StreamWriter) -> None:
    """Closes a stream, whatever has become of it."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def run(main: Any) -> Any:
    """Runs a coroutine on uvloop: the load must not be slower than what it loads."""
    import uvloop

    faults: list[dict[str, Any]] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: faults.append(context))
        result = runner.run(main)
    assert not faults, faults[0]
    return result


def _free_port() -> int:
    # Below the ports that the system gives to outgoing connections: one of those must not take it
    # while no server runs, and a client that looks for the server must not find itself there.
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first // 2, first)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
