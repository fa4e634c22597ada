"""The operator's lists of fallbacks, and what a dry run says of a last resort."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from seekroute.testing import MockProvider, Raw, Status, Text
from serving import RunningServer, chat_body, running_server

FIRST, OTHER = "acme/first", "acme/other"


def refusal(code: str) -> Status:
    body = {"error": {"message": code, "code": code, "type": "invalid_request_error"}}
    return Status(400, body=json.dumps(body).encode())


# What opens each list.
FAILURES: dict[str, Status | Raw] = {
    "any": Status(500),
    "context": refusal("context_length_exceeded"),
    "content_policy": refusal("content_policy_violation"),
}
LISTED = [each for size in (1, 2, 3) for each in combinations(FAILURES, size)]


def settings(first: MockProvider, other: MockProvider) -> dict[str, Any]:
    def model(id: str, provider: str) -> dict[str, Any]:
        price = {"input": "1", "output": "1"}
        endpoints = [{"provider": provider, "model": "up", "price": price}]
        return {"id": id, "context": 100_000, "endpoints": endpoints}

    return {
        "providers": {
            name: {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
            for name, mock in (("one", first), ("two", other))
        },
        "models": [model(FIRST, "one"), model(OTHER, "two")],
    }


@pytest.mark.parametrize("listed", LISTED, ids="+".join)
def test_a_model_is_asked_after_the_failures_of_each_of_its_lists(
    tmp_path: Path, listed: tuple[str, ...]
) -> None:
    with MockProvider() as first, MockProvider() as other:
        other.default = Text("Well.")
        lists = {name: {FIRST: [OTHER]} for name in listed}
        routing = {"fallbacks": lists, "leave_out_failing": False}
        with running_server(tmp_path, **settings(first, other), routing=routing) as server:
            for name, failure in FAILURES.items():
                first.default = failure
                answer = server.chat(model=FIRST)
                assert (answer.status == 200) is (name in listed), (name, answer.body)


def ejected(server: RunningServer, mock: MockProvider) -> None:
    mock.default = Status(500)
    for i in range(9):
        server.chat(model=FIRST, messages=[{"role": "user", "content": f"number {i}"}])


def test_a_dry_run_knows_when_a_last_resort_is_not_to_be_asked(tmp_path: Path) -> None:
    with (
        MockProvider() as first,
        MockProvider() as other,
        running_server(tmp_path, **settings(first, other)) as server,
    ):
        ejected(server, first)
        refused = server.chat(model=FIRST)
        assert (refused.status, refused.code) == (503, "no_upstream")
        headers = {"Content-Type": "application/json"}
        quote = server.request("POST", "/v1/quote", chat_body(model=FIRST), headers).json()
        assert [each["excluded_by"] for each in quote["candidates"]] == ["ejected"]
