"""The choice in the header `x-seekroute-route`: on answers, streams and errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from choosing import EASY, HARD, MIDDLE, STRONG, WEAK, Choosing, asking, choosing, settings_for
from seekroute.testing import MockProvider, Status

NAME = "x-seekroute-route"


def ask(
    gateway: Choosing, text: str = HARD, *, key: str = "", repeat: str = "", **fields: Any
) -> Any:
    """What is answered, not told how it was routed."""
    body = json.dumps({"model": "auto", "messages": asking(text), **fields}).encode()
    headers = {"Content-Type": "application/json"}
    if repeat:
        headers["Idempotency-Key"] = repeat
    headers["Authorization"] = f"Bearer {key or gateway.server.key}"
    return gateway.server.request("POST", "/v1/chat/completions", body, headers)


def test_answers_and_streams_have_the_choice(chooser: Choosing) -> None:
    for stream in (False, True):
        answer = chooser.post("/v1/chat/completions", HARD, stream=stream)
        assert answer.status == 200
        found = re.fullmatch(
            rf'model="{STRONG}", quality=(0\.\d{{1,3}}), expected_usd="(\d+\.\d+)", '
            r"reason=balance, propensity=1, strategy=balanced",
            answer.headers[NAME],
        )
        assert found, answer.headers[NAME]
        if not stream:
            told = answer.json()["seekroute"]["auto"]["models"][0]
            assert abs(float(found[1]) - told["quality"]) <= 0.0005
            assert float(found[2]) == told["expected_usd"]
    own = ask(chooser, EASY, route="auto/cost").headers[NAME]
    assert own.startswith(f'model="{WEAK}", ')
    assert own.endswith(", strategy=cost")


def test_who_names_a_model_gets_none(chooser: Choosing) -> None:
    assert NAME not in ask(chooser, model=WEAK).headers
    assert NAME not in ask(chooser, model="acme/none").headers


def test_errors_have_it_once_a_model_was_chosen(chooser: Choosing) -> None:
    chooser.upstream.queue(Status(400))
    failed = ask(chooser)
    assert failed.status == 400
    assert f'model="{STRONG}"' in failed.headers[NAME]
    nothing = [{"id": "auto-router", "allowed_models": ["nobody/*"]}]
    refused = ask(chooser, plugins=nothing)
    assert (refused.status, NAME in refused.headers) == (404, False)
    assert NAME not in ask(chooser, route="auto/best").headers


def test_a_refusal_for_want_of_money_has_it(tmp_path: Path, upstream: MockProvider) -> None:
    settings = settings_for(upstream)
    with choosing(tmp_path, upstream, **settings, credits={"enabled": True}) as gateway:
        gateway.server.service.control.orgs.set_credit_line("default", 0)
        gateway.server.service.sync_keys()
        refused = ask(gateway)
        assert refused.status == 402
        assert "model=" in refused.headers[NAME]


def test_it_tells_the_choice_and_not_who_stood_in(chooser: Choosing) -> None:
    chooser.upstream.queue(Status(503))
    answer = ask(chooser, route="auto/quality")
    assert answer.status == 200, answer.body
    assert answer.headers["x-seekroute-model"] == MIDDLE
    assert f'model="{STRONG}"' in answer.headers[NAME]


def test_what_is_answered_again_has_the_first_choice(
    tmp_path: Path, upstream: MockProvider
) -> None:
    settings = settings_for(upstream)
    with choosing(tmp_path, upstream, **settings, credits={"enabled": True}) as gateway:
        keys = gateway.server.service.control.keys
        row, key = keys.create(
            "default", name="k", profile="seekroute", prefix="sk-sr-", store_answers=True
        )
        gateway.server.service.sync_keys()
        first = ask(gateway, EASY, key=key, repeat="1")
        assert f'model="{WEAK}"' in first.headers[NAME]
        keys.set_auto_strategy(row.id, "quality")  # another choice by now
        gateway.server.service.sync_keys()
        again = ask(gateway, EASY, key=key, repeat="1")
        assert again.status == 200, again.body
        assert again.headers["x-seekroute-idempotent-replay"] == "true"
        assert again.headers[NAME] == first.headers[NAME]


def test_a_profile_that_shows_no_costs_shows_none_here(
    tmp_path: Path, upstream: MockProvider
) -> None:
    settings = settings_for(upstream)
    with choosing(tmp_path, upstream, **settings, profile="router9") as gateway:
        told = ask(gateway).headers[NAME]
    assert f'model="{STRONG}", quality=' in told
    assert "usd" not in told
