"""The guide's examples and those in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT


def test_documented_examples_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == 5
    names: dict[str, Any] = {"__name__": "example"}
    for example in examples:
        exec(compile(example, "docs/batch.md", "exec"), names)
    assert "Comparison" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["batch.requests", "show.table", "show.text_columns", "spend.rollup"]
)
def test_examples_in_docstrings_run(name: str) -> None:
    tried = doctest.testmod(importlib.import_module(f"seekroute.client.{name}"))
    assert tried.attempted > 0
    assert tried.failed == 0
