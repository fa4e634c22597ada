"""What control.db counts as booked, beside what the ledger has.

The two are files of their own, and each can be restored from an older copy. Booked is what is in
the ledger; where control.db says otherwise, this finds it. Both are read in pages, so memory is
bounded whatever their size, and while a server writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from seekroute.control.models import CreditOrder
from seekroute.control.orders import OrderBook
from seekroute.ledger import Ledger, Row
from seekroute.money import usd

__all__ = [
    "DIFFERENCES",
    "MOST_NAMED",
    "PAGE",
    "Comparison",
    "Difference",
    "booked_pages",
    "compare",
    "differences",
    "entries_of",
    "is_entry_of",
    "lacking_text",
]

PAGE: Final = 500  # orders in memory at once, of either side
MOST_NAMED: Final = 100  # of each kind of difference; the others are counted

_What = Literal["missing", "differing", "unknown"]

# What people are told before each of them.
DIFFERENCES: Final[dict[_What, str]] = {
    "missing": "missing in the ledger",
    "differing": "another one in the ledger",
    "unknown": "not known to control.db",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An order on which the two do not agree.

    Attributes:
        what: `missing`: control.db says that it is booked, and the ledger does not have it.
            `differing`: the ledger has another one under its id. `unknown`: the ledger has it, and
            control.db has no such order.
        org_id: whose balance; None of a missing refund, whose request alone is known.
        amount_nano: nano-USD.
    """

    what: _What
    kind: str
    id: str
    org_id: str | None
    generation: str | None
    amount_nano: int

    def told(self, names: dict[str, str]) -> str:
        """One line for people."""
        whose = names.get(self.org_id or "", self.org_id) or self.generation
        return f"{self.kind} {self.id} of {whose}: {usd(self.amount_nano)} USD"


@dataclass(slots=True)
class Comparison:
    """All differences: how many, and the first of them.

    Attributes:
        compared: orders of control.db that were looked for.
        missing_nano: what the missing orders sum up to, in nano-USD.
        unknown_orgs: ids of organizations that only the ledger knows.
    """

    compared: int = 0
    missing_nano: int = 0
    unknown_orgs: tuple[str, ...] = ()
    counts: dict[str, int] = field(
        default_factory=lambda: {"missing": 0, "differing": 0, "unknown": 0}
    )
    named: dict[str, list[Difference]] = field(
        default_factory=lambda: {"missing": [], "differing": [], "unknown": []}
    )

    @property
    def lacking(self) -> int:
        """How many orders count as booked that the ledger does not have as they were given."""
        return self.counts["missing"] + self.counts["differing"]


def lacking_text(found: Comparison) -> str:
    """How many orders the ledger does not have as they were given, and what to do about either
    kind; without names, and empty where there are none."""
    missing, differing = found.counts["missing"], found.counts["differing"]
    parts = []
    if missing:
        noun = "order counts" if missing == 1 else "orders count"
        parts.append(
            f"{missing} {noun} as booked and {'is' if missing == 1 else 'are'} not in the ledger, "
            f"{usd(found.missing_nano)} USD in sum: seekroute credits replay books again what is "
            "missing"
        )
    if differing:
        noun = "order has" if differing == 1 else "orders have"
        parts.append(f"{differing} {noun} other arguments in the ledger: adjust by hand")
    return "; ".join(parts)


def compare(
    orders: OrderBook, ledger: Ledger, *, between: Callable[[], object] = lambda: None
) -> Comparison:
    """Compares both sides whole.

    Args:
        orders: of the control plane.
        ledger: the file beside it; for reading is enough.
        between: called after each page; what it raises ends the comparison.

    Raises:
        ControlError: control.db cannot be read.
        LedgerError: the ledger cannot be read.
    """
    found = Comparison(unknown_orgs=orders.unknown_orgs(ledger))

    def page_read(count: int) -> None:
        found.compared += count
        between()

    for each in differences(orders, ledger, page_read=page_read):
        found.counts[each.what] += 1
        if each.what == "missing":
            found.missing_nano += each.amount_nano
        if len(found.named[each.what]) < MOST_NAMED:
            found.named[each.what].append(each)
    return found


def differences(
    orders: OrderBook, ledger: Ledger, *, page_read: Callable[[int], object] = lambda count: None
) -> Iterator[Difference]:
    """Every difference: first what the ledger lacks, in the order in which it was given.

    An order is booked before control.db says so, and given before it is booked. So each side is
    read before it is looked up in the other, and what happens meanwhile is no difference.
    """
    for page in booked_pages(orders):
        for order, entry in zip(page, entries_of(ledger, page), strict=True):
            if entry is None:
                yield _of_order("missing", order)
            elif not is_entry_of(entry, order):
                yield _of_order("differing", order)
        page_read(len(page))
    for rows in ledger.order_pages(PAGE):
        known = orders.known([row["id"] for row in rows])
        for row in rows:
            given = known.get(row["id"])
            if given is None or given.state == "refused" or not _same_kind(row, given):
                yield Difference(
                    what="unknown",
                    kind=row["kind"],
                    id=row["id"],
                    org_id=row["org"],
                    generation=row["generation"] or None,
                    amount_nano=row["amount"],
                )
        page_read(0)


def booked_pages(orders: OrderBook) -> Iterator[tuple[CreditOrder, ...]]:
    """What control.db counts as booked, in the order in which it was given."""
    after = 0
    while page := orders.booked(after, PAGE):
        yield page
        after = page[-1].n


def entries_of(ledger: Ledger, page: tuple[CreditOrder, ...]) -> list[Row | None]:
    """What the ledger has of each order."""
    return ledger.find_orders([(order.kind, order.id) for order in page])


def is_entry_of(entry: Row, order: CreditOrder) -> bool:
    """Whether an entry is what this order books: as the ledger itself tells `exists`."""
    if entry["kind"] != order.kind or entry["amount"] != order.amount_nano:
        return False
    if order.kind == "refund":
        return bool(entry["generation"] == order.generation)
    noted = order.note if order.kind in ("adjust", "chargeback") else ""
    return bool(entry["org"] == order.org_id and entry["note"] == noted)


def _same_kind(row: Row, order: CreditOrder) -> bool:
    return bool(_entry_kind(row["kind"]) == _entry_kind(order.kind))


def _entry_kind(kind: str) -> str:
    # Both are entries of one kind, which has each id once.
    return "adjust" if kind == "chargeback" else kind


def _of_order(what: _What, order: CreditOrder) -> Difference:
    values: dict[str, Any] = {
        name: getattr(order, name) for name in ("kind", "id", "org_id", "generation")
    }
    return Difference(what=what, amount_nano=order.amount_nano or 0, **values)
