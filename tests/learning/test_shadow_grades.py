"""Shadow pairs that are graded: by a program, and by a model that is asked in either order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventually import eventually
from graders import grader
from seekroute.config import load_settings
from seekroute.errors import ConfigError
from seekroute.learning import RatingBook
from seekroute.testing import MockProvider, Text
from serving import RunningServer, running_server

WEAK, STRONG, JUDGE = "acme/weak", "acme/strong", "acme/judge"
MOST_TRIES = 200  # of which a fifth is drawn


@pytest.fixture
def upstream() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


def settings_for(mock: MockProvider, **grader: Any) -> dict[str, Any]:
    models = [
        {
            "id": each,
            "context": 100_000,
            "endpoints": [
                {"provider": "up", "model": each[5:], "price": {"input": "1", "output": "2"}}
            ],
        }
        for each in (WEAK, STRONG, JUDGE)
    ]
    return {
        "providers": {"up": {"base_url": mock.base_url, "allow_http": True, "allow_private": True}},
        "models": models,
        "routing": {
            "auto": {
                "models": [{"model": STRONG, "quality": 0.8}, {"model": WEAK, "quality": 0.7}],
                "strategy": "quality",
                "learning": {"enabled": True, "explore": 0, "refit": False},
                "shadow": {"share": 0.2, "grader": grader},
            }
        },
    }


def ask(server: RunningServer, **fields: Any) -> Any:
    body = {"model": "auto", "messages": [{"role": "user", "content": "2 + 2?"}], **fields}
    headers = {"Content-Type": "application/json"}
    answer = server.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
    assert answer.status == 200, answer.body
    return answer


def graded(server: RunningServer, count: int = 1) -> None:
    """Asks until so many pairs are graded."""
    for _ in range(MOST_TRIES):
        ask(server)
        if server.service.learning.grading.graded >= count:
            return
    eventually(lambda: server.service.learning.grading.graded >= count)


def shadow_ratings(home: Path) -> dict[str, list[float | None]]:
    found: dict[str, list[float | None]] = {}
    with RatingBook(home, make=False) as book:
        for each in book.last(1000):
            assert (each.source, each.org) == ("shadow", "")
            found.setdefault(each.model, []).append(each.score)
    return found


def test_a_program_grades(tmp_path: Path, upstream: MockProvider) -> None:
    """It finds the second answers, which are those of the weak model, better."""
    with (
        grader(200, b'{"scores": [0.1, 0.9]}') as (url, asked),
        running_server(tmp_path, **settings_for(upstream, webhook=url)) as server,
    ):
        graded(server, 3)
        metrics = server.request("GET", "/metrics").body
        assert b"seekroute_shadow_graded_total" in metrics
        # What was learned of it: the other model is chosen now.
        for _ in range(20):
            graded(server, server.service.learning.grading.graded + 1)
        eventually(lambda: ask(server).json()["model"] == WEAK)
    _, told = asked[0]
    assert [each["model"] for each in told["answers"]] == [STRONG, WEAK]
    found = shadow_ratings(tmp_path)
    assert len(found[WEAK]) == len(found[STRONG])
    assert found[WEAK][-1] == 0.9
    assert found[STRONG][-1] == 0.1


def test_a_program_that_is_away_keeps_no_request_waiting(
    tmp_path: Path, upstream: MockProvider
) -> None:
    settings = settings_for(upstream, webhook="http://127.0.0.1:1/")
    with running_server(tmp_path, **settings) as server:
        for _ in range(MOST_TRIES):
            ask(server)
        eventually(lambda: server.service.learning.grading.failed > 0)
        assert server.service.learning.grading.graded == 0


def test_a_model_grades_in_both_orders(tmp_path: Path, upstream: MockProvider) -> None:
    settings = settings_for(upstream, judge=JUDGE)
    with running_server(tmp_path, **settings) as server:
        verdict = Text('{"first": 9, "second": 1}')
        upstream.on(lambda request: request.json["model"] == "judge", verdict)
        graded(server)
    asked = [each.json for each in upstream.requests if each.json["model"] == "judge"]
    shown = [each["messages"][1]["content"] for each in asked]
    assert len(shown) >= 2
    assert all("2 + 2?" in each for each in shown)
    # A judge that likes what it sees first says nothing of either.
    found = shadow_ratings(tmp_path)
    assert set(found[WEAK]) == set(found[STRONG]) == {0.5}


def test_who_grades_is_checked_at_the_start() -> None:
    def problem(**shadow: Any) -> str:
        auto = {"models": ["openai/gpt-5-mini"], "shadow": {"grader": shadow}}
        auto["learning"] = {"enabled": True}
        with pytest.raises(ConfigError) as caught:
            load_settings(None, overrides={"routing": {"auto": auto}}, environ={})
        return str(caught.value)

    assert "not both" in problem(webhook="http://127.0.0.1/", judge="openai/gpt-5")
    assert "http://" in problem(webhook="ftp://127.0.0.1/")
    assert "no model of this name" in problem(judge="openai/nobody")


def test_half_a_character_costs_no_other_pair(tmp_path: Path, upstream: MockProvider) -> None:
    """A prompt with a lone surrogate, which JSON may have and UTF-8 may not."""
    with (
        grader(200, b'{"scores": [1, 0]}') as (url, asked),
        running_server(tmp_path, **settings_for(upstream, webhook=url)) as server,
    ):
        body = b'{"model":"auto","messages":[{"role":"user","content":"\\ud800 x"}]}'
        headers = {"Content-Type": "application/json"}
        for _ in range(60):
            server.request("POST", "/v1/chat/completions", body, headers)
            ask(server)
        graded(server, 3)
        assert server.service.learning.grading.failed == 0
    assert asked
