"""The control plane: organizations, apps and API keys, in control.db.

Example:
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     with ControlPlane(Path(directory)) as control:
    ...         control.create_org("acme").name
    'acme'
"""

from __future__ import annotations

from seekroute.control.directory import InstanceLock
from seekroute.control.errors import ControlError
from seekroute.control.keys import looks_valid, make_key
from seekroute.control.service import ChangeBatch, ControlPlane

__all__ = [
    "ChangeBatch",
    "ControlError",
    "ControlPlane",
    "InstanceLock",
    "looks_valid",
    "make_key",
]
