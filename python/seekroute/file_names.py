"""The name of the ledger, for whoever looks whether one is there without loading what reads it."""

from __future__ import annotations

from typing import Final

LEDGER: Final = "ledger.db"
