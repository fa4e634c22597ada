"""The tables of people and their rows; a test keeps them equal to migrations/.

As in `models.py`: times are whole seconds since 1970, a state that has a moment is that moment, and
rows are never deleted, but for sessions, one-time tokens and memberships; the audit log tells of
those.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from seekroute.control.models import metadata

INSTANCE_ROLES = ("operator", "support")
ORG_ROLES = ("owner", "admin", "billing", "member")
CHALLENGES = ("setup", "reset", "mfa", "connect")

_ORG_ROLES = "('owner', 'admin', 'billing', 'member')"

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),  # by which two spellings of an address are one
    Column("name", Text, nullable=False),
    Column("password_hash", Text),  # of argon2id; NULL: no password was set
    Column("email_verified_at", Integer),
    Column("totp_sealed", LargeBinary),
    Column("totp_confirmed_at", Integer),
    Column("totp_step", Integer),  # the last one that was used: each is taken once
    Column("instance_role", Text),
    Column("disabled_at", Integer),
    Column("last_seen_at", Integer),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    UniqueConstraint("email_key"),
    CheckConstraint("instance_role IN ('operator', 'support')", name="user_instance_role"),
    sqlite_strict=True,
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_id", Text, ForeignKey("users.id"), primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
    Column("used_at", Integer),
    sqlite_strict=True,
)

# The token itself is in the browser's cookie alone.
sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("id", Text, nullable=False),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("methods", Text, nullable=False),  # "password", "password totp"
    Column("reauth_at", Integer, nullable=False),  # when the password was last asked for
    Column("created_at", Integer, nullable=False),
    Column("last_seen_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("address", Text, nullable=False),
    Column("agent", Text, nullable=False),
    UniqueConstraint("id"),
    sqlite_strict=True,
)

# Tokens that are good for one thing, once.
challenges = Table(
    "challenges",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("used_at", Integer),
    CheckConstraint("kind IN ('setup', 'reset', 'mfa', 'connect')", name="challenge_kind"),
    sqlite_strict=True,
)

memberships = Table(
    "memberships",
    metadata,
    Column("org_id", Text, ForeignKey("organizations.id"), primary_key=True),
    Column("user_id", Text, ForeignKey("users.id"), primary_key=True, index=True),
    Column("role", Text, nullable=False),
    Column("monthly_limit_nano", Integer),  # of each key that the member makes; NULL: any
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    CheckConstraint(f"role IN {_ORG_ROLES}", name="membership_role"),
    sqlite_strict=True,
)

invitations = Table(
    "invitations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("organizations.id"), nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("invited_by", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    Column("expires_at", Integer, nullable=False),
    Column("accepted_at", Integer),
    Column("accepted_by", Text, ForeignKey("users.id")),
    Column("revoked_at", Integer),
    UniqueConstraint("token_hash"),
    CheckConstraint(f"role IN {_ORG_ROLES}", name="invitation_role"),
    Index(
        "ix_invitations_open",
        "org_id",
        "email_key",
        unique=True,
        sqlite_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
    ),
    sqlite_strict=True,
)

# Triggers refuse to change or delete a row; `mac` chains each to the one before.
audit_log = Table(
    "audit_log",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("at", Integer, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("actor_label", Text, nullable=False),
    Column("org_id", Text),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Index("ix_audit_log_org_id", "org_id", "n"),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person with an account. A row of `users`, without its secrets in its `repr`.

    `instance_role` is `operator`, `support`, or None: what it may do beyond its organizations.
    """

    id: str
    email: str
    email_key: str
    name: str
    password_hash: str | None = None
    email_verified_at: int | None = None
    totp_sealed: bytes | None = None
    totp_confirmed_at: int | None = None
    totp_step: int | None = None
    instance_role: str | None = None
    disabled_at: int | None = None
    last_seen_at: int | None = None
    created_at: int
    updated_at: int

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, email={self.email!r})"

    @property
    def disabled(self) -> bool:
        return self.disabled_at is not None

    @property
    def has_totp(self) -> bool:
        return self.totp_confirmed_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser that is signed in. A row of `sessions`, without its token.

    `methods` are how the person proved who it is: `password`, `totp`, `recovery`.
    """

    id: str
    user_id: str
    methods: str
    reauth_at: int
    created_at: int
    last_seen_at: int
    expires_at: int
    address: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What a user is in an organization. A row of `memberships`."""

    org_id: str
    user_id: str
    role: str
    monthly_limit_nano: int | None = None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """Who may join an organization, and as what. A row of `invitations`, without its token."""

    id: str
    org_id: str
    email: str
    email_key: str
    role: str
    token_hash: bytes
    invited_by: str
    created_at: int
    updated_at: int
    expires_at: int
    accepted_at: int | None = None
    accepted_by: str | None = None
    revoked_at: int | None = None

    def is_open(self, now: int) -> bool:
        """Whether it can still be accepted."""
        return self.accepted_at is None and self.revoked_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who changed what. A row of `audit_log`.

    Attributes:
        actor_kind: `user`, `key`, `cli` or `server`.
        org_id: whose it was; None: nobody's alone.
        action: `key.create`, `member.role` …
        target: the id of what was changed.
        before: with `after` names and values as JSON, never a secret.
        address: from where; empty: from this machine.
        mac: of this row and the one before.
    """

    n: int
    at: int
    actor_kind: str
    actor_id: str
    actor_label: str
    org_id: str | None
    action: str
    target: str
    before: str
    after: str
    address: str
    mac: bytes
