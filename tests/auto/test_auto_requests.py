"""`model: auto` over sockets and in process: which model is asked, what is told of the choice, and
what a configuration may say of it."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import seekroute
from choosing import EASY, HARD, MIDDLE, STRONG, WEAK, Choosing, asking, choosing, settings_for
from seekroute.cli.root import app
from seekroute.config import load_settings, prepare
from seekroute.config.differences import differences
from seekroute.errors import ConfigError
from seekroute.gateway import snapshot_problems
from seekroute.plan import Plan
from seekroute.testing import MockProvider, Status

STARS = "planet moon orbit galaxy comet telescope"


def test_the_prompt_decides(chooser: Choosing) -> None:
    assert chooser.model(EASY) == WEAK
    assert chooser.model(HARD) == STRONG
    assert chooser.model(HARD, model="openrouter/auto") == STRONG
    parts = [{"type": "text", "text": HARD}, {"type": "text", "text": "Please."}]
    assert chooser.model(parts) == STRONG
    # Only the last question counts.
    history = [*asking(HARD), {"role": "assistant", "content": "Done."}, *asking(EASY)]
    assert chooser.model(messages=history) == WEAK


def test_a_stream_names_the_choice(chooser: Choosing) -> None:
    answer = chooser.post("/v1/chat/completions", HARD, stream=True)
    chunks = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    assert len(chunks) > 1
    assert {json.loads(each).get("model", STRONG) for each in chunks} == {STRONG}


def test_a_request_may_say_how_to_choose(chooser: Choosing) -> None:
    assert chooser.model(EASY, route="auto/quality") == STRONG
    assert chooser.model(EASY, route="auto/balanced") == WEAK
    tier = {"id": "auto-router", "cost_tier": "high"}
    assert chooser.model(EASY, plugins=[tier]) == STRONG
    refused = chooser.post("/v1/chat/completions", EASY, route="auto/best")
    assert (refused.status, refused.json()["error"]["param"]) == (400, "route")
    for name in ("balanced", "cost", "latency", "quality"):
        assert name in refused.json()["error"]["message"]


def test_patterns_narrow_the_choice(chooser: Choosing) -> None:
    def with_plugin(**members: Any) -> str:
        return chooser.model(EASY, plugins=[{"id": "auto-router", **members}])

    assert with_plugin(allowed_models=["other/*"]) == STRONG
    assert with_plugin(allowed_models=["acme/*"], excluded_models=["*/weak"]) == MIDDLE
    assert with_plugin(allowed_models=["other/*"], enabled=False) == WEAK
    assert with_plugin(allowed_models=["mid*"]) == MIDDLE  # an alias
    nothing = [{"id": "auto-router", "allowed_models": ["nobody/*"]}]
    refused = chooser.post("/v1/chat/completions", EASY, plugins=nothing)
    assert (refused.status, refused.json()["error"]["param"]) == (404, "plugins")
    assert "allow one of those" in refused.json()["error"]["message"]
    wrong = [{"allowed_models": "acme/*", "id": "auto-router"}]
    refused = chooser.post("/v1/chat/completions", EASY, plugins=wrong)
    assert refused.json()["error"]["param"] == "plugins[0].allowed_models"
    # What is another plugin's is no business of the router's.
    assert chooser.model(plugins=[{"id": "web", "allowed_models": 7}]) == WEAK


def test_tools_leave_only_who_has_them(chooser: Choosing) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    assert chooser.model(EASY, tools=tools) == MIDDLE


def test_a_key_keeps_to_its_models(chooser: Choosing) -> None:
    server = chooser.server
    _, key = server.service.control.keys.create(
        "default", name="few", profile="seekroute", prefix="sk-sr-", models=[MIDDLE]
    )
    server.service.sync_keys()
    body = json.dumps({"model": "auto", "messages": asking(HARD)}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    answer = server.request("POST", "/v1/chat/completions", body, headers)
    assert answer.json()["model"] == MIDDLE


def test_the_next_best_answers_where_the_best_fails(chooser: Choosing) -> None:
    chooser.upstream.queue(Status(503))
    # However long the models' answers to the other tests were.
    found = chooser.told(HARD, max_tokens=1)
    assert [each["model"] for each in found["attempts"]] == [STRONG, MIDDLE]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "请逐步证明这个定理 并解释为什么该算法是最优的。" * 50,
        "\ud800 lone",
        "\0\x01",
        " ",
    ],
    ids=["1 MB", "Chinese", "lone surrogate", "control", "space"],
)
def test_any_text_is_answered(chooser: Choosing, text: str) -> None:
    answer = chooser.post("/v1/chat/completions", text)
    assert answer.status == 200, answer.body
    assert answer.json()["model"] in (WEAK, MIDDLE, STRONG)


def test_the_choice_is_told(chooser: Choosing) -> None:
    found = chooser.told(HARD, max_tokens=1)["auto"]
    assert (found["strategy"], found["revision"], found["propensity"]) == ("balanced", None, 1)
    assert 0.6 < found["difficulty"] <= 1
    assert [each["model"] for each in found["models"]] == [STRONG, MIDDLE, WEAK]
    first = found["models"][0]
    assert first["reason"] == "balance"
    assert 0 < first["quality"] < 0.8
    assert first["expected_usd"] > found["models"][1]["expected_usd"] > 0
    assert first["answer_tokens"] == 1
    assert first["score"] > found["models"][1]["score"]
    assert "auto" not in chooser.told(HARD, model=WEAK)


def test_a_quote_chooses_alike(chooser: Choosing) -> None:
    for text in (EASY, HARD):
        quote = chooser.post("/v1/quote", text).json()
        told = chooser.told(text)
        assert quote["model"] == chooser.model(text)
        for each in (*quote["auto"]["models"], *told["auto"]["models"]):
            each.pop("latency_ms")  # which each request teaches
        assert quote["auto"] == told["auto"]


def test_a_client_in_process_chooses_alike(upstream: MockProvider) -> None:
    with seekroute.Client(**settings_for(upstream)) as client:
        for text, expected in ((EASY, WEAK), (HARD, STRONG)):
            answer = client.chat.completions.create(model="auto", messages=asking(text))
            assert answer.model == expected
            routing = client.route(text, model="auto")
            assert routing.candidates[0].model == expected
            assert routing.auto is not None
            assert routing.auto.models[0].model == expected
            assert f"{expected} (quality" in str(routing)


def test_a_command_tells_the_choice(tmp_path: Path, upstream: MockProvider) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(json.dumps(settings_for(upstream)))
    body = json.dumps({"messages": asking(HARD)})
    command = ["--config", str(file), "route", "--model", "auto", "--body", "-"]
    shown = CliRunner().invoke(app, command, input=body, catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    said = (
        rf"chosen by balanced, difficulty 0\.\d\d: {STRONG} \(quality 0\.\d\d, balance\), {MIDDLE}"
    )
    assert re.search(said, shown.stderr), shown.stderr


def test_a_reload_says_what_it_changes(upstream: MockProvider) -> None:
    def plan(**auto: Any) -> Plan:
        return prepare(
            load_settings(None, overrides=settings_for(upstream, **auto), environ={}), {}
        )

    def changes(before: Plan, after: Plan) -> list[tuple[str, str | None, str | None]]:
        return [(each.name, each.was, each.now) for each in differences(before, after).changes]

    assert changes(plan(), plan()) == []
    assert changes(plan(), plan(strategy="cost", models=["weak"])) == [
        ("auto.strategy", "balanced", "cost"),
        ("auto.cost_slack", "0.05", "0.2"),  # no quality is said any more
        ("auto.models", f"{WEAK}, {MIDDLE}, {STRONG}", WEAK),
    ]
    said = [plan(models=[{"model": "weak", "quality": quality}]) for quality in (0.2, 0.1)]
    assert changes(*said) == [("auto.models", None, None)]
    assert changes(plan(), plan(stay=0.1)) == [("auto.stay", "0.0", "0.1")]
    assert changes(plan(models=[]), plan(models=["weak"], cost_slack=0.1))[-1] == (
        "auto.models",
        "none",
        WEAK,
    )


def test_models_that_say_no_quality_have_one_by_price(upstream: MockProvider) -> None:
    overrides = settings_for(upstream, models=[STRONG, WEAK, {"model": MIDDLE}])
    pool = prepare(load_settings(None, overrides=overrides, environ={}), {}).snapshot["auto"]
    assert {row["id"]: round(row["quality"], 9) for row in pool["models"]} == {
        WEAK: 0.6,
        MIDDLE: 0.7,
        STRONG: 0.8,
    }


# --- what was learned -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a model that only knows of food, and one that only knows of stars."""
    draw = random.Random(5)
    words = {
        "cook": ["soup", "bread", "oven", "salt", "recipe", "butter"],
        "stars": ["planet", "orbit", "galaxy", "comet", "telescope", "moon"],
    }
    folder = tmp_path_factory.mktemp("weights")
    outcomes = folder / "outcomes.jsonl"
    with outcomes.open("w") as out:
        for i in range(300):
            kind = ("cook", "stars")[i % 2]
            prompt = " ".join(draw.choice(words[kind]) for _ in range(8)) + f" {i}?"
            scores = {name: int((name == kind) != (draw.random() < 0.03)) for name in words}
            out.write(json.dumps({"prompt": prompt, "scores": scores}) + "\n")
    file = folder / "weights.bin"
    trained = CliRunner().invoke(
        app,
        ["router", "train", str(outcomes), "--models", "cook,stars", "--out", str(file)],
    )
    assert trained.exit_code == 0, trained.output
    return file


