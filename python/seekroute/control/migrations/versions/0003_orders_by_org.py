"""An index of orders by organization: of its payments the first is looked for."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # For a while the step before made it.
    op.create_index("ix_credit_orders_org_id", "credit_orders", ["org_id"], if_not_exists=True)
