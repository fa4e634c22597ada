"""Configuration: settings, profiles and the catalog, checked once and handed to the core."""

from __future__ import annotations

from seekroute.config.catalog import Catalog, packaged_catalog
from seekroute.config.loading import catalog_of, load_settings, profiles_of
from seekroute.config.models_list import ModelList, models_payload
from seekroute.config.profile import PACKAGED_PROFILES, ProfileFile, load_profile
from seekroute.config.settings import Settings, config_schema
from seekroute.config.snapshot import build_options, build_snapshot, mock_is_on, usable_providers

__all__ = [
    "PACKAGED_PROFILES",
    "Catalog",
    "ModelList",
    "ProfileFile",
    "Settings",
    "build_options",
    "build_snapshot",
    "catalog_of",
    "config_schema",
    "load_profile",
    "load_settings",
    "mock_is_on",
    "models_payload",
    "packaged_catalog",
    "profiles_of",
    "usable_providers",
]
