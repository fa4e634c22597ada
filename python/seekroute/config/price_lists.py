"""From a public price list to an overlay: which list it is, what of it to take, the file to write.
Pure functions: the caller reads the file or the network."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

from seekroute.config.catalog import Catalog, CatalogModel, Price, Source, Variant
from seekroute.config.catalog_text import dump_models
from seekroute.config.importers import (
    Imported,
    Remark,
    from_genai_prices,
    from_litellm,
    from_models_dev,
    from_openrouter,
)
from seekroute.errors import ConfigError, Problem
from seekroute.wording import number_of

__all__ = [
    "LISTS",
    "Import",
    "ListName",
    "PriceList",
    "as_catalog",
    "guess_list",
    "overlay_text",
    "read_list",
    "source_name",
    "take",
]

ListName = Literal["models.dev", "litellm", "genai-prices", "openrouter"]


@dataclass(frozen=True, slots=True)
class PriceList:
    """A public price list."""

    title: str
    url: str
    """Where it is published, as a file that can be read here."""
    read: Callable[..., Imported]


LISTS: Mapping[ListName, PriceList] = {
    "models.dev": PriceList("models.dev", "https://models.dev/api.json", from_models_dev),
    "litellm": PriceList(
        "LiteLLM, model prices",
        "https://raw.githubusercontent.com/BerriAI/litellm/main/"
        "model_prices_and_context_window.json",
        from_litellm,
    ),
    "genai-prices": PriceList(
        "genai-prices",
        "https://raw.githubusercontent.com/pydantic/genai-prices/main/prices/data.json",
        from_genai_prices,
    ),
    "openrouter": PriceList(
        "OpenRouter, models", "https://openrouter.ai/api/v1/models", from_openrouter
    ),
}


def guess_list(text: str | bytes) -> ListName:
    """Which price list a text is, by its shape.

    Raises:
        ConfigError: None of them.

    Example:
        >>> guess_list('{"data": [{"id": "a/b", "pricing": {}}]}')
        'openrouter'
    """
    hint = f"say which one it is: --from {' | '.join(LISTS)}"
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError([Problem("", "not JSON, as all price lists are", hint)]) from None
    if isinstance(data, list):
        rows = [row for row in data if isinstance(row, dict)]
        if any("models" in row for row in rows):
            return "genai-prices"
        if any("pricing" in row for row in rows):
            return "openrouter"
    if isinstance(data, dict):
        if isinstance(data.get("data"), list):
            return "openrouter"
        rows = [row for row in data.values() if isinstance(row, dict)]
        if any("litellm_provider" in row for row in rows):
            return "litellm"
        if any(isinstance(row.get("models"), dict) for row in rows):
            return "models.dev"
    raise ConfigError([Problem("", "no price list that is known here", hint)])


def read_list(
    name: ListName,
    text: str | bytes,
    *,
    checked_on: date,
    catalog: Catalog,
    providers: Collection[str] | None = None,
) -> Imported:
    """Reads a price list, in the words of a catalog.

    Args:
        name: Which one it is.
        text: The file.
        checked_on: When it was fetched.
        catalog: Whose ids are used for endpoints that it has.
        providers: Ids of the providers to take; None for those of the catalog. Of the others, it
            is remarked how many rows there are.

    Raises:
        ConfigError: This is not that list.
    """
    found = LISTS[name].read(
        text,
        checked_on=checked_on,
        providers=providers,
        known=catalog,
        source=source_name(name),
    )
    if providers is None and not found.models and not found.skipped:
        hint = f"say which list it is: --from {' | '.join(LISTS)}"
        problem = f"there is no row of {LISTS[name].title} in it"
        raise ConfigError([Problem("", problem, hint)])
    known = catalog.providers
    foreign: Counter[str] = Counter()
    kept = []
    for model in found.models:
        endpoints = tuple(each for each in model.endpoints if each.provider in known)
        foreign.update(each.provider for each in model.endpoints if each.provider not in known)
        if endpoints:
            kept.append(
                model if endpoints == model.endpoints else replace(model, endpoints=endpoints)
            )
    found.models = kept
    for provider, number in foreign.items():
        described = found.providers.get(provider)
        url = described.base_url if described else "..."
        found.skipped.append(
            Remark(
                f"{provider}/*",
                f"{number_of(number, 'row')} of a provider that the catalog does not have; to take "
                "what it sells, add it to seekroute.yaml: "
                f"providers: {{{provider}: {{base_url: {url}}}}}",
            )
        )
    return found


def source_name(name: ListName) -> str:
    """The source that imported prices name; another than those of the packaged catalog."""
    return f"import-{name.replace('.', '-')}"


def as_catalog(name: ListName, found: Imported, catalog: Catalog, checked_on: date) -> Catalog:
    """A price list as a catalog of its own, to be compared with another."""
    return Catalog(catalog.providers, found.models, _sources(name, checked_on), catalog.markup)


@dataclass(slots=True)
class Import:
    """What is taken from a price list.

    Args:
        models: New and changed models, whole.
        added: Ids of those that the catalog does not have.
        unchanged: How many wanted models cost what the catalog says.
        skipped: Rows that were left out, each with a reason.
        notes: What was changed in rows that were taken, and what of ours was kept.
    """

    models: list[CatalogModel] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    unchanged: int = 0
    skipped: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)


def take(found: Imported, catalog: Catalog, patterns: Sequence[str] = ()) -> Import:
    """Merges a price list into a catalog.

    A model that the catalog has keeps its names and facts, its other endpoints and their order,
    and prices that the list does not give.
    One that costs what the catalog says is left out: an overlay would only hold on to it. So is a
    new one whose short name means another model, unless a pattern is exactly its id.

    Args:
        found: From `read_list`.
        catalog: What it is merged into.
        patterns: Ids to take, with `*`; a pattern without a slash is for the part behind it.
            Empty for all.
    """
    result = Import(skipped=[each for each in found.skipped if _concerns(each, patterns)])
    for model in found.models:
        if patterns and not any(_fits(model, pattern) for pattern in patterns):
            continue
        known = catalog.resolve(model.id)
        if known is None or known.id != model.id:
            meant = catalog.names.get(model.id) or catalog.names.get(model.slug)
            if meant is not None and model.id not in patterns:
                reason = f"{model.slug} would no longer mean {meant}; take it with --model"
                result.skipped.append(Remark(model.id, f"{reason} {model.id}"))
                continue
            result.added.append(model.id)
            result.models.append(model)
            continue
        if known.kind != model.kind:
            reason = f"{model.kind} model in one list, {known.kind} model in ours"
            result.skipped.append(Remark(model.id, reason))
            continue
        merged = _merged(known, model, result.notes)
        if merged == known:
            result.unchanged += 1
        else:
            result.models.append(merged)
    taken = {each.model for model in result.models for each in model.endpoints}
    # Remarks are by the list's own names: only those of rows that are taken are of interest.
    result.notes += [note for note in found.notes if note.row.partition("/")[2] in taken]
    return result


def _fits(model: CatalogModel, pattern: str) -> bool:
    return fnmatchcase(model.id if "/" in pattern else model.slug, pattern)


def _concerns(remark: Remark, patterns: Sequence[str]) -> bool:
    """Whether a remark is about rows that are wanted, as far as the list's own names tell."""
    row = remark.row
    names = (row, row.partition("/")[2], row.rpartition("/")[2])
    return (
        not patterns
        or row.endswith("/*")
        or any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
    )


