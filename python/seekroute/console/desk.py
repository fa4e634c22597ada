"""What the console's handlers answer from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from seekroute.api.call import RefusedError, unreadable
from seekroute.console.throttle import Throttle
from seekroute.ledger import LedgerError

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.ledger import Ledger, Row
    from seekroute.plan import ConsolePlan

__all__ = ["Desk"]


@dataclass(frozen=True, slots=True)
class Desk:
    """What handlers answer from. As thread-safe as its parts, which all are.

    Attributes:
        control: accounts, organizations, keys.
        ledger: for reading; None where none is kept.
        plan: what of the configuration the console may see.
        throttle: of tries that fail.
    """

    control: ControlPlane
    ledger: Ledger | None
    plan: ConsolePlan
    throttle: Throttle

    def books(self) -> Ledger:
        """The ledger. Raises RefusedError where there is none."""
        if self.ledger is None:
            raise RefusedError("not_found", "this gateway keeps no ledger: credits.enabled is off")
        return self.ledger

    def account(self, org: str) -> Row:
        """What `Ledger.account` says of an organization; nothing at all without a ledger."""
        if self.ledger is None:
            return dict.fromkeys(("available", "held", "owed", "charged", "refunded"), 0)
        try:
            return self.ledger.account(org)
        except LedgerError as error:
            raise unreadable(error) from error
