"""Runs JavaScript with the npm packages of `tests/node`."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from checkout import ROOT

FOLDER = ROOT / "tests/node"
# Reached only when something is broken.
PATIENCE_S = 60.0


def run_node(script: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """Runs a module that may import what `tests/node/package.json` names; returns its stdout.

    Skips the test where there is no Node.js or the packages are not installed.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    packages = FOLDER / "node_modules"
    if not packages.is_dir():
        pytest.skip("tests/node has no packages: run `npm ci` there")
    beside = script.parent / "node_modules"
    if not beside.exists():
        beside.symlink_to(packages, target_is_directory=True)  # where `import` looks for them
    done = subprocess.run(
        [node, str(script), *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
