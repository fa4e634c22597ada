"""`seekroute models`: what the catalog has, what of it is served, and at what price."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seekroute.cli import price_lists
from seekroute.cli.model_page import print_model
from seekroute.cli.shared import JsonOption, Shared, print_json, print_rows, say, shared
from seekroute.cli.virtual_models import show_virtual, virtual_row
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.config.catalog import Catalog, CatalogModel, Endpoint, Price, Rates
    from seekroute.config.routing_schema import VirtualModel
    from seekroute.config.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Look through the models, and keep prices current.")

_COLUMNS = ("id", "context", "input", "output", "providers", "features")
# An answer of vectors costs nothing, and an embedding model has no features.
_EMBEDDING_COLUMNS = ("id", "context", "dimensions", "input", "providers")
# What a narrow terminal does without.
_SPARE = ("features", "providers", "context")
_FOLDED = ("id", "providers", "features")
_LEAST_FOLDED = 34  # characters: an id is copied
_MOST_CLOSE = 5


class Feature(StrEnum):
    """What a model can do."""

    TOOLS = "tools"
    STRUCTURED_OUTPUT = "structured_output"
    REASONING = "reasoning"
    TEMPERATURE = "temperature"


class Order(StrEnum):
    """Orders of the list."""

    PRICE = "price"
    CONTEXT = "context"
    NEWEST = "newest"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class _Offer:
    """An endpoint, and whether it is served."""

    endpoint: Endpoint
    why_not: str  # empty where it is served
    markup: int  # basis points


class _View:
    """The configuration's catalog, and what of it can be used now."""

    def __init__(self, options: Shared) -> None:
        from seekroute.config import catalog_of, mock_is_on, usable_providers

        self._settings: Settings = options.settings()
        self.catalog: Catalog = catalog_of(self._settings)
        self._usable = usable_providers(self._settings, self.catalog, os.environ)
        self.mocked = mock_is_on(self._settings, self.catalog, os.environ)
        exclusive = self._settings.mock == "on"
        self.mocked_for = "for every model" if exclusive else "where no provider has a key"

    def offers(self, model: CatalogModel) -> list[_Offer]:
        """The model's endpoints in their order."""
        return [
            _Offer(each, self._why_not(each), self.catalog.markup.of(model.id, each.provider))
            for each in model.endpoints
        ]

    def served_by(self, model: CatalogModel) -> list[str]:
        """The providers that would be asked for the model, in this order."""
        found = [offer.endpoint.provider for offer in self.offers(model) if not offer.why_not]
        return found or ["mock"] * self.mocked

    def _why_not(self, endpoint: Endpoint) -> str:
        provider = self.catalog.providers[endpoint.provider]
        own = self._settings.providers.get(endpoint.provider)
        if self._settings.mock == "on":
            return "mock is on: no provider is asked"
        if own is not None and own.enabled is False:
            return f"providers.{endpoint.provider}.enabled is false"
        if not self.catalog.is_served(endpoint):
            return f"its protocol {endpoint.dialect or provider.dialect} is not spoken yet"
        if endpoint.provider in self._usable:
            return ""
        if own is not None and own.keys:
            return f"no key: set a variable of providers.{endpoint.provider}.keys"
        if provider.env:
            return f"no key: set {' or '.join(provider.env)}"
        return f"no address: set providers.{endpoint.provider}.base_url"

    def virtual(self) -> Iterator[tuple[str, VirtualModel, list[dict[str, Any]]]]:
        """The virtual models, each with the row of every candidate."""
        from seekroute.config.routes import means

        for name, virtual in self._settings.virtual_models.items():
            rows = []
            for candidate in virtual.candidates:
                model = self.catalog.resolve(candidate.model)
                assert model is not None, "the settings are checked: there is one"
                there = [
                    offer
                    for offer in self.offers(model)
                    if means(candidate.provider or "", _tag(offer.endpoint))
                ]
                served = [offer for offer in there if not offer.why_not]
                row = _row(self, model, served or there or self.offers(model))
                rows.append({**row, "served": bool(served) or self.mocked})
            yield name, virtual, rows

    def provider(self, name: str) -> str:
        """`name`, if the catalog has such a provider. Raises SeekrouteError."""
        from seekroute.config.schema import did_you_mean

        if name not in self.catalog.providers:
            hint = did_you_mean(name, self.catalog.providers)
            raise SeekrouteError(f"there is no provider {name!r}" + (f": {hint}" if hint else ""))
        return name


