"""`seekroute router eval | train | explain`: routing by content."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seekroute.cli.shared import JsonOption, print_json, print_rows, say
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.auto import Outcomes, Report, Split, WordVectors

app = typer.Typer(
    help='Train and measure routing by content (model: "auto").', no_args_is_help=True
)

_COLUMNS = ("router", "apgr", "sd", "cpt50", "cpt80")
_MOST_SEEDS = 1000
_STEPS = 4  # of a training
_MOST_PROMPT = 1 << 20  # bytes of the standard input; the router looks at 4 KiB of them


class Online(StrEnum):
    """Feedback of a stream."""

    PAIRS = "pairs"
    CHOSEN = "chosen"


class Published(StrEnum):
    """The tables of others."""

    MMLU = "mmlu"
    GSM8K = "gsm8k"


FilesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="Outcomes of models on prompts: JSONL, JSONL.gz or CSV."
    ),
]
ModelsOption = Annotated[
    str | None,
    typer.Option(
        "--models",
        help="The fields with the outcomes (0 to 1), separated by commas, the weak model first. "
        "Default: weak,strong, or else all of `scores`.",
    ),
]
VectorsOption = Annotated[
    Path | None,
    typer.Option("--vectors", help="Another table of word vectors than the package's."),
]
NoVectorsOption = Annotated[
    bool, typer.Option("--no-vectors", help="Without word vectors: half the time of a decision.")
]


def _auto() -> ModuleType:
    """`seekroute.auto`, which needs packages of an extra."""
    try:
        from seekroute import auto
    except ImportError as error:
        raise SeekrouteError(str(error)) from None
    return auto


def _vectors(file: Path | None, without: bool) -> WordVectors | None:
    if file is not None and without:
        raise typer.BadParameter("give --vectors or --no-vectors")
    if without:
        return None
    auto = _auto()
    table: WordVectors = auto.shipped_vectors() if file is None else auto.word_vectors(file)
    return table


def _read(files: Sequence[Path], models: str | None, group: str | None) -> Outcomes:
    names = [name.strip() for name in models.split(",")] if models else []
    if models and (len(names) < 2 or len(set(names)) < len(names) or not all(names)):
        raise typer.BadParameter("--models takes two different names and more, separated by commas")
    found: Outcomes = _auto().read_outcomes(files, names, group)
    return found


@contextmanager
def progress(total: int, text: str) -> Iterator[Callable[[], None]]:
    """A bar on stderr, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=text, leave=False, file=sys.stderr) as bar:

        def step() -> None:
            bar.update()

        yield step


