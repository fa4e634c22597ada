"""YAML with the line and the spelling of every value: what an import says refers to lines, and a
price must not pass through a float."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

import yaml

from seekroute.config.documents import (
    MAX_DEPTH,
    MAX_VALUES,
    join,
    too_many_values,
    yaml_nodes,
)
from seekroute.errors import ConfigError, Problem

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
# More digits than any price has; fewer than what a Decimal's context rounds.
_MAX_DIGITS = 24
_TRUE = frozenset(("true", "yes", "on"))
_FALSE = frozenset(("false", "no", "off"))


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file.

    Args:
        line: Where it, or its key, stands.
        path: Its keys joined by dots.
        text: A scalar as it is spelled; None for a mapping or a list.
        fields: Of a mapping.
        items: Of a list.
        plain: Whether a scalar stands without quotes, and so may be something else than a string.
    """

    line: int
    path: str
    text: str | None = None
    fields: dict[str, Node] = field(default_factory=dict)
    items: tuple[Node, ...] = ()
    plain: bool = False
    is_list: bool = False

    @property
    def is_map(self) -> bool:
        """Whether it is a mapping."""
        return self.text is None and not self.is_list

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: null, or an empty mapping, list or string."""
        if self.text is None:
            return not (self.fields or self.items)
        return self.text == "" or (self.plain and self.text.lower() in ("null", "~"))

    def get(self, key: str) -> Node | None:
        """A field that says something."""
        found = self.fields.get(key)
        return None if found is None or found.is_empty else found

    def word(self, key: str) -> str:
        """The scalar in a field as it is spelled; empty where there is none."""
        found = self.get(key)
        return (found.text or "").strip() if found else ""

    @property
    def number(self) -> Decimal | None:
        """The number it is, exactly, also one in quotes; None for anything else."""
        text = (self.text or "").strip().replace("_", "")
        if not _NUMBER.fullmatch(text) or len(re.sub(r"[eE].*", "", text)) > _MAX_DIGITS:
            return None
        return Decimal(text)

    @property
    def whole(self) -> int | None:
        """The integer above 0 that it is, also written 128000.0; None for anything else."""
        found = self.number
        if found is None or found < 1 or found > 10**12 or found != int(found):
            return None
        return int(found)

    @property
    def flag(self) -> bool | None:
        """The boolean that it is; None for anything else."""
        word = (self.text or "").strip().lower()
        return True if word in _TRUE else False if word in _FALSE else None


def read_tree(text: str, name: str) -> Node:
    """The top-level mapping of a YAML text; aliases and `<<` are written out.

    Args:
        text: The file's.
        name: The file's name as shown in problems.

    Raises:
        ConfigError: Not YAML, no mapping, a key given twice, deeper than 32 levels, or more than
            500,000 values.
    """
    with yaml_nodes(text, name) as (_, root):
        if not isinstance(root, yaml.MappingNode):
            what = "nothing" if root is None else "something else"
            message = f"expected a mapping at the top level, found {what}"
            raise ConfigError([Problem("", message, "is this LiteLLM's config.yaml?", name)])
        reader = _Reader(name)
        found = reader.read(root, "", root.start_mark.line + 1, 0)
    if reader.problems:
        raise ConfigError(reader.problems)
    return found


class _Reader:
    def __init__(self, name: str) -> None:
        self.problems: list[Problem] = []
        self._name = name
        self._seen = 0

    def read(self, node: yaml.Node, path: str, line: int, depth: int) -> Node:
        self._seen += 1
        if self._seen > MAX_VALUES:
            raise too_many_values(self._name)
        if depth > MAX_DEPTH:
            self._problem(path, f"nested deeper than {MAX_DEPTH} levels", "", node)
            raise ConfigError(self.problems)
        if isinstance(node, yaml.ScalarNode):
            return Node(line, path, node.value, plain=not node.style)
        if isinstance(node, yaml.SequenceNode):
            items = tuple(
                self.read(each, join(path, at), each.start_mark.line + 1, depth + 1)
                for at, each in enumerate(node.value)
            )
            return Node(line, path, items=items, is_list=True)
        own: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key_node, child in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
            found = self.read(child, join(path, key), key_node.start_mark.line + 1, depth + 1)
            if key == "<<":
                # Of several mappings that are merged, the first has its way.
                for each in found.items or (found,):
                    merged = {**each.fields, **merged}
            elif key in own:
                message = f"this key is given twice, first in line {own[key].line}"
                self._problem(join(path, key), message, "keep one of them", key_node)
            else:
                own[key] = found
        return Node(line, path, fields={**merged, **own})

    def _problem(self, path: str, message: str, hint: str, node: yaml.Node) -> None:
        place = f"{self._name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        self.problems.append(Problem(path, message, hint, place))
