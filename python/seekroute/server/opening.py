"""What `serve` does before it serves: settings, the listening socket, and saying why not."""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.config import Settings
    from seekroute.server.plan import Plan

# Exit codes of `serve`.
STOPPED: Final = 0
REFUSED: Final = 2  # wrong configuration, data directory in use, port in use

_BACKLOG: Final = 2048


def load(
    *,
    config: str | Path | None = None,
    data_dir: str | Path | None = None,
    host: str | None = None,
    port: int | None = None,
    profile: str | None = None,
    mock: str | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
) -> Settings:
    """The settings, with the parameters of `serve()` on top.

    Raises:
        ConfigError: everything that is wrong.
    """
    from seekroute.config import load_settings

    overrides = {
        "data_dir": None if data_dir is None else str(data_dir),
        "server.host": host,
        "server.port": port,
        "server.log_level": log_level,
        "server.log_format": log_format,
        "profile": profile,
        "mock": mock,
    }
    return load_settings(config, overrides=overrides)


def refused(error: SeekrouteError) -> int:
    """Says on stderr why the gateway does not start. Returns the exit code."""
    sys.stderr.write(f"seekroute: {error}\n")
    return REFUSED


class ListenError(SeekrouteError):
    """The address cannot be listened on; the text says why and what to do."""


def listen(settings: Settings | Plan) -> socket.socket:
    """Opens the listening socket.

    Raises:
        ListenError: the port is taken, or the address is not ours.
    """
    host, port = settings.server.host, settings.server.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ListenError(f"cannot listen on {host}: {error.strerror or error}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"port {port} on {host} is in use: stop the other program or choose another "
                "port with --port"
            ) from error
        raise ListenError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
