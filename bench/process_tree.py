"""Start a program pinned to a core, and read what its whole process tree costs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 5.0


def free_port() -> int:
    """A loopback TCP port that was free a moment ago, for programs that cannot take port 0."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ProcessTree:
    """A program with everything it starts, in a session of its own.

    Args:
        command: Program and arguments.
        core: The CPU it is pinned to.
        log: File that takes its standard error, and its output unless `output` is true.
        env: Variables added to the environment.
        output: Keep standard output as a pipe (`self.process.stdout`).

    Should the benchmark be killed, the kernel tells the program to end (SIGTERM, on which a program
    with workers ends those too); else `stop` does.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int,
        log: Path,
        env: Mapping[str, str] | None = None,
        output: bool = False,
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "taskset", "-c", str(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if output else stream,
                stderr=stream,
                env={**os.environ, **(env or {})},
                start_new_session=True,
                text=True,
            )

    def pids(self) -> list[int]:
        """The living processes of the tree; they share the session of the first."""
        return [pid for pid, fields in _all_stats() if int(fields[3]) == self.process.pid]

    def cpu_seconds(self) -> float:
        """User and system time used so far, with that of children that have ended."""
        ticks = 0
        for _pid, fields in _all_stats():
            if int(fields[3]) == self.process.pid:
                ticks += sum(int(field) for field in fields[11:15])
        return ticks / _TICKS

    def rss_kb(self) -> int:
        """Resident memory in KiB, summed over the tree (shared pages count in each process)."""
        return sum(_rss_kb(pid) for pid in self.pids())

    def settle(self, timeout: float = 30.0) -> None:
        """Wait until the tree uses less than 5 % of a core, at most `timeout` seconds.

        A contender that was overloaded still works on abandoned requests; without this it
        would do so in the next contender's round.
        """
        deadline = time.monotonic() + timeout
        step = 0.2
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(step)
            now = self.cpu_seconds()
            if now - before <= 0.05 * step + 1 / _TICKS:
                return
            before = now

    def last_words(self) -> str:
        """The last line the program logged, for the reason why it did not start."""
        lines = (
            self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        )
        return lines[-1][:200] if lines else "no output"

    def stop(self) -> None:
        """End the whole session: politely, then after five seconds for good."""
        for sign, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, _STOP_SECONDS)):
            for pid in self.pids():
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    continue
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                self.process.poll()
                if not self.pids():
                    self.process.wait()
                    if self.process.stdout is not None:
                        self.process.stdout.close()
                    return
                time.sleep(0.05)


def pin(tree: ProcessTree, core: int) -> None:
    """Move a running tree, with all its threads, to another core."""
    for pid in tree.pids():
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {core})


def _all_stats() -> list[tuple[int, list[str]]]:
    """Pid and the fields of /proc/PID/stat from `state` on, of every process but zombies."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name in parentheses may hold spaces and parentheses itself.
        fields = text[text.rindex(")") + 2 :].split()
        if fields[0] != "Z":
            found.append((int(entry.name), fields))
    return found


def _rss_kb(pid: int) -> int:
    for name, label in (("smaps_rollup", "Rss:"), ("status", "VmRSS:")):
        try:
            for line in Path(f"/proc/{pid}/{name}").read_text().splitlines():
                if line.startswith(label):
                    return int(line.split()[1])
        except OSError:
            continue
    return 0
