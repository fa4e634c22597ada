"""Drawings of results and usage. matplotlib is imported when one is asked for.

Figures are made without pyplot: no backend is chosen, no window opens, nothing has to be closed.
A notebook shows a returned figure by itself; `figure.savefig("cost.png")` writes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seekroute.client.rollup import ModelUsage

KINDS = ("cost", "latency", "tokens")
# More bars than this nobody reads: the rest is drawn as one.
_MOST_BARS = 20
_REST = "(others)"
_NANO_PER_USD = 1e9

# Model, nano-USD, prompt tokens, completion tokens, seconds: one answer.
Row = tuple[str, int, int, int, float]


def plot_rows(rows: Sequence[Row], kinds: Sequence[str]) -> Figure:
    """Draws single answers: sums of cost and tokens, and the spread of latency, by model.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: an unknown kind.
    """
    figure, panels = _figure(kinds)
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_model[row[0] or "(unknown)"].append(row)
    names = _most(list(by_model), {name: len(group) for name, group in by_model.items()})
    for name in list(by_model):
        if name not in names:
            by_model[_REST].extend(by_model.pop(name))
    names = list(by_model)
    for kind, axes in panels:
        if kind == "cost":
            _bars(axes, names, [sum(r[1] for r in by_model[n]) / _NANO_PER_USD for n in names])
        elif kind == "tokens":
            prompt = [float(sum(r[2] for r in by_model[n])) for n in names]
            completion = [float(sum(r[3] for r in by_model[n])) for n in names]
            _stack(axes, names, prompt, completion)
        elif names:
            axes.boxplot(
                [[r[4] for r in by_model[n]] for n in names], orientation="horizontal", sym="."
            )
            axes.set_yticks(range(1, len(names) + 1), names)
    return figure


def plot_usage(rows: Sequence[ModelUsage], kinds: Sequence[str]) -> Figure:
    """Draws a roll-up: cost and tokens, and latency as p50 with a line up to p90, by model.

    Raises as `plot_rows`.
    """
    figure, panels = _figure(kinds)
    by_name = {row.model: row for row in rows}
    names = _most(list(by_name), {name: row.calls for name, row in by_name.items()})
    shown = [by_name[name] for name in names]
    for kind, axes in panels:
        if kind == "cost":
            _bars(axes, names, [float(row.cost) for row in shown])
        elif kind == "tokens":
            _stack(
                axes,
                names,
                [float(row.prompt_tokens) for row in shown],
                [float(row.completion_tokens) for row in shown],
            )
        else:
            p50 = [row.p50 for row in shown]
            up = [max(row.p90 - row.p50, 0.0) for row in shown]
            axes.barh(range(len(names)), p50, xerr=[[0.0] * len(up), up], capsize=3)
            axes.set_yticks(range(len(names)), names)
    return figure


_TITLES = {
    "cost": ("Cost", "USD"),
    "latency": ("Latency", "seconds"),
    "tokens": ("Tokens", "tokens"),
}


def _figure(kinds: Sequence[str]) -> tuple[Figure, list[tuple[str, Axes]]]:
    wanted = list(dict.fromkeys(kinds)) or list(KINDS)
    for kind in wanted:
        if kind not in KINDS:
            raise ValueError(f"plot: expected {', '.join(KINDS)}, found {kind!r}")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "matplotlib is needed for this: pip install 'seekroute[plot]'", name="matplotlib"
        ) from None
    figure = Figure(figsize=(5.0 * len(wanted), 3.6), layout="constrained")
    panels = []
    for number, kind in enumerate(wanted, 1):
        axes = figure.add_subplot(1, len(wanted), number)
        title, unit = _TITLES[kind]
        axes.set_title(title)
        axes.set_xlabel(unit)
        panels.append((kind, axes))
    return figure, panels


def _most(names: list[str], weights: dict[str, int]) -> list[str]:
    if len(names) <= _MOST_BARS:
        return names
    kept = set(sorted(names, key=lambda name: -weights[name])[: _MOST_BARS - 1])
    return [name for name in names if name in kept]


def _bars(axes: Axes, names: list[str], values: list[float]) -> None:
    axes.barh(range(len(names)), values)
    axes.set_yticks(range(len(names)), names)


def _stack(axes: Axes, names: list[str], prompt: list[float], completion: list[float]) -> None:
    axes.barh(range(len(names)), prompt, label="prompt")
    axes.barh(range(len(names)), completion, left=prompt, label="completion")
    axes.set_yticks(range(len(names)), names)
    axes.legend()
