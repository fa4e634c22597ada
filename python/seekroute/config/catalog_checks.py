"""What is wrong between the rows of a model list, beyond the shape of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from seekroute.config.price_schema import UNITS
from seekroute.config.schema import did_you_mean, provider_hint
from seekroute.errors import Problem

AUTO_NAMES = ("auto", "seekroute/auto", "openrouter/auto")
# By these an endpoint is known across restarts, and told from another one of its provider:
# its keys, and what each means where it is left out.
_OFFER = {"provider": "", "model": "", "region": "", "quantization": "unknown"}
_TEXT_PRICES = ("input", "output")
# What is charged is what is read: vectors are not counted in tokens.
_EMBEDDING_PRICES = ("input",)


def check_rows(
    rows: object,
    providers: Collection[str],
    sources: Collection[str],
    where: Callable[[str], str] = lambda path: "",
) -> list[Problem]:
    """What is wrong between the rows of a model list, and of each beyond its shape.

    Works on the raw data, so that one malformed row does not hide what is wrong with the others.

    Args:
        rows: The value of `models` as it was read; parts of another shape are passed over, as
            they are problems of their own.
        providers: Ids of all providers.
        sources: Names of all sources.
        where: Gives file and line of a path.
    """
    problems: list[Problem] = []
    ids: dict[str, int] = {}
    aliases: dict[str, str] = {}
    limits: dict[tuple[str, ...], tuple[object, str]] = {}  # of offers, and where they are

    def add(at: str, message: str, hint: str = "") -> None:
        problems.append(Problem(at, message, hint, where(at)))

    entries = [(i, row) for i, row in enumerate(_list(rows)) if isinstance(row, dict)]
    for index, row in entries:
        model_id = row.get("id")
        if not isinstance(model_id, str):
            continue
        if model_id in ids:
            add(f"models.{index}.id", f"{model_id!r} is already the id of models.{ids[model_id]}")
        if model_id in AUTO_NAMES:
            add(f"models.{index}.id", f"{model_id!r} is reserved for automatic routing")
        ids.setdefault(model_id, index)
    for index, row in entries:
        for number, alias in enumerate(_list(row.get("aliases"))):
            if not isinstance(alias, str):
                continue
            at = f"models.{index}.aliases.{number}"
            if alias in ids:
                add(at, f"{alias!r} is already the id of models.{ids[alias]}")
            elif alias in AUTO_NAMES:
                add(at, f"{alias!r} is reserved for automatic routing")
            elif alias in aliases:
                add(at, f"{alias!r} is already an alias of {aliases[alias]}")
            aliases.setdefault(alias, f"models.{index}")
        if row.get("endpoints") in ([], ()):
            add(f"models.{index}.endpoints", "expected at least one endpoint")
        output = _list(row.get("output"))
        needed: tuple[str, ...] = _TEXT_PRICES
        if "embedding" in output:
            needed = _EMBEDDING_PRICES
        elif "image" in output and "text" not in output:
            needed = ("per_image",)
        seen: dict[tuple[str, ...], int] = {}
        for number, endpoint in enumerate(_list(row.get("endpoints"))):
            if isinstance(endpoint, dict):
                offer = tuple(str(endpoint.get(k) or unsaid) for k, unsaid in _OFFER.items())
                if offer in seen:
                    add(
                        f"models.{index}.endpoints.{number}",
                        f"it is the same offer as models.{index}.endpoints.{seen[offer]}",
                        "give it another region or quantization, or remove it",
                    )
                seen.setdefault(offer, number)
                at = f"models.{index}.endpoints.{number}"
                if own := endpoint.get("limits"):
                    other, place = limits.setdefault(offer, (own, at))
                    if own != other:
                        add(f"{at}.limits", f"the same offer has other limits at {place}", "")
                free = True in (row.get("free"), endpoint.get("free"))
                _check_endpoint(endpoint, at, needed, free, providers, sources, add)
    return problems


def _check_endpoint(
    endpoint: dict[str, Any],
    at: str,
    needed: Sequence[str],
    free: bool,
    providers: Collection[str],
    sources: Collection[str],
    add: Callable[[str, str, str], None],
) -> None:
    provider, source = endpoint.get("provider"), endpoint.get("source")
    if isinstance(provider, str) and provider not in providers:
        hint = provider_hint(provider, providers)
        add(f"{at}.provider", "no provider of this name", hint)
    if isinstance(source, str) and source and source not in sources:
        add(f"{at}.source", "no source of this name", did_you_mean(source, sources))
    price = endpoint.get("price")
    if price is None and not free:
        add(f"{at}.price", "this key is required", "or write free: true")
    if not isinstance(price, dict):
        return
    if free:
        for path, unit in _charges(price):
            add(f"{at}.price.{path}{unit}", "a free endpoint charges something", "remove one")
        return
    for name in needed:
        if price.get(name) is None:
            hint = "write free: true when it costs nothing"
            add(f"{at}.price.{name}", "this price is required", hint)


def _charges(price: dict[str, Any]) -> list[tuple[str, str]]:
    """Paths of all prices that are not plainly zero."""
    inner: list[tuple[str, Any]] = [("", price)]
    for part in ("tiers", "variants"):
        for number, entry in enumerate(_list(price.get(part))):
            inner.append((f"{part}.{number}.", entry))
    return [
        (path, unit)
        for path, entry in inner
        if isinstance(entry, dict)
        for unit in UNITS
        if entry.get(unit) is not None and str(entry[unit]).strip("0") not in ("", ".")
    ]


def _list(value: object) -> Sequence[Any]:
    return list(value) if isinstance(value, list | tuple) else ()
