"""Turns settings into the options of a new core, which hold for its life."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Final

from seekroute.config.settings import Settings
from seekroute.local_org import LOCAL_ORG

# Limits that a running core is told of, or that have another name there.
_NOT_OF_THE_START = {"defaults", "gateway", "expected_output", "queue_ms", "queue"}


def build_options(settings: Settings, pepper: bytes, *, ledger: bool = False) -> dict[str, Any]:
    """The options of a new core.

    Args:
        settings: From `load_settings`.
        pepper: Secret that keys are hashed with.
        ledger: Whether it is given a ledger, in which requests are then held and settled.
    """
    credits = settings.credits.model_dump(exclude={"enabled", "orphans"})
    if settings.credits.orphans != "charge":
        credits["progress_note_ms"] = 0  # nobody would read them
    return {
        "engine_threads": settings.engine_threads,
        "pepper": pepper,
        "require_key": settings.require_key,
        **settings.limits.model_dump(exclude=_NOT_OF_THE_START),
        "limits_expected_output": settings.limits.expected_output,
        **{name: attrgetter(path)(settings) for name, path in QUEUE_OPTIONS.items()},
        **settings.timeouts.model_dump(),
        **_routing_options(settings),
        "credits": ledger,
        # What comes without a key, where none is required, is the operator's own.
        "credits_local_org": "" if settings.require_key else LOCAL_ORG,
        **{f"credits_{name}": value for name, value in credits.items()},
    }


# Options of the core, and the settings that they are made of.
ROUTING_OPTIONS: Final[Mapping[str, str]] = {
    "max_attempts": "routing.max_attempts",
    "retry_ambiguous": "routing.retry_ambiguous",
    "fallback_on_400": "routing.fallback_on_400",
    "retry_budget_percent": "routing.retry_budget.percent",
    "retry_budget_min": "routing.retry_budget.min",
    "leave_out_failing": "routing.leave_out_failing",
    "server_timing": "server.server_timing",
    "ejection_consecutive": "routing.ejection.consecutive",
    "ejection_base_ms": "routing.ejection.base_seconds",
    "ejection_max_ms": "routing.ejection.max_seconds",
    "ejection_max_share": "routing.ejection.max_share",
    "slow_start_ms": "routing.slow_start_seconds",
    "hedge_enabled": "routing.hedge.enabled",
    "hedge_percent": "routing.hedge.percent",
    "hedge_min_delay_ms": "routing.hedge.min_delay_ms",
    "sticky_ttl_ms": "routing.sticky.ttl_seconds",
    "sticky_entries": "routing.sticky.entries",
}


# Likewise of those that wait for room in their limits.
QUEUE_OPTIONS: Final[Mapping[str, str]] = {
    "limits_queue_ms": "limits.queue_ms",
    "limits_queue_max": "limits.queue.max",
    "limits_queue_per_org": "limits.queue.per_org",
}


def _routing_options(settings: Settings) -> dict[str, Any]:
    found = {name: attrgetter(path)(settings) for name, path in ROUTING_OPTIONS.items()}
    seconds = {name for name, path in ROUTING_OPTIONS.items() if path.endswith("_seconds")}
    return {name: value * 1000 if name in seconds else value for name, value in found.items()}
