"""From settings to a plan: all that a gateway needs of a configuration, checked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from seekroute.api.models import ModelList
from seekroute.config.auto_unused import unused_auto
from seekroute.config.catalog_rows import model_rows
from seekroute.config.console import console_is_on, console_plan
from seekroute.config.core_options import build_options
from seekroute.config.loading import catalog_of, profile_place, profiles_of
from seekroute.config.price_jumps import price_jumps
from seekroute.config.snapshot import (
    build_snapshot,
    mock_is_on,
    unserved_models,
    usable_providers,
)
from seekroute.errors import ConfigError, Problem
from seekroute.money import nano
from seekroute.plan import MOCK_URL, GraderPlan, LearningPlan, Plan, Profile, ServerPart
from seekroute.rate_limits import LimitPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from seekroute.config.catalog import Catalog
    from seekroute.config.profile import ProfileFile
    from seekroute.config.routing_schema import GraderSettings
    from seekroute.config.settings import Settings

_PICO = 1000  # in a nano-USD


def prepare(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    ledger: bool | None = None,
    shows_cost: bool = False,
    console: bool = False,
) -> Plan:
    """Makes the plan.

    Args:
        settings: what `seekroute.config.load_settings` returned.
        environ: where provider keys are looked up.
        ledger: whether requests are held and settled in one; None: as the settings say.
        shows_cost: show what providers charge, whatever profiles say: to who runs the gateway.
        console: with what the console's process needs, where the settings want one: for a server.

    Raises:
        ConfigError: a profile or the catalog is wrong, or the console lacks what it needs.
    """
    catalog = catalog_of(settings)
    profiles = profiles_of(settings)
    if shows_cost:
        profiles = [each.model_copy(update={"upstream_cost": True}) for each in profiles]
    if ledger is None:
        ledger = settings.credits.enabled
    mock = mock_is_on(settings, catalog, environ)
    snapshot = build_snapshot(
        settings, catalog, profiles, environ, mock_base_url=MOCK_URL if mock else ""
    )
    server = settings.server
    warnings = tuple(map(str, [*price_jumps(settings, catalog, snapshot), *unused_auto(settings)]))
    model: str = snapshot["default_model"]
    slug = model.rpartition("/")[2]
    if profiles[0].model_ids == "bare" and snapshot["names"].get(slug) == model:
        model = slug
    shown_profiles = tuple(
        Profile(
            each.name,
            each.base_path,
            each.key_prefix,
            each.model_ids,
            each.shows_upstream_cost(marked_up=catalog.markup.is_set),
        )
        for each in profiles
    )
    plan = Plan(
        server=ServerPart(
            host=server.host,
            port=server.port,
            log_level=server.log_level,
            log_format=server.log_format,
            shutdown_seconds=server.shutdown_seconds,
            cors_origins=tuple(server.cors_origins),
            trusted_proxies=server.trusted_proxies,
        ),
        data_dir=settings.data_dir,
        require_key=settings.require_key,
        ledger=ledger,
        orphans=settings.credits.orphans,
        max_body_bytes=settings.limits.max_body_bytes,
        max_request_bytes=settings.limits.max_request_bytes,
        max_key_request_bytes=settings.limits.max_key_request_bytes,
        max_org_request_bytes=settings.limits.max_org_request_bytes,
        max_active_meant=settings.origin("limits.max_active") != "default",
        profiles=shown_profiles,
        example_model=model,
        has_models=any(each["candidates"] for each in snapshot["models"]),
        mock=mock,
        mock_meant=settings.mock != "auto",
        model_list=ModelList(model_rows(catalog, snapshot)),
        unserved=unserved_models(settings, catalog, snapshot),
        options=build_options(settings, b"", ledger=ledger),
        snapshot=snapshot,
        limits=limit_plan(settings, profiles, catalog),
        source=settings.source,
        told_profile=_told_profile(settings),
        learning=_learning(settings, environ),
        warnings=warnings,
    )
    if console and console_is_on(settings):
        plan = replace(
            plan,
            console=console_plan(
                plan, settings, catalog, usable_providers(settings, catalog, environ)
            ),
        )
    return plan


def _learning(settings: Settings, environ: Mapping[str, str]) -> LearningPlan | None:
    auto = settings.routing.auto
    if not auto.models or not auto.learning.enabled:
        return None
    spending = auto.spending
    return LearningPlan(
        auto.learning.trusted,
        auto.learning.keep,
        auto.learning.refit,
        pico_per_request=(
            nano(spending.usd_per_request) * _PICO if spending.usd_per_request else None
        ),
        dearest_share=spending.dearest_share,
        grader=_grader(auto.shadow.grader, environ),
    )


def _grader(settings: GraderSettings, environ: Mapping[str, str]) -> GraderPlan | None:
    """Who grades.

    Raises:
        ConfigError: a variable with a key is not set.
    """
    if settings.judge:
        return GraderPlan(judge=settings.judge)
    if not settings.webhook:
        return None
    name = settings.webhook_key_env
    if name and not environ.get(name):
        at = "routing.auto.shadow.grader.webhook_key_env"
        raise ConfigError(
            [Problem(at, f"the variable {name} is not set", "set it, or name another")]
        )
    return GraderPlan(webhook=settings.webhook, key=environ.get(name, "") if name else "")


def limit_plan(settings: Settings, profiles: Sequence[ProfileFile], catalog: Catalog) -> LimitPlan:
    """The limits that a configuration holds."""
    return LimitPlan(
        key=settings.limits.defaults.key.said(),
        org=settings.limits.defaults.org.said(),
        profiles={each.name: said for each in profiles if (said := each.limits.said())},
        models={each.id: said for each in catalog.models if (said := each.limits.said())},
        gateway=settings.limits.gateway.said(),
    )


def _told_profile(settings: Settings) -> str:
    """Commands see the file too, but neither this command line nor this environment."""
    told = settings.origin("profile") in ("cli", "env")
    return profile_place(settings) if told else ""
