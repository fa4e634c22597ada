"""Writes the tables of the pages in docs/ from the schema and the data.

Run `python -m seekroute.config.reference docs` after changing settings, providers or profiles.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from seekroute.config.catalog import (
    CatalogModel,
    Endpoint,
    Rates,
    Tier,
    Variant,
    packaged_catalog,
)
from seekroute.config.price_schema import UNITS
from seekroute.config.profile import PACKAGED_PROFILES, packaged_profile
from seekroute.config.settings import config_schema

__all__ = ["catalog_table", "profiles_table", "providers_table", "settings_table", "with_tables"]


def settings_table() -> str:
    """Every setting with its type, default and meaning, as a Markdown table."""
    schema = config_schema()
    rows = [
        f"| `{path}` | {kind} | {default} | {text} |"
        for path, kind, default, text in _walk(schema, schema, "")
    ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _walk(node: dict[str, Any], root: dict[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    for name, field in node.get("properties", {}).items():
        at = f"{path}.{name}" if path else name
        inner, suffix = _mapping_inside(field, root)
        if at == "models":  # catalog.md has a table of its own for these
            yield at, "list", "empty", _text(field)
        elif inner is None:
            default = "required" if name in node.get("required", ()) else _default(field)
            yield at, _kind(field, root), default, _text(field)
        else:
            if suffix:
                needed = "required" if name in node.get("required", ()) else "empty"
                yield at, "mapping" if suffix == ".<id>" else "list", needed, _text(field)
            yield from _walk(inner, root, at + suffix)


_CATALOG_PARTS: tuple[tuple[str, type, tuple[str, ...]], ...] = (
    ("", CatalogModel, ("endpoints",)),
    ("endpoints[].", Endpoint, ("price",)),
    ("endpoints[].price.", Rates, ()),
    # Tiers and variants have every price that a price has: said once.
    ("endpoints[].price.tiers[].", Tier, UNITS),
    ("endpoints[].price.variants[].", Variant, UNITS),
)


def catalog_table() -> str:
    """Every field of a model, its endpoints and their prices, as a Markdown table."""
    rows: list[str] = []
    for head, part, left_out in _CATALOG_PARTS:
        schema = TypeAdapter(part).json_schema()
        fields = {k: v for k, v in schema["properties"].items() if k not in left_out}
        rows += [
            f"| `{head}{path}` | {kind} | {default} | {text} |"
            for path, kind, default, text in _walk({**schema, "properties": fields}, schema, "")
        ]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _mapping_inside(
    field: dict[str, Any], root: dict[str, Any]
) -> tuple[dict[str, Any] | None, str]:
    """The schema of a nested mapping and how its path continues, or None for a plain value."""
    items, extra = field.get("items", {}), field.get("additionalProperties", {})
    patterns = field.get("patternProperties", {})
    candidates = [(field, ""), (items, "[]"), (extra, ".<id>")]
    candidates += [(pattern, ".<id>") for pattern in patterns.values()]
    for candidate, suffix in candidates:
        if isinstance(candidate, dict) and "$ref" in candidate:
            return _resolve(candidate, root), suffix
    return None, ""


def _resolve(node: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    found: dict[str, Any] = root["$defs"][node["$ref"].rpartition("/")[2]]
    return found


def _kind(field: dict[str, Any], root: dict[str, Any]) -> str:
    choices = [part for part in field.get("anyOf", [field]) if part.get("type") != "null"]
    field = _resolve(choices[0], root)
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    kind = str(field.get("type", "string"))
    if kind == "array":
        return f"list of {_kind(field.get('items', {}), root)}"
    if kind == "object":
        return "mapping"
    if field.get("format") == "password":
        return "secret string"
    if field.get("format"):
        return str(field["format"])
    low, high = field.get("minimum"), field.get("maximum")
    if low is not None and high is not None:
        return f"{kind}, {low:g} to {high:g}" if high < 1e6 else f"{kind}, {low} to {high}"
    if "exclusiveMinimum" in field:
        return f"{kind} above {field['exclusiveMinimum']}"
    return kind


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None or value == "" or value == [] or value == {}:
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return ", ".join(f"`{entry}`" for entry in value)
    return f"`{value}`"


def _text(field: dict[str, Any]) -> str:
    return " ".join(str(field.get("description", "")).split()).replace("|", "\\|")


def providers_table() -> str:
    """The packaged providers with base URL and key variables, as a Markdown table."""
    rows = [
        f"| `{name}` | {provider.name} | `{provider.base_url}` | "
        + ", ".join(f"`{variable}`" for variable in provider.env)
        + " |"
        for name, provider in packaged_catalog().providers.items()
    ]
    head = ["| id | name | base URL | key variables |", "|---|---|---|---|"]
    return "\n".join([*head, *rows])


def profiles_table() -> str:
    """What the packaged profiles set, as a Markdown table with one column each."""
    profiles = [packaged_profile(name) for name in PACKAGED_PROFILES]
    data = [profile.model_dump(mode="json") for profile in profiles]
    keys = [key for key in data[0] if key not in ("name", "description", "errors")]

    def cell(value: object) -> str:
        if isinstance(value, dict):
            inner = (f"{key}: {cell(part)}" for key, part in value.items() if part is not None)
            return ", ".join(inner) or "-"
        if isinstance(value, list):
            return " to ".join(f"{part:g}" for part in value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if value is None:  # of `upstream_cost` alone
            return "until a markup"
        return f"`{value}`" if isinstance(value, str) else str(value)

    lines = ["| | " + " | ".join(f"`{profile.name}`" for profile in profiles) + " |"]
    lines.append("|---" * (len(profiles) + 1) + "|")
    lines += [f"| `{key}` | " + " | ".join(cell(d[key]) for d in data) + " |" for key in keys]
    names = sorted({name for profile in profiles for name in profile.errors})
    for name in names:
        words = (
            p.errors[name].model_dump(exclude_none=True) if name in p.errors else {}
            for p in profiles
        )
        lines.append(f"| `errors.{name}` | " + " | ".join(cell(entry) for entry in words) + " |")
    return "\n".join(lines)


_TABLES: dict[str, Callable[[], str]] = {
    "catalog": catalog_table,
    "profiles": profiles_table,
    "providers": providers_table,
    "settings": settings_table,
}
_MARKED = re.compile(rf"(<!-- ({'|'.join(_TABLES)}):begin -->\n).*?(<!-- \2:end -->)", re.DOTALL)


def with_tables(text: str) -> str:
    """`text` with every marked table written anew."""
    return _MARKED.sub(lambda m: f"{m.group(1)}{_TABLES[m.group(2)]()}\n{m.group(3)}", text)


if __name__ == "__main__":
    for page in sorted(Path(sys.argv[1]).glob("*.md")):
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
