"""What the tests of the control plane share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seekroute.control import ControlPlane

NOW = 1_800_000_000
SR = {"profile": "seekroute", "prefix": "sk-sr-"}


def open_control(directory: Path, **options: Any) -> ControlPlane:
    options.setdefault("environ", {})
    options.setdefault("clock", lambda: NOW + 0.9)
    return ControlPlane(directory, **options)


def add_key(control: ControlPlane, org: str = "acme", **options: Any) -> tuple[Any, str]:
    if org not in {row.name for row in control.orgs.list()}:
        control.orgs.create(org)
    return control.keys.create(org, **{"name": "ci", **SR, **options})
