"""Learning while ratings come in: the core's regression, and what it knows after so many."""

from __future__ import annotations

import random

import numpy as np
import pytest

from seekroute import auto
from seekroute.auto.online import evaluate_online
from seekroute.auto.scoring import OnlineModel, write_weights

_WORDS = {True: ["prove", "theorem", "lemma", "matrix"], False: ["hello", "city", "food", "name"]}


def made(count: int, seed: int = 0) -> auto.Rated:
    """The weak model fails at most hard prompts, the strong one at few of any kind."""
    draw = random.Random(seed)
    prompts, outcomes = [], []
    for i in range(count):
        hard = draw.random() < 0.5
        prompts.append(f"{i} " + " ".join(draw.choice(_WORDS[hard]) for _ in range(8)))
        outcomes.append(
            [float(draw.random() < (0.2 if hard else 0.9)), float(draw.random() < 0.93)]
        )
    return auto.Rated(auto.as_bytes(prompts), ["weak", "strong"], np.array(outcomes))


def nothing(rated: auto.Rated) -> np.ndarray:
    return np.full(len(rated), np.nan)


def test_it_says_first_and_learns_then() -> None:
    rated = made(400)
    dense = auto.scan(rated.prompts).dense
    model = OnlineModel(dense, 0.1)
    np.testing.assert_array_equal(model.follow(rated.prompts, nothing(rated)), np.full(400, 0.5))
    said = model.follow(rated.prompts, rated.outcomes[:, 0])
    assert said[0] == 0.5
    hard = np.array([b"prove" in p or b"lemma" in p for p in rated.prompts])
    assert said[200:][hard[200:]].mean() < said[200:][~hard[200:]].mean() - 0.3
    # One after the other is the same as all at once.
    other = OnlineModel(dense, 0.1)
    each = [
        other.follow([prompt], outcome)[0]
        for prompt, outcome in zip(rated.prompts, rated.outcomes[:, :1], strict=True)
    ]
    np.testing.assert_array_equal(said, each)


def test_what_was_learned_goes_into_weights() -> None:
    rated = made(60)
    trainer = auto.Trainer(auto.lessons_of(rated))
    models = [OnlineModel(trainer.lessons.features.dense, 0.1) for _ in range(2)]
    for place, model in enumerate(models):
        model.follow(rated.prompts, rated.outcomes[:, place])
    weights = trainer.fit(np.arange(60))
    weights["rarity"] = b""
    for of_weights, model in zip(weights["models"], models, strict=True):
        of_weights |= model.weights()
    members = auto.Scorer(write_weights(weights)).score(rated.prompts).members[:, :, 0]
    for place, model in enumerate(models):
        expected = model.follow(rated.prompts, nothing(rated))
        np.testing.assert_allclose(members[:, place], expected, atol=1e-5)
        assert np.ptp(expected) > 0.05


@pytest.mark.parametrize("feedback", ["pairs", "chosen"])
def test_it_is_measured_after_so_many_ratings(feedback: auto.Feedback) -> None:
    outcomes = auto.Outcomes(made(1000), [])
    splits = list(auto.split_held_out(outcomes, None, 1))
    (first, last) = evaluate_online(outcomes, splits, feedback)
    assert (first.ratings, last.ratings) == (500, 700)
    assert (first.report.tested, last.report.tested) == (300, 300)
    found = {line.name: line.mean[0] for line in last.report.lines}
    assert found["seekroute"] > 0.7
    if feedback == "pairs":
        assert last.served is None
    else:
        assert last.strong == pytest.approx(0.5, abs=0.05)
        # By chance it would be 0.74: half of 0.55 and half of 0.93.
        assert last.served is not None
        assert last.served > 0.8


def test_of_each_prompt_one_outcome_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    rated = made(300)
    learned: list[tuple[int, int]] = []
    plain = OnlineModel.follow
    models: list[OnlineModel] = []

    def watched(self: OnlineModel, found: list[bytes], outcomes: np.ndarray) -> np.ndarray:
        if self not in models:
            models.append(self)
        if not np.isnan(outcomes).all():
            learned.append((models.index(self), rated.prompts.index(found[0])))
        return plain(self, found, outcomes)

    monkeypatch.setattr(OnlineModel, "follow", watched)
    outcomes = auto.Outcomes(rated, [])
    evaluate_online(outcomes, list(auto.split_held_out(outcomes, None, 1)), "chosen")
    rows = [row for _, row in learned]
    assert len(rows) == len(set(rows)) == 210
    assert 70 < sum(place for place, _ in learned) < 140
