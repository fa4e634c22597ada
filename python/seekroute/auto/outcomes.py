"""Files with outcomes of models on prompts: JSONL, JSONL.gz and CSV."""

from __future__ import annotations

import codecs
import csv
import gzip
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final

import numpy as np

from seekroute.auto.lessons import Rated
from seekroute.errors import SeekrouteError

DEFAULT_MODELS: Final = ("weak", "strong")
_PROMPTS: Final = ("prompt", "query", "question")
_MOST_ROWS: Final = 1_000_000
_MOST_LINES: Final = 4 * _MOST_ROWS  # empty ones and those inside a field of CSV too
_MOST_TEXT: Final = 1 << 30  # bytes of all prompts together
_KEPT: Final = 4096  # characters of a prompt: the core looks at no more than as many bytes
_MOST_LINE: Final = 16 << 20  # bytes


@dataclass(frozen=True)
class Outcomes:
    """Rated prompts, and which group each is of.

    Attributes:
        rated: The prompts, cut to what is looked at.
        groups: A subject or task each; empty where no field was named.
    """

    rated: Rated
    groups: list[str]


def read_outcomes(
    files: Sequence[Path], models: Sequence[str] = (), group: str | None = None
) -> Outcomes:
    """Reads rows with a prompt (`prompt`, `query` or `question`) and an outcome of each model, 0 to
    1: a member of the row, or of its member `scores`.

    Args:
        files: Read one after the other.
        models: The reference first; default: `weak` and `strong`, or else all of the first row's
            `scores`, the worst first.
        group: The field that says which subject a row is of.

    Raises:
        SeekrouteError: Of a file, with the line: it cannot be read, or a row lacks something.
    """
    rows = ((f"{file}, line {line}", row) for file in files for line, row in _rows(file))
    return _gathered(rows, models, group)


def outcomes_of(
    rows: Iterable[Mapping[str, Any]], models: Sequence[str] = (), group: str | None = None
) -> Outcomes:
    """Outcomes in memory: rows as `read_outcomes` reads them, a mapping each.

    Raises:
        SeekrouteError: A row lacks something.

    >>> outcomes_of([{"prompt": "Hello!", "weak": 1, "strong": 1}]).rated.models
    ['weak', 'strong']
    """
    return _gathered(((f"row {i}", row) for i, row in enumerate(rows)), models, group)


def _gathered(
    rows: Iterable[tuple[str, Mapping[str, Any]]], models: Sequence[str], group: str | None
) -> Outcomes:
    """Of rows with the places that errors name."""
    prompts: list[bytes] = []
    groups: list[str] = []
    outcomes: list[list[float]] = []
    names = list(models)
    text = 0
    for place, row in rows:
        if len(prompts) == _MOST_ROWS or text > _MOST_TEXT:
            raise SeekrouteError(
                f"{place}: {_MOST_ROWS} prompts and 1 GiB of text are the most: give fewer rows"
            )
        names = names or _names_in(row, place)
        prompts.append(_prompt(row, place))
        text += len(prompts[-1])
        outcomes.append([_outcome(row, name, place) for name in names])
        if group is not None:
            if row.get(group) is None:
                raise SeekrouteError(f"{place}: there is no {group!r}")
            groups.append(str(row[group]))
    if not prompts:
        raise SeekrouteError("there is no row: give prompts with outcomes")
    table = np.array(outcomes)
    if not models and tuple(names) != DEFAULT_MODELS:
        order = np.argsort(table.mean(axis=0), kind="stable")
        table, names = table[:, order], [names[i] for i in order]
    return Outcomes(Rated(prompts, names, table), groups)


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    suffixes = [each.lower() for each in file.suffixes]
    read = _csv_rows if ".csv" in suffixes else _json_rows
    try:
        with file.open("rb") as raw:
            zipped = suffixes[-1:] == [".gz"]
            stream: BufferedIOBase = gzip.GzipFile(fileobj=raw) if zipped else raw
            yield from read(_lines(stream, file), file)
    except OSError as error:
        raise SeekrouteError(f"{file} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error, EOFError, zlib.error) as error:
        raise SeekrouteError(f"{file} cannot be read: {error}") from None


def _lines(stream: BufferedIOBase, file: Path) -> Iterator[bytes]:
    """The lines of a file, neither too many nor too long."""
    for number in itertools.count(1):
        line = stream.readline(_MOST_LINE + 1)
        if not line:
            return
        if len(line) > _MOST_LINE or number > _MOST_LINES:
            raise SeekrouteError(
                f"{file}, line {number}: {_MOST_LINES} lines of 16 MiB are the most: split the file"
            )
        yield line


def _json_rows(lines: Iterator[bytes], file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield number, _object(line, f"{file}, line {number}")


def _csv_rows(lines: Iterator[bytes], file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    reader = csv.DictReader(decoder.decode(line) for line in lines)
    # The limit is the process's: it is put back.
    before = csv.field_size_limit(_MOST_LINE)
    try:
        for row in reader:
            yield reader.line_num, row
    finally:
        csv.field_size_limit(before)


def _object(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise SeekrouteError(f"{place}: it is no JSON object")
    return row


def _names_in(row: Mapping[str, Any], place: str) -> list[str]:
    if all(row.get(name) is not None for name in DEFAULT_MODELS):
        return list(DEFAULT_MODELS)
    scores = row.get("scores")
    if isinstance(scores, Mapping) and len(scores) > 1:
        return [str(name) for name in scores]
    raise SeekrouteError(
        f"{place}: there are no outcomes of `weak` and `strong`, and no `scores`: name the fields "
        f"with --models, the cheapest model first"
    )


def _prompt(row: Mapping[str, Any], place: str) -> bytes:
    for name in _PROMPTS:
        if isinstance(row.get(name), str):
            cut: str = row[name][:_KEPT]
            return cut.encode("utf-8", "replace")
    raise SeekrouteError(f"{place}: there is no text in `prompt`, `query` or `question`")


def _outcome(row: Mapping[str, Any], name: str, place: str) -> float:
    scores = row.get("scores")
    found = row.get(name)
    if found is None and isinstance(scores, Mapping):
        found = scores.get(name)
    try:
        value = float(found)  # type: ignore[arg-type]  # None is a TypeError
    except (TypeError, ValueError):
        raise SeekrouteError(f"{place}: there is no outcome of {name!r}") from None
    if not 0 <= value <= 1:
        raise SeekrouteError(f"{place}: the outcome of {name!r} is not between 0 and 1")
    return value + 0.0  # of -0.0 it makes 0
