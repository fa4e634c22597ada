"""The dependency rule of ARCHITECTURE.md, kept: who may include or import whom.

Exits 1 and names every line that breaks it. Of Python, imports inside functions count as those at
the top of a file: a lazy line ties two modules together all the same. Two things do not count:

- What stands under `if TYPE_CHECKING:` never runs, and a type may well be named by what it is for.
- That a module's package is loaded before the module. A package's `__init__.py` is its face and
  imports what is inside; whoever inside imports the face closes a circle, which is refused.

Modules of the root lie below all packages, but for three: `__init__.py`, the face of the whole;
`__main__.py`, which starts the command line; and `opening.py`, which joins the parts of a gateway
for those who have one. The parts of the client have an order of their own, `CLIENT_LEVELS`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# C++: a room includes only rooms of a lower number, never a sibling.
LEVELS = {
    "base": 0,
    "wire/json": 1,
    "wire/sse": 2,
    "wire": 3,
    "wire/openai": 4,
    "wire/protocols": 5,
    "catalog": 6,
    "routing/auto": 6,
    "routing": 7,
    "limits": 7,
    "billing": 7,
    "store": 7,
    "transport": 7,
    "store/sqlite": 8,
    "gateway": 9,
    "bindings": 10,
    "testing": 10,
    "fuzz": 11,
}
# These rooms are as low as they look: they move bytes, and know no wire format.
ONLY_BASE = {"store", "transport", "routing/auto"}
# Third parties stay in one place.
THIRD_PARTY = {
    "rapidjson/": ("cpp/wire/json/",),
    "curl/curl.h": ("cpp/transport/curl/",),
    "sqlite3.h": ("cpp/store/sqlite/",),
    "pybind11/": ("cpp/bindings/",),
    "openssl/": ("cpp/base/digest.cc", "cpp/transport/curl/tls."),
}
# Python: inside seekroute, who imports whom not.
CORE_IMPORTERS = {
    *("gateway.py", "exchange.py", "ledger.py", "error_table.py", "visible.py", "auto/scoring.py"),
    "learning/looks.py",
    "learning/spending.py",
}
APART = ("server", "client", "cli", "console")
# What answers without HTTP: it knows nobody who asks, and loads nothing that serving does not need.
ANSWERS = "api"
NOT_FOR_ANSWERS = (*APART, "config", "control", "testing")
# The client: a part imports nothing above itself. Of two names that fit, the longer counts. Below
# are values and what they are drawn with, in the middle answers, above what asks and what shows.
CLIENT_LEVELS = {
    "client.request_fields": 0,
    "client.result": 0,
    "client.tokens": 0,
    "client.tool_calls": 0,
    "client.show.plots": 0,
    "client.show.table": 0,
    "client.show.text_columns": 0,
    "client.wires": 1,
    "client.spend": 2,
    "client.results": 3,
    "client.streams": 3,
    "client.batch": 4,
    "client": 5,
    "client.show": 6,
}
# Of the root, but above packages: two above all, which alone have underscores, and one that joins
# parts for those above it.
ABOVE_ALL = {"__init__.py", "__main__.py"}
JOINS = "opening.py"
NOT_FOR_JOINS = (*APART, "config")

INCLUDE = re.compile(r'^#include [<"]([^">]+)[">]', re.MULTILINE)


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


def _names_of(nodes: Iterator[ast.AST]) -> set[str]:
    """What is imported of the package: "client.display", be that a module or what is in one."""
    names = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names |= {f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
    inside = {name.partition(".") for name in names}
    return {name for package, _, name in inside if package == "seekroute"}


def python_problems(path: Path) -> list[str]:
    """Broken imports of one Python file."""
    relative = path.relative_to(ROOT / "python/seekroute").as_posix()
    room = relative.split("/")[0]
    problems = []
    if path.name.startswith("_") and path.name not in ABOVE_ALL:
        problems.append(f"seekroute/{relative}: a module has no underscore, its package has a face")
    names = _names_of(ast.walk(ast.parse(path.read_text())))  # also of what is for types alone
    for target in sorted({name.partition(".")[0] for name in names}):
        if target == "_core" and relative not in CORE_IMPORTERS:
            problems.append(f"seekroute/{relative}: only {sorted(CORE_IMPORTERS)} import _core")
        lazy = room == "cli"  # commands start servers and clients, inside their functions
        if room in APART and target in APART and target != room and not lazy:
            problems.append(f"seekroute/{relative}: {room} does not import {target}")
        if room == ANSWERS and target in NOT_FOR_ANSWERS:
            problems.append(f"seekroute/{relative}: {room} does not import {target}")
    return problems


def modules() -> dict[str, Path]:
    """The files of the package by their names below it: "client.display"; "" is the face."""
    root = ROOT / "python/seekroute"
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is in it, but for what only type checkers read."""
    yield node
    for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    inner = node.orelse if isinstance(node, ast.If) and for_types else ast.iter_child_nodes(node)
    for each in inner:
        yield from _statements(each)


def imports_of(path: Path, known: Mapping[str, Path]) -> set[str]:
    """The modules of the package that a file imports, at once or later."""
    found = set()
    for name in _names_of(_statements(ast.parse(path.read_text()))) - {"_core"}:
        # `from seekroute.client import Client` is of the face, `import display` of a module.
        found.add(name if name in known else name.rpartition(".")[0])
    return found & set(known)


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The modules that import one another, in whatever way round; by name."""
    reached: dict[str, set[str]] = {}
    for name in imports:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            new = imports[waiting.pop()] - seen
            seen |= new
            waiting += new
        reached[name] = seen
    found = {
        tuple(sorted(other for other in reached[name] if name in reached[other]))
        for name in imports
        if name in reached[name]
    }
    return [list(each) for each in sorted(found)]


def client_level(name: str) -> int | None:
    """The level of a module, "client.show.live", in the client; None outside of it."""
    while name and name not in CLIENT_LEVELS:
        name = name.rpartition(".")[0]
    return CLIENT_LEVELS.get(name)


def client_problems(imports: Mapping[str, set[str]]) -> list[str]:
    """Modules of the client that import what lies above them."""
    problems = []
    for name, others in imports.items():
        level = client_level(name)
        for other in sorted(others):
            above = client_level(other)
            if level is not None and above is not None and above > level:
                problems.append(f"seekroute: {name} lies below {other} and does not import it")
    return problems


def tied_problems() -> list[str]:
    """Circles, and modules that import what stands on them."""
    known = modules()
    imports = {name: imports_of(path, known) for name, path in known.items()}
    problems = [
        f"seekroute: {', '.join(each or '__init__' for each in circle)} import one another"
        for circle in circles(imports)
    ]
    problems += client_problems(imports)
    packages = {name for name, path in known.items() if path.name == "__init__.py" and name}
    for name, path in known.items():
        if "." in name or name in packages or path.name in ABOVE_ALL:
            continue
        upper = NOT_FOR_JOINS if path.name == JOINS else packages
        problems += [
            f"seekroute/{path.name}: a module of the root does not import {other}"
            for other in sorted(imports[name])
            if other.partition(".")[0] in upper
        ]
    return problems


def main() -> int:
    """Checks the tree."""
    problems = []
    for path in sorted((ROOT / "cpp").rglob("*")):
        if path.suffix in (".cc", ".h"):
            problems += cxx_problems(path)
    for path in sorted((ROOT / "python/seekroute").rglob("*.py")):
        problems += python_problems(path)
    problems += tied_problems()
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
