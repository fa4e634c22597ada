"""What docs/client.md shows is what happens."""

from __future__ import annotations

import doctest
import inspect
import re
from pathlib import Path

import pytest

import seekroute
from checkout import ROOT
from seekroute import errors

PAGE = ROOT / "docs/client.md"
BLOCK = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    monkeypatch.delenv("SEEKROUTE_BASE_URL", raising=False)
    text = PAGE.read_text()
    # All blocks are one session.
    session = "\n".join(match.group(1) for match in BLOCK.finditer(text))
    test = doctest.DocTestParser().get_doctest(session, {}, "client.md", str(PAGE), 0)
    assert len(test.examples) > 20
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    shown: list[str] = []
    result = runner.run(test, out=shown.append)
    assert result.failed == 0, "".join(shown)


def test_every_error_and_method_is_described() -> None:
    text = PAGE.read_text()
    pages = "\n".join(page.read_text() for page in PAGE.parent.glob("*.md"))
    kinds = {
        name
        for name in errors.__all__
        if inspect.isclass(getattr(errors, name)) and issubclass(getattr(errors, name), Exception)
    }
    missing = {name for name in kinds - {"SeekrouteError"} if f"`{name}`" not in text}
    for name in dir(seekroute.Client):
        if not name.startswith("_") and not re.search(rf"\bclient\.{name}\b", pages):
            missing.add(name)
    assert not missing
