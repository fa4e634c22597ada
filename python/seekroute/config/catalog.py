"""The catalog: providers, models and their prices, as one validated, immutable table."""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from seekroute.config._documents import parse_document
from seekroute.config._schema import (
    ALIAS,
    MODEL_ID,
    PROVIDER_ID,
    Strict,
    check_base_url,
    did_you_mean,
    problems_of,
)
from seekroute.errors import ConfigError, Problem

__all__ = [
    "Catalog",
    "CatalogModel",
    "Endpoint",
    "Price",
    "Provider",
    "load_catalog",
    "packaged_catalog",
    "per_token",
]

AUTO_NAMES = ("auto", "seekroute/auto", "openrouter/auto")
MOCK_PROVIDER = "mock"

# The core counts prices in pico-USD per token: 12 decimals per unit, 6 per million.
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,6})(?:\.([0-9]{1,12}))?")
_MILLION_EXPONENT = 6
_TEXT_PRICES = ("input", "output")
_UNIT_DECIMALS = 12


def _decimal(value: object, places: int) -> str:
    if isinstance(value, bool | float):
        raise ValueError('expected a decimal in quotes; write "0.15", as numbers lose digits')
    if isinstance(value, int):
        value = str(value)
    if not isinstance(value, str):
        raise ValueError('expected a decimal in quotes; for example "0.15"')
    if value.startswith("-") and _DECIMAL.fullmatch(value[1:]):
        raise ValueError("expected a price of 0 or more, found a negative one")
    match = _DECIMAL.fullmatch(value)
    if not match:
        raise ValueError('expected a plain decimal below 10000000; for example "0.15"')
    if len(match.group(1) or "") > places:
        raise ValueError(f"expected at most {places} decimals, found {len(match.group(1))}")
    return value


PerMillion = Annotated[str, BeforeValidator(lambda v: _decimal(v, _UNIT_DECIMALS - 6))]
PerUnit = Annotated[str, BeforeValidator(lambda v: _decimal(v, _UNIT_DECIMALS))]


def plain(amount: Decimal) -> str:
    """`amount` without exponent or trailing zeros."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def per_token(per_million: str) -> str:
    """Converts USD per million tokens to USD per token, exactly.

    Args:
        per_million: A plain decimal with at most 6 decimals.

    Example:
        >>> per_token("0.0028")
        '0.0000000028'
    """
    # Moving the decimal point is exact; a division would round to the context's precision.
    return plain(Decimal(per_million).scaleb(-_MILLION_EXPONENT))


class Tier(Strict):
    """The prices of a whole request whose prompt is longer than a threshold."""

    above: Annotated[int, Field(gt=0)]
    """Prompt tokens; the tier applies to requests with more than this."""
    input: PerMillion
    """USD per million prompt tokens."""
    output: PerMillion
    """USD per million completion tokens."""
    cache_read: PerMillion | None = None
    """USD per million prompt tokens read from the provider's cache."""


class Price(Strict):
    """What an endpoint charges, as exact decimals in USD."""

    input: PerMillion | None = None
    """Per million prompt tokens."""
    output: PerMillion | None = None
    """Per million completion tokens, reasoning included."""
    cache_read: PerMillion | None = None
    """Per million prompt tokens read from the provider's cache; default: as `input`."""
    cache_write: PerMillion | None = None
    """Per million prompt tokens written to the provider's cache; listed, not charged apart."""
    per_request: PerUnit | None = None
    """Per answered request."""
    per_image: PerUnit | None = None
    """Per generated image."""
    tiers: tuple[Tier, ...] = ()
    """Prices of long prompts, by rising threshold."""


class Endpoint(Strict):
    """One provider that serves a model."""

    provider: str
    """Id of the provider."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """The model's name at this provider."""
    price: Price
    """What it charges."""
    context: Annotated[int, Field(gt=0)] | None = None
    """Context length here, in tokens, where it differs from the model's."""
    max_output: Annotated[int, Field(gt=0)] | None = None
    """Longest answer here, in tokens, where it differs from the model's."""
    source: str = ""
    """Which of the catalog's sources the price was taken from."""
    checked_on: date | None = None
    """When the price was last compared with its source; default: the source's own date."""
    valid_from: date | None = None
    """First day the price is known to hold; default: the source's own date."""


Modality = Literal["text", "image", "audio", "video", "file"]
Feature = Literal["tools", "structured_output", "reasoning", "temperature"]


class CatalogModel(Strict):
    """A model, under one id whoever serves it."""

    id: Annotated[str, Field(pattern=MODEL_ID)]
    """`author/slug`. The slug alone is accepted too; the first model in the list wins."""
    name: str = ""
    """Shown name; default: the slug."""
    description: str = ""
    """One line for people choosing a model."""
    created: date | None = None
    """Day of release."""
    context: Annotated[int, Field(gt=0)]
    """Context length in tokens."""
    max_output: Annotated[int, Field(gt=0)] | None = None
    """Longest answer in tokens."""
    input: tuple[Modality, ...] = ("text",)
    """What a prompt may hold."""
    output: tuple[Modality, ...] = ("text",)
    """What an answer holds; `[image]` makes it an image model spoken to by chat."""
    features: tuple[Feature, ...] = ()
    """What the model can do."""
    aliases: tuple[Annotated[str, Field(pattern=ALIAS)], ...] = ()
    """Other accepted names, with or without author."""
    endpoints: tuple[Endpoint, ...]
    """Who serves it, in order of preference."""

    @property
    def author(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]

    @property
    def slug(self) -> str:
        """The part of the id after the slash."""
        return self.id.partition("/")[2]

    @property
    def is_image(self) -> bool:
        """Whether answers are images."""
        return "image" in self.output and "text" not in self.output

    @property
    def created_unix(self) -> int:
        """Midnight UTC of the release day in Unix seconds, 0 when unknown."""
        day = self.created
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) if day else 0


