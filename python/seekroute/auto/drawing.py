"""The curve of cost and quality, drawn by matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seekroute.errors import SeekrouteError
from seekroute.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seekroute.auto.evaluation import Report

_WIDTH, _HEIGHT = 6.4, 4.4  # inches


def draw_report(report: Report) -> Figure:
    """The quality that a share of calls to the strong model buys, a line for each that was
    measured.

    Raises:
        SeekrouteError: matplotlib is not installed.
    """
    try:
        figure = new_figure(_WIDTH, _HEIGHT)
    except ImportError as error:
        raise SeekrouteError(str(error)) from None
    weak, strong = report.models
    axes = figure.add_subplot()
    axes.set_title(f"Routing between {weak} and {strong}", loc="left")
    axes.set_xlabel(f"calls to {strong}, %")
    axes.set_ylabel("quality, %")
    axes.set_xlim(0, 100)
    for line in report.lines:
        if line.points:
            share, quality = zip(*line.points, strict=True)
            (drawn,) = axes.plot(share, quality, label=line.name, marker=".", markersize=3)
            drawn.set_gid(f"curve: {line.name}")
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    return figure


def write_plot(report: Report, file: Path) -> None:
    """Draws into a file, whose ending says in which form: SVG, PNG or PDF.

    Raises:
        SeekrouteError: matplotlib is not installed, the ending is another, or the file cannot be
            written.
    """
    form = file.suffix.lower().removeprefix(".")
    if form not in ("svg", "png", "pdf"):
        raise SeekrouteError(f"{file}: a plot is a file that ends in .svg, .png or .pdf")
    figure = draw_report(report)
    import matplotlib

    metadata = {"Date": None} if form == "svg" else None
    try:
        # The text of an SVG stays text, and the same figure is the same file.
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "seekroute"}):
            figure.savefig(file, format=form, metadata=metadata)
    except OSError as error:
        raise SeekrouteError(f"{file} cannot be written: {error.strerror or error}") from None
