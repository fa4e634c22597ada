"""Virtual models in the lists of models: what holds whichever member answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from serving import Answer, RunningServer, running_server

SMALL, LARGE, PICTURES = "own/small", "own/large", "own/pictures"
NAME = "team/default"


def _model(name: str, price: str, **fields: Any) -> dict[str, Any]:
    ends = [
        {"provider": each, "model": "m", "price": {"input": price, "output": price}}
        for each in ("one", "two")
    ]
    return {"id": name, "endpoints": ends, **fields}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    address = {"base_url": "http://127.0.0.1:9/v1", "allow_http": True, "allow_private": True}
    with running_server(
        tmp_path_factory.mktemp("virtual"),
        mock="off",
        providers={"one": address, "two": address},
        models=[
            _model(SMALL, "1", context=8000, max_output=4000, features=["tools", "temperature"]),
            _model(
                LARGE,
                "9",
                context=90_000,
                max_output=1000,
                features=["tools", "reasoning"],
                input=["text", "image"],
            ),
            _model(PICTURES, "2", context=5000, input=["image", "text"]),
        ],
        virtual_models={
            NAME: {
                "candidates": [{"model": SMALL, "provider": "TWO"}, {"model": LARGE}],
            },
            "bare": {"candidates": [{"model": LARGE}, {"model": PICTURES}]},
            "nobody": {"candidates": [{"model": "gpt-4o"}]},
        },
    ) as running:
        yield running


def get(server: RunningServer, path: str, **fields: Any) -> Answer:
    if not fields:
        return server.request("GET", path)
    _, key = server.service.control.keys.create(
        "default", name="k", profile="seekroute", prefix="sk-sr-", **fields
    )
    server.service.sync_keys()
    return server.request("GET", path, headers={"Authorization": f"Bearer {key}"})


def test_the_row_promises_what_every_member_keeps(server: RunningServer) -> None:
    row = get(server, f"/v1/models/{NAME}").json()
    assert (row["id"], row["name"], row["owned_by"]) == (NAME, NAME, "team")
    assert "own/" not in row["description"]
    assert row["context_length"] == row["top_provider"]["context_length"] == 8000
    assert row["top_provider"]["max_completion_tokens"] == 1000
    assert row["pricing"]["prompt"] == "0.000009"
    assert row["architecture"]["input_modalities"] == ["text"]
    assert row["architecture"]["modality"] == "text->text"
    assert "tools" in row["supported_parameters"]
    assert not {"temperature", "reasoning"} & set(row["supported_parameters"])
    both = get(server, "/v1/models/bare").json()
    assert sorted(both["architecture"]["input_modalities"]) == ["image", "text"]
    assert both.keys() == row.keys() == get(server, f"/v1/models/{SMALL}").json().keys()


def test_lists_have_it_where_somebody_serves_a_member(server: RunningServer) -> None:
    found = get(server, "/v1/models").json()
    ids = [row["id"] for row in found["data"]]
    assert ids == [SMALL, LARGE, PICTURES, NAME, "bare"]
    assert found["total_count"] == 5
    assert get(server, "/v1/models/count").json() == {"data": {"count": 5}}
    assert get(server, "/v1/models?q=default").json()["data"][0]["id"] == NAME
    answer = get(server, "/v1/models/nobody")
    assert answer.status == 404


def test_its_endpoints_are_those_of_its_members(server: RunningServer) -> None:
    data = get(server, f"/v1/models/{NAME}/endpoints").json()["data"]
    assert data["id"] == NAME
    assert [(each["model_id"], each["tag"]) for each in data["endpoints"]] == [
        (SMALL, "two"),
        (LARGE, "one"),
        (LARGE, "two"),
    ]
    assert data["endpoints"][0]["pricing"]["prompt"] == "0.000001"
    details = get(server, f"/v1/models/{NAME}").json()["links"]["details"]
    assert get(server, details).json()["data"] == data


def test_a_key_sees_it_that_may_use_a_member(server: RunningServer) -> None:
    rows = get(server, "/v1/models", models=[SMALL]).json()["data"]
    assert [row["id"] for row in rows] == [SMALL, NAME]
    assert get(server, "/v1/models/bare", models=[SMALL]).status == 404
    found = get(server, f"/v1/models/{NAME}/endpoints", models=[LARGE]).json()["data"]["endpoints"]
    assert {each["model_id"] for each in found} == {LARGE}
