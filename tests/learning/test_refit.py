"""Weights made of ratings: what is learned, what is refused, and what a replay says."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rated_requests import SETTINGS, STRONG, WEAK, fill, prompt
from seekroute.learning import Choice, LearningError, Looks, Rating, RatingBook
from seekroute.learning.judging import settings_with_weights
from seekroute.learning.looks import pack, qualities, twin_of, unpacked
from seekroute.learning.refit import refit
from seekroute.learning.replay import replay


@pytest.fixture
def book(tmp_path: Path) -> Iterator[RatingBook]:
    with RatingBook(tmp_path) as opened:
        yield opened


def told(settings: dict[str, Any], *texts: str) -> list[list[float]]:
    looks = Looks()
    router = looks.router(settings)
    found = qualities(router, [looks.at(text.encode()) for text in texts], [True] * len(texts))
    return [list(found[2 * place : 2 * place + 2]) for place in range(len(texts))]


@pytest.mark.parametrize("pairs", [True, False])
def test_learns_which_prompts_the_weak_model_serves(book: RatingBook, pairs: bool) -> None:
    fill(book, 420, pairs=pairs)
    found = refit(book, SETTINGS, {""})
    assert found.version.state == "in_force"
    assert found.learned + found.aside // (2 if pairs else 1) == 420
    assert found.loss < 0.8 * found.loss_in_force
    draw = random.Random(99)
    settings = settings_with_weights(SETTINGS, book)
    easy, hard = told(settings, prompt(draw, hard=False), prompt(draw, hard=True))
    assert easy[0] > 0.75
    assert hard[0] < 0.45
    assert hard[1] > 0.65


def test_weights_that_are_worse_are_refused(book: RatingBook) -> None:
    fill(book, 400, pairs=True)
    good = refit(book, SETTINGS, {""})
    # All that comes now is turned round, but for what is kept aside.
    draw, looks = random.Random(5), Looks()
    choices: list[Choice] = []
    ratings: list[Rating] = []
    for number in range(2000, 2800):
        hard = draw.random() < 0.5
        kept = looks.at(prompt(draw, hard=hard).encode())
        aside = twin_of(kept)[0] % 5 == 0
        offers = [(WEAK, 0.7, 100, 0, False, 1.0)]
        generation = f"gen-{number}"
        choices.append(Choice(generation, "", number, "cost", "", WEAK, offers, kept))
        for model in (WEAK, STRONG):
            good_at = model == STRONG or not hard
            score = float(good_at if aside else not good_at)
            ratings.append(Rating(generation, model, "shadow", "", score))
    book.add(choices)
    book.rate(*ratings)
    found = refit(book, SETTINGS, {""})
    assert found.version.state == "refused"
    assert found.loss > found.loss_in_force
    in_force = book.in_force()
    assert in_force is not None
    assert in_force.number == good.version.number


def test_too_few_ratings_are_no_lesson(book: RatingBook) -> None:
    fill(book, 30, pairs=True)
    with pytest.raises(LearningError, match="too few ratings"):
        refit(book, SETTINGS, {""})
    assert book.versions() == []


def test_an_organization_that_is_not_trusted_cannot_turn_the_weights(book: RatingBook) -> None:
    fill(book, 400, pairs=False, org="org_mine")
    fill(book, 1200, pairs=False, org="org_liar", turned=True, first=1000, seed=2)
    found = refit(book, SETTINGS, {"org_mine"})
    # Of four that are heard, the prior of 200 included, one may be the liar's.
    assert found.learned <= 400 + 200
    draw = random.Random(99)
    easy, hard = told(
        settings_with_weights(SETTINGS, book), prompt(draw, hard=False), prompt(draw, hard=True)
    )
    assert easy[0] > hard[0]


def test_what_is_kept_of_a_prompt_is_its_features() -> None:
    looks = Looks()
    kept = [looks.at(text) for text in (b"Hello!", b"", b"\xff\xfe" * 4000, "日本語の文".encode())]
    whole = unpacked(kept)
    assert len(whole.dense) == 4 * 43 * 4
    assert len(unpacked(kept, copies=True).dense) == 3 * len(whole.dense)
    again = unpacked([pack(unpacked([each], copies=True)) for each in kept])
    assert again == whole
    assert twin_of(looks.at(b"Hello!")) == twin_of(looks.at(b"hello"))
    assert twin_of(kept[0]) != twin_of(kept[3])
    for damaged in (b"", kept[0][:-3], b"x" * 50):
        with pytest.raises(ValueError, match="damaged"):
            unpacked([damaged])


def test_a_replay_finds_what_a_policy_would_have_scored(book: RatingBook) -> None:
    fill(book, 1000, pairs=False, seed=7)
    settings = {**SETTINGS, "cost_slack": 0.5}
    was, cost, quality = replay(book, settings, ["cost", "quality"])
    # The strong model serves 95 % well; the weak one half of that and of what it cannot, 5 %.
    assert was.score == pytest.approx((0.95 + 0.5) / 2, abs=0.05)
    assert quality.score == pytest.approx(0.95, abs=0.03)
    assert abs(quality.score - 0.95) <= 2 * quality.within
    assert quality.cost_pico == 1000
    assert cost.cost_pico == 100 < was.cost_pico < 1000
    assert cost.score == pytest.approx(0.5, abs=0.05)
    assert quality.agreed == pytest.approx(500, abs=70)
    assert quality.effective == pytest.approx(quality.agreed)


def test_a_replay_is_right_where_one_model_was_rarely_drawn(book: RatingBook) -> None:
    """Weighted by the chance: without it, the rare choice would count as little as it is rare."""
    draw, looks = random.Random(3), Looks()
    choices: list[Choice] = []
    ratings: list[Rating] = []
    for number in range(1000):
        # Of every second request the strong model does well, and it is rarely drawn for these.
        score, share = (0.9, 0.1) if number % 2 else (0.1, 0.9)
        drawn = draw.random() < share
        chosen, other = (STRONG, WEAK) if drawn else (WEAK, STRONG)
        chance = share if drawn else 1 - share
        offers = [(chosen, 0.7, 10, 0, False, chance), (other, 0.7, 10, 0, False, 1 - chance)]
        kept = looks.at(b"Hello")
        choices.append(Choice(f"gen-{number}", "", number, "cost", "", chosen, offers, kept))
        rated = score if drawn else 0.4
        ratings.append(Rating(f"gen-{number}", chosen, "feedback", "", rated))
    book.add(choices)
    book.rate(*ratings)
    was, quality = replay(book, SETTINGS, ["quality"])
    assert was.score == pytest.approx(0.29, abs=0.05)
    assert quality.score == pytest.approx(0.5, abs=0.1)
    assert abs(quality.score - 0.5) <= 2 * quality.within
    assert not math.isnan(quality.within)
    empty = {
        **SETTINGS,
        "models": [{"id": "a/new", "quality": 0.5, "names": ["a/new"], "aliases": []}],
    }
    with pytest.raises(LearningError, match="no rated request"):
        replay(book, empty, ["cost"])
