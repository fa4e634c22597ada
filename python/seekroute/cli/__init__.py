"""The command line, `seekroute`."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command that `sys.argv` names and exit.

    Exits with 0 on success, 2 if the command line or the configuration is wrong, 1 on any other
    failure.
    """
    from seekroute.cli._root import app

    app()
