"""The console as a process: `python -m seekroute.console.process SOCKET PLAN`.

Both arguments are descriptors that whoever starts it has left open: a listening unix socket, and
the plan, pickled. It ends when it is told to, or when the process that started it is gone.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

import uvicorn

from seekroute.console.app import create_app

if TYPE_CHECKING:
    from seekroute.plan import ConsolePlan

_SHUTDOWN_S: Final = 5


def main(arguments: list[str]) -> int:
    """Serves until SIGTERM. Returns the exit code."""
    listener = socket.socket(fileno=int(arguments[0]))
    descriptor = int(arguments[1])
    # Not through its position in the file, which the gateway and all its consoles share.
    data = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    plan: ConsolePlan = pickle.loads(data)  # of the gateway that has started this process
    _die_with_parent()
    logging.basicConfig(
        stream=sys.stderr,
        level=plan.log_level.upper(),
        format="%(levelname)s console: %(message)s",
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # it tells of every start and stop
    config = uvicorn.Config(
        create_app(plan),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_SHUTDOWN_S,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _die_with_parent() -> None:
    """Ends with the gateway, however that ends: nobody else stops this process."""
    import ctypes

    set_parent_death_signal = 1
    try:
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGTERM)
    except (OSError, AttributeError):
        return
    if os.getppid() == 1:
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
