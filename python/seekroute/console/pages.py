"""The built pages: files with a hash in their names, and one page that loads them."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Final

from starlette.responses import Response

__all__ = ["Pages"]

_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_UNBUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>seekroute console</title>
<h1>The console's pages are not in this installation</h1>
<p>The gateway and its API work. To build the pages: <code>script/bootstrap</code> in a checkout, or
install a released wheel, which has them.</p>
"""


class Pages:
    """Files below a folder, all in memory: they are read once, and no path leads anywhere else.

    Args:
        folder: of the built pages; where it is missing, one page says how to build them.
    """

    def __init__(self, folder: Path) -> None:
        self._files: dict[str, tuple[bytes, str]] = {}
        if folder.is_dir():
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                    name = path.relative_to(folder).as_posix()
                    self._files[name] = (path.read_bytes(), kind)

    @classmethod
    def built(cls) -> Pages:
        """Those of this installation."""
        return cls(Path(__file__).parent / "static")

    def answer(self, path: str, is_https: bool) -> Response:
        """A file; for every path of a screen the page that shows it."""
        headers = dict(_HEADERS)
        if is_https:
            headers["strict-transport-security"] = "max-age=31536000"
        name = path.removeprefix("/console").lstrip("/")
        found = self._files.get(name) if name.startswith("assets/") else None
        if found is not None:
            body, kind = found
            headers["cache-control"] = "public, max-age=31536000, immutable"
            return Response(body, 200, headers, kind)
        if name.startswith("assets/"):
            return Response("no such file", 404, headers, "text/plain")
        body, kind = self._files.get("index.html", (_UNBUILT.encode(), "text/html"))
        headers["cache-control"] = "no-cache"
        return Response(body, 200, headers, "text/html; charset=utf-8")
