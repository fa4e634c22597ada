"""What an import has to say, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from seekroute.config.from_litellm.tree import Node

Kind = Literal["not taken", "changed", "to set"]

REFERENCE = re.compile(r"os\.environ/([A-Za-z_][A-Za-z0-9_]*)")
# What people write where a server wants no key.
_NO_KEYS = frozenset(
    (
        *("", "none", "null", "empty", "dummy", "fake", "fake-key", "anything", "no-key"),
        *("not-needed", "not-used", "unused", "na", "n/a", "xxx", "ollama", "lm-studio"),
        "sk-no-key-required",
    )
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that the new file does not say, or says otherwise.

    Args:
        kind: `not taken`; `changed`: taken, in another form or with a guess; `to set`: a variable
            that holds what the file may not.
        line: In LiteLLM's file.
        section: Where it belongs: `model NAME`, or a section of the file.
        what: The word in the file, or the variable.
        text: What becomes of it. Never a value that may be a secret.
        path: Its keys joined by dots.
    """

    kind: Kind
    line: int
    section: str
    what: str
    text: str
    path: str


@dataclass(slots=True)
class Findings:
    """Collects what is found.

    Args:
        found: In the order in which it was said; some of it more than once, because an alias is
            read wherever it is used.
    """

    found: list[Finding] = field(default_factory=list)

    def skip(self, node: Node, section: str, text: str, what: str = "") -> None:
        """Says that something was not taken."""
        self._add("not taken", node, section, text, what)

    def change(self, node: Node, section: str, text: str, what: str = "") -> None:
        """Says that something was taken in another form."""
        self._add("changed", node, section, text, what)

    def set(self, node: Node, section: str, variable: str, text: str) -> None:
        """Says that a variable has to be set."""
        self._add("to set", node, section, text, variable)

    def _add(self, kind: Kind, node: Node, section: str, text: str, what: str) -> None:
        word = what or node.path.rpartition(".")[2]
        self.found.append(Finding(kind, node.line, section, word, text, node.path))

    def reasons(self, start: int) -> tuple[Finding, ...]:
        """Why what was read since `start` is left out: what was said last, and a credential that
        is missing, from which the rest may follow."""
        *before, last = self.found[start:]
        lost = [each for each in before if each.what == "litellm_credential_name"]
        return (*lost, last)


class Taken:
    """Names that are taken, and the next free one: `name`, `name-2`, `name-3`.

    Args:
        names: Those that are taken from the start.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = set(names)
        self._next: dict[str, int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def free(self, wanted: str, mark: str = "-") -> str:
        """Takes `wanted`, with the first number behind it that makes it a free name."""
        found, number = wanted, self._next.get(wanted, 2)
        while found in self._names:
            found, number = f"{wanted}{mark}{number}", number + 1
        # So that thousands of equal names are not tried anew for each of them.
        self._next[wanted] = number
        self._names.add(found)
        return found


class Variables:
    """The environment variables that the new file refers to.

    Args:
        taken: Names that mean something already.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        self._names: dict[str, None] = {}
        self._taken = Taken(taken)
        self._secrets: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """Those that were referred to, in order."""
        return list(self._names)

    def text(self, value: str) -> str:
        """`value` as the new file writes it: `os.environ/NAME` as a reference."""
        found = REFERENCE.fullmatch(value)
        return self._refer(found[1]) if found else value.replace("$", "$$")

    def secret(self, value: str, wanted: str) -> tuple[str, str]:
        """A reference in place of a secret, and the variable that has to be set for it, empty where
        the value was a reference itself.

        Args:
            value: As LiteLLM's file has it.
            wanted: What the variable would best be called.
        """
        found = REFERENCE.fullmatch(value)
        if found:
            return self._refer(found[1]), ""
        name = self._secrets.get(value)
        if name is None:
            name = self._secrets[value] = self._taken.free(wanted, "_")
        return self._refer(name), name

    def _refer(self, name: str) -> str:
        self._names[name] = None
        return f"${{{name}}}"


def is_no_key(value: str) -> bool:
    """Whether a key is a word for none."""
    return value.strip().lower() in _NO_KEYS
