"""Routing by content: features and scores of the core against independent computations, training,
the measures, and the files it reads."""

from __future__ import annotations

import csv
import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seekroute import auto
from seekroute.auto.lessons import twins_of
from seekroute.auto.linear import design, fit_linear
from seekroute.auto.metrics import calibration_error, cost_quality
from seekroute.auto.mistyping import mistyped
from seekroute.auto.scoring import COUNTERS
from seekroute.auto.trees import train_trees
from seekroute.errors import SeekrouteError
from seekroute.mistyping import COPIES

_HARD = ["prove", "theorem", "derive", "matrix", "integral", "lemma", "equilibrium", "gradient"]
_EASY = ["hello", "name", "capital", "color", "weather", "thanks", "food", "city"]


def made_prompts(count: int, seed: int = 0) -> list[str]:
    """Prompts of words that are drawn: half of them mostly of hard ones."""
    draw = random.Random(seed)
    prompts = []
    for i in range(count):
        words = _HARD if i % 2 else _EASY
        other = _EASY if i % 2 else _HARD
        text = [draw.choice(words if draw.random() < 0.8 else other) for _ in range(12)]
        prompts.append(" ".join(text) + f" {draw.randrange(10_000)}?")
    return prompts


def made_rated(count: int, seed: int = 0) -> auto.Rated:
    """The weak model fails at most hard prompts, the strong one at few of any kind."""
    draw = random.Random(seed + 1)
    outcomes = [
        [float(draw.random() < (0.3 if i % 2 else 0.9)), float(draw.random() < 0.92)]
        for i in range(count)
    ]
    prompts = auto.as_bytes(made_prompts(count, seed))
    return auto.Rated(prompts, ["weak", "strong"], np.array(outcomes))


@pytest.fixture(scope="module")
def rated() -> auto.Rated:
    return made_rated(600)


@pytest.fixture(scope="module")
def weights(rated: auto.Rated) -> bytes:
    return auto.train(rated, vectors=auto.shipped_vectors(), revision="of a test")


@pytest.fixture(scope="module")
def scorer(weights: bytes) -> auto.Scorer:
    return auto.Scorer(weights, auto.shipped_vectors())


# --- the core against what others compute ---------------------------------------------------------


def test_trees_say_what_their_trainer_says(
    rated: auto.Rated, scorer: auto.Scorer, weights: bytes
) -> None:
    taught = auto.lessons_of(rated, auto.shipped_vectors()).taught.dense
    outcomes = np.tile(rated.outcomes, (1 + COPIES, 1))
    fresh = auto.as_bytes(made_prompts(400, seed=9))
    asked = auto.scan(fresh, auto.shipped_vectors()).dense
    members = scorer.score(fresh).members
    for place in range(2):
        booster = train_trees(taught, outcomes[:, place], place, copies=1 + COPIES)
        expected = booster.predict(np.asarray(asked, np.float64))
        np.testing.assert_allclose(members[:, place, 1], expected, rtol=0, atol=1e-7)
        assert np.ptp(expected) > 0.05


def test_regression_says_what_its_fit_says(rated: auto.Rated, scorer: auto.Scorer) -> None:
    lessons = auto.lessons_of(rated, auto.shipped_vectors())
    features = lessons.features
    made = design(lessons.taught, lessons.taught_rows(np.arange(len(rated))))
    outcomes = np.tile(rated.outcomes, (1 + COPIES, 1))
    for place in range(2):
        model = fit_linear(made, outcomes[:, place], copies=1 + COPIES)
        words = np.frombuffer(model["words"], np.float32)
        counters = np.frombuffer(model["counters"], np.float32)
        odds = made.matrix[: len(rated), :-COUNTERS] @ words
        odds += features.dense[:, :COUNTERS] @ counters + model["bias"]
        found = scorer.score(rated.prompts).members[:, place, 0]
        np.testing.assert_allclose(found, 1 / (1 + np.exp(-odds)), atol=2e-6)


