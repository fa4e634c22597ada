"""What the core is given of what was learned: the weights in force, and how models have done."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.resources import files
from typing import Any, Final

from seekroute.learning.book import RatingBook
from seekroute.learning.looks import NO_TEXT, Looks, qualities
from seekroute.learning.standing import LATEST, Voice, shift_of, voices
from seekroute.learning.stepping import stepped

__all__ = ["WEIGHTS_OF", "known_by_id", "settings_with_weights", "shifts_of"]

WEIGHTS_OF: Final = {"feedback": 1.0, "shadow": 1.0, "implicit": 0.1}
"""What a rating counts, by its source: an answer that was refused or empty only hints at one."""


def settings_with_weights(
    settings: dict[str, Any], book: RatingBook, stepping: Collection[str] | None = None
) -> dict[str, Any]:
    """What a server chooses by, with the learned weights that are in force in the place of the
    configuration's.

    Args:
        settings: `auto` of the core's snapshot.
        stepping: ids of trusted organizations, where the ratings that came since are learned of,
            too.

    Raises:
        LearningError: the weights cannot be read.
    """
    now = book.in_force()
    if now is None or not {row["id"] for row in settings["models"]} & set(now.models):
        return settings  # of another pool they would say nothing
    weights = book.weights(now)
    if stepping is not None:
        weights = stepped(weights, now, book, stepping)
    return {
        **settings,
        "models": [known_by_id(row) for row in settings["models"]],
        "weights": weights,
        "vectors": settings["vectors"] or word_vectors(),
    }


def known_by_id(row: Mapping[str, Any]) -> dict[str, Any]:
    """A model of the pool, as learned weights know it."""
    return {**row, "names": [row["id"]], "trained_as": None}


def shifts_of(
    settings: dict[str, Any], book: RatingBook, looks: Looks, trusted: Collection[str]
) -> dict[str, float]:
    """By how much the logarithm of each model's odds is to be raised, by its last ratings.

    Args:
        settings: what judges; shifts in them do not count.
        trusted: ids of organizations, whose ratings count whole.
    """
    plain = [{**row, "shift": 0.0} for row in settings["models"]]
    router = looks.router({**settings, "models": plain})
    shifts = {}
    for place, row in enumerate(plain):
        given = book.latest(row["id"], LATEST)
        if not given:
            continue
        expected = qualities(
            router, [kept or NO_TEXT for _, kept in given], [bool(kept) for _, kept in given]
        )
        heard = [
            Voice(each.org, expected[i * len(plain) + place], each.score, WEIGHTS_OF[each.source])
            for i, (each, _) in enumerate(given)
            if each.score is not None
        ]
        shifts[row["id"]] = shift_of(voices(heard, trusted))
    return shifts


def word_vectors() -> bytes:
    """The table that the package has."""
    return (files("seekroute") / "data" / "word_vectors.bin").read_bytes()
