"""The query of `GET /v1/models`: OpenRouter's filters, orders and pages over rows of the list."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

__all__ = ["BadQueryError", "ModelQuery", "Page", "matches_text"]

Row = Mapping[str, Any]

_MAX_LIMIT: Final = 1000
_DEFAULT_LIMIT: Final = 500
_MAX_PAIRS: Final = 50
_DAY_S: Final = 86_400
_MILLION: Final = Decimal(1_000_000)
_MODALITIES: Final = ("text", "image", "audio", "video", "file", "embeddings")
# What OpenRouter sorts and filters by and a gateway of one's own has no figures for.
_NO_DATA: Final = frozenset(
    {
        "arch",
        "category",
        "distillable",
        "max_agentic_index",
        "max_coding_index",
        "max_intelligence_index",
        "max_tool_success_rate",
        "min_agentic_index",
        "min_coding_index",
        "min_intelligence_index",
        "min_tool_success_rate",
        "region",
        "use_rss",
        "use_rss_chat_links",
        "zdr",
    }
)


class BadQueryError(ValueError):
    """A parameter is wrong. `param` is its name."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the rows that match."""

    rows: Sequence[Row]
    total: int
    """How many match."""
    next: str | None
    """Query string of the next page; None on the last."""


def matches_text(row: Row, text: str) -> bool:
    """Whether every word of `text` is in the row's id, name or description, in any case."""
    where = f"{row['id']} {row['name']} {row['description']}".casefold()
    return all(word in where for word in text.casefold().split())


def _prompt_price(row: Row) -> Decimal:
    return Decimal(row["pricing"]["prompt"]) * _MILLION


def _output_price(row: Row) -> Decimal:
    return Decimal(row["pricing"]["completion"]) * _MILLION


def _both_prices(row: Row) -> Decimal:
    return _prompt_price(row) + _output_price(row)


_ORDERS: Final[Mapping[str, tuple[Callable[[Row], Any], bool]]] = {
    "newest": (lambda row: row["created"], True),
    "pricing-low-to-high": (_both_prices, False),
    "pricing-high-to-low": (_both_prices, True),
    "context-high-to-low": (lambda row: row["context_length"], True),
}


