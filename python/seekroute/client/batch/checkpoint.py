"""The file that lets a run go on where it was: one JSON line per finished prompt, only appended.

Line 1 says what the run asks (model, system message, fields; digests where the value may be long or
private). Every further line is one prompt:

    {"index":3,"digest":"…","cost_nano":64800,…,"answer":{…}}     answered; never asked again
    {"index":4,"digest":"…","cost_nano":0,…,"error":"RateLimitError","status":429}    asked again

A line counts when its newline is there. It reaches the operating system before its prompt counts as
done, so a killed process loses nothing; the file is synced to disk every `SYNC_LINES` lines or
`SYNC_SECONDS`, which is what a power cut can lose.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final

from seekroute.client.batch.errors import CheckpointError
from seekroute.client.batch.outcome import Outcome
from seekroute.client.batch.requests import dump

FORMAT: Final = 2
SYNC_LINES: Final = 256
SYNC_SECONDS: Final = 1.0
# A first line longer than this is no checkpoint of ours.
_MAX_HEADER: Final = 1 << 20
_ANSWER: Final = b',"answer":'
_NUMBERS = (
    "cost_nano",
    "prompt_tokens",
    "completion_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "attempts",
    "tries",
)
_ABSENT: Final = object()
_TEXTS = ("model", "provider", "request_id")


def digest(request: bytes) -> str:
    """What tells one request from another: 128 bits of what it says.

    The order of keys and the spelling of numbers are no difference: nobody pays twice for having
    written `0.0` for `0`, or two arguments the other way round.
    """
    try:
        meant = json.loads(request, parse_float=_number)
        request = json.dumps(meant, sort_keys=True, separators=(",", ":")).encode()
    except ValueError:
        pass  # no JSON: its bytes
    return hashlib.blake2b(request, digest_size=16).hexdigest()


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def describe(model: str, system: str | None, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint's first line says of a run: names and numbers in the clear, the values
    that may be long or private as digests."""
    said: dict[str, Any] = {}
    for name, value in sorted(fields.items()):
        written = dump(value)
        meant = json.loads(written, parse_float=_number)
        shown = isinstance(meant, bool | int | float)
        said[name] = meant if shown else digest(written)
    if system is not None:
        said["system"] = digest(dump(system))
    return {"model": model, **said}


def _differences(before: Mapping[str, Any], run: Mapping[str, Any]) -> list[str]:
    """What the first line of a file says otherwise than this run."""
    told = []
    for name in sorted(before.keys() | run.keys()):
        there, here = before.get(name, _ABSENT), run.get(name, _ABSENT)
        if there is not _ABSENT and here is not _ABSENT and dump(there) == dump(here):
            continue
        if name != "model" and isinstance(there, str) and isinstance(here, str):
            told.append(f"{name}: another value")
        else:
            told.append(f"{name}: {_told(name, there)} there, {_told(name, here)} here")
    return told


def _told(name: str, value: Any) -> str:
    if value is _ABSENT:
        return "not given"
    return repr(value) if name == "model" or not isinstance(value, str) else "given"


