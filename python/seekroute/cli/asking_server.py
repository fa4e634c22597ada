"""How a command waits for what the running server answers, by way of control.db."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.cli.shared import Shared

_POLL_S: Final = 0.05
# How long an answer may take: the server looks for questions four times a second.
_PATIENCE_S: Final = 15.0


def server_of(folder: Path, why: str) -> int:
    """The process id of the server that runs from a data directory.

    Args:
        folder: the data directory.
        why: what follows from none, for the error: "the next start reads everything".

    Raises:
        SeekrouteError: none runs.
    """
    from seekroute.control.directory import serving_pid

    pid = serving_pid(folder)
    if pid is None:
        raise SeekrouteError(f"no server runs from {folder}: {why}")
    return pid


def await_answer(folder: Path, pid: int, told: Callable[[], str | None], patience: float) -> str:
    """Waits until the server has answered, and returns what it says.

    Args:
        folder: its data directory.
        pid: from `server_of`.
        told: reads the answer; None: there is none yet.
        patience: seconds that it may take.

    Raises:
        SeekrouteError: it has ended, or does not answer.
    """
    from seekroute.control.directory import serving_pid

    until = time.monotonic() + patience
    while time.monotonic() < until:
        ended = serving_pid(folder) != pid  # before the look: its last answer counts
        answer = told()
        if answer is not None:
            return answer
        if ended:
            raise SeekrouteError(f"the server of {folder} (pid {pid}) has ended meanwhile")
        time.sleep(_POLL_S)
    raise SeekrouteError(
        f"the server of {folder} (pid {pid}) has not answered for {patience:.0f} s: its log may "
        "say why"
    )


def ask_server(
    options: Shared, kind: Literal["health", "reset", "quote"], name: str = ""
) -> dict[str, Any]:
    """What the server of the data directory answers to a question about its providers.

    Args:
        options: those before the command.
        kind: what is asked; see `seekroute.control.Question`.
        name: what it is asked of.

    Raises:
        SeekrouteError: no server runs there, or it does not answer.
    """
    folder = options.folder()
    pid = server_of(folder, "nothing is known of the health of providers")
    with options.open_control() as control:
        n = control.questions.put(kind, name)
        told = await_answer(folder, pid, lambda: control.questions.get(n).told, _PATIENCE_S)
    answer: dict[str, Any] = json.loads(told)
    return answer
