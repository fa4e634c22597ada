"""How a page shows that it is ours: a token that follows from the session's, and its origin."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

__all__ = ["csrf_token", "is_same_origin"]

_PURPOSE: Final = b"seekroute csrf 1\0"


def csrf_token(pepper: bytes, session_token: str) -> str:
    """What a page of the session sends in X-CSRF-Token; another one once the session's changes."""
    digest = hmac.digest(pepper, _PURPOSE + session_token.encode(), hashlib.sha256)
    return digest.hex()


def is_same_origin(fetch_site: str | None, origin: str | None, own: str) -> bool:
    """Whether a browser says that a page of ours asks.

    Args:
        fetch_site: the header Sec-Fetch-Site, which a page cannot set.
        origin: the header Origin, which older browsers send alone.
        own: scheme and host that this request came to.

    >>> is_same_origin("same-origin", None, "http://localhost:8000")
    True
    >>> is_same_origin("cross-site", "http://localhost:8000", "http://localhost:8000")
    False
    >>> is_same_origin(None, "http://localhost:8000", "http://localhost:8000")
    True
    >>> is_same_origin(None, None, "http://localhost:8000")
    False
    """
    if fetch_site is not None:
        return fetch_site == "same-origin"
    return origin is not None and origin == own
