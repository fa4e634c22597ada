"""Reads YAML, JSON and TOML files strictly: bounded, positions kept, no key given twice."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from seekroute.errors import ConfigError, Problem

# Far above any real configuration; keeps a wrong path (a core dump, a database) from being parsed.
MAX_FILE_BYTES = 4 * 1024 * 1024
# Deep enough for every schema here; ends the walk over an alias that contains itself.
MAX_DEPTH = 32
# What a file may hold with its aliases written out: nine lines of them can stand for 10^9 values.
MAX_VALUES = 500_000

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Instead of an address that nobody asks: no name ends in .invalid (RFC 2606).
_NO_ADDRESS = "https://not-set.invalid"
# Of several keys of a provider one: it is left out where it is empty.
_ONE_OF_KEYS = re.compile(r"providers\.[^.]+\.keys\.\d+\.api_key")
# `${NAME}`, `${NAME:-default}`; `$$` stands for one dollar sign.
_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|(\{))")


@dataclass(slots=True)
class Document:
    """A parsed file.

    Args:
        data: The top-level mapping.
        name: The file's name as shown in problems.
        positions: `line:column` of values by dotted path; YAML only.
    """

    data: dict[str, Any]
    name: str = ""
    positions: dict[str, str] = field(default_factory=dict)

    def where(self, path: str) -> str:
        """File and position of the value at `path`, or of its nearest known parent."""
        while path:
            if path in self.positions:
                return f"{self.name}:{self.positions[path]}"
            path = path.rpartition(".")[0]
        return self.name


def join(path: str, key: object) -> str:
    """Returns `path.key`."""
    return f"{path}.{key}" if path else str(key)


def read_document(file: Path) -> Document:
    """Reads one configuration file by its suffix: .json, .toml, else YAML.

    Raises:
        ConfigError: The file cannot be read, is not of its format, is larger than 4 MiB, holds a
            key twice, or its top level is not a mapping.
    """
    return parse_document(read_text(file), name=str(file), suffix=file.suffix.lower())


def read_text(file: Path) -> str:
    """The text of a file.

    Raises:
        ConfigError: It cannot be read, is not UTF-8, or is larger than 4 MiB.
    """
    name = str(file)
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError([Problem("", f"cannot read the file: {reason}", where=name)]) from None
    if len(raw) > MAX_FILE_BYTES:
        message = f"expected at most {MAX_FILE_BYTES} bytes"
        raise ConfigError([Problem("", message, where=name)])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"expected UTF-8 text, found an invalid byte at offset {error.start}"
        raise ConfigError([Problem("", message, where=name)]) from None


def parse_document(text: str, *, name: str, suffix: str = ".yaml") -> Document:
    """Parses `text`; see `read_document`."""
    document = Document({}, name)
    if suffix == ".json":
        data = _parse_json(text, name)
    elif suffix == ".toml":
        data = _parse_toml(text, name)
    else:
        data = _parse_yaml(text, document)
    if data is None:
        data = {}
    if not isinstance(data, dict):
        hint = "start with a key, such as `server:`"
        message = f"expected a mapping at the top level, found {kind_of(data)}"
        raise ConfigError([Problem("", message, hint, name)])
    document.data = data
    return document


def kind_of(value: object) -> str:
    """The kind of a value in a file author's words, never the value itself."""
    if value is None:
        return "nothing"
    kinds: tuple[tuple[type, str], ...] = (
        (bool, "a boolean"),
        (int, "an integer"),
        (float, "a number"),
        (str, "a string"),
        (list, "a list"),
        (dict, "a mapping"),
    )
    for kind, words in kinds:
        if isinstance(value, kind):
            return words
    return f"a {type(value).__name__}"


def _parse_json(text: str, name: str) -> Any:
    doubles: list[str] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in pairs:
            if key in result:
                doubles.append(key)
            result[key] = value
        return result

    try:
        data = json.loads(text, object_pairs_hook=build)
    except json.JSONDecodeError as error:
        place = f"{name}:{error.lineno}:{error.colno}"
        raise ConfigError([Problem("", f"not JSON: {error.msg}", where=place)]) from None
    except RecursionError:
        raise ConfigError([Problem("", "nested too deeply", where=name)]) from None
    if doubles:
        raise ConfigError(
            [Problem(key, "this key is given twice", "keep one of them", name) for key in doubles]
        )
    return data


def _parse_toml(text: str, name: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The text names the line and column; a key given twice is an error of TOML itself.
        raise ConfigError([Problem("", f"not TOML: {error}", where=name)]) from None
    except RecursionError:
        raise ConfigError([Problem("", "nested too deeply", where=name)]) from None


def _parse_yaml(text: str, document: Document) -> Any:
    with yaml_nodes(text, document.name) as (loader, node):
        if node is None:
            return None
        problems: list[Problem] = []
        _scan_node(node, "", document, problems, 0, [0])
        if problems:
            raise ConfigError(problems)
        return loader.construct_document(node)


@contextmanager
def yaml_nodes(text: str, name: str) -> Iterator[tuple[Any, yaml.Node | None]]:
    """The loader of one YAML document and its root, None where it holds nothing.

    Args:
        text: The document. libyaml bounds how deep it may nest.
        name: The file's name as shown in problems.

    Raises:
        ConfigError: What is wrong with the YAML, also what is raised for it within the block.
    """
    loader = Loader(text)
    try:
        yield loader, loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
        message = f"not YAML: {error.problem or error.context or 'unreadable'}"
        hint = "use spaces, not tabs, to indent" if "\\t" in message else ""
        raise ConfigError([Problem("", message, hint, place)]) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError([Problem("", f"not YAML: {reason}", where=name)]) from None
    except RecursionError:
        raise ConfigError([Problem("", "nested too deeply", where=name)]) from None
    finally:
        loader.dispose()


def too_many_values(name: str) -> ConfigError:
    """The error about a file that is larger than `MAX_VALUES` with its aliases written out."""
    message = f"expected at most {MAX_VALUES} values, aliases written out"
    return ConfigError([Problem("", message, where=name)])


class NotPlain(Exception):
    """The text holds more than `parse_plain` reads."""


# What a plain scalar may be; anything else that is not a string to YAML is `NotPlain`.
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CONSTANTS = {"true": True, "false": False, "null": None, "": None}
_RESOLVER = yaml.resolver.Resolver


def parse_plain(text: str) -> Any:
    """Parses YAML of strings, integers, days, booleans, lists and mappings, from the parser's
    events: about four times faster than `parse_document`, in little memory, without positions.
    Equal strings are one object.

    Raises:
        NotPlain: The text is wrong, or uses anything else; `parse_document` says what.
    """
    kept: dict[str, str] = {}
    # Each open list or mapping; of a mapping, the key whose value comes next.
    open_nodes: list[tuple[Any, list[Any] | None]] = [([], None)]
    reader = Loader(text)
    try:
        while (event := reader.get_event()) is not None:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                value = _plain_scalar(event, kept)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                if event.anchor or event.tag or len(open_nodes) > MAX_DEPTH:
                    raise NotPlain
                is_map = kind is yaml.MappingStartEvent
                open_nodes.append(({}, []) if is_map else ([], None))
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                value = open_nodes.pop()[0]
            elif kind is yaml.AliasEvent:
                raise NotPlain
            else:
                continue
            target, key = open_nodes[-1]
            if key is None:
                target.append(value)
            elif not key:
                if not isinstance(value, str) or value in target or value == "<<":
                    raise NotPlain
                key.append(value)
            else:
                target[key.pop()] = value
    except yaml.YAMLError:
        raise NotPlain from None
    finally:
        reader.dispose()
    documents = open_nodes[0][0]
    if len(documents) != 1:
        raise NotPlain
    return documents[0]


_PLAIN_WORD = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_ .()/+=-]*(?<! )|[A-Za-z][A-Za-z0-9_./+-]*(?::[A-Za-z0-9_./-]+)*"
)


def plain_string(text: str) -> str:
    """`text` where YAML reads it as that string without quotes, else empty."""
    resolvers = _RESOLVER.yaml_implicit_resolvers.get(text[:1], ())
    if not _PLAIN_WORD.fullmatch(text) or any(p.match(text) for _, p in resolvers):
        return ""
    return text


def _plain_scalar(event: yaml.ScalarEvent, kept: dict[str, str]) -> Any:
    text: str = event.value
    if event.anchor or event.tag:
        raise NotPlain
    if not event.implicit[0]:
        return kept.setdefault(text, text)
    first = text[:1]
    for tag, pattern in _RESOLVER.yaml_implicit_resolvers.get(first, ()):
        if not pattern.match(text):
            continue
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if tag.endswith(":int") and _INTEGER.fullmatch(text):
            return int(text)
        if tag.endswith(":timestamp") and _DAY.fullmatch(text):
            try:
                return date.fromisoformat(text)
            except ValueError:
                raise NotPlain from None
        raise NotPlain
    return kept.setdefault(text, text)


