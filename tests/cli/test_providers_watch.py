"""`seekroute providers status --watch`, in a terminal and in a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bare_cli import unconfigure
from seekroute.cli import providers
from seekroute.cli.root import app
from seekroute.errors import SeekrouteError
from seekroute.testing import MockProvider
from serving import PATIENCE, running_server

MODEL = "acme/one"
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def settings_of(mock: MockProvider) -> dict[str, Any]:
    endpoint = {"provider": "host", "model": "up", "quantization": "fp8", "free": True}
    address = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
    return {
        "models": [{"id": MODEL, "context": 8000, "endpoints": [endpoint]}],
        "providers": {"host": {**address, "api_key": "key-a"}},
    }


class Screen:
    """A command in a terminal of its own, in which it draws one screen after another."""

    def __init__(self, columns: int, *command: str, folder: Path) -> None:
        self._master, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 20, columns, 0, 0))
        environ = {k: v for k, v in os.environ.items() if not k.startswith("SEEKROUTE_")}
        environ.pop("COLUMNS", None)
        self.child = subprocess.Popen(
            [sys.executable, "-m", "seekroute", *command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            cwd=folder,
            env={**environ, "TERM": "xterm"},
        )
        os.close(terminal)
        self._drawn = b""

    def until(self, fits: Callable[[str], bool]) -> str:
        """The first whole screen that fits, of those that were not looked at yet."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            *whole, self._drawn = self._drawn.split(b"\x1b[H")
            for each in whole:
                if fits(screen := _STYLE.sub("", each.decode())):
                    return screen
            if select.select([self._master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # the command has ended
                    self._drawn += os.read(self._master, 65536)
        raise AssertionError(f"not shown; the last was {self._drawn.decode()!r}")

    def close(self) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self._master)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[[int], Screen]]:
    with contextlib.ExitStack() as stack:

        def watch(columns: int) -> Screen:
            words = ("--data-dir", str(tmp_path), "providers", "status", "--watch")
            screen = Screen(columns, *words, folder=tmp_path)
            stack.callback(screen.close)
            return screen

        yield watch


def test_a_narrow_terminal_is_drawn_anew_also_after_a_restart(
    tmp_path: Path, terminal: Callable[[int], Screen]
) -> None:
    with MockProvider() as mock:
        with running_server(tmp_path, **settings_of(mock)) as server:
            screen = terminal(46)
            # It says what it leaves out, and is not blank.
            screen.until(lambda drawn: "are healthy, and were not asked" in " ".join(drawn.split()))
            assert server.chat(model=MODEL).status == 200
            drawn = screen.until(lambda drawn: "host/fp8" in drawn)
            assert "key" in drawn
        gone = screen.until(lambda drawn: "no server runs" in drawn)
        assert "Below: as of" in " ".join(gone.split())
        assert "host/fp8" in gone  # what was known last
        assert screen.child.poll() is None
        with running_server(tmp_path, **settings_of(mock)) as server:
            assert server.chat(model=MODEL).status == 200
            screen.until(lambda drawn: "host/fp8" in drawn and "no server runs" not in drawn)
            screen.child.send_signal(signal.SIGINT)
            assert screen.child.wait(PATIENCE) == 0


# --- in a pipe ------------------------------------------------------------------------------------

ROW: dict[str, Any] = {
    "provider": "host",
    "key": None,
    "tag": "host/fp8",
    "model": "up",
    "state": "ok",
    "lacks": None,
    "last_resort": False,
    "retry_in_ms": 0,
    "in_flight": 0,
    "judged_1d": 3,
    "uptime_30m": None,
    "ttft_ms_5m": None,
    "tokens_per_second_5m": None,
}


@pytest.fixture
def server_of_three(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A server that answers three times, and ends."""
    unconfigure(monkeypatch, tmp_path)
    answers = [[ROW | {"judged_1d": number}] for number in (1, 2, 3)]

    def health(_: object) -> list[dict[str, Any]]:
        if not answers:
            raise SeekrouteError("no server runs")
        return answers.pop(0)

    monkeypatch.setattr(providers, "_health", health)
    monkeypatch.setattr(providers, "_AGAIN_S", 0)


@pytest.mark.usefixtures("server_of_three")
def test_a_pipe_gets_each_look_and_the_end() -> None:
    result = CliRunner().invoke(app, ["providers", "status", "--watch"])
    assert [line.split("\t")[-1] for line in result.stdout.splitlines()] == ["1", "2", "3"]
    assert (result.exit_code, "no server runs" in result.output) == (1, True)


@pytest.mark.usefixtures("server_of_three")
def test_a_program_gets_a_line_of_json_for_each_look() -> None:
    result = CliRunner().invoke(app, ["providers", "status", "--watch", "--json"])
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [rows[0]["judged_1d"] for rows in found] == [1, 2, 3]
    assert result.exit_code == 1
