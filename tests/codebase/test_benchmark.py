"""The benchmark runs: its programs are built with the tests, and the gateway starts for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT

BUILD = ROOT / "build" / "dev"
OURS = ("seekroute", "seekroute-ledger")


@pytest.mark.skipif(not (BUILD / "load").exists(), reason="build/dev is not built")
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="the benchmark needs two cores")
def test_the_benchmark_measures_the_gateway_with_money_and_without(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "bench" / "run.py"), "--build", str(BUILD)),
            *("--work", str(tmp_path), "--only", ",".join(OURS), "--scenarios", "requests-1"),
            *("--rounds", "1", "--seconds", "1"),
        ],
        capture_output=True,
        text=True,
        timeout=100,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "result.json").read_text())
    assert not result["unavailable"]
    for name in OURS:
        (measured,) = result["rounds"]["requests-1"][name]
        assert measured["answers"] > 0
        assert measured["errors"] == 0
