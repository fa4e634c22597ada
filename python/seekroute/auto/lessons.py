"""What is learned from: prompts as the core sees them, and how well models did on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from seekroute.auto.mistyping import mistyped
from seekroute.auto.scoring import Features, WordVectors, joined, scan
from seekroute.errors import SeekrouteError
from seekroute.mistyping import COPIES, SHARE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Rated:
    """Prompts with the outcomes of models.

    Attributes:
        prompts: In UTF-8.
        models: The reference (the weakest or cheapest) first.
        outcomes: (prompts, models), 0 (bad) to 1 (good).
    """

    prompts: list[bytes]
    models: list[str]
    outcomes: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.outcomes.shape != (len(self.prompts), len(self.models)):
            raise SeekrouteError("there are not as many outcomes as prompts and models")
        if not ((self.outcomes >= 0) & (self.outcomes <= 1)).all():
            raise SeekrouteError("an outcome is not between 0 and 1")

    def __len__(self) -> int:
        return len(self.prompts)


@dataclass(frozen=True)
class Lessons:
    """Rated prompts without their text.

    Attributes:
        models: The reference first.
        outcomes: (prompts, models), 0 (bad) to 1 (good); NaN: it is not known.
        features: Of the prompts.
        copies: Of copies of them with mistyped letters; each has all prompts.
        twins: A number for each prompt, the same for those that are alike: they are never in two
            folds.
    """

    models: list[str]
    outcomes: NDArray[np.float64]
    features: Features
    copies: Sequence[Features]
    twins: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.outcomes)

    @cached_property
    def taught(self) -> Features:
        """The prompts, then each copy of all of them."""
        return joined([self.features, *self.copies])

    def taught_rows(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Places in `taught` of the prompts at these places, then of each copy of them."""
        starts = len(self) * np.arange(1 + len(self.copies))
        return (starts[:, None] + rows[None, :]).ravel()


def lessons_of(rated: Rated, vectors: WordVectors | None = None) -> Lessons:
    """Rated prompts as they are learned from.

    Args:
        rated: The prompts.
        vectors: The table of word vectors, if one is used.
    """
    copies = [scan(mistyped(rated.prompts, SHARE, seed), vectors) for seed in range(COPIES)]
    return Lessons(
        rated.models,
        rated.outcomes,
        scan(rated.prompts, vectors),
        copies,
        twins_of(rated.prompts),
    )


def twins_of(prompts: Sequence[bytes]) -> NDArray[np.intp]:
    """A number for each prompt, the same for those that differ in case and punctuation alone."""
    numbers: dict[str, int] = {}
    found = []
    for prompt in prompts:
        text = prompt.decode("utf-8", "replace").lower()
        key = " ".join("".join(c if c.isalnum() or c == "_" else " " for c in text).split())
        found.append(numbers.setdefault(key, len(numbers)))
    return np.array(found, np.intp)
