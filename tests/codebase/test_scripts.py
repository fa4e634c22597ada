"""The scripts that build: what fails is said, and nothing goes on after they have ended."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from checkout import ROOT
from serving import PATIENCE


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/usr/bin/env bash\n{text}")
    path.chmod(0o755)


APT = """
case "$*" in
  *" update"*)
    if grep -q security "$WORK/sources.list" && [ "$FAILS" = yes ]; then
      case "$*" in *Error-Mode=any*) echo "E: cannot fetch" >&2; exit 100;; esac
    fi;;
  *--print-uris*)
    if grep -q security "$WORK/sources.list" && [ "$FAILS" = no ]; then echo "uri patched.dsc 1 x"
    else echo "uri plain.dsc 1 x"; fi;;
esac
"""


@pytest.mark.parametrize("fails", [False, True])
def test_a_wheel_without_security_patches_says_so(tmp_path: Path, fails: bool) -> None:
    found = re.search(r"\nfetch\(\) \{.*?\nfi\n", (ROOT / "script/wheel").read_text(), re.DOTALL)
    declared = re.search(
        r"\nsources\(\) \{.*?\n\}\n", (ROOT / "script/wheel").read_text(), re.DOTALL
    )
    assert found is not None
    assert declared is not None
    put(tmp_path / "bin" / "apt-get", APT)
    (tmp_path / "downloads").mkdir()
    given = "set -euo pipefail\nwork=$WORK; keyring=x; apt=(-q)\n"
    script = f'{given}{declared[0]}{found[0]}echo "$versions"'
    done = subprocess.run(
        ["bash", "-c", script],
        env={
            **os.environ,
            "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
            "WORK": str(tmp_path),
            "FAILS": "yes" if fails else "no",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["plain.dsc" if fails else "patched.dsc"]
    assert ("WITHOUT SECURITY PATCHES" in done.stderr) == fails


def test_an_interrupted_bootstrap_ends_its_build(tmp_path: Path) -> None:
    for name in ("bootstrap", "packages.sh"):
        (tmp_path / "script").mkdir(exist_ok=True)
        shutil.copy(ROOT / "script" / name, tmp_path / "script" / name)
    put(tmp_path / "bin" / "dpkg-query", "echo installed\n")
    # A pip, and what it has started.
    put(
        tmp_path / ".venv/bin/python",
        "sleep 600 &\necho $$ $! > started.partial\nmv started.partial started\nwait\n",
    )
    with subprocess.Popen(
        ["script/bootstrap"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        assert b"building" in process.stdout.readline()
        while not (tmp_path / "started").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        # All that it has started holds this pipe: it ends with the last of them.
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
