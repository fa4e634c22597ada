"""Credit lines, limits of keys, and orders to whoever owns the ledger."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # NULL is no limit: organizations from before there were credits go on as they were.
    op.add_column("organizations", sa.Column("credit_line_nano", sa.Integer))
    op.add_column("api_keys", sa.Column("limit_nano", sa.Integer))
    # SQLite can add a checked column in place, which Alembic has no words for.
    op.execute(
        "ALTER TABLE api_keys ADD COLUMN limit_reset TEXT NOT NULL DEFAULT 'never' "
        "CHECK (limit_reset IN ('never', 'daily', 'weekly', 'monthly'))"
    )
    op.execute(
        "ALTER TABLE api_keys ADD COLUMN store_answers INTEGER NOT NULL DEFAULT 0 "
        "CHECK (store_answers IN (0, 1))"
    )
    op.create_table(
        "credit_orders",
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id")),
        sa.Column("generation", sa.Text),
        sa.Column("amount_nano", sa.Integer),
        sa.Column("older_than_ms", sa.Integer),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("result", sa.Text),
        sa.Column("available_nano", sa.Integer),
        sa.Column("held_nano", sa.Integer),
        sa.Column("owed_nano", sa.Integer),
        sa.Column("pruned_entries", sa.Integer),
        sa.Column("pruned_requests", sa.Integer),
        sa.Column("finished_at", sa.Integer),
        sa.Column("error", sa.Text),
        sa.CheckConstraint(
            "kind IN ('topup', 'adjust', 'chargeback', 'refund', 'prune')", name="order_kind"
        ),
        sa.CheckConstraint("state IN ('pending', 'booked', 'refused')", name="order_state"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    # Looked at several times a second, and nearly always empty.
    op.create_index(
        "ix_credit_orders_pending",
        "credit_orders",
        ["n"],
        sqlite_where=sa.text("state = 'pending'"),
    )
