"""LiteLLM's configuration, for tests of its import: whole files, and files of one deployment."""

from __future__ import annotations

from pathlib import Path

from seekroute.config.catalog import packaged_catalog
from seekroute.config.from_litellm import Converted, convert

FIXTURES = {each.stem: each for each in sorted((Path(__file__).parent / "litellm").glob("*.yaml"))}
CATALOG = packaged_catalog()


def converted(text: str) -> Converted:
    return convert(text, name="config.yaml", catalog=CATALOG)


def one(params: str, info: str = "{}", name: str = "m") -> str:
    """A file of one deployment, whose parameters are in line 3, what is known of it in line 4."""
    return (
        f"model_list:\n- model_name: {name}\n  litellm_params: {{{params}}}\n  model_info: {info}\n"
    )
