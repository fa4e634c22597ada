"""What the first start of a server tells its operator."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def first_words(child: Any) -> tuple[str, int, str]:
    """The key, the port and the curl command of a first start."""
    shown = ""
    while "  -d " not in shown:
        line = child.stdout.readline()
        assert line, shown + child.stderr.read()
        shown += line
    file = re.search(r"^  (/\S+/first-key)$", shown, re.MULTILINE)
    port = re.search(r"http://127\.0\.0\.1:(\d+)/", shown)
    assert file
    assert port
    return Path(file[1]).read_text().strip(), int(port[1]), shown[shown.index("curl ") :]
