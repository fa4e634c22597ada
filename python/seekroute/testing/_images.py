"""The image a mock provider generates: always the same tiny PNG."""

from __future__ import annotations

import base64
import hashlib
import struct
import time
import zlib
from collections.abc import Mapping
from typing import Any


def _png() -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    size = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)  # 1 x 1, 8 bits, RGB
    pixels = zlib.compress(b"\x00\x33\x66\x99")  # no filter, one pixel
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", size) + part(b"IDAT", pixels) + part(b"IEND", b"")


# A valid PNG of one blue pixel.
TINY_PNG = _png()
TINY_PNG_BASE64 = base64.b64encode(TINY_PNG).decode()
MAX_IMAGES = 10


def image_body(
    request: Mapping[str, Any], origin: str, *, url: str | None = None, b64: str | None = None
) -> dict[str, Any]:
    """The answer to an images/generations request, with `url` or `b64` where given."""
    if url is None and b64 is None:
        if request.get("response_format") == "b64_json":
            b64 = TINY_PNG_BASE64
        else:
            prompt = str(request.get("prompt", "")).encode("utf-8", "replace")
            url = f"{origin}/images/{hashlib.sha256(prompt).hexdigest()[:16]}.png"
    count = request.get("n")
    count = count if isinstance(count, int) and 1 <= count <= MAX_IMAGES else 1
    entry = {"b64_json": b64} if b64 is not None else {"url": url}
    return {"created": int(time.time()), "data": [dict(entry) for _ in range(count)]}
