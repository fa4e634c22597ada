"""The dependency rule of ARCHITECTURE.md, kept: who may include or import whom.

Exits 1 and names every line that breaks it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# C++: a room includes only rooms of a lower number, never a sibling.
LEVELS = {
    "base": 0,
    "wire/json": 1,
    "wire/sse": 2,
    "wire": 3,
    "wire/openai": 4,
    "catalog": 5,
    "routing": 6,
    "limits": 6,
    "billing": 6,
    "store": 6,
    "transport": 6,
    "store/sqlite": 7,
    "gateway": 8,
    "bindings": 9,
    "testing": 9,
    "fuzz": 10,
}
# These rooms are as low as they look: they move bytes, and know no wire format.
ONLY_BASE = {"store", "transport"}
# Third parties stay in one place.
THIRD_PARTY = {
    "rapidjson/": ("cpp/wire/json/",),
    "curl/curl.h": ("cpp/transport/curl/",),
    "sqlite3.h": ("cpp/store/sqlite/",),
    "pybind11/": ("cpp/bindings/",),
    "openssl/": ("cpp/base/digest.cc", "cpp/transport/curl/tls."),
}
# Python: inside seekroute, who imports whom not.
CORE_IMPORTERS = {"gateway.py", "ledger.py", "error_table.py", "_visible.py"}
APART = ("server", "client", "cli")
# What answers without HTTP: it knows nobody who asks, and loads nothing that serving does not need.
ANSWERS = "api"
NOT_FOR_ANSWERS = (*APART, "config", "control", "testing")

INCLUDE = re.compile(r'^#include [<"]([^">]+)[">]', re.MULTILINE)
IMPORT = re.compile(r"^\s*(?:from|import) (seekroute(?:\.\w+)*)(?: import (.+))?", re.MULTILINE)


def room_of(path: str) -> str:
    """The room of a path below cpp/; empty for a file outside of all rooms."""
    folder = path.rpartition("/")[0]
    return folder if folder in LEVELS else path.partition("/")[0] if folder else ""


def cxx_problems(path: Path) -> list[str]:
    """Broken includes of one C++ file."""
    relative = path.relative_to(ROOT).as_posix()
    room = room_of(relative.removeprefix("cpp/"))
    test = relative.endswith("_test.cc") or room in ("testing", "fuzz")
    problems = []
    for included in INCLUDE.findall(path.read_text()):
        other = room_of(included)
        if other in LEVELS and other != room and not test:
            low_enough = LEVELS[other] < LEVELS[room]
            if not low_enough or (room in ONLY_BASE and other != "base"):
                problems.append(f"{relative}: {room}/ may not include {included}")
        for prefix, homes in THIRD_PARTY.items():
            if included.startswith(prefix) and not test and not relative.startswith(homes):
                problems.append(f"{relative}: {included} belongs in {', '.join(homes)}")
    return problems


def python_problems(path: Path) -> list[str]:
    """Broken imports of one Python file."""
    relative = path.relative_to(ROOT / "python/seekroute").as_posix()
    room = relative.split("/")[0]
    problems = []
    for module, names in IMPORT.findall(path.read_text()):
        parts = module.split(".")[1:]
        target = parts[0] if parts else (names or "").split(" as ")[0].strip()
        if target == "_core" and relative not in CORE_IMPORTERS:
            problems.append(f"seekroute/{relative}: only {sorted(CORE_IMPORTERS)} import _core")
        lazy = room == "cli"  # commands start servers and clients, inside their functions
        if room in APART and target in APART and target != room and not lazy:
            problems.append(f"seekroute/{relative}: {room} does not import {target}")
        if room == ANSWERS and target in NOT_FOR_ANSWERS:
            problems.append(f"seekroute/{relative}: {room} does not import {target}")
    return problems


def main() -> int:
    """Checks the tree."""
    problems = []
    for path in sorted((ROOT / "cpp").rglob("*")):
        if path.suffix in (".cc", ".h"):
            problems += cxx_problems(path)
    for path in sorted((ROOT / "python/seekroute").rglob("*.py")):
        problems += python_problems(path)
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
