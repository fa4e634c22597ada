"""OpenAI's Python SDK, the major line before the newest, in an interpreter of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from checkout import ROOT
from client_report import EXPECTED, check_case, script_mock
from node_clients import PATIENCE_S
from serving import MODEL, RunningServer

SCRIPT = ROOT / "tests/sdk/openai2_script.py"
PYTHON = ROOT / ".sdk" / "openai2" / "bin" / "python"


@pytest.fixture(scope="module")
def report(gateways: Callable[[str], RunningServer]) -> dict[str, Any]:
    """What the script found, all cases run once."""
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON} is absent: script/test makes it")
    server = gateways("seekroute")
    script_mock(server)
    done = subprocess.run(
        [str(PYTHON), str(SCRIPT), server.base_url, server.key, MODEL],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    server.mock.wait_for_abort()  # the stream that the script left
    return found


def test_sdk_is_of_the_older_line(report: dict[str, Any]) -> None:
    assert report["version"].startswith("2.")


@pytest.mark.parametrize("case", EXPECTED)
def test_case(report: dict[str, Any], case: str) -> None:
    check_case(report, case)


def test_asyncio(report: dict[str, Any]) -> None:
    assert report["asyncio"] == "Hello! You said: Hello!"
