"""Weights from rated prompts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from seekroute.auto.lessons import Lessons, Rated, lessons_of
from seekroute.auto.linear import design, fit_linear
from seekroute.auto.metrics import cost_quality
from seekroute.auto.scoring import (
    COUNTERS,
    DENSE,
    MEMBERS,
    QUANTILES,
    UNRATED,
    Scorer,
    WordVectors,
    directions,
    write_weights,
)
from seekroute.auto.trees import train_trees, trees_of
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How much the members count; the first is taken where nothing tells them apart.
_SHARES = ((0.5, 1.0, 1.0), (1.0, 1.0, 1.0), (1.0, 0.0, 1.0))
# With fewer rated prompts, trees and neighbours are worse than regression alone.
LEAST_FOR_ALL = 250
# And of a model with fewer pairs nothing can be said in comparison.
_LEAST_EACH = 3
# What a rating counts that stands alone, of a prompt of which no other model's outcome is known.
_ALONE = 0.2
_FOLDS = 3  # of the inner cross-validation
# A step of the calibration that is no longer is its last.
_STILL = 1e-10
_LEAST_PROBABILITY = 0.01  # a member that is surer is not believed: the core's bound
PRIOR_RATINGS = 200.0
_MOST_STORED = 10_000  # rated prompts that neighbours are looked for in: the last ones
# How much of its variance in mistyped copies makes a feature count less for likeness.
_NOISE_WEIGHT = 4.0
_VECTOR_WEIGHT = 0.5  # of the vector in a direction, where the counters together have 1


@dataclass(frozen=True)
class Trainer:
    """Trains on parts of some lessons.

    Attributes:
        lessons: What is learned from.
        vectors: The table of word vectors that their features are of, if of one.
        neighbours: Whether that member is trained.
        step: Called after each part of a training, for a progress bar.
    """

    lessons: Lessons
    vectors: WordVectors | None = None
    neighbours: bool = True
    step: Callable[[], None] = field(default=lambda: None)

    def train(self, rows: NDArray[np.intp], *, seed: int = 0, revision: str = "") -> bytes:
        """Weights from the prompts at these places, as `fit` gives them, in the core's form.

        Raises:
            SeekrouteError: As `fit`.
        """
        return write_weights({**self.fit(rows, seed=seed), "revision": revision})

    def fit(self, rows: NDArray[np.intp], *, seed: int = 0) -> dict[str, Any]:
        """Weights from the prompts at these places, for `write_weights`.

        The shares of the members are those that serve best in an inner cross-validation; what it
        predicts also gives the quantiles of the leads and the calibration.

        Raises:
            SeekrouteError: There are less than six different ones, or a package of
                `seekroute[router]` is not installed.
        """
        lessons = self.lessons
        different = len(np.unique(lessons.twins[rows]))
        if different < 2 * _FOLDS:
            raise SeekrouteError(
                f"too few rated prompts to learn from: {different}, those that are alike counted "
                f"once; give {2 * _FOLDS} or more"
            )
        members = self._members(rows)
        folds = _folds(lessons.twins[rows], seed)
        shape = (len(rows), len(lessons.models), len(MEMBERS))
        probabilities, leads = np.zeros(shape), np.zeros(shape)
        for fold in range(_FOLDS):
            inside, outside = rows[folds != fold], rows[folds == fold]
            part = self._fit_members(inside, members, seed)
            scores = self._scorer(part).score_features(lessons.features.at(outside))
            probabilities[folds == fold] = scores.members
            leads[folds == fold] = scores.leads
            self.step()
        whole = self._fit_members(rows, members, seed)
        whole["shares"] = self._pick(rows, leads, members, seed)
        self._set_quantiles(whole, leads, members)
        self._calibrate(whole, lessons.outcomes[rows], probabilities, members)
        self.step()
        return whole

    def _members(self, rows: NDArray[np.intp]) -> tuple[bool, bool, bool]:
        """Which of MEMBERS are trained; the first always is. The others learn of pairs alone: of
        what one model did each would see only the prompts that it was given."""
        known = self._pairs(self.lessons.outcomes[rows])
        enough = known.any(axis=1).sum() >= LEAST_FOR_ALL and known.sum(axis=0).min() >= _LEAST_EACH
        return True, bool(enough), bool(enough and self.neighbours)

    @staticmethod
    def _pairs(outcomes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which outcomes are known, of prompts of which those of two models and more are."""
        known = ~np.isnan(outcomes)
        pairs: NDArray[np.bool_] = known & (known.sum(axis=1) > 1)[:, None]
        return pairs

    def _scorer(self, weights: dict[str, Any]) -> Scorer:
        return Scorer(write_weights(weights), self.vectors)

    def _fit_members(
        self, rows: NDArray[np.intp], members: tuple[bool, bool, bool], seed: int
    ) -> dict[str, Any]:
        """Members fitted to rows, with quantiles that say nothing yet."""
        _, trees, neighbours = members
        outcomes = self.lessons.outcomes[rows]
        known, pairs = ~np.isnan(outcomes), self._pairs(outcomes)
        copies = 1 + len(self.lessons.copies)
        taught = self.lessons.taught_rows(rows)
        weights = self.priors(rows)
        made = design(self.lessons.taught, taught)
        weights["rarity"] = made.rarity.tobytes()
        for place, model in enumerate(weights["models"]):
            model["ratings"] = int(
                pairs[:, place].sum() + _ALONE * (known & ~pairs)[:, place].sum()
            )
            there = np.tile(known[:, place], copies)
            model |= fit_linear(
                made.at(there), np.tile(outcomes[:, place], copies)[there], copies=copies
            )
            if trees:
                there = np.tile(pairs[:, place], copies)
                booster = train_trees(
                    self.lessons.taught.dense[taught[there]],
                    np.tile(outcomes[:, place], copies)[there],
                    len(weights["models"]) * seed + place,
                    copies=copies,
                )
                model["trees"] = trees_of(booster)
        # Also without neighbours: steps between two trainings scale the counters by it.
        paired = rows[pairs.any(axis=1)] if neighbours else rows
        copied = np.stack([copy.dense[paired] for copy in self.lessons.copies])
        spreads = _direction_spreads(self.lessons.features.dense[paired], copied)
        weights["direction"] = spreads.tobytes()
        if neighbours:
            self._store_neighbours(weights, paired, spreads)
        flat = np.linspace(-1, 1, QUANTILES, dtype=np.float32).tobytes()
        for model in weights["models"][1:]:
            model["leads"] = tuple(flat if there else b"" for there in members)
        return weights

    def _store_neighbours(
        self, weights: dict[str, Any], rows: NDArray[np.intp], spreads: NDArray[np.float32]
    ) -> None:
        lessons = self.lessons
        dense, outcomes = lessons.features.dense[rows], lessons.outcomes[rows]
        stored = slice(-_MOST_STORED, None)
        weights["rated_directions"] = directions(dense[stored], spreads).tobytes()
        told = np.where(np.isnan(outcomes), UNRATED, np.rint(outcomes * (UNRATED - 1)))
        weights["rated_outcomes"] = told[stored].astype(np.uint8).tobytes()
        weights["neighbours"] = int(np.clip(len(rows) // 15, 10, 300))

    def priors(self, rows: NDArray[np.intp]) -> dict[str, Any]:
        """Weights that know length and keywords alone."""
        difficulty = self.lessons.features.difficulty[rows].astype(np.float64)
        mean, spread = difficulty.mean(axis=0), difficulty.std(axis=0)
        scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
        prior = ((difficulty - mean) * scale).sum(axis=1)
        return {
            "revision": "",
            "ratings": len(rows),
            "prior_ratings": PRIOR_RATINGS,
            "length": (float(mean[0]), float(scale[0])),
            "keyword": (float(mean[1]), float(scale[1])),
            "prior": quantiles(prior),
            "vectors_checksum": 0 if self.vectors is None else self.vectors.checksum,
            "rarity": b"",
            "direction": np.zeros((DENSE, 2), np.float32).tobytes(),
            "shares": _SHARES[0],
            "models": [
                {
                    "name": name,
                    "ratings": len(rows),
                    "words": b"",
                    "counters": np.zeros(COUNTERS, np.float32).tobytes(),
                    "bias": 0.0,
                    "slope": 1.0,
                    "offset": 0.0,
                    "trees": [],
                    "leads": (b"", b"", b""),
                }
                for name in self.lessons.models
            ],
            "rated_directions": b"",
            "rated_outcomes": b"",
            "neighbours": 0,
        }

    def _set_quantiles(
        self, weights: dict[str, Any], leads: NDArray[Any], members: tuple[bool, bool, bool]
    ) -> None:
        for place, model in enumerate(weights["models"][1:], 1):
            model["leads"] = tuple(
                quantiles(leads[:, place, member]) if there else b""
                for member, there in enumerate(members)
            )

    def _pick(
        self,
        rows: NDArray[np.intp],
        leads: NDArray[np.float64],
        members: tuple[bool, bool, bool],
        seed: int,
    ) -> tuple[float, float, float]:
        """The shares that serve best, by the mean APGR of all models against the first."""
        outcomes = self.lessons.outcomes[rows]
        ranks = np.stack([_ranks(leads[:, :, member]) for member in range(len(MEMBERS))], axis=2)
        best, picked = -np.inf, _SHARES[0]
        for shares in _SHARES:
            used = np.array(shares) * members
            if not used.any():
                continue
            blended = ranks @ used
            apgr = []
            for place in range(1, outcomes.shape[1]):
                both = ~np.isnan(outcomes[:, place] - outcomes[:, 0])
                if both.sum() >= _LEAST_EACH:
                    told = (blended[both, place], outcomes[both, place], outcomes[both, 0])
                    apgr.append(cost_quality(*told, seed).apgr)
            value = float(np.nanmean(apgr)) if np.isfinite(apgr).any() else -np.inf
            if value > best:
                best, picked = value, shares
        return picked

    def _calibrate(
        self,
        weights: dict[str, Any],
        outcomes: NDArray[np.float64],
        probabilities: NDArray[np.float64],
        members: tuple[bool, bool, bool],
    ) -> None:
        """Platt's scaling: slope and offset from the blended logarithm of the odds, which the core
        takes in the same way."""
        shares = np.array(weights["shares"]) * members
        bounded = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        logits = np.log(bounded / (1 - bounded)) @ (shares / shares.sum())
        for place, model in enumerate(weights["models"]):
            known = ~np.isnan(outcomes[:, place])
            model["slope"], model["offset"] = _platt(logits[known, place], outcomes[known, place])


def train(
    rated: Rated,
    *,
    vectors: WordVectors | None = None,
    seed: int = 0,
    revision: str = "",
    step: Callable[[], None] = lambda: None,
) -> bytes:
    """Weights from all of some rated prompts: for `Scorer`, or a file.

    Args:
        rated: At least six; from 250 on, trees and neighbours are trained too.
        vectors: The table of word vectors, if one is used.
        seed: Of the folds and the trees: the same gives the same weights.
        revision: What the weights say of themselves, 256 bytes at most.
        step: Called four times, for a progress bar.

    Raises:
        SeekrouteError: They are too few, or a package of `seekroute[router]` is not installed.
    """
    trainer = Trainer(lessons_of(rated, vectors), vectors, step=step)
    return trainer.train(np.arange(len(rated)), seed=seed, revision=revision)


def _folds(twins: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    distinct, place = np.unique(twins, return_inverse=True)
    fold_of = np.random.default_rng(seed).permutation(len(distinct)) % _FOLDS
    return np.asarray(fold_of[place], np.intp)


def quantiles(numbers: NDArray[Any]) -> bytes:
    """A table of quantiles as the core has it."""
    table = np.quantile(numbers.astype(np.float64), np.linspace(0, 1, QUANTILES))
    return np.maximum.accumulate(table.astype(np.float32)).tobytes()


def _ranks(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks in each column, 0 to 1; equals have the mean of theirs."""
    ranked = np.empty_like(columns)
    for place in range(columns.shape[1]):
        column = columns[:, place]
        _, where, counts = np.unique(column, return_inverse=True, return_counts=True)
        middle = np.cumsum(counts) - (counts + 1) / 2
        ranked[:, place] = middle[where] / max(len(column) - 1, 1)
    return ranked


def _direction_spreads(
    dense: NDArray[np.float32], copies: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(features, mean and scale): the counters together have a variance of 1, the vector of a
    quarter; less where mistyped copies (copies, rows, features) are elsewhere."""
    numbers = dense.astype(np.float64)
    noise = (copies.astype(np.float64) - numbers).var(axis=1).mean(axis=0)
    spread = numbers.std(axis=0)
    weight = np.full(DENSE, 1 / np.sqrt(COUNTERS))
    weight[COUNTERS:] = _VECTOR_WEIGHT / np.sqrt(DENSE - COUNTERS)
    held = np.sqrt(np.square(spread) + _NOISE_WEIGHT * noise)
    scale = np.where(spread > 1e-6, weight / np.maximum(held, 1e-6), 0.0)
    return np.stack([numbers.mean(axis=0), scale], axis=1).astype(np.float32)


def _platt(logits: NDArray[np.float64], outcomes: NDArray[np.float64]) -> tuple[float, float]:
    """Newton's method for two weights, held back a little, so that it ends where all is one."""
    slope, offset = 1.0, 0.0
    for _ in range(50):
        probability = 1 / (1 + np.exp(-(slope * logits + offset)))
        error, spread = probability - outcomes, probability * (1 - probability)
        gradient = np.array([error @ logits + (slope - 1), error.sum() + 1e-3 * offset])
        cross = spread @ logits
        hessian = np.array([[spread @ logits**2 + 1, cross], [cross, spread.sum() + 1e-3]])
        move = np.linalg.solve(hessian, gradient)
        slope, offset = slope - move[0], offset - move[1]
        if np.abs(move).max() < _STILL:
            break
    return float(np.clip(slope, 0, 100)), float(np.clip(offset, -20, 20))
