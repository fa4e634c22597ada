"""Reads a running server's configuration again, in a process of its own.

To read a configuration takes some 60 MB and half a second of a processor, and a server would keep
the memory and let its requests wait. So the server starts this, hands over a `Question` and gets a
`Reading`, both pickled, through pipes: provider keys are in them.
"""

from __future__ import annotations

import os
import pickle
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from seekroute.config.differences import differences
from seekroute.config.loading import load_settings
from seekroute.config.planning import prepare
from seekroute.errors import ConfigError
from seekroute.gateway import snapshot_problems
from seekroute.reloading import Question, Reading, packed, taken_over, unpacked

if TYPE_CHECKING:
    from seekroute.config.settings import Settings
    from seekroute.plan import Plan


def main() -> None:
    """Answers one question on the standard input."""
    question: Question = pickle.load(sys.stdin.buffer)  # our own server's
    answer = read_again(question)
    pickle.dump(answer, sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
    sys.stdout.buffer.flush()


def read_again(question: Question) -> Reading:
    """The configuration as it is now, beside the one in force. Changes the working directory."""
    source = question.source
    running = unpacked(question.running)
    try:
        if source.folder:
            os.chdir(source.folder)
        settings = load_settings(
            source.config, overrides=source.overrides, environ=question.environ
        )
        plan = prepare(settings, question.environ, console=running.console is not None)
        _check_files(settings, plan)
    except ConfigError as error:
        return Reading(refused=str(error))
    except OSError as error:
        return Reading(refused=f"{error.filename or source.folder}: {error.strerror or error}")
    after = taken_over(running, plan)
    return Reading("", after, packed(after), differences(running, plan))


def _check_files(settings: Settings, plan: Plan) -> None:
    problems = snapshot_problems(plan.snapshot)
    if problems:
        placed = (replace(each, where=settings.origin_detail(each.path)) for each in problems)
        raise ConfigError(list(placed))
