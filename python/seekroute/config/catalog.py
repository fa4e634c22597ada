"""The catalog: providers, models and their prices, as one validated, immutable table."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.resources
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seekroute.config.catalog_checks import AUTO_NAMES, check_rows
from seekroute.config.catalog_schema import (
    SERVED_DIALECTS,
    CatalogFile,
    CatalogModel,
    Dialect,
    Endpoint,
    Markup,
    Provider,
    Source,
    given,
)
from seekroute.config.documents import NotPlain, parse_document, parse_plain
from seekroute.config.price_schema import Price, Rates, Tier, Variant
from seekroute.config.schema import problems_of
from seekroute.errors import ConfigError, Problem

__all__ = [
    "AUTO_NAMES",
    "MOCK_PROVIDER",
    "Catalog",
    "CatalogModel",
    "Endpoint",
    "Markup",
    "Price",
    "Provider",
    "Rates",
    "Source",
    "Tier",
    "Variant",
    "check_rows",
    "load_catalog",
    "packaged_catalog",
]

MOCK_PROVIDER = "mock"


class Catalog:
    """Providers and models with every accepted name resolved. Immutable.

    Example:
        >>> packaged_catalog().resolve("deepseek-chat").id
        'deepseek/deepseek-chat'
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        models: Sequence[CatalogModel],
        sources: Mapping[str, Source],
        markup: Markup | None = None,
    ) -> None:
        self.providers = dict(providers)
        self.models = tuple(models)
        self.sources = dict(sources)
        self.markup = markup or Markup()
        self.names = _names_of(self.models)
        self._by_id = {model.id: model for model in self.models}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Catalog):
            return NotImplemented
        return (
            self.providers == other.providers
            and list(self.providers) == list(other.providers)
            and self.models == other.models
            and self.sources == other.sources
            and self.markup == other.markup
        )

    __hash__ = None  # type: ignore[assignment]

    def get(self, model_id: str) -> CatalogModel:
        """The model with exactly this id; KeyError when there is none."""
        return self._by_id[model_id]

    def resolve(self, name: str) -> CatalogModel | None:
        """The model that `name` (full id, slug or alias) means, or None."""
        model_id = self.names.get(name)
        return self._by_id[model_id] if model_id else None

    def is_served(self, endpoint: Endpoint) -> bool:
        """Whether the gateway speaks the endpoint's protocol."""
        return self.dialect_of(endpoint) in SERVED_DIALECTS

    def dialect_of(self, endpoint: Endpoint) -> Dialect:
        """The endpoint's protocol: its own word, else its provider's."""
        return endpoint.dialect or self.providers[endpoint.provider].dialect

    def extended(
        self, providers: Mapping[str, Provider], models: Sequence[CatalogModel]
    ) -> Catalog:
        """This catalog with an operator's providers and models; theirs come first, and an id or
        alias of theirs replaces the packaged model or alias of that name.

        Raises:
            ConfigError: Unknown provider, id or alias given twice, price missing.
        """
        merged = {**self.providers, **providers}
        problems = check_rows([given(model) for model in models], merged, self.sources)
        if problems:
            raise ConfigError(problems)
        taken = {model.id for model in models} | {a for m in models for a in m.aliases}
        rest: list[CatalogModel] = []
        for model in self.models:
            if model.id in taken:
                continue
            aliases = tuple(alias for alias in model.aliases if alias not in taken)
            if aliases != model.aliases:
                model = dataclasses.replace(model, aliases=aliases)
            rest.append(model)
        return Catalog(merged, [*models, *rest], self.sources, self.markup)


def _spellings(model: CatalogModel) -> list[str]:
    """The model's aliases, each also under the model's author."""
    result = list(model.aliases)
    result += [f"{model.author}/{alias}" for alias in model.aliases if "/" not in alias]
    return result


def _names_of(models: Sequence[CatalogModel]) -> dict[str, str]:
    """Every accepted spelling -> id. A full id means itself; of slugs and aliases that collide,
    the first model in the list has its way."""
    names = {model.id: model.id for model in models}
    for model in models:
        for spelling in (*_spellings(model), model.slug):
            names.setdefault(spelling, model.id)
    return names


def load_catalog(source: Path | str, *, name: str = "catalog.yaml") -> Catalog:
    """Reads and checks a catalog.

    Args:
        source: A file, or the text of one.
        name: Shown in problems when `source` is a text.

    Raises:
        ConfigError: With everything that is wrong.
    """
    if isinstance(source, Path):
        name = str(source)
        source = source.read_text(encoding="utf-8")
    parsed: CatalogFile | None = None
    with contextlib.suppress(NotPlain):
        # Quick, but without positions, which only problems need. All checks are the same.
        parsed, _ = _validated(parse_plain(source), lambda path: "")
    if parsed is None:
        document = parse_document(source, name=name)
        parsed, problems = _validated(document.data, document.where)
        if parsed is None:
            raise ConfigError(problems)
    return Catalog(parsed.providers, parsed.models, parsed.sources, parsed.markup)


def _validated(data: Any, where: Callable[[str], str]) -> tuple[CatalogFile | None, list[Problem]]:
    """The file that `data` is, or None and its problems."""
    data = data if isinstance(data, dict) else {}
    problems: list[Problem] = []
    parsed: CatalogFile | None = None
    try:
        parsed = CatalogFile.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error, CatalogFile, where=where)
    providers, sources = data.get("providers"), data.get("sources")
    known = providers if isinstance(providers, dict) else {}
    listed = sources if isinstance(sources, dict) else {}
    problems += check_rows(data.get("models"), known, listed, where)
    if MOCK_PROVIDER in known:
        at = f"providers.{MOCK_PROVIDER}"
        problems.append(Problem(at, "this name is reserved", where=where(at)))
    return (None if problems else parsed), problems


@functools.cache
def packaged_catalog() -> Catalog:
    """The catalog that comes with seekroute; read once."""
    file = importlib.resources.files("seekroute") / "data" / "catalog.yaml"
    return load_catalog(file.read_text(encoding="utf-8"), name="seekroute/data/catalog.yaml")