def test_a_fit_has_no_slope_left(rated: auto.Rated) -> None:
    made = design(auto.scan(rated.prompts), np.arange(len(rated)))
    outcomes = rated.outcomes[:, 0]
    model = fit_linear(made, outcomes)
    counters = np.frombuffer(model["counters"], np.float32) / np.where(made.scale, made.scale, 1)
    weight = np.concatenate([np.frombuffer(model["words"], np.float32), counters])
    bias = model["bias"] + np.frombuffer(model["counters"], np.float32) @ made.mean
    error = 1 / (1 + np.exp(-(made.matrix @ weight + bias))) - outcomes
    assert np.abs(made.matrix.T @ error + weight).max() < 0.02
    assert abs(error.sum()) < 0.02


def test_neighbours_are_those_of_the_highest_cosine(rated: auto.Rated, scorer: auto.Scorer) -> None:
    vectors = auto.shipped_vectors()
    dense = auto.scan(rated.prompts, vectors).dense.astype(np.float64)
    noise = np.mean(
        [
            (auto.scan(mistyped(rated.prompts, 0.08, seed), vectors).dense - dense).var(axis=0)
            for seed in range(COPIES)
        ],
        axis=0,
    )
    mean, spread = dense.mean(axis=0), dense.std(axis=0)
    weight = np.full(43, 1 / np.sqrt(27))
    weight[27:] = 0.5 / 4

    def direction(rows: Any) -> Any:
        held = np.maximum(np.sqrt(spread**2 + 4 * noise), 1e-6)
        spreaded = np.where(spread > 1e-6, (rows - mean) / held * weight, 0)
        return spreaded / np.linalg.norm(spreaded, axis=1, keepdims=True)

    fresh = auto.as_bytes(made_prompts(60, seed=4))
    asked = direction(auto.scan(fresh, vectors).dense.astype(np.float64))
    nearest = np.argsort(-(asked @ direction(dense).T), axis=1)[:, : 600 // 15]
    expected = rated.outcomes[nearest].mean(axis=1)
    # Bytes are coarse: one of forty may be another one.
    np.testing.assert_allclose(scorer.score(fresh).members[:, :, 2], expected, atol=0.08)


def test_words_are_the_tokenizers() -> None:
    vectors = auto.shipped_vectors()
    rows = auto.scan(auto.as_bytes(["A cat.", "a CAT .", "\u00e0 c\u00e1t."]), vectors).dense[
        :, 27:
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])
    texts = ["The cat sits on the mat.", "A feline rests on a rug.", "Shares fell on inflation."]
    near = auto.scan(auto.as_bytes(texts), vectors).dense[:, 27:]
    likeness = near @ near.T
    assert likeness[0, 1] > likeness[0, 2] + 0.2


def test_without_a_table_the_vector_is_nothing() -> None:
    assert not auto.scan([b"A cat."]).dense[:, 27:].any()


# --- training -------------------------------------------------------------------------------------


def test_what_was_learned_holds_for_other_prompts(scorer: auto.Scorer) -> None:
    other = made_rated(1000, seed=50)
    scores = scorer.score(other.prompts)
    weak, strong = other.outcomes.T
    for ranks in (scores.ranks, scorer.score(other.prompts, neighbours=False).ranks):
        assert cost_quality(ranks[:, 1], strong, weak).apgr > 0.7
        assert not ranks[:, 0].any()
        assert ((ranks >= 0) & (ranks <= 1)).all()
    assert calibration_error(scores.quality[:, 0], weak) < 0.08
    assert scores.quality[1::2, 0].mean() < scores.quality[::2, 0].mean() - 0.3


def test_the_same_seed_gives_the_same_weights(rated: auto.Rated, weights: bytes) -> None:
    again = auto.train(rated, vectors=auto.shipped_vectors(), revision="of a test")
    assert again == weights
    assert auto.train(rated, vectors=auto.shipped_vectors(), seed=1) != weights


def test_weights_have_no_prompt(rated: auto.Rated, weights: bytes) -> None:
    for prompt in rated.prompts:
        assert prompt not in weights
    assert b"theorem" not in weights


def test_what_is_taught_is_each_prompt_and_its_copies(rated: auto.Rated) -> None:
    lessons = auto.lessons_of(rated)
    texts = [*rated.prompts]
    for seed in range(COPIES):
        texts += mistyped(rated.prompts, 0.08, seed)
    rows = lessons.taught_rows(np.array([3, 7]))
    assert [texts[i].split()[0] for i in rows[:2]] == [rated.prompts[i].split()[0] for i in (3, 7)]
    together = auto.scan(texts)
    np.testing.assert_array_equal(lessons.taught.dense, together.dense)
    np.testing.assert_array_equal(lessons.taught.ends, together.ends)
    np.testing.assert_array_equal(lessons.taught.buckets, together.buckets)
    assert rows.tolist() == [3, 7, 603, 607, 1203, 1207]


