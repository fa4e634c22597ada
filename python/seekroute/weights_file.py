"""Weights in files: read whole within a bound, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from seekroute.errors import SeekrouteError

_MOST_BYTES: Final = 256 << 20  # more than the core takes of 32 models


def read_bounded(file: Path, most: int = _MOST_BYTES) -> bytes:
    """The bytes of a file.

    Raises:
        SeekrouteError: It cannot be read, or has more than `most` bytes.
    """
    try:
        with file.open("rb") as stream:
            found = stream.read(most + 1)
    except OSError as error:
        raise SeekrouteError(f"{file} cannot be read: {error.strerror or error}") from None
    if len(found) > most:
        raise SeekrouteError(f"{file} has more than {most >> 20} MiB: it is another file")
    return found


def write_whole(file: Path, data: bytes) -> None:
    """Puts a file in place whole: who reads it meanwhile reads the old one.

    Raises:
        SeekrouteError: It cannot be written.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        os.replace(beside, file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SeekrouteError(f"{file} cannot be written: {error.strerror or error}") from None
