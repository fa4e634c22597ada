"""Virtual models in `seekroute models list | search | show`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models_cli import clear, rows, run, table, write
from seekroute import Client

SETTINGS = """
mock: {mock}
providers:
  near: {{base_url: "https://near.example/v1", api_key: k}}
models:
  - id: own/large
    context: 9000
    features: [tools, reasoning]
    endpoints:
      - {{provider: near, model: l, price: {{input: "1", output: "2"}}}}
      - {{provider: groq, model: l, price: {{input: "3", output: "4"}}}}
  - id: own/small
    context: 4000
    features: [tools]
    endpoints:
      - {{provider: near, model: s, price: {{input: "0.1", output: "0.2"}}}}
virtual_models:
  team/default:
    candidates:
      - {{model: own/large, provider: near, weight: 3}}
      - {{model: own/small}}
"""


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)
    write(SETTINGS.format(mock='"off"'))


def test_the_list_has_what_holds_for_all_members() -> None:
    found = {row["id"]: row for row in rows(run("list", "--json"))}
    row = found["team/default"]
    assert (row["context"], row["features"], row["providers"]) == (4000, ["tools"], ["near"])
    assert (row["input"], row["output"], row["served"]) == ("1", "2", True)
    assert list(found)[-1] == "team/default"
    listed = [line[0] for line in table(run("list", "--author", "team"))]
    assert listed == ["team/default"]
    # Whichever answers has to be what was asked for.
    reasoning = [line[0] for line in table(run("list", "--feature", "reasoning"))]
    assert reasoning == ["own/large"]


def test_it_is_found_and_shown() -> None:
    assert [row["id"] for row in rows(run("search", "team/def", "--json"))] == ["team/default"]
    found: dict[str, Any] = json.loads(run("show", "team/default", "--json").stdout)
    assert found["strategy"] == "weighted"
    told = [(each["model"], each["provider"], each["weight"]) for each in found["candidates"]]
    assert told == [("own/large", "near", "3"), ("own/small", None, "1")]
    shown = run("show", "team/default").stdout
    assert "weighted: the order of its models is drawn for each request" in shown
    assert "own/large\tnear\t3\tnear\t1\t2\tyes" in shown
    assert "did you mean team/default" in run("show", "team/defalt", code=1).stderr


def test_the_mock_stands_in_for_the_provider_of_a_candidate() -> None:
    write(SETTINGS.format(mock='"on"'))
    with Client(config="seekroute.yaml") as client:
        found = client.route("Hi", model="team/default", simulate=1000)
        models = [row.model for row in found.candidates]
        shares = {row.model: row.share for row in found.simulated.first}
    assert sorted(models) == ["own/large", "own/small"]
    assert shares["own/large"] == pytest.approx(0.75, abs=0.06)
    left_out = [(row.provider, row.model) for row in found.excluded]
    assert len(left_out) == len(set(left_out))
