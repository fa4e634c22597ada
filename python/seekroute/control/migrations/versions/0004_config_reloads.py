"""Reloads of the configuration that commands ask of the running server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "config_reloads",
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("told", sa.Text),
        sa.Column("finished_at", sa.Integer),
        sa.CheckConstraint("state IN ('pending', 'applied', 'refused')", name="reload_state"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
