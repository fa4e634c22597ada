"""What names, expiries, allow-lists and orders must look like. Each check returns the value."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from seekroute.control.errors import ControlError
from seekroute.control.models import AUTO_STRATEGIES, LIMIT_RESETS

_MAX_NAME = 200  # characters
_MAX_NOTE = 500  # characters
_MOST_NANO = 10**18  # a billion USD: a bound on sense
# Categories of characters that can break a line or a terminal.
_BREAKING = frozenset({"Cc", "Cs", "Zl", "Zp"})
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
    if any(unicodedata.category(char) in _BREAKING for char in value):
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


def credit(value: int | None, *, of: str) -> int | None:
    """Nano-USD of a credit line or a limit, 0 to a billion USD; None: unlimited."""
    if value is not None and not 0 <= value <= _MOST_NANO:
        raise ControlError(f"the {of} is not between 0 and a billion USD")
    return value


def limit_reset(value: str) -> str:
    """When a key's limit starts anew."""
    if value not in LIMIT_RESETS:
        raise ControlError(f"a limit resets {', '.join(LIMIT_RESETS)}; found {value!r}")
    return value


def auto_strategy(value: str | None) -> str | None:
    """How requests for `auto` choose; None: as the settings say."""
    if value is not None and value not in AUTO_STRATEGIES:
        raise ControlError(f"a strategy is one of {', '.join(AUTO_STRATEGIES)}; found {value!r}")
    return value


def note(value: str, *, needed: bool) -> str:
    """Why an order is given: stays in the journal, on one line."""
    value = value.strip()
    if needed and not value:
        raise ControlError("the note is empty: say why")
    if len(value) > _MAX_NOTE:
        raise ControlError(f"the note has {len(value)} characters, more than {_MAX_NOTE}")
    if any(unicodedata.category(char) in _BREAKING for char in value):
        raise ControlError("the note has control characters: leave them out")
    return value


def order_id(value: str) -> str:
    """What makes an order happen once."""
    if not 0 < len(value) <= _MAX_NAME or not value.isascii() or not value.isprintable():
        raise ControlError(f"the id of an order has 1 to {_MAX_NAME} printable ASCII characters")
    return value


def amount(value: int | None, *, negative_too: bool) -> int:
    """Nano-USD of an order."""
    if value is None or value == 0:
        raise ControlError("the amount is 0: nothing would be booked")
    if value < 0 and not negative_too:
        raise ControlError(
            "the amount is negative: only an adjustment takes credit away "
            "(seekroute credits adjust)"
        )
    if abs(value) > _MOST_NANO:
        raise ControlError("the amount is more than a billion USD")
    return value
