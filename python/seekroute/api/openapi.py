"""The published description of the HTTP API: a file of the package."""

from __future__ import annotations

import functools
import importlib.resources
import json
from typing import Any

__all__ = ["document"]


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document, without `servers`. Not to be changed by the caller.

    Example:
        >>> document()["openapi"]
        '3.1.0'
    """
    text = (importlib.resources.files("seekroute.api") / "openapi.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
