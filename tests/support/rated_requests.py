"""A router.db full of rated requests: one of two models does well on all, one on easy ones."""

from __future__ import annotations

import random
from typing import Any

from seekroute.learning import Choice, Looks, Rating, RatingBook

WEAK, STRONG = "a/weak", "a/strong"
SETTINGS: dict[str, Any] = {
    "models": [
        {"id": WEAK, "quality": 0.6, "names": [WEAK], "aliases": []},
        {"id": STRONG, "quality": 0.8, "names": [STRONG], "aliases": []},
    ],
    "strategy": "balanced",
    "cost_weight": 0.2,
    "cost_slack": 0.05,
    "stay": 0.0,
    "explore": 0.0,
    "learn": True,
    "weights": None,
    "vectors": None,
}
"""What a core chooses by that has learned nothing: `auto` of its snapshot."""

_EASY = ["planet", "moon", "orbit", "comet", "galaxy", "telescope"]
_HARD = ["lemma", "theorem", "topology", "manifold", "cohomology", "functor"]


def prompt(draw: random.Random, *, hard: bool) -> str:
    """A text of one kind; no two are alike."""
    return " ".join(draw.choices(_HARD if hard else _EASY, k=12)) + f" {draw.randrange(10**9)}"


def fill(
    book: RatingBook,
    count: int,
    *,
    pairs: bool,
    seed: int = 1,
    org: str = "",
    turned: bool = False,
    first: int = 0,
) -> None:
    """Requests of which the strong model does well on all, the weak one on easy ones alone."""
    draw, looks = random.Random(seed), Looks()
    choices: list[Choice] = []
    ratings: list[Rating] = []
    for number in range(first, first + count):
        hard = draw.random() < 0.5
        chosen = draw.choice([WEAK, STRONG])
        offers = [
            (model, 0.7, 100 if model == WEAK else 1000, 0, False, 0.5)
            for model in sorted([WEAK, STRONG], key=lambda model: model != chosen)
        ]
        kept = looks.at(prompt(draw, hard=hard).encode())
        generation = f"gen-{number}"
        choices.append(Choice(generation, org, 1000 + number, "balanced", "", chosen, offers, kept))
        for model in (WEAK, STRONG) if pairs else (chosen,):
            good = (model == STRONG or not hard) != turned
            score = float(good) if draw.random() < 0.95 else float(not good)
            source = "shadow" if pairs else "feedback"
            ratings.append(Rating(generation, model, source, org, score))
    book.add(choices)
    book.rate(*ratings)
