"""What `serve` does before it serves: settings, the listening socket, and saying why not."""

from __future__ import annotations

import contextlib
import errno
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seekroute.errors import SeekrouteError
from seekroute.visible import visible

if TYPE_CHECKING:
    from seekroute.config import Settings
    from seekroute.control.lost import Anew
    from seekroute.plan import Plan

# Exit codes of `serve`.
STOPPED: Final = 0
REFUSED: Final = 2  # wrong configuration, data directory in use, port in use

_BACKLOG: Final = 2048
# Parameters of `serve()`, and the settings that they are.
_SETTINGS: Final = {
    "data_dir": "data_dir",
    "host": "server.host",
    "port": "server.port",
    "profile": "profile",
    "mock": "mock",
    "log_level": "server.log_level",
    "log_format": "server.log_format",
}
# What to do about too few open files.
RAISE_FILES: Final = "raise it: `ulimit -n 65536`, or LimitNOFILE= of a systemd service"


def load(*, config: str | Path | None = None, **given: str | Path | int | None) -> Settings:
    """The settings, with the parameters of `serve()` on top.

    Raises:
        ConfigError: everything that is wrong.
    """
    from seekroute.config import load_settings

    overrides = {
        _SETTINGS[name]: str(value) if isinstance(value, Path) else value
        for name, value in given.items()
    }
    return load_settings(config, overrides=overrides)


def asked_anew(options: dict[str, Any]) -> frozenset[Anew]:
    """Takes out of the parameters of `serve()` which lost databases may be begun anew."""
    names: tuple[Anew, ...] = ("control", "ledger")
    return frozenset(name for name in names if options.pop(f"new_{name}", False))


def refused(error: SeekrouteError) -> int:
    """Says on stderr why the gateway does not start. Returns the exit code."""
    sys.stderr.write(f"seekroute: {visible(str(error), lines=True)}\n")
    return REFUSED


class StartError(SeekrouteError):
    """The gateway cannot start, for a reason that nobody has put into words of its own."""


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Makes any failure one that `refused()` can say: a start ends in words, not in a traceback.

    Raises:
        StartError: instead of what is no SeekrouteError.
    """
    try:
        yield
    except SeekrouteError:
        raise
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        hint = "`seekroute doctor` looks for the cause"
        if error.errno in (errno.EMFILE, errno.ENFILE):
            hint = f"{_open_files()}; {RAISE_FILES}"
        text = f"cannot start: {place}{error.strerror or error}: {hint}"
        raise StartError(text) from error
    except Exception as error:
        raise StartError(
            f"cannot start: {type(error).__name__}: {error}: `seekroute doctor` looks for the cause"
        ) from error


def _open_files() -> str:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"this process may have {soft} files open (at most {hard})"


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
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a host
        reason = getattr(error, "strerror", None) or error
        raise ListenError(
            f"cannot listen on {host}: {reason}: set server.host or --host"
        ) from error
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
