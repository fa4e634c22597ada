"""What can be told of a file without opening it."""

from __future__ import annotations

import stat
from pathlib import Path


def why_no_file(path: Path) -> str:
    """Why what stands in a file's place cannot be one; empty where it can, or nothing is there.

    To open a pipe would wait for its other end.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{path} cannot be used: {error.strerror}"
    if stat.S_ISREG(mode):
        return ""
    what = "it is a folder" if stat.S_ISDIR(mode) else "it is no file"
    return f"{path} cannot be used: {what}"
