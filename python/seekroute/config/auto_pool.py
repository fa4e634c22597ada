"""What the core is given to choose a model by a prompt's content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from seekroute.config.catalog import Catalog
from seekroute.config.price_jumps import short_request_costs
from seekroute.config.settings import Settings
from seekroute.errors import ConfigError, Problem
from seekroute.money import nano

__all__ = ["auto_pool"]

# The quality of the cheapest and of the dearest model of which none is declared, and where there is
# nothing to tell them apart.
_CHEAPEST: Final = 0.6
_DEAREST: Final = 0.8
_ONLY: Final = 0.7
# How much less than the best is good enough for the cheapest: where qualities were told or learned,
# and where they are guessed, as far as the dearest is above the cheapest. As models are learned of,
# the one becomes the other.
_SLACK: Final = 0.05
_SLACK_OF_GUESSES: Final = round(_DEAREST - _CHEAPEST, 9)
_MOST_WEIGHTS: Final = 256 << 20  # bytes: more than the core takes of 32 models


def auto_pool(
    settings: Settings, catalog: Catalog, models: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """The member `auto` of a snapshot; None where `auto` means the default model.

    Args:
        settings: from `load_settings`.
        catalog: from `catalog_of`.
        models: those of the snapshot.

    Raises:
        ConfigError: the weights cannot be read. What is in them the core judges.
    """
    own = settings.routing.auto
    if not own.models:
        return None
    rows = {row["id"]: row for row in models}
    pool: list[dict[str, Any]] = []
    for each in own.models:
        found = catalog.resolve(each.model)
        model_id = found.id if found else each.model  # the settings are checked: there is one
        names = sorted(name for name, meant in catalog.names.items() if meant == model_id)
        pool.append(
            {
                "id": model_id,
                "quality": each.quality,
                "names": [each.trained_as] if each.trained_as else sorted({*names, model_id}),
                "trained_as": each.trained_as,
                "aliases": names,
            }
        )
    told = any(row["quality"] is not None for row in pool)
    ranked = _by_price([rows[row["id"]] for row in pool if row["quality"] is None])
    for row in pool:
        if row["quality"] is None:
            row["quality"] = ranked[row["id"]]
    weights = _weights(settings)
    slack, learned_slack = own.cost_slack, None
    if slack is None:
        is_guess = not told and not weights
        slack = _SLACK_OF_GUESSES if is_guess else _SLACK
        learned_slack = _SLACK if is_guess else None
    return {
        "models": pool,
        "strategy": own.strategy,
        "cost_weight": own.cost_weight,
        "cost_slack": slack,
        "learned_slack": learned_slack,
        "stay": own.stay,
        "shadow": {
            "share": own.shadow.share,
            "nano_per_day": nano(own.shadow.usd_per_day),
        },
        "explore": own.learning.explore if own.learning.enabled else 0.0,
        "learn": own.learning.enabled,
        "weights": weights,
        "vectors": _vectors() if weights else None,
    }


def _by_price(models: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """A quality for each model, in even steps from the cheapest to the dearest; of those that
    nobody serves, the middle."""
    costs = {row["id"]: min(found) for row in models if (found := short_request_costs(row))}
    steps: list[Decimal] = sorted(set(costs.values()))
    if len(steps) < 2:
        return {row["id"]: _ONLY for row in models}
    step = (_DEAREST - _CHEAPEST) / (len(steps) - 1)
    return {
        row["id"]: _CHEAPEST + step * steps.index(costs[row["id"]]) if row["id"] in costs else _ONLY
        for row in models
    }


def _weights(settings: Settings) -> bytes | None:
    name = settings.routing.auto.weights
    if not name:
        return None
    at = "routing.auto.weights"
    file = Path(settings._folder) / name
    try:
        if file.exists() and not file.is_file():
            found, message = b"", f"{file} is no file"
        else:
            with file.open("rb") as stream:
                found = stream.read(_MOST_WEIGHTS + 1)
            message = f"{file} is empty"
        if len(found) > _MOST_WEIGHTS:
            message = f"{file} has more than {_MOST_WEIGHTS >> 20} MiB: it is another file"
        elif found:
            return found
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
    hint = "seekroute router train writes such a file"
    raise ConfigError([Problem(at, message, hint, settings.origin_detail(at))])


def _vectors() -> bytes:
    return (files("seekroute") / "data" / "word_vectors.bin").read_bytes()
