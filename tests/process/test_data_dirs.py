"""A data directory that cannot be one: every command says so in a sentence, whatever it is."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import seekroute
from bare_cli import unconfigure

PATIENCE = 100.0
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _PR_CAPBSET_DROP = 1, 2, 24

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("serve", "--port", "0"),
    ("config", "check"),
    ("config", "check", "--json"),
    ("doctor", "--offline"),
    ("doctor", "--offline", "--json"),
    ("orgs", "create", "acme"),
    ("orgs", "list"),
    ("apps", "list"),
    ("keys", "create", "--org", "acme"),
    ("keys", "list"),
    ("credits", "add", "acme", "1"),
    ("credits", "adjust", "acme", "1", "--note", "x"),
    ("credits", "refund", "gen-x"),
    ("credits", "refund", "gen-x", "--id", "f"),
    ("credits", "balance"),
    ("credits", "line", "acme", "1"),
    ("credits", "orders"),
    ("credits", "replay"),
    ("usage",),
    ("logs",),
    ("logs", "show", "gen-x"),
    ("ledger", "verify"),
    ("ledger", "verify", "--json"),
    ("ledger", "export"),
    ("backup", "copy.db"),
    ("prune", "--older-than", "1d", "--yes"),
    ("receipt", "show", "gen-x"),
)

# Forks for each line of its standard input, runs its commands in the child, and writes down how
# each ended. What all of them import is imported once.
PLAYER = """
import functools, json, os, sys
import typer.testing
import seekroute.gateway, seekroute.ledger, seekroute.server.runner
from seekroute.cli.root import app
from seekroute.config import packaged_catalog
from seekroute.control import ControlPlane

def started(*_):
    raise AssertionError("it has started")

def play(job):
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environ"])
    found = []
    for words in job["commands"]:
        result = typer.testing.CliRunner().invoke(app, words)
        odd = result.exception is not None and not isinstance(result.exception, SystemExit)
        found.append([result.exit_code, result.output, repr(result.exception) if odd else ""])
    print(json.dumps(found), flush=True)

seekroute.server.runner._run = started
typer.testing._get_command = functools.cache(typer.testing._get_command)
packaged_catalog()
for line in sys.stdin:
    child = os.fork()
    if not child:
        play(json.loads(line))
        os._exit(0)
    os.waitpid(child, 0)
    print("done", flush=True)
"""


def missing(folder: Path) -> str:
    """In a folder that may not be written."""
    (folder / "shut").mkdir(mode=0o500)
    return str(folder / "shut/data")


def a_file(folder: Path) -> str:
    (folder / "data").write_text("x")
    return str(folder / "data")


def below_a_file(folder: Path) -> str:
    (folder / "file").write_text("x")
    return str(folder / "file/data")


def unreadable(folder: Path) -> str:
    (folder / "data").mkdir(mode=0)
    return str(folder / "data")


def below_an_unreadable_one(folder: Path) -> str:
    (folder / "shut").mkdir(mode=0)
    return str(folder / "shut/data")


def read_only(folder: Path) -> str:
    (folder / "data").mkdir(mode=0o500)
    return str(folder / "data")


def a_loop(folder: Path) -> str:
    (folder / "data").symlink_to("data")
    return str(folder / "data")


def below_a_loop(folder: Path) -> str:
    (folder / "loop").symlink_to("loop")
    return str(folder / "loop/data")


def a_link_to_nowhere(folder: Path) -> str:
    (folder / "data").symlink_to("nowhere")
    return str(folder / "data")


def not_utf_8(folder: Path) -> str:
    return str(folder / "d\udcff")


def half_a_character(folder: Path) -> str:
    return str(folder / "d\ud800")


def in_proc(folder: Path) -> str:
    return "/proc/x"


def a_device(folder: Path) -> str:
    return "/dev/null"


def too_long(folder: Path) -> str:
    return str(folder / ("x" * 300))


BAD: tuple[tuple[Callable[[Path], str], str], ...] = (
    (missing, "cannot be written"),
    (a_file, "is not a folder"),
    (below_a_file, "is not a folder"),
    (unreadable, "cannot be "),
    (below_an_unreadable_one, "Permission denied"),
    (read_only, "cannot be written"),
    (a_loop, "symbolic links"),
    (below_a_loop, "symbolic links"),
    (a_link_to_nowhere, "leads nowhere"),
    (not_utf_8, "UTF-8"),
    (half_a_character, "UTF-8"),
    (in_proc, "no place for files"),
    (a_device, "is not a folder"),
    (too_long, "File name too long"),
)


def obey_modes() -> None:
    """Takes from root what lets it ignore the modes of files."""
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


class Player:
    """A process that obeys the modes of files, and runs commands in children of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def played(self, commands: tuple[tuple[str, ...], ...]) -> Any:
        """How each ended, in the working directory and the environment of this moment."""
        job = {"folder": os.getcwd(), "environ": dict(os.environ), "commands": commands}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        lines = list(iter(self._process.stdout.readline, "done\n"))
        assert len(lines) == 1, lines
        return json.loads(lines[0])


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PLAYER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=obey_modes,
        env={**os.environ, "PYTHONPATH": str(Path(seekroute.__file__).parents[1])},
    ) as process:
        yield Player(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(PATIENCE) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities and /proc are Linux's")
@pytest.mark.parametrize("given", ["file", "variable"])
@pytest.mark.parametrize(("make", "says"), BAD, ids=lambda each: getattr(each, "__name__", ""))
def test_every_command_says_what_is_wrong_with_a_data_dir(
    make: Callable[[Path], str],
    says: str,
    given: str,
    player: Player,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unconfigure(monkeypatch, tmp_path)
    path = make(tmp_path)
    if given == "file":
        Path("seekroute.json").write_text(json.dumps({"data_dir": path}))
        monkeypatch.setenv("SEEKROUTE_CONFIG", "seekroute.json")
    elif make is half_a_character:
        pytest.skip("no variable can have it")
    else:
        monkeypatch.setenv("SEEKROUTE_DATA_DIR", path)
    for words, (code, output, odd) in zip(COMMANDS, player.played(COMMANDS), strict=True):
        told = f"{' '.join(words)}: {code}\n{output}\n{odd}"
        assert not odd, told
        assert "Traceback" not in output, told
        # One that may be read is no wrong one: what cannot be done in it is another failure.
        reads = make is read_only and words[0] not in ("serve", "config")
        assert code == (1 if words[0] == "doctor" or reads else 2), told
        if reads and re.search("no ledger|pepper|no data directory", output):
            continue  # it has nothing to read there
        assert says in output, told
        if words[0] not in ("doctor", "config"):
            assert len(output.strip().splitlines()) == 1, told
