"""What a price list may say: prices of an endpoint, by length of the prompt, service tier, hour and
date, with their types and bounds."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from seekroute.config.schema import PROVIDER_ID

# The core counts prices in pico-USD per unit: 12 decimals per unit, 6 per million.
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,6})(?:\.([0-9]{1,12}))?")
_UNIT_DECIMALS = 12
_MILLION_DECIMALS = 6
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
# More than any price list has; keeps a snapshot's tables small.
MAX_TIERS = 16
MAX_VARIANTS = 32

# Of every dataclass of a catalog.
DATACLASS_CONFIG = ConfigDict(
    extra="forbid",
    hide_input_in_errors=True,
    use_attribute_docstrings=True,
)


def _decimal(value: object, places: int) -> str:
    if isinstance(value, bool | float):
        raise ValueError('expected a decimal in quotes; write "0.15", as numbers lose digits')
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError('expected a decimal in quotes; for example "0.15"')
    if value.startswith("-") and _DECIMAL.fullmatch(value[1:]):
        if not value.strip("-0."):
            return "0"
        raise ValueError("expected a price of 0 or more, found a negative one")
    match = _DECIMAL.fullmatch(value)
    if not match:
        raise ValueError('expected a plain decimal below 10000000; for example "0.15"')
    if len(match.group(1) or "") > places:
        raise ValueError(f"expected at most {places} decimals, found {len(match.group(1))}")
    return value


PerMillion = Annotated[str, BeforeValidator(lambda v: _decimal(v, _MILLION_DECIMALS))]
PerUnit = Annotated[str, BeforeValidator(lambda v: _decimal(v, _UNIT_DECIMALS))]


# More than any model reads or writes; the core's counts have room for a million times as many.
Tokens = Annotated[int, Field(gt=0, le=10**12)]


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class Rates:
    """Prices of single units, as exact decimals in USD."""

    input: PerMillion | None = None
    """Per million prompt tokens."""
    output: PerMillion | None = None
    """Per million completion tokens."""
    cache_read: PerMillion | None = None
    """Per million prompt tokens read from the provider's cache; default: as `input`."""
    cache_write: PerMillion | None = None
    """Per million prompt tokens written to the provider's cache; default: as `input`."""
    cache_write_1h: PerMillion | None = None
    """The same for a cache kept an hour; default: as `cache_write`."""
    reasoning: PerMillion | None = None
    """Per million reasoning tokens; default: as `output`."""
    audio_input: PerMillion | None = None
    """Per million audio tokens of the prompt; default: as `input`."""
    audio_output: PerMillion | None = None
    """Per million audio tokens of the completion; default: as `output`."""
    audio_cache_read: PerMillion | None = None
    """Per million audio tokens read from the cache; default: as `audio_input` where that has a
    price of its own, else as `cache_read`."""
    image_input: PerMillion | None = None
    """Per million image tokens of the prompt; default: as `input`."""
    image_output: PerMillion | None = None
    """Per million image tokens of the completion; default: as `output`."""
    per_request: PerUnit | None = None
    """Per answered request; default: nothing."""
    per_image: PerUnit | None = None
    """Per generated image; default: nothing."""


UNITS = tuple(field.name for field in fields(Rates))


def _named(rates: Rates) -> bool:
    return any(getattr(rates, unit) is not None for unit in UNITS)


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class Tier(Rates):
    """The prices of a whole request whose prompt is longer than a threshold. A price that it does
    not name stays what it is below the threshold."""

    above: Tokens
    """Prompt tokens; the tier applies to requests with more than this."""

    @model_validator(mode="after")
    def _names_a_price(self) -> Tier:
        if not _named(self):
            raise ValueError("expected at least one price; for example input")
        return self


def _rising(tiers: tuple[Tier, ...] | None) -> tuple[Tier, ...] | None:
    bounds = [tier.above for tier in tiers or ()]
    if bounds != sorted(set(bounds)):
        raise ValueError("expected tiers by rising threshold")
    return tiers


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class Variant(Rates):
    """Other prices under conditions that must all hold. A price that it does not name is the base
    price; tiers are its own."""

    service_tier: Annotated[str, Field(pattern=PROVIDER_ID)] | None = None
    """The tier that the provider's answer names: `flex`, `priority`, `batch`."""
    hours: str | None = None
    """Hours of the day in UTC, `HH:MM-HH:MM`; the end is excluded, and may lie past midnight."""
    valid_from: date | None = None
    """First day of these prices, from midnight UTC."""
    valid_until: date | None = None
    """First day on which they no longer hold."""
    tiers: Annotated[tuple[Tier, ...], Field(max_length=MAX_TIERS)] | None = None
    """Prices of long prompts; required (maybe `[]`) where the base price has tiers."""

    _order = field_validator("tiers")(_rising)

    @field_validator("hours")
    @classmethod
    def _window(cls, value: str | None) -> str | None:
        if value is None:
            return None
        match = _HOURS.fullmatch(value)
        if not match:
            raise ValueError('expected hours such as "16:30-00:30"')
        if value[:5] == value[6:] or value == "00:00-24:00":
            raise ValueError("expected two different times; leave hours out for the whole day")
        return value

    @model_validator(mode="after")
    def _makes_sense(self) -> Variant:
        conditions = (self.service_tier, self.hours, self.valid_from, self.valid_until)
        if conditions == (None, None, None, None):
            raise ValueError("expected a condition; service_tier, hours, valid_from or valid_until")
        if self.valid_from and self.valid_until and self.valid_from >= self.valid_until:
            raise ValueError("expected valid_until after valid_from")
        if not _named(self):
            raise ValueError("expected at least one price; for example input")
        return self

    @property
    def conditions(self) -> tuple[object, ...]:
        """What decides whether it applies."""
        return self.service_tier, self.hours, self.valid_from, self.valid_until

    @property
    def minutes(self) -> tuple[int, int]:
        """Begin and end in minutes of the UTC day; both 0 for the whole day."""
        match = _HOURS.fullmatch(self.hours or "")
        if not match:
            return 0, 0
        hour, minute, end_hour, end_minute = (int(part or 0) for part in match.groups())
        return hour * 60 + minute, end_hour * 60 + end_minute


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class Price(Rates):
    """What an endpoint charges."""

    tiers: Annotated[tuple[Tier, ...], Field(max_length=MAX_TIERS)] = ()
    """Prices of long prompts, by rising threshold."""
    variants: Annotated[tuple[Variant, ...], Field(max_length=MAX_VARIANTS)] = ()
    """Prices by service tier, hour or date; the first whose conditions all hold is taken."""

    _order = field_validator("tiers")(_rising)

    @model_validator(mode="after")
    def _variants_fit(self) -> Price:
        seen: list[tuple[object, ...]] = []
        for variant in self.variants:
            if variant.conditions in seen:
                raise ValueError("two variants have the same conditions; remove the later one")
            seen.append(variant.conditions)
            if self.tiers and variant.tiers is None:
                raise ValueError(
                    "the base price has tiers, a variant does not say its own; write tiers: []"
                    " where its prices are the same for long prompts"
                )
        return self
