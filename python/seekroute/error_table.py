"""The core's table of errors, as Python reads it. Nothing else decides what an error means."""

from __future__ import annotations

import functools
from typing import NamedTuple


class ErrorRow(NamedTuple):
    """What an error means on the wire.

    Attributes:
        code: its wire name, `model_not_found`.
        status: of HTTP, while the head of the answer can still be sent.
        type: OpenAI's `error.type`.
        should_retry: what `x-should-retry` says; None: it is not sent.
        retry_after_ms: after how many milliseconds another try may succeed; 0: it is not said.
        hint: what whoever reads it may do: the rest of a sentence, without a full stop.
    """

    code: str
    status: int
    type: str
    should_retry: bool | None
    retry_after_ms: int
    hint: str


@functools.cache
def rows() -> tuple[ErrorRow, ...]:
    """The whole table. Two rows may share a code; the usual one comes first."""
    # Not at import: whoever only asks a gateway at a URL needs no core until something fails.
    from seekroute import _core

    return tuple(ErrorRow(*row) for row in _core.errors())


@functools.cache
def _by_code() -> dict[str, ErrorRow]:
    return {row.code: row for row in reversed(rows())}


def row_of(code: object) -> ErrorRow | None:
    """The row of a code; None for one that only a provider, or a profile, has."""
    return _by_code().get(code) if isinstance(code, str) else None
