"""The command line, `seekroute`."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command that `sys.argv` names and exit.

    Exits with 0 on success, 2 if the command line or the configuration is wrong, 1 on any other
    failure.
    """
    from seekroute.server import handover

    served = handover.resume()  # first: a process that serves keeps nothing of the command line
    if served is not None:
        raise SystemExit(served)

    from seekroute.cli import _run
    from seekroute.cli._root import app

    _run.is_program = True
    app()
