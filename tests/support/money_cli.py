"""What the tests of the commands for money share."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import rich.console
from typer.testing import CliRunner

import seekroute
from seekroute.cli.root import app
from seekroute.control import ControlPlane
from seekroute.ledger import FILE_NAME, Balance, Ledger
from serving import RunningServer


def clear(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Nothing is configured but the data directory, `folder`/data, with nobody in it."""
    for name in list(os.environ):
        if name.startswith("SEEKROUTE_") or name in {"FORCE_COLOR", "TTY_COMPATIBLE"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("SEEKROUTE_DATA_DIR", str(folder / "data"))
    # Commands started in processes of their own find the same package.
    monkeypatch.setenv("PYTHONPATH", str(Path(seekroute.__file__).parents[1]))
    monkeypatch.chdir(folder)
    ControlPlane(folder / "data").close()  # commands make no data directory


def paid(folder: Path) -> Path:
    """After `clear()`: the data directory, in which acme has paid 5."""
    run_json("orgs", "create", "acme")
    run("credits", "add", "acme", "5", "--id", "stripe:evt_1")
    return folder / "data"


def run(*words: str, code: int = 0, stdin: str | None = None) -> Any:
    """Runs a command in this process, which has to end with `code`."""
    result = CliRunner().invoke(app, words, input=stdin, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def on_terminal(*words: str, width: int = 80) -> list[str]:
    """Runs a command as if its output were a terminal of `width` columns; the lines of tables."""
    out = io.StringIO()
    plain = rich.console.Console

    def console() -> Any:
        return plain(file=out, force_terminal=True, color_system=None, width=width)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rich.console, "Console", console)
        run(*words)
    return out.getvalue().splitlines()


def run_json(*words: str, code: int = 0) -> Any:
    """What a command prints with --json."""
    return json.loads(run(*words, "--json", code=code).stdout)


def command(*words: str) -> subprocess.Popen[str]:
    """Starts a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "seekroute", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # One that is interrupted while it does would say so before anything of its own.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def balance_of(data_dir: Path, org: str) -> Balance:
    """Of an organization, by id, as the file has it."""
    with Ledger(data_dir / FILE_NAME, read_only=True) as ledger:
        return ledger.balance(org)


def asked(server: RunningServer) -> str:
    """Makes one paid request of the organization `default`; its generation id."""
    run_json("credits", "add", "default", "5")
    answer = server.chat()
    assert answer.status == 200
    return str(answer.json()["id"])
