"""What the console's process may know of a configuration."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Collection
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from seekroute.errors import ConfigError, Problem
from seekroute.plan import ConsolePlan, ShownProvider

if TYPE_CHECKING:
    from seekroute.config.catalog import Catalog
    from seekroute.config.settings import Settings
    from seekroute.plan import Plan

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
    plan: Plan, settings: Settings, catalog: Catalog, usable: Collection[str]
) -> ConsolePlan:
    """Makes it of the whole plan. No key of a provider, nor the place of one, is in it.

    Args:
        plan: of the server.
        settings: that it was made of.
        catalog: with the names of providers.
        usable: ids of the providers that can be called.
    """
    served = Counter(
        candidate["provider"]
        for model in plan.snapshot["models"]
        for candidate in model["candidates"]
    )
    return ConsolePlan(
        data_dir=plan.data_dir,
        ledger=plan.ledger,
        public_url=settings.console.public_url,
        log_level=plan.server.log_level,
        log_format=plan.server.log_format,
        model_list=plan.model_list,
        profiles=plan.profiles,
        example_model=plan.example_model,
        providers=tuple(
            ShownProvider(id, provider.name or id, id in usable, served[id])
            for id, provider in sorted(catalog.providers.items())
            if id in usable or served[id]
        ),
        mock=plan.mock,
        config=(plan.source.config or "") if plan.source is not None else "",
        version=version("seekroute"),
        warnings=plan.warnings,
    )
