"""Organizations of the ledger that are no customers': no rows of control.db."""

from __future__ import annotations

from typing import Final

# Of requests without a key.
LOCAL_ORG: Final = "local"
# Of what the gateway asks by itself, the second requests of shadow pairs; as kOperatorOrg in the
# core.
OPERATOR_ORG: Final = "operator"

OWN_ORGS: Final = frozenset({LOCAL_ORG, OPERATOR_ORG})
