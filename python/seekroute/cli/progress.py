"""Progress of long scans: on stderr, and only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_QUIET_S = 1.0  # what is done by then needs no bar


def counted(items: Iterable[_Item], unit: str) -> Iterator[_Item]:
    """`items`, with a count of them while they are read."""
    if not sys.stderr.isatty():
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(
        items, unit=f" {unit}", unit_scale=True, leave=False, file=sys.stderr, delay=_QUIET_S
    )


def spinning(text: str) -> AbstractContextManager[Any]:
    """Shows that something goes on whose end is not known."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(text)
