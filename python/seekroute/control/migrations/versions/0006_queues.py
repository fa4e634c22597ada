"""How long requests wait for room in their limits, and how much an organization is served beside
others that wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("limits", sa.Column("queue_ms", sa.Integer))
    op.add_column("limits", sa.Column("queue_weight", sa.Integer))
