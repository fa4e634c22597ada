"""What a gateway says of a request besides answering it: what it would cost, how it is routed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from seekroute.client.result import Result
from seekroute.client.show.text_columns import text_columns
from seekroute.shown import Shown
from seekroute.wording import chosen_by, number_of

__all__ = ["CostRange", "Quote", "Routing"]


class CostRange(NamedTuple):
    """USD. `max` is None where nothing bounds the answer's length."""

    min: Decimal
    expected: Decimal
    max: Decimal | None


def _range(found: dict[str, Any]) -> CostRange:
    # The shortest decimal that reads back as a float is what stood in the JSON.
    low, expected, high = (found[name] for name in ("min", "expected", "max"))
    return CostRange(_usd(low), _usd(expected), None if high is None else _usd(high))


def _usd(value: Any) -> Decimal:
    amount = Decimal(str(value))
    return amount.normalize() if amount else Decimal(0)


def _said(amount: Decimal | None) -> str:
    return "unbounded" if amount is None else f"{amount:f}"


# What a quote tells of how the order came about.
_DRAWN = ("sort", "seed", "explored", "auto", "simulated")


class Routing(Shown, Result):
    """How a request was routed, or would be. Printed, it is a table.

    Attributes:
        requested: The model as it was asked for.
        strategy: "direct" (by its id), "alias", "auto", "virtual", or "fallback" (the first model
            may not be used).
        sort: "default", "price", "throughput" or "latency"; with it `seed`, what the order was
            drawn by, and `explored`, whether somebody little known was drawn for the first place.
        simulated: Where it was asked for, how often each endpoint came `first` in so many `draws`.
        auto: Where a model was chosen by the prompt's content, how: the `strategy`, whose word
            that was (`strategy_source`: "request", "key" or "default"), the `revision` of the
            weights (None: nothing was learned), the prompt's `difficulty` (0 to 1) and the
            `models`, the chosen one first, each with `quality`, `expected_usd`, `latency_ms`,
            `score` and a `reason`, one word; else None.
        candidates: Who can serve it, in the order of asking; each with `provider`, `model`,
            `upstream_model` (the provider's own name) and `selected`; in a dry run also `endpoint`
            (its tag), `group`, `probability` (that it comes first), `pricing` and `cost`, how it
            has been doing (`health`, `latency_ms`, `throughput`, `uptime_30m`), and `excluded_by`,
            the word for why it would be passed over now.
        attempts: Who was asked, each with `provider` and the HTTP `status` (0: no answer); empty
            in a dry run.
        excluded: Who offers the model and was not a candidate, each with a `reason`, one word, and
            mostly a `detail`. Known in a dry run only.
    """

    __slots__ = ()

    @property
    def auto(self) -> Result | None:
        found = self._data.get("auto")
        return None if found is None else Result(found)

    @property
    def candidates(self) -> list[Result]:
        return [Result(row) for row in self._data["endpoints"]["available"]]

    @property
    def attempts(self) -> list[Result]:
        return [Result(row) for row in self._data.get("attempts", [])]

    @property
    def excluded(self) -> list[Result]:
        return [Result(row) for row in self._data.get("excluded", [])]

    def __repr__(self) -> str:
        chosen = [row.provider for row in self.candidates if row.selected]
        return (
            f"Routing({self._data['requested']!r}, {self._data['strategy']}, "
            f"{number_of(len(self.candidates), 'candidate')}, "
            f"selected={', '.join(chosen) or None!r})"
        )

    def order(self) -> str:
        """How the order came about, in words; empty where that is not known."""
        sort, seed = self._data.get("sort"), self._data.get("seed")
        if sort not in (None, "default"):
            return f"order: sorted by {sort}"
        return "" if seed is None else f"order: drawn by seed {seed}"

    def choice(self) -> str:
        """How the model was chosen, in words; empty where none was."""
        return chosen_by(self._data["auto"]) if self._data.get("auto") else ""

    def rows(self) -> list[dict[str, str]]:
        """What is printed: of each candidate in the order of asking, and of whoever was left out,
        the values by column, the same ones in each; empty where there is none."""
        candidates = self._data["endpoints"]["available"]
        found = [self._candidate(row) for row in candidates]
        for row in self.excluded:
            detail = row.get("detail")
            status = f"left out: {row.reason}" + (f" ({detail})" if detail else "")
            found.append(_row(row.provider, row.get("model", ""), status))
        drawn = self._data.get("simulated")
        if drawn is None:
            return found
        counted = f"first_in_{drawn['draws']}_draws"
        shares = {(row["endpoint"], row["model"]): row["share"] for row in drawn["first"]}
        for shown, each in zip(found, candidates, strict=False):
            shown[counted] = f"{shares.get((_tag(each), each['model']), 0):.2%}"
        return [{**row, counted: row.get(counted, "")} for row in found]

    def _candidate(self, row: dict[str, Any]) -> dict[str, str]:
        status = "selected" if row["selected"] else ""
        tried = {each.provider: each.status for each in self.attempts}
        if tried.get(row["provider"], 200) != 200:
            status = f"failed ({tried[row['provider']] or 'no answer'})"
        if row.get("excluded_by"):
            status = f"passed over now: {row['excluded_by']}"
        found = _row(_tag(row), row["model"], status)
        if "probability" in row:
            found["first_in_draws"] = f"{row['probability']:.1%}"
        if "cost" in row:
            found["expected_usd"] = _said(_range(row["cost"]).expected)
        return found

    def table(self) -> list[list[str]]:
        """Its rows, the head first."""
        rows = self.rows()
        shown = [name for name in rows[0] if any(row[name] for row in rows)] if rows else []
        heads = [_HEADS.get(name, name.replace("_", " ")) for name in shown]
        return [heads, *([row[name] for name in shown] for row in rows)]

    def __str__(self) -> str:
        return "\n".join(filter(None, [*text_columns(self.table()), self.choice(), self.order()]))