def learned(mock: MockProvider, weights: Path, **auto: Any) -> dict[str, Any]:
    """Settings by whose weights `middle` knows of food, and `strong` of stars."""
    pool = [
        {"model": MIDDLE, "quality": 0.7, "trained_as": "cook"},
        {"model": STRONG, "quality": 0.7, "trained_as": "stars"},
    ]
    return settings_for(mock, **{"models": pool, "weights": str(weights), **auto})


def test_what_was_learned_decides(tmp_path: Path, upstream: MockProvider, weights: Path) -> None:
    settings = learned(upstream, weights, strategy="quality")
    with choosing(tmp_path, upstream, **settings) as gateway:
        assert gateway.model("bread, butter and salt: a recipe for the oven") == MIDDLE
        assert gateway.model(STARS) == STRONG
        told = gateway.told("a recipe for soup with salt")["auto"]
        assert told["revision"]
        assert told["models"][0]["quality"] > told["models"][1]["quality"] + 0.2
        # Without a word of either, the cheaper one.
        assert gateway.model("") == MIDDLE


def test_a_reload_takes_over_what_was_learned(
    tmp_path: Path, upstream: MockProvider, weights: Path
) -> None:
    pool = [{"model": MIDDLE, "quality": 0.7}, {"model": STRONG, "quality": 0.7}]
    before = settings_for(upstream, models=pool, strategy="quality")
    with choosing(tmp_path, upstream, **before) as gateway:
        assert gateway.model(STARS) == MIDDLE
        after = load_settings(
            None, overrides=learned(upstream, weights, strategy="quality"), environ={}
        )
        gateway.server.gateway.install(prepare(after, {}).snapshot)
        assert gateway.model(STARS) == STRONG


