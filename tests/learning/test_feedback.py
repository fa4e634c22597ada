"""Ratings over sockets: who may give one, what it changes, and what is kept of a prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventually import eventually
from seekroute.learning import RatingBook
from seekroute.testing import MockProvider
from serving import RunningServer, running_server

DEAR, CHEAP = "acme/dear", "acme/cheap"


def settings_for(mock: MockProvider, **learning: Any) -> dict[str, Any]:
    """Two models of one price, the first of which is said to be a little better."""
    models = [
        {
            "id": model_id,
            "context": 1_000_000,
            "endpoints": [
                {"provider": "up", "model": "up", "price": {"input": "1", "output": "1"}}
            ],
        }
        for model_id in (DEAR, CHEAP)
    ]
    pool = [{"model": DEAR, "quality": 0.75}, {"model": CHEAP, "quality": 0.7}]
    return {
        "providers": {"up": {"base_url": mock.base_url, "allow_http": True, "allow_private": True}},
        "models": models,
        "routing": {
            "auto": {
                "models": pool,
                "strategy": "quality",
                "learning": {"enabled": True, "explore": 0, **learning},
            }
        },
    }


@pytest.fixture(scope="module")
def upstream() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


def post(server: RunningServer, path: str, body: Any, key: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return server.request("POST", path, data, headers)


def ask(server: RunningServer, text: str = "Hello!", **fields: Any) -> Any:
    """The answer to a question for `auto`."""
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], **fields}
    answer = post(server, "/v1/chat/completions", body)
    assert answer.status == 200, answer.body
    return answer.json()


def rate(server: RunningServer, **given: Any) -> Any:
    return post(server, "/v1/feedback", given)


def test_a_model_that_is_rated_badly_is_left_for_another(
    tmp_path: Path, upstream: MockProvider
) -> None:
    with running_server(tmp_path, **settings_for(upstream)) as server:
        answer = ask(server)
        assert answer["model"] == DEAR
        for _ in range(8):
            answer = ask(server)
            found = rate(server, generation_id=answer["id"], score=0)
            assert (found.status, found.json()) == (
                200,
                {"generation_id": answer["id"], "score": 0},
            )
        eventually(lambda: ask(server)["model"] == CHEAP)
    with RatingBook(tmp_path, make=False) as book:
        assert len(list(book.rated())) == 8
    # What was learned is there after a restart.
    with running_server(tmp_path, **settings_for(upstream)) as server:
        assert ask(server)["model"] == CHEAP


def test_no_prompt_is_written_down(tmp_path: Path, upstream: MockProvider) -> None:
    with running_server(tmp_path, **settings_for(upstream)) as server:
        answer = ask(server, "The zebra's secret is xylophone.")
        assert rate(server, generation_id=answer["id"], score=1).status == 200
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert b"xylophone" not in file.read_bytes(), file
