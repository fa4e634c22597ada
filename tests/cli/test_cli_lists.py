"""Lists on a terminal of 80 columns, and what commands take of them: short ids and names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import money_cli
from money_cli import run, run_json
from seekroute.control import ControlPlane
from seekroute.control.models import ApiKey, short_id
from serving import RunningServer, chat_body, running_server


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    money_cli.clear(monkeypatch, tmp_path)


@pytest.fixture
def terminal() -> Callable[..., list[str]]:
    """Runs a command as if its output were a terminal, by default of 80 columns."""
    return money_cli.on_terminal


def limited_key(
    server: RunningServer, org: str, name: str, limit_nano: int, **options: Any
) -> tuple[ApiKey, str]:
    """Makes an organization without a credit limit, and a key of it with one, which works."""
    control, profile = server.service.control, server.service.default_profile
    control.orgs.create(org, None)
    shape = {"profile": profile.name, "prefix": profile.key_prefix}
    made = control.keys.create(org, name=name, limit_nano=limit_nano, **shape, **options)
    server.service.sync_keys()
    return made


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


def test_a_beginning_that_is_too_short_is_told_so() -> None:
    org = run_json("orgs", "create", "acme")["id"]
    key = run_json("keys", "create", "--org", "acme", "--name", "bot")["id"]
    app = run_json("apps", "create", "shop", "--org", "acme")["id"]
    for id_, commands in (
        (key, (("keys", "limit"), ("keys", "disable"), ("keys", "revoke"), ("keys", "show"))),
        (org, (("orgs", "suspend"), ("credits", "line"), ("orgs", "show"))),
        (app, (("apps", "approve"),)),
    ):
        for words in commands:
            more = ("5",) if words[-1] in ("limit", "line") else ()
            for end in (5, 9):
                said = run(*words, id_[:end], *more, code=1).stderr
                assert "give at least 10 characters of the id" in said
            other = id_[:4] + ("0" if id_[4] != "0" else "1")
            assert "at least" not in run(*words, other, *more, code=1).stderr
        assert run_json(*commands[-1], f"{id_[:10]}…")["id"] == id_
    run("orgs", "create", "and so on…")
    assert run_json("orgs", "show", "and so on…")["name"] == "and so on…"


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
        models = ["openai/gpt-4o-mini", "openai/gpt-4o"]
        row, key = limited_key(server, "acme-corp", "production", 5 * 10**9, models=models)
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
    for column in ("created at", "generation", "model", "status", "cost"):
        assert column in head
    assert "upstream cost" not in head
    (line,) = run_json("logs")
    (cells,) = _cells(listed)
    assert {"openai/gpt-4o-mini", "200", line["cost"]} <= set(cells)
    begin = next(cell for cell in cells if cell.startswith("gen-"))
    assert begin == f"{line['generation'][:18]}…"  # it shows that it is cut
    assert run_json("logs", "show", begin)["generation"] == line["generation"]
    assert int(line["margin_nano"]) == line["cost_nano"] - line["upstream_cost_nano"]
    used_by = terminal("usage", "--by", "org")
    assert max(map(len, used_by)) <= 80
    assert "upstream cost" in " ".join(used_by)
    assert "margin" in " ".join(used_by)
    assert run_json("usage")["total"]["margin_nano"] == line["margin_nano"]


def test_what_failed_is_told_with_its_error(
    tmp_path: Path, terminal: Callable[..., list[str]]
) -> None:
    with running_server(tmp_path / "data") as server:
        _, key = limited_key(server, "a-rather-long-organization", "web", 0)
        assert server.chat_with(key).status == 402
        wrong = {"Authorization": "Bearer sk-x", "Content-Type": "application/json"}
        refused = server.request("GET", "/v1/models", headers=wrong)
        assert refused.status == 401
    rows = {row["status"]: row for row in run_json("logs", "--failed")}
    assert set(rows) == {401, 402}
    shown = terminal("logs", "--failed")
    assert max(map(len, shown)) <= 80
    head = " ".join(shown[1].split())
    for column in ("created at", "request", "status", "error"):
        assert column in head
    told = {cell for line in shown for cell in line.replace("│", " ").split()}
    assert {"401", "402", rows[401]["error"], rows[402]["error"]} <= told  # in one piece
    cells = _cells(shown)
    assert all(len(row) == len(cells[0]) and all(row[:2]) for row in cells)
    for status, row in rows.items():
        (begin,) = (cells_[1] for cells_ in cells if str(status) in cells_)
        assert run_json("logs", "show", begin)["request_id"] == row["request_id"]
    # Into a pipe everything goes, in the same places whatever else is there.
    piped = [line.split("\t") for line in run("logs", "--failed").stdout.splitlines()]
    assert {(row[7], row[-2], row[-1]) for row in piped} == {
        (str(status), row["error"], row["request_id"]) for status, row in rows.items()
    }
    assert refused.headers["x-request-id"] in {row[-1] for row in piped}


def test_a_request_is_meant_alike_everywhere(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", credits={"enabled": True}) as server:
        money_cli.asked(server)
        money_cli.asked(server)
        newest, oldest = run_json("logs")
        data = str(tmp_path / "data")
    for row in (newest, oldest):
        short = row["generation"][:-1]
        for handle in (row["generation"], row["request_id"], short, f"{short}…"):
            shown = run("logs", "show", handle).stdout.splitlines()
            assert shown[0].split() == ["request", "id", row["request_id"]]
            assert run_json("logs", "show", handle)["generation"] == row["generation"]
            receipt = json.loads(run("receipt", "show", handle, "--data-dir", data).stdout)
            assert receipt["generation_id"] == row["generation"]
            refund = run_json("credits", "refund", handle, "0.000000001")
            assert refund["generation"] == row["generation"]
    assert run_json("credits", "refund", newest["request_id"])["generation"] == newest["generation"]
    for handle in (newest["generation"][:17], "nobody"):
        for words in (("logs", "show"), ("receipt", "show"), ("credits", "refund")):
            assert "no request" in run(*words, handle, code=1).stderr


def named_requests(data: Path, *names: str) -> list[Any]:
    """The rows, newest first, of one answered request for each request_id."""
    with running_server(data, credits={"enabled": True}) as server:
        run_json("credits", "add", "default", "5")
        for name in names:
            told = {"Content-Type": "application/json", "X-Request-Id": name}
            answer = server.request("POST", "/v1/chat/completions", chat_body(), told)
            assert answer.status == 200
        rows: list[Any] = run_json("logs")
    assert [row["request_id"] for row in rows] == list(reversed(names))
    return rows


ABOUT_A_REQUEST = [("logs", "show"), ("receipt", "show"), ("credits", "refund")]


def test_a_request_that_is_not_the_only_one_is_not_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = named_requests(tmp_path / "data", "order-17", "order-17")
    for pages in (1000, 1):  # of which everything is looked at, whatever a list shows
        monkeypatch.setattr("seekroute.cli.requests.MOST_ROWS", pages)
        for words in ABOUT_A_REQUEST:
            said = run(*words, "order-17", code=1).stderr
            assert "more than one request is meant" in said
            assert all(row["generation"] in said for row in rows)
    assert run_json("credits", "orders")[0]["kind"] == "topup"


def test_a_request_is_found_however_many_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    oldest = named_requests(tmp_path / "data", "order-1", "order-2", "order-3")[-1]
    monkeypatch.setattr("seekroute.cli.requests.MOST_ROWS", 1)
    monkeypatch.setattr("seekroute.cli.requests.PAGE", 1)
    for handle in ("order-1", oldest["generation"][:-1]):
        assert run_json("logs", "show", handle)["generation"] == oldest["generation"]
        refund = run_json("credits", "refund", handle, "0.000000001")
        assert refund["generation"] == oldest["generation"]


def test_ids_are_whole_where_there_is_room() -> None:
    org = run_json("orgs", "create", "acme")["id"]
    assert org in run("orgs", "list").stdout
    with ControlPlane(Path("data")) as control:
        assert control.orgs.get(short_id(org)).id == org


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


def test_a_reset_without_a_limit_is_refused() -> None:
    run("orgs", "create", "acme")
    for wrong in (["daily"], ["weekly", "--limit", "none"]):
        said = run("keys", "create", "--org", "acme", "--limit-reset", *wrong, code=2).stderr
        assert "--limit-reset needs --limit" in said
    assert run_json("keys", "list") == []
    run("keys", "create", "--org", "acme", "--name", "bot", "--limit", "5")
    said = run("keys", "limit", "bot", "none", "--reset", "daily", code=2).stderr
    assert "--reset needs a limit" in said
    assert run_json("keys", "limit", "bot", "none", "--reset", "never")["limit_nano"] is None


# --- words of which there are few -----------------------------------------------------------------

WRONG_WORDS = [
    (
        ("keys", "create", "--org", "x", "--limit", "5", "--limit-reset"),
        "dayly",
        "daily",
        "monthly",
    ),
    (("keys", "limit", "x", "5", "--reset"), "Mothly", "monthly", "never"),
    (("usage", "--by"), "modl", "model", "org"),
    (("ledger", "export", "--format"), "jsn", "jsonl", "csv"),
    (("models", "list", "--sort"), "prise", "price", "newest"),
    (("models", "list", "--feature"), "tols", "tools", "reasoning"),
    (("keys", "limit", "x", "5", "--reset"), "xyz", "", "never"),
]


@pytest.mark.parametrize(("words", "wrong", "meant", "other"), WRONG_WORDS)
def test_a_wrong_word_names_those_that_are_right(
    words: tuple[str, ...], wrong: str, meant: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 300)
    said = " ".join(run(*words, wrong, code=2).stderr.replace("│", " ").split())
    assert f"for '{words[-1]}': '{wrong}' is not one of " in said
    assert other in said
    assert ("did you mean" in said) is bool(meant)
    assert not meant or f"(did you mean {meant}?)" in said


# --- options that stand before the command --------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("logs",), ("logs", "show", "gen-x"), ("ledger", "verify"), ("credits", "add", "acme", "1")],
    ids=" ".join,
)
@pytest.mark.parametrize("option", ["--data-dir x", "--config=x"])
def test_an_option_behind_the_command_is_told_its_place(
    words: tuple[str, ...], option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 300)
    said = " ".join(run(*words, *option.split(), code=2).stderr.replace("│", " ").split())
    command = " ".join(words[: 2 if words[0] != "logs" or len(words) > 1 else 1])
    name, value = ("--data-dir", "FOLDER") if "data" in option else ("--config", "FILE")
    assert f"it stands before the command: seekroute {name} {value} {command}" in said


def test_another_unknown_option_is_told_as_ever() -> None:
    said = run("logs", "--data", "x", code=2).stderr
    assert "No such option" in said
    assert "before the command" not in said
