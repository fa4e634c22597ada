"""The organization of requests without a key, in the ledger: no row of control.db."""

from __future__ import annotations

from typing import Final

LOCAL_ORG: Final = "local"
