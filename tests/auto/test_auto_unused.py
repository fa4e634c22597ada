"""What is said of `auto` and has no effect is warned of: by a check, and at a start."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from choosing import STRONG, choosing, settings_for
from seekroute.cli.root import app
from seekroute.config import load_settings, prepare
from seekroute.errors import ConfigError
from seekroute.testing import MockProvider

LEARNS = {"enabled": True}
JUDGE = {"judge": STRONG}
WEBHOOK = {"webhook": "http://127.0.0.1:1/"}
SPENDS = {"usd_per_request": "0.01"}
ONE = [{"model": STRONG}]


def warnings_of(upstream: MockProvider, **auto: Any) -> tuple[str, ...]:
    overrides = settings_for(upstream)
    overrides["routing"]["auto"] |= auto
    return prepare(load_settings(None, overrides=overrides, environ={}), {}).warnings


@pytest.mark.parametrize(
    ("auto", "at", "why"),
    [
        ({"models": []}, "stay", "routing.auto.models is empty"),
        ({"spending": {}}, "spending", "names nothing that is to be held"),
        (
            {"spending": SPENDS, "strategy": "cost", "learning": LEARNS},
            "spending",
            "routing.auto.strategy is cost, which spending does not change",
        ),
        ({"shadow": {"grader": {}}}, "shadow.grader", "nobody grades"),
        (
            {"shadow": {"grader": JUDGE}, "learning": LEARNS},
            "shadow.grader",
            "shadow.share is 0",
        ),
        (
            {"shadow": {"share": 0.1, "grader": {**JUDGE, "webhook_key_env": "K"}}}
            | {"learning": LEARNS},
            "shadow.grader.webhook_key_env",
            "there is no webhook",
        ),
        ({"models": ONE, "shadow": {"share": 0.1}}, "shadow.share", "has one model"),
        (
            {"models": ONE, "learning": {**LEARNS, "explore": 0.1}},
            "learning.explore",
            "has one model",
        ),
    ],
)
def test_what_has_no_effect_is_told(
    upstream: MockProvider, auto: dict[str, Any], at: str, why: str
) -> None:
    [warning] = warnings_of(upstream, **auto)
    assert f"routing.auto.{at}" in warning
    assert why in warning


@pytest.mark.parametrize(
    "auto",
    [
        {},
        {"spending": SPENDS, "learning": LEARNS},
        {"spending": {"dearest_share": 0}, "learning": LEARNS},
        {"shadow": {"share": 0.1, "grader": JUDGE}, "learning": LEARNS},
        {"shadow": {"share": 0.1}},
        {"models": ONE, "learning": LEARNS},
        {"models": ONE, "shadow": {"share": 0}, "learning": {**LEARNS, "explore": 0}},
    ],
)
def test_what_has_an_effect_is_not(upstream: MockProvider, auto: dict[str, Any]) -> None:
    assert warnings_of(upstream, **auto) == ()


def test_nothing_said_is_nothing_to_warn_of(upstream: MockProvider) -> None:
    overrides = settings_for(upstream)
    overrides["routing"]["auto"] = {}
    assert prepare(load_settings(None, overrides=overrides, environ={}), {}).warnings == ()


def test_a_key_of_a_webhook_that_is_not_set_is_refused(upstream: MockProvider) -> None:
    shadow = {"share": 0.1, "grader": {**WEBHOOK, "webhook_key_env": "GRADER_KEY"}}
    overrides = settings_for(upstream, shadow=shadow, learning=LEARNS)
    settings = load_settings(None, overrides=overrides, environ={})
    with pytest.raises(ConfigError, match="GRADER_KEY is not set"):
        prepare(settings, {})
    assert prepare(settings, {"GRADER_KEY": "k"}).warnings == ()


def test_a_check_tells_it(tmp_path: Path, upstream: MockProvider) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(json.dumps(settings_for(upstream, spending={})))
    shown = CliRunner().invoke(app, ["--config", str(file), "config", "check"])
    assert shown.exit_code == 0, shown.output
    assert "routing.auto.spending" in shown.output


def test_who_is_trusted_and_not_there_is_told_at_the_start(
    tmp_path: Path, upstream: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    learning = {**LEARNS, "trusted": ["default", "acme"]}
    with (
        caplog.at_level(logging.WARNING, "seekroute.server"),
        choosing(tmp_path, upstream, **settings_for(upstream, learning=learning)) as gateway,
    ):
        told = [each for each in caplog.messages if "learning.trusted" in each]
        assert len(told) == 1
        assert "'acme'" in told[0]
        gateway.server.service.control.orgs.create("acme")
        caplog.clear()
        gateway.server.service.learning.adopt(
            prepare(
                load_settings(
                    None, overrides=settings_for(upstream, learning=learning), environ={}
                ),
                {},
            )
        )
        assert not [each for each in caplog.messages if "learning.trusted" in each]
