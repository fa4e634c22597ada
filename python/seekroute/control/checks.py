"""What a name, an expiry and a model allow-list must look like. Each check returns the value."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from seekroute.control.errors import ControlError

_MAX_NAME = 200  # characters
_MAX_MODELS = 1000
_MAX_EXPIRY = 253_402_300_799  # the last second of the year 9999: every formatter can print it


def name(value: str, *, of: str) -> str:
    """A name is stored and shown literally, so only what can break a line or a terminal is bad."""
    value = value.strip()
    if not value:
        raise ControlError(f"the name of the {of} is empty")
    if len(value) > _MAX_NAME:
        raise ControlError(
            f"the name of the {of} has {len(value)} characters, more than {_MAX_NAME}"
        )
    if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in value):
        raise ControlError(f"the name of the {of} has control characters: leave them out")
    return value


def expiry(value: int | None, now: int) -> int | None:
    """Unix seconds in the future, or None for never."""
    if value is not None and value <= now:
        raise ControlError("the expiry is not in the future")
    if value is not None and value > _MAX_EXPIRY:
        raise ControlError("the expiry is after the year 9999")
    return value


def models(values: Sequence[str] | None) -> list[str] | None:
    """Model ids and `author/*` patterns without repeats, or None for all models."""
    if values is None:
        return None
    found = list(dict.fromkeys(values))
    if not 0 < len(found) <= _MAX_MODELS:
        raise ControlError(
            f"a key allows 1 to {_MAX_MODELS} models, found {len(found)}: leave the list out "
            "to allow all"
        )
    for model in found:
        stem = model.removesuffix("/*")
        if not stem.isascii() or not stem.isprintable() or len(model) > _MAX_NAME:
            raise ControlError("a model id has 1 to 200 printable ASCII characters")
        if not stem or "*" in stem or " " in stem:
            raise ControlError(
                f"{model!r} is not a model id like 'deepseek/deepseek-chat' or a pattern like "
                "'deepseek/*'"
            )
    return found
