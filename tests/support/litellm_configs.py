"""LiteLLM's configuration, for tests of its import: whole files, and files of one deployment."""

from __future__ import annotations

from pathlib import Path

from checkout import ROOT
from seekroute.config import Settings, load_settings
from seekroute.config.catalog import packaged_catalog
from seekroute.config.from_litellm import Converted, convert

FIXTURES = {each.stem: each for each in sorted((ROOT / "tests/litellm").glob("*.yaml"))}
CATALOG = packaged_catalog()


def converted(text: str) -> Converted:
    return convert(text, name="config.yaml", catalog=CATALOG)


def one(params: str, info: str = "{}", name: str = "m") -> str:
    """A file of one deployment, whose parameters are in line 3, what is known of it in line 4."""
    return (
        f"model_list:\n- model_name: {name}\n  litellm_params: {{{params}}}\n  model_info: {info}\n"
    )


def entries(*deployments: tuple[str, str, str]) -> str:
    """A file of deployments, each in three lines: name, parameters, what is known."""
    return "model_list:\n" + "".join(
        f"- model_name: {name}\n  litellm_params: {{{params}}}\n  model_info: {info}\n"
        for name, params, info in deployments
    )


def loaded(found: Converted) -> Settings:
    """The new file, read as the gateway reads it."""
    Path("new.yaml").write_text(found.text, encoding="utf-8")
    environ = dict.fromkeys(found.variables, "https://provider.invalid")
    return load_settings("new.yaml", environ=environ)


def said(found: Converted, *kinds: str) -> list[str]:
    """The findings as `LINE WHAT: TEXT`."""
    return [
        f"{each.line} {each.what}: {each.text}"
        for each in found.findings
        if not kinds or each.kind in kinds
    ]
