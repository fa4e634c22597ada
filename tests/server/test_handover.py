"""`seekroute serve` as its own program: it starts afresh, and keeps only what serves."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from first_starts import first_words
from seekroute.control import ControlPlane, InstanceLock, upgrade_is_due
from seekroute.control.revisions import MIGRATIONS, revisions_in
from seekroute.server import handover
from serving import PATIENCE

_LINUX = pytest.mark.skipif(not handover.is_possible(), reason="this system has no memfd_create")


@contextlib.contextmanager
def program(data_dir: Path, *words: str, **environ: str) -> Iterator[Any]:
    """`seekroute serve` with the mock provider, by its command line."""
    kept = {name: os.environ[name] for name in os.environ if "KEY" not in name}
    command = [sys.executable, "-m", "seekroute", "--data-dir", str(data_dir), "serve"]
    child = subprocess.Popen(
        [*command, "--port", "0", "--mock", "on", "--log-format", "json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**kept, **environ},
        cwd=data_dir.parent,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


@_LINUX
def test_the_program_that_serves_has_no_configuration_in_memory(tmp_path: Path) -> None:
    with program(tmp_path / "data", SEEKROUTE_LOG_LEVEL="warning") as child:
        key, port, curl = first_words(child)  # a first start: the schema was made, too
        asked = subprocess.run(["bash", "-c", curl], capture_output=True, timeout=PATIENCE)
        assert b'"choices"' in asked.stdout
        files = Path(f"/proc/{child.pid}/maps").read_text()
        assert "seekroute/_core" in files
        assert "pydantic_core" not in files
        assert "/yaml/" not in files
        command = Path(f"/proc/{child.pid}/cmdline").read_bytes().split(b"\0")
        assert b"serve" in command  # as an operator sees it, and finds it
        open_files = []
        for file in Path(f"/proc/{child.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                open_files.append(os.readlink(file))
        assert not any("seekroute-plan" in name for name in open_files)
        scrape = f"http://127.0.0.1:{port}/metrics"
        shown = subprocess.run(["curl", "-s", scrape], capture_output=True, timeout=PATIENCE)
        assert b"seekroute_active_requests" in shown.stdout
        child.send_signal(signal.SIGTERM)
        out, log = child.communicate(timeout=PATIENCE)
        assert child.returncode == 0
        assert key not in log + out


@_LINUX
def test_refusals_reach_the_caller(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with program(tmp_path / "data", "--port", port) as child:
            _, said = child.communicate(timeout=PATIENCE)
            assert child.returncode == 2
            assert f"port {port} on 127.0.0.1 is in use" in said
    assert not (tmp_path / "data").exists()
    with InstanceLock(tmp_path / "data"), program(tmp_path / "data") as child:
        _, said = child.communicate(timeout=PATIENCE)
        assert child.returncode == 2
        assert f"in use by another seekroute server (pid {os.getpid()})" in said
    with program(tmp_path / "data", "--profile", "nobody") as child:
        _, said = child.communicate(timeout=PATIENCE)
        assert child.returncode == 2
        assert "profile" in said
        assert "Traceback" not in said


def test_what_serves_imports_neither_schemas_nor_the_command_line() -> None:
    script = (
        "import sys\n"
        "import seekroute.api.table, seekroute.control.plane, seekroute.gateway\n"
        "import seekroute.server.runner, seekroute.plan, seekroute.cli\n"
        "heavy = {'alembic', 'prometheus_client', 'pydantic', 'sqlalchemy.orm', 'typer', 'yaml'}\n"
        "heavy |= {'seekroute.config', 'seekroute.api.schemas', 'starlette'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("value", ["1:3:4", "x", "::", pytest.param(f"{os.getpid()}", id="pid")])
def test_a_variable_left_over_means_nothing(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SEEKROUTE_HANDOVER", value)
    assert handover.resume() is None
    assert "_SEEKROUTE_HANDOVER" not in os.environ


def test_a_program_with_other_arguments_is_not_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["seekroute", "serve", "--nobody-gave-this"])
    assert not handover.is_possible()


def test_the_newest_revision_is_the_one_that_alembic_would_reach() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == revisions_in(MIGRATIONS)[-1]


def test_an_upgrade_is_due_where_opening_would_change_something(tmp_path: Path) -> None:
    assert upgrade_is_due(tmp_path)
    assert not list(tmp_path.iterdir())
    with ControlPlane(tmp_path):
        assert not upgrade_is_due(tmp_path)
    assert not upgrade_is_due(tmp_path)
    (tmp_path / "control.db").write_bytes(b"not a database at all" * 100)
    assert upgrade_is_due(tmp_path)
