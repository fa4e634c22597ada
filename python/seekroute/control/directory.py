"""The data directory: its files, their modes, and the locks that say who may use them."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from seekroute.control.errors import ControlError

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700

_SERVER_LOCK = "server.lock"
_WRITE_LOCK = "control.lock"
_WRITE_WAIT_SECONDS = 10.0  # far longer than any write; past it, somebody hangs
_WRITE_POLL_SECONDS = 0.005


def prepare_directory(data_dir: Path) -> Path:
    """Make `data_dir` (mode 0700) where it is missing. Returns its absolute path.

    Raises:
        ControlError: it cannot be made, or is not a directory.
    """
    try:
        data_dir.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        return data_dir.resolve(strict=True)
    except OSError as error:
        raise ControlError(f"cannot use the data directory {data_dir}: {error.strerror}") from error


def make_private(path: Path) -> None:
    """Create `path` empty, or take away what others may do with it; mode 0600 either way."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            os.fchmod(descriptor, PRIVATE_FILE)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ControlError(f"cannot open {path}: {error.strerror}") from error


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def write_lock(data_dir: Path) -> Iterator[None]:
    """Hold the right to write control.db, against threads and processes.

    SQLite before 3.51.3 can corrupt a WAL database when one connection writes while another
    checkpoints. One writer at a time, its checkpoint included, rules that out.

    Raises:
        ControlError: another process kept the lock for 10 s.
    """
    path = data_dir / _WRITE_LOCK
    make_private(path)
    with path.open("rb") as file:  # a lock belongs to this open file, so threads exclude each other
        deadline = time.monotonic() + _WRITE_WAIT_SECONDS
        while not _try_lock(file.fileno()):
            if time.monotonic() >= deadline:
                raise ControlError(
                    f"another process has been writing to {data_dir} for more than "
                    f"{_WRITE_WAIT_SECONDS:.0f} s: try again, or end that process"
                )
            time.sleep(_WRITE_POLL_SECONDS)
        yield


class InstanceLock:
    """The right to serve from a data directory: one server process at a time.

    The operating system drops the lock when the process ends, however it ends, so a lock is never
    stale. Commands that manage keys do not need it. A context manager; not reentrant.

    Args:
        data_dir: the data directory; made (mode 0700) where it is missing.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory, InstanceLock(Path(directory)):
        ...     pass  # no other server starts here
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ControlError: another server has it (the text names its pid), or this one already does.
        """
        if self._descriptor is not None:
            raise ControlError(f"this process already serves from {self._data_dir}")
        path = prepare_directory(self._data_dir) / _SERVER_LOCK
        make_private(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        if not _try_lock(descriptor):
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise ControlError(
                f"the data directory {self._data_dir} is in use by another seekroute server "
                f"(pid {owner}): stop that one, or choose another directory with --data-dir"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock up. Nothing happens if it is not held."""
        if self._descriptor is not None:
            # The file stays: to remove it would let two processes lock two files of one name.
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
