"""The control plane: organizations, apps, API keys and orders to the ledger, in control.db.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> from seekroute.control import ControlPlane
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     with ControlPlane(Path(directory)) as control:
    ...         control.orgs.create("acme").name
    'acme'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seekroute.control.database import upgrade
    from seekroute.control.directory import InstanceLock
    from seekroute.control.errors import ControlError, DirectoryInUseError
    from seekroute.control.feed import ChangeBatch
    from seekroute.control.key_text import looks_valid, make_key
    from seekroute.control.plane import ControlPlane
    from seekroute.control.queries import CoreKey
    from seekroute.control.revisions import upgrade_is_due

__all__ = [
    "ChangeBatch",
    "ControlError",
    "ControlPlane",
    "CoreKey",
    "DirectoryInUseError",
    "InstanceLock",
    "looks_valid",
    "make_key",
    "upgrade",
    "upgrade_is_due",
]

# Loaded at their first use: SQLAlchemy is most of it, and not always needed.
_HOME_OF = {
    "ChangeBatch": "feed",
    "ControlError": "errors",
    "ControlPlane": "plane",
    "CoreKey": "queries",
    "DirectoryInUseError": "errors",
    "InstanceLock": "directory",
    "looks_valid": "key_text",
    "make_key": "key_text",
    "upgrade": "database",
    "upgrade_is_due": "revisions",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
