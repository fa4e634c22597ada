"""Fallbacks that are never asked, because they cost too much, are warned of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bare_cli import unconfigure
from money_cli import run
from seekroute.config import load_settings, prepare

CHEAP, DEAR = "own/cheap", "own/dear"


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unconfigure(monkeypatch, tmp_path)


def model(name: str, *prices: str) -> dict[str, Any]:
    """A model with an endpoint for each price of input and output; "0" costs nothing."""
    ends = [
        {
            "provider": "own",
            "model": "m",
            "region": f"r{number}",
            **({"price": {"input": price, "output": price}} if price != "0" else {"free": True}),
        }
        for number, price in enumerate(prices)
    ]
    return {"id": name, "context": 8000, "endpoints": ends}


def write(
    cheap: tuple[str, ...] = ("1", "9"), dear: tuple[str, ...] = ("4", "40"), **routing: Any
) -> None:
    settings = {
        "providers": {
            "own": {"base_url": "https://127.0.0.1:9/v1", "api_key": "k", "allow_private": True}
        },
        "models": [model(CHEAP, *cheap), model(DEAR, *dear)],
        "virtual_models": {"team/x": {"candidates": [{"model": CHEAP}, {"model": DEAR}]}},
        "routing": {"fallbacks": {"any": {"cheap": ["dear"]}}, **routing},
    }
    Path("seekroute.yaml").write_text(json.dumps(settings, indent=1), encoding="utf-8")


def warnings() -> tuple[str, ...]:
    return prepare(load_settings(environ={}), {}).warnings


def test_both_models_the_factor_and_the_setting_are_named() -> None:
    write()
    (told,) = warnings()
    assert told.startswith("seekroute.yaml:")
    assert (
        "routing.fallbacks.any.cheap.0: own/dear is never asked after own/cheap: a short request "
        "costs 4 times as much there, and routing.max_price_jump allows 3 times" in told
    )


@pytest.mark.parametrize(
    ("cheap", "dear", "routing"),
    [
        (("1",), ("3",), {}),  # as much as is allowed
        (("1",), ("9", "2"), {}),  # one of its endpoints is cheap
        (("1",), ("9", "0"), {}),
        (("0",), ("9",), {}),  # what costs nothing is no measure
        (("1",), ("4",), {"max_price_jump": 4}),
        (("1",), ("4",), {"max_price_jump": 0}),
        (("1",), ("4",), {"fallbacks": {}}),  # the members of a virtual model have no measure
    ],
)
def test_what_is_asked_is_not_warned_of(
    cheap: tuple[str, ...], dear: tuple[str, ...], routing: dict[str, Any]
) -> None:
    write(cheap, dear, **routing)
    assert warnings() == ()


@pytest.mark.parametrize("kind", ["any", "context", "content_policy"])
def test_the_core_leaves_out_whoever_is_warned_of(kind: str) -> None:
    write(fallbacks={kind: {CHEAP: [DEAR]}})
    assert len(warnings()) == 1
    found = json.loads(run("route", "-m", CHEAP, "--json").stdout)
    assert "price_jump" in {row["reason"] for row in found["excluded"]}
    assert {row["endpoint"] for row in found["endpoints"]["available"]} == {"own/r0"}
    write(fallbacks={kind: {CHEAP: [DEAR]}}, max_price_jump=5)
    assert warnings() == ()
    found = json.loads(run("route", "-m", CHEAP, "--json").stdout)
    assert len(found["endpoints"]["available"]) == 2


def test_a_check_warns_and_finds_it_valid() -> None:
    write()
    found = run("config", "check")
    assert found.stdout == "seekroute.yaml is valid\n"
    assert found.stderr.startswith("warning: seekroute.yaml:")
    assert "own/dear is never asked after own/cheap" in found.stderr
    told = json.loads(run("config", "check", "--json").stdout)
    assert (told["ok"], told["problems"], len(told["warnings"])) == (True, [], 1)
    checked = run("doctor", "--offline", "--json")
    assert "own/dear is never asked" in checked.stdout
