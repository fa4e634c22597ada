"""What serving needs of settings, profiles and catalog, as plain data.

Reading and checking a configuration takes libraries and object trees that no request needs:
pydantic, YAML, the whole catalog. `prepare()` runs them once; a process that is given the plan
imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from seekroute.api.models import ModelList

if TYPE_CHECKING:
    from seekroute.config import Settings
    from seekroute.control.lost import Anew

# Stands for the mock provider's URL until that listens. Never asked: port 0 is nobody's.
_MOCK_URL: Final = "http://127.0.0.1:0/v1"


@dataclass(frozen=True, slots=True)
class ServerPart:
    """The `server` section of the settings."""

    host: str
    port: int
    log_level: str
    log_format: Literal["pretty", "json"]
    shutdown_seconds: float
    cors_origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What the HTTP side needs of a profile; the core has the rest."""

    name: str
    base_path: str
    key_prefix: str
    model_ids: Literal["full", "bare"]
    shows_upstream_cost: bool  # whether customers see what the provider charges


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked configuration, ready to serve. Picklable. Holds provider keys: never to be shown.

    `server`, `data_dir` and `require_key` are those of the settings.
    """

    server: ServerPart
    data_dir: str
    require_key: bool
    ledger: bool  # whether requests are held and settled in one
    orphans: Literal["expire", "charge"]  # of the ledger
    max_body_bytes: int
    max_request_bytes: int
    max_key_request_bytes: int
    max_active_meant: bool  # whether somebody has set how many requests may run
    max_org_request_bytes: int
    profiles: tuple[Profile, ...]  # the default one first
    example_model: str  # as the default profile spells it; what `auto` means
    has_models: bool  # whether any model has a candidate
    mock: bool  # whether a mock provider has to be started
    mock_meant: bool  # whether somebody has asked for it by name
    model_list: ModelList
    unserved: dict[str, str]  # models that nobody serves, and what they lack
    options: dict[str, Any] = field(repr=False)  # of the core, but for the pepper
    snapshot: dict[str, Any] = field(repr=False)
    told_profile: str = ""  # the default one, if it is not of a file: its name or path
    anew: frozenset[Anew] = frozenset()  # lost databases that this start may begin anew

    def snapshot_with(self, mock_url: str) -> dict[str, Any]:
        """The core's snapshot with the URL of the running mock provider; "" where there is none."""
        if not self.mock:
            return self.snapshot
        url = mock_url.rstrip("/")
        providers = [
            {**provider, "base_url": url} if provider["base_url"] == _MOCK_URL else provider
            for provider in self.snapshot["providers"]
        ]
        return {**self.snapshot, "providers": providers}


def prepare(settings: Settings, environ: Mapping[str, str]) -> Plan:
    """Makes the plan.

    Args:
        settings: what `seekroute.config.load_settings` returned.
        environ: where provider keys are looked up.

    Raises:
        ConfigError: a profile or the catalog is wrong.
    """
    from seekroute.config import (
        build_options,
        build_snapshot,
        catalog_of,
        mock_is_on,
        model_rows,
        profiles_of,
        unserved_models,
    )

    catalog = catalog_of(settings)
    profiles = profiles_of(settings)
    mock = mock_is_on(settings, catalog, environ)
    snapshot = build_snapshot(
        settings, catalog, profiles, environ, mock_base_url=_MOCK_URL if mock else ""
    )
    server = settings.server
    model: str = snapshot["default_model"]
    slug = model.rpartition("/")[2]
    if profiles[0].model_ids == "bare" and snapshot["names"].get(slug) == model:
        model = slug
    return Plan(
        server=ServerPart(
            host=server.host,
            port=server.port,
            log_level=server.log_level,
            log_format=server.log_format,
            shutdown_seconds=server.shutdown_seconds,
            cors_origins=tuple(server.cors_origins),
        ),
        data_dir=settings.data_dir,
        require_key=settings.require_key,
        ledger=settings.credits.enabled,
        orphans=settings.credits.orphans,
        max_body_bytes=settings.limits.max_body_bytes,
        max_request_bytes=settings.limits.max_request_bytes,
        max_key_request_bytes=settings.limits.max_key_request_bytes,
        max_org_request_bytes=settings.limits.max_org_request_bytes,
        max_active_meant=settings.origin("limits.max_active") != "default",
        profiles=tuple(
            Profile(
                each.name,
                each.base_path,
                each.key_prefix,
                each.model_ids,
                each.shows_upstream_cost(marked_up=catalog.markup.is_set),
            )
            for each in profiles
        ),
        example_model=model,
        has_models=any(each["candidates"] for each in snapshot["models"]),
        mock=mock,
        mock_meant=settings.mock != "auto",
        model_list=ModelList(model_rows(catalog, snapshot)),
        unserved=unserved_models(settings, catalog, snapshot),
        options=build_options(settings, b"", ledger=settings.credits.enabled),
        snapshot=snapshot,
        told_profile=_told_profile(settings),
    )


def _told_profile(settings: Settings) -> str:
    """Commands see the file too, but neither this command line nor this environment."""
    from seekroute.config import profile_place

    told = settings.origin("profile") in ("cli", "env")
    return profile_place(settings) if told else ""
