"""Virtual models: which candidates a configuration may list."""

from __future__ import annotations

from pathlib import Path

import pytest

from seekroute.config import load_settings
from seekroute.errors import ConfigError, Problem


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No seekroute.yaml of the developer's is picked up."""
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    file = Path("seekroute.yaml")
    file.write_text(text, encoding="utf-8")
    return file


def refused(text: str) -> dict[str, Problem]:
    """The problems of a file by path."""
    with pytest.raises(ConfigError) as caught:
        load_settings(write(text), environ={})
    return {problem.path: problem for problem in caught.value.problems}


def test_a_virtual_models_provider_is_one_or_an_endpoint_of_its_model() -> None:
    text = """
models:
  - id: a/b
    context: 1000
    endpoints:
      - {provider: openai, model: m, quantization: fp8, region: eu, free: true}
virtual_models:
  team/x:
    candidates:
      - {model: gpt-4o-mini, provider: PROVIDER}
      - {model: a/b, provider: openai/fp8-eu}
"""
    for fits in ("openai", "OpenAI", "mock"):
        load_settings(write(text.replace("PROVIDER", fits)), environ={})
    for wrong, near in (("opnai", "openai"), ("openai/fp8-eu", "")):
        problems = refused(text.replace("PROVIDER", wrong))
        (path,) = problems
        assert path == "virtual_models.team/x.candidates.0.provider"
        assert near in problems[path].hint


def test_a_provider_that_does_not_serve_the_model_is_never_asked_there() -> None:
    problems = refused(candidates("model: a/b, provider: anthropic"))
    (path,) = problems
    assert path == "virtual_models.team/x.candidates.1.provider"
    assert problems[path].message == "anthropic has no endpoint of a/b: it would never be asked"
    assert problems[path].hint == "name one of groq, openai/fp8-eu, openai/fp8-us"


@pytest.mark.parametrize("kind", ["any", "context", "content_policy"])
def test_a_virtual_model_is_neither_a_fallback_nor_has_any(kind: str) -> None:
    lists = "{team/x: [gpt-4o-mini], gpt-4o-mini: [team/x]}"
    problems = refused(f"{OWN}routing: {{fallbacks: {{{kind}: {lists}}}}}\n")
    at = f"routing.fallbacks.{kind}"
    assert list(problems) == [f"{at}.team/x", f"{at}.gpt-4o-mini.0"]
    for problem in problems.values():
        assert problem.message == "'team/x' is a virtual model, which cannot stand here"
        assert problem.hint == "name its models"


OWN = """
models:
  - id: a/b
    aliases: [bee]
    context: 1000
    endpoints:
      - {provider: openai, model: m, quantization: fp8, region: eu, free: true}
      - {provider: openai, model: m, quantization: fp8, region: us, free: true}
      - {provider: groq, model: m, free: true}
virtual_models:
  team/x:
    candidates:
      - {model: gpt-4o-mini}
"""


def candidates(*written: str) -> str:
    return OWN + "".join(f"      - {{{each}}}\n" for each in written)


@pytest.mark.parametrize(
    ("first", "again", "place"),
    [
        ("model: a/b", "model: a/b, weight: 2", "a/b"),
        ("model: a/b", "model: bee", "a/b"),
        ("model: a/b, provider: groq", "model: a/b, provider: Groq", "a/b at groq"),
        ("model: a/b, provider: mock", "model: b, provider: mock", "a/b at mock"),
        ("model: a/b, provider: groq", "model: a/b", "a/b at groq"),
        ("model: a/b", "model: a/b, provider: groq", "a/b at groq"),
        ("model: a/b, provider: openai", "model: a/b, provider: openai/fp8-us", "a/b at openai"),
    ],
)
def test_an_endpoint_is_listed_once(first: str, again: str, place: str) -> None:
    problems = refused(candidates(first, again))
    assert list(problems) == ["virtual_models.team/x.candidates.2"]
    problem = problems["virtual_models.team/x.candidates.2"]
    assert problem.message == f"candidates.1 has {place} already"
    assert problem.hint == "list an endpoint once; weight says how often it comes first"
    assert problem.where == "seekroute.yaml:15:9"


def test_a_packaged_model_is_listed_once_by_all_its_names() -> None:
    problems = refused(candidates("model: openai/gpt-4o-mini"))
    assert problems["virtual_models.team/x.candidates.1"].message == (
        "candidates.0 has openai/gpt-4o-mini already"
    )


def test_a_model_may_be_listed_at_each_of_its_endpoints() -> None:
    text = candidates(
        "model: a/b, provider: groq",
        "model: a/b, provider: openai/fp8-us",
        "model: a/b, provider: openai/fp8-eu",
    )
    settings = load_settings(write(text), environ={})
    assert len(settings.virtual_models["team/x"].candidates) == 4


def test_a_wrong_candidate_is_told_once() -> None:
    problems = refused(OWN.replace("model: gpt-4o-mini", "model: gpt-4o-mini, weigth: 3"))
    assert {path: each.message for path, each in problems.items()} == {
        "virtual_models.team/x.candidates.0.weigth": "unknown key"
    }
    problems = refused("virtual_models: {team/x: {candidates: []}}")
    assert problems["virtual_models.team/x.candidates"].message == (
        "expected at least 1 entry, found 0"
    )
