"""Problems of settings, in the words of whoever gave them: Python, a command line, a magic."""

from __future__ import annotations

import difflib
from dataclasses import replace

from seekroute.errors import ConfigError, Problem

# Of the constructor, beside the settings.
_ARGUMENTS = ("api_key", "base_url", "config", "ledger", "max_retries", "timeout")
_TRY = 'Client(mock="on")'
_MOCK = "Client(mock=…)"


def no_key() -> Problem:
    """What is wrong where a gateway in this process has nobody to ask."""
    hint = f"set OPENAI_API_KEY, DEEPSEEK_API_KEY, ...; or {_TRY} to try it without one"
    return Problem("providers", "no provider has a key", hint)


def in_python(problem: Problem) -> Problem:
    """A problem of a setting that was an argument, as what it was."""
    if problem.where != "command line":
        return problem
    name, _, rest = problem.path.partition(".")
    message, hint = problem.message, problem.hint
    if message == "unknown key" and not rest:
        close = difflib.get_close_matches(name, _ARGUMENTS, n=1, cutoff=0.7)
        message = "unknown setting"
        hint = f"did you mean {close[0]}?" if close else hint
    return Problem(rest, message, hint, f"Client({name}=…)")


def with_option(error: ConfigError, command: str = "") -> ConfigError:
    """The error for who gives the mock as an option, `--mock`.

    Args:
        error: of a client in this process.
        command: what the option follows, `%%ask`; empty on a command line.
    """
    option = f"{command} --mock on".strip()

    def renamed(problem: Problem) -> Problem:
        where = "--mock" if problem.where == _MOCK else problem.where
        return replace(problem, hint=problem.hint.replace(_TRY, option), where=where)

    return ConfigError([renamed(each) for each in error.problems])
