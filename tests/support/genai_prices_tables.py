"""The prices of the `genai-prices` package as tables of ours. Its bundled data; no network."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from genai_prices import types
from genai_prices.data_snapshot import DataSnapshot, get_snapshot

# Their price of a class of ours, and of which other class it is where it has none.
PRICES = {
    "input": ("input_mtok", ""),
    "cache_read": ("cache_read_mtok", "input"),
    "cache_write": ("cache_write_mtok", "input"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write"),
    "audio_input": ("input_audio_mtok", "input"),
    "audio_cache_read": ("cache_audio_read_mtok", "cache_read"),
    "image_input": ("input_image_mtok", "input"),
    "output": ("output_mtok", ""),
    "reasoning": ("output_reasoning_mtok", "output"),
    "audio_output": ("output_audio_mtok", "output"),
    "image_output": ("output_image_mtok", "output"),
}
_PER_MILLION = -6
_DECIMALS = 12


class NotOurs(Exception):
    """A price that no table of ours can hold, and why."""


def known() -> DataSnapshot:
    """Their bundled prices."""
    return get_snapshot()


def find(base_url: str, model: str) -> tuple[types.Provider, types.ModelInfo] | None:
    """The model that a provider at this address serves under this name, or None."""
    snapshot = known()
    try:
        return snapshot.find_provider_model(
            model, snapshot.find_provider(None, None, base_url), None, None
        )
    except LookupError:
        return None


def _amount(price: Decimal | types.TieredPrices | None, prompt: int) -> Decimal | None:
    if not isinstance(price, types.TieredPrices):
        return price
    amount = price.base
    for tier in price.tiers:
        if prompt > tier.start:
            amount = tier.price
    return amount


def _rates(price: types.ModelPrice, prompt: int) -> dict[str, str]:
    """What a request with `prompt` tokens pays a unit."""
    found: dict[str, Decimal] = {}
    for name, (key, wider) in PRICES.items():
        own = _amount(getattr(price, key), prompt)
        if own is None:
            own = found[wider] if wider else Decimal(0)
        found[name] = own
    rates = {name: amount.scaleb(_PER_MILLION) for name, amount in found.items()}
    requests = _amount(price.requests_kcount, prompt) or Decimal(0)
    rates |= {"per_request": requests.scaleb(-3), "per_image": Decimal(0)}
    for name, amount in rates.items():
        if -int(amount.normalize().as_tuple().exponent) > _DECIMALS:
            raise NotOurs(f"{name} of {amount} USD has more than {_DECIMALS} decimals")
    return {name: format(amount, "f") for name, amount in rates.items()}


def _starts(price: types.ModelPrice) -> list[int]:
    tiered = (value for value in price.__dict__.values() if isinstance(value, types.TieredPrices))
    return sorted({tier.start for value in tiered for tier in value.tiers if tier.start > 0})


def _variant(price: types.ModelPrice, **conditions: Any) -> dict[str, Any]:
    return {
        "service_tier": "",
        "from": 0,
        "until": 0,
        "day_start": 0,
        "day_end": 0,
        "rates": _rates(price, 0),
        "tiers": [{"above": s, "rates": _rates(price, s + 1)} for s in _starts(price)],
    } | conditions


def _minute(moment: time) -> int:
    if moment.utcoffset():
        raise NotOurs("hours of another zone")
    return moment.hour * 60 + moment.minute


def _midnight(constraint: types.StartDateConstraint) -> int:
    day = constraint.start_date
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _standard(model: types.ModelInfo) -> Iterator[tuple[types.ModelPrice, dict[str, int]]]:
    """Prices with their conditions, first that holds first; the last has none."""
    if isinstance(model.prices, types.ModelPrice):
        yield model.prices, {}
        return
    for entry in reversed(model.prices):
        match entry.constraint:
            case types.StartDateConstraint() as start:
                yield entry.prices, {"from": _midnight(start)}
            case types.TimeOfDateConstraint(start_time, end_time):
                yield (
                    entry.prices,
                    {"day_start": _minute(start_time), "day_end": _minute(end_time)},
                )
            case _:
                yield entry.prices, {}
                return
    yield model.prices[0].prices, {}


def _overrides(
    model: types.ModelInfo, tier: str
) -> Iterator[tuple[int, dict[str, Decimal | types.TieredPrices]]]:
    """What a service tier changes, by the instant from which it does, latest first."""
    mine = [v for v in model.price_variants or () if v.when == {"service_tier": tier}]
    begins = []
    for variant in mine:
        match variant.constraint:
            case types.TimeOfDateConstraint():
                raise NotOurs("hours of a service tier")
            case types.StartDateConstraint() as start:
                begins.append((_midnight(start), variant.prices))
            case None:
                begins.append((0, variant.prices))
    for since in sorted({begin for begin, _ in begins}, reverse=True):
        changed: dict[str, Decimal | types.TieredPrices] = {}
        for begin, prices in begins:
            if begin <= since:
                for key, value in prices.__dict__.items():
                    if value is not None:
                        changed.setdefault(key, value)
        yield since, changed


def service_tiers(model: types.ModelInfo) -> list[str]:
    """The tiers that have prices of their own."""
    named = (v.when for v in model.price_variants or ())
    return sorted({when["service_tier"] for when in named if list(when) == ["service_tier"]})


def table_of(model: types.ModelInfo) -> dict[str, Any]:
    """Their price of a model as a table of ours.

    Raises:
        NotOurs: It has a part that a table cannot say.
    """
    variants = []
    for tier in service_tiers(model):
        for since, changed in _overrides(model, tier):
            for price, conditions in _standard(model):
                merged = types.ModelPrice(**{**price.__dict__, **changed})
                begin = max(since, conditions.get("from", 0))
                variants.append(
                    _variant(merged, **{**conditions, "service_tier": tier, "from": begin})
                )
    variants += [_variant(price, **conditions) for price, conditions in _standard(model)]
    return {"revision": "genai-prices", "markup_bps": 0, "variants": variants}
