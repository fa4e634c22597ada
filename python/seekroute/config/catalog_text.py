"""Writes a catalog as YAML that reads back as the same catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from seekroute.config.catalog import Catalog
from seekroute.config.catalog_schema import CatalogModel, given
from seekroute.config.documents import plain_string
from seekroute.config.price_schema import UNITS

__all__ = ["dump_catalog", "dump_mapping", "dump_models"]

_WIDTH = 99
# Prices are read in this order: what goes in, what the cache does to it, what comes out.
_PRICE_ORDER = (
    "above",
    "service_tier",
    "hours",
    "valid_from",
    "valid_until",
    *("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"),
)


def dump_catalog(catalog: Catalog) -> str:
    """The catalog as YAML text; `load_catalog` of it is equal to `catalog`.

    Example:
        >>> from seekroute.config.catalog import load_catalog, packaged_catalog
        >>> load_catalog(dump_catalog(packaged_catalog())) == packaged_catalog()
        True
    """
    lines = ["version: 1"]
    if catalog.sources:
        lines.append("sources:")
    for name, source in catalog.sources.items():
        lines.append(f"  {_scalar(name)}:")
        lines += _block(source.model_dump(exclude_defaults=True), "    ")
    lines += ["", "providers:" if catalog.providers else "providers: {}"]
    for name, provider in catalog.providers.items():
        lines.append(f"  {_scalar(name)}:")
        lines += _block(provider.model_dump(exclude_defaults=True), "    ")
    markup = given(catalog.markup)
    if markup := {key: value for key, value in markup.items() if value}:
        lines += ["", "markup:", *_block(markup, "  ")]
    lines += ["", "models:" if catalog.models else "models: []"]
    return "\n".join(lines) + "\n" + dump_models(catalog.models)


def dump_mapping(row: Mapping[str, Any]) -> str:
    """A mapping as YAML text: of mappings, lists of scalars, and scalars."""
    return "".join(line + "\n" for line in _block(row, ""))


def dump_models(models: Iterable[CatalogModel]) -> str:
    """The models as the entries of a YAML list, indented by two."""
    lines: list[str] = []
    for model in models:
        row = given(model)
        endpoints = row.pop("endpoints", [])
        inner = _block(row, "    ")
        lines += ["  - " + inner[0].strip(), *inner[1:]]
        lines.append("    endpoints:" if endpoints else "    endpoints: []")
        for endpoint in endpoints:
            lines += _flow(_ordered_endpoint(endpoint), "      - ")
    return "".join(line + "\n" for line in lines)


def _ordered_endpoint(row: dict[str, Any]) -> dict[str, Any]:
    price = row.pop("price", None)
    return row | ({"price": _ordered_price(price)} if price else {})


def _ordered_price(price: dict[str, Any]) -> dict[str, Any]:
    order = (*_PRICE_ORDER, *UNITS)
    row = {key: price[key] for key in dict.fromkeys(order) if key in price}
    for key in ("tiers", "variants"):
        if key in price:
            row[key] = [_ordered_price(entry) for entry in price[key]]
    return row


def _block(row: Mapping[str, Any], indent: str) -> list[str]:
    lines: list[str] = []
    for key, value in row.items():
        head = f"{indent}{_scalar(key)}:"
        if isinstance(value, dict):
            lines += [head, *_block(value, indent + "  ")]
        elif isinstance(value, list | tuple):
            short = f"{head} [{', '.join(map(_scalar, value))}]"
            long = [head, *(f"{indent}  - {_scalar(entry)}" for entry in value)]
            lines += [short] if len(short) <= _WIDTH else long
        else:
            lines.append(f"{head} {_scalar(value)}")
    return lines


def _flow(value: Any, head: str, closers: int = 0) -> list[str]:
    """`value` in braces, broken before a key where a line would be too long.

    Args:
        value: A mapping, a list or a scalar.
        head: What stands before it on its first line.
        closers: How many characters will follow its last line.
    """
    line = head + "".join(_tokens(value))
    if len(line) + closers <= _WIDTH or not isinstance(value, dict | list):
        return [line]
    indent = " " * (len(head) + 1)
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    entries = list(value.items()) if isinstance(value, dict) else [(None, v) for v in value]
    lines, current = [], head + opening
    for number, (key, entry) in enumerate(entries):
        end = closing if number == len(entries) - 1 else ","
        label = f"{_scalar(key)}: " if key is not None else ""
        text = label + "".join(_tokens(entry)) + end
        start = "" if current.endswith(opening) and number == 0 else " "
        after = closers if end == closing else 0
        if len(current + start + text) + after <= _WIDTH and not (key == "price" and number):
            current += start + text
            continue
        if number:
            lines.append(current)
            current = indent
        pieces = _flow(entry, current + label, after + 1)
        lines += pieces[:-1]
        current = pieces[-1] + end
    return [*lines, current]


def _tokens(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        inner = (f"{_scalar(k)}: {''.join(_tokens(v))}" for k, v in value.items())
        yield "{" + ", ".join(inner) + "}"
    elif isinstance(value, list | tuple):
        yield "[" + ", ".join("".join(_tokens(entry)) for entry in value) + "]"
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | date):
        return str(value)
    if isinstance(value, float):
        # YAML 1.1 takes 1e-07, as Python writes it, for a string.
        return str(int(value)) if value.is_integer() else f"{Decimal(repr(value)):f}"
    if value is None:
        return "null"
    return plain_string(value) or _quoted(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    # What YAML may not hold as it is: control characters, line breaks of every kind, marks.
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'
