"""How many bytes of request bodies may be in this process at once, and who may send how many.

A body is in memory from its first byte until its answer begins, for another provider may have to
get it, and while it is sent it is there twice. Without a bound a few hundred of the largest would
take all the memory there is, also such as never become complete.

Bytes are taken as they arrive: who declares much and sends little occupies little. What a body
will take is known from its head all the same, so one that would not fit beside what is there is
refused before its bytes. Several that were let in may still be too many later. Nothing waits then:
a body that finds no room for its next bytes takes that of the youngest which is still arriving
under the same bound, and where it is itself the youngest it is refused. So no two wait for one
another, and the oldest gives way only to bodies that are whole, which are not taken back.

Keys cost nothing: whoever has one may have many. So an organization has a bound like a key's. Those
of which the ledger knows no credit share one small bound, at whose end is a 402: what is free can
still be asked for, and takes no room from those who pay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from seekroute.server.answers import Refusal

# A body of up to so many bytes is not counted: connections are bounded, and so are these.
UNCOUNTED_BYTES: Final = 64 * 1024

# The core lets go of a body that is larger than this as soon as its last provider has been asked.
# It keeps a smaller one to the end of the answer, see kMaxKeptBody.
_KEPT_BYTES: Final = 2 * 1024 * 1024

# Of one key, and of one organization, so many times their bound may be on the way: of more the most
# would give way after they were read, and all of them would be read beside everybody's requests.
_PROMISES: Final = 2
_LATER: Final = "send it again when others are answered"
_FULL: Final = f"this gateway holds as many bytes of requests as it may; {_LATER}"
_UNPAID: Final = (
    "this organization has no credit, and the large requests of such are taken one by one: add "
    "credit, or send a smaller request"
)


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
        self._per_key = per_key
        self._per_org = per_org
        self._all = _Share(total, "overloaded", _FULL)
        self._unpaid = _Share(unpaid, "insufficient_credits", _UNPAID)
        # By id, and no id without leases. Ids of keys and of organizations are never the same.
        self._of: dict[str, _Share] = {}

    @property
    def taken(self) -> int:
        """Bytes that are there."""
        return self._all.taken

    @property
    def senders(self) -> int:
        """How many keys and organizations have bodies."""
        return len(self._of)

    def open(
        self, sender: Sender, size: int, give_way: Callable[[Refusal], None] | None = None
    ) -> Lease:
        """Lets a body in, of which nothing has come yet.

        Args:
            sender: whose it is.
            size: what it will be, or has come to already.
            give_way: called, at most once, when its bytes are taken from it; its body must then be
                forgotten. None: they are never taken.

        Raises:
            Refusal: it does not fit beside what is there: `insufficient_credits` of those that
                have no credit, else `overloaded`.
        """
        shares = list(self._shares(sender))
        for share in shares:
            if share.taken + size > share.bound or share.is_promised(size):
                self._forget(sender)
                raise share.refusal()
        return Lease(self, sender, shares, size, give_way)

    def _shares(self, sender: Sender) -> Iterator[_Share]:
        """The bounds that a body of `sender` is under, the narrowest first."""
        key_id, org, pays = sender
        if not pays:
            yield self._unpaid
        if key_id:
            yield self._share(key_id, "this key", self._per_key)
        if org:
            yield self._share(org, "this organization", self._per_org)
        yield self._all

    def _share(self, id: str, who: str, bound: int) -> _Share:
        share = self._of.get(id)
        if share is None:
            text = (
                f"{who} sends as many bytes of large requests at once as it may ({bound}); {_LATER}"
            )
            share = self._of[id] = _Share(bound, "overloaded", text, _PROMISES * bound)
        return share

    def _forget(self, sender: Sender) -> None:
        for id in (sender.key_id, sender.org):
            share = self._of.get(id)
            if share is not None and not share.leases:
                del self._of[id]


class _Share:
    """What is taken under one bound."""

    __slots__ = ("_code", "_promises", "_text", "arriving", "bound", "leases", "promised", "taken")

    def __init__(self, bound: int, code: str, text: str, promises: int = 0) -> None:
        self._promises = promises
        self._code = code
        self._text = text
        self.bound = bound
        self.taken = 0
        self.promised = 0  # what those that arrive have declared and not sent
        self.leases = 0  # open ones, also without bytes
        # With bytes, not whole, and able to give way; the oldest first.
        self.arriving: dict[Lease, None] = {}

    def is_promised(self, size: int) -> bool:
        """Whether one of `size` more would be too many at once."""
        return 0 < self._promises < self.taken + self.promised + size

    def refusal(self) -> Refusal:
        """What is said to a body that is too much."""
        return Refusal(self._code, self._text, close=True)

    def younger(self, lease: Lease, size: int) -> list[Lease]:
        """The youngest, whose bytes together make room for `size` more of `lease`.

        Raises:
            Refusal: those that are younger do not have so many.
        """
        lacking = self.taken + size - self.bound
        found: list[Lease] = []
        if lacking > 0 and lease not in self.arriving:
            raise self.refusal()
        for each in reversed(self.arriving):
            if lacking <= 0:
                break
            if each is lease:
                raise self.refusal()
            found.append(each)
            lacking -= each.size
        if lacking > 0:
            raise self.refusal()
        return found


class Lease:
    """The bytes of one body. Event loop thread only."""

    __slots__ = ("_budget", "_give_way", "_open", "_promised", "_sender", "_shares", "size")

    def __init__(
        self,
        budget: BodyBudget,
        sender: Sender,
        shares: list[_Share],
        promised: int,
        give_way: Callable[[Refusal], None] | None,
    ) -> None:
        self._budget = budget
        self._sender = sender
        self._shares = shares
        self._give_way = give_way
        self.size = 0
        self._promised = promised  # and not here yet
        self._open = True
        for share in shares:
            share.leases += 1
            share.promised += promised

    def grow(self, size: int) -> None:
        """Takes `size` bytes more, if need be those of younger bodies that are still arriving.

        Raises:
            Refusal: as `BodyBudget.open`. What was taken before still is.
        """
        if not self._open:
            raise Refusal("overloaded", _FULL, close=True)
        for share in self._shares:
            for each in share.younger(self, size):
                each._lose(share.refusal())
        came = min(size, self._promised)
        self._promised -= came
        for share in self._shares:
            share.taken += size
            share.promised -= came
            if self._give_way is not None:
                share.arriving[self] = None
        self.size += size

    def arrived(self) -> None:
        """The body is whole: it does not give way any more."""
        self._give_way = None
        for share in self._shares:
            share.arriving.pop(self, None)

    def answered(self) -> None:
        """Its only provider has it, or the answer has begun: the core keeps no large body more."""
        if self.size > _KEPT_BYTES:
            self.release()

    def release(self) -> None:
        """Gives the bytes back. Idempotent."""
        if not self._open:
            return
        self._open = False
        self.arrived()
        for share in self._shares:
            share.taken -= self.size
            share.promised -= self._promised
            share.leases -= 1
        self._budget._forget(self._sender)

    def _lose(self, refusal: Refusal) -> None:
        give_way = self._give_way
        self.release()
        if give_way is not None:
            give_way(refusal)