class Checkpoint:
    """An open checkpoint file, locked against other runs until `close()`.

    Args:
        path: the file; made when it is not there.
        run: what `describe` says of this run.

    Raises:
        CheckpointError: when another run has it open, when it belongs to a run with another model
            or other fields, and when it is no checkpoint.
        OSError: when it cannot be opened, read or written.
    """

    def __init__(self, path: str | os.PathLike[str], run: Mapping[str, Any]) -> None:
        self.path = Path(path).expanduser()
        # Nano-USD of everything in the file, failed tries included.
        self.spent_nano = 0
        self._found: dict[str, list[Outcome]] = {}
        self._pending: list[bytes] = []
        self._unsynced = 0
        self._synced_at: float | None = None
        self._file = self.path.open("a+b", buffering=0)
        try:
            self._lock()
            self._load(dict(run))
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CheckpointError(
                f"{self.path}: another run has this checkpoint open; wait for it or give this run "
                "a file of its own"
            ) from None

    def _load(self, run: dict[str, Any]) -> None:
        self._file.seek(0)
        with os.fdopen(os.dup(self._file.fileno()), "rb") as reader:
            header = reader.readline(_MAX_HEADER)
            good = len(header) if header.endswith(b"\n") else 0
            if good:
                self._check_header(header, run)
                good += self._load_lines(reader)
            elif header and not header.startswith(b'{"seekroute_checkpoint":'[: len(header)]):
                raise self._foreign()
        if good < self._file.seek(0, os.SEEK_END):
            self._file.truncate(good)  # the torn last line of a process that was killed
        if not good:
            self._file.write(dump({"seekroute_checkpoint": FORMAT, "run": run}) + b"\n")
            self._unsynced += 1

    def _foreign(self) -> CheckpointError:
        return CheckpointError(
            f"{self.path}: this is not a seekroute checkpoint; nothing was changed, "
            "choose another name"
        )

    def _check_header(self, line: bytes, run: dict[str, str]) -> None:
        try:
            header = json.loads(line)
            version, before = header["seekroute_checkpoint"], dict(header["run"])
        except (ValueError, KeyError, TypeError):
            raise self._foreign() from None
        if version != FORMAT:
            raise CheckpointError(f"{self.path}: format {version}; this version reads {FORMAT}")
        different = _differences(before, run)
        if different:
            raise CheckpointError(
                f"{self.path}: made by another run ({'; '.join(different)}); give this run a file "
                "of its own, or delete this one"
            )

    def _load_lines(self, reader: IO[bytes]) -> int:
        """Takes in the lines; returns the bytes up to the end of the last whole one."""
        size = damaged = 0
        for line in reader:
            if not line.endswith(b"\n"):
                break
            size += len(line)
            try:
                self._take_in(line)
            except (ValueError, KeyError, TypeError):
                damaged += 1
        if damaged:
            warnings.warn(
                f"{self.path}: {damaged} damaged lines; their prompts are asked again",
                RuntimeWarning,
                stacklevel=5,
            )
        return size

    def _take_in(self, line: bytes) -> None:
        entry = json.loads(line)
        outcome = Outcome(int(entry["index"]))
        for name in _NUMBERS:
            setattr(outcome, name, int(entry[name]))
        for name in _TEXTS:
            setattr(outcome, name, str(entry[name]))
        outcome.latency = float(entry["latency"])
        outcome.priced = bool(entry["priced"])
        outcome.restored = True
        self.spent_nano += outcome.cost_nano
        if "error" not in entry:
            if not isinstance(entry["answer"], dict):
                raise ValueError("the answer is not an object")
            # The last key of its line, and no string before it can hold an unescaped quote.
            outcome.body = line[line.index(_ANSWER) + len(_ANSWER) : -2]
            self._found.setdefault(str(entry["digest"]), []).append(outcome)

    @property
    def answers(self) -> int:
        """Answers in the file that no prompt of this run has taken yet."""
        return sum(len(outcomes) for outcomes in self._found.values())

    def take(self, request_digest: str, index: int) -> Outcome | None:
        """The stored answer to a request, if any; each is given once.

        Equal requests keep their own answers: the one with this index goes first. An answer whose
        prompt has moved to another place is found too.
        """
        outcomes = self._found.get(request_digest)
        if not outcomes:
            return None
        place = next((i for i, outcome in enumerate(outcomes) if outcome.index == index), 0)
        outcome = outcomes.pop(place)
        outcome.index = index
        return outcome

    def add(self, outcome: Outcome, request_digest: str) -> None:
        """Appends a finished prompt; it is in the file after the next `write()`."""
        entry: dict[str, Any] = {"index": outcome.index, "digest": request_digest}
        for name in _NUMBERS:
            entry[name] = getattr(outcome, name)
        entry["latency"] = round(outcome.latency, 6)
        entry["priced"] = outcome.priced
        for name in _TEXTS:
            entry[name] = getattr(outcome, name)
        if outcome.error is None:
            body = outcome.body.strip()
            if b"\n" in body or b"\r" in body:  # a pretty-printed answer; strings have neither raw
                body = dump(json.loads(body))
            self._pending.append(dump(entry)[:-1] + _ANSWER + body + b"}\n")
        else:
            # Without its text, which may repeat the prompt.
            entry["error"] = type(outcome.error).__name__
            entry["status"] = getattr(outcome.error, "status_code", 0) or 0
            self._pending.append(dump(entry) + b"\n")

    def write(self) -> None:
        """Hands what was added to the operating system, in one call."""
        if not self._pending:
            return
        data = memoryview(b"".join(self._pending))
        self._unsynced += len(self._pending)
        self._pending.clear()
        while data:
            data = data[self._file.write(data) or 0 :]

    @property
    def unsynced(self) -> int:
        """Lines that the disk has not been told of."""
        return self._unsynced

    def sync(self, now: float) -> None:
        """Tells the disk when it is time; `now` is seconds of a monotonic clock."""
        if self._synced_at is None:
            self._synced_at = now
        late = now - self._synced_at >= SYNC_SECONDS
        if self._unsynced and (late or self._unsynced >= SYNC_LINES):
            os.fdatasync(self._file.fileno())
            self._unsynced = 0
            self._synced_at = now

    def close(self) -> None:
        """Writes and syncs what is left and lets the lock go. Idempotent."""
        if self._file.closed:
            return
        try:
            self.write()
            if self._unsynced:
                os.fdatasync(self._file.fileno())
        finally:
            self._file.close()
