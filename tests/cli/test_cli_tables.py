"""Tables of the command line: a narrow terminal gets fewer columns, never other numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

import money_cli
from money_cli import on_terminal, run, run_json
from seekroute.cli import shared
from seekroute.cli.layout import alignment, filled, layout
from seekroute.wording import span_of
from serving import running_server

BIG = "98765.123456789"
NAME = "a-name-of-an-organization-that-is-longer-than-any-column"
WIDTHS = [60, 80, 100]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    money_cli.clear(monkeypatch, tmp_path)


def table(lines: list[str]) -> tuple[list[str], list[list[str]]]:
    """Its head and its rows of cells; a row that is folded is several of them."""
    rows = [
        [cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")]
        for line in lines
        if line[:1] in "│┃"
    ]
    ends = next(at for at, line in enumerate(lines) if line.startswith("┡"))
    heads = sum(line[:1] == "┃" for line in lines[:ends])
    return rows[0], rows[heads:]


def column(lines: list[str], name: str) -> list[str]:
    head, rows = table(lines)
    return [row[head.index(name)] for row in rows if row[head.index(name)]]


def check(lines: list[str], width: int) -> list[str]:
    """No line is too long, and no column is without width or name. Returns the head."""
    assert lines
    assert max(map(len, lines)) <= width, "\n".join(lines)
    head, rows = table(lines)
    assert all(head), head
    assert all(len(row) == len(head) for row in rows)
    return head


@pytest.mark.parametrize("width", WIDTHS)
def test_accounts_are_shown_whole_or_not(width: int) -> None:
    run("orgs", "create", NAME, "--credit-line", BIG)
    run("credits", "add", NAME, BIG, "--note", "n" * 50)
    run("orgs", "create", "acme")
    run("orgs", "suspend", "acme")
    shown = on_terminal("orgs", "list", width=width)
    assert "status" in check(shown, width)
    assert sorted(column(shown, "status")) == ["active", "suspended"]
    assert "".join(column(shown, "name")) in (f"{NAME}acme", f"acme{NAME}")

    lines = on_terminal("credits", "balance", width=width)
    second = next(at for at, line in enumerate(lines) if at and line.startswith("┏"))
    balances, own = lines[:second], lines[second:]
    check(balances, width)
    check(own, width)
    assert column(balances, "available")[0] in (BIG, "0.00")
    assert BIG in column(balances, "available")
    assert column(own, "amount")[0] == BIG

    shown = on_terminal("credits", "orders", width=width)
    check(shown, width)
    assert column(shown, "amount") == [BIG]
    assert column(shown, "state") == ["booked"]


@pytest.mark.parametrize("width", WIDTHS)
def test_keys_are_shown_whole_or_not(width: int) -> None:
    run("orgs", "create", NAME)
    run("apps", "create", f"app-{NAME}", "--org", NAME)
    key = ("keys", "create", "--org", NAME, "--app", f"app-{NAME}")
    run(*key, "--name", "b" * 40, "--limit", BIG, "--limit-reset", "monthly")
    run(*key, "--name", "off", "--limit", "0.20", "--limit-reset", "daily", "--expires", "30d")
    run(*key, "--name", "all", "--limit", "0.20")
    run("keys", "disable", "off")
    shown = on_terminal("keys", "list", width=width)
    head = check(shown, width)
    assert sorted(column(shown, "status")) == ["active", "active", "disabled"]
    if "limit" in head:
        assert sorted(column(shown, "limit")) == ["0.20", "0.20/day", f"{BIG}/month"]
    if "id" in head:
        for begin in column(shown, "id"):
            assert run_json("keys", "show", begin)["id"].startswith(begin.removesuffix("…"))
    shown = on_terminal("apps", "list", width=width)
    check(shown, width)
    assert column(shown, "status") == ["pending"]


def test_a_limit_says_of_what_time_it_is() -> None:
    run("orgs", "create", "acme")
    for name, reset in (("d", "daily"), ("w", "weekly"), ("m", "monthly"), ("n", "never")):
        run("keys", "create", "--org", "acme", "--name", name, "--limit", "0.20",
            "--limit-reset", reset)  # fmt: skip
    piped = [line.split("\t") for line in run("keys", "list").stdout.splitlines()]
    assert {row[1]: row[4] for row in piped} == {
        "d": "0.20/day",
        "w": "0.20/week",
        "m": "0.20/month",
        "n": "0.20",
    }
    assert {row["limit"] for row in run_json("keys", "list")} == {"0.20"}


@pytest.mark.parametrize("width", WIDTHS)
def test_requests_are_shown_with_an_id_that_commands_take(tmp_path: Path, width: int) -> None:
    with running_server(tmp_path / "data", credits={"enabled": True}) as server:
        generation = money_cli.asked(server)
        wrong = {"Authorization": "Bearer sk-x", "Content-Type": "application/json"}
        assert server.request("GET", "/v1/models", headers=wrong).status == 401
    shown = on_terminal("logs", width=width)
    check(shown, width)
    (begin,) = column(shown, "generation")
    assert len(begin.removesuffix("…")) >= shared.LEAST_BEGINNING
    assert run_json("logs", "show", begin)["generation"] == generation
    assert run_json("credits", "refund", begin, "0.000000001")["generation"] == generation
    (row,) = run_json("logs")
    assert column(shown, "cost") == [row["cost"]]
    assert run_json("logs", "-n", "1", "--since", "yesterday") == [row]
    assert column(shown, "status") == ["200"]
    (refused,) = run_json("logs", "--failed")
    shown = on_terminal("logs", "--failed", width=width)
    check(shown, width)
    (begin,) = column(shown, "request")
    assert run_json("logs", "show", begin)["request_id"] == refused["request_id"]
    assert column(shown, "error") == [refused["error"]]
    assert column(shown, "status") == ["401"]
    assert "request" not in refused
    for by in ("day", "org", "key", "model"):
        check(on_terminal("usage", "--by", by, width=width), width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "words",
    [
        ("models", "list", "--all"),
        ("models", "search", "gpt"),
        ("config", "show", "--origin"),
    ],
    ids=" ".join,
)
def test_other_lists_fit(words: tuple[str, ...], width: int) -> None:
    check(on_terminal(*words, width=width), width)


@pytest.mark.parametrize("model", ["openai/gpt-4o", "google/gemini-2.5-pro"])
def test_prices_of_a_model_are_whole(model: str) -> None:
    shown = "\n".join(on_terminal("models", "show", model, width=60))
    found = run_json("models", "show", model)
    for endpoint in found["endpoints"]:
        for price in endpoint["prices"]:
            for rate in price["rates"].values():
                assert f" {rate} " in shown
    assert max(map(len, shown.splitlines())) <= 60


def test_no_column_is_without_width() -> None:
    names = [f"column{at}" for at in range(12)]
    cells = [dict.fromkeys(names, "1234567890"), dict.fromkeys(names, "")]
    for width in range(1, 200):
        found = layout(cells, names, spare=(), folded=names[::2], least_folded=10, width=width)
        assert found
        assert list(found) == names[: len(found)]
        assert min(found.values()) >= 4
        assert all(found[name] == 10 for name in found if name not in names[::2])
        assert len(found) == 1 or sum(found.values()) + 3 * len(found) + 1 <= width


def test_ids_that_are_no_random_ones_are_not_cut() -> None:
    assert shared._short_id(f"key_{'0' * 32}") == "key_0000000000…"
    for id_ in ("somebody/a_model-of-a-long-name", "stripe:evt_0123456789abcdef", "org_1"):
        assert shared._short_id(id_) == id_


def test_numbers_stand_by_their_ends() -> None:
    cells = [{"n": "1,234", "time": "827 ms", "share": "-", "id": "12", "none": "-"}]
    cells.append({"n": "-", "time": "1.2 s", "share": "99.8%", "id": "12a", "none": "-"})
    found = {column: alignment(cells, column) for column in cells[0]}
    assert found == {
        **{"n": "right", "time": "right", "share": "right"},
        **{"id": "left", "none": "left"},
    }


def test_a_column_without_a_value_is_left_out_where_it_may_be() -> None:
    cells = [{"a": "-", "b": "-", "c": "-"}, {"a": "-", "b": "1", "c": "-"}]
    assert filled(cells, ("a", "b", "c"), spare=("a", "b")) == ["b", "c"]


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 ms"),
        (999.4, "999 ms"),
        (999.5, "1 s"),
        (1240, "1.2 s"),
        (9949, "9.9 s"),
        (9951, "10 s"),
        (59_400, "59 s"),
        (59_600, "1 min"),
        (599_952, "10 min"),
        (545_000, "9 min 5 s"),
        (3_600_000, "1 h"),
        (5_430_000, "1 h 30 min"),
    ],
)
def test_a_span_is_said_in_the_unit_that_is_read(ms: float, words: str) -> None:
    assert span_of(ms) == words
