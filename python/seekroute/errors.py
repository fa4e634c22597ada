"""Exceptions that seekroute raises. All derive from `SeekrouteError`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ConfigError", "Problem", "SeekrouteError"]


class SeekrouteError(Exception):
    """Base of every exception this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration.

    Args:
        path: Where it is, as keys joined by dots: `providers.openai.base_url`. Empty for the
            file as a whole.
        message: What was expected and what was found. Never holds a secret.
        hint: What to do about it; may be empty.
        where: File and position (`seekroute.yaml:3:7`), environment variable or `command line`;
            may be empty.
    """

    path: str
    message: str
    hint: str = ""
    where: str = ""

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.where, self.path, self.message) if part)
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(SeekrouteError):
    """A configuration was refused; `problems` lists everything wrong with it at once.

    Example:
        >>> raise ConfigError([Problem("server.port", "expected 0 to 65535, found 70000")])
        Traceback (most recent call last):
        seekroute.errors.ConfigError: server.port: expected 0 to 65535, found 70000
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
