"""The tree against its own rules, and the package against its parts."""

from __future__ import annotations

import doctest
import importlib
import importlib.metadata
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import seekroute
from checkout import ROOT
from seekroute import _core, error_table


def test_layers() -> None:
    subprocess.run([sys.executable, ROOT / "script/check_layers.py"], check=True)


def test_layers_are_really_checked(tmp_path: Path) -> None:
    tree = tmp_path / "seekroute"
    for folder in ("cpp/base", "cpp/store", "python/seekroute/server", "script"):
        (tree / folder).mkdir(parents=True)
    checker = tree / "script/check_layers.py"
    checker.write_text((ROOT / "script/check_layers.py").read_text())
    (tree / "cpp/base/x.h").write_text('#include "gateway/gateway.h"\n')
    (tree / "cpp/store/y.cc").write_text('#include "wire/json/json.h"\n#include <curl/curl.h>\n')
    (tree / "python/seekroute/server/z.py").write_text(
        "from seekroute import _core\nfrom seekroute.client import Client\n"
    )
    done = subprocess.run(
        [sys.executable, checker], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 5


CIRCLE = {
    "server/a.py": "def f() -> None:\n    from seekroute.server import b\n",
    "server/b.py": "import seekroute.server.c\n",
    "server/c.py": "from seekroute.server.a import f\nfrom seekroute.server import d\n",
    "server/d.py": "import json\n",
}
FACE = {
    "client/__init__.py": "from seekroute.client.x import X\n",
    "client/x.py": "class X:\n    def f(self):\n        from seekroute.client import X\n",
}
FOR_TYPES = {
    "server/a.py": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from seekroute.server.b import B\n"
    ),
    "server/b.py": "from seekroute.server.a import A\n",
    "one.py": (
        "import typing\nif typing.TYPE_CHECKING:\n    from seekroute.server.b import B\n"
        "else:\n    B = object\n"
    ),
    "two.py": "from seekroute import one, _core\nfrom seekroute.one import B\n",
}
UPWARDS = {
    "low.py": "def f():\n    if f:\n        from seekroute.server.b import B\n",
    "lower.py": "from seekroute import server\n",
    "lowest.py": "from seekroute.server import B\n",
    "__init__.py": "def __getattr__(name):\n    from seekroute import server\n",
    "__main__.py": "from seekroute.server.b import main\n",
    "opening.py": "def f():\n    from seekroute import control, server\n",
    "control/__init__.py": "",
    "server/b.py": "from seekroute import low\n",
}
CLIENT = {
    "client/__init__.py": "from seekroute.client.client import Client\n",
    "client/client.py": "def f():\n    from seekroute.client.show.live import live\n",
    "client/batch/map.py": "from seekroute.client.spend.budget import Budget\n",
    "client/batch/results.py": "from seekroute.client.show.table import Table\n",
    "client/show/__init__.py": "",
    "client/show/live.py": "from seekroute.client.batch.map import map\n",
    "client/show/table.py": "from seekroute.client.show.live import live\n",
    "client/spend/budget.py": "from seekroute.client import wires\n",
    "client/wires/__init__.py": "def f():\n    import seekroute.client.spend.budget\n",
}
UNDERSCORES = {"server/_a.py": "", "_b.py": "", "__main__.py": "", "_core.pyi": ""}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (CIRCLE, ["seekroute: server.a, server.b, server.c import one another"]),
        (FACE, ["seekroute: client, client.x import one another"]),
        (FOR_TYPES, ["seekroute/two.py: only"]),
        (
            UPWARDS,
            [
                "seekroute: low, server.b import one another",
                "seekroute/low.py: a module of the root does not import server.b",
                "seekroute/lower.py: a module of the root does not import server",
                "seekroute/lowest.py: a module of the root does not import server",
                "seekroute/opening.py: a module of the root does not import server",
            ],
        ),
        (
            CLIENT,
            [
                "seekroute: client.spend.budget, client.wires import one another",
                "seekroute: client.client lies below client.show.live",
                "seekroute: client.show.table lies below client.show.live",
                "seekroute: client.wires lies below client.spend.budget",
            ],
        ),
        (UNDERSCORES, ["seekroute/_b.py: a module", "seekroute/server/_a.py: a module"]),
    ],
    ids=["circle", "face", "for-types", "upwards", "client", "underscores"],
)
def test_ties_between_modules_are_really_checked(
    tmp_path: Path, files: dict[str, str], told: list[str]
) -> None:
    tree = tmp_path / "python/seekroute"
    for name, text in {"__init__.py": "", "server/__init__.py": "", **files}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tmp_path / "cpp").mkdir()
    (tmp_path / "script").mkdir()
    checker = tmp_path / "script/check_layers.py"
    checker.write_text((ROOT / "script/check_layers.py").read_text())
    done = subprocess.run(
        [sys.executable, checker], check=False, capture_output=True, text=True, timeout=60
    )
    said = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(said) == len(told)
    assert all(line.startswith(begin) for line, begin in zip(said, told, strict=True))


def test_a_way_to_upstreams_is_known_in_the_wire_rooms_alone() -> None:
    """Who carries a request knows what it asks, and no protocol by its name."""
    words = ("embedding", "kOpenAi")
    # What a model of another kind is refused with says where it is asked.
    told = [ROOT / "cpp/routing" / name for name in ("planner.cc", "nothing_left.cc")]
    named = [
        f"{source.relative_to(ROOT)}: {word}"
        for room in ("gateway", "routing", "billing", "store", "transport")
        for source in sorted((ROOT / "cpp" / room).rglob("*.[ch]*"))
        if not source.name.endswith("_test.cc") and source not in told
        for word in words
        if word in source.read_text()
    ]
    assert named == []


def test_tests_lie_beside_what_they_are_like() -> None:
    tests = ROOT / "tests"
    files = [each for each in tests.rglob("*.py") if "node_modules" not in each.parts]
    assert [each for each in files if each.parent == tests] == [tests / "conftest.py"]
    assert not [each for each in files if each.parent.name == "support" and "test_" in each.name]
    names = [each.name for each in files if each.name != "conftest.py"]
    assert sorted(set(names)) == sorted(names)  # so that a name alone says which


def test_the_core_has_the_package_s_version() -> None:
    assert _core.__version__ == importlib.metadata.version("seekroute") == seekroute.__version__


def test_every_error_is_documented() -> None:
    page = (ROOT / "docs/http-api.md").read_text()
    missing = [row.code for row in error_table.rows() if f"`{row.code}`" not in page]
    assert not missing


def test_every_package_imports() -> None:
    for module in pkgutil.walk_packages(seekroute.__path__, "seekroute."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            importlib.import_module(module.name)


@pytest.mark.parametrize(
    "name",
    [
        "seekroute.client.embeddings",
        "seekroute.client.result",
        "seekroute.client.results",
        "seekroute.client.wires.retry",
        "seekroute.client.streams",
        "seekroute.config.loading",
        "seekroute.api.model_query",
        "seekroute.api.models",
        "seekroute.api.openapi",
        "seekroute.api.schemas.shapes",
        "seekroute.errors",
        "seekroute.gateway",
        "seekroute.testing.embeddings",
    ],
)
def test_examples_in_docstrings_run(name: str) -> None:
    tried = doctest.testmod(
        importlib.import_module(name),
        extraglobs={"load_settings": importlib.import_module("seekroute.config").load_settings},
    )
    assert tried.attempted > 0
    assert tried.failed == 0
