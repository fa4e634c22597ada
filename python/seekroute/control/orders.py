"""Orders: what commands ask of the owner of the ledger.

One process writes the ledger, usually a running server. A command puts its order into control.db,
and whoever owns the ledger books it under the order's id, once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from seekroute.control import checks
from seekroute.control.errors import ControlError
from seekroute.control.models import (
    CreditOrder,
    Organization,
    api_keys,
    credit_orders,
    meta,
    new_id,
    organizations,
)
from seekroute.control.queries import PAYMENTS, add, announce, find_org, rows
from seekroute.local_org import OWN_ORGS

if TYPE_CHECKING:
    from seekroute.control.audit import Actor, AuditLog
    from seekroute.control.database import Database
    from seekroute.ledger import Ledger

# What an id begins with that is made here. Of a top-up it is where the payment came from.
_SOURCES = {
    "topup": "manual",
    "adjust": "adjust",
    "chargeback": "chargeback",
    "refund": "refund",
    "prune": "prune",
}
# And of a refund that the gateway itself gives: behind it the generation, which makes it one.
UNDELIVERED = "undelivered:"
_LEDGER_ID = "ledger"  # in the table of facts
_WHAT = ("kind", "org_id", "generation", "amount_nano", "older_than_ms", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an order; the fields are those of `CreditOrder`."""

    state: str
    result: str
    available_nano: int | None = None
    held_nano: int | None = None
    owed_nano: int | None = None
    pruned_entries: int | None = None
    pruned_requests: int | None = None
    error: str | None = None


def new_order_id(kind: str) -> str:
    """An id for an order that has none of its own: what it is, and 128 random bits."""
    return f"{_SOURCES[kind]}:{secrets.token_hex(16)}"


