"""Where the optional shared folder is: test corpora and API descriptions too big for this tree."""

from __future__ import annotations

import os
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from checkout import ROOT

_NAME = "SEEKROUTE_SHARED"


def shared_folder() -> Path:
    """The folder that SEEKROUTE_SHARED names, else the sibling `shared` of the checkout."""
    named = os.environ.get(_NAME)
    return Path(named) if named else ROOT.parent / "shared"


def shared_path(*parts: str) -> Path:
    """A file or folder in the shared folder; skips the test where it is absent."""
    path = shared_folder().joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is absent: set {_NAME} to the folder that holds {'/'.join(parts)}")
    return path


def shared_module(*parts: str) -> ModuleType:
    """A Python file in the shared folder, loaded; skips the test where it is absent."""
    path = shared_path(*parts)
    spec = util.spec_from_file_location(f"shared_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
