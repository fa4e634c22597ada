"""Ratings over sockets: who may give one, what it changes, and what is kept of a prompt."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import seekroute
from eventually import eventually
from seekroute.config import load_settings
from seekroute.errors import ConfigError
from seekroute.learning import LearningError, RatingBook
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


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, upstream: MockProvider
) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("learning")
    with running_server(folder, **settings_for(upstream)) as server:
        yield server


def told(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status, error["code"], error["param"]


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        (b"{", "invalid_json", None),
        (b"[]", "invalid_json", None),
        ({"score": 1}, "missing_required_parameter", "generation_id"),
        ({"generation_id": "gen-1"}, "missing_required_parameter", "score"),
        ({"generation_id": "gen-1", "score": True}, "invalid_type", "score"),
        ({"generation_id": "gen-1", "score": "1"}, "invalid_type", "score"),
        ({"generation_id": "gen-1", "score": 1.5}, "invalid_value", "score"),
        ({"generation_id": "gen-1", "score": -1}, "invalid_value", "score"),
        (b'{"generation_id": "gen-1", "score": NaN}', "invalid_value", "score"),
        ({"generation_id": 7, "score": 1}, "invalid_type", "generation_id"),
        ({"generation_id": "g" * 201, "score": 1}, "invalid_value", "generation_id"),
        ({"generation_id": "gen-1", "score": 1, "comment": "x" * 1001}, "invalid_value", "comment"),
        ({"generation_id": "gen-1", "score": 1, "stars": 5}, "unknown_parameter", None),
    ],
)
def test_a_rating_that_is_none_is_refused(
    gateway: RunningServer, given: Any, code: str, param: str | None
) -> None:
    assert told(post(gateway, "/v1/feedback", given)) == (400, code, param)


def test_less_than_nothing_is_nothing(gateway: RunningServer) -> None:
    given = b'{"generation_id": "%s", "score": -0.0}' % ask(gateway)["id"].encode()
    assert b"-" not in post(gateway, "/v1/feedback", given).body.rpartition(b"score")[2]


def test_what_was_not_chosen_cannot_be_rated(gateway: RunningServer) -> None:
    body = {"model": DEAR, "messages": [{"role": "user", "content": "Hello!"}]}
    named = post(gateway, "/v1/chat/completions", body).json()
    for generation in (named["id"], "gen-nobodys"):
        refused = rate(gateway, generation_id=generation, score=1)
        assert told(refused) == (404, "not_found", "generation_id")
    body = b"x" * 20_000
    assert post(gateway, "/v1/feedback", body).status == 413


def test_nobody_rates_what_another_organization_asked(gateway: RunningServer) -> None:
    gateway.service.control.orgs.create("others")
    other = gateway.another_key("others")
    answer = ask(gateway)
    given = {"generation_id": answer["id"], "score": 0}
    assert told(post(gateway, "/v1/feedback", given, other))[0] == 404
    assert post(gateway, "/v1/feedback", given).status == 200


@pytest.mark.parametrize("wish", [{"zdr": True}, {"provider": {"data_collection": "deny"}}])
def test_nothing_is_kept_of_who_asks_for_that(
    tmp_path: Path, upstream: MockProvider, wish: dict[str, Any]
) -> None:
    settings = settings_for(upstream)
    for model in settings["models"]:
        model["endpoints"][0]["data"] = {"collects": False, "zdr": "yes"}
    with running_server(tmp_path, **settings) as server:
        answer = ask(server, **wish)
        assert rate(server, generation_id=answer["id"], score=1).status == 404


def test_speaks_openrouters_words(gateway: RunningServer) -> None:
    path = "/api/v1/generation/feedback"
    answer = ask(gateway)
    given = {"generation_id": answer["id"], "category": "incorrect_response", "comment": "No!"}
    taken = post(gateway, path, given)
    assert (taken.status, taken.json()) == (200, {"data": {"success": True}})
    assert post(gateway, path, {**given, "category": "latency"}).status == 200
    assert post(gateway, path, {**given, "category": "colour"}).status == 400
    assert post(gateway, path, {"generation_id": answer["id"]}).status == 400


def test_the_client_rates(gateway: RunningServer) -> None:
    with seekroute.Client(api_key=gateway.key, base_url=gateway.base_url) as client:
        answer = client.ask("Hello!", "auto")
        client.feedback(answer.id, 0.5, comment="so-so")
        with pytest.raises(seekroute.BadRequestError):
            client.feedback(answer.id, 7)
        with pytest.raises(seekroute.NotFoundError, match="no such generation"):
            client.feedback("gen-nobodys", 1)


def test_a_gateway_that_does_not_learn_takes_no_ratings(
    tmp_path: Path, upstream: MockProvider
) -> None:
    settings = settings_for(upstream, enabled=False)
    with running_server(tmp_path, **settings) as server:
        answer = ask(server)
        refused = rate(server, generation_id=answer["id"], score=1)
        assert told(refused)[:2] == (404, "not_found")
        assert "routing.auto.learning.enabled" in refused.json()["error"]["message"]
    assert not (tmp_path / "router.db").exists()


def test_a_file_that_cannot_be_used_stops_no_request(
    tmp_path: Path, upstream: MockProvider
) -> None:
    (tmp_path / "router.db").write_bytes(b"no database" * 1000)
    with running_server(tmp_path, **settings_for(upstream)) as server:
        answer = ask(server)
        assert told(rate(server, generation_id=answer["id"], score=1))[0] == 503
        checks = server.request("GET", "/readyz?verbose").json()
        assert checks["checks"]["learning"] == "warning"
        assert "move it away" in checks["reasons"]["learning"]
        (tmp_path / "router.db").unlink()
        eventually(lambda: server.service.checks()["learning"].state == "ok")
        answer = ask(server)
        assert rate(server, generation_id=answer["id"], score=1).status == 200


def test_other_models_are_drawn_now_and_then(tmp_path: Path, upstream: MockProvider) -> None:
    with running_server(tmp_path, **settings_for(upstream, explore=0.2)) as server:
        models = [ask(server)["model"] for _ in range(120)]
        metrics = server.request("GET", "/metrics").body.decode()
    assert 2 <= models.count(CHEAP) <= 30
    assert "seekroute_auto_choices" in metrics
    with RatingBook(tmp_path, make=False) as book:
        assert book.counts() == (120, 0)


def test_a_balance_holds_what_may_be_spent(tmp_path: Path, upstream: MockProvider) -> None:
    settings = settings_for(upstream)
    settings["models"][0]["endpoints"][0]["price"] = {"input": "5", "output": "5"}
    auto = settings["routing"]["auto"]
    auto |= {"strategy": "balanced", "cost_weight": 0, "spending": {"dearest_share": 0}}
    with running_server(tmp_path, **settings) as server:
        assert ask(server)["model"] == DEAR
        for _ in range(50):
            ask(server)
        eventually(lambda: ask(server)["model"] == CHEAP)
        assert b"seekroute_auto_cost_weight 0.0" in server.request("GET", "/metrics").body


@pytest.mark.parametrize(
    ("spending", "why"),
    [
        ({"dearest_share": 2}, "at most 1"),
        ({"usd_per_request": "-1"}, "above 0"),
        ({"usd_per_request": "much"}, "not an amount"),
        ({"usd_per_request": 0.002, "dearest_share": 0.5}, "not both"),
    ],
)
def test_a_target_that_is_none_is_refused(spending: dict[str, Any], why: str) -> None:
    auto = {"models": [DEAR], "learning": {"enabled": True}, "spending": spending}
    with pytest.raises(ConfigError, match=why):
        load_settings(None, overrides={"routing": {"auto": auto}}, environ={})


def test_a_target_needs_what_was_chosen() -> None:
    auto = {"models": [DEAR], "spending": {"usd_per_request": 0.002}}
    with pytest.raises(ConfigError, match="learning"):
        load_settings(None, overrides={"routing": {"auto": auto}}, environ={})


def test_what_cannot_be_written_down_is_so_later(
    gateway: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise LearningError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(RatingBook, "add", full)
        answer = ask(gateway)
        refused = rate(gateway, generation_id=answer["id"], score=1)
        assert told(refused)[:2] == (503, "store_unavailable")
    eventually(lambda: rate(gateway, generation_id=answer["id"], score=1).status == 200)


@pytest.mark.parametrize("harm", ["pages", "table", "gone"])
def test_a_file_that_is_damaged_later_stops_no_request_and_no_start(
    tmp_path: Path, upstream: MockProvider, harm: str
) -> None:
    file = tmp_path / "router.db"
    with running_server(tmp_path, **settings_for(upstream)) as server:
        for _ in range(30):
            answer = ask(server)
        assert rate(server, generation_id=answer["id"], score=1).status == 200
        if harm == "gone":
            file.unlink()
            eventually(lambda: server.service.checks()["learning"].state == "ok" and file.exists())
            answer = ask(server)
            assert rate(server, generation_id=answer["id"], score=1).status == 200
            return
    if harm == "pages":
        whole = file.read_bytes()
        file.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
    else:
        with closing(sqlite3.connect(file)) as other:
            other.execute("DROP TABLE rating")
    with running_server(tmp_path, **settings_for(upstream)) as server:
        answer = ask(server)
        assert server.service.checks()["learning"].state == "warning"
        assert rate(server, generation_id=answer["id"], score=1).status == 503
        assert server.request("GET", "/metrics").status == 200


def test_a_locked_file_refuses_ratings_at_once(tmp_path: Path, upstream: MockProvider) -> None:
    with running_server(tmp_path, **settings_for(upstream)) as server:
        answer = ask(server)
        assert rate(server, generation_id=answer["id"], score=1).status == 200
        with closing(sqlite3.connect(tmp_path / "router.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            given = {"generation_id": answer["id"], "score": 1}
            with ThreadPoolExecutor(20) as pool:
                tries = [pool.submit(rate, server, **given) for _ in range(40)]
                assert {each.result().status for each in tries} == {503}
            assert time.monotonic() - began < 15
            other.execute("ROLLBACK")
        eventually(lambda: rate(server, **given).status == 200)


@pytest.mark.parametrize("weights", [b"no weights", None])
def test_learned_weights_that_cannot_be_used_are_left_aside(
    tmp_path: Path, upstream: MockProvider, weights: bytes | None
) -> None:
    with RatingBook(tmp_path) as book:
        book.put_in_force(weights or b"gone", [DEAR, CHEAP], 60, {})
    if weights is None:
        (tmp_path / "router" / "000001.bin").unlink()
    with running_server(tmp_path, **settings_for(upstream)) as server:
        answer = ask(server)
        assert answer["model"] == DEAR
        assert rate(server, generation_id=answer["id"], score=1).status == 200
        assert server.request("GET", "/metrics").status == 200
