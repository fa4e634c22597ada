"""seekroute: a self-hosted, OpenAI-compatible LLM gateway.

    import seekroute

    with seekroute.Client(mock="on") as client:  # no key needed; leave `mock` out with a real one
        answer = client.chat.completions.create(
            model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}]
        )
        print(answer.choices[0].message.content, answer.cost)

`Client` routes in this process, `create_app` gives the server as an ASGI app, `testing` holds a
scriptable provider. Importing this module loads none of them: each is loaded at its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seekroute.client import ChatCompletion, ChatStream, Client
    from seekroute.client.openai_sdk import async_openai_client, openai_client
    from seekroute.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConfigError,
        InsufficientCreditsError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        SeekrouteError,
        UpstreamError,
    )
    from seekroute.server import create_app

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ChatCompletion",
    "ChatStream",
    "Client",
    "ConfigError",
    "InsufficientCreditsError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "SeekrouteError",
    "UpstreamError",
    "async_openai_client",
    "create_app",
    "openai_client",
]

_HOMES = {"Client": "client", "ChatCompletion": "client", "ChatStream": "client"}
_HOMES["create_app"] = "server"
_HOMES["openai_client"] = _HOMES["async_openai_client"] = "client.openai_sdk"


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("seekroute")
    if name not in __all__:
        raise AttributeError(f"module 'seekroute' has no attribute {name!r}")
    home = importlib.import_module(f"seekroute.{_HOMES.get(name, 'errors')}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
