"""What the importers share: exact amounts, names, and rows that become models or remarks."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any

from pydantic import TypeAdapter, ValidationError

from seekroute.config.catalog import Catalog
from seekroute.config.catalog_checks import check_rows
from seekroute.config.catalog_schema import CatalogModel, Endpoint, Provider
from seekroute.config.prices import plain
from seekroute.config.schema import problems_of
from seekroute.errors import ConfigError, Problem

# A price per million has at most 6 decimals here; what a list has beyond 9 is noise of floats.
_NOISE = Decimal("0.000000001")
_FINEST = Decimal("0.000001")
_LARGEST = Decimal(10) ** 7
MILLION = Decimal(10) ** 6
# An exponent beyond it is no price: written out it would be as long as it says.
_MOST_ZEROS = 60

# The lists' provider ids -> ours, where they differ.
_PROVIDERS = {
    "dashscope": "alibaba",
    "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks",
    "gemini": "google",
    "moonshotai": "moonshot",
    "novita-ai": "novita",
    "together_ai": "together",
    "togetherai": "together",
    "x-ai": "xai",
    "zhipuai": "zhipu",
}
# Who made the models of a provider that names them without an author.
_AUTHORS = {
    "alibaba": "qwen",
    "mistral": "mistralai",
    "moonshot": "moonshotai",
    "xai": "x-ai",
    "zai": "z-ai",
    "zhipu": "z-ai",
}
# Spellings of authors in upstream names -> ours.
_SPELLINGS = {
    "deepseek-ai": "deepseek",
    "minimaxai": "minimax",
    "mistral": "mistralai",
    "stepfun-ai": "stepfun",
    "xai": "x-ai",
    "xiaomimimo": "xiaomi",
    "zai-org": "z-ai",
    "zhipuai": "z-ai",
}
_MODEL = TypeAdapter(CatalogModel)


@dataclass(frozen=True, slots=True)
class Remark:
    """Why a row was left out, or what was changed in one that was taken.

    Args:
        row: The row, as `provider/model` in the list's own words.
        text: What happened.
    """

    row: str
    text: str

    def __str__(self) -> str:
        return f"{self.row}: {self.text}"


@dataclass(slots=True)
class Imported:
    """What a price list holds.

    Args:
        models: Models with at least one endpoint each, in the list's order.
        providers: Upstreams that the list describes, by our ids; empty where it has no URLs.
        skipped: Rows that were left out, each with a reason.
        notes: What was changed or passed over in rows that were taken.
    """

    models: list[CatalogModel] = field(default_factory=list)
    providers: dict[str, Provider] = field(default_factory=dict)
    skipped: list[Remark] = field(default_factory=list)
    notes: list[Remark] = field(default_factory=list)


class Unusable(Exception):
    """A row cannot become an endpoint; the text says why."""


def read_json(text: str | bytes, what: str) -> Any:
    """Parses JSON with exact decimals.

    Raises:
        ConfigError: Not JSON.
    """
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        hint = f"give it the file as {what} publishes it"
        raise ConfigError([Problem("", "not JSON", hint)]) from None


def expect(value: Any, kind: type, what: str) -> Any:
    """`value` if it is of `kind`.

    Raises:
        ConfigError: The list as a whole has another shape.
    """
    if not isinstance(value, kind):
        hint = f"give it the file as {what} publishes it"
        raise ConfigError([Problem("", f"this is not a price list of {what}", hint)])
    return value


def mapping(value: object) -> dict[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> list[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def amount(value: object) -> Decimal | None:
    """A number or a decimal string, exactly; None where there is none.

    Raises:
        Unusable: Something else.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Unusable("a price is not a number")
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise Unusable("a price is not a number") from None
    if not found.is_finite():
        raise Unusable("a price is not a finite number")
    if found and abs(found.adjusted()) > _MOST_ZEROS:
        raise Unusable("a price is out of range")
    return found


def listed_date(value: object) -> date | None:
    """A day such as `2025-08-07`, or a month as its first day; None for anything else."""
    text = value if isinstance(value, str) else ""
    try:
        return date.fromisoformat(f"{text}-01" if len(text) == 7 else text)
    except ValueError:
        return None


