"""Questions about providers that commands ask of the running server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "questions",
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("told", sa.Text),
        sa.CheckConstraint("kind IN ('health', 'reset', 'quote')", name="question_kind"),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
