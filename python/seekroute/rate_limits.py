"""Limits of requests and tokens, as every part of the package names and joins them.

Limits are a mapping of names to whole numbers: what is not in it is not limited, and 0 lets nothing
pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Limits = Mapping[str, int]

_MOST: Final = 4_000_000_000

# Every limit, and what is kept with them, with its least and its most. As `CheckLimits` in
# cpp/limits/limit_set.cc, or narrower.
BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "requests_per_minute": (0, _MOST),
    "tokens_per_minute": (0, _MOST),
    "requests_per_day": (0, _MOST),
    "tokens_per_day": (0, 1_000 * _MOST),
    "concurrent": (0, 1_000_000),
    "burst_requests": (1, _MOST),
    "burst_tokens": (1, _MOST),
    "queue_ms": (0, 60_000),
    "queue_weight": (1, 100),
    "hedge": (0, 1),
}
NAMES: Final = tuple(BOUNDS)
# No limits, but said and kept with them: how long a request waits for room, how much an
# organization is served beside others that wait, and whether slow streams are asked for at a second
# provider, too. Nothing is said of them by default.
_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "queue_ms": ("key", "org"),
    "queue_weight": ("org",),
    "hedge": ("key", "org"),
}
LIMIT_NAMES: Final = tuple(name for name in NAMES if name not in _BESIDE)
# What is true or false.
SWITCHES: Final = frozenset(("hedge",))
# Beside them, of configurations alone: whether tokens out of a provider's cache count.
COUNT_CACHED: Final = "count_cached"
# A burst is one of its rate: it goes where that goes.
_RATE_OF: Final = {"burst_requests": "requests_per_minute", "burst_tokens": "tokens_per_minute"}
# Whose limits are kept in control.db; `gateway` is one, without an id.
SCOPES: Final = ("key", "app", "org", "model", "gateway")


@dataclass(frozen=True, slots=True)
class LimitPlan:
    """The limits that a configuration holds.

    Attributes:
        key: of each key that nothing else is said of.
        org: of each organization likewise.
        profiles: of each key of a profile, by its name.
        models: of all requests for a model, by its id.
        gateway: of all requests.
    """

    key: Limits = field(default_factory=dict)
    org: Limits = field(default_factory=dict)
    profiles: Mapping[str, Limits] = field(default_factory=dict)
    models: Mapping[str, Limits] = field(default_factory=dict)
    gateway: Limits = field(default_factory=dict)

    def of_key(self, own: Limits, profile: str) -> dict[str, int]:
        """What holds for a key."""
        return effective(own, self.profiles.get(profile, {}), self.key)

    def of(self, scope: str, id: str, own: Limits) -> dict[str, int]:
        """What holds for an app, an organization, a model or the gateway."""
        if scope == "org":
            return effective(own, self.org)
        if scope == "model":
            return effective(own, self.models.get(id, {}))
        return effective(own, self.gateway) if scope == "gateway" else dict(own)


def source_of(name: str, said: Mapping[str, Limits]) -> tuple[int, str] | None:
    """The value that holds of one limit, and who says it, as `effective` chooses.

    Args:
        said: limits by whoever says them, the most specific first.
    """
    rate = _RATE_OF.get(name, name)
    for who, limits in said.items():
        if rate in limits:
            return (limits[name], who) if name in limits else None
    return None


def effective(*said: Limits) -> dict[str, int]:
    """What holds of several, the most specific first: each limit is the first that is said.

    A burst comes from where its rate comes from, since it is a part of that. How tokens are counted
    is said by configurations alone, and holds also for a limit that another one sets.

    Example:
        >>> effective({"requests_per_minute": 6}, {"requests_per_minute": 60, "burst_requests": 9})
        {'requests_per_minute': 6}
        >>> effective({"concurrent": 2}, {"requests_per_minute": 60, "burst_requests": 9})
        {'requests_per_minute': 60, 'concurrent': 2, 'burst_requests': 9}
    """
    found: dict[str, int] = {}
    for name in NAMES:
        rate = _RATE_OF.get(name, name)
        source = next((each for each in said if rate in each), {})
        if name in source:
            found[name] = source[name]
    counted = next((each[COUNT_CACHED] for each in said if COUNT_CACHED in each), None)
    if found and counted is not None:
        found[COUNT_CACHED] = counted
    return found


def names_of(scope: str) -> tuple[str, ...]:
    """What can be said of one scope."""
    return tuple(name for name in NAMES if scope in scopes_of(name))


def scopes_of(name: str) -> tuple[str, ...]:
    """Of whom one thing can be said."""
    return _BESIDE.get(name, SCOPES)


def counts_days(limits: Limits) -> bool:
    """Whether some limit is of a day."""
    return "requests_per_day" in limits or "tokens_per_day" in limits


def bursts_alone(said: Limits) -> str:
    """What is wrong with limits that have a burst without its rate; empty: nothing."""
    for burst, rate in _RATE_OF.items():
        if burst in said and rate not in said:
            return f"{burst} is a part of {rate}: set that, too"
    return ""
