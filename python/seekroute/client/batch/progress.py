"""Telling somebody how far a run is: a tqdm bar, or a function of the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from seekroute.money import decimal_usd
from seekroute.wording import number_of

# Seconds between two tellings; what is between them is told with the next.
INTERVAL = 0.1


class MapProgress(NamedTuple):
    """How far a run of `map` is, as a `progress` function gets it.

    Args:
        done: prompts with an outcome, those from a checkpoint included.
        total: all prompts; None where their number is not known.
        errors: how many of `done` failed.
        cost: USD paid by this run so far.
        pauses: how often all prompts have waited for a rate limit.
        pause: seconds that the present pause still lasts; 0 when there is none.
    """

    done: int
    total: int | None
    errors: int
    cost: Any
    pauses: int
    pause: float


class Progress(Protocol):
    """Told now and then; `last` marks the last time."""

    def tell(
        self,
        now: float,
        *,
        last: bool,
        done: int,
        errors: int,
        cost_nano: int,
        pauses: int,
        pause: float,
    ) -> None: ...


class _Paced:
    """Passes on at most one telling an interval, and the last."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._next = float("-inf")

    def tell(
        self,
        now: float,
        *,
        last: bool,
        done: int,
        errors: int,
        cost_nano: int,
        pauses: int,
        pause: float,
    ) -> None:
        if now < self._next and not last:
            return
        self._next = now + INTERVAL
        told = MapProgress(done, self._total, errors, decimal_usd(cost_nano), pauses, pause)
        self.show(told, last=last)

    def show(self, told: MapProgress, *, last: bool) -> None:
        raise NotImplementedError


class Function(_Paced):
    """Calls a function with a `MapProgress`."""

    def __init__(self, function: Callable[[MapProgress], object], total: int | None) -> None:
        super().__init__(total)
        self._function = function

    def show(self, told: MapProgress, *, last: bool) -> None:
        self._function(told)


class Bar(_Paced):
    """A tqdm bar: in a notebook a widget where it has any, else text on standard error."""

    def __init__(self, total: int | None) -> None:
        super().__init__(total)
        import warnings

        with warnings.catch_warnings():
            # tqdm.auto warns in a notebook without widgets; the text bar it takes then is fine.
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm

            self._bar = tqdm(total=total, unit="prompt")

    def show(self, told: MapProgress, *, last: bool) -> None:
        bar = self._bar
        parts = [f"{told.cost:f} USD"]
        if told.errors:
            parts.append(number_of(told.errors, "error"))
        if told.pause:
            parts.append(f"paused {told.pause:.0f} s")
        elif told.pauses:
            parts.append(number_of(told.pauses, "pause"))
        bar.set_postfix_str(", ".join(parts), refresh=False)
        bar.n = told.done  # not update(): the pace is ours, and each telling is drawn once
        bar.refresh()
        if last:
            bar.close()


def progress_of(
    wanted: bool | Callable[[MapProgress], object], total: int | None
) -> Progress | None:
    """Who is told: nobody for False, a bar for True, else the function."""
    if callable(wanted):
        return Function(wanted, total)
    return Bar(total) if wanted else None