def whole(value: object) -> int | None:
    """A positive integer, also where it is written as 128000.0; None for anything else."""
    try:
        found = amount(value)
    except Unusable:
        return None
    return int(found) if found is not None and found >= 1 and found == int(found) else None


class Rows:
    """Collects the rows of one list.

    Args:
        source: Name of the catalog's source that prices are marked with.
        checked_on: When the list was read.
        providers: Our ids of the providers to take; None for all.
        known: A catalog whose ids are used for endpoints that it has.
    """

    def __init__(
        self,
        *,
        source: str,
        checked_on: date,
        providers: Collection[str] | None,
        known: Catalog | None,
    ) -> None:
        self.result = Imported()
        self._source = source
        self._checked_on = checked_on
        self._providers = providers
        self._models: dict[str, CatalogModel] = {}
        self._ids: dict[tuple[str, str], str] = {}
        self._seen: dict[tuple[str, str], str] = {}  # the rows of endpoints
        self._embedding: set[tuple[str, str]] = set()  # endpoints of known embedding models
        for model in known.models if known else ():
            for endpoint in model.endpoints:
                self._ids.setdefault((endpoint.provider, endpoint.model), model.id)
                if model.is_embedding:
                    self._embedding.add((endpoint.provider, endpoint.model))

    def wants(self, listed: str) -> str:
        """Our id of a provider, or empty when it is not to be taken."""
        ours = re.sub(r"[^a-z0-9_-]", "-", _PROVIDERS.get(listed, listed).lower())
        return ours if self._providers is None or ours in self._providers else ""

    def note(self, row: str, text: str) -> None:
        """Remembers a change to a row that is taken."""
        self.result.notes.append(Remark(row, text))

    def skip(self, row: str, reason: str) -> None:
        """Remembers a row that is left out."""
        self.result.skipped.append(Remark(row, reason))

    def price(self, row: str, found: Mapping[str, Decimal | None]) -> dict[str, str]:
        """Amounts per million (`per_request` and `per_image`: per unit) as the catalog has them.

        Raises:
            Unusable: An amount is negative or too large.
        """
        result: dict[str, str] = {}
        for unit, value in found.items():
            if value is None:
                continue
            # Everything is compared at the scale of a million, where noise is known.
            scale = MILLION if unit in ("per_request", "per_image") else 1
            value = value * scale
            if not 0 <= value < _LARGEST * scale:
                raise Unusable(f"{unit} is out of range: {plain(value)}")
            rounded = value.quantize(_NOISE)
            if rounded != value:
                self.note(row, f"{unit} rounded from {plain(value)} to {plain(rounded)}")
            # Up: what is sold must not cost less than it is bought for.
            held = rounded.quantize(_FINEST, rounding=ROUND_CEILING)
            if held != rounded:
                self.note(row, f"{unit} rounded up from {plain(rounded)} to {plain(held)}")
            result[unit] = plain(held / scale)
        return result

    def add(self, row: str, provider: str, upstream: str, facts: dict[str, Any]) -> None:
        """Takes one endpoint.

        Args:
            row: For remarks.
            provider: Our id.
            upstream: The model's name there.
            facts: Fields of a catalog model, and `price` and `free` of its endpoint. Without
                `output` the list does not say whether it is an embedding model: one is known, or
                called so.
        """
        if "output" not in facts and (
            (provider, upstream) in self._embedding or "embed" in upstream.lower()
        ):
            facts["output"] = ("embedding",)
        if facts.get("output") == ("embedding",):
            # Vectors have no tokens: what lists give as their length and price is something else.
            facts |= {"max_output": None, "features": ()}
            facts["price"] = {unit: p for unit, p in facts["price"].items() if unit != "output"}
        price, free = facts.pop("price"), facts.pop("free", False)
        endpoint = {
            "provider": provider,
            "model": upstream,
            **({"free": True} if free else {"price": price}),
            "source": self._source,
            "checked_on": self._checked_on,
        }
        model_id = self._ids.get((provider, upstream)) or _identity(provider, upstream)
        found = {key: value for key, value in facts.items() if value not in (None, "", ())}
        data = {"id": model_id, **found, "endpoints": [endpoint]}
        try:
            model = _MODEL.validate_python(data)
        except ValidationError as error:
            first = problems_of(error, CatalogModel)[0]
            self.skip(row, f"{first.path}: {first.message}")
            return
        problems = check_rows([data], {provider}, {self._source})
        if problems:
            self.skip(row, f"{problems[0].path.rpartition('.')[2]}: {problems[0].message}")
            return
        known = self._models.get(model_id)
        if known is None:
            self._models[model_id] = model
            self._seen[model_id, upstream.lower()] = row
            return
        mine = [each.model for each in known.endpoints if each.provider == provider]
        if upstream.lower() in map(str.lower, mine):
            self._take_newer(row, known, model)
            return
        if mine:
            self.note(row, f"{model_id} is at {provider} as {mine[0]} too, which is asked first")
        new = model.endpoints[0]
        own = {
            name: value
            for name in ("context", "max_output")
            if (value := getattr(model, name)) and value != getattr(known, name)
        }
        if known.kind != model.kind:
            kinds = " and ".join(sorted((known.kind, model.kind)))
            self.skip(row, f"{model_id} is listed as two kinds of model: {kinds}")
            return
        endpoints = (*known.endpoints, replace(new, **own))
        self._models[model_id] = replace(known, endpoints=endpoints)

    def _take_newer(self, row: str, known: CatalogModel, model: CatalogModel) -> None:
        """Of two rows for one endpoint keeps the newer one, by its day, else the later in the list,
        and reports the other."""
        (new,) = model.endpoints
        before = self._seen.get((known.id, new.model.lower()), "a row before it")
        older = known.created and model.created and model.created < known.created
        if older:
            self.skip(row, f"stands for {known.id} like {before}, which is newer and is taken")
            return
        self.skip(before, f"stands for {known.id} like {row}, which is newer or later and is taken")
        endpoints = tuple(
            new
            if (each.provider, each.model.lower()) == (new.provider, new.model.lower())
            else replace(each, **_inherited(each, known, model))
            for each in known.endpoints
        )
        self._models[known.id] = replace(model, endpoints=endpoints)
        self._seen[known.id, new.model.lower()] = row

    def done(self) -> Imported:
        """Everything that was taken."""
        self.result.models = list(self._models.values())
        return self.result


