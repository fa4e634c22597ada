"""The tables of control.db and their rows; a test keeps them equal to migrations/.

Times are whole seconds since 1970 in UTC. A state that has a moment is stored as that moment
(`disabled_at`, not `disabled`), so that the answer to "since when" is never lost.

Tables and rows are kept apart (SQLAlchemy's Core, not its ORM): a server holds this in memory for
as long as it runs, and only ever reads a handful of rows.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from seekroute.rate_limits import LIMIT_NAMES, NAMES

APP_STATUSES = ("pending", "approved", "rejected")
LIMIT_RESETS = ("never", "daily", "weekly", "monthly")
AUTO_STRATEGIES = ("balanced", "cost", "latency", "quality")


# Of an id, in lists: enough that no two of a million are alike by chance, and to be typed.
_SHORT_DIGITS = 10
_LEAST_DIGITS = 6
_SHORT_ID = re.compile(rf"(?:key|org|app)_[0-9a-f]{{{_LEAST_DIGITS},31}}")
_TOO_SHORT_ID = re.compile(rf"(?:key|org|app)_[0-9a-f]{{1,{_LEAST_DIGITS - 1}}}")
LEAST_OF_ID = len("key_") + _LEAST_DIGITS  # characters of a beginning that is taken


def short_id(id: str) -> str:
    """The beginning of an id, as lists show it and commands take it.

    Example:
        >>> short_id("key_0123456789abcdef0123456789abcdef")
        'key_0123456789'
    """
    kind, line, digits = id.partition("_")
    return f"{kind}{line}{digits[:_SHORT_DIGITS]}"


def is_short_id(text: str) -> bool:
    """Whether it may be the beginning of an id, long enough not to be meant by accident."""
    return _SHORT_ID.fullmatch(text) is not None


def is_too_short_id(text: str) -> bool:
    """Whether it may be the beginning of an id, and is too short to be taken for it."""
    return _TOO_SHORT_ID.fullmatch(text) is not None


def without_mark(text: str) -> str:
    """The beginning of an id without the `…` that lists put behind it; other text as it is."""
    cut = text.removesuffix("…")
    return cut if is_short_id(cut) or is_too_short_id(cut) else text


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


class Flag(TypeDecorator[bool]):
    """A boolean as 0 or 1 in an INTEGER column: SQLite's STRICT tables have no BOOLEAN type."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


metadata = MetaData()

organizations = Table(
    "organizations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    Column("suspended_at", Integer),
    Column("credit_line_nano", Integer),  # NULL: unlimited
    UniqueConstraint("name"),
    sqlite_strict=True,
)

