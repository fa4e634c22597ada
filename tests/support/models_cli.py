"""What the tests of `seekroute models` share."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plain_http import Answer, answering
from seekroute.cli.root import app
from seekroute.config.catalog import packaged_catalog

CATALOG = packaged_catalog()


def clear(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No provider has a key, nothing is configured, and the working directory is `folder`."""
    keys = {variable for provider in CATALOG.providers.values() for variable in provider.env}
    for name in list(os.environ):
        if name.startswith("SEEKROUTE_") or name in keys or name == "FORCE_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)


def run(*words: str, code: int = 0, stdin: str | None = None) -> Any:
    """Runs `seekroute models`, which has to end with `code`."""
    result = CliRunner().invoke(app, ["models", *words], input=stdin, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def table(result: Any) -> list[list[str]]:
    """What was printed into a pipe."""
    return [line.split("\t") for line in result.stdout.splitlines()]


def rows(result: Any) -> list[dict[str, Any]]:
    """What was printed with --json."""
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def write(text: str, name: str = "seekroute.yaml") -> None:
    """Writes a file of the working directory."""
    Path(name).write_text(text, encoding="utf-8")


_MOVED = {
    "/away": "http://127.0.0.1:9/list.json",
    "/moved": "/list.json",
    "/round": "/round",
}


@contextlib.contextmanager
def files_served(content: str = "", context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serves `content` as /list.json, and redirects, on the port that it gives."""

    def answer(path: str) -> Answer:
        if path in _MOVED:
            return 302, {"Location": _MOVED[path]}, b""
        return (200, {}, content.encode()) if path == "/list.json" else (404, {}, b"")

    with answering(answer, context) as port:
        yield port
