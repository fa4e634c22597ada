"""The published description of the HTTP API."""

from __future__ import annotations

import functools
import importlib.resources
from typing import Any


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document, without `servers`. Not to be changed by the caller.

    Example:
        >>> document()["openapi"]
        '3.1.0'
    """
    import yaml

    text = (importlib.resources.files("seekroute.server") / "openapi.yaml").read_text("utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded
