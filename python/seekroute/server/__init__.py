"""The server: an ASGI application over the core, and the runner behind `seekroute serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seekroute.server.app import create_app
    from seekroute.server.handover import serve_program
    from seekroute.server.runner import serve

__all__ = ["create_app", "serve", "serve_program"]


def __getattr__(name: str) -> Any:
    # Lazily: the command line imports this package before it knows whether it will serve.
    if name == "create_app":
        from seekroute.server.app import create_app

        return create_app
    if name == "serve":
        from seekroute.server.runner import serve

        return serve
    if name == "serve_program":
        from seekroute.server.handover import serve_program

        return serve_program
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
