"""How requests of a key for `auto` choose their model."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    # SQLite can add a checked column in place, which Alembic has no words for.
    op.execute(
        "ALTER TABLE api_keys ADD COLUMN auto_strategy TEXT "
        "CHECK (auto_strategy IN ('balanced', 'cost', 'latency', 'quality'))"
    )