def test_copies_keep_decisions_of_mistyped_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    learned, asked = made_rated(400, seed=3), made_rated(400, seed=60).prompts
    typed = mistyped(asked, 0.05, seed=99)

    def turned() -> float:
        scorer = auto.Scorer(auto.train(learned))
        ranks, again = (scorer.score(each).ranks[:, 1] for each in (asked, typed))
        return float(np.mean((ranks > np.median(ranks)) != (again > np.median(ranks))))

    kept = turned()
    monkeypatch.setattr("seekroute.auto.lessons.SHARE", 0.0)
    assert kept < turned()


def test_few_ratings_train_regression_alone(rated: auto.Rated) -> None:
    few = auto.Rated(rated.prompts[:40], rated.models, rated.outcomes[:40])
    members = auto.Scorer(auto.train(few)).score(few.prompts).members
    assert members[:, :, 0].all()
    assert not members[:, :, 1:].any()
    with pytest.raises(SeekrouteError, match="too few rated prompts to learn from: 5"):
        auto.train(auto.Rated(rated.prompts[:5], rated.models, rated.outcomes[:5]))


def test_prompts_that_are_alike_are_one_to_learn_from() -> None:
    rows = [{"prompt": "the same", "weak": i % 2, "strong": 1} for i in range(30)]
    with pytest.raises(SeekrouteError, match="too few rated prompts to learn from: 1"):
        auto.train(auto.outcomes_of(rows).rated, vectors=None)


def test_models_that_are_always_right_can_be_trained() -> None:
    prompts = auto.as_bytes(made_prompts(300))
    outcomes = np.stack([np.zeros(300), np.ones(300), np.full(300, 0.25)], axis=1)
    weights = auto.train(auto.Rated(prompts, ["never", "always", "part"], outcomes))
    quality = auto.Scorer(weights).score(prompts).quality
    assert quality[:, 0].max() < 0.1
    assert quality[:, 1].min() > 0.9
    np.testing.assert_allclose(quality[:, 2], 0.25, atol=0.05)


def test_weights_are_refused_in_words(weights: bytes) -> None:
    vectors = auto.shipped_vectors()
    with pytest.raises(SeekrouteError, match="other bytes: train them again"):
        auto.Scorer(b"none", vectors)
    with pytest.raises(SeekrouteError, match="damaged"):
        auto.Scorer(weights[:-9], vectors)
    with pytest.raises(SeekrouteError, match="another table of word vectors"):
        auto.Scorer(weights)
    with pytest.raises(SeekrouteError, match="build it again"):
        auto.WordVectors(b"none")


def test_what_a_scorer_tells(scorer: auto.Scorer) -> None:
    assert (scorer.models, scorer.revision, scorer.ratings) == (
        ["weak", "strong"],
        "of a test",
        600,
    )
    assert scorer.shares in {(0.5, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.0, 1.0)}


def test_any_text_is_scored(scorer: auto.Scorer) -> None:
    texts = [
        b"",
        b"\xff\xfe\x00",
        b"x" * 1_000_000,
        "\u4eba\u5de5\u667a\u80fd".encode(),
        b" \n" * 9000,
    ]
    scores = scorer.score(texts)
    assert np.isfinite(scores.ranks).all()
    assert ((scores.quality > 0) & (scores.quality < 1)).all()


# --- measures -------------------------------------------------------------------------------------


def test_the_curve_is_that_of_quantiles_in_pandas() -> None:
    draw = np.random.default_rng(3)
    strong, weak = (draw.random((2, 997)) < np.array([[0.8], [0.6]])).astype(float)
    score = strong - weak + draw.normal(size=997)
    _, cuts = pd.qcut(score, 10, retbins=True)
    share, quality = [], []
    for place, cut in enumerate(cuts):
        chosen = score >= cut if place < 10 else score > cut
        share.append(100 * chosen.mean())
        quality.append(100 * np.where(chosen, strong, weak).mean())
    low, lead = 100 * weak.mean(), 100 * (strong.mean() - weak.mean())
    apgr = (np.trapezoid(quality[::-1], share[::-1]) / 100 - low) / lead
    curve = cost_quality(score, strong, weak)
    assert curve.apgr == pytest.approx(apgr, abs=2e-4)
    half = np.interp(low + lead / 2, quality[::-1], share[::-1])
    assert curve.cpt50 == pytest.approx(half, abs=0.2)


