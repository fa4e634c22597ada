"""A router against length, keywords, chance and what was published, on rated prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from seekroute.auto.lessons import Rated, lessons_of, twins_of
from seekroute.auto.metrics import Curve, calibration_error, cost_quality
from seekroute.auto.mistyping import mistyped
from seekroute.auto.outcomes import Outcomes
from seekroute.auto.scoring import Scorer, WordVectors, scan
from seekroute.auto.training import Trainer
from seekroute.errors import SeekrouteError
from seekroute.shown import Shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure
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
_NAMES: Final = ("random", "length", "keyword", "length + keyword", WITHOUT, ROUTER, "oracle")
_MISTYPED: Final = 0.03  # of the characters, to see what decisions turn
_MISTYPED_SEED: Final = 1_000  # apart from those that training uses
_HELD_OUT: Final = 0.3  # of the prompts, for a learning curve
_HELD_OUT_SEEDS: Final = 1_000_000  # from here on: apart from the seeds of what is learned


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
        published: (APGR, CPT50, CPT80) of others' tables.
        curves: What was measured here, a curve for each run.
    """

    name: str
    published: tuple[float, float, float] | None = None
    curves: list[Curve] = field(default_factory=list)

    @property
    def runs(self) -> list[tuple[float, float, float]]:
        """(APGR, CPT50, CPT80) of each run."""
        if self.published is not None:
            return [self.published]
        return [(curve.apgr, curve.cpt50, curve.cpt80) for curve in self.curves]

    @property
    def mean(self) -> tuple[float, float, float]:
        """Of the runs."""
        apgr, cpt50, cpt80 = np.mean(self.runs, axis=0)
        return float(apgr), float(cpt50), float(cpt80)

    @property
    def spread(self) -> float:
        """The standard deviation of the APGR over the runs; 0 of one."""
        return float(np.std([run[0] for run in self.runs], ddof=1)) if len(self.runs) > 1 else 0.0

    @property
    def points(self) -> list[tuple[float, float]]:
        """(share of calls to the strong model, quality), in percent, the mean of the runs; none of
        a published line."""
        if not self.curves:
            return []
        share = np.mean([curve.share for curve in self.curves], axis=0)
        quality = np.mean([curve.quality for curve in self.curves], axis=0)
        return list(zip(share.tolist(), quality.tolist(), strict=True))


@dataclass
class Report(Shown):
    """What was measured.

    Attributes:
        models: The weak one and the strong one.
        lines: The table.
        calibration: Of the models, the calibration error.
        microseconds: The median and the 99th percentile of a decision, without neighbours and with.
        turned: The share of decisions between the halves of the prompts that turn when 3 % of the
            characters, line ends too, are replaced at random; without neighbours and with.
        tested: Prompts that were asked about, in a run.
        learned: Prompts that were learned from, in a run; the mean.
    """

    models: list[str]
    lines: list[Line]
    calibration: dict[str, float]
    microseconds: dict[str, tuple[float, float]]
    turned: dict[str, float]
    tested: int
    learned: float

    @property
    def caption(self) -> str:
        """What the table is of."""
        return (
            f"{self.models[0]} and {self.models[1]}: learned from {self.learned:.0f} prompts, "
            f"tested on {self.tested}"
        )

    def rows(self) -> list[dict[str, str | None]]:
        """The lines as text: `router`, `apgr`, `sd` (None of one run), `cpt50`, `cpt80`."""
        rows: list[dict[str, str | None]] = []
        for line in self.lines:
            apgr, cpt50, cpt80 = line.mean
            rows.append(
                {
                    "router": line.name,
                    "apgr": f"{apgr:.3f}",
                    "sd": f"{line.spread:.3f}" if len(line.runs) > 1 else None,
                    "cpt50": f"{cpt50:.1f}",
                    "cpt80": f"{cpt80:.1f}",
                }
            )
        return rows

    def plot(self) -> Figure:
        """Draws the quality that calls to the strong model buy.

        Raises:
            SeekrouteError: matplotlib is not installed.
        """
        from seekroute.auto.drawing import draw_report

        return draw_report(self)


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
        raise SeekrouteError("there are no groups: name their field in `read_outcomes(group=...)`")
    names, of_prompt = np.unique(outcomes.groups, return_inverse=True)
    if len(names) < parts:
        raise SeekrouteError(f"{len(names)} groups cannot be put into {parts} parts")
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(names))
        yield from _parted(seed, order[of_prompt] % parts, parts)