def _tag(endpoint: Endpoint) -> str:
    from seekroute.config.routes import tag_of

    return tag_of(endpoint.provider, endpoint.quantization, endpoint.region or "")


def _sold(price: str, markup: int) -> str:
    from seekroute.config.prices import sold_at

    return sold_at(price, markup)


def _row(view: _View, model: CatalogModel, offers: Sequence[_Offer]) -> dict[str, Any]:
    """A model in a list, at the price of the first of `offers`."""
    shown = offers[0]
    endpoint, markup = shown.endpoint, shown.markup
    price = endpoint.price
    image = _sold(price.per_image, markup) if price.per_image is not None else None
    text_in = _sold(price.input or "0", markup)
    text_out = _sold(price.output or "0", markup)
    paid_out: str | None = text_out
    if model.is_image and image is not None:
        paid_out = f"{image} an image"
    elif model.is_embedding:
        paid_out = None  # vectors cost nothing beside what was read
    return {
        "id": model.id,
        "name": model.name or model.slug,
        "context": endpoint.context or model.context,
        "dimensions": model.dimensions,
        "input": None if model.is_image and not price.input else text_in,
        "output": paid_out,
        "per_image": image,
        "markup_bps": markup,
        "providers": [offer.endpoint.provider for offer in offers],
        "features": list(model.features),
        "created": model.created.isoformat() if model.created else None,
        "served": bool(view.served_by(model)),
    }


