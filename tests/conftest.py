"""Fixtures of the tests that talk to a whole gateway, through real sockets or in process."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer.testing

from routings import NO_MEMORY
from seekroute import AsyncClient, Client
from serving import RunningServer, forget_health, running_server

# The older SDK runs some files without this one.
pytest_plugins = ["choosing_fixtures", "in_process_fixtures"]

# Under nohup or as a background job SIGINT is ignored, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

_MEMORY = Path("/dev/shm")
_LEAST_MEMORY = 2**30  # bytes; the tests of one run leave a tenth of it


def _offers_memory() -> bool:
    """Whether temporary folders may be there; a container's may be small, or run no scripts."""
    if not os.access(_MEMORY, os.W_OK | os.X_OK):
        return False
    runs = not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    return runs and shutil.disk_usage(_MEMORY).free >= _LEAST_MEMORY


# typer makes the tree of all commands anew for each that is run, which takes longer than most.
typer.testing._get_command = functools.cache(typer.testing._get_command)

# A process more beside each of the hundreds of servers that are started as programs.
os.environ.setdefault("SEEKROUTE_CONSOLE__ENABLED", "off")

# Thousands of databases are made, and wait for the disk with every commit; no power fails.
if "PYTEST_DEBUG_TEMPROOT" not in os.environ and _offers_memory():
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(_MEMORY)


@pytest.fixture(scope="session")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningServer]]:
    """Gives the running gateway that speaks a profile; each is started once, when first asked for.

    Its mock provider comes without queue, rules and records of earlier tests.
    """
    with contextlib.ExitStack() as stack:
        running: dict[str, RunningServer] = {}

        def of(profile: str) -> RunningServer:
            if profile not in running:
                data_dir = tmp_path_factory.mktemp(profile)
                running[profile] = stack.enter_context(
                    running_server(data_dir, profile=profile, routing=NO_MEMORY)
                )
            running[profile].mock.reset()
            return running[profile]

        yield of


@pytest.fixture
def gateway(gateways: Callable[[str], RunningServer]) -> RunningServer:
    """The gateway of the default profile."""
    return gateways("seekroute")


@pytest.fixture(autouse=True)
def _health_forgotten(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test has its providers do is not the past of the next one, at the same gateway."""
    yield
    for value in (getattr(request.node, "funcargs", None) or {}).values():
        if isinstance(value, RunningServer):
            forget_health(value.gateway)
        elif isinstance(value, (Client, AsyncClient)):
            forget_health(getattr(value._backend, "gateway", None))
