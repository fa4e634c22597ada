"""The examples about OpenAI's SDK and notebooks run: docstrings, pages, scripts, a notebook."""

from __future__ import annotations

import doctest
import importlib
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from checkout import ROOT


def blocks(page: str, language: str) -> list[str]:
    """The examples of a page in their order."""
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "name",
    [
        "seekroute.client.show.display",
        "seekroute.client.show.live",
        "seekroute.client.show.notebook",
        "seekroute.client.openai_sdk",
    ],
)
def test_examples_in_docstrings_run(name: str) -> None:
    if name.endswith("notebook"):
        pytest.importorskip("IPython")
    tried = doctest.testmod(importlib.import_module(name))
    assert tried.attempted > 0
    assert tried.failed == 0


def test_page_about_the_sdk() -> None:
    for module in ("instructor", "langchain_openai", "pydantic_ai"):
        pytest.importorskip(module)
    examples = blocks("openai-sdk.md", "python")
    assert len(examples) >= 6
    names: dict[str, object] = {"__name__": "example"}
    for example in examples:
        exec(compile(example, "docs/openai-sdk.md", "exec"), names)


def test_page_about_notebooks(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    cells = blocks("notebook.md", "ipython")
    assert len(cells) >= 6
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=60, resources=resources).execute()
    shown = [output for cell in notebook.cells for output in cell.outputs]
    assert sum("text/html" in output.get("data", {}) for output in shown) >= 5
    assert "Explain tides in one sentence." in str(shown[-1])


def test_notebook_among_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    notebook = nbformat.read(ROOT / "examples/notebook.ipynb", as_version=4)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=60, resources=resources).execute()

    def shown(cell_id: str, kind: str = "text/html") -> str:
        [outputs] = [cell.outputs for cell in notebook.cells if cell.id == cell_id]
        assert len(outputs) == 1, cell_id
        return str(outputs[0].text if kind == "stream" else outputs[0].data[kind])

    assert "You said: What is the capital of France?" in shown("ask")
    cost, spent = re.findall(r"^0\.0\d+", shown("cost", "stream"), re.MULTILINE)
    assert 0 < Decimal(cost) < Decimal(spent)
    assert "openai/gpt-4o-mini" in shown("estimate")
    assert "You said: A line about the sea." in shown("live")
    assert shown("compare").count("openai/gpt-4o") >= 2
    assert "8 of 8" in shown("map")
    assert "│ answered │ 8 of 8" in shown("map", "text/plain")
    assert len(shown("plot", "image/png")) > 1000
    assert "0 of 0.000001" in shown("budget", "stream")
    assert "You said: Write a haiku" in shown("magic")
    assert shown("spent", "text/plain").startswith("Decimal('0.0")
    assert "<img" in shown("image")
    assert "0.04" in shown("image")
    assert "see client.models.list()" in shown("error")
    assert "openai/gpt-4o-mini" in shown("models")
    assert "bytedance/seedream-4.5" in shown("usage")


@pytest.mark.parametrize("script", ["langchain_in_process.py", "openai_sdk_in_process.py"])
def test_examples_in_process(tmp_path: Path, script: str) -> None:
    if script.startswith("langchain"):
        pytest.importorskip("langchain_openai")
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / script],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "OPENAI_API_KEY": ""},
    )
    assert done.returncode == 0, done.stderr
    assert "You said: What is the capital of France?" in done.stdout
    assert done.stdout.endswith((" USD spent\n", "You said: And of Italy?\n"))
