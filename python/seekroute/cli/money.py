"""Amounts, as the commands read and show them. USD with up to nine places; never a float."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.control.models import Organization

UNLIMITED = "unlimited"


def nano_of(text: str, parameter: str = "USD") -> int:
    """Nano-USD of an argument."""
    from seekroute.money import nano

    try:
        return nano(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=parameter) from None


def limit_of(text: str, parameter: str = "USD") -> int | None:
    """Nano-USD of an argument that may also be `none` or `unlimited`, which is None."""
    return None if text.lower() in ("none", UNLIMITED) else nano_of(text, parameter)


def shown_limit(amount: int | None) -> str:
    """A credit line or a limit in USD."""
    from seekroute.money import usd

    return UNLIMITED if amount is None else usd(amount)


def amounts(values: Mapping[str, int | None]) -> dict[str, Any]:
    """Each amount in USD under its name, and as an integer of nano-USD under `<name>_nano`."""
    from seekroute.money import usd

    shown: dict[str, Any] = {}
    for name, amount in values.items():
        shown[name] = None if amount is None else usd(amount)
        shown[f"{name}_nano"] = amount
    return shown


def margin(row: Mapping[str, Any]) -> int | None:
    """What is left of a charge, or of their sum, once the provider is paid, in nano-USD.

    Refunds are not taken off: totals of days are of what was charged, and this means the same of a
    request, a day and a key. A refund is shown beside it.
    """
    cost, upstream = row.get("cost"), row.get("upstream_cost")
    if cost is None or upstream is None:
        return None
    return int(cost) - int(upstream)


def org_names(control: ControlPlane) -> dict[str, str]:
    """Names of organizations by id. An id that is not in it is shown as it is."""
    return {org.id: org.name for org in control.orgs.list()}


def line_fields(org: Organization) -> dict[str, Any]:
    """An organization's credit line as it is shown."""
    return {
        "credit_line": shown_limit(org.credit_line_nano),
        "credit_line_nano": org.credit_line_nano,
    }


def without_repeats(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What of `fields` a person reads: no empty ones, no amounts and names a second time."""
    return {
        name: value
        for name, value in fields.items()
        if value not in (None, "") and not name.endswith(("_nano", "_id", "_us"))
    }
