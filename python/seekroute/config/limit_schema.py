"""Limits of requests and tokens, as settings, profiles and the catalog hold them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from seekroute.config.price_schema import DATACLASS_CONFIG
from seekroute.rate_limits import BOUNDS, bursts_alone

__all__ = ["LimitValues"]


def _within(name: str) -> object:
    least, most = BOUNDS[name]
    return Field(ge=least, le=most)


def _number(value: object) -> object:
    # Python takes `true` for 1, which would limit all to one.
    if isinstance(value, bool):
        raise ValueError(f"expected an integer, found {str(value).lower()}")
    return value


_NUMBER = BeforeValidator(_number)
Requests = Annotated[int, _within("requests_per_minute"), _NUMBER]
Tokens = Annotated[int, _within("tokens_per_minute"), _NUMBER]
DayRequests = Annotated[int, _within("requests_per_day"), _NUMBER]
DayTokens = Annotated[int, _within("tokens_per_day"), _NUMBER]
Concurrent = Annotated[int, _within("concurrent"), _NUMBER]
BurstRequests = Annotated[int, _within("burst_requests"), _NUMBER]
BurstTokens = Annotated[int, _within("burst_tokens"), _NUMBER]


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class LimitValues:
    """Limits of requests and tokens; what is left out is not limited, and 0 lets nothing pass."""

    requests_per_minute: Requests | None = None
    """Requests in a minute."""
    tokens_per_minute: Tokens | None = None
    """Tokens of prompts and answers in a minute."""
    requests_per_day: DayRequests | None = None
    """Requests of a day in UTC."""
    tokens_per_day: DayTokens | None = None
    """Tokens of a day in UTC."""
    concurrent: Concurrent | None = None
    """Requests at once."""
    burst_requests: BurstRequests | None = None
    """Most requests in one instant; default: those of a minute."""
    burst_tokens: BurstTokens | None = None
    """Most tokens in one instant; default: those of a minute."""
    count_cached: bool | None = None
    """Whether tokens that a provider has read from its cache count; default: they do."""

    @model_validator(mode="after")
    def _rates(self) -> LimitValues:
        if alone := bursts_alone(self.said()):
            raise ValueError(alone)
        return self

    def said(self) -> dict[str, int]:
        """The limits that there are, by their names."""
        return {name: value for name, value in asdict(self).items() if value is not None}