def _inherited(endpoint: Endpoint, old: CatalogModel, new: CatalogModel) -> dict[str, Any]:
    """The lengths that an endpoint has from its model and would lose with the new one."""
    return {
        name: value
        for name in ("context", "max_output")
        if not getattr(endpoint, name)
        and (value := getattr(old, name))
        and value != getattr(new, name)
    }


def _identity(provider: str, upstream: str) -> str:
    """Our id of a model that an upstream calls so."""
    *folders, slug = (part for part in upstream.split("/") if part)
    author = folders[-1].lower() if folders else _AUTHORS.get(provider, provider)
    if author in ("models", "routers") and len(folders) > 1:  # accounts/fireworks/models/…
        author = provider
    author = re.sub(r"[^a-z0-9._-]", "-", _SPELLINGS.get(author, author)).strip("-._~")
    slug = re.sub(r"[^a-z0-9._:@+-]", "-", slug.lower()).strip("-")
    return f"{author}/{slug}"


def features(**flags: object) -> tuple[str, ...]:
    """The names of the flags that are true."""
    return tuple(name for name, flag in flags.items() if flag is True)


def modalities(found: object, fall_back: tuple[str, ...] = ("text",)) -> tuple[str, ...]:
    """What a prompt or an answer holds, in our words; what we have no word for is left out."""
    ours = ("text", "image", "audio", "video", "file")
    named = ["file" if part == "pdf" else part for part in listing(found)]
    return tuple(part for part in ours if part in named) or fall_back