def _merged(known: CatalogModel, new: CatalogModel, notes: list[Remark]) -> CatalogModel:
    endpoints = list(known.endpoints)
    places = {(each.provider, each.model): at for at, each in enumerate(endpoints)}
    for endpoint in new.endpoints:
        at = places.get((endpoint.provider, endpoint.model))
        if at is None:
            own = {
                name: value
                for name in ("context", "max_output")
                if (value := getattr(endpoint, name) or getattr(new, name)) is not None
                and value != getattr(known, name)
            }
            endpoints.append(replace(endpoint, **own))
            continue
        old = endpoints[at]
        if (old.price, old.free) == (endpoint.price, endpoint.free):
            continue
        price, kept = _kept(old.price, endpoint.price, endpoint.checked_on or date.max)
        if kept and not endpoint.free:
            row = f"{endpoint.provider}/{endpoint.model}"
            notes.append(Remark(row, f"kept {', '.join(kept)}, which the list does not give"))
        if not endpoint.free and not old.free and price == old.price:
            continue
        endpoints[at] = replace(
            old,
            price=endpoint.price if endpoint.free else price,
            free=endpoint.free,
            source=endpoint.source,
            checked_on=endpoint.checked_on,
            valid_from=endpoint.valid_from,
        )
    return replace(known, endpoints=tuple(endpoints))


def _kept(old: Price, new: Price, day: date) -> tuple[Price, list[str]]:
    """A new price with what only the old one says, and the names of that.

    That a list does not give a price does not mean that there is none: none of them has all. Only
    an old price that was to hold on that `day` without further conditions is what the list knows.
    """
    variants: Sequence[Variant] = new.variants or [
        each
        for each in old.variants
        if not (each.valid_until and each.valid_until <= day)
        and (each.service_tier or each.hours or (each.valid_from and each.valid_from > day))
    ]
    kept = {
        each.name: value
        for each in fields(Price)
        if each.name != "variants"
        and (value := getattr(old, each.name)) != each.default
        and getattr(new, each.name) == each.default
    }
    price = replace(new, variants=(), **kept)
    if price.tiers:  # then a variant has to say its own
        variants = [
            each if each.tiers is not None else replace(each, tiers=()) for each in variants
        ]
    names = [*kept, *(["variants"] if variants and not new.variants else [])]
    return replace(price, variants=tuple(variants)), names


def _sources(name: ListName, checked_on: date) -> dict[str, Source]:
    listed = LISTS[name]
    source = Source(
        title=listed.title, url=listed.url, checked_on=checked_on, valid_from=checked_on
    )
    return {source_name(name): source}


def overlay_text(
    name: ListName,
    models: Sequence[CatalogModel],
    *,
    catalog: Catalog,
    packaged: Iterable[str],
    checked_on: date,
) -> str:
    """The file for the setting `catalog_overlay` that adds these models.

    Args:
        name: The list they are from.
        models: From `take`.
        catalog: What they were merged into.
        packaged: Names of the sources that the packaged catalog has.
        checked_on: When the list was fetched.
    """
    import yaml

    sources = {**catalog.sources, **_sources(name, checked_on)}
    named = {each.source for model in models for each in model.endpoints if each.source}
    own = [each for each in sorted(named) if each not in set(packaged)]
    head = {"version": 1, "sources": {each: sources[each].model_dump() for each in own}}
    return (
        f"# {number_of(len(models), 'model')} with prices of {LISTS[name].title}, read on "
        f"{checked_on}.\n"
        + yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=99)
        + "\nmodels:\n"
        + dump_models(models)
    )
