"""How many bytes of request bodies may be in this process at once, and who may send how many.

A body is in memory from its first byte until its answer begins, for another provider may have to
get it, and while it is sent it is there twice. Without a bound a few hundred of the largest would
take all the memory there is, also such as never become complete. What a body will take is known
from its head, so a refusal comes before its bytes.

Keys cost nothing: whoever has one may have many. So an organization has a bound like a key's. Those
of which the ledger knows no credit share one small bound, at whose end is a 402: what is free can
still be asked for, and takes no room from those who pay.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from seekroute.server.answers import Refusal

# A body of up to so many bytes is not counted: connections are bounded, and so are these.
UNCOUNTED_BYTES: Final = 64 * 1024

# The core lets go of a body that is larger than this as soon as its last provider has been asked.
# It keeps a smaller one to the end of the answer, see kMaxKeptBody.
_KEPT_BYTES: Final = 2 * 1024 * 1024


class Sender(NamedTuple):
    """Whose body it is. Empty ids where no key is needed: these have the total alone."""

    key_id: str
    org: str
    pays: bool = True  # False: the organization has no credit, as far as is known before a hold


class BodyBudget:
    """Gives out bytes. Event loop thread only; nothing waits for them.

    Args:
        total: bytes of all callers.
        per_key: bytes of one API key.
        per_org: bytes of one organization, of all its keys.
        unpaid: bytes of all organizations together that have no credit.
    """

    def __init__(self, *, total: int, per_key: int, per_org: int, unpaid: int) -> None:
        self._total = total
        self._per_key = per_key
        self._per_org = per_org
        self._most_unpaid = unpaid
        # By id, and no id without bytes. Ids of keys and of organizations are never the same.
        self._of: dict[str, int] = {}
        self._unpaid = 0
        self.taken = 0

    @property
    def senders(self) -> int:
        """How many keys and organizations have bytes."""
        return len(self._of)

    def take(self, sender: Sender, size: int) -> Lease:
        """Takes `size` bytes, to be released by the lease.

        Raises:
            Refusal: there are not so many left: `insufficient_credits` of those that have no
                credit, else `overloaded`.
        """
        lease = Lease(self, sender)
        lease.grow(size)
        return lease

    def _add(self, sender: Sender, size: int) -> None:
        key_id, org, pays = sender
        if not pays and self._unpaid + size > self._most_unpaid:
            raise Refusal(
                "insufficient_credits",
                "this organization has no credit, and the large requests of such are taken one "
                "by one: add credit, or send a smaller request",
                close=True,
            )
        if key_id and self._of.get(key_id, 0) + size > self._per_key:
            raise _too_many("this key", self._per_key)
        if org and self._of.get(org, 0) + size > self._per_org:
            raise _too_many("this organization", self._per_org)
        if self.taken + size > self._total:
            raise Refusal(
                "overloaded",
                "this gateway holds as many bytes of requests as it may; send it again in a moment",
                close=True,
            )
        self.taken += size
        self._count(sender, size)

    def _give_back(self, sender: Sender, size: int) -> None:
        self.taken -= size
        self._count(sender, -size)

    def _count(self, sender: Sender, size: int) -> None:
        if not sender.pays:
            self._unpaid += size
        for id in (sender.key_id, sender.org):
            if id:
                now = self._of.get(id, 0) + size
                if now:
                    self._of[id] = now
                else:
                    del self._of[id]


def _too_many(who: str, bound: int) -> Refusal:
    return Refusal(
        "overloaded",
        f"{who} sends as many bytes of large requests at once as it may ({bound}); send it again "
        "when others are answered",
        close=True,
    )


class Lease:
    """The bytes of one body. Event loop thread only."""

    __slots__ = ("_budget", "_sender", "_size")

    def __init__(self, budget: BodyBudget, sender: Sender) -> None:
        self._budget = budget
        self._sender = sender
        self._size = 0

    def grow(self, size: int) -> None:
        """Takes `size` bytes more.

        Raises:
            Refusal: as `BodyBudget.take`. What was taken before still is.
        """
        self._budget._add(self._sender, size)
        self._size += size

    def answered(self) -> None:
        """The answer has begun: the core keeps no large body any more."""
        if self._size > _KEPT_BYTES:
            self.release()

    def release(self) -> None:
        """Gives the bytes back. Idempotent."""
        size, self._size = self._size, 0
        if size:
            self._budget._give_back(self._sender, size)
