"""What can be told of a file without opening it."""

from __future__ import annotations

import stat
from pathlib import Path


def why_no_file(path: Path) -> str:
    """Why what stands in a database's place cannot be one; empty where it can, or nothing does.

    To open a pipe would wait for its other end.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path} cannot be used: {error.strerror}"
    return "" if stat.S_ISREG(mode) else f"{path} cannot be used: it is no file"
