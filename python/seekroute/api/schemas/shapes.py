"""Short words for JSON Schema. `null=True`: null is as good. What else is given stands as it is."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

__all__ = [
    "AMOUNT",
    "NULL",
    "Schema",
    "array",
    "flag",
    "integer",
    "number",
    "record",
    "ref",
    "text",
]


def _typed(kind: str, null: bool, more: dict[str, Any]) -> Schema:
    return {"type": [kind, "null"] if null else kind, **more}


def text(*, null: bool = False, **more: Any) -> Schema:
    """A string."""
    return _typed("string", null, more)


def integer(*, null: bool = False, **more: Any) -> Schema:
    """A whole number."""
    return _typed("integer", null, more)


def number(*, null: bool = False, **more: Any) -> Schema:
    """Any number."""
    return _typed("number", null, more)


def flag(*, null: bool = False, **more: Any) -> Schema:
    """True or false."""
    return _typed("boolean", null, more)


def array(items: Schema, *, null: bool = False, **more: Any) -> Schema:
    """A list."""
    return {**_typed("array", null, more), "items": items}


def record(
    properties: dict[str, Schema],
    *,
    required: str = "",
    open: bool = False,
    others: Schema | None = None,
    null: bool = False,
    **more: Any,
) -> Schema:
    """An object.

    Args:
        properties: the members that are known.
        required: names of those that are always there, separated by spaces.
        open: whether others are to be expected.
        others: what those are like.
        null: as everywhere.
        more: as it stands.

    Example:
        >>> record({"id": text()}, required="id")
        {'type': 'object', 'required': ['id'], 'properties': {'id': {'type': 'string'}}}
    """
    made = _typed("object", null, more)
    if required:
        made["required"] = required.split()
    if properties:
        made["properties"] = properties
    if others is not None:
        made["additionalProperties"] = others
    elif open:
        made["additionalProperties"] = True
    return made


def ref(name: str) -> Schema:
    """A schema of this API, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


NULL: Final[Schema] = {"type": "null"}
AMOUNT: Final[Schema] = number(minimum=0)
"""Of USD."""
