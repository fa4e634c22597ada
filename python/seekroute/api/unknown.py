"""What is said of a path that no route has: what is served instead."""

from __future__ import annotations

from typing import Final

from seekroute.api.table import BASES, ROUTES, Who

__all__ = ["INSTEAD", "in_process", "over_http"]

# What is asked for most of that there is not, and what there is for it.
INSTEAD: Final = (
    ("/responses", "POST /v1/chat/completions (in the AI SDK: openai.chat(…))"),
    ("/completions", "POST /v1/chat/completions"),
    ("/messages", "POST /v1/chat/completions"),
    ("/images/generations", "pictures by POST /v1/chat/completions with a model that makes them"),
    ("/audio/transcriptions", "no transcription yet, but POST /v1/chat/completions"),
    ("/audio/speech", "no speech yet, but POST /v1/chat/completions"),
    ("/moderations", "no moderation yet, but POST /v1/chat/completions"),
    ("/keys", "GET /v1/key; keys are made by whoever runs it"),
)

# What stands behind a base URL: also behind one that was given wrongly.
_WITHOUT_BASE: Final = frozenset(
    route.pattern for route in ROUTES if route.below_base and "{" not in route.pattern
)
_MOST_PARTS: Final = max(path.count("/") for path in _WITHOUT_BASE)


def over_http(method: str, path: str) -> str:
    """What a server says of a whole path."""
    bare = path.rstrip("/")
    for end, instead in INSTEAD:
        if bare in (end, *(base + end for base in BASES)):
            return f"{method} {path} is not served by this gateway; it serves {instead}"
    meant = _meant(path)
    if meant is not None:
        return f"no such path; the base URL ends in {BASES[0]}: {method} {BASES[0]}{meant}"
    return "no such path; GET /openapi.json lists the paths"


def _meant(path: str) -> str | None:
    """The path below a base that a path ends with whose client was given another base URL."""
    # A client puts its path behind the base URL: the longest one that there is, from the left.
    parts = path.rstrip("/").rsplit("/", _MOST_PARTS)
    for begin in range(1, len(parts)):
        meant = "/" + "/".join(parts[begin:])
        if meant in _WITHOUT_BASE:
            return meant
    return None


def in_process(method: str, path: str) -> str:
    """What a gateway in the caller's process says of a path below the base: all that it serves."""
    served = ", ".join(
        f"{route.methods[0]} {route.pattern}"
        for route in ROUTES
        if route.below_base and route.who is not Who.KEY
    )
    return f"{method} {path} is not served here; served are {served}"
