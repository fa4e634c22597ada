"""Requests that were refused: who, what and why, for whoever is asked about them.

The ledger has a row of every request that was sent to a provider. One that was not (401, 402, 403,
404, 429) costs nothing and has none; here it has a line, in a file beside the databases. It holds
no prompt and no key, is bounded, and may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seekroute.visible import without_keys

if TYPE_CHECKING:
    from seekroute.server.logs import Record

__all__ = ["FILE_NAME", "Refusals", "refusals"]

FILE_NAME: Final = "refused.jsonl"
# Of one file; with the one before it twice that, some 20,000 lines.
_MOST_BYTES: Final = 2 * 1024 * 1024
# Between two writes. Whoever is refused a thousand times a second does not fill the disk faster.
_WRITE_S: Final = 0.5
_MOST_WAITING: Final = 500
# Of what a client may have written: a model's name, a path.
_MOST_TEXT: Final = 120
# Endpoints of one line that tell why they were left out: some hundred bytes each.
_MOST_EXCLUDED: Final = 8

_log: Final = logging.getLogger("seekroute.server")


class Refusals:
    """Writes the file. `add` never waits and may be called from any thread.

    What comes faster than it is written is counted in a line of its own (`dropped`), and a disk
    that fails loses lines, not requests.

    Args:
        data_dir: where the file is.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / FILE_NAME
        self._waiting: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._stopping = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, name="seekroute-refused", daemon=True)
        self._thread.start()

    def add(self, **fields: Any) -> None:
        """Adds a line; texts are cut, and have no key in them.

        Args:
            fields: `request_id`, `status`, `error`, and what is known of `method`, `path`, `model`,
                `key`, `org`, the `limit` that refused it, `queued_ms`, and who was `excluded`.
        """
        if len(self._waiting) >= _MOST_WAITING:
            self._dropped += 1
            return
        cut = {
            k: without_keys(v)[:_MOST_TEXT] if isinstance(v, str) else v
            for k, v in fields.items()
            if v
        }
        self._waiting.append({"created": int(time.time()), **cut})

    def record(self, record: Record) -> None:
        """Adds the line of an exchange that ended before anything was held or sent."""
        if record.error and record.attempts == 0 and record.held_nano == 0:
            self.add(
                request_id=record.request_id,
                status=record.status,
                error=record.error,
                model=record.model or record.requested_model,
                key=record.key_id,
                org=record.org_id,
                limit=_limit(record.limit),
                excluded=_excluded(record.availability),
                queued_ms=round(record.queued_ms),
            )

    def close(self) -> None:
        """Writes what waits. Idempotent."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_WRITE_S):
            self._write()
        self._write()

    def _write(self) -> None:
        lines = []
        while self._waiting:
            lines.append(json.dumps(self._waiting.popleft(), separators=(",", ":")) + "\n")
        if dropped := self._dropped:
            self._dropped = 0
            lines.append(json.dumps({"created": int(time.time()), "dropped": dropped}) + "\n")
        if not lines:
            return
        try:
            with contextlib.suppress(FileNotFoundError):
                if self._path.stat().st_size > _MOST_BYTES:
                    self._path.replace(_before(self._path))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(descriptor, "ab") as file:
                file.write("".join(lines).encode())
        except OSError as error:
            if not self._failed:
                _log.error("refused requests cannot be written down: %s", error.strerror)
            self._failed = True
        else:
            self._failed = False


def refusals(data_dir: Path) -> Iterator[Mapping[str, Any]]:
    """The lines, newest first: `created` in Unix seconds, `request_id`, `status`, `error`, …; or
    `created` and how many were `dropped` about then. Lines that cannot be read are passed over."""
    newest = data_dir / FILE_NAME
    for path in (newest, _before(newest)):
        try:
            lines = path.read_bytes().splitlines()
        except OSError:
            continue
        for line in reversed(lines):
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and isinstance(found.get("created"), int):
                    yield found


def _limit(fact: str) -> dict[str, Any]:
    """Which limit an error names, without what was left of it."""
    told = json.loads(fact) if fact else {}
    return {name: told[name] for name in ("scope", "dimension", "limit") if name in told}


def _excluded(availability: str) -> list[dict[str, Any]]:
    """Who could not serve it, each with a word and a sentence; at last how many `more`."""
    if not availability:
        return []
    told = json.loads(availability)
    names = ("endpoint", "model", "excluded_by", "detail")
    found = [{name: each[name] for name in names} for each in told["excluded"][:_MOST_EXCLUDED]]
    more = told["considered"] - len(found)
    return [*found, {"more": more}] if more > 0 else found


def _before(path: Path) -> Path:
    return path.with_name(path.name + ".1")
