"""The keys and limits of control.db in a running server: all of them once, then each change."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from seekroute.rate_limits import counts_days

if TYPE_CHECKING:
    from seekroute.control import ControlPlane, CoreKey
    from seekroute.gateway import Gateway
    from seekroute.rate_limits import LimitPlan, Limits
    from seekroute.server.day_counts import DayCounts

# Keys that are put anew under one lock, which a revoked one waits for: a page of control.db.
_AT_ONCE: Final = 1000


class KeyRights(NamedTuple):
    """What the core knows of a key: which models it may use, and what it may spend, in nano-USD."""

    models: list[str] | None  # its allow-list; None: every model
    credit_line: int | None  # of its organization; None: unlimited
    limit: int | None  # its own; None: none
    limit_reset: str | None


_NO_KEY: Final = KeyRights(None, 0, None, None)


class KeyFeed:
    """Keeps a core's keys and limits, and what the HTTP side needs of them. Thread-safe; blocks on
    the disk.

    Methods that read control.db raise ControlError.

    Args:
        control: where keys are kept.
        gateway: whose core is told.
        limits: those of the configuration.
        days: told of whom limits of a day are new.
        mocked: whether our own mock provider answers, which charges nobody who has paid.
    """

    def __init__(
        self,
        control: ControlPlane,
        gateway: Gateway,
        limits: LimitPlan,
        days: DayCounts,
        *,
        mocked: bool,
    ) -> None:
        self._control = control
        self._gateway = gateway
        self._limits = limits
        self._days = days
        self._mocked = mocked
        # Of apps, organizations, models and the gateway: what is said, and what the core was told.
        self._said: dict[tuple[str, str], Limits] = {}
        self._told: dict[tuple[str, str], Limits] = {}
        self._orgs: set[str] = set()
        self._lock = threading.Lock()  # two threads follow the changes
        # Before the keys, so that no change is missed.
        self._cursor = control.change_cursor()
        self._limit_cursor = 0
        self.seen = 0.0  # when it was last known that nothing is missing
        # How often all keys had to be put, and were.
        self._wanted, self._done = 1, 0
        self.sync()

    def rights_of(self, authorization: bytes | None) -> KeyRights:
        """Those of the key that `find_key` has found; of nobody: every model, and no money.

        The core alone keeps them: of a million keys a second copy would take more than its own.
        """
        if authorization is None:
            return _NO_KEY
        return KeyRights(*self._gateway.core.find_rights(authorization))

    def limits_of(self, key_id: str, profile: str) -> Limits:
        """What holds for a key of a profile."""
        return self._limits.of_key(self._control.limits.get("key", key_id), profile)

    @property
    def is_behind(self) -> bool:
        """Whether more than changes has to be taken over."""
        return self._wanted != self._done

    def adopt(self, limits: LimitPlan | None = None, *, mocked: bool) -> None:
        """Takes over what a new plan says of keys; None: the limits stay.

        Raises:
            ControlError: not all could be read; then `is_behind`, until a `sync()` succeeds.
        """
        limits = limits or self._limits
        if (limits, mocked) != (self._limits, self._mocked):
            with self._lock:
                self._limits, self._mocked = limits, mocked
                self._wanted += 1
            self.sync()

    def sync(self) -> None:
        """Takes over what has changed since the last look."""
        if (wanted := self._wanted) != self._done:
            self._tell_all()
            self._put_all()
            self._done = wanted
        more = True
        while more:
            with self._lock:
                self._sync_limits()
                batch = self._control.changes_since(self._cursor)
                for mac in batch.removed:
                    self._gateway.core.remove_key(mac)
                self._put(batch.keys)
                self._cursor = batch.cursor
                more = batch.more
        self.seen = time.monotonic()

    def _put_all(self) -> None:
        keys = self._control.core_keys()
        more = True
        while more:
            # A page is read and put under the lock: else it could undo what was changed meanwhile.
            with self._lock:
                page = list(itertools.islice(keys, _AT_ONCE))
                self._put(page)
            more = bool(page)

    def _put(self, keys: list[CoreKey]) -> None:
        for org in {key.org_id for key in keys} - self._orgs:  # which may have a default
            self._orgs.add(org)
            self._tell("org", org)
        # The twins of models without a price are for our own mock.
        begun = self._gateway.core.put_keys(keys, self._limits_for, stand_ins=self._mocked)
        self._days.expect_keys(keys[place] for place in begun)

    def _limits_for(self, key: CoreKey) -> Limits:
        return self._limits.of_key(key.limits, key.profile)

    # --- limits of what keys share ----------------------------------------------------------------

    def _sync_limits(self) -> None:
        while changes := self._control.limits.changed_after(self._limit_cursor):
            for change in changes:
                self._said[change.scope, change.id] = change.limits
                self._limit_cursor = change.seq
                self._tell(change.scope, change.id)

    def _tell_all(self) -> None:
        with self._lock:
            orgs = (("org", id) for id in self._orgs)
            models = (("model", id) for id in self._limits.models)
            whole = {("gateway", ""), *orgs, *models, *self._said, *self._told}
            for scope, id in sorted(whole):
                self._tell(scope, id)

    def _tell(self, scope: str, id: str) -> None:
        """Tells the core what holds of one, if that is not what it knows."""
        found = self._limits.of(scope, id, self._said.get((scope, id), {}))
        told = self._told.get((scope, id), {})
        if found != told:
            self._gateway.set_limits(scope, id, found or None)
            self._told[scope, id] = found
            if counts_days(found) and not counts_days(told):
                self._days.expect(scope, id)
