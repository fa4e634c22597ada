"""SQLAlchemy over SQLite, for every database that is opened by it: how transactions begin, and
that a writer takes its lock at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

__all__ = ["sqlite_engine"]


def sqlite_engine(
    path: Path,
    connect: Callable[[], sqlite3.Connection],
    *,
    synchronous: str | None,
    foreign_keys: bool = True,
    **pool: Any,
) -> Engine:
    """An engine whose transactions begin with BEGIN, and with `write=True` among their execution
    options as a writer's: to upgrade a reader later can fail half way.

    Args:
        path: the file, for words.
        connect: opens it; a pool hands the connection from thread to thread.
        synchronous: when SQLite waits for the disk, `FULL` or `NORMAL`, with a log that is written
            ahead; None: of a file that is only read, which stays as it is.
        foreign_keys: whether references are checked.
        pool: how many connections there may be, as for `create_engine`.
    """
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        creator=connect,
        hide_parameters=True,  # MACs and names stay out of error texts
        **pool,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the `begin` event below starts transactions
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        if synchronous is not None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA trusted_schema = OFF")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
