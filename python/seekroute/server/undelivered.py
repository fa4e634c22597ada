"""Answers that were settled, and that the gateway's own stop keeps from their clients.

The settlement is stored before an answer's last byte, so a stop may find an answer that is paid for
and still on its way. Whose answer it cuts then gets the money back: a refund in the journal, for
the row of a request is final. Its `Idempotency-Key` is free again with it.

Delivered is what the kernel has taken: it goes on sending when this process is gone. Nobody knows
more without an answer from the client, and HTTP/1.1 has none.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Protocol

from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.control.orders import OrderBook
    from seekroute.gateway import Record
    from seekroute.ledger import Ledger

_log: Final = logging.getLogger("seekroute.server")

# How long the stop books; what is not booked by then is by the next start.
_BOOK_S: Final = 5.0


class Settled(Protocol):
    """A request, and how it has ended once that is known."""

    @property
    def record(self) -> Record | None:
        """None: it has not ended yet."""


class Undelivered:
    """Gathers what a stop cuts, and gives the money back. At most one answer a running request,
    and those in the buffers of connections."""

    def __init__(self) -> None:
        self._cut: list[Settled] = []

    def add(self, answer: Settled) -> None:
        """The gateway itself has ended the connection before `answer` was delivered."""
        self._cut.append(answer)

    def give_back(self, orders: OrderBook, ledger: Ledger | None) -> None:
        """Books the refunds; when it returns they are durable, or the log says which are not.

        Blocks on the disk. An order is in control.db before it is booked: should the process die
        in between, the next start books it.
        """
        cut, self._cut = self._cut, []
        records = [each.record for each in cut]
        if ledger is None:
            return
        unknown = sum(record is None for record in records)
        if unknown:
            cut_off = number_of(unknown, "request was", "requests were")
            _log.error("%s cut before the end was known", cut_off)
        sent = [record for record in records if record is not None and _may_be_charged(record)]
        if not sent:
            return
        try:
            _book(sent, orders, ledger)
        except Exception as error:
            ids = ", ".join(record.generation_id for record in sent)
            _log.error("cannot give back what was not delivered of %s: %s", ids, error)


def _may_be_charged(record: Record) -> bool:
    # What was not sent, or was stopped, costs nothing, and its key is free by its settlement. A
    # stored answer that is given again was not sent either, and is paid for by its first request.
    return bool(record.org_id and record.attempts and record.error != "shutting_down")


def _book(records: list[Record], orders: OrderBook, ledger: Ledger) -> None:
    from seekroute.control.booking import book_pending
    from seekroute.control.orders import UNDELIVERED
    from seekroute.money import usd

    charges = {each.generation_id: each.cost_nano for each in records if each.cost_nano}
    orders.put_undelivered(charges)
    for each in records:
        if not each.cost_nano:  # there is only the key to be freed
            ledger.undelivered(UNDELIVERED + each.generation_id, each.generation_id, 0)
    until = time.monotonic() + _BOOK_S
    while charges and book_pending(orders, ledger) and time.monotonic() < until:
        pass
    known = orders.known([UNDELIVERED + generation for generation in charges])
    for each in records:
        order = known.get(UNDELIVERED + each.generation_id)
        what = "its Idempotency-Key is free"
        if order is not None:
            what = f"{usd(each.cost_nano)} USD given back, its Idempotency-Key is free"
            if order.state == "pending":
                what = f"{usd(each.cost_nano)} USD will be given back at the next start"
            elif order.state == "refused":
                what = f"its charge of {usd(each.cost_nano)} USD stands: {order.error}"
        _log.warning(
            "the answer of %s (request %s) was not delivered when the gateway stopped: %s",
            each.generation_id,
            each.request_id,
            what,
        )
