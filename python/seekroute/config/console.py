"""What the console's process may know of a configuration."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from seekroute.config.snapshot import usable_providers
from seekroute.errors import ConfigError, Problem
from seekroute.plan import ConsolePlan, Profile, ShownProvider

if TYPE_CHECKING:
    from seekroute.api.models import ModelList
    from seekroute.config.catalog import Catalog
    from seekroute.config.settings import Settings

# What of the extra `console` the process imports.
_NEEDS: Final = ("argon2", "cryptography", "limits", "pyotp", "segno", "zxcvbn")


def console_is_on(settings: Settings) -> bool:
    """Whether the console is started beside the gateway.

    Raises:
        ConfigError: it was asked for, and lacks what it needs.
    """
    wanted = settings.console.enabled
    if wanted == "off":
        return False
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing and wanted == "on":
        raise ConfigError(
            [
                Problem(
                    "console.enabled",
                    f"the console needs {', '.join(missing)}",
                    "pip install 'seekroute[console]'",
                )
            ]
        )
    return not missing


def console_plan(
    settings: Settings,
    catalog: Catalog,
    environ: Mapping[str, str],
    snapshot: Mapping[str, Any],
    *,
    ledger: bool,
    mock: bool,
    models: ModelList,
    profiles: tuple[Profile, ...],
    example_model: str,
    warnings: tuple[str, ...],
) -> ConsolePlan:
    """Makes it. No key of a provider, nor the place of one, is in it."""
    from importlib.metadata import version

    served = Counter(
        candidate["provider"] for model in snapshot["models"] for candidate in model["candidates"]
    )
    usable = usable_providers(settings, catalog, environ)
    source = settings.source
    return ConsolePlan(
        data_dir=settings.data_dir,
        ledger=ledger,
        public_url=settings.console.public_url,
        log_level=settings.server.log_level,
        log_format=settings.server.log_format,
        model_list=models,
        profiles=profiles,
        example_model=example_model,
        providers=tuple(
            ShownProvider(
                id,
                provider.name or id,
                id in usable,
                served[id],
            )
            for id, provider in sorted(catalog.providers.items())
            if id in usable or served[id]
        ),
        mock=mock,
        config=(source.config or "") if source is not None else "",
        version=version("seekroute"),
        warnings=warnings,
    )
