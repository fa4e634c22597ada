"""What `map` returns."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from seekroute.client.batch.errors import NotRunError
from seekroute.client.batch.outcome import Outcome
from seekroute.client.results import ChatCompletion
from seekroute.client.show.table import Table, frame_of, seconds
from seekroute.money import decimal_usd
from seekroute.wording import number_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


class Totals(NamedTuple):
    """Tokens of all answers together."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Latency(NamedTuple):
    """Seconds from asking to the whole answer, over all answers; all 0 when there is none."""

    p50: float
    p90: float
    p99: float
    longest: float
    mean: float


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value that `part` of an ascending sequence does not exceed; 0 for an empty one."""
    return ordered[max(math.ceil(part * len(ordered)) - 1, 0)] if ordered else 0.0


def latency_of(values: Sequence[float]) -> Latency:
    """The quantiles of unordered values."""
    ordered = sorted(values)
    mean = sum(ordered) / len(ordered) if ordered else 0.0
    return Latency(
        quantile(ordered, 0.5),
        quantile(ordered, 0.9),
        quantile(ordered, 0.99),
        ordered[-1] if ordered else 0.0,
        mean,
    )


def completion_of(outcome: Outcome) -> ChatCompletion:
    """The answer as the client's other calls return it."""
    return ChatCompletion(
        outcome.json(),
        cost=outcome.cost if outcome.priced else None,
        provider=outcome.provider,
        request_id=outcome.request_id,
        latency=outcome.latency,
        attempts=outcome.attempts,
    )


