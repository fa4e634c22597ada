"""`seekroute usage`: what was used and earned, rolled up."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli.money import amounts, margin, org_names
from seekroute.cli.shared import (
    Fields,
    JsonOption,
    parse_since,
    print_json,
    print_rows,
    shared,
)

if TYPE_CHECKING:
    from seekroute.ledger import Row

_COUNTS = (
    "requests",
    "failed",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
)
_MONEY = ("cost", "upstream_cost", "suspected_cost")
# What a narrow terminal does without.
_SPARE = (
    *("reasoning_tokens", "cached_tokens", "suspected_cost", "failed"),
    *("prompt_tokens", "completion_tokens", "requests", "upstream_cost"),
)


class By(enum.StrEnum):
    """What a line stands for."""

    DAY = "day"
    MODEL = "model"
    KEY = "key"
    ORG = "org"


def usage(
    ctx: typer.Context,
    by: Annotated[By, typer.Option("--by", help="What a line stands for.")] = By.DAY,
    since: Annotated[
        str,
        typer.Option("--since", help="How far back: 30d, yesterday, 2027-01-31. Whole UTC days."),
    ] = "30d",
    until: Annotated[
        str | None, typer.Option("--until", help="The last day, included. Default: today.")
    ] = None,
    org: Annotated[str | None, typer.Option("--org", help="Id or name.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="Its id or name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Totals of requests, tokens, customer charges, provider costs and margin."""
    first, last = parse_since(since), None if until is None else parse_since(until)
    if last is not None and last < first:
        raise typer.BadParameter("it is before --since", param_hint="--until")
    with shared(ctx).open_control() as control:
        orgs = org_names(control)
        keys = {row.id: row.name for row in control.keys.list()}
        org_id = "" if org is None else control.orgs.get(org).id
        key_id = "" if key is None else control.keys.get(key).id
    with shared(ctx).open_ledger() as ledger:
        found = ledger.activity(org=org_id, key=key_id, since=first, until=last)
    sums = _summed(found, by.value)
    names = {By.ORG: orgs, By.KEY: keys}.get(by, {})
    rows = [_fields(by, value, sums[value], names) for value in sorted(sums)]
    total = {name: sum(line[name] for line in sums.values()) for name in (*_COUNTS, *_MONEY)}
    totals = {**{name: total[name] for name in _COUNTS}, **_amounts(total)}
    if as_json:
        print_json({"by": by.value, "rows": rows, "total": totals})
        return
    columns = (by.value, *_COUNTS, *_MONEY, "margin")
    folded = () if by is By.DAY else (by.value,)
    lines = [*rows, {by.value: "total", **totals}]
    print_rows(lines, columns, as_json=False, spare=_SPARE, folded=folded)


def _summed(found: Iterable[Row], by: str) -> dict[int | str, dict[str, int]]:
    sums: dict[int | str, dict[str, int]] = {}
    for row in found:
        line = sums.setdefault(row[by], dict.fromkeys((*_COUNTS, *_MONEY), 0))
        for name in line:
            line[name] += row.get(name, 0)
    return sums


def _fields(by: By, value: int | str, line: Mapping[str, int], names: Mapping[str, str]) -> Fields:
    if isinstance(value, int):
        shown = {"day": datetime.fromtimestamp(value, UTC).date().isoformat()}
    elif by in (By.ORG, By.KEY):
        shown = {by.value: names.get(value, value), f"{by.value}_id": value}
    else:
        shown = {by.value: value}
    return {**shown, **{name: line[name] for name in _COUNTS}, **_amounts(line)}


def _amounts(line: Mapping[str, int]) -> Fields:
    return amounts({**{name: line[name] for name in _MONEY}, "margin": margin(line)})
