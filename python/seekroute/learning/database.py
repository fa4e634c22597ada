"""router.db as a file: opened, made, and its errors in words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from seekroute.closable import Closable
from seekroute.errors import SeekrouteError
from seekroute.file_names import ROUTER
from seekroute.files import why_no_file
from seekroute.learning.tables import SCHEMA, metadata
from seekroute.sqlite_engine import sqlite_engine

__all__ = ["LearningError", "RouterDatabase"]

_BUSY_S: Final = 1.0
_MODE: Final = 0o600


class LearningError(SeekrouteError):
    """router.db cannot be used; the text says why and what to do."""


class RouterDatabase(Closable):
    """An open router.db. Thread-safe; blocks on the disk.

    Args:
        home: the data directory.
        make: whether it is made where it is missing.

    Raises:
        LearningError: it is missing, damaged, or of a newer release.
    """

    def __init__(self, home: Path, *, make: bool) -> None:
        self.path: Final = home / ROUTER
        if why := why_no_file(self.path):
            raise LearningError(why)
        if not make and not self.path.exists():
            raise LearningError(
                f"there is no {self.path}: a server makes it whose configuration has "
                "routing.auto.learning.enabled"
            )
        with self._translated():
            if not self.path.exists():
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, _MODE))
            opened = self.path.stat()
            self._file = (opened.st_dev, opened.st_ino)
            self._checked: object = None  # as what it was last found whole
            self._watch: sqlite3.Connection | None = None
            self._watching: Final = threading.Lock()
            self._engine = sqlite_engine(
                self.path, lambda: _connect(self.path), synchronous="NORMAL"
            )
            try:
                self._prepare()
            except BaseException:
                self._engine.dispose()
                raise

    def check(self) -> None:
        """Looks whether the file is still there and can be read.

        Raises:
            LearningError: it is gone, another one, or damaged.
        """
        with self._translated():
            found = self.path.stat()
            if (found.st_dev, found.st_ino) != self._file:
                raise LearningError(f"{self.path} is not the file that was opened")
            # Neither a commit nor another program's hand: it reads as it did.
            state = (self._version(), found.st_mtime_ns, found.st_size)
        if state == self._checked:
            return
        with self.read() as connection:
            for table in metadata.sorted_tables:
                connection.execute(select(table).limit(1)).all()
        self._checked = state

    def check_writable(self) -> None:
        """Looks whether the file can be written: SQLite opens what it may only read, and begins
        transactions of writers there.

        Raises:
            LearningError: it cannot.
        """
        with self.write() as connection:
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")  # as it is

    def close(self) -> None:
        """Closes its connections."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self._engine.dispose()

    def _version(self) -> int:
        """Another number after each commit. On a connection of its own, for one does not count what
        it commits itself."""
        with self._watching:
            if self._watch is None:
                self._watch = _connect(self.path)
            version: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
            return version

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            found = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if found == 0:
                there = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master")
                if there.scalar_one() > 0:
                    raise LearningError(f"{self.path} is another program's: move it away")
                metadata.create_all(connection)
                connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA}")
            elif found != SCHEMA:
                raise LearningError(
                    f"{self.path} is of schema {found}, and this release knows {SCHEMA}: use the "
                    "release that made it, or move the file away and begin to learn anew"
                )

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection with one unchanging view of the database."""
        with self._translated(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction: committed at the end, undone on any exception."""
        engine = self._engine.execution_options(write=True)
        with self._translated(), engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            cause = getattr(error, "orig", None) or error
            raise LearningError(_said(self.path, cause)) from error
        except OSError as error:
            raise LearningError(f"{self.path} cannot be used: {error.strerror}") from error


def _said(path: Path, cause: BaseException) -> str:
    text = f"{path} cannot be used: {cause}"
    if isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.OperationalError):
        text += "; move it away, and learning begins anew"
    return text


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
