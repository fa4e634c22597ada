"""Lists on a terminal of 80 columns, and what commands take of them: short ids and names."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rich.console

import money_cli
from money_cli import run, run_json
from seekroute.control import ControlPlane
from seekroute.control.models import short_id
from serving import running_server


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    money_cli.clear(monkeypatch, tmp_path)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Runs a command as if its output were a terminal of 80 columns."""

    def shown(*words: str) -> list[str]:
        out = io.StringIO()

        def console() -> Any:
            return _console(file=out, force_terminal=True, color_system=None, width=80)

        _console = rich.console.Console
        with monkeypatch.context() as patch:
            patch.setattr(rich.console, "Console", console)
            run(*words)
        return out.getvalue().splitlines()

    return shown


def test_names_and_short_ids_are_taken_where_they_are_unique() -> None:
    acme = run_json("orgs", "create", "acme")
    made = run_json("keys", "create", "--org", short_id(acme["id"]), "--name", "bot")
    for handle in (made["id"], short_id(made["id"]), made["id"][:12], "bot"):
        assert run_json("keys", "limit", handle, "5")["id"] == made["id"]
    other = run_json("keys", "create", "--org", "acme", "--name", "bot")
    result = run("keys", "disable", "bot", code=1)
    assert "more than one key is meant" in result.stderr
    assert made["id"] in result.stderr
    assert other["id"] in result.stderr
    # A revoked key gives its name away.
    run("keys", "revoke", other["id"])
    assert run_json("keys", "disable", "bot")["id"] == made["id"]
    assert "no such key" in run("keys", "show", "key_", code=1).stderr
    assert "no such key" in run("keys", "show", "nobody", code=1).stderr
    assert run_json("apps", "create", "shop", "--org", "acme")["id"]


def test_a_pattern_that_no_model_has_is_refused() -> None:
    run("orgs", "create", "acme")
    for wrong, meant in (
        ("opnai/*", "openai/*"),
        ("openai/gpt-4o-minni", "openai/gpt-4o-mini"),
        ("gpt-4o", "openai/gpt-4o"),
        ("openai/*,nobody/*", "no model of the catalog"),
    ):
        result = run("keys", "create", "--org", "acme", "--models", wrong, code=2)
        assert meant in " ".join(result.stderr.replace("│", " ").split())
    assert run_json("keys", "list") == []
    Path("seekroute.yaml").write_text(
        "models: [{id: own/llama, context: 100, endpoints: [{provider: openai, model: l, "
        'price: {input: "0", output: "0"}}]}]\n'
    )
    run("keys", "create", "--org", "acme", "--models", "openai/*, own/llama")


def test_the_columns_that_matter_fit(tmp_path: Path, terminal: Callable[..., list[str]]) -> None:
    with running_server(tmp_path / "data") as server:
        control = server.service.control
        control.create_org("acme-corp", None)
        profile = server.service.default_profile
        row, key = control.create_key(
            "acme-corp",
            name="production",
            profile=profile.name,
            prefix=profile.key_prefix,
            models=["openai/gpt-4o-mini", "openai/gpt-4o"],
            limit_nano=5 * 10**9,
        )
        server.service.sync_keys()
        assert server.chat_with(key).status == 200
    shown = terminal("keys", "list")
    text = "\n".join(shown)
    assert max(map(len, shown)) <= 80
    for expected in (short_id(row.id), "limit", "used", "models", "production", "5.00"):
        assert expected in text
    used = {each["id"]: each["used"] for each in run_json("keys", "list")}
    assert used[row.id] not in (None, "0")
    assert used[row.id] in text
    listed = terminal("logs")
    assert max(map(len, listed)) <= 80
    head = " ".join(listed[1].split())
    for column in ("status", "cost", "upstream cost", "margin"):
        assert column in head
    (line,) = run_json("logs")
    begin = next(word for word in " ".join(listed).split() if word.startswith("gen-"))
    assert line["generation"].startswith(begin)
    assert run_json("logs", "show", begin)["generation"] == line["generation"]
    assert int(line["margin_nano"]) == line["cost_nano"] - line["upstream_cost_nano"]
    used_by = terminal("usage", "--by", "org")
    assert max(map(len, used_by)) <= 80
    assert "upstream cost" in " ".join(used_by)
    assert "margin" in " ".join(used_by)
    assert run_json("usage")["total"]["margin_nano"] == line["margin_nano"]


def test_ids_are_whole_where_there_is_room() -> None:
    org = run_json("orgs", "create", "acme")["id"]
    assert org in run("orgs", "list").stdout
    with ControlPlane(Path("data")) as control:
        assert control.get_org(short_id(org)).id == org
