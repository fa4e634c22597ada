"""The pages of the documentation: no dead links, nothing missing, examples that run."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from checkout import ROOT
from seekroute.api import openapi
from seekroute.api.reference import document as described
from seekroute.api.reference import serialized, with_routes
from seekroute.cli.reference import commands_reference, with_commands
from seekroute.config import catalog_of, load_settings, prepare
from seekroute.config.catalog import packaged_catalog
from seekroute.config.reference import with_tables
from seekroute.control import ControlPlane
from seekroute.server.metrics import HELP
from serving import running_server

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
PICTURE = ROOT / "docs/images/terminal.svg"
PICTURES = sorted(ROOT.glob("docs/images/*.svg"))

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*?)\s*$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors that headings of a page get where Markdown is shown."""
    found: dict[str, int] = {}
    result = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        seen = found.get(slug, 0)
        found[slug] = seen + 1
        result.add(slug if not seen else f"{slug}-{seen}")
    return result


def links(page: Path) -> list[str]:
    """Where a page points to."""
    return LINK.findall(CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8"))))


def dead(page: Path) -> list[str]:
    """The links of a page that lead nowhere in this tree."""
    problems = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            problems.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(target.read_text(encoding="utf-8")):
            problems.append(f"{link}: no such heading")
    return problems


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert dead(page) == []


# What a page for contributors names in backticks: a source, or something below a folder of ours.
NAMED = re.compile(r"`([\w*.-]+(?:/[\w*.-]+)*/?)`")
SOURCE = re.compile(r"[\w*-]+\.(cc|h|json|md|mjs|pyi?|sh|svg|toml|txt|ya?ml)|.*/")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
# A name without a folder may be of any of these; one with a folder begins at the root or in two.
TREES = ("cpp", "python/seekroute", "script")


def named_files(text: str) -> set[str]:
    """The names in a page that stand for files or folders of the tree."""
    return {
        name
        for name in NAMED.findall(text)
        if SOURCE.fullmatch(name.rpartition("/")[2] or name)
        or (name.partition("/")[0] in FOLDERS and "/" in name)
    }


def is_there(name: str) -> bool:
    """Whether there is such a file or folder; of a name with `*`, one at least."""
    pattern = name.rstrip("/")
    if "/" in pattern:
        return any(next((ROOT / base).glob(pattern), None) for base in ("", *TREES[:2]))
    return (ROOT / pattern).exists() or any(
        next((ROOT / tree).rglob(pattern), None) for tree in TREES
    )


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "docs/internals.md"])
def test_files_that_are_named_exist(name: str) -> None:
    named = named_files((ROOT / name).read_text(encoding="utf-8"))
    assert len(named) > 50
    assert sorted(each for each in named if not is_there(each)) == []


def test_names_of_files_are_really_looked_for() -> None:
    page = "`cpp/base/gone.h`, `gone.py`, `base/gone/`, `script/gone`: `base/error.cc`, `error.cc`;"
    page += (
        " no files: `control.db`, `/openapi.json`, `.py`, `client.embeddings`, `seekroute serve`"
    )
    gone = {"cpp/base/gone.h", "gone.py", "base/gone/", "script/gone"}
    assert named_files(page) == gone | {"base/error.cc", "error.cc"}
    assert {each for each in named_files(page) if not is_there(each)} == gone


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# The `first` part\n[a](#the-first-part) [b](#second) [c](gone.md) [d](https://x.test/)\n"
        "```\n[e](no-link.md)\n# no heading\n```\n[f](#no-heading)\n"
    )
    assert dead(page) == [
        "#second: no such heading",
        "gone.md: no such file",
        "#no-heading: no such heading",
    ]


def test_the_readme_leads_to_every_page() -> None:
    readme = ROOT / "README.md"
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(readme)}
    assert {page for page in PAGES if page != readme} - linked == set()


