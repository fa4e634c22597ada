"""How many bytes of request bodies may be in this process at once: of all callers, and of one key.

A body is in memory from its first byte until its provider has it, and while it is sent it is there
twice. Without a bound a few hundred of the largest would take all the memory there is, also such as
never become complete. What a body will take is known from its head, so a refusal comes before its
bytes.
"""

from __future__ import annotations

from typing import Final

from seekroute.server.answers import Refusal

# A body of up to so many bytes is not counted: connections are bounded, and so are these.
UNCOUNTED_BYTES: Final = 64 * 1024

# The core lets go of a body that is larger than this as soon as its last provider has been asked.
# It keeps a smaller one to the end of the answer, see kMaxKeptBody.
_KEPT_BYTES: Final = 2 * 1024 * 1024


class BodyBudget:
    """Gives out bytes. Event loop thread only; nothing waits for them.

    Args:
        total: bytes of all callers.
        per_key: bytes of one API key. Callers without a key have the total alone.
    """

    def __init__(self, total: int, per_key: int) -> None:
        self._total = total
        self._per_key = per_key
        self._of_key: dict[str, int] = {}
        self.taken = 0

    @property
    def keys(self) -> int:
        """How many keys have bytes."""
        return len(self._of_key)

    def take(self, key_id: str, size: int) -> Lease:
        """Takes `size` bytes, to be released by the lease.

        Raises:
            Refusal: `overloaded`, there are not so many left.
        """
        lease = Lease(self, key_id)
        lease.grow(size)
        return lease

    def _add(self, key_id: str, size: int) -> None:
        of_key = self._of_key.get(key_id, 0) + size
        if key_id and of_key > self._per_key:
            raise Refusal(
                "overloaded",
                "this key sends as many bytes of large requests at once as it may "
                f"({self._per_key}); send it again when others are answered",
                close=True,
            )
        if self.taken + size > self._total:
            raise Refusal(
                "overloaded",
                "this gateway holds as many bytes of requests as it may; send it again in a moment",
                close=True,
            )
        self.taken += size
        if key_id:
            self._of_key[key_id] = of_key

    def _give_back(self, key_id: str, size: int) -> None:
        self.taken -= size
        if key_id:
            left = self._of_key[key_id] - size
            if left:
                self._of_key[key_id] = left
            else:
                del self._of_key[key_id]


class Lease:
    """The bytes of one body. Event loop thread only."""

    __slots__ = ("_budget", "_key_id", "_size")

    def __init__(self, budget: BodyBudget, key_id: str) -> None:
        self._budget = budget
        self._key_id = key_id
        self._size = 0

    def grow(self, size: int) -> None:
        """Takes `size` bytes more.

        Raises:
            Refusal: as `BodyBudget.take`. What was taken before still is.
        """
        self._budget._add(self._key_id, size)
        self._size += size

    def answered(self) -> None:
        """The provider has the body: the core keeps no large one any more."""
        if self._size > _KEPT_BYTES:
            self.release()

    def release(self) -> None:
        """Gives the bytes back. Idempotent."""
        size, self._size = self._size, 0
        if size:
            self._budget._give_back(self._key_id, size)
