"""`seekroute route` and `client.route`: where a request would go."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import money_cli
import seekroute
from bare_cli import unconfigure

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def own_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model at two providers, one at half the price of the other. Nobody is there."""
    unconfigure(monkeypatch, tmp_path)
    own = {"api_key": "k", "allow_http": True, "allow_private": True}
    ends = [("dear", "2"), ("cheap", "1")]
    settings = {
        "providers": {name: {**own, "base_url": "http://127.0.0.1:9/v1"} for name, _ in ends},
        "models": [
            {
                "id": "own/m",
                "context": 8000,
                "endpoints": [
                    {"provider": name, "model": "m", "price": {"input": price, "output": price}}
                    for name, price in ends
                ],
            }
        ],
    }
    Path("seekroute.yaml").write_text(json.dumps(settings), encoding="utf-8")


@pytest.fixture
def run() -> Run:
    return money_cli.run


def test_a_dry_run_tells_the_shares_and_repeats_a_draw(run: Run) -> None:
    drawn = [
        json.loads(run("route", "-m", "own/m", "--seed", str(seed), "--json").stdout)
        for seed in (1, 2, 3, 4, 5, 6, 1)
    ]
    firsts = [each["endpoints"]["available"][0]["endpoint"] for each in drawn]
    assert firsts[0] == firsts[-1]
    assert drawn[0]["seed"] == 1
    for each in drawn:
        shares = {row["endpoint"]: row["probability"] for row in each["endpoints"]["available"]}
        assert shares == {"cheap": 0.8, "dear": 0.2}
    found = json.loads(
        run("route", "-m", "own/m", "--seed", "1", "--simulate", "10000", "--json").stdout
    )["simulated"]
    assert found["draws"] == 10_000
    assert [row["endpoint"] for row in found["first"]] == ["cheap", "dear"]
    assert found["first"][0]["share"] == pytest.approx(0.8, abs=0.02)


def test_a_table_names_models_shares_costs_and_the_seed(run: Run) -> None:
    shown = run("route", "-m", "own/m", "--seed", "1", "--simulate", "10")
    lines = [line.split("\t") for line in shown.stdout.splitlines()]
    assert {(tag, model, share) for tag, model, _, share, *_ in lines} == {
        ("cheap", "own/m", "80.0%"),
        ("dear", "own/m", "20.0%"),
    }
    assert [status for _, _, status, *_ in lines] == ["selected", "-"]
    assert sum(float(simulated.rstrip("%")) for *_, simulated in lines) == 100
    assert shown.stderr == "order: drawn by seed 1\n"
    head, *rows = money_cli.on_terminal("route", "-m", "own/m", "--simulate", "10")
    assert "first in 10 draws" in f"{head}{rows}"
    assert "expected usd" in f"{head}{rows}"


def test_a_narrow_terminal_shows_tags_whole_and_numbers_by_their_ends() -> None:
    settings = json.loads(Path("seekroute.yaml").read_text(encoding="utf-8"))
    (model,) = settings["models"]
    model["id"] = "an-author-of-models/" + "with-a-long-name-" * 3
    for each in model["endpoints"]:
        each.update(quantization="fp8", region="eu-west")
    Path("seekroute.yaml").write_text(json.dumps(settings), encoding="utf-8")
    words = ("route", "-m", model["id"], "--seed", "1")
    _, head, _, *rows = money_cli.on_terminal(*words, width=80)
    assert max(map(len, (head, *rows))) <= 80
    shown = "\n".join(rows)
    for tag in ("cheap/fp8-eu-west", "dear/fp8-eu-west"):
        assert f"│ {tag} " in shown
    costs = re.findall(r"│ *(0\.\d+) │", shown)
    assert len(costs) == 2
    ends = {row.index(cost) + len(cost) for row in rows for cost in costs if cost in row}
    assert len(ends) == 1


def test_a_printed_route_is_as_long_as_its_table() -> None:
    with seekroute.Client(config="seekroute.yaml") as client:
        found = client.route("Hi", model="own/m", seed=7, simulate=4)
        head, *rows, order = str(found).splitlines()
        assert re.split(" {2,}", head) == [
            *("endpoint", "model", "status", "first in draws"),
            *("expected USD", "first in 4 draws"),
        ]
        assert len(rows) == 2
        assert order == "order: drawn by seed 7"
        one = client.route("Hi", model="own/m", extra_body={"provider": {"only": ["cheap"]}})
        assert "left out: only (" in str(one)


def test_a_body_says_where_it_may_go(run: Run) -> None:
    body = {
        "model": "own/m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "provider": {"max_price": {"completion": 1}},
    }
    Path("body.json").write_text(json.dumps(body), encoding="utf-8")
    found = json.loads(run("route", "--body", "body.json", "--json").stdout)
    assert [row["endpoint"] for row in found["endpoints"]["available"]] == ["cheap"]
    (left_out,) = found["excluded"]
    assert (left_out["provider"], left_out["reason"]) == ("dear", "max_price")
    assert left_out["detail"] == "costs more than provider.max_price"


def test_whoever_has_no_price_that_low_is_told_what_would_do() -> None:
    with (
        seekroute.Client(config="seekroute.yaml") as client,
        pytest.raises(seekroute.NotFoundError) as refused,
    ):
        client.route(
            "Hi", model="own/m", extra_body={"provider": {"max_price": {"completion": 0.5}}}
        )
    assert refused.value.code == "no_matching_endpoint"
    assert "raise provider.max_price.completion to 1" in str(refused.value)


def test_the_draw_of_a_quote_is_in_range() -> None:
    with seekroute.Client(config="seekroute.yaml") as client:
        with pytest.raises(seekroute.BadRequestError, match="simulate"):
            client.route("Hi", model="own/m", simulate=10_001)
        with pytest.raises(seekroute.BadRequestError, match="seed"):
            client.route("Hi", model="own/m", seed=-1)


def test_a_suffix_sorts() -> None:
    with seekroute.Client(config="seekroute.yaml") as client:
        found = client.route("Hi", model="own/m:floor")
    assert [row.endpoint for row in found.candidates] == ["cheap", "dear"]
    assert found.sort == "price"


def test_a_body_that_cannot_be_read_is_told_why(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    body = tmp_path / "body.json"
    body.write_text("[" * 200_000)
    assert "it is nested too deeply" in run("route", "--body", str(body), code=2).stderr
    monkeypatch.setattr("seekroute.cli.route._MOST_BODY", 10)
    assert "larger than" in run("route", "--body", str(body), code=2).stderr


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a":\n ]', "it is not JSON: line 2, column 2"),
        (b"\xff\xfe{", "it is not UTF-8"),
        (b"[]", "expected a JSON object"),
        (None, "there is no such file"),
    ],
)
def test_a_body_that_is_none_is_told_so(run: Run, content: bytes | None, why: str) -> None:
    if content is not None:
        Path("b.json").write_bytes(content)
    assert f"b.json: {why}" in run("route", "--body", "b.json", code=2).stderr