def split_held_out(outcomes: Outcomes, labels: int | None, seeds: int) -> Iterator[Split]:
    """Learns from so many prompts (None: from all others), and is tested on three tenths that no
    number of them reaches: the points of a learning curve are of the same prompts."""
    twins = twins_of(outcomes.rated.prompts)
    for seed in range(seeds):
        tested = _drawn(twins, int(_HELD_OUT * len(twins)), _HELD_OUT_SEEDS + seed)
        rest = np.setdiff1d(np.arange(len(twins)), tested)
        if labels is not None:
            if labels > len(rest):
                raise SeekrouteError(f"{len(rest)} prompts are left to learn from, not {labels}")
            rest = rest[_drawn(twins[rest], labels, seed)]
        yield Split(seed, rest, tested)


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
        SeekrouteError: There are not two models, or the first is as good as the second; and as
            `Trainer.train`.
    """
    check_pair(outcomes.rated)
    trainer = Trainer(lessons_of(outcomes.rated, vectors), vectors)
    table = Table(outcomes.rated, trainer.lessons.features.difficulty)
    learned = []
    for run in sorted({split.run for split in splits}):
        for split in (each for each in splits if each.run == run):
            scorer = Scorer(trainer.train(split.learned, seed=run), vectors)
            table.ask(scorer, split.tested)
            learned.append(len(split.learned))
            step()
        table.end_run(run)
    return table.report(learned=float(np.mean(learned)), published=published)


def evaluate_weights(
    scorer: Scorer, rated: Rated, *, published: str | None = None, seed: int = 0
) -> Report:
    """Tests weights as they are, on prompts that they should not have been trained on.

    Raises:
        SeekrouteError: As `evaluate`, and where the weights are of other models.
    """
    check_pair(rated)
    if scorer.models != rated.models:
        raise SeekrouteError(
            f"the weights are of {', '.join(scorer.models)}, the outcomes of "
            f"{', '.join(rated.models)}: name the outcomes' models in that order"
        )
    table = Table(rated, scan(rated.prompts).difficulty)
    table.ask(scorer, np.arange(len(rated)))
    table.end_run(seed)
    return table.report(learned=float(scorer.ratings), published=published)


def check_pair(rated: Rated) -> None:
    """Refuses outcomes that no table can be made of.

    Raises:
        SeekrouteError: There are not two models, or the first is as good as the second.
    """
    if len(rated.models) != 2:
        raise SeekrouteError(
            f"a table is of two models, not {len(rated.models)}: name them with --models, the "
            f"weak one first"
        )
    weak, strong = rated.outcomes.mean(axis=0)
    if not weak < strong:
        raise SeekrouteError(
            f"{rated.models[1]} is not better than {rated.models[0]}: there is nothing to route "
            f"for; --models names the weak model first"
        )


class Table:
    """Gathers what is said of prompts, run by run; a run is of prompts that are asked about
    once."""

    def __init__(self, rated: Rated, difficulty: NDArray[np.float32]) -> None:
        """Begins.

        Args:
            rated: That `check_pair` lets pass.
            difficulty: Their length and keyword scores, as in `Features`.
        """
        self._rated = rated
        self._length, self._keyword = difficulty.T.astype(np.float64)
        self._lines = {name: Line(name) for name in _NAMES}
        self._nanoseconds: dict[str, list[NDArray[np.int64]]] = {WITHOUT: [], ROUTER: []}
        self._turned: dict[str, list[float]] = {WITHOUT: [], ROUTER: []}
        self._errors: list[list[float]] = []
        self._begin_run()

    def _begin_run(self) -> None:
        rows = len(self._rated)
        self._ranks = {name: np.zeros(rows) for name in (WITHOUT, ROUTER)}
        self._mistyped = {name: np.zeros(rows) for name in (WITHOUT, ROUTER)}
        self._quality = np.zeros((rows, 2))
        self._tested = np.zeros(rows, bool)

    def ask(self, scorer: Scorer, tested: NDArray[np.intp]) -> None:
        """Asks about the prompts at these places."""
        texts = [self._rated.prompts[i] for i in tested]
        typed = mistyped(texts, _MISTYPED, _MISTYPED_SEED)
        for name, ranks in self._ranks.items():
            scores = scorer.score(texts, neighbours=name == ROUTER)
            ranks[tested] = scores.ranks[:, 1]
            again = scorer.score(typed, neighbours=name == ROUTER)
            self._mistyped[name][tested] = again.ranks[:, 1]
            self._nanoseconds[name].append(scores.nanoseconds)
        self._quality[tested] = scores.quality  # the last: with neighbours
        self._tested[tested] = True

    def end_run(self, seed: int) -> None:
        """Measures what was asked about since the last time.

        Raises:
            SeekrouteError: On these prompts the strong model is no better than the weak one.
        """
        tested = self._tested
        weak, strong = self._rated.outcomes[tested].T
        if not weak.mean() < strong.mean():
            raise SeekrouteError(
                f"on the {tested.sum()} prompts of a test the strong model is no better than the "
                f"weak one: test on more of them"
            )
        length, keyword = self._length[tested], self._keyword[tested]
        scores = {
            "random": np.random.default_rng(seed).random(len(weak)),
            "length": length,
            "keyword": keyword,
            "length + keyword": _standardized(length) + _standardized(keyword),
            **{name: ranks[tested] for name, ranks in self._ranks.items()},
            "oracle": strong - weak,
        }
        for name, line in self._lines.items():
            line.curves.append(cost_quality(scores[name], strong, weak, seed))
        for name, ranks in self._ranks.items():
            middle = np.median(ranks[tested])
            turned = (ranks[tested] > middle) != (self._mistyped[name][tested] > middle)
            self._turned[name].append(float(turned.mean()))
        self._errors.append(
            [
                calibration_error(self._quality[tested, place], each)
                for place, each in enumerate((weak, strong))
            ]
        )
        self._last = int(tested.sum())
        self._begin_run()

    def report(self, *, learned: float, published: str | None) -> Report:
        """The lines of all runs; of at least one. As `evaluate`."""
        *lines, oracle = self._lines.values()
        others = [Line(name, row) for name, row in PUBLISHED.get(published or "", {}).items()]
        errors = np.mean(self._errors, axis=0)
        return Report(
            models=list(self._rated.models),
            lines=[*lines, *others, oracle],
            calibration=dict(zip(self._rated.models, map(float, errors), strict=True)),
            microseconds={
                name: _times(np.concatenate(each)) for name, each in self._nanoseconds.items()
            },
            turned={name: float(np.mean(each)) for name, each in self._turned.items()},
            tested=self._last,
            learned=learned,
        )


def _times(nanoseconds: NDArray[np.int64]) -> tuple[float, float]:
    half, most = np.quantile(nanoseconds, (0.5, 0.99)) / 1000
    return float(half), float(most)


def _standardized(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = (numbers - numbers.mean()) / max(float(numbers.std()), 1e-12)
    return found


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
