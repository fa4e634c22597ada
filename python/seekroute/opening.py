"""Opens a gateway: the one way, for a server and for a client that has one in its process.

Alone among the modules of the root this one imports packages: what joins the parts stands above
them. Whoever serves or asks is above it in turn, so nothing here imports `server/` or `client/`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from seekroute import forks
from seekroute.closable import Closable
from seekroute.gateway import Gateway
from seekroute.routing_state import RoutingState

if TYPE_CHECKING:
    from seekroute.api.models import ModelList
    from seekroute.control import ControlPlane
    from seekroute.ledger import Ledger
    from seekroute.plan import Plan
    from seekroute.testing import MockProvider

__all__ = ["Opened", "open_gateway"]


class Opened(Closable):
    """A gateway that is open, with all that it has. A context manager. Made by `open_gateway`.

    Attributes:
        gateway: the core. Nothing serves its exchanges yet: `attach()` it, or start its thread.
        models: the models that can be used.
        ledger: where requests are held and settled; None: in none.
        state: where a server keeps what routing knows over a restart; None: nowhere.
        mock: the mock provider that answers; None: none does.
        mocked: whether it is our own, so that what it answers is worth nothing.
        control: keys and organizations; None where there are no API keys.
    """

    gateway: Gateway
    ledger: Ledger | None = None
    state: RoutingState | None = None

    def __init__(
        self, models: ModelList, control: ControlPlane | None, mock: MockProvider | None
    ) -> None:
        self.models: Final = models
        self.control: Final = control
        self.mock = mock
        self.mocked = False
        self._parts = contextlib.ExitStack()
        forks.watch(self)

    def revive_with(self, plan: Callable[[], Plan]) -> None:
        """Lets a forked process open a core, and a mock provider, of its own, by a plan made there.

        A gateway with a ledger stays the parent's.
        """
        self.gateway.revive_with(lambda: self.core_arguments(plan()))

    def core_arguments(self, plan: Plan) -> tuple[dict[str, Any], dict[str, Any]]:
        """The core's options and snapshot. Starts the mock provider, where the plan has one."""
        # Where no key is ever checked, there must be a pepper all the same.
        pepper = os.urandom(32) if self.control is None else self.control.pepper
        url = ""
        if plan.mock:
            if self.mock is None:
                self._start_mock()
            assert self.mock is not None
            url = self.mock.base_url
        return {**plan.options, "pepper": pepper}, plan.snapshot_with(url)

    def _start_mock(self) -> None:
        from seekroute.testing import MockProvider

        # Nobody looks at the records of our own: keep few of them.
        mock = MockProvider(record_limit=16)
        mock.start()
        self.mock, self.mocked = mock, True

    def stop_mock(self) -> None:
        """Stops our own mock provider. Idempotent."""
        if self.mocked and self.mock is not None:
            self.mock.stop()
            self.mock = None

    def after_fork(self) -> None:
        """Our own mock provider and its thread are the parent's."""
        if self.mocked:
            forks.forget(self.mock)
            self.mock = None

    def close(self) -> None:
        """Lets go of everything, the last that was opened first. Idempotent."""
        self._parts.close()

    def keep(self, parts: contextlib.ExitStack) -> Self:
        """Closes `parts` when this is closed."""
        self._parts = parts
        return self


def open_gateway(
    plan: Plan,
    *,
    home: Path | None = None,
    ledger: Path | None = None,
    mock: MockProvider | None = None,
    kind: type[Gateway] = Gateway,
) -> Opened:
    """Opens the parts of a gateway: lock, control plane, mock provider, ledger, core. Blocks.

    Where one cannot be opened, those before it are closed again, the last first.

    Args:
        plan: what `seekroute.config.prepare` made.
        home: a server's data directory, with its keys and its ledger; it is locked. None: nobody
            needs a key.
        ledger: without `home`: the ledger's file, which others in this process may have open too.
        mock: a running provider in the place of our own, where the plan has one. It stays the
            caller's.
        kind: how exchanges reach whoever asked.

    Raises:
        ControlError: the data directory is in use by another process, or unusable, or one of its
            databases is lost.
        ConfigError: a provider's certificates cannot be verified.
        LedgerError: the ledger is in use, damaged, newer, or its disk fails.
    """
    with contextlib.ExitStack() as parts:
        control = None if home is None else _open_control(plan, home, parts)
        opened = Opened(plan.model_list, control, mock if plan.mock else None)
        parts.callback(opened.stop_mock)
        options, snapshot = opened.core_arguments(plan)
        # Closed after the core, which settles into it what still runs.
        if home is not None and control is not None:
            opened.ledger = _open_ledger(plan, home, control)
        elif ledger is not None:
            from seekroute.ledger import Ledger

            # A cell of a notebook that is run again has its first client still.
            opened.ledger = Ledger.shared(ledger)
        if opened.ledger is not None:
            parts.callback(opened.ledger.close)
        if home is not None:
            opened.state = RoutingState(home)
        opened.gateway = kind(options, snapshot, ledger=opened.ledger, state=opened.state)
        parts.callback(opened.gateway.close)
        return opened.keep(parts.pop_all())


def _open_control(plan: Plan, home: Path, parts: contextlib.ExitStack) -> ControlPlane:
    from seekroute.control import ControlPlane, InstanceLock
    from seekroute.control.lost import guard_anew, guard_customers

    parts.enter_context(InstanceLock(home))
    chosen = plan.mock_meant or not plan.mock
    guard_anew(home, plan.anew, ledger=plan.ledger, mock_chosen=chosen)
    control = parts.enter_context(ControlPlane(home, anew="control" in plan.anew))
    if not chosen:
        guard_customers(control.orders, home)
    return control


def _open_ledger(plan: Plan, home: Path, control: ControlPlane) -> Ledger | None:
    from seekroute.control.lost import guard_owners, open_ledger

    if not plan.ledger:
        guard_owners(control.orders, home)
        return None
    anew = "ledger" in plan.anew
    return open_ledger(control.orders, home, orphans=plan.orphans, anew=anew)
