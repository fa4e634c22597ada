"""What else decides for `model: auto` than the prompt: money, limits, conversations, prices of
nothing; and what is said of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from choosing import EASY, HARD, MIDDLE, STRONG, WEAK, Choosing, asking, choosing, settings_for
from seekroute.config import load_settings, prepare
from seekroute.testing import MockProvider, Status


def test_a_conversation_stays_with_its_model(tmp_path: Path, upstream: MockProvider) -> None:
    settings = settings_for(upstream, stay=0.1, strategy="quality")
    # It is 0.08 worse than the best for an easy prompt.
    settings["routing"]["auto"]["models"][1]["quality"] = 0.74
    talk = [*asking(EASY), {"role": "assistant", "content": "Hello."}, *asking("And now?")]
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    loop = [
        *asking("Look it up."),
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t", "content": "42"},
    ]
    with choosing(tmp_path, upstream, **settings) as gateway:
        others = [{"id": "auto-router", "excluded_models": [STRONG]}]
        for messages in (talk, loop):
            fields = {"messages": messages, "tools": tools}
            assert gateway.model(**fields) == STRONG
            # Once another one has answered it goes on there.
            assert gateway.model(**fields, plugins=others) == MIDDLE
            assert gateway.model(**fields) == MIDDLE
            told = gateway.told(EASY, **fields)["auto"]
            assert [told["models"][0][each] for each in ("model", "reason")] == [MIDDLE, "stayed"]
        # A first question is no conversation, unless it is named.
        assert gateway.model(EASY, plugins=others) == MIDDLE
        assert gateway.model(EASY) == STRONG
        assert gateway.model(EASY, plugins=others, session_id="s") == MIDDLE
        assert gateway.model(HARD, session_id="s") == MIDDLE


def test_what_cannot_be_paid_is_not_chosen(chooser: Choosing) -> None:
    told = chooser.told(HARD, max_cost=0.0005, route="auto/quality")
    assert told["attempts"][0]["model"] == MIDDLE
    assert [each["model"] for each in told["auto"]["models"]] == [MIDDLE, WEAK]
    quote = chooser.post("/v1/quote", HARD, max_cost=0.0005, route="auto/quality").json()
    assert quote["model"] == MIDDLE
    assert [(each["model"], each["reason"]) for each in quote["excluded"]] == [(STRONG, "budget")]
    refused = chooser.post("/v1/chat/completions", HARD, max_cost=1e-6, route="auto/quality")
    assert refused.status == 402
    [needed] = re.findall(r"may cost (\S+) USD", refused.json()["error"]["message"])
    cheapest = chooser.post("/v1/quote", HARD, model=WEAK).json()
    assert float(needed) == pytest.approx(float(cheapest["hold"]["min"]), rel=0.5)


def test_a_model_at_its_limit_is_passed_over(tmp_path: Path, upstream: MockProvider) -> None:
    settings = settings_for(upstream)
    for each in settings["models"]:
        if each["id"] == STRONG:
            each["limits"] = {"requests_per_minute": 0}
    with choosing(tmp_path, upstream, **settings) as gateway:
        assert gateway.model(HARD) == MIDDLE
        refused = gateway.post("/v1/chat/completions", HARD, model=STRONG)
        assert refused.status == 429


def test_a_refusal_for_want_of_a_provider_speaks_of_auto(chooser: Choosing) -> None:
    refused = chooser.post("/v1/chat/completions", HARD, provider={"zdr": True})
    assert refused.status == 404
    error = refused.json()["error"]
    assert "'auto'" in error["message"]
    assert "3 may keep data" in error["message"]
    assert error["availability"]["model"] == "auto"


def test_where_nobody_can_be_asked_auto_is_named(tmp_path: Path, upstream: MockProvider) -> None:
    with choosing(tmp_path, upstream, **settings_for(upstream)) as gateway:
        upstream.queue(Status(401))
        gateway.post("/v1/chat/completions", HARD)  # the key of the provider is dead
        refused = gateway.post("/v1/chat/completions", HARD)
        assert refused.status == 503
        error = refused.json()["error"]
        assert "no provider of 'auto' can be asked at present: 3 refused" in error["message"]
        assert error["availability"]["model"] == "auto"


def test_what_is_free_is_chosen_first(tmp_path: Path, upstream: MockProvider) -> None:
    settings = settings_for(upstream)
    settings["models"][1]["endpoints"][0]["price"] = {"input": "0", "output": "0"}
    with choosing(tmp_path, upstream, **settings) as gateway:
        upstream.queue(Status(503))
        body = json.dumps(
            {"model": "auto:free", "models": ["auto"], "messages": asking(HARD)}
        ).encode()
        headers = {"Content-Type": "application/json", "X-Seekroute-Explain": "1"}
        answer = gateway.server.request("POST", "/v1/chat/completions", body, headers)
        attempts = answer.json()["seekroute"]["attempts"]
        assert [each["model"] for each in attempts] == [MIDDLE, STRONG]


def test_guesses_leave_room_to_save(upstream: MockProvider) -> None:
    def slack(name: str = "cost_slack", **auto: Any) -> float | None:
        overrides = settings_for(upstream, **auto)
        pool = prepare(load_settings(None, overrides=overrides, environ={}), {}).snapshot["auto"]
        found: float | None = pool[name]
        return found

    assert slack(models=[WEAK, STRONG]) == pytest.approx(0.2)
    assert slack(models=[WEAK, {"model": STRONG, "quality": 0.8}]) == 0.05
    assert slack(models=[WEAK, STRONG], cost_slack=0.1) == 0.1
    # Guesses give way to what is learned, what was said does not.
    assert slack("learned_slack", models=[WEAK, STRONG]) == 0.05
    assert slack("learned_slack", models=[WEAK, STRONG], cost_slack=0.1) is None
    assert slack("learned_slack", models=[WEAK, {"model": STRONG, "quality": 0.8}]) is None
