"""What a quote may be asked besides its request: `?seed=7&simulate=1000`."""

from __future__ import annotations

from collections.abc import Mapping

from seekroute.api.call import RefusedError

__all__ = ["MOST_SIMULATED", "drawn_by"]

# As kMostSimulated in cpp/gateway/admission.h: they are drawn while the client waits.
MOST_SIMULATED = 10_000
_MOST_SEED = (1 << 53) - 1


def drawn_by(query: Mapping[str, str]) -> tuple[int | None, int]:
    """The seed of a quote's order, None for chance, and how often it is drawn anew.

    Args:
        query: Parameters of the URL; others than these two are passed over.

    Raises:
        RefusedError: one of them is no integer, or out of range.
    """
    seed = _integer(query, "seed", _MOST_SEED)
    return seed, _integer(query, "simulate", MOST_SIMULATED) or 0


def _integer(query: Mapping[str, str], name: str, most: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most:
        return int(text)
    raise RefusedError("invalid_value", f"{name}: expected an integer from 0 to {most}", name)
