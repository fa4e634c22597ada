"""Which tool call of a streamed answer a piece belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def call_of(calls: Sequence[dict[str, Any]], piece: Mapping[str, Any]) -> dict[str, Any] | None:
    """The call that `piece` continues; None: it begins another one.

    By its id where it has one; then by `index`; then by order, as a piece without either continues
    the last call, unless it has a name and that call has its own. Providers leave `index` out, and
    some say 0 of every call, so an id that is new begins a call whatever the index is.

    Args:
        calls: Those that have begun, in their order, each with the `id` and `index` it came with.
        piece: An entry of a delta's `tool_calls`.
    """
    id, index = piece.get("id") or None, piece.get("index")
    if id is not None:
        for call in calls:
            if call.get("id") == id:
                return call
    # The last one of that index: a provider for whom all are 0 has begun it last.
    same = [call for call in calls if call.get("index") == index] if index is not None else calls
    if not same:
        return None
    last = same[-1]
    if id is not None:  # a new one; or the late id of a call that has begun without
        late = not last.get("id") and not (_name_of(piece) and _name_of(last))
        return last if late else None
    if index is None and _name_of(piece) and _name_of(last):
        return None
    return last


def _name_of(call: Mapping[str, Any]) -> str:
    for kind in ("function", "custom"):
        inner = call.get(kind)
        if isinstance(inner, Mapping) and inner.get("name"):
            return str(inner["name"])
    return ""