def test_chance_is_a_half_and_equal_scores_are_chance() -> None:
    draw = np.random.default_rng(1)
    strong, weak = (draw.random((2, 20_000)) < np.array([[0.8], [0.6]])).astype(float)
    assert cost_quality(draw.random(20_000), strong, weak).apgr == pytest.approx(0.5, abs=0.03)
    assert cost_quality(np.zeros(20_000), strong, weak).apgr == pytest.approx(0.5, abs=0.03)
    assert cost_quality(strong - weak, strong, weak).apgr > 1


def test_a_share_of_the_characters_is_mistyped() -> None:
    texts = ["\u00e9" * 5000, "a\n" * 2500, ""]
    (accents, lines, nothing) = mistyped(auto.as_bytes(texts), 0.1, seed=4)
    for text, typed in zip(texts, (accents, lines, nothing), strict=True):
        assert len(typed.decode()) == len(text)
    changed = [a != b for a, b in zip(texts[0], accents.decode(), strict=True)]
    assert 0.07 < np.mean(changed) < 0.13
    assert lines.count(b"\n") < 2350
    assert mistyped(auto.as_bytes(texts), 0.1, seed=4) == [accents, lines, nothing]
    assert mistyped(auto.as_bytes(texts), 0.1, seed=5) != [accents, lines, nothing]


def test_decisions_that_turn_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    rated = made_rated(200)
    scorer = auto.Scorer(auto.train(made_rated(100, seed=9)))
    reports = {}
    for name, typed in (
        ("same", lambda texts, *_: texts),
        ("other", lambda texts, *_: texts[::-1]),
    ):
        monkeypatch.setattr("seekroute.auto.evaluation.mistyped", typed)
        reports[name] = auto.evaluate_weights(scorer, rated).turned
    assert set(reports["same"].values()) == {0.0}
    assert min(reports["other"].values()) > 0.5


# --- splits and files -----------------------------------------------------------------------------


def outcomes_of(rated: auto.Rated) -> auto.Outcomes:
    return auto.Outcomes(rated, [f"subject {i % 20}" for i in range(len(rated))])


def test_same_prompts_are_never_on_both_sides() -> None:
    rated = made_rated(200)
    doubled = auto.Rated(
        [*rated.prompts, *(b"  " + prompt.upper() for prompt in rated.prompts)],
        rated.models,
        np.concatenate([rated.outcomes, rated.outcomes]),
    )
    outcomes = outcomes_of(doubled)
    twins = twins_of(doubled.prompts)
    for split in [
        *auto.split_labels(outcomes, 150, 3),
        *auto.split_folds(outcomes, 4, 2),
        *auto.split_held_out(outcomes, 100, 2),
    ]:
        assert not set(twins[split.learned]) & set(twins[split.tested])
        assert len(split.learned) > 0
        assert len(split.tested) > 0


def test_folds_test_each_prompt_once_and_groups_are_whole() -> None:
    outcomes = outcomes_of(made_rated(200))
    for splits in (auto.split_folds(outcomes, 5, 2), auto.split_groups(outcomes, 10, 2)):
        tested: dict[int, list[int]] = {}
        for split in splits:
            tested.setdefault(split.run, []).extend(split.tested)
        assert all(sorted(each) == list(range(200)) for each in tested.values())
        assert len(tested) == 2
    for split in auto.split_groups(outcomes, 10, 1):
        names = np.array(outcomes.groups)
        assert not set(names[split.learned]) & set(names[split.tested])


