"""New weights from all ratings: trained, measured against those in force, put there if no worse.

Of five prompts four are learned from and one is kept aside, always the same ones, by their words:
no weights ever learn of those by which they and the next ones are judged.

Needs the extra `seekroute[router]`. It keeps no request waiting where it runs in a process of its
own, `python -m seekroute.learning.refit` with pickled settings on its standard input.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from seekroute.auto.lessons import Lessons
from seekroute.auto.scoring import DENSE, Features, shipped_vectors
from seekroute.auto.training import Trainer
from seekroute.learning.book import Choice, Rating, RatingBook, Version
from seekroute.learning.database import LearningError
from seekroute.learning.judging import known_by_id, settings_with_weights, word_vectors
from seekroute.learning.looks import Looks, Packed, is_aside, qualities, twin_of, unpacked
from seekroute.learning.standing import allowances
from seekroute.learning.stepping import PRIOR
from seekroute.mistyping import COPIES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LEAST_RATED", "Refit", "refit"]

LEAST_RATED: Final = 50
"""Rated prompts with text, of which a fifth is kept aside."""
_LEAST_OF_MODEL: Final = 20  # ratings; of a model with fewer nothing is learned
_NICE: Final = 19  # of that process
_LEAST: Final = 0.01  # of a chance: nothing is believed to be surer


@dataclass(frozen=True, slots=True)
class Refit:
    """What came of it.

    Attributes:
        version: the new version; its state says whether it is in force.
        learned: prompts that it was learned from.
        aside: ratings that it was judged by.
        loss: its mean loss on those, in nats: the less the better.
        loss_in_force: that of what was in force.
    """

    version: Version
    learned: int
    aside: int
    loss: float
    loss_in_force: float


@dataclass(frozen=True)
class _Row:
    choice: Choice
    scores: Mapping[str, float]
    twin: bytes
    org: str

    @property
    def aside(self) -> bool:
        return is_aside(self.twin)


def refit(
    book: RatingBook,
    settings: dict[str, Any],
    trusted: Collection[str],
    *,
    step: Callable[[], None] = lambda: None,
) -> Refit:
    """Learns from all ratings, and puts what was learned in force unless it is worse.

    Args:
        book: where the ratings are.
        settings: `auto` of the core's snapshot.
        trusted: ids of organizations, whose ratings all count.
        step: called after each part, for a progress bar.

    Raises:
        LearningError: there are too few ratings.
        SeekrouteError: a package of `seekroute[router]` is not installed.
    """
    ratings, through = book.last_given()
    rows = _rows(book, trusted)
    models = _models(rows, [row["id"] for row in settings["models"]])
    learned = [row for row in rows if not row.aside and row.scores.keys() & set(models)]
    aside = [row for row in rows if row.aside]
    if len(rows) < LEAST_RATED or len(models) < 2 or not aside:
        raise LearningError(
            f"too few ratings to learn from: {len(rows)} rated prompts, and {LEAST_RATED} are "
            f"needed; {len(models)} models of the pool have {_LEAST_OF_MODEL} ratings or more, and "
            "2 are needed"
        )
    lessons = _lessons(learned, models)
    revision = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    trainer = Trainer(lessons, shipped_vectors(), step=step)
    weights = trainer.train(np.arange(len(lessons)), revision=revision)
    own = {
        **settings,
        "models": [known_by_id(row) for row in settings["models"]],
        "weights": weights,
        "vectors": word_vectors(),
    }
    loss, judged = _loss(own, aside)
    loss_in_force, _ = _loss(settings_with_weights(settings, book), aside)
    report = {
        "ratings": ratings,
        "through": through,
        "learned": len(learned),
        "aside": judged,
        "loss": round(loss, 6),
        "loss_in_force": round(loss_in_force, 6),
    }
    if loss <= loss_in_force:
        version = book.put_in_force(weights, models, len(learned), report)
    else:
        version = book.refuse(models, len(learned), report)
    return Refit(version, len(learned), judged, loss, loss_in_force)


def _rows(book: RatingBook, trusted: Collection[str]) -> list[_Row]:
    """Rated prompts that have text, the oldest first, without those of organizations that have said
    more than they may: of these the latest count."""
    rows = []
    for choice, ratings in book.rated():
        scores = _scores(ratings)
        if choice.looks and scores:
            rows.append(_Row(choice, scores, twin_of(choice.looks), choice.org))
    said: dict[str, float] = {}
    for row in rows:
        said[row.org] = said.get(row.org, 0.0) + 1
    left = allowances(said, trusted, PRIOR)
    kept = []
    for row in reversed(rows):
        if left[row.org] >= 1:
            left[row.org] -= 1
            kept.append(row)
    return kept[::-1]


def _scores(ratings: Sequence[Rating]) -> dict[str, float]:
    """Of each model what is known: what a grader says of a pair comes before a caller's rating.
    Hints are too little to train by."""
    found: dict[str, float] = {}
    for source in ("feedback", "shadow"):
        for each in ratings:
            if each.source == source and each.score is not None:
                found[each.model] = each.score
    return found


def _models(rows: Sequence[_Row], pool: Sequence[str]) -> list[str]:
    """Those of which enough is known, the worst first."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for model, score in row.scores.items():
            if model in pool:
                found.setdefault(model, []).append(score)
    enough = {model: sum(s) / len(s) for model, s in found.items() if len(s) >= _LEAST_OF_MODEL}
    return sorted(enough, key=lambda model: (enough[model], model))


