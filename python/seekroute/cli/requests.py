"""Which request a command means: by its answer's id, the beginning of that, or its request_id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seekroute.cli.shared import LEAST_BEGINNING
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.ledger import Ledger, Row

ID_HELP = "The id of its answer (gen-…), the beginning of that, or its request_id."
PAGE = 1000  # rows read at once
MOST_ROWS = 100_000  # shown at once
# Requests are numbered as they are held, and dated as they came in: a little apart.
DISORDER_S = 60
_MOST_NAMED = 3  # of the requests that may be meant


def newest_first(
    ledger: Ledger, org: str, key: str, before: int | None, limit: int
) -> Iterator[Row]:
    """The requests of an organization, a key, or all ("")."""
    size = min(limit, PAGE)
    while True:
        page = ledger.rows(org=org, key=key, before=before, limit=size)
        yield from page
        if len(page) < size:
            return
        before = page[-1]["n"]
        size = PAGE  # a filter drops rows: do not come back for few


def find_request(ledger: Ledger, id_: str) -> Row | None:
    """The request with this id, with its attempts; None if there is none in the whole ledger.

    Args:
        ledger: where to look.
        id_: its answer's id, at least LEAST_BEGINNING characters of it, as lists on a narrow
            terminal show it, or the request_id.

    Raises SeekrouteError: more than one may be meant. A client chooses its request_id, and may
    use it again.
    """
    if (exact := ledger.generation(id_)) is not None:
        return exact
    begin = id_.removesuffix("…")
    found = ledger.find_requests(begin, begins=len(begin) >= LEAST_BEGINNING, most=_MOST_NAMED)
    if len(found) > 1:
        raise SeekrouteError(
            f"more than one request is meant by {id_!r}: {', '.join(found)}: give the whole id of "
            "one"
        )
    return ledger.generation(found[0]) if found else None


def find_refused(folder: Path, id_: str) -> Mapping[str, Any] | None:
    """The latest request that was refused with this request_id, or one that begins so.

    Args:
        folder: the data directory.
        id_: its request_id, or at least LEAST_BEGINNING characters of it.

    Raises SeekrouteError: it is the beginning of more than one request_id.
    """
    from seekroute.server.refusals import refusals

    begin = id_.removesuffix("…")
    found: dict[str, Mapping[str, Any]] = {}
    for line in refusals(folder):  # newest first
        name = line.get("request_id", "")
        if name == id_:
            return line
        if len(begin) >= LEAST_BEGINNING and name.startswith(begin):
            found.setdefault(name, line)
    if len(found) > 1:
        raise SeekrouteError(
            f"more than one request is meant by {id_!r}: "
            f"{', '.join([*found][:_MOST_NAMED])}: give the whole id of one"
        )
    return next(iter(found.values()), None)
