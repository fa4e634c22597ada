"""One prompt, several models, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from seekroute.client.batch.errors import NotRunError
from seekroute.client.batch.results import Results
from seekroute.client.show.table import Table, frame_of, seconds

if TYPE_CHECKING:
    from pandas import DataFrame

    from seekroute.client.results import ChatCompletion

# Models of one comparison; all are asked at once.
MAX_MODELS = 100


class Comparison(Mapping[str, "ChatCompletion | Exception"]):
    """The answers by model, in the order asked; an exception for a model that failed.

    In a terminal and in a notebook it shows itself as a table of answers, costs, times and tokens.
    """

    def __init__(self, models: Sequence[str], results: Results) -> None:
        self._models = list(models)
        self._results = results

    def __getitem__(self, model: str) -> ChatCompletion | Exception:
        try:
            return self._results[self._models.index(model)]
        except ValueError:
            raise KeyError(model) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    @property
    def answers(self) -> dict[str, ChatCompletion]:
        """The answers of the models that gave one."""
        return {m: a for m, a in self.items() if not isinstance(a, Exception)}

    @property
    def errors(self) -> dict[str, Exception]:
        """The errors of the models that failed."""
        return {m: a for m, a in self.items() if isinstance(a, Exception)}

    @property
    def cost(self) -> Decimal:
        """USD of all together, failed tries included."""
        return self._results.spent

    def rows(self) -> list[dict[str, Any]]:
        """One flat dict per model: model asked, text, error, cost, latency, tokens and who served.

        `served` is the model that answered, which an alias or "auto" does not tell.
        """
        rows = []
        for model, row in zip(self._models, self._results.rows(), strict=True):
            flat = {"model": model, **{k: v for k, v in row.items() if k not in ("index", "model")}}
            flat["served"] = row.get("model", "")
            rows.append(flat)
        return rows

    def to_pandas(self) -> DataFrame:
        """The rows as a DataFrame; `cost` is a float there. Needs pandas."""
        return frame_of(self.rows())

    def table(self) -> Table:
        """The rows as a table, the answers in full."""
        rows = []
        for row in self.rows():
            shown = row.get("text") or ("" if row["error"] is None else row["error"])
            if "cost" not in row:
                rows.append([row["model"], shown, "", "", "", ""])
                continue
            failed = row["error"] is not None
            rows.append(
                [
                    row["model"],
                    shown,
                    "" if row["cost"] is None else f"{row['cost']:f}",
                    "" if failed else seconds(row["latency"]),
                    "" if failed else f"{row['prompt_tokens']:,}",
                    "" if failed else f"{row['completion_tokens']:,}",
                ]
            )
        columns = ["model", "answer", "USD", "latency", "tokens in", "tokens out"]
        return Table("Comparison", columns, rows)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def checked_models(models: object) -> list[str]:
    """Raises TypeError or ValueError unless these are 1 to 100 different names."""
    if isinstance(models, str) or not isinstance(models, Sequence):
        raise TypeError(f"models: expected a list of names, found {type(models).__name__}")
    names = list(models)
    if not all(isinstance(name, str) and name for name in names):
        raise TypeError("models: expected names of models, such as 'openai/gpt-4o-mini'")
    if not 1 <= len(names) <= MAX_MODELS:
        raise ValueError(f"models: expected 1 to {MAX_MODELS} names, found {len(names)}")
    if len(set(names)) != len(names):
        raise ValueError("models: each may be named once")
    return names


def compared(models: list[str], results: Results) -> Comparison:
    """The comparison; raises the first error when every model failed.

    The error has the comparison as `partial`.
    """
    comparison = Comparison(models, results)
    if not comparison.answers:
        errors = list(comparison.errors.values())
        error = next((e for e in errors if not isinstance(e, NotRunError)), errors[0])
        error.partial = comparison  # type: ignore[attr-defined]
        raise error
    return comparison
