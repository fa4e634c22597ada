"""Limits of requests and tokens of a key, for one model."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "key_model_limits",
        sa.Column("key_id", sa.Text, sa.ForeignKey("api_keys.id"), primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("tokens_per_minute", sa.Integer),
        sa.Column("requests_per_day", sa.Integer),
        sa.Column("tokens_per_day", sa.Integer),
        sa.Column("concurrent", sa.Integer),
        sa.Column("burst_requests", sa.Integer),
        sa.Column("burst_tokens", sa.Integer),
        sa.Column("updated_at", sa.Integer, nullable=False),
        sqlite_strict=True,
    )
