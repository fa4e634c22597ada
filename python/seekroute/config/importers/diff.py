"""What changed between two catalogs, by what an endpoint is called and what it charges."""

from __future__ import annotations

from dataclasses import dataclass

from seekroute.config.catalog import Catalog
from seekroute.config.catalog_schema import Endpoint, given

__all__ = ["CatalogDiff", "PriceChange", "diff"]


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One field of an endpoint's price that differs.

    Args:
        model: Id of the model in the newer catalog.
        provider: Id of the provider.
        upstream: The model's name there.
        field: `input`, `tiers`, `free` and so on.
        old: What it was, as a catalog file has it; None where it was not given.
        new: What it is.
    """

    model: str
    provider: str
    upstream: str
    field: str
    old: object
    new: object

    def __str__(self) -> str:
        return f"{self.provider}/{self.upstream}: {self.field} {self.old} -> {self.new}"


@dataclass(frozen=True, slots=True)
class CatalogDiff:
    """Everything that differs between two catalogs' endpoints.

    Args:
        added: Model id, provider and upstream name of endpoints only the newer one has.
        removed: The same of endpoints only the older one has.
        changed: Prices that differ.
    """

    added: tuple[tuple[str, str, str], ...]
    removed: tuple[tuple[str, str, str], ...]
    changed: tuple[PriceChange, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def diff(older: Catalog, newer: Catalog) -> CatalogDiff:
    """Compares the endpoints of two catalogs.

    Endpoints are the same when provider and upstream name are, whatever the model is called. An
    endpoint that stands under several models is compared once, under the first.

    Example:
        >>> from seekroute.config import packaged_catalog
        >>> bool(diff(packaged_catalog(), packaged_catalog()))
        False
    """
    before, after = _endpoints(older), _endpoints(newer)
    changed = []
    for key, (model, endpoint) in after.items():
        if key not in before:
            continue
        old, new = _price(before[key][1]), _price(endpoint)
        changed += [
            PriceChange(model, *key, name, old.get(name), new.get(name))
            for name in dict.fromkeys((*old, *new))
            if old.get(name) != new.get(name)
        ]
    return CatalogDiff(
        tuple((after[key][0], *key) for key in after if key not in before),
        tuple((before[key][0], *key) for key in before if key not in after),
        tuple(changed),
    )


def _endpoints(catalog: Catalog) -> dict[tuple[str, str], tuple[str, Endpoint]]:
    result: dict[tuple[str, str], tuple[str, Endpoint]] = {}
    for model in catalog.models:
        for endpoint in model.endpoints:
            result.setdefault((endpoint.provider, endpoint.model), (model.id, endpoint))
    return result


def _price(endpoint: Endpoint) -> dict[str, object]:
    return given(endpoint.price) | ({"free": True} if endpoint.free else {})