@app.command("list")
def list_(
    ctx: typer.Context,
    provider: Annotated[str | None, typer.Option(help="Only what this provider has.")] = None,
    author: Annotated[str | None, typer.Option(help="Only models of this author.")] = None,
    feature: Annotated[
        list[Feature] | None, typer.Option(help="Only models with it; may be repeated.")
    ] = None,
    image: Annotated[bool, typer.Option("--image", help="Only models that make images.")] = False,
    embedding: Annotated[
        bool, typer.Option("--embedding", help="Only models that make embeddings.")
    ] = False,
    free: Annotated[bool, typer.Option("--free", help="Only models that cost nothing.")] = False,
    sort: Annotated[
        Order | None, typer.Option(help="Order; default: the catalog's.", show_default=False)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="The whole catalog, served or not.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the models that are served, with prices in USD per million tokens, markup included;
    virtual models come last."""
    view = _View(shared(ctx))
    if provider is not None:
        view.provider(provider)
    found: list[tuple[CatalogModel, list[_Offer]]] = []
    fitting: set[str] = set()  # whoever their author is
    for model in view.catalog.models:
        offers = view.offers(model)
        if not everything and not view.mocked:
            offers = [offer for offer in offers if not offer.why_not]
        if provider is not None:
            offers = [offer for offer in offers if offer.endpoint.provider == provider]
        if (
            not offers
            or not set(feature or ()) <= set(model.features)
            or (image and not model.is_image)
            or (embedding and not model.is_embedding)
            or (free and not _is_free(model, offers[0]))
        ):
            continue
        fitting.add(model.id)
        if author in (None, model.author):
            found.append((model, offers))
    if sort is not None:
        found.sort(key=_ORDERS[sort])
    rows = [_row(view, model, offers) for model, offers in found]
    for name, _, members in view.virtual():
        shown = [row for row in members if everything or row["served"]]
        # Whichever answers has to be what was asked for.
        fits = bool(shown) and {row["id"] for row in shown} <= fitting
        if fits and author in (None, name.partition("/")[0]):
            rows.append(virtual_row(name, shown))
    columns = _EMBEDDING_COLUMNS if embedding else _COLUMNS
    print_rows(
        rows, columns, as_json=as_json, spare=_SPARE, folded=_FOLDED, least_folded=_LEAST_FOLDED
    )
    if not as_json:
        _say_prices(view, rows)


def _is_free(model: CatalogModel, offer: _Offer) -> bool:
    named = _named(offer.endpoint.price).values()
    return offer.endpoint.free or model.free or not any(map(Decimal, named))


def _total(offers: Sequence[_Offer]) -> tuple[Decimal, Decimal]:
    price, markup = offers[0].endpoint.price, offers[0].markup
    per_token = sum(Decimal(_sold(each or "0", markup)) for each in (price.input, price.output))
    return Decimal(_sold(price.per_image or "0", markup)), Decimal(per_token)


_ORDERS: Mapping[Order, Callable[[tuple[CatalogModel, list[_Offer]]], Any]] = {
    # What is paid by the image comes last: it cannot be compared with tokens.
    Order.PRICE: lambda each: _total(each[1]),
    Order.CONTEXT: lambda each: -(each[1][0].endpoint.context or each[0].context),
    Order.NEWEST: lambda each: -each[0].created_unix,
    Order.NAME: lambda each: (each[0].name or each[0].slug).casefold(),
}


def _say_prices(view: _View, rows: Iterable[Mapping[str, Any]]) -> None:
    """Says, beside the rows, what their prices mean."""
    marked = any(row["markup_bps"] for row in rows)
    say(
        "prices: USD per million tokens, " + ("your markup included" if marked else "no markup"),
        err=True,
    )
    if view.mocked:
        say(f"the mock provider answers {view.mocked_for}: see seekroute doctor", err=True)


# --- search ---------------------------------------------------------------------------------------


@app.command()
def search(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(help="Words of id, name or description.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to show.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Search the whole catalog, and virtual models. Exit 1 when no model has the words; close ones
    are shown then."""
    view = _View(shared(ctx))
    text = " ".join(words)
    ranked = [
        (rank, model)
        for model in view.catalog.models
        if (rank := _rank(model, text.casefold())) is not None
    ]
    ranked.sort(key=lambda each: each[0])  # stable: equal ones keep the catalog's order
    models = [model for _, model in ranked]
    rows = [
        {**virtual_row(name, members), "match": "words"}
        for name, _, members in view.virtual()
        if all(word in name.casefold() for word in text.casefold().split())
    ]
    match = "words" if models or rows else "close"
    if match == "close":
        models = _close(view.catalog, text)
    for model in models[:limit]:
        offers = view.offers(model)
        served = [offer for offer in offers if not offer.why_not]
        rows.append({**_row(view, model, served or offers), "match": match})
    shown = [{**row, "served": "yes" if row["served"] else "no"} for row in rows]
    print_rows(
        rows if as_json else shown,
        (*_COLUMNS, "served"),
        as_json=as_json,
        spare=_SPARE,
        folded=_FOLDED,
        least_folded=_LEAST_FOLDED,
    )
    if not as_json:
        if match == "close":
            rest = "; these are called nearly so" if rows else ""
            say(f"no model has the words {text!r}{rest}", err=True)
        elif len(models) > limit:
            say(f"{len(models) - limit} more: raise --limit", err=True)
        if rows:
            _say_prices(view, rows)
    if match == "close":
        raise typer.Exit(1)


def _rank(model: CatalogModel, text: str) -> int | None:
    """How well a model fits: the smaller, the better; None if it does not."""
    from seekroute.api.model_query import matches_text

    names = [name.casefold() for name in (model.id, model.slug, *model.aliases)]
    row = {"id": " ".join(names), "name": model.name, "description": model.description}
    if not matches_text(row, text):
        return None
    if text in names or text == model.name.casefold():
        return 0
    if any(name.startswith(text) for name in (*names, model.name.casefold())):
        return 1
    if matches_text({**row, "description": ""}, text):
        return 2
    return 3


def _close(catalog: Catalog, text: str) -> list[CatalogModel]:
    """The models whose names are nearest to a text."""
    meant: dict[str, CatalogModel] = {}
    for model in catalog.models:
        for name in (model.id, model.slug, *model.aliases, model.name):
            meant.setdefault(name.casefold(), model)
    names = difflib.get_close_matches(text.casefold(), meant, n=_MOST_CLOSE * 3, cutoff=0.6)
    found = {meant[name].id: meant[name] for name in names}
    return list(found.values())[:_MOST_CLOSE]


# --- show -----------------------------------------------------------------------------------------


@app.command()
def show(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(help="Full id, bare name, alias, or name of a virtual model.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Show everything about a model: limits, who serves it or why not, all prices."""
    view = _View(shared(ctx))
    found = view.catalog.resolve(model)
    if found is None:
        names = []
        for name, virtual, members in view.virtual():
            if name == model:
                return show_virtual(name, virtual, members, as_json=as_json)
            names.append(name)
        near = difflib.get_close_matches(model, names, n=_MOST_CLOSE)
        close = ", ".join([*near, *(each.id for each in _close(view.catalog, model))])
        hint = f": did you mean {close}?" if close else ": try seekroute models search"
        raise SeekrouteError(f"no model is called {model!r}{hint}")
    facts, endpoints = _facts(view, found), _endpoints(view, found)
    if as_json:
        print_json({**facts, "endpoints": endpoints})
    else:
        print_model(facts, endpoints)


def _facts(view: _View, model: CatalogModel) -> dict[str, Any]:
    catalog = view.catalog
    return {
        "id": model.id,
        "name": model.name or model.slug,
        "description": model.description or None,
        "served_by": view.served_by(model),
        # Where several models share a slug, only the first is called so.
        "aliases": [
            name
            for name in dict.fromkeys((model.slug, *model.aliases))
            if catalog.names.get(name) == model.id
        ],
        "context": model.context,
        "max_output": model.max_output,
        "input": list(model.input),
        "output": list(model.output),
        "limits": dict(model.limits.said()),
        "dimensions": model.dimensions,
        "features": list(model.features),
        "created": model.created.isoformat() if model.created else None,
        "knowledge": model.knowledge,
        "expires": model.expires.isoformat() if model.expires else None,
    }


def _endpoints(view: _View, model: CatalogModel) -> list[dict[str, Any]]:
    from seekroute.config.prices import revision_of
    from seekroute.config.snapshot import dialect_of

    catalog = view.catalog
    rows = []
    for offer in view.offers(model):
        endpoint = offer.endpoint
        source = catalog.sources.get(endpoint.source)
        checked = endpoint.checked_on or (source.checked_on if source else None)
        valid = endpoint.valid_from or (source.valid_from if source else None)
        rows.append(
            {
                "provider": endpoint.provider,
                "model": endpoint.model,
                "tag": _tag(endpoint),
                "quantization": endpoint.quantization,
                "region": endpoint.region,
                "weight": endpoint.weight,
                "limits": dict(endpoint.limits.said()),
                "served": not offer.why_not,
                "why_not": offer.why_not or None,
                "context": endpoint.context or model.context,
                "max_output": endpoint.max_output or model.max_output,
                "dialect": dialect_of(catalog, model, endpoint),
                "free": endpoint.free or model.free,
                "markup_bps": offer.markup,
                "source": endpoint.source or None,
                "source_title": source.title if source else None,
                "source_url": source.url if source else None,
                "checked_on": checked.isoformat() if checked else None,
                "valid_from": valid.isoformat() if valid else None,
                "price_revision": revision_of(endpoint, catalog.sources),
                "prices": _prices(endpoint.price, offer.markup),
            }
        )
    return rows


def _named(rates: Rates) -> dict[str, str]:
    """The units that a price names."""
    from seekroute.config.price_schema import UNITS

    return {unit: value for unit in UNITS if (value := getattr(rates, unit)) is not None}


def _prices(price: Price, markup: int) -> list[dict[str, Any]]:
    """Every price that an endpoint may charge, with the condition under which it does."""
    rows: list[dict[str, Any]] = []

    def add(rates: Rates, when: Sequence[str], **conditions: Any) -> None:
        sold = {unit: _sold(value, markup) for unit, value in _named(rates).items()}
        rows.append({"when": ", ".join(when) or "always", **conditions, "rates": sold})

    def add_tiers(of: Any, when: Sequence[str], **conditions: Any) -> None:
        for tier in of.tiers or ():
            words = [*when, f"above {tier.above} prompt tokens"]
            add(tier, words, **conditions, above=tier.above)

    add(price, ())
    add_tiers(price, ())
    for each in price.variants:
        when = [f"tier {each.service_tier}"] if each.service_tier else []
        when += [f"{each.hours} UTC"] if each.hours else []
        when += [f"from {each.valid_from}"] if each.valid_from else []
        when += [f"until {each.valid_until}"] if each.valid_until else []
        conditions = {
            "service_tier": each.service_tier,
            "hours": each.hours,
            "valid_from": each.valid_from.isoformat() if each.valid_from else None,
            "valid_until": each.valid_until.isoformat() if each.valid_until else None,
        }
        add(each, when, **conditions)
        add_tiers(each, when, **conditions)
    return rows


# Listed by --help after those above.
app.command("import")(price_lists.import_)
app.command()(price_lists.diff)
app.command()(price_lists.check)
