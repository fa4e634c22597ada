"""control.db: its connections, its transactions and its schema's history."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from seekroute.control.directory import (
    has_bytes,
    is_read_only,
    make_private,
    prepare_directory,
    sync_directory,
    why_unusable,
    write_lock,
)
from seekroute.control.errors import ControlError
from seekroute.control.remains import guard_control, take_over
from seekroute.control.revisions import (
    BUSY_SECONDS,
    DATABASE_FILE,
    MIGRATIONS,
    check_not_cut,
    revision_of,
    revisions_in,
)
from seekroute.control.schema_check import check_schema
from seekroute.file_names import LEDGER
from seekroute.sqlite_engine import sqlite_engine
from seekroute.wording import number_of

# What SQLite says of a file whose pages are not what was written.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_POOL = 4  # connections; a fifth concurrent transaction waits for one
_POOL_WAIT_SECONDS = 10.0


class Database:
    """An open control.db. Thread-safe.

    Opening creates the directory (0700) and the database (0600) where they are missing and brings
    the schema up to date; an existing database of an older schema is copied beside itself first.
    In a directory that cannot be written it is opened for reading alone, and nothing is made there.

    Args:
        data_dir: the data directory.
        migrations: the folder of the schema's history.
        anew: make a new one where it is lost, with the organizations that the ledger has money of;
            or add those to the one that is there and does not know them.

    Raises:
        ControlError: the directory or file cannot be used, is not ours, has a newer schema, or is
            lost (see `seekroute.control.lost`).
    """

    def __init__(
        self, data_dir: Path, *, migrations: Path = MIGRATIONS, anew: bool = False
    ) -> None:
        self.read_only = not anew and is_read_only(data_dir)
        self._data_dir = data_dir.resolve() if self.read_only else prepare_directory(data_dir)
        self.path = self._data_dir / DATABASE_FILE
        there = True
        if self.read_only:
            _check_sealed(self._data_dir, migrations)
        else:
            with write_lock(self._data_dir):
                there = guard_control(self._data_dir, anew=anew)
                make_private(self.path)
                with _translated(self.path):
                    _migrate(self.path, migrations)
                    if migrations == MIGRATIONS:  # else it is another schema's
                        with closing(_connect(self.path, sealed=False)) as connection:
                            check_schema(connection, self.path)
        opened = self.path.stat()
        self._file = (opened.st_dev, opened.st_ino)
        self._engine = _engine(self.path, sealed=self.read_only)
        self._watch: sqlite3.Connection | None = None
        self._watching = threading.Lock()
        if anew:
            self._take_over(begun=not there)

    def _take_over(self, *, begun: bool) -> None:
        from seekroute.control.orders import OrderBook

        try:
            take_over(OrderBook(self, lambda: int(time.time())), self._data_dir, begun=begun)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection with one unchanging view of the database."""
        with _translated(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in a transaction: committed at the end, undone on any exception."""
        if self.read_only:
            raise ControlError(why_unusable(self._data_dir, writing=True))
        engine = self._engine.execution_options(write=True)
        with write_lock(self._data_dir), _translated(self.path), engine.begin() as connection:
            yield connection

    def version(self) -> int:
        """A number that is another one after each commit, by this process or another.

        To ask takes a tenth of what any query through SQLAlchemy does.
        """
        with self._watching, _translated(self.path):
            if self._watch is None:
                check_not_cut(self.path)
                # Of its own, for a connection does not count what it commits itself.
                self._watch = sqlite3.connect(
                    self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
                )
            try:
                number: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.Error:
                # A connection that has met a spoiled file may fail on, also once it is mended.
                self._watch.close()
                self._watch = None
                raise
            return number

    def check(self) -> None:
        """Look whether the file can still be read, as whoever opens it now would.

        Connections that are open tell nothing of it: theirs may be a file without a name.

        Raises:
            ControlError: it is gone, damaged, or another file than the one that was opened.
        """
        try:
            found = self.path.stat()
        except OSError as error:
            raise ControlError(f"cannot read {self.path}: {error.strerror}") from error
        if (found.st_dev, found.st_ino) != self._file:
            raise ControlError(
                f"{self.path} is not the file that was opened: stop before it is replaced, and "
                "start again"
            )
        with _translated(self.path):
            check_not_cut(self.path)
            uri = f"{self.path.as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as fresh:
                fresh.execute("SELECT max(seq) FROM key_changes").fetchone()

    def backup(self, path: Path) -> None:
        """Copy the database as of one moment to `path` (0600), which must not exist."""
        draft = path.with_name(f"{path.name}.partial")
        try:
            # Under the lock, for a connection that is closed may write the log back.
            with (
                nullcontext() if self.read_only else write_lock(self._data_dir),
                _translated(self.path),
                closing(_connect(self.path, sealed=self.read_only)) as connection,
            ):
                _copy(connection, draft)
            os.link(draft, path)  # not rename(): it refuses to take another file's place
            sync_directory(path.parent)
        except OSError as error:
            raise ControlError(f"cannot write {path}: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)

    def close(self) -> None:
        """Close every connection."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self._engine.dispose()


def upgrade(data_dir: Path, *, anew: bool = False) -> None:
    """Make control.db, or bring its schema up to date, as opening it would.

    Args:
        data_dir: the data directory.
        anew: make a new one where it is lost.

    Raises:
        ControlError: see `Database`.
    """
    Database(data_dir, anew=anew).close()


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError as error:
        raise ControlError("a name or id is not valid Unicode text") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        # SQLite's own words hold names of tables and columns, never values.
        cause = error.orig if isinstance(error, DBAPIError) else error
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            raise ControlError(damaged_text(path, str(cause))) from error
        raise ControlError(f"the database {path} failed: {cause}") from error


def damaged_text(path: Path, cause: str) -> str:
    """What to do about a control.db that cannot be read any more."""
    return (
        f"the database {path} is damaged: {cause}. Stop the server, move {path.name}, "
        f"{path.name}-wal and {path.name}-shm away, and put a copy of `seekroute backup --control` "
        "in their place; or begin with a new one, without its organizations, apps and keys: "
        f"seekroute serve --new-control, said once. Balances are in {LEDGER}, and stay"
    )


def _check_sealed(data_dir: Path, migrations: Path) -> None:
    """Refuses a control.db that cannot be read without writing beside it. Raises ControlError."""
    path = data_dir / DATABASE_FILE
    guard_control(data_dir)
    copy = "copy the folder to one that can be written, and read that"
    log = path.with_name(f"{path.name}-wal")
    if has_bytes(log) and not path.with_name(f"{path.name}-shm").exists():
        raise ControlError(
            f"{log} has to be written back, and {data_dir} cannot be written: {copy}"
        )
    with _translated(path), closing(_connect(path, sealed=True)) as connection:
        current, latest = revision_of(connection, path), revisions_in(migrations)[-1]
        if current == latest:
            check_schema(connection, path)
    if current != latest:
        raise ControlError(
            f"{path} has schema {current}, this seekroute reads schema {latest}, and {data_dir} "
            f"cannot be written: {copy}"
        )


def _uri(path: Path, *, sealed: bool) -> str:
    """What SQLite opens. It makes a log and its index beside a database even to read it; where it
    cannot, and there is neither, nobody writes and the file is read as it stands."""
    if not sealed:
        return path.as_uri()
    live = path.with_name(f"{path.name}-shm").exists()
    return f"{path.as_uri()}?mode=ro" + ("" if live else "&immutable=1")


def _connect(path: Path, *, sealed: bool, begun: bool = True) -> sqlite3.Connection:
    if begun:
        check_not_cut(path)
    # A pool hands it from thread to thread.
    return sqlite3.connect(
        _uri(path, sealed=sealed), uri=True, timeout=BUSY_SECONDS, check_same_thread=False
    )


def _engine(
    path: Path, *, foreign_keys: bool = True, sealed: bool = False, begun: bool = True
) -> Engine:
    return sqlite_engine(
        path,
        lambda: _connect(path, sealed=sealed, begun=begun),
        synchronous=None if sealed else "FULL",
        foreign_keys=foreign_keys,
        pool_size=_POOL,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
    )


def _migrate(path: Path, migrations: Path) -> None:
    """Bring the schema to the latest revision. Alembic is imported only when there is work."""
    revisions = revisions_in(migrations)
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        current = revision_of(connection, path)
        if current == revisions[-1]:
            return
        if current is not None and current not in revisions:
            raise ControlError(
                f"{path} has schema {current}, this seekroute knows schemas up to "
                f"{revisions[-1]}: start the newer seekroute that wrote it, or restore a backup"
            )
        if current is not None:
            _back_up(connection, path, current)
    _upgrade(path, migrations)


def _back_up(connection: sqlite3.Connection, path: Path, revision: str) -> None:
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    target = path.with_name(f"{path.name}.schema-{revision}.{stamp}.backup")
    draft = target.with_name(f"{target.name}.partial")
    _copy(connection, draft)
    draft.rename(target)


def _copy(connection: sqlite3.Connection, path: Path) -> None:
    """Copies all pages under one read transaction into a private file."""
    path.unlink(missing_ok=True)
    make_private(path)
    with closing(sqlite3.connect(path)) as copy:
        connection.backup(copy)


def _upgrade(path: Path, migrations: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    # Off during a migration: SQLite changes a table by making a new one, and dropping the old one
    # would take the rows that refer to it along. The check below makes up for it.
    engine = _engine(path, foreign_keys=False, begun=False).execution_options(write=True)
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise ControlError(
                    f"the upgrade of {path} would break {number_of(len(broken), 'reference')}"
                )
    finally:
        engine.dispose()