class OrderBook:
    """The orders in control.db. Thread-safe; blocks on the disk. Part of a `ControlPlane`.

    Every method raises ControlError: a value is not acceptable, or the database failed.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from seekroute.control import ControlPlane
        >>> from seekroute.money import nano
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     with ControlPlane(Path(directory)) as control:
        ...         org = control.orgs.create("acme")
        ...         order = control.orders.put("topup", org="acme", amount_nano=nano("5"))
        ...         order.state, [each.id == order.id for each in control.orders.pending(10)]
        ('pending', [True])
    """

    def __init__(
        self, database: Database, now: Callable[[], int], audit: AuditLog | None = None
    ) -> None:
        self._database = database
        self._now = now
        self._audit = audit

    def backup(self, path: Path) -> None:
        """Copy control.db as of one moment; `path` must not exist."""
        self._database.backup(path)

    def put(
        self,
        kind: str,
        *,
        id: str | None = None,
        org: str | None = None,
        generation: str | None = None,
        amount_nano: int | None = None,
        older_than_ms: int | None = None,
        note: str = "",
        by: Actor | None = None,
    ) -> CreditOrder:
        """Give an order. Repeated with the same id and arguments, it is the one that there is.

        Args:
            kind: `topup`, `adjust`, `chargeback`, `refund` or `prune`.
            id: what makes it happen once; by default a random one. An id whose order was refused
                may be used again.
            org: id or name, of top-ups, adjustments and chargebacks.
            generation: of refunds.
            amount_nano: nano-USD; positive, but for adjustments and chargebacks.
            older_than_ms: of prunes, milliseconds since 1970.
            note: why; needed for adjustments and chargebacks.
            by: who gives it.
        """
        if kind not in _SOURCES:
            raise ControlError(f"there is no order {kind!r}")
        changes_credit = kind in ("adjust", "chargeback")
        note = checks.note(note, needed=changes_credit)
        if kind != "prune":
            checks.amount(amount_nano, negative_too=changes_credit)
        order_id = new_order_id(kind) if id is None else id
        if order_id.startswith(UNDELIVERED):
            raise ControlError(
                f"ids that begin with {UNDELIVERED} are those of refunds that the gateway gives by "
                "itself: choose another id"
            )
        with self._database.write() as connection:
            whose = None if org is None else find_org(connection, org).id
            values = {
                "kind": kind,
                "org_id": whose,
                "generation": generation,
                "amount_nano": amount_nano,
                "older_than_ms": older_than_ms,
                "note": note,
            }
            found = _find(connection, checks.order_id(order_id))
            if found is not None and found.state != "refused":
                if any(getattr(found, name) != values[name] for name in _WHAT):
                    raise ControlError(
                        f"id {order_id!r} was already used for a different order, which is "
                        f"{found.state}: choose another id"
                    )
                return found
            if found is not None:  # it has booked nothing, so its id is free
                connection.execute(delete(credit_orders).where(credit_orders.c.n == found.n))
            values |= {"id": order_id, "created_at": self._now(), "state": "pending"}
            connection.execute(insert(credit_orders).values(values))
            if self._audit is not None:
                told = {name: value for name, value in values.items() if value is not None}
                self._audit.note(connection, by, "order.put", order_id, org=whose, after=told)
            if kind == "topup":  # from now on its keys pay for no stand-in
                announce(connection, api_keys.c.org_id == values["org_id"])
            return _one(connection, order_id)

    def first_payer(self) -> str:
        """The name of an organization that has paid, or is about to; empty where none has."""
        payer = organizations.c.id == credit_orders.c.org_id
        query = select(organizations.c.name).where(payer, PAYMENTS).limit(1)
        with self._database.read() as connection:
            return connection.scalar(query) or ""

    def put_undelivered(self, charges: Mapping[str, int]) -> None:
        """Give orders to refund what was charged for answers that the gateway itself has cut.

        Args:
            charges: nano-USD by generation. All are durable together, or none is.
        """
        shared = {"kind": "refund", "note": "the answer was not delivered", "state": "pending"}
        with self._database.write() as connection:
            for generation, amount in charges.items():
                order_id = checks.order_id(UNDELIVERED + generation)
                if _find(connection, order_id) is None:
                    values = {
                        "id": order_id,
                        "generation": generation,
                        "amount_nano": checks.amount(amount, negative_too=False),
                        "created_at": self._now(),
                    }
                    connection.execute(insert(credit_orders).values(values | shared))

    def find(self, order_id: str) -> CreditOrder | None:
        """One order, if there is one of this id."""
        with self._database.read() as connection:
            return _find(connection, order_id)

    def get(self, order_id: str) -> CreditOrder:
        """One order."""
        with self._database.read() as connection:
            return _one(connection, order_id)

    def list(
        self,
        *,
        pending: bool = False,
        limit: int = 100,
        org_id: str | None = None,
        before: int | None = None,
    ) -> list[CreditOrder]:
        """The latest orders, newest first.

        Args:
            pending: only those that wait.
            limit: the most orders.
            org_id: leave out those of other organizations; of refunds only the ledger knows.
            before: only those whose number `n` is smaller.
        """
        table = credit_orders
        query = select(table).order_by(table.c.n.desc()).limit(limit)
        if pending:
            query = query.where(table.c.state == "pending")
        if org_id is not None:
            query = query.where(or_(table.c.org_id == org_id, table.c.kind == "refund"))
        if before is not None:
            query = query.where(table.c.n < before)
        with self._database.read() as connection:
            return [CreditOrder(**row._mapping) for row in connection.execute(query)]

    def pending(self, limit: int) -> tuple[CreditOrder, ...]:
        """The orders that wait, in the order they are booked in. Cheap where there is none."""
        query = (
            select(credit_orders)
            .where(credit_orders.c.state == "pending")
            .order_by(credit_orders.c.n)
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(CreditOrder(**row._mapping) for row in connection.execute(query))

    def booked(self, after: int, limit: int) -> tuple[CreditOrder, ...]:
        """The next orders after number `after` that count as booked, in their order, but for
        prunes, which leave no entry."""
        table = credit_orders
        query = (
            select(table)
            .where(table.c.n > after, table.c.state == "booked", table.c.kind != "prune")
            .order_by(table.c.n)
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(CreditOrder(**row._mapping) for row in connection.execute(query))

    def known(self, ids: Collection[str]) -> dict[str, CreditOrder]:
        """Those of these orders that there are, by id. At most 10,000 are asked for."""
        query = select(credit_orders).where(credit_orders.c.id.in_(ids))
        with self._database.read() as connection:
            found = [CreditOrder(**row._mapping) for row in connection.execute(query)]
        return {order.id: order for order in found}

    def unknown_orgs(self, ledger: Ledger) -> tuple[str, ...]:
        """Ids of organizations that the ledger has entries of and control.db has not: it was lost,
        or is an older copy. Never of an organization that is made meanwhile.

        Raises:
            LedgerError: the ledger cannot be read.
        """
        found = ledger.balances()  # first: money comes after its organization
        with self._database.read() as connection:
            known = {*connection.scalars(select(organizations.c.id)), "", *OWN_ORGS}
        return tuple(sorted(found.keys() - known))

    def adopt_orgs(self, ids: Iterable[str]) -> None:
        """Make organizations of these ids, named by them, prepaid and without keys."""
        with self._database.write() as connection:
            named = set(connection.scalars(select(organizations.c.name)))
            for each in ids:
                name = each if each not in named else f"{each} {new_id('of')}"
                adopted = Organization(
                    id=each,
                    name=name,
                    created_at=self._now(),
                    updated_at=self._now(),
                    credit_line_nano=0,
                )
                add(connection, adopted)

    def ledger_id(self) -> str | None:
        """The identity of the ledger that orders are booked in; None: there never was one."""
        query = select(meta.c.value).where(meta.c.name == _LEDGER_ID)
        with self._database.read() as connection:
            found: bytes | None = connection.scalar(query)
        return None if found is None else found.decode()

    def bind_ledger(self, identity: str) -> None:
        """Write down which ledger orders are booked in from now on."""
        with self._database.write() as connection:
            connection.execute(delete(meta).where(meta.c.name == _LEDGER_ID))
            values = {"name": _LEDGER_ID, "value": identity.encode()}
            connection.execute(insert(meta).values(values))

    def org_names(self) -> dict[str, str]:
        """Names of organizations by id."""
        with self._database.read() as connection:
            return {org.id: org.name for org in rows(connection, Organization)}

    def reopen(self, order: CreditOrder) -> CreditOrder:
        """Let an order that counts as booked wait again: the ledger does not have it.

        Nothing happens twice by this: it is booked under its id, and the ledger knows which it has.
        """
        table = credit_orders
        query = update(table).where(table.c.n == order.n, table.c.state == "booked")
        values = {"state": "pending", "result": None, "finished_at": None, "error": None}
        with self._database.write() as connection:
            connection.execute(query.values(values))
            return _one(connection, order.id)

    def finish(self, order: CreditOrder, outcome: Outcome) -> None:
        """Write down what became of an order."""
        values: dict[str, Any] = {name: getattr(outcome, name) for name in outcome.__slots__}
        self._update(order, {**values, "finished_at": self._now()})

    def delay(self, order: CreditOrder, why: str) -> None:
        """Write down why an order still waits; nothing where that is known."""
        if order.error != why:
            self._update(order, {"error": why})

    def _update(self, order: CreditOrder, values: dict[str, Any]) -> None:
        table = credit_orders
        query = update(table).where(table.c.n == order.n, table.c.state == "pending")
        with self._database.write() as connection:
            connection.execute(query.values(values))


def _find(connection: Connection, order_id: str) -> CreditOrder | None:
    query = select(credit_orders).where(credit_orders.c.id == order_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else CreditOrder(**row._mapping)


def _one(connection: Connection, order_id: str) -> CreditOrder:
    found = _find(connection, order_id)
    if found is None:
        raise ControlError(f"there is no order {order_id!r}")
    return found
