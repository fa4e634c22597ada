"""`python -m seekroute`: the command line."""

from __future__ import annotations

from seekroute.cli import main

if __name__ == "__main__":
    main()