apps = Table(
    "apps",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("organizations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    UniqueConstraint("org_id", "name"),
    CheckConstraint("status IN ('pending', 'approved', 'rejected')", name="app_status"),
    sqlite_strict=True,
)

# Rows are never deleted, so that an id in a log or a bill always leads to a name.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("org_id", Text, ForeignKey("organizations.id"), nullable=False, index=True),
    Column("app_id", Text, ForeignKey("apps.id"), index=True),
    Column("profile", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("last4", Text, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Column("models", JsonText),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    Column("expires_at", Integer),
    Column("disabled_at", Integer),
    Column("revoked_at", Integer),
    Column("limit_nano", Integer),  # NULL: unlimited
    Column("limit_reset", Text, nullable=False, server_default="never"),
    Column("store_answers", Flag, nullable=False, server_default=text("0")),
    Column("auto_strategy", Text),  # NULL: the operator's for all
    Column("kind", Text, nullable=False, server_default="inference"),
    Column(
        "created_by", Text, ForeignKey("users.id"), index=True
    ),  # NULL: by nobody with an account
    UniqueConstraint("mac"),
    CheckConstraint("length(mac) = 32", name="mac_length"),
    CheckConstraint("limit_reset IN ('never', 'daily', 'weekly', 'monthly')"),
    CheckConstraint("store_answers IN (0, 1)"),
    CheckConstraint("auto_strategy IN ('balanced', 'cost', 'latency', 'quality')"),
    CheckConstraint("kind IN ('inference', 'management')"),
    Index("ix_api_keys_org_id_created_at", "org_id", "created_at", "id"),
    sqlite_strict=True,
)

# The change feed: the latest change of every MAC that ever was a key's. A change replaces the
# earlier one of the same MAC and takes the next number. So the table is bounded by the keys ever
# made, nothing is ever pruned, and a reader can never fall behind what is still there.
key_changes = Table(
    "key_changes",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("mac", LargeBinary, nullable=False),
    UniqueConstraint("mac"),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

# What commands ask of the owner of the ledger. `n` is the order in which they are booked; a row is
# never deleted, so that what became of an order can always be told.
credit_orders = Table(
    "credit_orders",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("org_id", Text, ForeignKey("organizations.id")),
    Column("generation", Text),
    Column("amount_nano", Integer),
    Column("older_than_ms", Integer),
    Column("note", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("result", Text),
    Column("available_nano", Integer),
    Column("held_nano", Integer),
    Column("owed_nano", Integer),
    Column("pruned_entries", Integer),
    Column("pruned_requests", Integer),
    Column("finished_at", Integer),
    Column("error", Text),
    UniqueConstraint("id"),
    CheckConstraint(
        "kind IN ('topup', 'adjust', 'chargeback', 'refund', 'prune')", name="order_kind"
    ),
    CheckConstraint("state IN ('pending', 'booked', 'refused')", name="order_state"),
    Index("ix_credit_orders_pending", "n", sqlite_where=text("state = 'pending'")),
    Index("ix_credit_orders_org_id", "org_id"),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

# What operators have said of whom; NULL: nothing. A change takes the next number, by which a server
# finds it; rows are never deleted, so that it also finds what was taken back.
limits = Table(
    "limits",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("id", Text, primary_key=True),  # of the gateway: empty
    *(Column(name, Integer) for name in NAMES),
    Column("seq", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    UniqueConstraint("seq"),
    CheckConstraint("scope IN ('key', 'app', 'org', 'model', 'gateway')", name="limit_scope"),
    Index("ix_limits_scope_seq", "scope", "seq"),
    sqlite_strict=True,
)

# Of one key, for one model: beside what is said of the key.
key_model_limits = Table(
    "key_model_limits",
    metadata,
    Column("key_id", Text, ForeignKey("api_keys.id"), primary_key=True),
    Column("model", Text, primary_key=True),
    *(Column(name, Integer) for name in LIMIT_NAMES),
    Column("updated_at", Integer, nullable=False),
    sqlite_strict=True,
)

# What commands ask of the running server: to read its configuration again. `told` is JSON.
config_reloads = Table(
    "config_reloads",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("created_at", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("told", Text),
    Column("finished_at", Integer),
    CheckConstraint("state IN ('pending', 'applied', 'refused')", name="reload_state"),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

# What commands ask of the running server: how the providers are, or to take one for well again.
# `told` is JSON; NULL until it is answered.
questions = Table(
    "questions",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=True),
    Column("created_at", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("told", Text),
    CheckConstraint("kind IN ('health', 'reset', 'quote')", name="question_kind"),
    sqlite_autoincrement=True,
    sqlite_strict=True,
)

# Facts about the database itself, such as the fingerprint of the pepper its keys need.
meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    sqlite_strict=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """Who owns keys and credits. A row of `organizations`.

    `credit_line_nano` is how far below zero its balance may go, in nano-USD: 0 is prepaid, None
    unlimited.
    """

    id: str
    name: str
    created_at: int
    updated_at: int
    suspended_at: int | None = None
    credit_line_nano: int | None

    @property
    def suspended(self) -> bool:
        return self.suspended_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A program of an organization that the operator approves before its keys work.

    A row of `apps`.
    """

    id: str
    org_id: str
    name: str
    status: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One API key. The key itself is nowhere: only its MAC, its prefix and its last 4 characters.

    A row of `api_keys`. `limit_nano` is the most it may spend, in nano-USD, until `limit_reset`;
    None is no limit. `auto_strategy` is how its requests for `auto` choose that do not say it
    themselves; None leaves it to the settings.
    None is no limit. One of the kind `management` changes keys and asks no model. `created_by` is
    the id of the user who made it; None: a command, or a key of its own.
    """

    id: str
    org_id: str
    app_id: str | None = None
    profile: str
    name: str
    prefix: str
    last4: str
    mac: bytes
    models: list[str] | None = None
    created_at: int
    updated_at: int
    expires_at: int | None = None
    disabled_at: int | None = None
    revoked_at: int | None = None
    limit_nano: int | None = None
    limit_reset: str = "never"
    store_answers: bool = False
    auto_strategy: str | None = None
    kind: str = "inference"
    created_by: str | None = None

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditOrder:
    """What a command asks of the owner of the ledger, and what became of it.

    A row of `credit_orders`.

    Attributes:
        id: what makes it happen once; in the ledger too.
        kind: `topup`, `adjust`, `chargeback`, `refund` or `prune`.
        org_id: whose balance, but for refunds and prunes.
        generation: the refunded request's.
        amount_nano: nano-USD; of adjustments also negative.
        older_than_ms: what a prune rolls up, in milliseconds since 1970.
        state: `pending` until it is `booked` or `refused`. A refused one has changed nothing.
        result: the ledger's word: `ok`, `exists`, or why it was refused.
        available_nano: with `held_nano` and `owed_nano` the balance afterwards.
        error: why it was refused, or why it still waits.
    """

    n: int
    id: str
    kind: str
    org_id: str | None
    generation: str | None
    amount_nano: int | None
    older_than_ms: int | None
    note: str
    created_at: int
    state: str
    result: str | None
    available_nano: int | None
    held_nano: int | None
    owed_nano: int | None
    pruned_entries: int | None
    pruned_requests: int | None
    finished_at: int | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigReload:
    """A reload that a command has asked for. A row of `config_reloads`.

    Attributes:
        state: `pending` until it is `applied` or `refused`. A refused one has changed nothing.
        told: what the server says of it, as JSON.
    """

    n: int
    created_at: int
    state: str
    told: str | None
    finished_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a command asks of the running server. A row of `questions`.

    Attributes:
        kind: `health` asks for the state of all endpoints and provider keys; `reset` to mark
            what is called `name` as healthy; `quote` where the request in `name` would go.
        told: the answer, as JSON.
    """

    n: int
    created_at: int
    kind: str
    name: str
    told: str | None
