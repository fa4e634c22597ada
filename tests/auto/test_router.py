"""`seekroute.Router`: what it learns, says, measures, draws and shows."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seekroute
from seekroute import auto
from seekroute.auto.router import excerpt_of
from seekroute.errors import SeekrouteError


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """The weak model is right where a prompt is short."""
    draw = np.random.default_rng(seed)
    found = []
    for i in range(count):
        long = draw.random() < 0.5
        found.append(
            {
                "prompt": f"{i} " + "apples and pears " * (20 if long else 2),
                "weak": int(draw.random() < (0.2 if long else 0.9)),
                "strong": int(draw.random() < 0.95),
            }
        )
    return found


@pytest.fixture(scope="module")
def router() -> seekroute.Router:
    return seekroute.Router().fit(rows(300))


def test_it_explains_a_prompt_by_name(router: seekroute.Router) -> None:
    explanation = router.explain("Why is the sky blue?\nProve it in 3 steps!")
    features = explanation.features
    assert (features["words"], features["lines"], features["question_marks"]) == (10, 2, 1)
    assert (features["numbers"], features["reasoning"]) == (1, 2)
    assert features["digit_share"] == pytest.approx(1 / 41)
    assert len(features) == 27
    weak, strong = explanation.models
    assert (weak.name, strong.name) == ("weak", "strong")
    assert set(weak.members) == set(strong.members) <= set(("linear", "trees", "neighbours"))
    assert weak.rank == 0
    assert f"worth more here than for {strong.rank:.0%} of the prompts" in explanation.reason


def test_it_says_what_the_core_says(router: seekroute.Router, tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    router.save(file)
    scores = auto.Scorer(file.read_bytes(), auto.shipped_vectors()).score([b"apples " * 40])
    weak, strong = router.explain("apples " * 40).models
    assert [weak.quality, strong.quality] == scores.quality[0].tolist()
    assert strong.rank == scores.ranks[0, 1]
    short = router.explain("apples")
    assert weak.quality < short.models[0].quality - 0.3
    assert strong.rank > short.models[1].rank


def test_the_core_decides_by_quality_and_cost(router: seekroute.Router) -> None:
    costs = {"weak": "0.0001", "strong": 0.01}
    long, short = "apples and pears " * 20, "apples and pears"
    found = {
        (text, strategy): router.decide(text, strategy=strategy, costs=costs).model
        for text in (long, short)
        for strategy in ("quality", "balanced")
    }
    # What the weak model fails at is worth the strong one, and nothing else is.
    assert found[long, "quality"] == found[long, "balanced"] == "strong"
    assert found[short, "balanced"] == "weak"
    decision = router.decide([{"role": "user", "content": long}], costs=costs)
    assert decision.strategy == "balanced"
    assert {each.model: each.cost for each in decision.verdicts} == {
        "weak": Decimal("0.0001"),
        "strong": Decimal("0.01"),
    }
    assert decision.verdicts[0].score >= decision.verdicts[1].score
    # What is better and cheaper is asked by any strategy.
    for strategy in auto.scoring.STRATEGIES:
        assert (
            router.decide(long, strategy=strategy, costs={"weak": 1, "strong": 1}).model == "strong"
        )
    assert "strong" in str(seekroute.shown.bundle(decision)["text/plain"])
    free = router.decide(short, costs={"weak": -0.0, "strong": "-0"})
    assert not any(each.cost.is_signed() for each in free.verdicts)


def test_a_decision_by_the_catalogs_prices() -> None:
    rated = [
        {"prompt": row["prompt"], "scores": {"gpt-4o-mini": row["weak"], "gpt-4o": row["strong"]}}
        for row in rows(60)
    ]
    router = seekroute.Router().fit(rated, models=["gpt-4o-mini", "gpt-4o"])
    costs = {each.model: each.cost for each in router.decide("apples").verdicts}
    assert 0 < costs["gpt-4o-mini"] < costs["gpt-4o"] < 1


def test_a_decision_is_refused_in_words(router: seekroute.Router) -> None:
    with pytest.raises(SeekrouteError, match="give one of balanced, cost, latency, quality"):
        router.decide("a", strategy="cheap", costs={"weak": 1, "strong": 1})
    for costs in (None, {"weak": 1}, {"weak": 1, "strong": -1}, {"weak": 1, "strong": "much"}):
        with pytest.raises(SeekrouteError, match="is not known: give costs="):
            router.decide("a", costs=costs)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (None, "give a text, or messages"),
        (7, "give a text, or messages"),
        (b"Hi", "give a text, or messages"),
        ({"role": "user", "content": "Hi"}, "give a text, or messages"),
        (["Hi"], "give a text, or messages"),
        ([], "no message of a user"),
        ([{"role": "user", "content": b"Hi"}], "is no JSON"),
        ([{"role": "user", "content": {1, 2}}], "is no JSON"),
    ],
)
def test_an_odd_prompt_is_refused_in_words(
    router: seekroute.Router, prompt: Any, says: str
) -> None:
    for ask in (router.explain, lambda odd: router.decide(odd, costs={"weak": 0, "strong": 1})):
        with pytest.raises(seekroute.SeekrouteError, match=says):
            ask(prompt)


@pytest.mark.parametrize(
    "costs", [[1, 2], "1", {"weak": None}, {"weak": "NaN"}, {"weak": "x"}, {"weak": [1]}, 3]
)
def test_odd_costs_are_refused_in_words(router: seekroute.Router, costs: Any) -> None:
    with pytest.raises(seekroute.SeekrouteError, match="weak"):
        router.decide("Hi", costs=costs)
    with pytest.raises(seekroute.SeekrouteError, match="strategy: give one of"):
        router.decide("Hi", strategy=["cost"], costs={"weak": 0, "strong": 1})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "content", [5, None, True, [], [{"type": "image_url"}], [7], {"text": "Hi"}]
)
def test_odd_contents_are_explained_or_refused(router: seekroute.Router, content: Any) -> None:
    prompt = [{"role": "user", "content": "Hi"}, {"role": "user", "content": content}]
    with contextlib.suppress(seekroute.SeekrouteError):
        assert router.explain(prompt).models


def test_weights_are_saved_and_loaded(router: seekroute.Router, tmp_path: Path) -> None:
    router.save(tmp_path / "w")
    again = seekroute.Router.load(tmp_path / "w")
    assert again.models == ["weak", "strong"]
    assert again.explain("Hello!") == router.explain("Hello!")
    assert [each.name for each in tmp_path.iterdir()] == ["w"]
    bare = auto.train(auto.outcomes_of(rows(60)).rated)  # without a table of word vectors
    (tmp_path / "bare").write_bytes(bare)
    assert seekroute.Router.load(tmp_path / "bare").models == ["weak", "strong"]


def test_it_measures_prompts_it_has_not_seen(router: seekroute.Router) -> None:
    report = router.evaluate(rows(200, seed=1))
    lines = {line.name: line.mean[0] for line in report.lines}
    assert next(iter(lines)) == "random"
    assert list(lines)[-1] == "oracle"
    assert lines["seekroute"] > 0.65
    assert (report.tested, report.learned) == (200, 300)
    share, quality = zip(*report.lines[-1].points, strict=True)
    assert (share[0], share[-1]) == (0, 100)
    strong = np.mean([row["strong"] for row in rows(200, seed=1)])
    assert quality[-1] == pytest.approx(100 * strong)


def test_it_draws_what_it_measured(router: seekroute.Router) -> None:
    report = router.evaluate(rows(200, seed=1))
    (axes,) = router.plot().axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {line.name: [list(point) for point in line.points] for line in report.lines}
    assert axes.get_xlabel() == "calls to strong, %"


def test_without_matplotlib_the_extra_is_named(
    router: seekroute.Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    router.evaluate(rows(200, seed=1))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(SeekrouteError, match=r"pip install 'seekroute\[plot\]'"):
        router.plot()


def test_notebooks_and_terminals_show_it(router: seekroute.Router) -> None:
    explanation = router.explain("Why <b>not</b>?")
    page = explanation._repr_html_()
    assert page is not None
    assert "<table" in page
    assert "question_marks" in page
    assert "<b>" not in page
    assert "question_marks" in str(explanation)
    report = router.evaluate(rows(200, seed=1))
    shown = seekroute.shown.bundle(report)
    assert "tested on 200" in shown["text/plain"]
    assert shown["text/html"].count("<tr>") == 1 + len(report.lines)
    assert "learned from 300 prompts" in repr(router)
    assert repr(router) in router._repr_mimebundle_()["text/plain"]
    assert json.loads(json.dumps(explanation.to_dict()))["models"][0]["model"] == "weak"


def test_the_last_message_of_a_user_counts(router: seekroute.Router) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello!"},
        {"role": "user", "content": [{"type": "text", "text": "Why"}, {"type": "image_url"}]},
        {"role": "assistant", "content": "Because."},
    ]
    assert router.explain(messages) == router.explain("Why")
    with pytest.raises(SeekrouteError, match="no message of a user"):
        router.explain(messages[:1])


def test_of_a_long_text_both_ends_count() -> None:
    text = "a" * 3000 + "b" * 3000
    assert excerpt_of(text) == b"a" * 2048 + b"b" * 2048
    assert len(excerpt_of("c" * 4096)) == 4096
    parts = [{"type": "text", "text": each} for each in ("a", "", "b")]
    assert excerpt_of([{"role": "user", "content": parts}]) == b"a\nb"
    assert excerpt_of("\u00e9" * 5000).decode() == "\u00e9" * 2048


def test_a_router_without_weights_says_what_to_do(tmp_path: Path) -> None:
    router = seekroute.Router()
    assert repr(router) == "Router(no weights yet)"
    for call in (
        lambda: router.explain("Hello!"),
        lambda: router.evaluate(rows(20)),
        lambda: router.save(tmp_path / "w"),
    ):
        with pytest.raises(SeekrouteError, match=r"call fit\(\), or Router.load\(\)"):
            call()
    with pytest.raises(SeekrouteError, match=r"call evaluate\(\) first"):
        router.plot()
    with pytest.raises(SeekrouteError, match="No such file"):
        seekroute.Router.load(tmp_path / "none")


def test_a_failed_fit_leaves_the_weights(router: seekroute.Router) -> None:
    before = router.explain("Hello!")
    with pytest.raises(SeekrouteError, match="give 6 or more"):
        router.fit(rows(3))
    with pytest.raises(SeekrouteError, match="row 1: there is no outcome of 'weak'"):
        router.fit([rows(1)[0], {"prompt": "a"}])
    assert router.explain("Hello!") == before


def test_other_models_cannot_be_measured(router: seekroute.Router) -> None:
    other = [
        {"prompt": "a", "scores": {"a": 0, "b": 1}},
        {"prompt": "b", "scores": {"a": 0, "b": 1}},
    ]
    with pytest.raises(SeekrouteError, match="the weights are of weak, strong"):
        router.evaluate(other, models=["a", "b"])
    swapped = [{**row, "weak": row["strong"], "strong": row["weak"]} for row in rows(200)]
    with pytest.raises(SeekrouteError, match="strong is not better than weak"):
        router.evaluate(swapped)


def test_it_is_loaded_at_its_first_use() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, seekroute; assert 'numpy' not in sys.modules; seekroute.Router;"
            "print('numpy' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == "True"


def test_without_numpy_the_extra_is_named() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['numpy'] = None; import seekroute; seekroute.Router",
        ],
        capture_output=True,
        text=True,
    ).stderr
    assert "pip install 'seekroute[router]'" in said


def test_counts_are_told_whole() -> None:
    (dense,) = auto.scan([b"one two three 4?"]).dense
    counters = auto.scoring.counters_of(dense)
    assert counters["characters"] == 16
    assert math.isclose(counters["digit_share"], 1 / 16, rel_tol=1e-6)
