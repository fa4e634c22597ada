"""The command line, `seekroute`."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def _open_standard_streams() -> None:
    """Makes a standard stream that whoever started the program has closed lead nowhere.

    Else the next file or socket would take its number, and get what is meant for a reader.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest number
            mode = "w" if number else "r"
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115  # stays open
            setattr(sys, name, stream)


def main() -> None:
    """Run the command that `sys.argv` names and exit.

    Exits with 0 on success, 2 if the command line or the configuration is wrong, 1 on any other
    failure.
    """
    _open_standard_streams()
    from seekroute.server import handover

    served = handover.resume()  # first: a process that serves keeps nothing of the command line
    if served is not None:
        raise SystemExit(served)

    from seekroute.cli import run
    from seekroute.cli.root import app

    run.is_program = True
    app()
