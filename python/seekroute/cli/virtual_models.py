"""Virtual models, as `seekroute models` shows them beside those of the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from seekroute.cli.shared import print_json, print_rows, say

if TYPE_CHECKING:
    from seekroute.config.routing_schema import VirtualModel

Row = Mapping[str, Any]


def virtual_row(name: str, members: Sequence[Row]) -> dict[str, Any]:
    """A virtual model in a list of models: what holds whichever of its members answers.

    The context is the least, the price that of the dearest, and the features are those of all.

    Args:
        name: its name.
        members: the rows of its candidates; one at least.
    """
    dearest = max(members, key=_price)
    features = [each for each in members[0]["features"] if _all_have(each, members)]
    providers = dict.fromkeys(each for row in members for each in row["providers"])
    return {
        **dearest,
        "id": name,
        "name": name,
        "context": min(row["context"] for row in members),
        "providers": list(providers),
        "features": features,
        "created": None,
        "served": any(row["served"] for row in members),
    }


def _all_have(feature: str, rows: Iterable[Row]) -> bool:
    return all(feature in row["features"] for row in rows)


def _price(row: Row) -> Decimal:
    total = Decimal(0)
    for name in ("input", "output", "per_image"):
        try:
            total += Decimal(row[name] or "0")
        except InvalidOperation:  # "0.04 an image", which `per_image` has as a number
            continue
    return total


def show_virtual(
    name: str, virtual: VirtualModel, members: Sequence[Row], *, as_json: bool
) -> None:
    """Prints a virtual model: its strategy, and its candidates in the order of the configuration.

    Args:
        name: its name.
        virtual: what the settings say of it.
        members: the row of each candidate.
    """
    candidates = [
        {
            "model": row["id"],
            "provider": candidate.provider or None,
            "weight": f"{candidate.weight:g}",
            "providers": row["providers"],
            "input": row["input"],
            "output": row["output"],
            "served": row["served"],
        }
        for candidate, row in zip(virtual.candidates, members, strict=True)
    ]
    if as_json:
        print_json({"id": name, "strategy": virtual.strategy, "candidates": candidates})
        return
    say(f"id\t{name}")
    say(f"strategy\t{virtual.strategy}: {_STRATEGIES[virtual.strategy]}")
    shown = [{**row, "served": "yes" if row["served"] else "no"} for row in candidates]
    columns = ("model", "provider", "weight", "providers", "input", "output", "served")
    spare = ("output", "input", "providers")
    print_rows(shown, columns, as_json=False, spare=spare, folded=("model", "providers"))


_STRATEGIES = {
    "weighted": "the order of its models is drawn for each request",
    "order": "its models are asked in this order",
    "price": "all endpoints of its models are one list, the cheapest first",
}
