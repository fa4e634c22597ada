"""Limits of requests and tokens, of keys, apps, organizations, models and the gateway."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("tokens_per_minute", sa.Integer),
        sa.Column("requests_per_day", sa.Integer),
        sa.Column("tokens_per_day", sa.Integer),
        sa.Column("concurrent", sa.Integer),
        sa.Column("burst_requests", sa.Integer),
        sa.Column("burst_tokens", sa.Integer),
        sa.Column("seq", sa.Integer, nullable=False, unique=True),
        sa.Column("updated_at", sa.Integer, nullable=False),
        sa.CheckConstraint(
            "scope IN ('key', 'app', 'org', 'model', 'gateway')", name="limit_scope"
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_limits_scope_seq", "limits", ["scope", "seq"])
