"""Second calls beside slow streams, over real sockets: who may have one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seekroute.testing import MockProvider, Text
from serving import RunningServer, chat_body, running_server

MODEL = "acme/twice"
# One of twenty may be slow, and a few of the test's own are.
QUICK_STREAMS = 200


@dataclass
class Two:
    """A gateway before two providers; the first is asked first, and was quick so far."""

    server: RunningServer
    first: MockProvider
    usual: bool  # what the operator says

    def say(self, scope: str, hedge: bool | None) -> None:
        """What the key, or its organization, says of hedges."""
        control = self.server.service.control
        [key] = control.keys.list()
        id = key.id if scope == "key" else key.org_id
        control.limits.set(scope, id, {"hedge": hedge})
        self.server.service.sync_keys()

    def hedges(self) -> bool:
        """Whether the second is asked, and answers, when the first is slow."""
        self.first.queue(Text("late", first_byte_delay=1.0))
        answer = self.server.chat(model=MODEL, stream=True)
        assert answer.status == 200
        return b"late" not in answer.body


@pytest.fixture(params=[True, False], ids=["usually", "usually not"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Two]:
    usual: bool = request.param
    with MockProvider() as first, MockProvider() as second:
        providers: dict[str, Any] = {
            name: {
                "base_url": mock.base_url,
                "api_key": f"key-{name}",
                "allow_http": True,
                "allow_private": True,
            }
            for name, mock in (("first", first), ("second", second))
        }
        endpoints = [{"provider": name, "model": "up", "free": True} for name in providers]
        settings: dict[str, Any] = {
            "models": [{"id": MODEL, "context": 128_000, "endpoints": endpoints}],
            "providers": providers,
            "routing": {
                "balance": "listed",
                "hedge": {"enabled": usual, "percent": 100, "min_delay_ms": 1},
                "retry_budget": {"percent": 20, "min": 3},
            },
        }
        with running_server(tmp_path, **settings) as server:
            # They are no hedges, which are bounded by a budget, whoever has been slow among them.
            server.service.control.limits.set(
                "org", server.service.control.orgs.get("default").id, {"hedge": False}
            )
            server.service.sync_keys()
            for _ in range(QUICK_STREAMS):
                assert server.chat(model=MODEL, stream=True).status == 200
            assert not second.requests
            made = Two(server, first, usual)
            made.say("org", None)
            yield made


def test_a_key_or_else_its_organization_says_whether_it_is_hedged(two: Two) -> None:
    assert two.hedges() is two.usual
    two.say("org", not two.usual)
    assert two.hedges() is not two.usual
    two.say("key", two.usual)
    assert two.hedges() is two.usual
    two.say("key", None)
    two.say("org", None)
    assert two.hedges() is two.usual


def test_the_report_tells_how_long_the_loser_ran(two: Two) -> None:
    two.say("key", True)
    two.first.queue(Text("late", first_byte_delay=1.0))
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {two.server.key}",
        "X-Seekroute-Explain": "1",
    }
    body = chat_body(model=MODEL, stream=True)
    answer = two.server.request("POST", "/v1/chat/completions", body, headers)
    chunks = [line[6:] for line in answer.body.splitlines() if line.startswith(b"data: {")]
    report = next(json.loads(each)["seekroute"] for each in chunks if b'"seekroute":' in each)
    lost, won = report["attempts"]
    assert (lost["provider"], lost["error"], won["provider"]) == ("first", "hedge_lost", "second")
    assert 1 <= lost["ms"] < 1000  # the second is asked after a millisecond at the earliest
