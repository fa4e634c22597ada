"""Files with outcomes of models on prompts: JSONL, JSONL.gz and CSV."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from seekroute.auto.training import Rated
from seekroute.errors import SeekrouteError

DEFAULT_MODELS: Final = ("weak", "strong")
_PROMPTS: Final = ("prompt", "query", "question")
_MOST_ROWS: Final = 1_000_000
_KEPT: Final = 4096  # bytes of a prompt: no more is looked at
_MOST_FIELD: Final = 16 << 20  # characters


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
    prompts: list[bytes] = []
    groups: list[str] = []
    outcomes: list[list[float]] = []
    names = list(models)
    for file in files:
        for line, row in _rows(file):
            place = f"{file}, line {line}"
            if len(prompts) == _MOST_ROWS:
                raise SeekrouteError(f"{place}: {_MOST_ROWS} prompts are the most that are read")
            names = names or _names_in(row, place)
            prompts.append(_prompt(row, place))
            outcomes.append([_outcome(row, name, place) for name in names])
            if group is not None:
                if row.get(group) is None:
                    raise SeekrouteError(f"{place}: there is no {group!r}")
                groups.append(str(row[group]))
    if not prompts:
        raise SeekrouteError("there is no row in the files")
    table = np.array(outcomes)
    if not models and tuple(names) != DEFAULT_MODELS:
        order = np.argsort(table.mean(axis=0), kind="stable")
        table, names = table[:, order], [names[i] for i in order]
    return Outcomes(Rated(prompts, names, table), groups)


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    suffixes = [each.lower() for each in file.suffixes]
    try:
        with file.open("rb") as raw:
            stream: Any = gzip.GzipFile(fileobj=raw) if suffixes[-1:] == [".gz"] else raw
            if ".csv" in suffixes:
                csv.field_size_limit(_MOST_FIELD)
                reader = csv.DictReader(io.TextIOWrapper(stream, "utf-8-sig", newline=""))
                for row in reader:
                    yield reader.line_num, row
                return
            number = 0
            while line := stream.readline(_MOST_FIELD + 1):
                number += 1
                if len(line) > _MOST_FIELD:
                    raise SeekrouteError(f"{file}, line {number}: it is longer than 16 MiB")
                if not line.strip():
                    continue
                yield number, _object(line, f"{file}, line {number}")
    except OSError as error:
        raise SeekrouteError(f"{file} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error, EOFError) as error:
        raise SeekrouteError(f"{file} cannot be read: {error}") from None


def _object(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise SeekrouteError(f"{place}: it is no JSON object")
    return row


def _names_in(row: dict[str, Any], place: str) -> list[str]:
    if all(row.get(name) is not None for name in DEFAULT_MODELS):
        return list(DEFAULT_MODELS)
    scores = row.get("scores")
    if isinstance(scores, dict) and len(scores) > 1:
        return [str(name) for name in scores]
    raise SeekrouteError(
        f"{place}: there are no outcomes of `weak` and `strong`, and no `scores`: name the fields "
        f"with --models, the cheapest model first"
    )


def _prompt(row: dict[str, Any], place: str) -> bytes:
    for name in _PROMPTS:
        if isinstance(row.get(name), str):
            cut: str = row[name][:_KEPT]
            return cut.encode("utf-8", "replace")
    raise SeekrouteError(f"{place}: there is no text in `prompt`, `query` or `question`")


def _outcome(row: dict[str, Any], name: str, place: str) -> float:
    scores = row.get("scores")
    found = row.get(name)
    if found is None and isinstance(scores, dict):
        found = scores.get(name)
    try:
        value = float(found)  # type: ignore[arg-type]  # None is a TypeError
    except (TypeError, ValueError):
        raise SeekrouteError(f"{place}: there is no outcome of {name!r}") from None
    if not 0 <= value <= 1:
        raise SeekrouteError(f"{place}: the outcome of {name!r} is not between 0 and 1")
    return value
