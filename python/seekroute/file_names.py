"""Names of files in a data directory, for whoever looks for one without loading what reads it."""

from __future__ import annotations

from typing import Final

LEDGER: Final = "ledger.db"
ROUTING_STATE: Final = "routing.state"
ROUTER: Final = "router.db"
ROUTER_WEIGHTS: Final = "router"
