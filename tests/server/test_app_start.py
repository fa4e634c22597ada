"""`create_app` where the gateway cannot start: clients get an error, the operator gets a reason."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from seekroute.config import load_settings
from seekroute.control import ControlPlane
from seekroute.server import create_app
from seekroute.server.app import App
from seekroute.server.first_start import AGAIN_S
from serving import chat_body


async def ask(app: App, path: str = "/v1/chat/completions") -> tuple[int, dict[bytes, bytes], Any]:
    """Status, headers and JSON of one request, which no server is between."""
    sent: list[Any] = []

    whole = [{"type": "http.request", "body": chat_body(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        while not whole:
            await asyncio.Event().wait()  # the client stays
        return whole.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await app(scope, receive, send)
    body = b"".join(each.get("body", b"") for each in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(body)


def app_of(data_dir: Path, **overrides: Any) -> App:
    settings = load_settings(overrides={"data_dir": str(data_dir), **overrides}, environ={})
    return create_app(settings)


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def a_file(folder: Path) -> App:
    folder.write_text("no folder")
    return app_of(folder)


def below_a_file(folder: Path) -> App:
    folder.write_text("no folder")
    return app_of(folder / "secret-place")


def no_provider(folder: Path) -> App:
    """Customers have paid, and no provider has a key: our own mock must not answer them."""
    with ControlPlane(folder) as control:
        control.orgs.create("acme")
        control.orders.put("topup", org="acme", amount_nano=10**9)
    return app_of(folder)


@pytest.mark.parametrize("broken", [a_file, below_a_file, no_provider])
def test_a_client_gets_an_error_and_the_log_a_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, broken: Any
) -> None:
    app = broken(tmp_path / "private-name")

    async def run() -> None:
        for _ in range(3):
            status, headers, body = await ask(app)
            assert status == 503
            assert headers[b"content-type"] == b"application/json"
            assert int(headers[b"retry-after"]) > 0
            error = body["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert (error["type"], error["code"]) == ("server_error", "store_unavailable")
            assert "whoever runs" in error["message"]
            assert "private-name" not in json.dumps(body)

    asyncio.run(run())
    (line,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    reason = "acme has paid" if broken is no_provider else "private-name"
    assert reason in line.getMessage()
    assert "\n" not in line.getMessage()
    assert line.exc_info is None


def test_it_starts_once_the_cause_is_gone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "data"
    app = a_file(folder)
    now = 100.0
    app.first_start.clock = lambda: now

    async def run() -> None:
        nonlocal now
        assert (await ask(app))[0] == 503
        folder.unlink()
        assert (await ask(app))[0] == 503  # not looked at again so soon
        now += AGAIN_S
        status, _, body = await ask(app)
        assert (status, body["error"]["code"]) == (401, "missing_api_key")
        await app.service.stop()

    asyncio.run(run())
    assert folder.is_dir()


def test_a_new_folder_and_the_mock_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "mistyped"

    async def run(app: App) -> None:
        assert (await ask(app))[0] == 401
        assert (await ask(app))[0] == 401
        await app.service.stop()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run(app_of(folder)))
        said = [each.getMessage() for each in caplog.records if each.name == "seekroute.server"]
        assert len([each for each in said if str(folder) in each and "new data" in each]) == 1
        assert len([each for each in said if "mock provider answers" in each]) == 1
        caplog.clear()
        asyncio.run(run(app_of(folder)))  # it is there now
    assert not any("new data" in each.getMessage() for each in caplog.records)
