"""A router against length, keywords, chance and what was published, on rated prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from seekroute.auto.metrics import calibration_error, cost_quality
from seekroute.auto.outcomes import Outcomes
from seekroute.auto.scoring import Scorer, WordVectors
from seekroute.auto.training import Trainer, twins_of
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# RouteLLM's tables (Ong et al., ICLR 2025), on all rows of its sets: APGR, CPT50, CPT80. The best
# rows with and without labels of the set.
PUBLISHED: Final = {
    "mmlu": {
        "RouteLLM similarity, with labels": (0.603, 35.40, 71.55),
        "RouteLLM causal model, with labels": (0.600, 35.49, 70.31),
        "RouteLLM matrix, with labels": (0.597, 35.46, 71.40),
        "RouteLLM BERT, with labels": (0.572, 41.30, 72.20),
        "RouteLLM matrix, arena alone": (0.524, 45.00, 76.86),
    },
    "gsm8k": {
        "RouteLLM causal model, with a judge": (0.622, 33.64, 63.26),
        "RouteLLM similarity, with a judge": (0.568, 41.21, 72.20),
        "RouteLLM matrix, with a judge": (0.565, 38.82, 72.62),
        "RouteLLM BERT, with a judge": (0.531, 44.76, 79.09),
        "RouteLLM similarity, arena alone": (0.4753, 54.43, 82.11),
    },
}
ROUTER: Final = "seekroute"
WITHOUT: Final = "seekroute, without neighbours"
_HELD_OUT = 0.3  # of the prompts, for a learning curve


@dataclass(frozen=True)
class Split:
    """Places of prompts to learn from and to be asked about; those of one `run` are measured
    together."""

    run: int
    learned: NDArray[np.intp]
    tested: NDArray[np.intp]


@dataclass
class Line:
    """A line of the table.

    Attributes:
        name: What it measures.
        runs: (APGR, CPT50, CPT80) of each seed.
    """

    name: str
    runs: list[tuple[float, float, float]] = field(default_factory=list)

    @property
    def mean(self) -> tuple[float, float, float]:
        """Of the runs."""
        apgr, cpt50, cpt80 = np.mean(self.runs, axis=0)
        return float(apgr), float(cpt50), float(cpt80)

    @property
    def spread(self) -> float:
        """The standard deviation of the APGR over the runs; 0 of one."""
        return float(np.std([run[0] for run in self.runs], ddof=1)) if len(self.runs) > 1 else 0.0


@dataclass
class Report:
    """What was measured.

    Attributes:
        lines: The table.
        calibration: Of the models, the calibration error.
        microseconds: The median and the 99th percentile of a decision, without neighbours and with.
        tested: Prompts that were asked about, in a run.
        learned: Prompts that were learned from, in a run; the mean.
    """

    lines: list[Line]
    calibration: dict[str, float]
    microseconds: dict[str, tuple[float, float]]
    tested: int
    learned: float


def split_labels(outcomes: Outcomes, labels: int, seeds: int) -> Iterator[Split]:
    """Learns from so many prompts drawn at random, and is tested on the others."""
    twins = twins_of(outcomes.rated.prompts)
    for seed in range(seeds):
        learned = _drawn(twins, labels, seed)
        yield Split(seed, learned, np.setdiff1d(np.arange(len(twins)), learned))


def split_folds(outcomes: Outcomes, folds: int, seeds: int) -> Iterator[Split]:
    """Cross-validation: all prompts are tested once in a run."""
    twins = twins_of(outcomes.rated.prompts)
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(twins.max() + 1)
        yield from _parted(seed, order[twins] % folds, folds)


def split_groups(outcomes: Outcomes, parts: int, seeds: int) -> Iterator[Split]:
    """Cross-validation over groups: nothing is learned of the subjects that are tested."""
    if not outcomes.groups:
        raise SeekrouteError("there are no groups: name their field")
    names, of_prompt = np.unique(outcomes.groups, return_inverse=True)
    if len(names) < parts:
        raise SeekrouteError(f"{len(names)} groups cannot be put into {parts} parts")
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(names))
        yield from _parted(seed, order[of_prompt] % parts, parts)


def split_held_out(outcomes: Outcomes, labels: int, seeds: int) -> Iterator[Split]:
    """Learns from so many prompts, and is tested on three tenths that no number of them reaches:
    the points of a learning curve are of the same prompts."""
    twins = twins_of(outcomes.rated.prompts)
    for seed in range(seeds):
        tested = _drawn(twins, int(_HELD_OUT * len(twins)), 1_000_000 + seed)
        rest = np.setdiff1d(np.arange(len(twins)), tested)
        if labels > len(rest):
            raise SeekrouteError(f"{len(rest)} prompts are left to learn from, not {labels}")
        yield Split(seed, rest[_drawn(twins[rest], labels, seed)], tested)


def evaluate(
    outcomes: Outcomes,
    splits: Sequence[Split],
    *,
    vectors: WordVectors | None = None,
    published: str | None = None,
    step: Callable[[], None] = lambda: None,
) -> Report:
    """Trains and tests on each split.

    Args:
        outcomes: Of two models, the weak one first.
        splits: All of them.
        vectors: The table of word vectors, if one is used.
        published: A key of PUBLISHED, whose lines are added.
        step: Called after each split.

    Raises:
        SeekrouteError: There are not two models, or they are equally good; and as `Trainer.train`.
    """
    rated = outcomes.rated
    if len(rated.models) != 2:
        raise SeekrouteError(
            f"a table is of two models, not {len(rated.models)}: name them with --models, the "
            f"weak one first"
        )
    weak, strong = rated.outcomes.T
    if weak.mean() == strong.mean():
        raise SeekrouteError("both models are equally good: there is nothing to route for")
    trainer = Trainer(rated, vectors)
    length, keyword = trainer.features.difficulty.T.astype(np.float64)
    names = (
        *("random", "length", "keyword", "length + keyword", WITHOUT, ROUTER),
        "oracle",
    )
    lines = {name: Line(name) for name in names}
    taken: dict[str, list[NDArray[np.int64]]] = {WITHOUT: [], ROUTER: []}
    errors: list[list[float]] = []
    learned = []
    for run in sorted({split.run for split in splits}):
        ranks = {name: np.zeros(len(rated)) for name in (WITHOUT, ROUTER)}
        quality = np.zeros((len(rated), 2))
        tested = np.zeros(len(rated), bool)
        for split in (each for each in splits if each.run == run):
            weights = trainer.train(split.learned, seed=run)
            scorer = Scorer(weights, vectors)
            texts = [rated.prompts[i] for i in split.tested]
            for name in ranks:
                scores = scorer.score(texts, neighbours=name == ROUTER)
                ranks[name][split.tested] = scores.ranks[:, 1]
                taken[name].append(scores.nanoseconds)
            quality[split.tested] = scores.quality
            tested |= np.isin(np.arange(len(rated)), split.tested)
            learned.append(len(split.learned))
            step()
        chance = np.random.default_rng(run).random(len(rated))
        both = _spread(length[tested]) + _spread(keyword[tested])
        for name, score in (
            ("random", chance[tested]),
            ("length", length[tested]),
            ("keyword", keyword[tested]),
            ("length + keyword", both),
            (WITHOUT, ranks[WITHOUT][tested]),
            (ROUTER, ranks[ROUTER][tested]),
            ("oracle", (strong - weak)[tested]),
        ):
            curve = cost_quality(score, strong[tested], weak[tested], run)
            lines[name].runs.append((curve.apgr, curve.cpt50, curve.cpt80))
        errors.append(
            [
                calibration_error(quality[tested, place], rated.outcomes[tested, place])
                for place in range(2)
            ]
        )
    table = list(lines.values())
    table[-1:-1] = [Line(name, [row]) for name, row in PUBLISHED.get(published or "", {}).items()]
    return Report(
        lines=table,
        calibration=dict(zip(rated.models, map(float, np.mean(errors, axis=0)), strict=True)),
        microseconds={name: _times(np.concatenate(each)) for name, each in taken.items()},
        tested=int(tested.sum()),
        learned=float(np.mean(learned)),
    )


def _times(nanoseconds: NDArray[np.int64]) -> tuple[float, float]:
    half, most = np.quantile(nanoseconds, (0.5, 0.99)) / 1000
    return float(half), float(most)


def _spread(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    spread: NDArray[np.float64] = (numbers - numbers.mean()) / max(float(numbers.std()), 1e-12)
    return spread


def _drawn(twins: NDArray[np.intp], count: int, seed: int) -> NDArray[np.intp]:
    """So many places at random, or a few more: prompts that are the same stay together."""
    if not 0 < count < len(twins):
        raise SeekrouteError(f"of {len(twins)} prompts {count} cannot be drawn and others be left")
    _, of_prompt = np.unique(twins, return_inverse=True)
    order = np.random.default_rng(seed).permutation(of_prompt.max() + 1)
    turn = order[of_prompt]
    last = np.sort(turn)[count - 1]
    return np.flatnonzero(turn <= last)


def _parted(run: int, part_of: NDArray[np.intp], parts: int) -> Iterator[Split]:
    for part in range(parts):
        tested = np.flatnonzero(part_of == part)
        if len(tested):
            yield Split(run, np.flatnonzero(part_of != part), tested)