_COLUMNS = ("endpoint", "model", "status", "first_in_draws", "expected_usd")
_HEADS = {"expected_usd": "expected USD"}


def _row(endpoint: str, model: str, status: str) -> dict[str, str]:
    return {**dict.fromkeys(_COLUMNS, ""), "endpoint": endpoint, "model": model, "status": status}


def _tag(candidate: dict[str, Any]) -> str:
    return str(candidate.get("endpoint") or candidate["provider"])


class Quote(Shown, Result):
    """What a request would cost. Printed, it is a table.

    Attributes:
        model: Id of the model that would answer.
        cost: The range over all candidates; `expected` is that of the first.
        prompt_tokens, completion_tokens: Each with `expected` and `max`.
        candidates: Who can serve it, each with `provider`, `model`, `pricing` and `cost`.
        excluded: Who offers the model and would not be asked, each with a `reason`.
    """

    __slots__ = ()

    @property
    def cost(self) -> CostRange:
        return _range(self._data["cost"])

    @property
    def routing(self) -> Routing:
        """The route alone."""
        rows = self._data["candidates"]
        places = range(len(rows))
        first = next((place for place in places if not rows[place].get("excluded_by")), 0)
        available = [{**rows[place], "selected": place == first} for place in places]
        return Routing(
            {
                "requested": self._data["requested"],
                "strategy": self._data["strategy"],
                "model": self._data["model"],
                "endpoints": {"total": len(available), "available": available},
                "attempts": [],
                "excluded": self._data["excluded"],
                **{name: self._data[name] for name in _DRAWN if name in self._data},
            }
        )

    def __repr__(self) -> str:
        cost = self.cost
        low, expected, high = (_said(part) for part in cost)
        return f"Quote({self._data['model']!r}, {expected} USD expected, {low} to {high})"

    def table(self) -> list[list[str]]:
        """Its rows, the head first."""
        rows = [["provider", "tokens in", "tokens out", "min", "expected", "max"]]
        tokens = [str(self._data[n]["expected"]) for n in ("prompt_tokens", "completion_tokens")]
        for row in self._data["candidates"]:
            rows.append([row["provider"], *tokens, *(_said(part) for part in _range(row["cost"]))])
        return rows

    def __str__(self) -> str:
        return "\n".join(text_columns(self.table()))
