"""Which request a command means: by its answer's id, the beginning of that, or its request_id."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from seekroute.cli._shared import LEAST_BEGINNING
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.ledger import Ledger, Row

ID_HELP = "The id of its answer (gen-…), the beginning of that, or its request_id."
PAGE = 1000  # rows read at once
MOST_ROWS = 100_000  # looked through, or shown, at once
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


def find_request(ledger: Ledger, id_: str, *, whole: bool = False) -> Row | None:
    """The request with this id, with its attempts; None if there is none.

    Its answer's id is looked up in the whole ledger. The beginning of one, as lists on a narrow
    terminal show it, and a request_id are looked for among the latest MOST_ROWS.

    Args:
        ledger: where to look.
        id_: the answer's id, at least LEAST_BEGINNING characters of it, or the request_id.
        whole: whether one of these has to be the only one of the whole ledger: for what moves
            money. A ledger with more requests than are looked through does not say that.

    Raises SeekrouteError: more than one may be meant. A client chooses its request_id, and may
    use it again.
    """
    if (exact := ledger.generation(id_)) is not None:
        return exact
    begin = id_.removesuffix("…")
    begins = len(begin) >= LEAST_BEGINNING
    found: list[Row] = []
    looked = 0
    for row in islice(newest_first(ledger, "", "", None, PAGE), MOST_ROWS):
        looked += 1
        if row["request_id"] == id_ or (begins and row["generation"].startswith(begin)):
            found.append(row)
            if len(found) == _MOST_NAMED:
                break
    if len(found) > 1:
        meant = ", ".join(row["generation"] for row in found)
        raise SeekrouteError(
            f"more than one request is meant by {id_!r}: {meant}: give the whole id of one"
        )
    if not found:
        return None
    generation: str = found[0]["generation"]
    if whole and looked == MOST_ROWS:
        raise SeekrouteError(
            f"{id_!r} is {generation}, but only the latest {MOST_ROWS} requests were looked "
            "through for another: give the whole id"
        )
    return ledger.generation(generation)