def test_files_of_each_form_are_read_alike(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Prompt {i}, \u00e9", "weak": i % 2, "strong": 1, "subject": "a"}
        for i in range(8)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "o.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "o.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    pd.DataFrame(rows).to_csv(tmp_path / "o.csv", index=False)
    scored = [
        {"query": row["prompt"], "subject": "a", "scores": {"strong": 1, "weak": row["weak"]}}
        for row in rows
    ]
    (tmp_path / "s.jsonl").write_text(
        "\n".join(json.dumps(row) for row in scored) + "\n\n", encoding="utf-8"
    )
    for name in ("o.jsonl", "o.jsonl.gz", "o.csv", "s.jsonl"):
        read = auto.read_outcomes([tmp_path / name], group="subject")
        assert read.rated.models == ["weak", "strong"], name
        assert read.rated.prompts[1] == "Prompt 1, \u00e9".encode()
        np.testing.assert_array_equal(read.rated.outcomes[:, 0], [0, 1] * 4)
        assert read.groups == ["a"] * 8


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "there is no row"),
        ("[1]\n", "line 1: it is no JSON object"),
        (
            '{"prompt": "a", "weak": 0, "strong": 1}\n{"prompt": "a"}\n',
            "line 2: there is no outcome",
        ),
        ('{"prompt": "a", "weak": 2, "strong": 1}\n', "is not between 0 and 1"),
        ('{"weak": 0, "strong": 1}\n', "there is no text in `prompt`"),
        ('{"prompt": "a"}\n', "name the fields with --models"),
        ("[" * 200_000 + "\n", "line 1: it is no JSON object"),
    ],
)
def test_files_are_refused_with_their_line(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "o.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(SeekrouteError, match=why):
        auto.read_outcomes([tmp_path / "o.jsonl"])


def test_files_that_are_not_there_or_not_whole(tmp_path: Path) -> None:
    with pytest.raises(SeekrouteError, match="cannot be read: No such file"):
        auto.read_outcomes([tmp_path / "none.jsonl"])
    whole = gzip.compress(b'{"prompt": "a", "weak": 0, "strong": 1}\n' * 100)
    spoiled = bytearray(whole)
    spoiled[20] ^= 0xFF
    for bytes_of_file in (whole[:-12], bytes(spoiled), b"no gzip"):
        (tmp_path / "cut.jsonl.gz").write_bytes(bytes_of_file)
        with pytest.raises(SeekrouteError, match="cannot be read"):
            auto.read_outcomes([tmp_path / "cut.jsonl.gz"])


def test_no_line_is_read_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seekroute.auto.outcomes._MOST_LINE", 1000)
    row = json.dumps({"prompt": "a" * 2000, "weak": 0, "strong": 1})
    (tmp_path / "o.jsonl").write_text(row, encoding="utf-8")
    (tmp_path / "o.csv").write_text(f"prompt,weak,strong\n{'a' * 2000},0,1\n", encoding="utf-8")
    (tmp_path / "p.csv").write_text(
        'prompt,weak,strong\n"' + ("a" * 600 + "\n") * 2 + '",0,1\n', encoding="utf-8"
    )
    for name, why in (("o.jsonl", "line 1:"), ("o.csv", "line 2:"), ("p.csv", "cannot be read")):
        with pytest.raises(SeekrouteError, match=why):
            auto.read_outcomes([tmp_path / name])


def test_reading_csv_leaves_the_limit_of_others(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = "word " * 40_000  # above what the module reads by itself
    pd.DataFrame([{"prompt": long, "weak": 0, "strong": 1}]).to_csv(tmp_path / "o.csv")
    assert auto.read_outcomes([tmp_path / "o.csv"]).rated.prompts[0].startswith(b"word word")
    assert csv.field_size_limit() == before


# --- the public table -----------------------------------------------------------------------------

_DATA = os.environ.get("SEEKROUTE_ROUTER_DATA", "")


@pytest.mark.skipif(
    not _DATA, reason="SEEKROUTE_ROUTER_DATA names no folder with routellm_mmlu.jsonl.gz"
)
def test_the_table_of_mmlu() -> None:
    outcomes = auto.read_outcomes([Path(_DATA) / "routellm_mmlu.jsonl.gz"])
    splits = list(auto.split_labels(outcomes, 1531, 10))
    report = auto.evaluate(outcomes, splits, vectors=auto.shipped_vectors())
    lines = {line.name: line.mean for line in report.lines}
    apgr, cpt50, cpt80 = lines["seekroute"]
    assert apgr >= 0.655
    assert cpt50 <= 30
    assert cpt80 <= 62
    assert lines["seekroute, without neighbours"][0] >= 0.648
    assert max(report.calibration.values()) <= 0.03
    assert lines["random"][0] == pytest.approx(0.5, abs=0.02)