@app.command("eval")
def eval_(
    files: FilesArgument,
    models: ModelsOption = None,
    labels: Annotated[
        int | None,
        typer.Option("--labels", min=6, help="Learn from so many prompts, test on the others."),
    ] = None,
    folds: Annotated[
        int | None, typer.Option("--folds", min=2, max=100, help="Cross-validate in so many parts.")
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            "--leave-out",
            metavar="FIELD",
            help="Cross-validate over the values of this field in ten parts: subjects that are "
            "tested were never seen.",
        ),
    ] = None,
    curve: Annotated[
        str | None,
        typer.Option(
            "--curve",
            metavar="N,N,...",
            help="Learn from each of these numbers of prompts, test on three tenths held out.",
        ),
    ] = None,
    online: Annotated[
        Online | None,
        typer.Option(
            "--online",
            help="Learn from a stream of ratings, of both models (pairs) or of the one that a "
            "prompt goes to (chosen); test on three tenths held out.",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=_MOST_SEEDS, help="Draws; figures are their mean.")
    ] = 10,
    published: Annotated[
        Published | None,
        typer.Option("--published", help="Also show published figures on the whole of this set."),
    ] = None,
    vectors: VectorsOption = None,
    no_vectors: NoVectorsOption = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Also draw the quality that a share of calls buys: .svg, .png or .pdf; needs "
            "seekroute[plot]. Not with --curve.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure routing between two models on rated prompts, as RouteLLM's table does: APGR (the
    area under the quality that a share of calls to the strong model buys; 0.5 is chance) and
    CPT50, CPT80 (percent of calls to have 50 % or 80 % of its lead).

    It trains on a part of the prompts and asks about the rest; give one of --labels, --folds,
    --leave-out, --curve and --online (default: --folds 5)."""
    if sum(each is not None for each in (labels, folds, leave_out, curve, online)) > 1:
        raise typer.BadParameter("give one of --labels, --folds, --leave-out, --curve, --online")
    if plot is not None and (curve or online):
        raise typer.BadParameter("--plot draws one table: leave --curve and --online out")
    outcomes = _read(files, models, leave_out)
    table = _vectors(vectors, no_vectors)
    if online is not None:
        _online(outcomes, online, table, seeds, as_json=as_json)
        return
    from seekroute import auto

    splits: dict[int | None, list[Split]]
    if curve is not None:
        splits = {n: list(auto.split_held_out(outcomes, n, seeds)) for n in _numbers(curve)}
    elif labels is not None:
        splits = {None: list(auto.split_labels(outcomes, labels, seeds))}
    elif leave_out is not None:
        splits = {None: list(auto.split_groups(outcomes, 10, seeds))}
    else:
        splits = {None: list(auto.split_folds(outcomes, folds or 5, seeds))}
    reports: list[tuple[int | None, Report]] = []
    with progress(sum(map(len, splits.values())), "trainings") as step:
        for labelled, each in splits.items():
            report = auto.evaluate(outcomes, each, vectors=table, published=published, step=step)
            reports.append((labelled, report))
    if plot is not None:
        from seekroute.auto.drawing import write_plot

        write_plot(reports[0][1], plot)
    if as_json:
        print_json([_as_json(labelled, report) for labelled, report in reports])
        return
    for _, report in reports:
        _show(report, seeds)


def _online(
    outcomes: Outcomes, feedback: Online, table: WordVectors | None, seeds: int, *, as_json: bool
) -> None:
    from seekroute import auto
    from seekroute.auto.online import evaluate_online

    splits = list(auto.split_held_out(outcomes, None, seeds))
    with progress(len(splits), "streams") as step:
        reports = evaluate_online(outcomes, splits, feedback.value, vectors=table, step=step)
    if as_json:
        print_json(
            [
                {
                    **_as_json(each.ratings, each.report),
                    "served": each.served,
                    "strong_share": each.strong,
                }
                for each in reports
            ]
        )
        return
    for each in reports:
        _show(each.report, seeds)
        if each.served is not None and each.strong is not None:
            say(f"the stream: quality {each.served:.1%}, calls to the strong {each.strong:.1%}")


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(each) for each in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"--curve takes numbers separated by commas, not {text!r}"
        ) from None
    if min(numbers) < 6:
        raise typer.BadParameter("--curve: six prompts are the fewest to learn from")
    return numbers


def _show(report: Report, seeds: int) -> None:
    say(f"{report.caption}; seeds: {seeds}")
    print_rows(report.rows(), _COLUMNS, as_json=False, folded=("router",))
    errors = ", ".join(f"{name} {value:.3f}" for name, value in report.calibration.items())
    say(f"calibration error: {errors}")
    for name, share in report.turned.items():
        say(f"decisions that turn with 3 % of the characters mistyped ({name}): {share:.1%}")
    for name, (half, most) in report.microseconds.items():
        say(f"a decision ({name}): {half:.1f} µs, 99 % within {most:.0f} µs")


def _as_json(labelled: int | None, report: Report) -> dict[str, Any]:
    return {
        "labels": labelled,
        "learned": report.learned,
        "tested": report.tested,
        "table": [
            {
                "router": line.name,
                **dict(zip(("apgr", "cpt50", "cpt80"), line.mean, strict=True)),
                "sd": line.spread,
                "runs": len(line.runs),
                "points": line.points,
            }
            for line in report.lines
        ],
        "calibration": report.calibration,
        "turned": report.turned,
        "microseconds": {
            name: {"p50": half, "p99": most} for name, (half, most) in report.microseconds.items()
        },
    }


@app.command("train")
def train(
    files: FilesArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file of weights to write.")],
    models: ModelsOption = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="The same gives the same weights.")
    ] = 0,
    vectors: VectorsOption = None,
    no_vectors: NoVectorsOption = False,
    as_json: JsonOption = False,
) -> None:
    """Learn from rated prompts, and write the weights to a file, which is replaced whole."""
    outcomes = _read(files, models, None)
    from seekroute import auto
    from seekroute.auto.scoring import MEMBERS
    from seekroute.weights_file import write_whole

    revision = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    table = _vectors(vectors, no_vectors)
    with progress(_STEPS, "training") as step:
        weights = auto.train(outcomes.rated, vectors=table, seed=seed, revision=revision, step=step)
    scorer = auto.Scorer(weights, table)  # refuses what could not be read again
    write_whole(out, weights)
    told = {
        "weights": str(out),
        "bytes": len(weights),
        "revision": scorer.revision,
        "ratings": scorer.ratings,
        "models": scorer.models,
        "shares": dict(zip(MEMBERS, scorer.shares, strict=True)),
    }
    if as_json:
        print_json(told)
    else:
        say(
            f"{out}: {len(weights)} bytes, learned from {scorer.ratings} prompts, of "
            f"{', '.join(scorer.models)}"
        )


@app.command("explain")
def explain(
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT|-", help="A text; -: the standard input.")
    ],
    weights: Annotated[
        Path, typer.Option("--weights", "-w", help="The file that `router train` wrote.")
    ],
    vectors: VectorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what routing by content sees in a prompt, and how well each model would serve it."""
    auto = _auto()
    table = None if vectors is None else auto.word_vectors(vectors)
    router = auto.Router.load(weights, vectors=table)
    if prompt == "-":
        prompt = sys.stdin.buffer.read(_MOST_PROMPT).decode("utf-8", "replace")
    explanation = router.explain(prompt)
    if as_json:
        print_json(explanation.to_dict())
        return
    for caption, (head, *rows) in explanation.tables().items():
        say(caption)
        named = [dict(zip(head, row, strict=True)) for row in rows]
        print_rows(named, head, as_json=False, folded=head[:1])
