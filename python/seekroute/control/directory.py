"""The data directory: its files, their modes, and the locks that say who may use them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from seekroute.control.errors import ControlError, DirectoryInUseError

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700

# File systems in which nobody makes a file or folder.
_KERNELS = {"proc", "sysfs", "cgroup", "cgroup2", "devpts", "debugfs", "tracefs", "securityfs"}

_SERVER_LOCK = "server.lock"
_WRITE_LOCK = "control.lock"
_WRITE_WAIT_SECONDS = 10.0  # far longer than any write; past it, somebody hangs
_WRITE_POLL_SECONDS = 0.005
_COMMAND = "command"  # after the pid in the lock's file: not a server
_COMMAND_WAIT_SECONDS = 10.0
_NAME_WAIT_SECONDS = 0.25


def why_unusable(data_dir: Path, *, writing: bool = False) -> str:
    """Why a path cannot be that of a data directory: a sentence; empty where it may be one.

    Nothing is written. One that is not there may be one where it can be made.

    Args:
        data_dir: what was given.
        writing: whether one that is there has to be writable, too.
    """
    shown = str(data_dir).encode("utf-8", "backslashreplace").decode()
    cannot = f"cannot use the data directory {shown}"
    try:
        str(data_dir).encode()
    except UnicodeEncodeError:
        return f"{cannot}: its name is not UTF-8"
    try:
        there = _nearest(data_dir.absolute())
        if there.is_symlink():
            try:
                there.resolve(strict=True)
            except FileNotFoundError:
                return f"{cannot}: {there} leads nowhere"
            except RuntimeError:  # what Python before 3.13 says of a loop
                return f"{cannot}: {os.strerror(errno.ELOOP)}"
        if not stat.S_ISDIR(there.stat().st_mode):
            return f"{cannot}: {there} is not a folder"
        if _has_no_files(there):
            return f"{cannot}: {there} is no place for files"
        made = there == data_dir.absolute()
        if made and not os.access(there, os.R_OK | os.X_OK):
            return f"{cannot}: it cannot be read"
        if (writing or not made) and not os.access(there, os.W_OK | os.X_OK):
            return f"{cannot}: {there} cannot be written"
        longest = os.pathconf(there, "PC_NAME_MAX")
    except OSError as error:
        return f"{cannot}: {error.strerror}"
    if any(len(part.encode()) > longest for part in data_dir.parts):
        return f"{cannot}: File name too long"
    return ""


def is_read_only(data_dir: Path) -> bool:
    """Whether a data directory is there and can be read, and no file can be made in it."""
    return not why_unusable(data_dir) and not os.access(data_dir, os.W_OK) and data_dir.is_dir()


def has_bytes(path: Path) -> bool:
    """Whether a file is there and not empty."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


def _nearest(path: Path) -> Path:
    """The path, or the folder above it that is there.

    Raises:
        OSError: that cannot be told.
    """
    while True:
        try:
            path.lstat()
            return path
        except (FileNotFoundError, NotADirectoryError):
            path = path.parent


def _has_no_files(folder: Path) -> bool:
    """Whether it belongs to the kernel, which says of no use that it could be written."""
    device = folder.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    try:
        mounts = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:  # another system than Linux
        return False
    kinds = {
        line.partition(" - ")[2].partition(" ")[0]
        for line in mounts
        if line.split(" ", 3)[2] == number
    }
    return bool(kinds & _KERNELS)


def prepare_directory(data_dir: Path) -> Path:
    """Make `data_dir` (mode 0700) where it is missing. Returns its absolute path.

    Raises:
        ControlError: it cannot be made, or is not a directory.
    """
    if why := why_unusable(data_dir, writing=True):
        raise ControlError(why)
    try:
        data_dir.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        return data_dir.resolve(strict=True)
    except OSError as error:
        raise ControlError(f"cannot use the data directory {data_dir}: {error.strerror}") from error


def make_private(path: Path) -> None:
    """Create `path` empty, or take away what others may do with it; mode 0600 either way.

    A file that exists is not opened: to close it again would drop the locks that SQLite has on it
    for another connection of this process, and its log could then be deleted under that one.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, flags, PRIVATE_FILE))
        path.chmod(PRIVATE_FILE)
    except OSError as error:
        raise ControlError(f"cannot open {path}: {error.strerror}") from error


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def write_lock(data_dir: Path) -> Iterator[None]:
    """Hold the right to write control.db, against threads and processes.

    SQLite before 3.51.3 can corrupt a WAL database when one connection writes while another
    writes the log back. One writer at a time, its writing back included, rules that out.

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


def serving_pid(data_dir: Path) -> int | None:
    """The process that serves from a data directory; None where none does. Nothing is written."""
    try:
        descriptor = os.open(data_dir / _SERVER_LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared, and dropped at once: a server that starts just now tries again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 64, 0).decode("ascii", "replace").split()
        return int(owner[0]) if len(owner) == 1 and owner[0].isdigit() else None
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return None


class InstanceLock:
    """The right to use a data directory alone: to serve from it, or to write its ledger.

    The operating system drops the lock when the process ends, however it ends, so a lock is never
    stale. Commands that manage keys do not need it. A context manager; not reentrant.

    Args:
        data_dir: the data directory; made (mode 0700) where it is missing.
        serving: False for a command, which has the directory for a moment only. A server waits up
            to 10 s for one to end, and a command waits for nobody.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as directory, InstanceLock(Path(directory)):
        ...     pass  # no other server starts here
    """

    def __init__(self, data_dir: Path, *, serving: bool = True) -> None:
        self._data_dir = data_dir
        self._serving = serving
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            DirectoryInUseError: another process has it; the text names its pid.
            ControlError: this one already does.
        """
        if self._descriptor is not None:
            raise ControlError(f"this process already serves from {self._data_dir}")
        path = prepare_directory(self._data_dir) / _SERVER_LOCK
        make_private(path)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._wait_for(descriptor)
            os.ftruncate(descriptor, 0)
            mark = "" if self._serving else f" {_COMMAND}"
            os.pwrite(descriptor, f"{os.getpid()}{mark}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def _wait_for(self, descriptor: int) -> None:
        began = time.monotonic()
        while not _try_lock(descriptor):
            owner = os.pread(descriptor, 64, 0).decode("ascii", "replace").split()
            # Who has just taken the lock may not have written its name yet: wait for that too.
            wait = _COMMAND_WAIT_SECONDS if _COMMAND in owner[1:] else _NAME_WAIT_SECONDS
            if not self._serving or time.monotonic() >= began + wait:
                raise self._in_use(owner)
            time.sleep(_WRITE_POLL_SECONDS)

    def _in_use(self, owner: list[str]) -> DirectoryInUseError:
        pid = owner[0] if owner else "unknown"
        if _COMMAND in owner[1:]:
            return DirectoryInUseError(
                f"a seekroute command (pid {pid}) is writing the ledger in {self._data_dir}: "
                "try again when it has ended"
            )
        return DirectoryInUseError(
            f"the data directory {self._data_dir} is in use by another seekroute server "
            f"(pid {pid}): stop that one, or choose another directory with --data-dir"
        )

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