class ModelQuery:
    """A parsed query string. Immutable.

    Args:
        text: What stands behind the question mark.
        now: Unix seconds, for the ages of models; default: the clock's.

    Raises:
        BadQueryError: A parameter is unknown, given twice, or has an impossible value; nothing is
            ignored.

    Example:
        >>> rows = [{"id": "a/b", "name": "B", "description": "", "context_length": 8000}]
        >>> ModelQuery("q=B&context=4000").page(rows).total
        1
        >>> ModelQuery("q=B&context=9000").page(rows).total
        0
    """

    def __init__(self, text: str, *, now: float | None = None) -> None:
        self._now = time.time() if now is None else now
        self._filters: list[Callable[[Row], bool]] = []
        self._order: tuple[Callable[[Row], Any], bool] | None = None
        self._offset, self._limit = 0, 0
        self._paged = False
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_PAIRS)
        except ValueError:
            raise BadQueryError("", f"expected at most {_MAX_PAIRS} parameters") from None
        self._pairs = dict(pairs)
        for name, value in pairs:
            if [other for other, _ in pairs].count(name) > 1:
                raise BadQueryError(name, f"{name} is given twice; separate values by commas")
            if value:
                self._take(name, value)
        if self._paged and not self._limit:
            self._limit = _DEFAULT_LIMIT

    def __bool__(self) -> bool:
        """Whether anything is asked for: without it the whole list is the answer."""
        return bool(self._filters or self._order or self._paged)

    def page(self, rows: Sequence[Row]) -> Page:
        """The rows that match, in the order asked for, cut to the page."""
        found = [row for row in rows if all(wanted(row) for wanted in self._filters)]
        if self._order is not None:
            key, falling = self._order
            found.sort(key=key, reverse=falling)  # stable: equal rows keep the list's order
        if not self._paged:
            return Page(found, len(found), None)
        end = self._offset + self._limit
        more = None
        if end < len(found):
            more = urlencode({**self._pairs, "offset": end, "limit": self._limit})
        return Page(found[self._offset : end], len(found), more)

    # --- reading parameters -----------------------------------------------------------------------

    def _take(self, name: str, value: str) -> None:
        take = getattr(self, f"_take_{name}", None)
        if take is not None:
            take(value)
        elif name in _NO_DATA:
            raise BadQueryError(name, f"this gateway has no figures for {name}; leave it out")
        else:
            known = ", ".join(sorted(n[6:] for n in dir(self) if n.startswith("_take_")))
            raise BadQueryError(name, f"there is no parameter {name!r}; there are: {known}")

    def _take_q(self, value: str) -> None:
        self._filters.append(lambda row: matches_text(row, value))

    def _take_supported_parameters(self, value: str) -> None:
        wanted = _listed(value)
        self._filters.append(lambda row: wanted <= set(row["supported_parameters"]))

    def _take_input_modalities(self, value: str) -> None:
        self._take_modalities("input_modalities", value)

    def _take_output_modalities(self, value: str) -> None:
        if value != "all":
            self._take_modalities("output_modalities", value)

    def _take_modalities(self, name: str, value: str) -> None:
        wanted = _listed(value)
        if not wanted <= set(_MODALITIES):
            raise BadQueryError(name, f"expected some of {', '.join(_MODALITIES)}")
        self._filters.append(lambda row: wanted <= set(row["architecture"][name]))

    def _take_providers(self, value: str) -> None:
        wanted = {name.casefold() for name in _listed(value)}
        self._filters.append(lambda row: bool(wanted & set(row["providers"])))

    def _take_model_authors(self, value: str) -> None:
        wanted = _listed(value)
        self._filters.append(lambda row: row["owned_by"] in wanted)

    def _take_context(self, value: str) -> None:
        least = _whole("context", value, low=1)
        self._filters.append(lambda row: row["context_length"] >= least)

    def _take_min_price(self, value: str) -> None:
        bound = _price("min_price", value)
        self._filters.append(lambda row: _prompt_price(row) >= bound)

    def _take_max_price(self, value: str) -> None:
        bound = _price("max_price", value)
        self._filters.append(lambda row: _prompt_price(row) <= bound)

    def _take_min_output_price(self, value: str) -> None:
        bound = _price("min_output_price", value)
        self._filters.append(lambda row: _output_price(row) >= bound)

    def _take_max_output_price(self, value: str) -> None:
        bound = _price("max_output_price", value)
        self._filters.append(lambda row: _output_price(row) <= bound)

    def _take_min_age_days(self, value: str) -> None:
        latest = self._now - _whole("min_age_days", value) * _DAY_S
        self._filters.append(lambda row: 0 < row["created"] <= latest)

    def _take_max_age_days(self, value: str) -> None:
        first = self._now - _whole("max_age_days", value) * _DAY_S
        self._filters.append(lambda row: row["created"] >= first)

    def _take_sort(self, value: str) -> None:
        if value not in _ORDERS:
            raise BadQueryError("sort", f"expected one of {', '.join(_ORDERS)}")
        self._order = _ORDERS[value]

    def _take_offset(self, value: str) -> None:
        self._offset = _whole("offset", value)
        self._paged = True

    def _take_limit(self, value: str) -> None:
        self._limit = _whole("limit", value, low=1, high=_MAX_LIMIT)
        self._paged = True


def _listed(value: str) -> set[str]:
    return {part.strip() for part in value.split(",") if part.strip()}


def _whole(name: str, value: str, *, low: int = 0, high: int = 1 << 53) -> int:
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 17 else -1
    if not low <= number <= high:
        raise BadQueryError(name, f"{name} is a whole number from {low} to {high}")
    return number


def _price(name: str, value: str) -> Decimal:
    try:
        price = Decimal(value)
    except InvalidOperation:
        price = Decimal(-1)
    if not price.is_finite() or not 0 <= price < 10**9:
        raise BadQueryError(name, f"{name} is a price in USD per million tokens, such as 2.5")
    return price
