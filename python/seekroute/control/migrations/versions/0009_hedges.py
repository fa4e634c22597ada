"""Whether slow streams of a key or an organization are asked for at a second provider, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("limits", sa.Column("hedge", sa.Integer))
