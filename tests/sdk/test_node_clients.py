"""Clients of Node.js: the npm package `openai`, and fetch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from client_report import EXPECTED, check_case, script_mock
from node_clients import FOLDER, run_node
from serving import MODEL, RunningServer


@pytest.fixture(scope="module", params=["openai", "fetch"])
def report(
    request: pytest.FixtureRequest, gateways: Callable[[str], RunningServer]
) -> dict[str, Any]:
    """What one client found, all cases run once."""
    server = gateways("seekroute")
    script_mock(server)
    printed = run_node(FOLDER / "clients.mjs", request.param, server.base_url, server.key, MODEL)
    found: dict[str, Any] = json.loads(printed)
    server.mock.wait_for_abort()  # the stream that the program left
    return found


@pytest.mark.parametrize("case", EXPECTED)
def test_case(report: dict[str, Any], case: str) -> None:
    check_case(report, case)


def test_package_is_what_the_lock_file_names(report: dict[str, Any]) -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    assert report["version"] == lock["packages"]["node_modules/openai"]["version"]
