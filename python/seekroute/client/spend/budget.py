"""Spend caps of the client, checked before a call and settled after it.

A budget covers the calls that its client makes while its `with` block is open, from whatever thread
or task; one with `everywhere=False` those of this thread and of asyncio tasks started inside it.
Nested budgets are all charged; the tightest one refuses.
"""

from __future__ import annotations

import threading
import warnings
from contextvars import ContextVar
from decimal import Decimal
from typing import TYPE_CHECKING

from seekroute import forks
from seekroute.errors import BudgetExceededError
from seekroute.money import decimal_usd, nano_at_most

if TYPE_CHECKING:
    from types import TracebackType

    from seekroute.client.spend.prices import Estimate

_OPEN: ContextVar[tuple[Budget, ...]] = ContextVar("seekroute_budgets", default=())
# Open budgets of one client for all threads; more is a leak.
_MAX_EVERYWHERE = 1000


def _without_last(budgets: tuple[Budget, ...], budget: Budget) -> tuple[Budget, ...]:
    place = len(budgets) - 1 - budgets[::-1].index(budget)
    return budgets[:place] + budgets[place + 1 :]


class Hold:
    """Money set aside for one call, until `settle()`."""

    __slots__ = ("_budgets", "_expected", "_lock")

    def __init__(
        self, budgets: tuple[Budget, ...], expected: int, lock: threading.Lock | None
    ) -> None:
        self._budgets = budgets
        self._expected = expected
        self._lock = lock

    def settle(self, cost_nano: int) -> None:
        """Replaces what was set aside by what was paid. Further calls do nothing."""
        if self._lock is None or not self._budgets:
            return
        with self._lock:
            budgets, self._budgets = self._budgets, ()
            for budget in budgets:
                budget._held_nano -= self._expected
                budget._spent_nano += cost_nano

    def settle_expected(self) -> None:
        """Takes what was set aside as paid: nobody will say what it was."""
        self.settle(self._expected)


NO_HOLD = Hold((), 0, None)


class Budgets:
    """The budgets of one client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._everywhere: tuple[Budget, ...] = ()
        forks.watch(self)

    def after_fork(self) -> None:
        """A child has a copy of each open budget, of which it spends by itself."""
        self._lock = threading.Lock()

    def budget(
        self, amount: Decimal | str | float, *, everywhere: bool = True, name: str = "budget"
    ) -> Budget:
        """See `Budget`; `name` is for the error when the amount is not one."""
        return Budget(self, nano_at_most(amount, name), everywhere=everywhere)

    def cap(self, amount: Decimal | str | float, *, name: str) -> Budget:
        """A budget that is no block: whoever made it gives it to `hold()`."""
        made = Budget(self, nano_at_most(amount, name), everywhere=False)
        made._entered = True
        return made

    def open_here(self) -> tuple[Budget, ...]:
        """The budgets that cover a call made here and now, outermost first."""
        inner = _OPEN.get()
        if not inner and not self._everywhere:
            return ()
        mine = tuple(dict.fromkeys(budget for budget in inner if budget._owner is self))
        # One that is open twice, or everywhere and here, is charged once.
        everywhere = dict.fromkeys(self._everywhere)
        return tuple(budget for budget in everywhere if budget not in mine) + mine

    def hold(
        self,
        estimate: Estimate | None,
        budgets: tuple[Budget, ...] | None = None,
        *,
        whole: bool = False,
    ) -> Hold:
        """Sets the expected cost of a call aside in every budget that covers it.

        Args:
            estimate: of the call; None when nothing is known, which sets nothing aside.
            budgets: which budgets; default those that cover this place.
            whole: refuse already when the expected cost does not fit, not only the minimum.

        Raises:
            BudgetExceededError: see `Budget`; nothing is set aside then.
        """
        budgets = self.open_here() if budgets is None else budgets
        if not budgets:
            return NO_HOLD
        minimum, expected = estimate or (0, 0)
        needed = expected if whole else minimum
        with self._lock:
            for budget in budgets:
                left = budget._cap_nano - budget._spent_nano - budget._held_nano
                if left <= 0 or needed > left:
                    raise budget._refusal(needed)
            for budget in budgets:
                budget._held_nano += expected
        return Hold(budgets, expected, self._lock)


class Budget:
    """A cap on what the calls inside its `with` block may cost together; `client.budget("0.50")`.

    A call is refused with `BudgetExceededError` before anything is sent, when the cap is spent, or
    when the least the call can cost is more than is left. What running calls are expected to cost
    counts as spent until they end. A call that costs more than expected may exceed the cap by the
    difference, never by another call. `max_tokens` on the calls keeps surprises small.

    A budget may be entered again; it goes on where it was. `async with` works too.

        with client.budget("0.50") as budget:
            client.ask("Hello")
        print(budget.spent, budget.left)
    """

    def __init__(self, owner: Budgets, cap_nano: int, *, everywhere: bool) -> None:
        self._owner = owner
        self._cap_nano = cap_nano
        self._spent_nano = 0
        self._held_nano = 0
        self._all_threads = everywhere
        self._entered = False
        forks.watch(self)

    def after_fork(self) -> None:
        """What runs belongs to the parent, and so does what it holds."""
        self._held_nano = 0

    @property
    def cap(self) -> Decimal:
        """USD."""
        return decimal_usd(self._cap_nano)

    @property
    def spent(self) -> Decimal:
        """USD paid so far, without what still runs."""
        return decimal_usd(self._spent_nano)

    @property
    def left(self) -> Decimal:
        """USD left, after what is paid and what is set aside for running calls; never below 0."""
        with self._owner._lock:
            return decimal_usd(max(self._cap_nano - self._spent_nano - self._held_nano, 0))

    def charge(self, cost_nano: int) -> None:
        """Counts nano-USD that were paid outside the block."""
        with self._owner._lock:
            self._spent_nano += cost_nano

    def _refusal(self, needed_nano: int) -> BudgetExceededError:
        left = decimal_usd(max(self._cap_nano - self._spent_nano - self._held_nano, 0))
        held = decimal_usd(self._held_nano)
        running = f", {held:f} held for running calls" if held else ""
        needs = f"; this call needs {decimal_usd(needed_nano):f}" if needed_nano else ""
        return BudgetExceededError(
            f"the budget of {decimal_usd(self._cap_nano):f} USD has {left:f} left "
            f"({decimal_usd(self._spent_nano):f} spent{running}){needs}; nothing was sent"
        )

    def __del__(self) -> None:
        if not self.__dict__.get("_entered", True):
            warnings.warn(
                "a budget was made and never entered, so it covers no call: use it as "
                "`with client.budget(...):`",
                RuntimeWarning,
                stacklevel=2,
            )

    def __enter__(self) -> Budget:
        self._entered = True
        if self._all_threads:
            with self._owner._lock:
                if len(self._owner._everywhere) >= _MAX_EVERYWHERE:
                    raise RuntimeError(f"{_MAX_EVERYWHERE} budgets are open: close some")
                self._owner._everywhere = (*self._owner._everywhere, self)
        else:
            _OPEN.set((*_OPEN.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._all_threads:
            # Not a token: one budget may be open in several tasks, which end in any order.
            _OPEN.set(_without_last(_OPEN.get(), self))
            return
        with self._owner._lock:
            self._owner._everywhere = _without_last(self._owner._everywhere, self)

    async def __aenter__(self) -> Budget:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        return f"Budget(cap={self.cap:f}, spent={self.spent:f}, left={self.left:f})"
