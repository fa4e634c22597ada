"""`seekroute serve` starts afresh before it serves, in the same process.

To read a command line and a configuration takes some 25 MB of libraries and objects that no
request needs, and Python gives memory of that kind never back. So the command opens the port,
prepares the plan and executes itself again with both: the process keeps its pid, command line,
environment, descriptors and standing with whoever started it, and imports only what serves.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from seekroute.plan import Plan

# "<pid>:<descriptor of the plan>:<descriptor of the listening socket>". The pid makes sure that
# a variable left over in somebody's environment means nothing.
_VARIABLE: Final = "_SEEKROUTE_HANDOVER"


def serve_program(**options: Any) -> int:
    """`seekroute.server.serve()` for a program that has nothing else to do.

    Usually it does not return: the program is executed again, and has to call `resume()` before it
    does anything else. Else takes and returns what `serve()` does.
    """
    from seekroute.config import prepare
    from seekroute.errors import SeekrouteError
    from seekroute.server.listening import asked_anew, listen, load, refused, starting

    # It would end this program. It waits, also while that begins again, for whom it is meant for.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    anew = asked_anew(options)
    try:
        with starting(), contextlib.ExitStack() as refusal:
            settings = load(**options)
            listener = refusal.enter_context(contextlib.closing(listen(settings)))
            plan = replace(prepare(settings, os.environ, console=True), anew=anew)
            if is_possible():
                # Made here, and so there when the program begins again.
                _upgrade(plan)
                plan = replace(plan, anew=anew - {"control"})
                restart(plan, listener)
            refusal.pop_all()  # whoever serves closes it
    except SeekrouteError as error:
        return refused(error)
    from seekroute.server.runner import serve_plan

    return serve_plan(plan, listener)


def resume() -> int | None:
    """Serves what `serve_program()` prepared, and returns the exit code.

    Returns None at once, having imported next to nothing, where it prepared nothing.
    """
    taken = take()
    if taken is None:
        return None
    # structlog would import it (4 MB) for a kind of traceback that is not used. Nobody else in this
    # program looks for it.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from seekroute.server.runner import serve_plan

    return serve_plan(*taken)


def _upgrade(plan: Plan) -> None:
    from seekroute.control import InstanceLock, upgrade, upgrade_is_due
    from seekroute.control.lost import guard_anew

    data_dir, anew = Path(plan.data_dir), "control" in plan.anew
    if anew or upgrade_is_due(data_dir):
        with InstanceLock(data_dir):
            chosen = plan.mock_meant or not plan.mock
            guard_anew(data_dir, plan.anew, ledger=plan.ledger, mock_chosen=chosen)
            upgrade(data_dir, anew=anew)


def is_possible() -> bool:
    """Whether this process can execute itself again with the command line it was started with."""
    # The plan holds provider keys: it goes through anonymous memory, never through a file.
    can = hasattr(os, "memfd_create") and bool(sys.executable)
    # Whoever changed sys.argv is another program's code, which must not run twice.
    given = sys.argv[1:]
    return can and sys.orig_argv[len(sys.orig_argv) - len(given) :] == given


def restart(plan: Plan, listener: socket.socket) -> None:
    """Executes this program again, which then gets the two from `take()`.

    Does not return, unless the system refuses; then nothing has changed.
    """
    descriptor = os.memfd_create("seekroute-plan", os.MFD_CLOEXEC)
    passed = (descriptor, listener.fileno())
    try:
        with open(descriptor, "wb", closefd=False) as file:
            pickle.dump(plan, file, pickle.HIGHEST_PROTOCOL)
        os.lseek(descriptor, 0, os.SEEK_SET)
        for each in passed:
            os.set_inheritable(each, True)
        sys.stdout.flush()
        sys.stderr.flush()
        variable = f"{os.getpid()}:{passed[0]}:{passed[1]}"
        os.execve(sys.executable, sys.orig_argv, {**os.environ, _VARIABLE: variable})
    except OSError:
        listener.set_inheritable(False)
        os.close(descriptor)


def take() -> tuple[Plan, socket.socket] | None:
    """What `restart()` left for this process, once; None if it did not."""
    parts = os.environ.pop(_VARIABLE, "").split(":")
    if len(parts) != 3 or parts[0] != str(os.getpid()):
        return None
    descriptor, listening = int(parts[1]), int(parts[2])
    with open(descriptor, "rb") as file:
        plan: Plan = pickle.load(file)  # our own, from before the exec
    listener = socket.socket(fileno=listening)
    listener.set_inheritable(False)
    listener.setblocking(False)
    return plan, listener
