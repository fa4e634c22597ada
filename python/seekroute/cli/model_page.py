"""`seekroute models show`: a model, its endpoints and their prices, as they are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import typer

from seekroute.cli.layout import layout
from seekroute.cli.shared import print_rows, say
from seekroute.visible import visible

_Fields = Mapping[str, Any]


def print_model(facts: _Fields, endpoints: Sequence[_Fields]) -> None:
    """Prints a page on a terminal, and in a pipe a line for each fact, tab-separated."""
    from rich.console import Console

    if Console().is_terminal:
        _page(facts, endpoints)
        return
    for name, value in facts.items():
        say(f"{name}\t{_plain(value)}")
    for each in endpoints:
        head = f"{each['provider']}\t{each['model']}"
        for name, value in each.items():
            if name not in ("provider", "model", "prices"):
                say(f"endpoint\t{head}\t{name}\t{_plain(value)}")
        for price in each["prices"]:
            for unit, rate in price["rates"].items():
                say(f"price\t{head}\t{price['when']}\t{unit}\t{rate}")


def _traits(model: _Fields, endpoint: _Fields) -> str:
    """What tells an endpoint from the others of its model, but for its price and limits."""
    told = {"tag": endpoint["tag"]}
    if endpoint["quantization"] != "unknown":
        told["quantization"] = endpoint["quantization"]
    if endpoint["weight"] != 1:
        told["weight"] = f"{endpoint['weight']:g}"
    if endpoint["region"]:
        told["region"] = endpoint["region"]
    for name in ("context", "max_output"):
        if endpoint[name] != model[name]:
            told[name.replace("_", " ")] = endpoint[name]
    return "; ".join(f"{name} {_plain(value)}" for name, value in told.items())


def _plain(value: Any) -> str:
    if value is None or value in ([], {}):
        return "-"
    if isinstance(value, dict):
        value = [f"{name} {_plain(each)}" for name, each in value.items()]
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(", ".join(map(str, value)) if isinstance(value, list) else str(value))


def _page(facts: Mapping[str, Any], endpoints: Sequence[Mapping[str, Any]]) -> None:
    """For a person: facts, then a table of the prices of each endpoint."""
    from rich.console import Console

    width = max(map(len, facts))
    for name, value in facts.items():
        if value not in (None, [], {}):
            say(f"{name.replace('_', ' '):<{width}}  {_plain(value)}")
    console = Console()
    for each in endpoints:
        color = typer.colors.GREEN if each["served"] else typer.colors.YELLOW
        state = "served" if each["served"] else f"not served: {each['why_not']}"
        say(f"\n{each['provider']}  {each['model']}  ", nl=False)
        say(state, fg=color)
        say(f"  {_traits(facts, each)}")
        if each["limits"]:
            say(f"  limits {_plain(each['limits'])}")
        if each["source_title"]:
            dates = f"checked {each['checked_on']}, valid from {each['valid_from']}"
            say(f"  price by {each['source_title']}; {dates}")
        prices: list[Mapping[str, Any]] = each["prices"]
        units = list(dict.fromkeys(unit for price in prices for unit in price["rates"]))
        if not units:
            say("  free")
            continue
        lines = [
            {"when": price["when"], **{unit: price["rates"].get(unit, "") for unit in units}}
            for price in prices
        ]
        columns = ["when", *units]
        whole = layout(lines, columns, spare=(), folded=(), least_folded=0, width=console.width)
        if len(whole) < len(columns):  # a line for each price, each of which is whole
            lines = [
                {"when": price["when"], "unit": unit.replace("_", " "), "price": rate}
                for price in prices
                for unit, rate in price["rates"].items()
            ]
            columns = ["when", "unit", "price"]
        print_rows(lines, columns, as_json=False, folded=("when", "unit"))
        charged: Literal["with", "without"] = "with" if each["markup_bps"] else "without"
        percent = f" {Decimal(each['markup_bps']) / 100:f} %" if each["markup_bps"] else ""
        say(f"  USD per million tokens, {charged} markup{percent}")
