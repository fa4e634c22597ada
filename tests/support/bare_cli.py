"""A shell in which nothing is configured, for tests of the command line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seekroute.config.catalog import packaged_catalog


def unconfigure(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No setting and no provider's key is in the environment; `folder` is the working directory."""
    providers = packaged_catalog().providers.values()
    keys = {variable for provider in providers for variable in provider.env}
    for name in list(os.environ):
        if name.startswith("SEEKROUTE_") or name in keys or name == "FORCE_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
