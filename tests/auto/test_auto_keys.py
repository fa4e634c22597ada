"""The strategy of a key: who says how `auto` chooses, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from choosing import EASY, HARD, STRONG, WEAK, Choosing, asking, choosing, settings_for
from seekroute.cli.root import app
from seekroute.testing import MockProvider


def add_key(gateway: Choosing, strategy: str | None) -> tuple[str, str]:
    """A key's id, and the key."""
    control = gateway.server.service.control
    row, key = control.keys.create(
        "default", name="k", profile="seekroute", prefix="sk-sr-", auto_strategy=strategy
    )
    gateway.server.service.sync_keys()
    return row.id, key


def chosen(gateway: Choosing, key: str, path: str = "/v1/chat/completions", **fields: Any) -> Any:
    """The model, the strategy and whose it is."""
    body = {"model": "auto", "messages": asking(EASY), **fields}
    headers = {
        "Content-Type": "application/json",
        "X-Seekroute-Explain": "1",
        "Authorization": f"Bearer {key}",
    }
    answer = gateway.server.request("POST", path, json.dumps(body).encode(), headers)
    assert answer.status == 200, answer.body
    told = answer.json()
    auto = told.get("seekroute", told)["auto"]
    return told["model"], auto["strategy"], auto["strategy_source"]


def test_the_request_comes_before_its_key_and_that_before_the_settings(chooser: Choosing) -> None:
    _, key = add_key(chooser, "quality")
    low = [{"id": "auto-router", "cost_tier": "low"}]
    for path in ("/v1/chat/completions", "/v1/quote"):
        assert chosen(chooser, key, path) == (STRONG, "quality", "key")
        own = chosen(chooser, key, path, route="auto/balanced")
        assert own == (WEAK, "balanced", "request")
        assert chosen(chooser, key, path, plugins=low)[1:] == ("cost", "request")
        of_nobody = chosen(chooser, chooser.server.key, path)
        assert of_nobody == (WEAK, "balanced", "default")


def test_a_running_server_follows_a_changed_strategy(chooser: Choosing) -> None:
    key_id, key = add_key(chooser, None)
    keys = chooser.server.service.control.keys
    for said, found in (
        ("quality", (STRONG, "quality", "key")),
        ("balanced", (WEAK, "balanced", "key")),
        (None, (WEAK, "balanced", "default")),
    ):
        keys.set_auto_strategy(key_id, said)
        chooser.server.service.sync_keys()
        assert chosen(chooser, key) == found


def test_a_dry_run_as_a_key_has_its_strategy(tmp_path: Path, upstream: MockProvider) -> None:
    settings = settings_for(upstream)
    with choosing(tmp_path, upstream, **settings) as gateway:
        key_id, _ = add_key(gateway, "quality")
        file = tmp_path / "seekroute.yaml"
        file.write_text(json.dumps(settings))
        folder = ["--config", str(file), "--data-dir", str(gateway.server.service.data_dir)]
        command = [*folder, "route", "--model", "auto", "--body", "-", "--as", key_id]
        body = json.dumps({"messages": asking(HARD)})
        shown = CliRunner().invoke(app, command, input=body, catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "chosen by quality, the strategy of the key, difficulty" in shown.output