def _scan_node(
    node: yaml.Node,
    path: str,
    document: Document,
    problems: list[Problem],
    depth: int,
    seen: list[int],
) -> None:
    """Records positions, and a problem for every repeated key. `seen` counts the values."""
    seen[0] += 1
    if seen[0] > MAX_VALUES:
        raise too_many_values(document.name)
    if depth > MAX_DEPTH:
        place = f"{document.name}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        problems.append(Problem(path, f"nested deeper than {MAX_DEPTH} levels", where=place))
        return
    document.positions[path] = f"{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _scan_node(child, join(path, index), document, problems, depth + 1, seen)
        return
    if not isinstance(node, yaml.MappingNode):
        return
    first: dict[str, int] = {}
    for key_node, child in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "?"
        line = key_node.start_mark.line + 1
        if key in first and key != "<<":
            place = f"{document.name}:{line}:{key_node.start_mark.column + 1}"
            message = f"this key is given twice, first in line {first[key]}"
            problems.append(Problem(join(path, key), message, "keep one of them", place))
        first.setdefault(key, line)
        _scan_node(child, join(path, key), document, problems, depth + 1, seen)
        document.positions[join(path, key)] = f"{line}:{key_node.start_mark.column + 1}"


def interpolate(
    document: Document, environ: dict[str, str], *, without_keys: bool = False
) -> tuple[set[str], list[Problem]]:
    """Replaces `${NAME}` and `${NAME:-default}` in every string of `document`, in place.

    Args:
        document: Of a file.
        environ: Where the variables are looked up.
        without_keys: Below `providers`, a value whose variable is unset counts as not given; for
            an address there is one that leads nowhere.

    Returns:
        The paths whose values came from the environment (they may be secrets and are never
        shown), and a problem for every variable that is unset and has no default.
    """
    touched: set[str] = set()
    problems: list[Problem] = []

    def is_key(path: str) -> bool:
        return path.startswith("providers.")

    def replace(text: str, path: str) -> str | None:
        may_be_empty = _ONE_OF_KEYS.fullmatch(path) is not None
        if without_keys and is_key(path) and not may_be_empty:
            for match in _REFERENCE.finditer(text):
                _, name, default, _ = match.groups()
                if name and default is None and environ.get(name) is None:
                    # A provider that is none of the packaged ones is known by its address.
                    return _NO_ADDRESS if path.endswith(".base_url") else None

        def value_of(match: re.Match[str]) -> str:
            dollar, name, default, broken = match.groups()
            if dollar:
                return "$"
            if broken:
                hint = "write ${NAME} or ${NAME:-default}; $$ stands for a dollar sign"
                message = "unreadable reference to an environment variable"
                problems.append(Problem(path, message, hint, document.where(path)))
                return match.group(0)
            touched.add(path)
            found = environ.get(name)
            if found is None and default is None and not may_be_empty:
                hint = f"set it, or write ${{{name}:-default}}"
                if is_key(path) and path.endswith(".api_key"):
                    # A default would be sent as the key.
                    hint = "set it, or leave the line out: a provider without a key is off"
                message = f"environment variable {name} is not set"
                problems.append(Problem(path, message, hint, document.where(path)))
                return ""
            # As in a shell and in compose files, `:-` also covers a variable set to nothing.
            return (found or "") if found or default is None else default

        return _REFERENCE.sub(value_of, text)

    def walk(value: Any, path: str, depth: int) -> Any:
        if isinstance(value, str):
            return replace(value, path) if "$" in value else value
        if depth > MAX_DEPTH:
            where = document.where(path)
            problems.append(Problem(path, f"nested deeper than {MAX_DEPTH} levels", where=where))
            return value
        pairs: Iterable[tuple[Any, Any]]
        if isinstance(value, dict):
            pairs = value.items()
            return {key: walk(child, join(path, key), depth + 1) for key, child in pairs}
        if isinstance(value, list):
            return [walk(child, join(path, i), depth + 1) for i, child in enumerate(value)]
        return value

    document.data = walk(document.data, "", 0)
    return touched, problems
