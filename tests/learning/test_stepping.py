"""What ratings teach between two refits: steps of the weights in force, and who may take them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from rated_requests import SETTINGS, STRONG, WEAK, fill, prompt
from seekroute import _core
from seekroute.learning import Choice, Looks, Rating, RatingBook, Version
from seekroute.learning.judging import settings_with_weights
from seekroute.learning.looks import is_aside, qualities, twin_of
from seekroute.learning.refit import refit
from seekroute.learning.stepping import MOST_STEPS, stepped

LOOKS = Looks()


class Hours:
    """A clock that moves when it is told."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Hours:
    return Hours()


@pytest.fixture
def book(tmp_path: Path, clock: Hours) -> Iterator[RatingBook]:
    with RatingBook(tmp_path, now=clock) as opened:
        fill(opened, 300, pairs=True)
        clock.seconds += 60
        yield opened


def trained(book: RatingBook, clock: Hours) -> Version:
    """A version that has learned of all that is there."""
    version = refit(book, SETTINGS, {""}).version
    assert version.state == "in_force"
    clock.seconds += 60
    return version


def rate(
    book: RatingBook, count: int, score: float, *, org: str = "", first: int, model: str = WEAK
) -> None:
    """Easy prompts, of which none is kept aside, with one score."""
    draw = random.Random(first)
    choices: list[Choice] = []
    while len(choices) < count:
        kept = LOOKS.at(prompt(draw, hard=False).encode())
        if is_aside(twin_of(kept)):
            continue
        offers = [(model, 0.7, 100, 0, False, 1.0)]
        generation = f"gen-{first + len(choices)}"
        choices.append(Choice(generation, org, 1, "cost", "", model, offers, kept))
    book.add(choices)
    book.rate(*(Rating(each.generation, model, "feedback", org, score) for each in choices))


def weights(book: RatingBook, trusted: set[str]) -> bytes:
    version = book.in_force()
    assert version is not None
    return stepped(book.weights(version), version, book, trusted)


def easy(book: RatingBook, trusted: set[str]) -> list[float]:
    """The chances of the weak and the strong model to serve easy prompts well."""
    router = LOOKS.router(settings_with_weights(SETTINGS, book, trusted))
    draw = random.Random(7)
    kept = [LOOKS.at(prompt(draw, hard=False).encode()) for _ in range(20)]
    found = qualities(router, kept, [True] * len(kept))
    return [sum(found[place::2]) / len(kept) for place in (0, 1)]


def test_what_is_rated_is_learned_before_the_next_refit(book: RatingBook, clock: Hours) -> None:
    trained(book, clock)
    before = easy(book, {""})
    assert weights(book, {""}) == book.weights(book.versions()[0])
    rate(book, 60, 0.0, first=5000)
    after = easy(book, {""})
    assert after[0] < before[0] - 0.01
    assert after[1] == pytest.approx(before[1])
    revision = _core.AutoScorer(
        weights(book, {""}), _core.WordVectors(settings_with_weights(SETTINGS, book)["vectors"])
    ).revision
    assert revision.endswith(f", learned through rating {book.last_given()[0]}")
    assert len(book.versions()) == 1
    assert weights(book, {""}) == weights(book, {""})


def test_a_refit_begins_from_the_ratings(book: RatingBook, clock: Hours) -> None:
    trained(book, clock)
    rate(book, 60, 0.0, first=5000)
    in_force = book.in_force()
    assert in_force is not None
    clock.seconds += 60
    found = refit(book, SETTINGS, {""})
    # Whichever is in force, what it has learned of is not learned twice.
    assert found.version.report["through"] > book.learned_through(in_force)
    assert book.said(book.learned_through(found.version)) == {}


def test_a_rollback_forgets_the_steps(book: RatingBook, clock: Hours) -> None:
    first = trained(book, clock)
    plain = book.weights(first)
    fill(book, 100, pairs=True, first=1000, seed=3)
    clock.seconds += 60
    second = book.put_in_force(plain, first.models, 1, {"through": book.last_given()[1]})
    clock.seconds += 60
    rate(book, 60, 0.0, first=5000)
    assert weights(book, {""}) != book.weights(second)
    clock.seconds += 60
    now = book.roll_back()[1]
    assert now is not None
    assert now.number == first.number
    assert weights(book, {""}) == plain
    clock.seconds += 60
    rate(book, 10, 0.0, first=6000)
    assert weights(book, {""}) != plain


def test_whoever_is_not_trusted_says_no_more_than_a_quarter(book: RatingBook, clock: Hours) -> None:
    trained(book, clock)
    # 300 pairs by the operator have 600 ratings, and 200 are granted: of 800 + 266 a quarter.
    rate(book, 266, 0.0, org="org_liar", first=5000)
    heard = weights(book, {""})
    low = easy(book, {""})[0]
    rate(book, 900, 0.0, org="org_liar", first=7000)
    more = easy(book, {""})[0]
    assert more == pytest.approx(low, abs=0.03)
    assert heard != book.weights(book.versions()[0])
    # What the weights have heard of it counts, too.
    clock.seconds += 60
    book.put_in_force(
        book.weights(book.versions()[0]), [WEAK, STRONG], 1, {"through": book.last_given()[1]}
    )
    clock.seconds += 60
    plain = weights(book, {""})
    rate(book, 200, 0.0, org="org_liar", first=9000)
    assert weights(book, {""}) == plain


def test_the_latest_of_very_many_count(book: RatingBook, clock: Hours) -> None:
    version = trained(book, clock)
    rate(book, MOST_STEPS, 0.0, first=5000)
    clock.seconds += 60
    rate(book, MOST_STEPS, 1.0, first=9000)
    assert len(book.since(book.learned_through(version), MOST_STEPS)) == MOST_STEPS
    assert {each.score for each, _ in book.since(0, MOST_STEPS)} == {1.0}
    assert easy(book, {""})[0] > 0.75


def test_what_is_kept_aside_teaches_nothing(book: RatingBook, clock: Hours) -> None:
    version = trained(book, clock)
    draw = random.Random(3)
    offers = [(WEAK, 0.7, 100, 0, False, 1.0)]
    number = 0
    while number < 5:
        kept = LOOKS.at(prompt(draw, hard=False).encode())
        if not is_aside(twin_of(kept)):
            continue
        generation = f"gen-aside-{number}"
        book.add([Choice(generation, "", 1, "cost", "", WEAK, offers, kept)])
        book.rate(Rating(generation, WEAK, "feedback", "", 0.0))
        number += 1
    book.add([Choice("gen-hint", "", 1, "cost", "", WEAK, offers, LOOKS.at(b"planet"))])
    book.rate(Rating("gen-hint", WEAK, "implicit", "", 0.0))
    assert weights(book, {""}) == book.weights(version)
