"""The running server's configuration is read again: `SIGHUP` and `seekroute config reload`.

A process of its own reads and checks it whole (`config/replanning.py`), so the one that serves goes
on at its pace and imports no schema. What comes back is swapped in whole, or refused, and then the
old one stays.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from seekroute.errors import SeekrouteError
from seekroute.reloading import Differences, Question, Reading
from seekroute.visible import visible, without_keys
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.plan import Plan, Source
    from seekroute.server.metrics import Sample

_log: Final = logging.getLogger("seekroute.server")

# How often it is looked whether somebody has asked for one.
RELOAD_POLL_S: Final = 0.25
# How long reading may take: on a busy machine ten times what it takes on a small one.
_READ_S: Final = 60.0
# Lines of the log that one reload may take; the answer of the command has more.
_LOGGED: Final = 50
_CHILD: Final = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    # A text of several lines could end in a key.
    "sys.excepthook = lambda kind, error, trace: print(kind.__name__, file=sys.stderr); "
    "from seekroute.config import replanning; replanning.main()"
)
APPLIED: Final = "applied"
REFUSED: Final = "refused"


class Reloads:
    """Reloads one server's configuration, one after the other, on a thread of its own.

    Args:
        control: where commands ask, and are answered.
        adopt: takes over a plan whole; raises SeekrouteError or ValueError and changes nothing.
        environ: where variables are looked up.
    """

    def __init__(
        self, control: ControlPlane, adopt: Callable[[Plan], None], environ: Mapping[str, str]
    ) -> None:
        self._control = control
        self._adopt = adopt
        self._environ = environ
        self._source: Source | None = None
        self._running = b""
        # No Event: its lock would wait for ever for a handler that was interrupted by another.
        self._signalled = False
        self._counts: Counter[str] = Counter({APPLIED: 0, REFUSED: 0})
        self._child_lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._seen: int | None = None

    def begin(self, source: Source | None, running: bytes) -> None:
        """Notes what runs. What was asked before, the first turn answers."""
        self._source, self._running = source, running

    def ask(self) -> None:
        """Asks for a reload. For a signal handler: returns at once."""
        self._signalled = True

    def samples(self) -> Iterator[Sample]:
        """The counts as samples."""
        for result, count in sorted(self._counts.items()):
            yield "seekroute_config_reloads_total", (("result", result),), float(count)

    def turn(self) -> bool:
        """Reloads if somebody has asked; one reload answers all who asked before it began."""
        version = self._control.version()
        signalled = self._signalled
        if not signalled and version == self._seen:
            return False
        asked = self._control.reloads.pending()
        if signalled or asked:
            self._signalled = False  # before it is read: what is changed later is asked for anew
            answer = self._reload()
            self._control.reloads.finish(asked, answer["result"], json.dumps(answer))
        self._seen = version
        return False

    def close(self) -> None:
        """Ends a reading that runs. Idempotent."""
        with self._child_lock:
            self._closed = True
            if self._child is not None:
                self._child.kill()

    def _reload(self) -> dict[str, Any]:
        try:
            reading = self._read()
            refused = reading.refused
            if reading.plan is not None:
                self._adopt(reading.plan)
                self._running = reading.running
                self._source = reading.plan.source  # a file that was found is missed from now on
        except (SeekrouteError, ValueError, OSError) as error:
            refused = str(error)
        except Exception as error:  # a fault of ours: whoever asked must not wait for an answer
            refused = f"a fault in the gateway: {type(error).__name__}"  # its text may hold a key
        result = REFUSED if refused else APPLIED
        self._counts[result] += 1
        if refused:
            problems = [without_keys(visible(line)) for line in refused.splitlines()]
            _log.error("configuration not reloaded, the old one stays: %s", "; ".join(problems))
            return {"result": result, "problems": problems, "warnings": [], **_told(Differences())}
        _log_differences(reading.differences)
        warnings = [visible(line) for line in reading.plan.warnings] if reading.plan else []
        for line in warnings:
            _log.warning(line)
        told = _told(reading.differences)
        return {"result": result, "problems": [], "warnings": warnings, **told}

    def _read(self) -> Reading:
        if self._source is None:
            return Reading(
                "this gateway was made of settings that were read from nowhere: it cannot read "
                "them again"
            )
        question = Question(self._source, dict(self._environ), self._running)
        with self._child_lock:
            if self._closed:
                return Reading("the server is stopping")
            self._child = child = subprocess.Popen(
                # It finds what this process finds, from whatever folder.
                [sys.executable, "-c", _CHILD, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in a terminal is for the server alone
            )
        try:
            out, told = child.communicate(pickle.dumps(question), timeout=_READ_S)
        except subprocess.TimeoutExpired:
            return Reading(f"the configuration was not read within {_READ_S:.0f} s")
        finally:
            child.kill()
            child.wait()
            with self._child_lock:
                self._child = None
        if child.returncode != 0:
            # Of a fault of ours the type alone: its text may hold a key.
            last = told.decode("utf-8", "replace").strip().rpartition("\n")[2].partition(":")[0]
            return Reading(f"the configuration could not be read: {last or 'it was stopped'}")
        reading: Reading = pickle.loads(out)  # our own child's
        return reading


def _told(found: Differences) -> dict[str, Any]:
    return {
        "changes": [{**asdict(each), "text": str(each)} for each in found.changes],
        "more_changes": found.more,
        "needs_restart": list(found.needs_restart),
    }


def _log_differences(found: Differences) -> None:
    count = len(found.changes) + found.more
    _log.info("configuration reloaded: %s", number_of(count, "change"))
    for each in found.changes[:_LOGGED]:
        _log.info("reload: %s", visible(str(each)))
    if count > _LOGGED:
        _log.info("reload: and %d more", count - _LOGGED)
    if found.needs_restart:
        _log.warning("needs a restart, and stays as it was: %s", ", ".join(found.needs_restart))


def has_terminal() -> bool:
    """Whether this process has a terminal that can end it."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