@pytest.mark.parametrize(
    ("auto", "path", "says"),
    [
        ({"models": ["no/such"]}, "routing.auto.models.0", "no model of this name"),
        ({"models": [{"model": "middel"}]}, "routing.auto.models.0.model", "no model of this name"),
        ({"models": [WEAK], "strategy": "best"}, "routing.auto.strategy", "expected"),
        ({"models": [WEAK], "cost_slack": 0}, "routing.auto.cost_slack", "0.01"),
        ({"models": [WEAK, "weak"]}, "routing.auto.models.1", "list a model once"),
        ({"models": ["text-embedding-3-small"]}, "routing.auto.models.0", "answers no chats"),
        ({"models": [WEAK], "weights": "absent.bin"}, "routing.auto.weights", "cannot be read"),
        ({"models": [WEAK], "weights": "/dev/null"}, "routing.auto.weights", "is no file"),
    ],
)
def test_wrong_settings_are_refused(
    upstream: MockProvider, auto: dict[str, Any], path: str, says: str
) -> None:
    def read() -> None:
        prepare(load_settings(None, overrides=settings_for(upstream, **auto), environ={}), {})

    with pytest.raises(ConfigError) as refused:
        read()
    [problem] = refused.value.problems
    assert problem.path == path
    assert says in f"{problem.message} {problem.hint}"


def test_weights_of_no_use_are_refused(
    tmp_path: Path, upstream: MockProvider, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def problem(file: Path, **auto: Any) -> str:
        overrides = learned(upstream, file, **auto)
        settings = load_settings(None, overrides=overrides, environ={})
        [found] = snapshot_problems(prepare(settings, {}).snapshot)
        assert found.path == "routing.auto.weights"
        return found.message

    damaged = tmp_path / "damaged.bin"
    damaged.write_bytes(weights.read_bytes()[:-1])
    assert "train" in problem(damaged)
    assert "trained_as" in problem(weights, models=[{"model": WEAK}])
    unknown = problem(weights, models=[{"model": WEAK, "trained_as": "cool"}, MIDDLE])
    assert "'cool'" in unknown
    assert "cook, stars" in unknown
    monkeypatch.setattr("seekroute.config.auto_pool._MOST_WEIGHTS", 1000)
    with pytest.raises(ConfigError, match="it is another file"):
        problem(weights)
    damaged.write_bytes(b"")
    with pytest.raises(ConfigError, match="is empty"):
        problem(damaged)