def test_the_readme_counts_the_catalog_right() -> None:
    catalog = packaged_catalog()
    models, providers = len(catalog.models), len(catalog.providers)
    assert f"{models} models with prices" in (ROOT / "README.md").read_text()
    assert f"{providers} providers and their" in (ROOT / "README.md").read_text()
    assert f"{models} models of {providers} providers" in (ROOT / "docs/catalog.md").read_text()
    assert f"{models} models at {providers} providers" in (ROOT / "CHANGELOG.md").read_text()
    embedding = [model for model in catalog.models if model.is_embedding]
    homes = {endpoint.provider for model in embedding for endpoint in model.endpoints}
    counted = f"{len(embedding)} priced models of {len(homes)} providers"
    assert counted in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/*.md")), ids=lambda page: page.name)
def test_written_tables_are_current(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert with_tables(text) == text, "run: python -m seekroute.config.reference docs"


def test_the_routes_are_documented_as_they_are() -> None:
    hint = "run: python -m seekroute.api.reference docs"
    text = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
    assert text.count("<!-- routes:begin -->") == 1
    assert with_routes(text) == text, hint
    packaged = ROOT / "python/seekroute/api/openapi.json"
    assert packaged.read_text(encoding="utf-8") == serialized(), hint
    assert openapi.document() == described()


def test_the_metrics_are_documented_and_described_alike() -> None:
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    table = page.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`(seekroute_\w+)`", table))
    assert documented == set(HELP)
    assert all(words.endswith(".") and name not in words for name, words in HELP.items())


def test_every_command_is_described() -> None:
    text = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    assert with_commands(text) == text, "run: python -m seekroute.cli.reference docs"
    assert commands_reference() in text, "the marks around the commands are not both there"
    for part in commands_reference().split("\n### ")[1:]:
        assert "`--json`" in part, part
    # What generates it is believed only where it agrees with --help.
    for words in (["ask"], ["keys", "create"], ["serve"]):
        shown = subprocess.run(
            [sys.executable, "-m", "seekroute", *words, "--help"],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        part = commands_reference().partition(f"### `seekroute {' '.join(words)}")[2]
        part = part.partition("\n### ")[0]
        options = set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"}
        assert options
        assert options == set(re.findall(r"`(--[a-z-]+)`", part))


@pytest.mark.parametrize(("page", "least"), [("README.md", 3), ("docs/quickstart.md", 7)])
def test_examples_run(
    page: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / page).read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(examples) >= least
    program = "\n".join(examples)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Hello! You said: Hello!" in done.stdout


def test_the_operator_s_five_minutes(tmp_path: Path) -> None:
    page = (ROOT / "docs/quickstart.md").read_text(encoding="utf-8")
    [overlay] = re.findall(r"^```yaml\n# prices.yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "prices.yaml").write_text(overlay)
    (tmp_path / "seekroute.yaml").write_text("catalog_overlay: prices.yaml\n")
    before = packaged_catalog()
    after = catalog_of(load_settings(tmp_path / "seekroute.yaml"))
    hidden = {model.id for model in before.models} - {model.id for model in after.models}
    assert hidden
    assert all(name.startswith("perplexity/") for name in hidden)
    ControlPlane(tmp_path / "d").close()  # as the first start has made it
    [commands] = [block for block in FENCE.findall(page) if "orgs create" in block]
    for line in re.findall(r"^\$ seekroute (.*)$", commands, re.MULTILINE):
        subprocess.run(
            [sys.executable, "-m", "seekroute", "--data-dir", tmp_path / "d", *shlex.split(line)],
            check=True,
            capture_output=True,
            timeout=60,
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_json_on_the_pages_is_json(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for example in re.findall(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        json.loads(example)
        assert "…" not in example


@pytest.mark.parametrize("page", ["routing.md", "limits.md", "failover.md"])
def test_the_settings_on_the_pages_are_accepted(page: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    examples = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        variables = re.findall(r"\$\{(\w+)\}|env: (\w+)", example)
        environ = {name: "k" for pair in variables for name in pair if name}
        file = tmp_path / "seekroute.yaml"
        file.write_text(example, encoding="utf-8")
        plan = prepare(load_settings(file, environ=environ), environ)
        assert plan.warnings == ()


def test_the_error_on_the_page_is_what_is_answered(tmp_path: Path) -> None:
    text = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
    [shown] = re.findall(r'^(\{"error": \{"message".*)$', text, re.MULTILINE)
    with running_server(tmp_path / "data") as server:
        answer = server.chat(messages=[{"role": "nobody", "content": "Hi"}])
    error = answer.json()["error"]
    expected = json.loads(shown)["error"]
    assert {name: error[name] for name in expected} == expected


def test_mounting_as_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fastapi")
    from starlette.testclient import TestClient

    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/deployment.md", "exec"), names)
    with TestClient(names["app"]) as client:
        assert client.get("/llm/livez").status_code == 200


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_pictures_load_nothing_from_elsewhere(picture: Path) -> None:
    svg = picture.read_text(encoding="utf-8")
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert set(re.findall(r"url\((.)", svg)) == {"#"}
    assert re.findall(r"(?:href|src)=[\"'](?!#)", svg) == []


def texts(svg: str) -> list[str]:
    """What a picture says, numbers left open."""
    said = re.findall(r"<text[^>]*>(.*?)</text>", svg)
    return [re.sub(r"\d+", "0", html.unescape(text).replace("\xa0", " ")) for text in said]


def test_the_picture_is_what_the_commands_show() -> None:
    specification = importlib.util.spec_from_file_location(
        "screenshot", ROOT / "script/screenshot.py"
    )
    assert specification is not None
    assert specification.loader is not None
    screenshot = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(screenshot)
    svg = PICTURE.read_text(encoding="utf-8")
    kept = texts(svg)
    assert kept == texts(screenshot.picture()), "run: script/screenshot"
    assert "x-seekroute-cost: 0.0" in kept
