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


NESTED = """
set -euo pipefail
cd "$(dirname "$0")/.."
. script/parts.sh
part lint
part "Python tests"
{last}
"""


def ci_run(folder: Path, last: str, environ: dict[str, str]) -> tuple[int, list[list[str]]]:
    """Runs `.ci/run` with stand-ins for what it calls; its exit code and the table at its end."""
    for name in (".ci/run", "script/parts.sh"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    put(folder / "script/test", NESTED.format(last=last))
    put(folder / "script/tidy", "true\n")
    put(folder / "bin/cmake", '[ "$*" != "--build --preset tsan" ]\n')
    done = subprocess.run(
        [folder / ".ci/run"],
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", **environ},
        capture_output=True,
        text=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return done.returncode, rows


def without_times(rows: list[list[str]]) -> list[str]:
    """The names of the parts, and how they ended."""
    return [" ".join(word for word in row if not word.isdigit()) for row in rows]


def test_a_run_that_fails_says_what_its_parts_took(tmp_path: Path) -> None:
    environ = {"TMPDIR": str(tmp_path / "tmp"), "SEEKROUTE_PARTS": ""}
    (tmp_path / "tmp").mkdir()
    code, rows = ci_run(tmp_path, "true", environ)
    assert code == 1
    parts = ["lint", "Python tests", "clang-tidy", "asan build", "tsan build failed", "all"]
    assert without_times(rows) == ["", "part seconds", *parts]
    assert all(any(word.isdigit() for word in row) for row in rows[2:])
    assert not list((tmp_path / "tmp").iterdir())


def test_a_script_within_a_run_adds_its_parts_and_ends_it(tmp_path: Path) -> None:
    environ = {"TMPDIR": str(tmp_path / "tmp"), "SEEKROUTE_PARTS": ""}
    (tmp_path / "tmp").mkdir()
    code, rows = ci_run(tmp_path, "exit 7", environ)
    assert code == 7
    assert without_times(rows) == ["", "part seconds", "lint", "Python tests failed", "all"]


@pytest.mark.parametrize("script", [".ci/run", "script/test"])
def test_what_takes_long_is_part_of_a_table(script: str) -> None:
    text = (ROOT / script).read_text()
    assert ". script/parts.sh\n" in text
    assert len(re.findall(r"^ *part ", text, re.MULTILINE)) >= 5
