"""Lists on a terminal of 80 columns, and what commands take of them: short ids and names."""

from __future__ import annotations

import io
import json
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


def _cells(shown: list[str]) -> list[list[str]]:
    """The cells of a table's rows; those that are folded are put together again."""
    rows: list[list[str]] = []
    for line in shown[3:-1]:
        cells = [cell.strip() for cell in line.strip("│").split("│")]
        if rows and not cells[0]:
            rows[-1] = [before + more for before, more in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    return rows


def test_orders_fit_with_what_matters_of_them(terminal: Callable[..., list[str]]) -> None:
    ids = ("stripe:cs_test_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6", "stripe:evt_1ABCDEFGHI")
    run("orgs", "create", "acme-corporation")
    run("orgs", "create", "other")
    run("credits", "add", "acme-corporation", "12345.678901234", "--id", ids[0], "--note", "x" * 60)
    run("credits", "add", "acme-corporation", "1", "--id", ids[1])
    random = run_json("credits", "add", "acme-corporation", "2", "--note", "by hand")["id"]
    run("credits", "add", "other", "3")
    shown = terminal("credits", "orders", "--org", "acme-corporation")
    assert max(map(len, shown)) <= 80
    head = " ".join(shown[1].split())
    for column in ("created at", "id", "org", "amount", "state"):
        assert column in head
    cells = _cells(shown)
    assert len(cells) == 3
    listed = [next(cell for cell in row if ":" in cell and "-" not in cell) for row in cells]
    assert listed == [f"{random[:17]}…", ids[1], ids[0]]
    assert "12345.678901234" in cells[2]
    assert all("booked" in row for row in cells)
    found = run_json("credits", "orders", "--org", "acme-corporation")
    assert [each["id"] for each in found] == [random, ids[1], ids[0]]
    assert random in run("credits", "orders").stdout
    assert "there is no organization" in run("credits", "orders", "--org", "nobody", code=1).stderr


def test_refunds_are_of_their_requests_organization(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", credits={"enabled": True}) as server:
        generation = money_cli.asked(server)
        run("orgs", "create", "other")
        run("credits", "add", "other", "3")
        run("credits", "refund", generation, "--id", "case:1")
    kinds = [each["kind"] for each in run_json("credits", "orders", "--org", "default")]
    assert kinds == ["refund", "topup"]


@pytest.mark.parametrize("words", [("config", "show", "--origin"), ("models", "list", "--all")])
def test_names_are_not_broken(terminal: Callable[..., list[str]], words: tuple[str, ...]) -> None:
    shown = terminal(*words)
    assert max(map(len, shown)) <= 80
    text = "\n".join(shown)
    for name in (
        ("limits.max_stored_answers_bytes", "timeouts.first_content_timeout_ms")
        if words[0] == "config"
        else ("openai/gpt-4o-mini", "context", "input", "output")
    ):
        assert f" {name} " in text


# --- what a key will be refused for ---------------------------------------------------------------


def test_a_key_of_an_app_or_organization_that_may_not_is_warned_of() -> None:
    run("orgs", "create", "acme")
    run("apps", "create", "shop", "--org", "acme")
    for words in (("create", "--org", "acme", "--app", "shop", "--name", "bot"), ("roll", "bot")):
        said = run("keys", *words).stderr
        assert "the app shop is pending: its keys get 403; seekroute apps approve shop" in said
    for words in (("limit", "bot", "5"), ("enable", "bot"), ("show", "bot")):
        assert "app shop is pending" in run("keys", *words).stderr
    assert "pending" not in json.dumps(run_json("keys", "show", "bot"))
    run("apps", "approve", "shop")
    assert "shop" not in run("keys", "limit", "bot", "6").stderr
    run("apps", "reject", "shop")
    assert "app shop is rejected" in run("keys", "limit", "bot", "7").stderr
    run("apps", "approve", "shop")
    run("orgs", "suspend", "acme")
    said = run("keys", "create", "--org", "acme").stderr
    assert "acme is suspended: its keys get 403; seekroute orgs resume acme" in said
    assert "pending" not in run("keys", "revoke", "bot").stderr
