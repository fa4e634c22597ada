"""What limits of a day that are new, and the bound of shadow pairs, go on from: what the ledger has
of today."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

from seekroute.control import ControlError
from seekroute.local_org import OPERATOR_ORG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from seekroute.control import ControlPlane, CoreKey
    from seekroute.gateway import Gateway
    from seekroute.ledger import Ledger, Row

_DAY_S: Final = 86_400
_PAGE: Final = 1000  # rows of requests that are read at once
# Keys of an organization that are read one by one; of more, all of it is read once.
_ONE_BY_ONE: Final = 16


class _Waiting:
    """Of one organization: who is to be counted."""

    def __init__(self) -> None:
        self.whole = False  # the organization itself
        self.all_keys = False
        self.keys: set[str] = set()  # at most `_ONE_BY_ONE`, else `all_keys`
        self.apps: set[str] = set()


class DayCounts:
    """Tells a core what those have used today whose limits of a day are new. Thread-safe.

    Each is counted once. Requests that run at that moment are not in the ledger yet: what they take
    may be missing.

    Args:
        control: knows the keys of an app.
        gateway: whose core is told.
        ledger: None: there is none, and limits count from when they are set.
        now: the time in seconds since 1970.
    """

    def __init__(
        self,
        control: ControlPlane,
        gateway: Gateway,
        ledger: Ledger | None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._control = control
        self._gateway = gateway
        self._ledger = ledger
        self._now = now
        self._lock = threading.Lock()
        self._waiting: dict[str, _Waiting] = {}
        self._operator_counted = ledger is None

    def count_operator(self) -> None:
        """What second requests of shadow pairs have cost today, before this process; once. Blocks
        on the disk.

        Raises:
            LedgerError: it cannot be read; the next call tries again.
        """
        if self._operator_counted or self._ledger is None:
            return
        now = int(self._now())
        rows = self._ledger.activity(org=OPERATOR_ORG, since=now, until=now)  # of that day
        # What failed may have been charged for, too.
        spent = sum(row["upstream_cost"] + row["suspected_cost"] for row in rows)
        spent += self._given_back(self._ledger, since=now - now % _DAY_S)
        self._gateway.core.raise_shadow_spent(spent)
        self._operator_counted = True

    def _given_back(self, ledger: Ledger, since: int) -> int:
        """What was held for the operator's requests that ran when a process died: it was given back
        at a start, and nobody knows what their provider has charged."""
        found, before = 0, None
        while rows := ledger.rows(org=OPERATOR_ORG, before=before, limit=_PAGE):
            for row in rows:
                if row["created"] < since:
                    return found
                if row["state"] == "expired":
                    found += row["held"]
            before = rows[-1]["n"]
        return found

    def expect_keys(self, keys: Iterable[CoreKey]) -> None:
        """Each has a limit of a day, and had none."""
        with self._lock:
            for key in keys:
                waiting = self._waiting.get(key.org_id)
                if waiting is None:
                    waiting = self._waiting[key.org_id] = _Waiting()
                if len(waiting.keys) < _ONE_BY_ONE:
                    waiting.keys.add(key.key_id)
                else:
                    waiting.all_keys = True

    def expect(self, scope: str, id: str) -> None:
        """An organization or an app has one, and had none. Of others the ledger has no sums."""
        if scope not in ("org", "app"):
            return
        org = id
        if scope == "app":
            try:
                org = self._control.apps.get(id).org_id
            except ControlError:
                return  # limits may be said of what there is not
        with self._lock:
            waiting = self._waiting.setdefault(org, _Waiting())
            if scope == "org":
                waiting.whole = True
            else:
                waiting.apps.add(id)

    def count(self) -> None:
        """Counts who is expected. Blocks on the disk.

        Raises:
            LedgerError: it cannot be read; who was not counted is at the next call.
            ControlError: likewise.
        """
        with self._lock:
            expected, self._waiting = self._waiting, {}
        if self._ledger is None:
            return
        try:
            while expected:
                org = next(iter(expected))
                self._count(self._ledger, org, expected[org])
                del expected[org]
        finally:
            self._wait_for(expected)

    def _count(self, ledger: Ledger, org: str, waiting: _Waiting) -> None:
        day = int(self._now()) // _DAY_S
        used: dict[tuple[str, str], Counter[str]] = {}

        def add(scope: str, id: str, row: Row) -> None:
            tokens = row["prompt_tokens"] + row["completion_tokens"]
            sums = used.setdefault((scope, id), Counter())
            sums.update(requests=row["requests"], tokens=tokens)

        if waiting.all_keys or waiting.apps:
            app_of = {key: app for app in waiting.apps for key in self._control.apps.keys(app)}
            for row in ledger.day_rows(org, day, by_key=True):
                if waiting.all_keys or row["key"] in waiting.keys:
                    add("key", row["key"], row)
                if row["key"] in app_of:
                    add("app", app_of[row["key"]], row)
                add("org", org, row)
        else:
            for key in waiting.keys:
                for row in ledger.day_rows(org, day, key=key):
                    add("key", key, row)
            if waiting.whole:
                for row in ledger.day_rows(org, day):
                    add("org", org, row)
        if int(self._now()) // _DAY_S != day:
            return  # at midnight: all of them begin at zero anyway
        for (scope, id), sums in used.items():
            if scope != "org" or waiting.whole:
                self._gateway.core.raise_today(scope, org, id, sums["requests"], sums["tokens"])

    def _wait_for(self, expected: dict[str, _Waiting]) -> None:
        with self._lock:
            for org, before in expected.items():
                waiting = self._waiting.setdefault(org, _Waiting())
                waiting.whole |= before.whole
                waiting.keys |= before.keys
                waiting.all_keys |= before.all_keys or len(waiting.keys) > _ONE_BY_ONE
                waiting.apps |= before.apps
