"""The first key goes to a terminal, or into a file of its owner: never into what keeps a log."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import money_cli
from seekroute.server.first_key import FILE_NAME, keeps_no_log
from serving import PATIENCE

WORDS = [
    *(sys.executable, "-m", "seekroute", "--data-dir", "data", "serve", "--port", "0"),
    *("--mock", "on", "--log-format", "json"),
]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    money_cli.clear(monkeypatch, tmp_path)


@contextlib.contextmanager
def started(folder: Path, stdout: int, stderr: int) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(WORDS, cwd=folder, stdout=stdout, stderr=stderr) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)


def read_to(descriptor: int, mark: bytes) -> str:
    """What is written there up to `mark`."""
    said = b""
    while mark not in said:
        part = os.read(descriptor, 65536)
        assert part, said
        said += part
    return said.decode()


@pytest.mark.parametrize("which", ["stdout", "stderr"])
def test_a_terminal_shows_it(tmp_path: Path, which: str) -> None:
    screen, terminal = pty.openpty()
    other, pipe = os.pipe()
    ends = (terminal, pipe) if which == "stdout" else (pipe, terminal)
    guard = threading.Timer(PATIENCE, os.close, (screen,))
    guard.start()
    try:
        with started(tmp_path, *ends):
            os.close(terminal)
            os.close(pipe)
            said = read_to(screen, b"  -d ")
    finally:
        guard.cancel()
    assert re.search(r"^  sk-sr-\w{40,}\r?$", said, re.MULTILINE)
    assert not (tmp_path / "data" / FILE_NAME).exists()
    os.close(screen)
    os.close(other)


def test_without_a_terminal_it_is_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "data" / FILE_NAME
    with started(tmp_path, subprocess.PIPE, subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = read_to(process.stdout.fileno(), b"  -d ")
        logged = read_to(process.stderr.fileno(), b'"listening"')
        key = file.read_text().strip()
        curl = said[said.index("curl ") :]  # written at once
        answer = subprocess.run(
            ["bash", "-c", curl], capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        assert "choices" in json.loads(answer.stdout)
        process.terminate()
        logged += process.stderr.read().decode()
    assert re.fullmatch(r"sk-sr-\w{40,}", key)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "sk-sr-" not in said + logged
    (line,) = [each for each in map(json.loads, logged.splitlines()) if "path" in each]
    assert line["path"] == str(file)
    assert "first API key" in line["msg"]
    assert str(file) in said
    # The next start has nothing to say, and takes nothing away.
    with started(tmp_path, subprocess.PIPE, subprocess.PIPE) as process:
        assert process.stderr is not None
        assert "first API key" not in read_to(process.stderr.fileno(), b'"listening"')
    assert file.read_text().strip() == key


def test_a_file_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.touch(0o644)
    (tmp_path / "data" / FILE_NAME).symlink_to(elsewhere)
    with started(tmp_path, subprocess.PIPE, subprocess.PIPE) as process:
        assert process.stderr is not None
        read_to(process.stderr.fileno(), b'"listening"')
    assert elsewhere.read_text() == ""
    assert not (tmp_path / "data" / FILE_NAME).is_symlink()
    assert stat.S_IMODE((tmp_path / "data" / FILE_NAME).stat().st_mode) == 0o600


def test_the_terminal_of_a_container_is_its_log() -> None:
    _, terminal = pty.openpty()
    _, another = pty.openpty()
    with os.fdopen(terminal, "w") as mine, os.fdopen(another, "w") as other:
        assert keeps_no_log(mine, console=Path("/proc/self/fd") / str(other.fileno()))
        assert not keeps_no_log(mine, console=Path("/proc/self/fd") / str(mine.fileno()))
        assert keeps_no_log(mine, console=Path("/proc/self/fd/99999"))
    with open(os.devnull, "w") as nowhere:
        assert not keeps_no_log(nowhere)
    assert not keeps_no_log(None)
