"""An operator's changes to the catalog: added, changed and hidden models, and markups."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from seekroute.config.catalog import Catalog
from seekroute.config.catalog_checks import check_rows
from seekroute.config.catalog_schema import CatalogModel, Markup, Provider, Source, given
from seekroute.config.documents import Document, read_document
from seekroute.config.schema import Strict, did_you_mean, problems_of, provider_hint
from seekroute.errors import ConfigError, Problem

__all__ = ["Overlay", "OverlayFile", "apply_overlay", "load_overlay"]


class OverlayFile(Strict):
    """The file that the setting `catalog_overlay` names."""

    version: Literal[1] = 1
    """Version of this format."""
    sources: dict[str, Source] = Field(default_factory=dict)
    """Where prices come from, by name."""
    models: tuple[CatalogModel, ...] = ()
    """Added models; one with an id of the catalog replaces it."""
    change: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Fields to change, by model id. `endpoints` takes a mapping by provider, of which prices are
    changed one by one; null takes a field back to its default, or an endpoint away."""
    hide: tuple[str, ...] = ()
    """Ids and patterns (`openai/*`) of models that nobody is to see or use."""
    markup: Markup = Markup()
    """What is added to the providers' prices."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A file that was read, not yet applied.

    Args:
        document: The parsed file.
    """

    document: Document


def load_overlay(file: Path) -> Overlay:
    """Reads the file; see `apply_overlay` for its checks.

    Raises:
        ConfigError: It cannot be read or is not YAML, JSON or TOML.
    """
    return Overlay(read_document(file))


def apply_overlay(
    base: Catalog, overlay: Overlay, providers: Mapping[str, Provider] | None = None
) -> Catalog:
    """The catalog as an operator changed it.

    Args:
        base: What is changed.
        overlay: From `load_overlay`.
        providers: Further providers that its models may name.

    Raises:
        ConfigError: Everything that is wrong with the file, each with its line.
    """
    if providers:
        base = base.extended(providers, ())
    document, problems = overlay.document, list[Problem]()
    parsed: OverlayFile | None = None
    try:
        parsed = OverlayFile.model_validate(document.data)
    except ValidationError as error:
        problems += problems_of(error, OverlayFile, where=document.where)
    changed, found = _changes(base, document)
    problems += found
    problems += _check(base, document, changed)
    # A value that is already a problem is not reported again for what it therefore fails to be.
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.path, problem)
    if first or parsed is None:
        raise ConfigError(list(first.values()))
    return _merged(base, parsed, {row["id"]: _models().validate_python(row) for row in changed})


@functools.cache
def _models() -> TypeAdapter[CatalogModel]:
    """Made when an overlay is there: it takes as long as importing half of the package."""
    return TypeAdapter(CatalogModel)


def _merged(base: Catalog, file: OverlayFile, changed: Mapping[str, CatalogModel]) -> Catalog:
    new = {model.id for model in file.models}
    # A name that the file gives to a model is taken from the model that had it.
    named = {alias for model in file.models for alias in model.aliases}
    for model in changed.values():
        named |= set(model.aliases) - set(base.get(model.id).aliases)
    models = list(file.models)
    for model in base.models:
        if model.id in new | named or _hidden(model.id, file.hide):
            continue
        model = changed.get(model.id, model)
        own = base.get(model.id).aliases
        kept = tuple(a for a in model.aliases if a not in named or a not in own)
        models.append(model if kept == model.aliases else replace(model, aliases=kept))
    return Catalog(base.providers, models, {**base.sources, **file.sources}, file.markup)


def _hidden(model_id: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(model_id, pattern) for pattern in patterns)


