"""Configuration: settings, profiles and the catalog, checked once and handed to the core.

Each name is loaded at its first use: a process that serves a ready plan needs none of the schemas.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seekroute.config.catalog import Catalog, packaged_catalog
    from seekroute.config.catalog_rows import model_rows
    from seekroute.config.core_options import build_options
    from seekroute.config.loading import (
        catalog_of,
        config_file,
        data_dir_of,
        load_settings,
        profile_place,
        profiles_of,
    )
    from seekroute.config.planning import limit_plan, prepare
    from seekroute.config.profile import PACKAGED_PROFILES, ProfileFile, load_profile
    from seekroute.config.settings import Settings, config_schema
    from seekroute.config.snapshot import (
        build_snapshot,
        key_sources,
        mock_is_on,
        unserved_models,
        usable_providers,
    )

__all__ = [
    "PACKAGED_PROFILES",
    "Catalog",
    "ProfileFile",
    "Settings",
    "build_options",
    "build_snapshot",
    "catalog_of",
    "config_file",
    "config_schema",
    "data_dir_of",
    "key_sources",
    "limit_plan",
    "load_profile",
    "load_settings",
    "mock_is_on",
    "model_rows",
    "packaged_catalog",
    "prepare",
    "profile_place",
    "profiles_of",
    "unserved_models",
    "usable_providers",
]

_HOMES = {
    "catalog_rows": ("model_rows",),
    "catalog": ("Catalog", "packaged_catalog"),
    "core_options": ("build_options",),
    "loading": (
        "catalog_of",
        "config_file",
        "data_dir_of",
        "load_settings",
        "profile_place",
        "profiles_of",
    ),
    "planning": ("limit_plan", "prepare"),
    "profile": ("PACKAGED_PROFILES", "ProfileFile", "load_profile"),
    "settings": ("Settings", "config_schema"),
    "snapshot": (
        "build_snapshot",
        "key_sources",
        "mock_is_on",
        "unserved_models",
        "usable_providers",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
