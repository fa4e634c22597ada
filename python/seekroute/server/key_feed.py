"""The keys of control.db in a running server: all of them once, then each change."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.gateway import Gateway

# Keys that are put anew under one lock, which a revoked one waits for: a page of control.db.
_AT_ONCE: Final = 1000


class KeyMoney(NamedTuple):
    """What a key may spend, in nano-USD."""

    credit_line: int | None  # of its organization; None: unlimited
    limit: int | None  # its own; None: none
    limit_reset: str | None


_NO_MONEY: Final = KeyMoney(0, None, None)


class KeyFeed:
    """Keeps a core's keys, and what the HTTP side needs of them. Thread-safe; blocks on the disk.

    Methods that read control.db raise ControlError.

    Args:
        control: where keys are kept.
        gateway: whose core is told.
        mocked: whether our own mock provider answers, which charges nobody who has paid.
    """

    def __init__(self, control: ControlPlane, gateway: Gateway, *, mocked: bool) -> None:
        self._control = control
        self._gateway = gateway
        self._mocked = mocked
        self._models: dict[str, list[str] | None] = {}
        self._money: dict[str, KeyMoney] = {}
        self._lock = threading.Lock()  # two threads follow the changes
        self._cursor = control.change_cursor()  # before the keys, so that no change is missed
        self.put_all(mocked=mocked)

    def models_of(self, key_id: str) -> list[str] | None:
        """The key's allow-list; None allows every model."""
        return self._models.get(key_id)

    def money_of(self, key_id: str) -> KeyMoney:
        """What the key may spend, as the core knows it."""
        return self._money.get(key_id, _NO_MONEY)

    def put_all(self, *, mocked: bool) -> None:
        """Puts every key anew, for what holds for all of them."""
        keys = self._control.core_keys()
        more = True
        while more:
            # A page is read and put under the lock: else it could undo what was changed meanwhile.
            with self._lock:
                self._mocked = mocked
                page = list(itertools.islice(keys, _AT_ONCE))
                for mac, key in page:
                    self._put(mac, key)
            more = bool(page)
        self.seen = time.monotonic()  # when it was last known that nothing is missing

    def sync(self) -> None:
        """Takes over what has changed since the last look."""
        more = True
        while more:
            with self._lock:
                batch = self._control.changes_since(self._cursor)
                for mac, key in batch.changes:
                    if key is None:
                        self._gateway.core.remove_key(mac)
                    else:
                        self._put(mac, key)
                self._cursor = batch.cursor
                more = batch.more
        self.seen = time.monotonic()

    def _put(self, mac: bytes, key: dict[str, Any]) -> None:
        id = key["key_id"]
        self._models[id] = key["models"]
        # The twins of models without a price are for our own mock.
        key["has_paid"] = key["has_paid"] and self._mocked
        self._money[id] = KeyMoney(
            key.get("credit_line_nano", 0), key.get("limit_nano"), key.get("limit_reset")
        )
        self._gateway.core.put_key(mac, key)
