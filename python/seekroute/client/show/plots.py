"""Drawings of results and usage; see `seekroute.figures`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from seekroute.figures import new_figure
from seekroute.money import decimal_usd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seekroute.client.spend.rollup import ModelUsage

KINDS = ("cost", "latency", "tokens")
# More bars than this nobody reads: the rest is drawn as one.
_MOST_BARS = 20
_REST = "(others)"
_THICK = 0.6  # of a bar, where a place is 1
_FEWEST_PLACES = 3

# Model, nano-USD, prompt tokens, completion tokens, seconds: one answer.
Row = tuple[str, int, int, int, float]


def plot_rows(rows: Sequence[Row], kinds: Sequence[str]) -> Figure:
    """Draws single answers: sums of cost and tokens, and the spread of latency, by model.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: an unknown kind.
    """
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_model[row[0] or "(unknown)"].append(row)
    names = _most(list(by_model), {name: len(group) for name, group in by_model.items()})
    for name in list(by_model):
        if name not in names:
            by_model[_REST].extend(by_model.pop(name))
    names = list(by_model)
    figure, panels = _figure(kinds, names)
    for kind, axes in panels:
        if kind == "cost":
            _bars(axes, [float(decimal_usd(sum(r[1] for r in by_model[n]))) for n in names])
        elif kind == "tokens":
            prompt = [float(sum(r[2] for r in by_model[n])) for n in names]
            completion = [float(sum(r[3] for r in by_model[n])) for n in names]
            _stack(axes, prompt, completion)
        elif names:
            axes.boxplot(
                [[r[4] for r in by_model[n]] for n in names],
                orientation="horizontal",
                sym=".",
                positions=range(len(names)),
                widths=_THICK,
                manage_ticks=False,
            )
            axes.set_xlim(left=0)
    return figure


def plot_usage(rows: Sequence[ModelUsage], kinds: Sequence[str]) -> Figure:
    """Draws a roll-up: cost and tokens, and latency as p50 with a line up to p90, by model.

    Raises as `plot_rows`.
    """
    by_name = {row.model: row for row in rows}
    names = _most(list(by_name), {name: row.calls for name, row in by_name.items()})
    shown = [by_name[name] for name in names]
    figure, panels = _figure(kinds, names)
    for kind, axes in panels:
        if kind == "cost":
            _bars(axes, [float(row.cost) for row in shown])
        elif kind == "tokens":
            _stack(
                axes,
                [float(row.prompt_tokens) for row in shown],
                [float(row.completion_tokens) for row in shown],
            )
        else:
            p50 = [row.p50 for row in shown]
            up = [max(row.p90 - row.p50, 0.0) for row in shown]
            errors = [[0.0] * len(up), up]
            axes.barh(range(len(names)), p50, height=_THICK, xerr=errors, capsize=3)
    return figure


_TITLES = {
    "cost": ("Cost", "USD"),
    "latency": ("Latency", "seconds"),
    "tokens": ("Tokens", "tokens"),
}


def _figure(kinds: Sequence[str], names: Sequence[str]) -> tuple[Figure, list[tuple[str, Axes]]]:
    wanted = list(dict.fromkeys(kinds)) or list(KINDS)
    for kind in wanted:
        if kind not in KINDS:
            raise ValueError(f"plot: expected {', '.join(KINDS)}, found {kind!r}")
    # As many places as models, but not so few that a bar becomes a slab.
    places = max(len(names), _FEWEST_PLACES)
    height = 1.3 + 0.34 * places
    labels = min(3.0, 0.075 * max(map(len, names), default=0))
    figure = new_figure(3.9 * len(wanted) + labels, height)
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    panels = []
    for number, kind in enumerate(wanted, 1):
        axes = figure.add_subplot(1, len(wanted), number)
        title, unit = _TITLES[kind]
        axes.set_title(title, loc="left")
        axes.set_xlabel(unit)
        axes.margins(x=0.05)
        # The first model on top; its name once, at the left.
        middle = (len(names) - 1) / 2
        axes.set_ylim(middle + places / 2, middle - places / 2)
        axes.set_yticks(range(len(names)), names if number == 1 else [""] * len(names))
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
        axes.grid(axis="x", alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        panels.append((kind, axes))
    return figure, panels


def _most(names: list[str], weights: dict[str, int]) -> list[str]:
    if len(names) <= _MOST_BARS:
        return names
    kept = set(sorted(names, key=lambda name: -weights[name])[: _MOST_BARS - 1])
    return [name for name in names if name in kept]


def _short(value: float) -> str:
    """A number as the label of a tick.

    >>> [_short(each) for each in (0.0, 0.00025, 1500.0, 250_000.0, 3e6)]
    ['0', '0.00025', '1.5k', '250k', '3M']
    """
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    if value and abs(value) < 1e-6:
        return f"{value:g}"
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _bars(axes: Axes, values: list[float]) -> None:
    axes.barh(range(len(values)), values, height=_THICK)


def _stack(axes: Axes, prompt: list[float], completion: list[float]) -> None:
    axes.barh(range(len(prompt)), prompt, height=_THICK, label="prompt")
    axes.barh(range(len(prompt)), completion, height=_THICK, left=prompt, label="completion")
    # Beside the title: inside the axes it would lie on a bar.
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderaxespad=0.1
    )
