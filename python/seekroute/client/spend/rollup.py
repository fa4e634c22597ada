"""What a client's calls came to, model by model, in bounded memory."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from seekroute import forks
from seekroute.client.show.table import Table, frame_of, seconds
from seekroute.client.wires.cost import counted_nano
from seekroute.money import decimal_usd

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from seekroute.gateway import Record

# Models counted one by one; what comes after them is counted together.
MAX_MODELS = 1000
OTHERS = "(others)"
UNKNOWN = "(none)"  # refused before a model was chosen
# Times fall into classes of 5 %, from 10 microseconds to about 3 hours.
_GROWTH = 1.05
_SHORTEST = 1e-5
_CLASSES = 430
_LOG_GROWTH = math.log(_GROWTH)


class _Tally:
    __slots__ = (
        "calls",
        "classes",
        "completion_tokens",
        "cost_nano",
        "errors",
        "longest",
        "prompt_tokens",
        "seconds",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cost_nano = 0
        self.seconds = 0.0
        self.longest = 0.0
        # Counts by class of time, of answers alone; at most _CLASSES entries.
        self.classes: dict[int, int] = {}


class ModelUsage(NamedTuple):
    """One model's calls. Times are seconds to the whole answer, of calls that had one.

    `p50` and `p90` are exact to 5 %.
    """

    model: str
    calls: int
    errors: int
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal
    mean: float
    p50: float
    p90: float
    longest: float


class Rollup:
    """Counts calls as they end. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[str, _Tally] = {}
        forks.watch(self)

    def after_fork(self) -> None:
        """A child counts on from here by itself."""
        self._lock = threading.Lock()

    def add_record(self, record: Record) -> None:
        """Counts an exchange of the core."""
        self.add(
            record.model,
            ok=record.status == 200 and not record.error,
            prompt_tokens=record.prompt_tokens,
            completion_tokens=record.completion_tokens,
            cost_nano=counted_nano(record),
            seconds=record.total_ms / 1000,
        )

    def add(
        self,
        model: str,
        *,
        ok: bool,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        cost_nano: int = 0,
        seconds: float = 0.0,
    ) -> None:
        """Counts one call."""
        name = model or UNKNOWN
        with self._lock:
            tally = self._tallies.get(name)
            if tally is None:
                if len(self._tallies) >= MAX_MODELS:
                    name = OTHERS
                tally = self._tallies.setdefault(name, _Tally())
            tally.calls += 1
            tally.prompt_tokens += prompt_tokens
            tally.completion_tokens += completion_tokens
            tally.cost_nano += cost_nano
            if not ok:
                tally.errors += 1
                return
            tally.seconds += seconds
            tally.longest = max(tally.longest, seconds)
            place = _class_of(seconds)
            tally.classes[place] = tally.classes.get(place, 0) + 1

    def usage(self) -> Usage:
        """How it stands now, dearest model first."""
        with self._lock:
            rows = [_row(name, tally) for name, tally in self._tallies.items()]
        rows.sort(key=lambda row: (-row.cost, row.model))
        return Usage(rows)


def _class_of(value: float) -> int:
    if value <= _SHORTEST:
        return 0
    return min(math.ceil(math.log(value / _SHORTEST) / _LOG_GROWTH), _CLASSES - 1)


def _quantile(tally: _Tally, part: float) -> float:
    rank = math.ceil(part * sum(tally.classes.values()))
    seen = 0
    for place in sorted(tally.classes):
        seen += tally.classes[place]
        if seen >= rank:
            return min(_SHORTEST * _GROWTH**place, tally.longest)
    return 0.0


def _row(model: str, tally: _Tally) -> ModelUsage:
    answers = tally.calls - tally.errors
    return ModelUsage(
        model,
        tally.calls,
        tally.errors,
        tally.prompt_tokens,
        tally.completion_tokens,
        decimal_usd(tally.cost_nano),
        tally.seconds / answers if answers else 0.0,
        _quantile(tally, 0.5),
        _quantile(tally, 0.9),
        tally.longest,
    )


class Usage(Mapping[str, ModelUsage]):
    """What `client.usage()` returns: a `ModelUsage` by model, as it stood then.

    Example:
        >>> from seekroute.client.spend.rollup import Rollup
        >>> rollup = Rollup()
        >>> rollup.add("m", ok=True, prompt_tokens=3, cost_nano=1500, seconds=0.2)
        >>> rollup.usage()["m"].calls, rollup.usage().cost
        (1, Decimal('0.0000015'))
    """

    def __init__(self, rows: list[ModelUsage]) -> None:
        self._rows = {row.model: row for row in rows}

    def __getitem__(self, model: str) -> ModelUsage:
        return self._rows[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def calls(self) -> int:
        """All calls, failed ones too."""
        return sum(row.calls for row in self.values())

    @property
    def cost(self) -> Decimal:
        """USD of all calls."""
        return sum((row.cost for row in self.values()), Decimal(0))

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict per model."""
        return [row._asdict() for row in self.values()]

    def to_pandas(self) -> DataFrame:
        """The rows as a DataFrame; `cost` is a float there. Needs pandas."""
        return frame_of(self.rows())

    def table(self) -> Table:
        """The rows as a table."""
        columns = ["model", "calls", "errors", "tokens in", "tokens out", "USD", "p50", "p90"]
        rows = [
            [
                row.model,
                f"{row.calls:,}",
                f"{row.errors:,}",
                f"{row.prompt_tokens:,}",
                f"{row.completion_tokens:,}",
                f"{row.cost:f}",
                seconds(row.p50),
                seconds(row.p90),
            ]
            for row in self.values()
        ]
        return Table("Usage", columns, rows)

    def plot(self, *kinds: str) -> Figure:
        """Draws "cost", "latency" and "tokens" by model; all three when none is named.

        Returns the matplotlib Figure. Raises ImportError without matplotlib.
        """
        from seekroute.client.show.plots import plot_usage

        return plot_usage(list(self.values()), kinds)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
