"""A server that makes weights of its ratings, and commands that look at them and take them back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from eventually import eventually
from rated_requests import STRONG, WEAK, fill
from seekroute.cli.root import app
from seekroute.learning import RatingBook
from seekroute.testing import MockProvider
from serving import RunningServer, running_server


def settings_for(mock: MockProvider) -> dict[str, Any]:
    models = [
        {
            "id": model_id,
            "context": 1_000_000,
            "endpoints": [
                {"provider": "up", "model": "up", "price": {"input": price, "output": price}}
            ],
        }
        for model_id, price in ((WEAK, "1"), (STRONG, "10"))
    ]
    return {
        "providers": {"up": {"base_url": mock.base_url, "allow_http": True, "allow_private": True}},
        "models": models,
        "routing": {
            "auto": {"models": [WEAK, STRONG], "learning": {"enabled": True, "explore": 0}}
        },
    }


def choice(server: RunningServer) -> Any:
    """How a question that only the strong model answers well is routed."""
    text = "lemma theorem topology manifold cohomology functor lemma theorem"
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    headers = {"Content-Type": "application/json", "X-Seekroute-Explain": "1"}
    answer = server.request("POST", "/v1/chat/completions", json.dumps(body).encode(), headers)
    return answer.json()["seekroute"]["auto"]


def rate_new_answers(server: RunningServer) -> None:
    """Rates answers to prompts, of which at least one is not kept aside."""
    headers = {"Content-Type": "application/json"}
    for number in range(8):
        body = {"model": "auto", "messages": [{"role": "user", "content": f"planet {number}"}]}
        path, data = "/v1/chat/completions", json.dumps(body).encode()
        answer = server.request("POST", path, data, headers).json()
        rated = json.dumps({"generation_id": answer["id"], "score": 1}).encode()
        assert server.request("POST", "/v1/feedback", rated, headers).status == 200


def command(config: Path, *words: str) -> Any:
    result = CliRunner().invoke(
        app, ["--config", str(config), "router", *words, "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_a_server_learns_and_is_taken_back(tmp_path: Path) -> None:
    with MockProvider() as mock:
        settings = settings_for(mock)
        config = tmp_path / "seekroute.yaml"
        home = tmp_path / "data"
        home.mkdir()
        config.write_text(json.dumps({**settings, "data_dir": str(home)}))
        with RatingBook(home) as book:
            fill(book, 500, pairs=False)
        with running_server(home, **settings) as server:
            eventually(lambda: choice(server)["revision"] is not None, patience=120)
            learned = choice(server)
            assert learned["models"][0]["model"] == STRONG
            (version,) = command(config, "versions")
            assert (version["version"], version["state"]) == (1, "in_force")
            assert version["loss"] < version["against"]
            replayed = command(config, "replay", "--policies", "quality")
            assert [row["policy"] for row in replayed] == ["as it was", "quality"]
            assert replayed[1]["score"] > replayed[0]["score"]
            told = command(config, "rollback")
            assert told == {"rolled_back": 1, "in_force": None}
            eventually(lambda: choice(server)["revision"] is None)
            again = command(config, "refit")
            assert (again["version"], again["state"]) == (2, "in_force")
            eventually(lambda: choice(server)["revision"] is not None)
            rate_new_answers(server)
            eventually(lambda: "learned through rating " in choice(server)["revision"])
            command(config, "rollback")
            eventually(lambda: choice(server)["revision"] is None)
            assert len(command(config, "ratings", "-n", "7")) == 7


def test_commands_say_what_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "seekroute.yaml"
    config.write_text(json.dumps({"data_dir": str(tmp_path / "data")}))
    (tmp_path / "data").mkdir()
    for words in (["versions"], ["rollback"], ["ratings"]):
        result = CliRunner().invoke(app, ["--config", str(config), "router", *words])
        assert result.exit_code == 1
        assert "routing.auto.learning.enabled" in result.output
    for words in (["refit"], ["replay"]):
        result = CliRunner().invoke(app, ["--config", str(config), "router", *words])
        assert result.exit_code == 1
        assert "routing.auto.models" in result.output
    result = CliRunner().invoke(app, ["router", "replay", "--policies", "best"])
    assert result.exit_code == 2
