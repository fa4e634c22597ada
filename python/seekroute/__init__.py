"""seekroute: a self-hosted, OpenAI-compatible LLM gateway.

    import seekroute

    with seekroute.Client(mock="on") as client:  # no key needed; leave `mock` out with a real one
        answer = client.ask("Hello!", model="openai/gpt-4o-mini")
        print(answer.text, answer.cost)

`Client` and `AsyncClient` route in this process or ask a gateway at a URL, `create_app` gives the
server as an ASGI app, `Router` trains and measures routing by content, `testing` holds a scriptable
provider. Importing this module loads none of them: each is loaded at its first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from seekroute import shown

if TYPE_CHECKING:
    from seekroute.auto.router import Router
    from seekroute.client import (
        AsyncChatStream,
        AsyncClient,
        ChatCompletion,
        ChatStream,
        CheckpointError,
        Client,
        NotRunError,
    )
    from seekroute.client.batch.compare import Comparison
    from seekroute.client.batch.progress import MapProgress
    from seekroute.client.batch.results import Results
    from seekroute.client.management import Management
    from seekroute.client.openai_sdk import async_openai_client, openai_client
    from seekroute.client.show.live import live, live_async
    from seekroute.client.show.notebook import load_ipython_extension, unload_ipython_extension
    from seekroute.client.spend.budget import Budget
    from seekroute.client.spend.quotes import Quote
    from seekroute.client.spend.rollup import Usage
    from seekroute.client.tokens import TokenCount
    from seekroute.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        BudgetExceededError,
        ConfigError,
        ConflictError,
        InsufficientCreditsError,
        InternalServerError,
        NoProviderError,
        NotFoundError,
        NotSupportedError,
        PermissionDeniedError,
        RateLimitError,
        SeekrouteError,
        UnprocessableEntityError,
        UpstreamError,
    )
    from seekroute.ledger import LedgerError
    from seekroute.server import create_app

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncChatStream",
    "AsyncClient",
    "AuthenticationError",
    "BadRequestError",
    "Budget",
    "BudgetExceededError",
    "ChatCompletion",
    "ChatStream",
    "CheckpointError",
    "Client",
    "Comparison",
    "ConfigError",
    "ConflictError",
    "InsufficientCreditsError",
    "InternalServerError",
    "LedgerError",
    "Management",
    "MapProgress",
    "NoProviderError",
    "NotFoundError",
    "NotRunError",
    "NotSupportedError",
    "PermissionDeniedError",
    "Quote",
    "RateLimitError",
    "Results",
    "Router",
    "SeekrouteError",
    "TokenCount",
    "UnprocessableEntityError",
    "UpstreamError",
    "Usage",
    "async_openai_client",
    "create_app",
    "live",
    "live_async",
    "load_ipython_extension",
    "openai_client",
    "unload_ipython_extension",
]

_MODULES = ("api", "auto", "client", "config", "errors", "ledger", "server", "testing")
_HOMES = {
    "Router": "auto.router",
    "Budget": "client.spend.budget",
    "Comparison": "client.batch.compare",
    "LedgerError": "ledger",
    "Management": "client.management",
    "MapProgress": "client.batch.progress",
    "Quote": "client.spend.quotes",
    "Results": "client.batch.results",
    "TokenCount": "client.tokens",
    "Usage": "client.spend.rollup",
    "AsyncChatStream": "client",
    "AsyncClient": "client",
    "ChatCompletion": "client",
    "ChatStream": "client",
    "CheckpointError": "client",
    "Client": "client",
    "NotRunError": "client",
    "async_openai_client": "client.openai_sdk",
    "create_app": "server",
    "live": "client.show.live",
    "live_async": "client.show.live",
    "load_ipython_extension": "client.show.notebook",
    "openai_client": "client.openai_sdk",
    "unload_ipython_extension": "client.show.notebook",
}


def _load_display() -> None:
    importlib.import_module("seekroute.client.show.display")


shown.register_with(_load_display)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("seekroute")
    if name not in __all__ and name not in _MODULES:
        raise AttributeError(f"module 'seekroute' has no attribute {name!r}")
    if name in _MODULES:
        return importlib.import_module(f"seekroute.{name}")
    home = importlib.import_module(f"seekroute.{_HOMES.get(name, 'errors')}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
