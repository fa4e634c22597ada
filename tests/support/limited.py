"""A gateway whose organization has limits, and streams that hold their slots."""

from __future__ import annotations

import contextlib
import socket

from seekroute.testing import Gate, Text
from serving import RunningServer, read_until


def limit(server: RunningServer, **limits: int | None) -> None:
    """Limits of the organization of the server's key."""
    org = server.service.control.orgs.get("default").id
    server.gateway.set_limits("org", org, limits)


def held_stream(server: RunningServer, stack: contextlib.ExitStack) -> tuple[socket.socket, Gate]:
    """A stream that has brought content, and goes on when its gate is opened, or with `stack`."""
    gate = Gate()
    server.mock.queue(Text("before after", chunks=["before ", "after"], gate=gate))
    client = stack.enter_context(contextlib.closing(server.connect()))
    client.sendall(server.chat_bytes("Connection: close", stream=True))
    gate.release(2)
    read_until(client, b"before ")
    stack.callback(gate.open)
    return client, gate


def sample(server: RunningServer, wanted: str) -> float:
    """A metric, summed over its labels."""
    return sum(value for name, _, value in server.gateway.core.samples() if name == wanted)
