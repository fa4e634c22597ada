"""Fallbacks that never answer, because `routing.max_price_jump` leaves them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from seekroute.config.catalog import Catalog
from seekroute.config.settings import Settings
from seekroute.errors import Problem

__all__ = ["price_jumps", "short_request_costs"]

# A short request: the answer has as many tokens as the core expects of one without a length.
_PROMPT_TOKENS: Final = 100
_ANSWER_TOKENS: Final = 400
_BASIS: Final = 10_000


def price_jumps(settings: Settings, catalog: Catalog, snapshot: Mapping[str, Any]) -> list[Problem]:
    """Warnings about models of `routing.fallbacks` that cost too much after the model before them.

    Members of a virtual model are measured by their own cheapest endpoint each, so they have none.

    Args:
        settings: from `load_settings`.
        catalog: from `catalog_of`.
        snapshot: from `build_snapshot` with both.
    """
    most = settings.routing.max_price_jump
    if most <= 0:
        return []
    models = {row["id"]: row for row in snapshot["models"]}
    found: list[Problem] = []
    for at, first, other in _pairs(settings, catalog):
        if first not in models or other not in models:
            continue
        # What costs nothing is no measure.
        measure = min((cost for cost in short_request_costs(models[first]) if cost), default=None)
        cheapest = min(short_request_costs(models[other]), default=None)
        if measure is None or cheapest is None or cheapest <= measure * Decimal(most):
            continue
        found.append(
            Problem(
                at,
                f"{other} is never asked after {first}: a short request costs "
                f"{cheapest / measure:.3g} times as much there, and routing.max_price_jump allows "
                f"{most:g} times",
                "raise routing.max_price_jump, or list a cheaper model",
                settings.origin_detail(at),
            )
        )
    return found


def _pairs(settings: Settings, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Of each listed fallback its place, the id of the model before it, and its own."""
    lists = settings.routing.fallbacks
    for kind in ("any", "context", "content_policy"):
        for name, others in getattr(lists, kind).items():
            first = catalog.resolve(name)
            for number, each in enumerate(others):
                other = catalog.resolve(each)
                if first is not None and other is not None:
                    yield f"routing.fallbacks.{kind}.{name}.{number}", first.id, other.id


def short_request_costs(model: Mapping[str, Any]) -> list[Decimal]:
    """What a short request is expected to cost at each endpoint of a model of text, in USD."""
    return [_cost(model, each) for each in model["candidates"] if model["output"] == "text"]


def _cost(model: Mapping[str, Any], candidate: Mapping[str, Any]) -> Decimal:
    price = candidate["price"]
    rates: Mapping[str, str] = price["variants"][-1]["rates"]
    most: int = candidate.get("max_output") or model["max_output"] or _ANSWER_TOKENS
    markup: int = price["markup_bps"]
    cost = _PROMPT_TOKENS * Decimal(rates["input"]) + Decimal(rates["per_request"])
    cost += min(_ANSWER_TOKENS, most) * Decimal(rates["output"])
    return cost * (_BASIS + markup) / _BASIS
