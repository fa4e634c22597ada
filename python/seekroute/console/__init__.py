"""The console's process: accounts, organizations, keys and logs, for browsers and programs.

`seekroute serve` starts it beside the gateway (`seekroute.server.console`), which forwards a fixed
list of paths to it. It never sees a provider's key, and books no money: it gives orders, as
commands do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seekroute.console.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.app"), name)
