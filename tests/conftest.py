"""Fixtures of the tests that talk to a whole gateway, through real sockets or in process."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator

import pytest

from serving import RunningServer, running_server

# The older SDK runs some files without this one.
pytest_plugins = ["in_process_fixtures"]

# Under nohup or as a background job SIGINT is ignored, and what the tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


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
                running[profile] = stack.enter_context(running_server(data_dir, profile=profile))
            running[profile].mock.reset()
            return running[profile]

        yield of


@pytest.fixture
def gateway(gateways: Callable[[str], RunningServer]) -> RunningServer:
    """The gateway of the default profile."""
    return gateways("seekroute")
