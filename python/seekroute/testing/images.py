"""The image a mock provider generates: always the same PNG."""

from __future__ import annotations

import base64
import functools
import struct
import time
import zlib
from collections.abc import Mapping
from typing import Any

_WIDTH, _HEIGHT = 160, 100
_HORIZON = 64
_SUN = (112, 38, 16)  # its middle and its radius


def _pixel(x: int, y: int) -> tuple[int, int, int]:
    """An evening at the sea."""
    if y >= _HORIZON:
        depth = y - _HORIZON
        glitter = abs(x - _SUN[0]) < 6 + depth // 2 and (x * 7 + y * 13) % 11 < 4
        return (255, 214, 150) if glitter else (28, 74 - depth // 2, 110 - depth // 2)
    away = ((x - _SUN[0]) ** 2 + (y - _SUN[1]) ** 2) ** 0.5
    if away <= _SUN[2]:
        return (255, 226, 150)
    warm = y / _HORIZON
    glow = max(0.0, 1.0 - away / 90.0)
    return (
        min(255, int(70 + 150 * warm + 60 * glow)),
        min(255, int(90 + 60 * warm + 50 * glow)),
        min(255, int(150 - 30 * warm + 10 * glow)),
    )


def _png() -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    size = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)  # 8 bits, RGB
    rows = bytearray()
    for y in range(_HEIGHT):
        rows.append(0)  # no filter
        for x in range(_WIDTH):
            rows += bytes(_pixel(x, y))
    pixels = zlib.compress(bytes(rows), 9)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", size) + part(b"IDAT", pixels) + part(b"IEND", b"")


@functools.cache
def picture() -> bytes:
    """The PNG, drawn when it is first asked for."""
    return _png()


@functools.cache
def picture_base64() -> str:
    """The same in base64."""
    return base64.b64encode(picture()).decode()


MAX_IMAGES = 10


def image_body(
    request: Mapping[str, Any], *, url: str | None = None, b64: str | None = None
) -> dict[str, Any]:
    """The answer to an images/generations request, with `url` or `b64` where given."""
    if url is None and b64 is None:
        if request.get("response_format") == "b64_json":
            b64 = picture_base64()
        else:
            # No link to the mock: a page that shows the answer later would find nobody there.
            url = f"data:image/png;base64,{picture_base64()}"
    count = request.get("n")
    count = count if isinstance(count, int) and 1 <= count <= MAX_IMAGES else 1
    entry = {"b64_json": b64} if b64 is not None else {"url": url}
    return {"created": int(time.time()), "data": [dict(entry) for _ in range(count)]}
