"""OpenAI's SDK in process once more, with the major line before the newest."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import seekroute
from checkout import ROOT

PYTHON = ROOT / ".sdk" / "openai2" / "bin" / "python"
FILES = ("test_openai_sdk.py", "test_openai_sdk_life.py")
PATIENCE_S = 100


def test_older_sdk_over_the_gateway_in_process(tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip(f"{PYTHON} is absent: script/test makes it")
    # The package alone is put on the path, not the site-packages it may lie in.
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "seekroute").symlink_to(Path(seekroute.__file__).parent)
    told = "import openai, seekroute._core; print(openai.__version__)"
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        "PYTHONPATH": f"{tmp_path / 'path'}:{ROOT / 'tests/support'}",
    }

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(PYTHON), *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=environ,
            cwd=tmp_path,
        )

    assert python("-c", told).stdout.startswith("2.")
    found = tmp_path / "found.xml"
    done = python(
        *("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--noconftest"),
        *("-p", "in_process_fixtures"),
        *("-c", os.devnull, f"--rootdir={tmp_path}", f"--junit-xml={found}"),
        *(str(ROOT / "tests/sdk" / name) for name in FILES),
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    suite = ElementTree.parse(found).getroot()[0]
    assert int(suite.attrib["tests"]) > 40
    assert int(suite.attrib["skipped"]) == 0