class Results(Sequence["ChatCompletion | Exception"]):
    """The answers in the order of the prompts; an exception where there is none.

    `results[i]` belongs to prompt i: a `ChatCompletion`, the error that its last try ended with, or
    `NotRunError`. (With `on_error="skip"` only the answers are there, still in order.)

    Attributes:
        skipped: numbers of the prompts that were not asked, or cancelled when the run ended early;
            also of those never taken from `prompts`, where their number is known.
        stopped: why the run ended early (a reason of `NotRunError`); empty when it did not.
        exhausted: whether `prompts` was read to its end.
        restored: how many answers came from the checkpoint.
        spent: USD paid by this run, for failed tries too.
        elapsed: seconds.
        pauses, retries: how often all prompts waited for a rate limit, and tries beyond the first.
    """

    def __init__(self, *, drop_failed: bool = False) -> None:
        self._outcomes: list[Outcome | None] = []
        self._prompts: list[Any] = []  # of the same places
        self._drop_failed = drop_failed
        self._shown: list[Outcome | None] | None = None
        self.stopped = ""
        self.exhausted = False
        self.unread = 0
        self.restored = 0
        self.spent = Decimal(0)
        self.elapsed = 0.0
        self.pauses = 0
        self.retries = 0

    # --- filled by the run ---------------------------------------------------------------------

    def _reserve(self, prompt: object) -> int:
        """Makes room for the next prompt; returns its number."""
        self._outcomes.append(None)
        self._prompts.append(prompt)
        return len(self._outcomes) - 1

    def _put(self, outcome: Outcome) -> None:
        self._outcomes[outcome.index] = outcome
        self._shown = None

    # --- as a sequence -------------------------------------------------------------------------

    def _items(self) -> list[Outcome | None]:
        if self._shown is None:
            shown: list[Outcome | None] = [*self._outcomes, *([None] * self.unread)]
            if self._drop_failed:
                shown = [outcome for outcome in shown if outcome is not None and outcome.ok]
            self._shown = shown
        return self._shown

    def _item(self, outcome: Outcome | None) -> ChatCompletion | Exception:
        if outcome is None:
            return NotRunError(self.stopped or "interrupted")
        return outcome.error or completion_of(outcome)

    def __len__(self) -> int:
        return len(self._items())

    @overload
    def __getitem__(self, index: int) -> ChatCompletion | Exception: ...

    @overload
    def __getitem__(self, index: slice) -> list[ChatCompletion | Exception]: ...

    def __getitem__(
        self, index: int | slice
    ) -> ChatCompletion | Exception | list[ChatCompletion | Exception]:
        if isinstance(index, slice):
            return [self._item(outcome) for outcome in self._items()[index]]
        return self._item(self._items()[index])

    def __iter__(self) -> Iterator[ChatCompletion | Exception]:
        return (self._item(outcome) for outcome in self._items())

    # --- what is in them -----------------------------------------------------------------------

    def _answered(self) -> list[Outcome]:
        return [outcome for outcome in self._outcomes if outcome is not None and outcome.ok]

    @property
    def ok(self) -> list[ChatCompletion]:
        """The answers, without the gaps."""
        return [completion_of(outcome) for outcome in self._answered()]

    @property
    def errors(self) -> dict[int, Exception]:
        """The errors by the number of their prompt; without prompts that were not asked."""
        return {o.index: o.error for o in self._outcomes if o is not None and o.error is not None}

    @property
    def skipped(self) -> list[int]:
        """See the class."""
        read = [index for index, outcome in enumerate(self._outcomes) if outcome is None]
        return [*read, *range(len(self._outcomes), len(self._outcomes) + self.unread)]

    @property
    def complete(self) -> bool:
        """Whether every prompt has its answer."""
        return self.exhausted and not self.unread and len(self._answered()) == len(self._outcomes)

    @property
    def texts(self) -> list[str | None]:
        """The text of every item; None where there is no answer."""
        return [o.text if o is not None and o.ok else None for o in self._items()]

    @property
    def cost(self) -> Decimal:
        """USD of all items, those from the checkpoint included."""
        known = (outcome for outcome in self._outcomes if outcome is not None)
        return decimal_usd(sum(outcome.cost_nano for outcome in known))

    @property
    def usage(self) -> Totals:
        """Tokens of all answers."""
        answered = self._answered()
        return Totals(
            sum(outcome.prompt_tokens for outcome in answered),
            sum(outcome.completion_tokens for outcome in answered),
            sum(outcome.cached_tokens for outcome in answered),
            sum(outcome.reasoning_tokens for outcome in answered),
        )

    @property
    def times(self) -> list[float]:
        """Seconds that each answer took, in the prompts' order, without the gaps."""
        return [outcome.latency for outcome in self._answered()]

    @property
    def latency(self) -> Latency:
        """Quantiles of the answers' times, in seconds."""
        return latency_of(self.times)

    # --- to look at ----------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict per item, its prompt as it was given: what `to_pandas` and `to_json`
        hold."""
        rows = []
        for place, outcome in enumerate(self._items()):
            if outcome is None:
                prompt = self._prompts[place] if place < len(self._prompts) else None
                error = str(self._item(None))
                rows.append({"index": place, "prompt": prompt, "error": error})
                continue
            rows.append(
                {
                    "index": outcome.index,
                    "prompt": self._prompts[outcome.index],
                    "text": outcome.text if outcome.ok else None,
                    "error": None
                    if outcome.ok
                    else f"{type(outcome.error).__name__}: {outcome.error}",
                    "model": outcome.model,
                    "provider": outcome.provider,
                    "cost": outcome.cost if outcome.priced else None,
                    "prompt_tokens": outcome.prompt_tokens,
                    "completion_tokens": outcome.completion_tokens,
                    "latency": outcome.latency,
                    "tries": outcome.tries,
                    "request_id": outcome.request_id,
                }
            )
        return rows

    def to_pandas(self) -> DataFrame:
        """The rows as a pandas DataFrame; `cost` in USD is a float there.

        Raises ImportError without pandas.
        """
        return frame_of(self.rows())

    def to_json(self, *, indent: int | None = None) -> str:
        """The rows as a JSON list; costs are decimal strings."""
        rows = [
            {**row, "cost": format(row["cost"], "f")} if row.get("cost") is not None else row
            for row in self.rows()
        ]
        return json.dumps(rows, indent=indent, ensure_ascii=False, default=str)

    def summary(self) -> Table:
        """A small table of how the run went."""
        answered, errors, skipped = self._answered(), self.errors, self.skipped
        usage, latency = self.usage, self.latency
        rows = [["answered", f"{len(answered)} of {len(self._outcomes) + self.unread}"]]
        if self.restored:
            rows.append(["from checkpoint", str(self.restored)])
        if errors:
            kinds = Counter(type(error).__name__ for error in errors.values())
            named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(5))
            rows.append(["errors", named])
            message, count = Counter(str(error) for error in errors.values()).most_common(1)[0]
            rows.append(["commonest", f"{count} times: {message}" if count > 1 else message])
        if skipped or self.stopped or not self.exhausted:
            rest = "" if self.exhausted or self.unread else " and the rest of the prompts"
            rows.append(["not asked", f"{len(skipped)}{rest} ({self.stopped or 'interrupted'})"])
        rows += [
            ["cost", f"{self.cost:f} USD"],
            ["tokens", f"{usage.prompt_tokens:,} in, {usage.completion_tokens:,} out"],
            [
                "latency",
                f"p50 {seconds(latency.p50)}, p90 {seconds(latency.p90)}, "
                f"longest {seconds(latency.longest)}",
            ],
            [
                "time",
                f"{self.elapsed:.1f} s, {number_of(self.pauses, 'pause')}, "
                f"{number_of(self.retries, 'retry', 'retries')}",
            ],
        ]
        return Table("Results", ["", ""], rows)

    def plot(self, *kinds: str) -> Figure:
        """Draws "cost", "latency" and "tokens" by model; all three when none is named.

        Returns the matplotlib Figure. Raises ImportError without matplotlib, and
        ValueError for another kind.
        """
        from seekroute.client.show.plots import plot_rows

        return plot_rows(
            [
                (o.model, o.cost_nano, o.prompt_tokens, o.completion_tokens, o.latency)
                for o in self._answered()
            ],
            kinds,
        )

    def __repr__(self) -> str:
        return (
            f"<Results: {number_of(len(self._answered()), 'answer')}, "
            f"{number_of(len(self.errors), 'error')}, "
            f"{len(self.skipped)} not asked, {self.cost:f} USD>"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()