def _changes(base: Catalog, document: Document) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The rows of changed models, whole, and what is wrong with the changes as such."""
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    change = document.data.get("change")
    known = {model.id: model for model in base.models}

    def add(at: str, message: str, hint: str = "") -> None:
        problems.append(Problem(at, message, hint, document.where(at)))

    for model_id, fields in change.items() if isinstance(change, dict) else ():
        at = f"change.{model_id}"
        if model_id not in known:
            meant = base.resolve(str(model_id))
            hint = f"write {meant.id}" if meant else did_you_mean(str(model_id), known)
            add(at, "no model of this id in the catalog", hint or "new models go under models")
        elif isinstance(fields, dict):
            if "id" in fields:
                add(f"{at}.id", "an id cannot be changed", "add an alias instead")
            rows.append(_patched(known[model_id], {**fields, "id": model_id}, at, add))
    return rows, problems


def _patched(
    model: CatalogModel, fields: dict[str, Any], at: str, add: Callable[..., None]
) -> dict[str, Any]:
    row = given(model)
    for key, value in fields.items():
        if value is None:
            row.pop(key, None)
        elif key == "endpoints" and isinstance(value, dict):
            row[key] = _endpoints(row[key], value, f"{at}.endpoints", add)
        else:
            row[key] = value
    return row


def _endpoints(
    rows: list[dict[str, Any]], changes: dict[str, Any], at: str, add: Callable[..., None]
) -> list[dict[str, Any]]:
    rows = list(rows)
    for provider, fields in changes.items():
        mine = [number for number, row in enumerate(rows) if row["provider"] == provider]
        if len(mine) > 1:
            hint = "give endpoints as a list, which replaces them all"
            add(f"{at}.{provider}", "the model has several endpoints at this provider", hint)
        elif fields is None and mine:
            del rows[mine[0]]
        elif fields is None:
            add(f"{at}.{provider}", "the model has no endpoint at this provider")
        elif not isinstance(fields, dict):
            add(f"{at}.{provider}", "expected a mapping")
        elif mine:
            rows[mine[0]] = _endpoint(rows[mine[0]], fields)
        else:
            rows.append({"provider": provider, **_given(fields)})
    return rows


def _endpoint(row: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    merged = {**row, **fields}
    prices = fields.get("price")
    if isinstance(prices, dict):
        merged["price"] = _given({**row.get("price", {}), **prices})
        # Where a price came from is no longer true of another price.
        for key in ("source", "checked_on", "valid_from"):
            if key not in fields:
                merged.pop(key, None)
    return _given(merged)


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _check(base: Catalog, document: Document, changed: Sequence[dict[str, Any]]) -> list[Problem]:
    """What is wrong between the parts of the file, the changed models included."""
    data, problems = document.data, list[Problem]()

    def add(at: str, message: str, hint: str = "") -> None:
        problems.append(Problem(at, message, hint, document.where(at)))

    own = data.get("models")
    own = own if isinstance(own, list | tuple) else ()
    listed = data.get("sources")
    sources = {*base.sources, *(listed if isinstance(listed, dict) else ())}
    for problem in check_rows([*own, *changed], base.providers, sources):
        at = _placed(problem.path, len(own), changed, data)
        problems.append(Problem(at, problem.message, problem.hint, document.where(at)))
    for number, row in enumerate(changed):
        try:
            _models().validate_python(row)
        except ValidationError as error:
            for problem in problems_of(error, CatalogModel, prefix=f"models.{number}"):
                at = _placed(problem.path, 0, changed, data)
                place = document.where(at)
                problems.append(Problem(at, problem.message, problem.hint, place))
    ids = [model.id for model in base.models]
    hide = data.get("hide")
    for number, pattern in enumerate(hide if isinstance(hide, list | tuple) else ()):
        if isinstance(pattern, str) and not any(fnmatchcase(i, pattern) for i in ids):
            add(f"hide.{number}", "no model of the catalog matches", did_you_mean(pattern, ids))
        for row in changed:
            if isinstance(pattern, str) and fnmatchcase(row["id"], pattern):
                add(f"change.{row['id']}", f"this model is hidden by hide.{number}", "remove one")
    markup = data.get("markup")
    markup = markup if isinstance(markup, dict) else {}
    ids += [row["id"] for row in own if isinstance(row, dict) and isinstance(row.get("id"), str)]
    for name in _keys(markup.get("providers")):
        if name not in base.providers:
            hint = provider_hint(name, base.providers)
            add(f"markup.providers.{name}", "no provider of this name", hint)
    for pattern in _keys(markup.get("models")):
        if not any(fnmatchcase(i, pattern) for i in ids):
            hint = did_you_mean(pattern, ids)
            add(f"markup.models.{pattern}", "no model of the catalog matches", hint)
    return problems


def _keys(value: object) -> list[str]:
    return [key for key in value if isinstance(key, str)] if isinstance(value, dict) else []


def _placed(path: str, own: int, changed: Sequence[dict[str, Any]], data: Mapping[str, Any]) -> str:
    """Where in the file the value is that stands at `path` of the rows that were checked."""
    _, number, *rest = path.split(".")
    if int(number) < own:
        return path
    row = changed[int(number) - own]
    change = data["change"][row["id"]]
    if rest[:1] == ["endpoints"] and len(rest) > 1 and isinstance(change.get("endpoints"), dict):
        endpoints = row["endpoints"]
        rest[1] = str(endpoints[int(rest[1])]["provider"])
    return ".".join((f"change.{row['id']}", *rest))
