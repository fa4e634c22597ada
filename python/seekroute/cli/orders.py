"""Orders as lists show them: whose they are, and whether the ledger has them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from seekroute.cli.money import amounts, org_names
from seekroute.cli.shared import Fields, Shared, moment

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.control.models import CreditOrder
    from seekroute.ledger import Ledger

MISSING = "missing"  # the state of an order that counts as booked and is not in the ledger


def listed(options: Shared, *, org: str | None, pending: bool, limit: int) -> list[Fields]:
    """The latest orders, newest first.

    Args:
        options: those before the command.
        org: id or name: only of this organization. Refunds are of their request's.
        pending: only those that wait.
        limit: the most orders.

    Raises ControlError, ConfigError.
    """
    rows: list[Fields] = []
    with options.open_control() as control:
        names = org_names(control)
        org_id = None if org is None else control.orgs.get(org).id
        for page in _pages(control, org_id, pending=pending, limit=limit):
            owners, missing = _in_ledger(options, page)
            for order in page:
                fields = dict(order_fields(order, names))
                owner = order.org_id or owners.get(order.id)
                if org_id not in (None, owner) or len(rows) == limit:
                    continue
                fields |= {"org": owner and names.get(owner, owner), "org_id": owner}
                rows.append({**fields, **({"state": MISSING} if order.id in missing else {})})
            if len(rows) == limit:
                break
    return rows


def _pages(
    control: ControlPlane, org_id: str | None, *, pending: bool, limit: int
) -> Iterator[list[CreditOrder]]:
    before = None
    while page := control.orders.list(pending=pending, limit=limit, org_id=org_id, before=before):
        yield page
        before = page[-1].n


def _in_ledger(
    options: Shared, orders: Sequence[CreditOrder]
) -> tuple[dict[str, str | None], set[str]]:
    """Whose the refunds are, by id, and the ids of what counts as booked and is not there."""
    from seekroute.ledger import FILE_NAME, Ledger, LedgerError

    booked = [order for order in orders if order.state == "booked" and order.kind != "prune"]
    path = options.folder() / FILE_NAME
    if not os.path.exists(path):
        return {}, {order.id for order in booked}
    try:
        with Ledger(path, read_only=True) as ledger:
            entries = ledger.find_orders([(order.kind, order.id) for order in booked])
            refunds = [order for order in orders if order.kind == "refund"]
            owners = {order.id: _owner(ledger, order.generation or "") for order in refunds}
    except LedgerError:  # the list is of control.db: it can be seen all the same
        return {}, set()
    found = zip(booked, entries, strict=True)
    return owners, {order.id for order, entry in found if entry is None}


def _owner(ledger: Ledger, generation: str) -> str | None:
    row = ledger.generation(generation)
    return None if row is None else row["org"]


def order_fields(order: CreditOrder, names: dict[str, str]) -> Fields:
    """An order as it is shown."""
    shown: dict[str, Any] = {
        "id": order.id,
        "kind": order.kind,
        "org": None if order.org_id is None else names.get(order.org_id, order.org_id),
        "org_id": order.org_id,
        "generation": order.generation,
        **amounts({"amount": order.amount_nano}),
        "older_than": moment(order.older_than_ms and order.older_than_ms // 1000),
        "note": order.note,
        "state": order.state,
        "result": order.result,
        **amounts(
            {
                "available": order.available_nano,
                "held": order.held_nano,
                "owed": order.owed_nano,
            }
        ),
        "pruned_entries": order.pruned_entries,
        "pruned_requests": order.pruned_requests,
        "created_at": moment(order.created_at),
        "finished_at": moment(order.finished_at),
        "error": order.error,
    }
    return shown