class Provider(Strict):
    """An upstream that speaks OpenAI's chat protocol."""

    name: str = ""
    """Shown name; default: the id."""
    base_url: str
    """Where `/chat/completions` is appended."""
    env: tuple[str, ...] = ()
    """Environment variables that may hold its key, the first one set wins."""
    docs: str = ""
    """Where its models and prices are published."""
    allow_http: bool = False
    """Whether plain http is acceptable."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return check_base_url(value, allow_http=value.startswith("http://"))


class Source(Strict):
    """Where facts of the catalog come from."""

    title: str
    """What it is."""
    url: str
    """Where it is."""
    checked_on: date
    """When it was read."""
    valid_from: date
    """First day its prices are known to hold."""


class _CatalogFile(Strict):
    version: Literal[1]
    sources: dict[str, Source] = Field(default_factory=dict)
    providers: dict[Annotated[str, Field(pattern=PROVIDER_ID)], Provider]
    models: tuple[CatalogModel, ...]


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
    ) -> None:
        self.providers = dict(providers)
        self.models = tuple(models)
        self.sources = dict(sources)
        self.names = _names_of(self.models)
        self._by_id = {model.id: model for model in self.models}

    def get(self, model_id: str) -> CatalogModel:
        """The model with exactly this id; KeyError when there is none."""
        return self._by_id[model_id]

    def resolve(self, name: str) -> CatalogModel | None:
        """The model that `name` (full id, slug or alias) means, or None."""
        model_id = self.names.get(name)
        return self._by_id[model_id] if model_id else None

    def extended(
        self, providers: Mapping[str, Provider], models: Sequence[CatalogModel]
    ) -> Catalog:
        """This catalog with an operator's providers and models; theirs come first, and an id or
        alias of theirs replaces the packaged model or alias of that name.

        Raises:
            ConfigError: Unknown provider, id or alias given twice, price missing.
        """
        merged = {**self.providers, **providers}
        rows = [model.model_dump(exclude_none=True) for model in models]
        problems = check_rows(rows, merged, self.sources)
        if problems:
            raise ConfigError(problems)
        taken = {model.id for model in models} | {a for m in models for a in m.aliases}
        rest: list[CatalogModel] = []
        for model in self.models:
            if model.id not in taken:
                aliases = tuple(alias for alias in model.aliases if alias not in taken)
                rest.append(model.model_copy(update={"aliases": aliases}))
        return Catalog(merged, [*models, *rest], self.sources)


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
        if row.get("endpoints") == []:
            add(f"models.{index}.endpoints", "expected at least one endpoint")
        output = _list(row.get("output"))
        needed = ("per_image",) if "image" in output and "text" not in output else _TEXT_PRICES
        for number, endpoint in enumerate(_list(row.get("endpoints"))):
            if isinstance(endpoint, dict):
                at = f"models.{index}.endpoints.{number}"
                _check_endpoint(endpoint, at, needed, providers, sources, add)
    return problems


def _check_endpoint(
    endpoint: dict[str, Any],
    at: str,
    needed: Sequence[str],
    providers: Collection[str],
    sources: Collection[str],
    add: Callable[[str, str, str], None],
) -> None:
    provider, source = endpoint.get("provider"), endpoint.get("source")
    if isinstance(provider, str) and provider not in providers:
        hint = did_you_mean(provider, providers)
        add(f"{at}.provider", "no provider of this name", hint)
    if isinstance(source, str) and source and source not in sources:
        add(f"{at}.source", "no source of this name", did_you_mean(source, sources))
    price = endpoint.get("price")
    if not isinstance(price, dict):
        return
    for name in needed:
        if price.get(name) is None:
            add(f"{at}.price.{name}", "this price is required", 'write "0" when it is free')
    bounds = [t.get("above") for t in _list(price.get("tiers")) if isinstance(t, dict)]
    numbers = [bound for bound in bounds if isinstance(bound, int)]
    if numbers != sorted(set(numbers)):
        add(f"{at}.price.tiers", "expected tiers by rising threshold", "")


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


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
    document = parse_document(source, name=name)
    data = document.data
    providers, sources = data.get("providers"), data.get("sources")
    problems: list[Problem] = []
    parsed: _CatalogFile | None = None
    try:
        parsed = _CatalogFile.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error, _CatalogFile, where=document.where)
    known = providers if isinstance(providers, dict) else {}
    listed = sources if isinstance(sources, dict) else {}
    problems += check_rows(data.get("models"), known, listed, document.where)
    if MOCK_PROVIDER in known:
        at = f"providers.{MOCK_PROVIDER}"
        problems.append(Problem(at, "this name is reserved", where=document.where(at)))
    if problems or parsed is None:
        raise ConfigError(problems)
    return Catalog(parsed.providers, parsed.models, parsed.sources)


@functools.cache
def packaged_catalog() -> Catalog:
    """The catalog that comes with seekroute; read once."""
    file = importlib.resources.files("seekroute") / "data" / "catalog.yaml"
    return load_catalog(file.read_text(encoding="utf-8"), name="seekroute/data/catalog.yaml")


def rates(price: Price) -> dict[str, Any]:
    """The price per single unit as the core takes it: exact decimal strings in USD."""
    per_input = per_token(price.input or "0")
    return {
        "input": per_input,
        # Without a price of its own a cached token costs what any other does.
        "cache_read": per_token(price.cache_read) if price.cache_read is not None else per_input,
        "output": per_token(price.output or "0"),
        "per_request": plain(Decimal(price.per_request or "0")),
        "per_image": plain(Decimal(price.per_image or "0")),
    }
