"""Learning while prompts come in: what a router would know after so many ratings."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from seekroute.auto.evaluation import Report, Split, Table, check_pair
from seekroute.auto.lessons import Rated, lessons_of
from seekroute.auto.outcomes import Outcomes
from seekroute.auto.scoring import OnlineModel, Scorer, WordVectors, write_weights
from seekroute.auto.training import Trainer, quantiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

Feedback = Literal["pairs", "chosen"]
"""Which outcomes are learned of a prompt: those of both models, or that of the one it went to."""

CHECKPOINTS: Final = (500, 1000, 2000, 5000)
_FIRST: Final = 100  # prompts by which counters and the prior are scaled, before any is rated
_SPREAD: Final = 0.1  # of a counter
_WINDOW: Final = 2000  # of the last leads: where a new one stands among them is its rank
# Ratings of what was chosen alone are worth less than pairs: the prior counts as much as so many.
_PRIOR_OF_CHOSEN: Final = 1000.0
_EXPLORED: Final = 0.05  # of the prompts go to a model that is drawn
_TARGET: Final = 0.5  # of the prompts go to the strong model
_RATE: Final = 0.01  # by which the threshold follows that


@dataclass
class OnlineReport:
    """What was measured after so many ratings.

    Attributes:
        ratings: Prompts that were rated.
        report: On prompts that were held out.
        served: Of feedback on what was chosen: the mean outcome of the stream so far, 0 to 1.
        strong: The share of its prompts that went to the strong model.
    """

    ratings: int
    report: Report
    served: float | None
    strong: float | None


@dataclass
class _Checkpoint:
    ratings: int
    weights: bytes
    served: float | None = None
    strong: float | None = None


def evaluate_online(
    outcomes: Outcomes,
    splits: Sequence[Split],
    feedback: Feedback,
    *,
    vectors: WordVectors | None = None,
    step: Callable[[], None] = lambda: None,
) -> list[OnlineReport]:
    """Learns from a stream of ratings, and is asked about the held-out prompts now and then.

    The regression takes a step for each rating. With pairs, trees and neighbours are fitted anew at
    each checkpoint.

    Args:
        outcomes: Of two models, the weak one first.
        splits: One for each run; what is learned comes in an order that is drawn.
        feedback: What is learned of a prompt.
        vectors: The table of word vectors, if one is used.
        step: Called after each run.

    Raises:
        SeekrouteError: As `evaluate`.
    """
    check_pair(outcomes.rated)
    rated = outcomes.rated
    trainer = Trainer(lessons_of(rated, vectors), vectors)
    follow = _pairs if feedback == "pairs" else _chosen
    tables: dict[int, Table] = {}
    seen: dict[int, list[_Checkpoint]] = {}
    for split in splits:
        stream = np.random.default_rng(split.run).permutation(split.learned)
        at = [each for each in CHECKPOINTS if each < len(stream)] + [len(stream)]
        for place, point in enumerate(follow(trainer, rated, stream, at, split.run)):
            table = tables.setdefault(place, Table(rated, trainer.lessons.features.difficulty))
            table.ask(Scorer(point.weights, vectors), split.tested)
            table.end_run(split.run)
            seen.setdefault(place, []).append(point)
        step()
    return [
        OnlineReport(
            ratings=round(float(np.mean([point.ratings for point in seen[place]]))),
            report=table.report(
                learned=float(np.mean([point.ratings for point in seen[place]])), published=None
            ),
            served=_mean([point.served for point in seen[place]]),
            strong=_mean([point.strong for point in seen[place]]),
        )
        for place, table in tables.items()
    ]


def _mean(numbers: Sequence[float | None]) -> float | None:
    there = [number for number in numbers if number is not None]
    return float(np.mean(there)) if there else None


def _pairs(
    trainer: Trainer,
    rated: Rated,
    stream: NDArray[np.intp],
    checkpoints: Sequence[int],
    seed: int,
) -> Iterator[_Checkpoint]:
    models = _begin(trainer, stream)
    texts = [rated.prompts[i] for i in stream]
    leads = np.zeros(0)
    for end in checkpoints:
        begin = len(leads)
        weak, strong = (
            model.follow(texts[begin:end], rated.outcomes[stream[begin:end], place])
            for place, model in enumerate(models)
        )
        leads = np.concatenate([leads, strong - weak])
        weights = trainer.fit(stream[:end], seed=seed)
        _put(weights, models, leads[-_WINDOW:])
        yield _Checkpoint(end, write_weights(weights))


def _chosen(
    trainer: Trainer,
    rated: Rated,
    stream: NDArray[np.intp],
    checkpoints: Sequence[int],
    seed: int,
) -> Iterator[_Checkpoint]:
    models = _begin(trainer, stream)
    draw = np.random.default_rng(seed)
    difficulty = trainer.lessons.features.difficulty.astype(np.float64)
    first = difficulty[stream[:_FIRST]]
    prior = ((difficulty - first.mean(axis=0)) / np.maximum(first.std(axis=0), 1e-6)).sum(axis=1)
    leads: deque[float] = deque(maxlen=_WINDOW)
    priors: deque[float] = deque(maxlen=_WINDOW)
    threshold, served, asked_strong = _TARGET, 0.0, 0
    for count, row in enumerate(stream, 1):
        text = [rated.prompts[row]]
        weak, strong = (float(model.follow(text, np.array([np.nan]))[0]) for model in models)
        leads.append(strong - weak)
        priors.append(prior[row])
        learned = count / (count + _PRIOR_OF_CHOSEN)
        score = learned * _rank_of_last(leads) + (1 - learned) * _rank_of_last(priors)
        choice = int(score > threshold)
        threshold += _RATE * (choice - _TARGET)
        if draw.random() < _EXPLORED:
            choice = int(draw.random() < _TARGET)
        outcome = rated.outcomes[row, choice]
        models[choice].follow(text, np.array([outcome]))
        served, asked_strong = served + float(outcome), asked_strong + choice
        if count in checkpoints:
            weights = trainer.priors(stream[:count])
            weights["prior_ratings"] = _PRIOR_OF_CHOSEN
            _put(weights, models, np.array(leads))
            yield _Checkpoint(count, write_weights(weights), served / count, asked_strong / count)


def _begin(trainer: Trainer, stream: NDArray[np.intp]) -> list[OnlineModel]:
    dense = trainer.lessons.features.dense[stream[:_FIRST]]
    return [OnlineModel(dense, _SPREAD) for _ in trainer.lessons.models]


def _rank_of_last(numbers: deque[float]) -> float:
    seen = np.array(numbers)
    return float(np.mean(seen < seen[-1]) + np.mean(seen == seen[-1]) / 2)


def _put(
    weights: dict[str, Any], models: Sequence[OnlineModel], leads: NDArray[np.floating]
) -> None:
    """Makes the regression of weights what was learned online; its leads were those before each
    prompt was learned."""
    weights["rarity"] = b""
    for model, learned in zip(weights["models"], models, strict=True):
        model |= learned.weights()
    strong = weights["models"][1]
    strong["leads"] = (quantiles(leads), *strong["leads"][1:])
