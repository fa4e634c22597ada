"""How many requests that lack the rest of their body one key, and one organization, may have.

Such a request has a connection to itself, for as long as its body may take. Without a bound one key
could hold every connection there is with a few bytes on each. So whoever has shown a key has a
number of them, and whoever the ledger knows no credit of a small one: who pays nothing is not to
keep out who pays. Requests that come whole, as nearly all do, are none of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from seekroute.server.answers import Refusal

if TYPE_CHECKING:
    from seekroute.server.limits import Limits

# What of all connections they may be at most, where these are few.
_OF_KEY: Final = 8
_OF_ORG: Final = 4
_OF_UNPAID: Final = 64


class Ticket(NamedTuple):
    """Whose request it is."""

    key_id: str
    org: str


class UnfinishedRequests:
    """Counts them by key and by organization. Event loop thread only.

    Holds one number for each key and organization that has any; there are no more than connections.
    """

    def __init__(self, limits: Limits) -> None:
        def bound(most: int, part: int) -> int:
            return max(1, min(most, limits.max_connections // part))

        self._unpaid = bound(limits.max_unfinished_unpaid, _OF_UNPAID)
        self._per_key = max(self._unpaid, bound(limits.max_unfinished_per_key, _OF_KEY))
        self._per_org = max(self._per_key, bound(limits.max_unfinished_per_org, _OF_ORG))
        # Ids of keys and of organizations are never the same.
        self._of: dict[str, int] = {}

    @property
    def senders(self) -> int:
        """How many keys and organizations have any."""
        return len(self._of)

    def enter(self, key_id: str, org: str) -> Ticket:
        """Counts one more, which is to `leave()`.

        Raises:
            Refusal: `rate_limit_exceeded`: the key or the organization has as many as it may.
        """
        if self._of.get(key_id, 0) >= self._per_key:
            raise _too_many("this key", self._per_key)
        if self._of.get(org, 0) >= self._per_org:
            raise _too_many("this organization", self._per_org)
        for id in (key_id, org):
            self._of[id] = self._of.get(id, 0) + 1
        return Ticket(key_id, org)

    def asks_for_credit(self, ticket: Ticket) -> bool:
        """Whether it matters of this one if its organization has credit."""
        return self._of[ticket.org] > self._unpaid

    def check(self, ticket: Ticket, *, pays: bool) -> None:
        """Decides about one for which it does.

        Raises:
            Refusal: `rate_limit_exceeded`. It still counts.
        """
        if not pays and self.asks_for_credit(ticket):
            raise _too_many("this organization has no credit, and", self._unpaid)

    def leave(self, ticket: Ticket) -> None:
        """Its body is whole, or it has ended."""
        for id in ticket:
            left = self._of[id] - 1
            if left:
                self._of[id] = left
            else:
                del self._of[id]


def _too_many(who: str, bound: int) -> Refusal:
    return Refusal(
        "rate_limit_exceeded",
        f"{who} has as many requests without the rest of their body as it may ({bound}); send "
        "bodies whole, or wait until others are complete",
        close=True,
    )