def _lessons(rows: Sequence[_Row], models: Sequence[str]) -> Lessons:
    outcomes = np.full((len(rows), len(models)), np.nan)
    for place, row in enumerate(rows):
        for model, score in row.scores.items():
            if model in models:
                outcomes[place, models.index(model)] = score
    every = _features(unpacked([row.choice.looks for row in rows], copies=True))
    texts = [every.at(np.arange(k, len(every), 1 + COPIES)) for k in range(1 + COPIES)]
    _, twins = np.unique([row.twin.hex() for row in rows], return_inverse=True)
    return Lessons(list(models), outcomes, texts[0], texts[1:], np.asarray(twins, np.intp))


def _features(packed: Packed) -> Features:
    dense: NDArray[np.float32] = np.frombuffer(packed.dense, np.float32).reshape(-1, DENSE)
    return Features(
        dense=dense,
        difficulty=np.frombuffer(packed.difficulty, np.float32).reshape(-1, 2),
        ends=np.frombuffer(packed.ends, np.uint32),
        buckets=np.frombuffer(packed.buckets, np.uint16),
        counts=np.frombuffer(packed.counts, np.uint16),
    )


def _loss(settings: dict[str, Any], aside: Sequence[_Row]) -> tuple[float, int]:
    """The mean of the logarithmic loss over the ratings, and how many they are."""
    router = Looks().router(settings)
    names = [row["id"] for row in settings["models"]]
    found = qualities(router, [row.choice.looks for row in aside], [True] * len(aside))
    losses = []
    for place, row in enumerate(aside):
        for model, score in row.scores.items():
            if model not in names:
                continue
            chance = found[place * len(names) + names.index(model)]
            bounded = min(max(chance, _LEAST), 1 - _LEAST)
            losses.append(-(score * math.log(bounded) + (1 - score) * math.log(1 - bounded)))
    if not losses:
        raise LearningError("none of the ratings that are kept aside is of a model of the pool")
    return sum(losses) / len(losses), len(losses)


def _main() -> None:
    import json
    import os
    import pickle
    import sys
    from pathlib import Path

    from seekroute.errors import SeekrouteError

    os.nice(_NICE)
    # From the server that started this process, and nobody else.
    home, settings, trusted = pickle.load(sys.stdin.buffer)
    try:
        with RatingBook(Path(home), make=False) as book:
            found = refit(book, settings, trusted)
        told: dict[str, Any] = {
            "number": found.version.number,
            "state": found.version.state,
            **found.version.report,
        }
    except SeekrouteError as error:
        told = {"error": str(error)}
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    _main()
