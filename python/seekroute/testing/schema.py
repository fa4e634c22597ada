"""An instance that satisfies a JSON schema, for tool arguments and structured output.

Honoured: type, enum, const, default, examples, properties, required, items, prefixItems, $ref
inside the document, allOf, anyOf and oneOf (first branch), and the bounds of numbers, strings
and arrays. Not honoured: pattern, not, if/then/else, dependencies, contains, uniqueItems.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

# A schema can describe far more than its own size; these bound the instance.
MAX_NODES = 5_000
MAX_DEPTH = 40
# Below this depth only what is required is built, so that recursive schemas end.
OPTIONAL_DEPTH = 6
MAX_ITEMS = 256
MAX_STRING = 4_096
MAX_REFS = 32

_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "user@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}


def instance_of(schema: Any) -> Any:
    """Build an instance of a JSON schema.

    Args:
        schema: the schema, as parsed JSON. Anything but an object allows any value.

    Returns:
        A JSON value; the same schema always gives the same one.

    Example::

        instance_of({"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}})
        # {"n": 3}
    """
    return _Builder(schema).build(schema, "value", 0)


class _Builder:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes = 0

    def build(self, schema: Any, name: str, depth: int) -> Any:
        self._nodes += 1
        if not isinstance(schema, Mapping) or self._nodes > MAX_NODES or depth > MAX_DEPTH:
            return {} if schema is True else None
        schema = self._resolve(schema, depth)
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return schema["enum"][0]
        if "default" in schema:
            return schema["default"]
        if isinstance(schema.get("examples"), list) and schema["examples"]:
            return schema["examples"][0]
        return self._build_type(self._type_of(schema, depth), schema, name, depth)

    def _resolve(self, schema: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
        """Follow references and fold allOf and the chosen branch into one schema."""
        for _ in range(MAX_REFS):
            if isinstance(schema.get("$ref"), str):
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = {**self._lookup(schema["$ref"]), **rest}
            elif isinstance(schema.get("allOf"), list):
                schema = _merge(schema, "allOf", schema["allOf"])
            elif branches := schema.get("anyOf") or schema.get("oneOf"):
                key = "anyOf" if schema.get("anyOf") else "oneOf"
                schema = _merge(schema, key, [self._branch(branches, depth)])
            else:
                break
        return schema

    def _branch(self, branches: Any, depth: int) -> Any:
        if not isinstance(branches, list):
            return {}
        if depth > OPTIONAL_DEPTH:  # the null branch ends a recursive schema
            for branch in branches:
                if isinstance(branch, Mapping) and branch.get("type") == "null":
                    return branch
        return branches[0]

    def _lookup(self, reference: str) -> Mapping[str, Any]:
        if not reference.startswith("#"):
            return {}
        target = self._root
        for part in reference[1:].split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(target, Mapping):
                target = target.get(key)
            elif isinstance(target, list) and key.isdigit() and int(key) < len(target):
                target = target[int(key)]
            else:
                return {}
        return target if isinstance(target, Mapping) else {}

    def _type_of(self, schema: Mapping[str, Any], depth: int) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            if depth > OPTIONAL_DEPTH and "null" in kind:
                return "null"
            kind = next((one for one in kind if one != "null"), "null")
        if isinstance(kind, str):
            return kind
        if "properties" in schema or "required" in schema:
            return "object"
        if "items" in schema or "prefixItems" in schema:
            return "array"
        if any(key in schema for key in ("minimum", "maximum", "multipleOf")):
            return "number"
        return "string"

    def _build_type(self, kind: str, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, name, depth)
        if kind in ("integer", "number"):
            return _number(schema, whole=kind == "integer")
        if kind == "boolean":
            return True
        if kind == "null":
            return None
        return _string(schema, name)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        required = schema.get("required")
        required = [key for key in required if isinstance(key, str)] if required else []
        names = list(properties) if depth < OPTIONAL_DEPTH else []
        names += [key for key in required if key not in names]
        additional = schema.get("additionalProperties", {})
        return {key: self.build(properties.get(key, additional), key, depth + 1) for key in names}

    def _array(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        prefix = schema.get("prefixItems")
        prefix = prefix if isinstance(prefix, list) else []
        least = _bound(schema, "minItems", 0)
        wanted = max(least, len(prefix) if prefix else int(depth < OPTIONAL_DEPTH))
        wanted = min(wanted, _bound(schema, "maxItems", MAX_ITEMS), MAX_ITEMS)
        items = schema.get("items", {"type": "string"})
        return [
            self.build(prefix[index] if index < len(prefix) else items, name, depth + 1)
            for index in range(wanted)
        ]


def _merge(schema: Mapping[str, Any], key: str, parts: list[Any]) -> Mapping[str, Any]:
    merged: dict[str, Any] = {name: value for name, value in schema.items() if name != key}
    for part in parts:
        if not isinstance(part, Mapping):
            continue
        for name, value in part.items():
            old = merged.get(name)
            if name == "properties" and isinstance(old, Mapping) and isinstance(value, Mapping):
                merged[name] = {**old, **value}
            elif name == "required" and isinstance(old, list) and isinstance(value, list):
                merged[name] = old + value
            else:
                merged[name] = value
    return merged


def _bound(schema: Mapping[str, Any], key: str, default: int) -> int:
    value = schema.get(key)
    return value if isinstance(value, int) and value >= 0 else default


def _string(schema: Mapping[str, Any], name: str) -> str:
    text = _FORMATS.get(str(schema.get("format")), name)
    least = min(_bound(schema, "minLength", 0), MAX_STRING)
    text = text.ljust(least, "x")
    return text[: max(_bound(schema, "maxLength", MAX_STRING), least)]


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    low = _limit(schema, "minimum", "exclusiveMinimum", whole, 1)
    high = _limit(schema, "maximum", "exclusiveMaximum", whole, -1)
    value: int | float = 1
    if low is not None and value < low:
        value = low
    if high is not None and value > high:
        value = high
    step = schema.get("multipleOf")
    if isinstance(step, (int, float)) and step > 0:
        value = math.ceil(value / step) * step
        if high is not None and value > high:
            value -= step
    if whole:
        return math.ceil(value)
    return value


def _limit(
    schema: Mapping[str, Any], inclusive: str, exclusive: str, whole: bool, inward: int
) -> int | float | None:
    value = schema.get(inclusive)
    other = schema.get(exclusive)
    if other is True:  # draft 4: a flag beside the inclusive bound
        other, value = value, None
    if isinstance(other, (int, float)) and not isinstance(other, bool):
        return other + inward * (1 if whole else 0.5)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return None
