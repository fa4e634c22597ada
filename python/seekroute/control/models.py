"""The tables of control.db. Their history is in migrations/; a test keeps the two equal.

Times are whole seconds since 1970 in UTC. A state that has a moment is stored as that moment
(`disabled_at`, not `disabled`), so that the answer to "since when" is never lost.
"""

from __future__ import annotations

import json
import secrets
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Integer, LargeBinary, Text, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

APP_STATUSES = ("pending", "approved", "rejected")


def new_id(prefix: str) -> str:
    """A new id: `prefix`, an underscore, and 128 random bits in hex.

    Example:
        >>> new_id("org")[:4], len(new_id("org"))
        ('org_', 36)
    """
    return f"{prefix}_{secrets.token_hex(16)}"


class JsonText(TypeDecorator[list[str]]):
    """A list of strings as JSON in a TEXT column: SQLite's STRICT tables have no JSON type."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> list[str] | None:
        return None if value is None else [str(item) for item in json.loads(value)]


class Base(DeclarativeBase):
    """The declarative base of every table of control.db."""


class Organization(Base):
    """Who owns keys and, later, credits."""

    __tablename__ = "organizations"
    __table_args__ = (UniqueConstraint("name"), {"sqlite_strict": True})

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[int] = mapped_column(Integer)
    suspended_at: Mapped[int | None] = mapped_column(Integer)

    @property
    def suspended(self) -> bool:
        return self.suspended_at is not None


class App(Base):
    """A program of an organization that the operator approves before its keys work."""

    __tablename__ = "apps"
    __table_args__ = (
        UniqueConstraint("org_id", "name"),
        CheckConstraint("status IN ('pending', 'approved', 'rejected')", name="app_status"),
        {"sqlite_strict": True},
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text, ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text)
    created_at: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[int] = mapped_column(Integer)


class ApiKey(Base):
    """One API key. The key itself is nowhere: only its MAC, its prefix and its last 4 characters.

    Rows are never deleted, so that an id in a log or a bill always leads to a name.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        UniqueConstraint("mac"),
        CheckConstraint("length(mac) = 32", name="mac_length"),
        {"sqlite_strict": True},
    )

    id: Mapped[str] = mapped_column(Text, primary_key=True)
    org_id: Mapped[str] = mapped_column(Text, ForeignKey("organizations.id"), index=True)
    app_id: Mapped[str | None] = mapped_column(Text, ForeignKey("apps.id"), index=True)
    profile: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    prefix: Mapped[str] = mapped_column(Text)
    last4: Mapped[str] = mapped_column(Text)
    mac: Mapped[bytes] = mapped_column(LargeBinary)
    models: Mapped[list[str] | None] = mapped_column(JsonText)
    created_at: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[int] = mapped_column(Integer)
    expires_at: Mapped[int | None] = mapped_column(Integer)
    disabled_at: Mapped[int | None] = mapped_column(Integer)
    revoked_at: Mapped[int | None] = mapped_column(Integer)

    @property
    def disabled(self) -> bool:
        return self.disabled_at is not None

    @property
    def revoked(self) -> bool:
        return self.revoked_at is not None

    @property
    def label(self) -> str:
        """How the key is shown: `sk-sr-...x7Qa`."""
        return f"{self.prefix}...{self.last4}"


class KeyChange(Base):
    """The change feed: the latest change of every MAC that ever was a key's.

    A change replaces the earlier one of the same MAC and takes the next number. So the table is
    bounded by the keys ever made, nothing is ever pruned, and a reader can never fall behind
    what is still there.
    """

    __tablename__ = "key_changes"
    __table_args__ = (
        UniqueConstraint("mac"),
        {"sqlite_autoincrement": True, "sqlite_strict": True},
    )

    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    mac: Mapped[bytes] = mapped_column(LargeBinary)


class Meta(Base):
    """Facts about the database itself, such as the fingerprint of the pepper its keys need."""

    __tablename__ = "meta"
    __table_args__ = ({"sqlite_strict": True},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
