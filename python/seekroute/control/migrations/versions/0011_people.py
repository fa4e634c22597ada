"""People: their accounts, sessions and roles in organizations; management keys; the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_ROLES = "('owner', 'admin', 'billing', 'member')"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text),
        sa.Column("email_verified_at", sa.Integer),
        sa.Column("totp_sealed", sa.LargeBinary),
        sa.Column("totp_confirmed_at", sa.Integer),
        sa.Column("totp_step", sa.Integer),
        sa.Column("instance_role", sa.Text),
        sa.Column("disabled_at", sa.Integer),
        sa.Column("last_seen_at", sa.Integer),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Integer, nullable=False),
        sa.CheckConstraint("instance_role IN ('operator', 'support')", name="user_instance_role"),
        sqlite_strict=True,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("used_at", sa.Integer),
        sqlite_strict=True,
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("methods", sa.Text, nullable=False),
        sa.Column("reauth_at", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("last_seen_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "challenges",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("used_at", sa.Integer),
        sa.CheckConstraint("kind IN ('setup', 'reset', 'mfa', 'connect')", name="challenge_kind"),
        sqlite_strict=True,
    )
    op.create_table(
        "memberships",
        sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), primary_key=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("monthly_limit_nano", sa.Integer),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Integer, nullable=False),
        sa.CheckConstraint(f"role IN {_ROLES}", name="membership_role"),
        sqlite_strict=True,
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    op.create_table(
        "invitations",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("org_id", sa.Text, sa.ForeignKey("organizations.id"), nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("invited_by", sa.Text, nullable=False),
        sa.Column("created_at", sa.Integer, nullable=False),
        sa.Column("updated_at", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.Integer, nullable=False),
        sa.Column("accepted_at", sa.Integer),
        sa.Column("accepted_by", sa.Text, sa.ForeignKey("users.id")),
        sa.Column("revoked_at", sa.Integer),
        sa.CheckConstraint(f"role IN {_ROLES}", name="invitation_role"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_invitations_open",
        "invitations",
        ["org_id", "email_key"],
        unique=True,
        sqlite_where=sa.text("accepted_at IS NULL AND revoked_at IS NULL"),
    )
    op.create_table(
        "audit_log",
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Integer, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Text, nullable=False),
        sa.Column("actor_label", sa.Text, nullable=False),
        sa.Column("org_id", sa.Text),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("mac", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
        sqlite_strict=True,
    )
    op.create_index("ix_audit_log_org_id", "audit_log", ["org_id", "n"])
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_log_no_{change.lower()} BEFORE {change} ON audit_log "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is only appended to'); END"
        )
    op.execute(
        "ALTER TABLE api_keys ADD COLUMN kind TEXT NOT NULL DEFAULT 'inference' "
        "CHECK (kind IN ('inference', 'management'))"
    )
    op.execute("ALTER TABLE api_keys ADD COLUMN created_by TEXT REFERENCES users (id)")
    op.create_index("ix_api_keys_created_by", "api_keys", ["created_by"])
    # What pages of an organization's keys are read by.
    op.create_index("ix_api_keys_org_id_created_at", "api_keys", ["org_id", "created_at", "id"])
