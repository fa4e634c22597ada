"""Figures of matplotlib, which is imported when one is asked for.

They are made without pyplot: no backend is chosen, no window opens, nothing has to be closed. A
notebook shows a returned figure by itself; `figure.savefig("cost.png")` writes it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches.

    Raises:
        ImportError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError(
            "matplotlib is needed for this: pip install 'seekroute[plot]'", name="matplotlib"
        ) from None

    class ShownFigure(Figure):
        # Without pyplot nobody has taught the notebook to show a figure.
        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png")
            return picture.getvalue()

    return ShownFigure(figsize=(width, height), layout="constrained")
