"""The tables of router.db."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

__all__ = ["SCHEMA", "SOURCES", "STATES", "choice", "metadata", "rating", "version"]

SCHEMA: Final = 1
"""What `PRAGMA user_version` says of a file that has these tables."""

SOURCES: Final = ("feedback", "shadow", "implicit")
"""Who rates: a caller; whoever graded a shadow pair; nobody, but the answer itself hints at it."""

STATES: Final = ("in_force", "kept", "refused", "rolled_back")
"""Of a version of the weights."""

metadata: Final = MetaData()

choice: Final = Table(
    "choice",
    metadata,
    Column("generation", Text, primary_key=True),
    Column("org", Text, nullable=False),
    Column("created", Integer, nullable=False),  # Unix seconds
    Column("strategy", Text, nullable=False),
    Column("revision", Text, nullable=False),  # of the weights; empty: nothing was learned
    Column("served", Text, nullable=False),  # the model that answered
    # [[model, quality, pico-USD, ms or 0, last resort, chance], ...], the chosen one first.
    Column("offers", Text, nullable=False),
    Column("looks", LargeBinary, nullable=False),  # of the prompt; empty: it had no text
    Column("rated", Integer, nullable=False),  # 0 or 1
    Index("choice_unrated", "rated", "created"),
    Index("choice_by_strategy", "strategy", "created"),
    sqlite_with_rowid=False,
)

rating: Final = Table(
    "rating",
    metadata,
    Column(
        "generation",
        Text,
        ForeignKey("choice.generation", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("model", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("org", Text, nullable=False),  # whose key has given it; empty: the operator
    Column("score", Float),  # 0 (bad) to 1 (good); null: what was said is no score
    Column("category", Text, nullable=False),  # OpenRouter's word; empty: none was given
    Column("comment", Text, nullable=False),
    Column("given", Integer, nullable=False),  # Unix milliseconds
    Index("rating_of_model", "model", "given"),
    sqlite_with_rowid=False,
)

version: Final = Table(
    "version",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("created", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("models", Text, nullable=False),  # a JSON list
    Column("ratings", Integer, nullable=False),  # rated requests that it was learned from
    Column("sha256", Text, nullable=False),  # of its file; empty: it has none
    Column("report", Text, nullable=False),  # JSON: how it did against the one in force
    sqlite_autoincrement=True,
)
