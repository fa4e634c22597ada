"""Which schema control.db has, and which it should have: what can be told without SQLAlchemy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from seekroute.control.errors import ControlError

DATABASE_FILE = "control.db"
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 5.0  # waits while a log is written back; writers queue at write_lock()


def revisions_in(migrations: Path) -> list[str]:
    """The revisions of the schema, oldest first, as the names of their files say."""
    files = (migrations / "versions").glob("[0-9]*_*.py")
    return sorted(file.name.partition("_")[0] for file in files)


def revision_of(connection: sqlite3.Connection, path: Path) -> str | None:
    """The revision of a database; None for an empty one.

    Raises:
        ControlError: it is not ours.
    """
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return None
    row = None
    if "alembic_version" in tables:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise ControlError(f"{path} is not a control database of seekroute: move it away")
    return str(row[0])


def check_not_cut(path: Path) -> None:
    """Call before a database that was begun is opened: SQLite removes the log of an empty file,
    which may be all that is left of it.

    Raises:
        ControlError: nothing is in it, or it cannot be looked at.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ControlError(f"cannot read {path}: {error.strerror}") from error
    if not size:
        raise ControlError(f"{path} is empty: restore a backup")


def upgrade_is_due(data_dir: Path, *, migrations: Path = MIGRATIONS) -> bool:
    """Whether opening the database would change its schema, make it, or fail. Changes nothing."""
    path = data_dir / DATABASE_FILE
    try:
        if not path.is_file():
            return True
        check_not_cut(path)
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
            return revision_of(connection, path) != revisions_in(migrations)[-1]
    except (OSError, sqlite3.Error, ControlError):
        return True
