"""What of the console's pages is in the installed package."""

from __future__ import annotations

import re
from pathlib import Path

import seekroute.console

STATIC = Path(seekroute.console.__file__).parent / "static"
MOST_BYTES = 1_200_000


def test_the_package_has_the_built_pages() -> None:
    files = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*.*")}
    index = files.pop("index.html").read_text()
    assert files, "script/console-build makes them"
    # What is kept for a year must have another name whenever it has other content.
    assert all(re.fullmatch(r"assets/[\w.-]+-[\w-]{8}\.(js|css|svg)", name) for name in files)
    loaded = re.findall(r'(?:src|href)="/console/(assets/[^"]+)"', index)
    assert len(loaded) >= 3
    assert set(loaded) <= set(files)
    assert "<script>" not in index
    assert "<style" not in index
    assert sum(path.stat().st_size for path in files.values()) < MOST_BYTES
    # `eval` would be refused by the policy under which the pages run.
    assert not any("new Function(" in path.read_text() for path in files.values())
