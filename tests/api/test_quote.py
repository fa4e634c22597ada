"""POST /v1/quote: what a chat completion would cost, said without asking anybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from seekroute.testing import MockProvider
from serving import PATIENCE, RunningServer, chat_body, running_server

MODEL = "test/quoted"
PLAIN = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with MockProvider() as mock:
        own = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
        endpoints = [
            {"provider": "cheap", "model": "one", "price": {"input": "1", "output": "2"}},
            {
                "provider": "dear",
                "model": "two",
                "price": {
                    "input": "3",
                    "output": "4",
                    "tiers": [{"above": 1000, "input": "6", "output": "8"}],
                },
            },
            {"provider": "openai", "model": "three", "price": {"input": "1", "output": "1"}},
            {"provider": "groq", "model": "four", "price": {"input": "1", "output": "1"}},
        ]
        model = {"id": MODEL, "context": 5000, "max_output": 1000, "endpoints": endpoints}
        painter = {
            "id": "test/painter",
            "context": 1000,
            "output": ["image"],
            "endpoints": [{"provider": "cheap", "model": "p", "price": {"per_image": "0.04"}}],
        }
        with running_server(
            tmp_path_factory.mktemp("quote"),
            providers={"cheap": own, "dear": own, "groq": {"enabled": False}},
            models=[model, painter],
            default_model=MODEL,
            # Both, as they are listed, whatever they cost.
            routing={"balance": "listed", "max_price_jump": 0},
        ) as running:
            running.mock.reset()
            yield running
            assert not mock.requests, "a quote must not ask anybody"


def _quote(server: RunningServer, **fields: Any) -> Any:
    body = chat_body(**{"model": MODEL, **fields})
    answer = server.request("POST", "/v1/quote", body, PLAIN)
    assert answer.status == 200, answer.body
    return json.loads(answer.body, parse_float=Decimal)


def test_a_quote_has_the_route_its_prices_and_the_range_of_the_cost(server: RunningServer) -> None:
    quote = _quote(server, max_tokens=100)
    prompt, most = quote["prompt_tokens"]["expected"], quote["prompt_tokens"]["max"]
    assert 0 < prompt <= most
    assert quote["completion_tokens"] == {"expected": 100, "max": 100}
    assert quote["model"] == quote["requested"] == MODEL
    assert quote["strategy"] == "direct"
    cheap, dear = quote["candidates"]
    assert (cheap["provider"], cheap["model"], cheap["upstream_model"]) == ("cheap", MODEL, "one")
    assert cheap["pricing"]["prompt"] == "0.000001"
    assert cheap["pricing"]["completion"] == "0.000002"
    micro = Decimal("0.000001")
    assert cheap["cost"]["min"] == (prompt + 2) * micro
    assert cheap["cost"]["expected"] == (prompt + 200) * micro
    assert cheap["cost"]["max"] == (most + 200) * micro
    assert dear["cost"]["max"] == (3 * most + 400) * micro
    assert quote["cost"] == {
        "min": cheap["cost"]["min"],
        "expected": cheap["cost"]["expected"],
        "max": dear["cost"]["max"],
    }
    assert quote["excluded"] == [
        {"provider": "openai", "model": MODEL, "reason": "no_key"},
        {"provider": "groq", "model": MODEL, "reason": "disabled"},
    ]


def test_choices_multiply_and_the_models_limits_bound(server: RunningServer) -> None:
    assert _quote(server, n=3)["completion_tokens"] == {"expected": 1200, "max": 3000}
    # Where money ends, what is told of an answer leaves a long prompt its place, with a margin.
    long = [{"role": "user", "content": "word " * 4500}]
    quote = _quote(server, messages=long, max_cost=1)
    left = 5000 - quote["prompt_tokens"]["expected"]
    assert quote["completion_tokens"]["max"] == left - left // 2
    assert quote["cost"]["max"] == quote["hold"]["max"]


def test_a_long_prompt_is_quoted_in_its_tier(server: RunningServer) -> None:
    quote = _quote(server, messages=[{"role": "user", "content": "word " * 2000}])
    dear = quote["candidates"][1]
    assert dear["pricing"]["min_prompt_tokens"] == 1000
    assert dear["pricing"]["prompt"] == "0.000006"


def test_images_are_quoted_by_the_piece(server: RunningServer) -> None:
    quote = _quote(server, model="test/painter", n=2)
    assert quote["cost"] == dict.fromkeys(("min", "expected", "max"), Decimal("0.08"))


def test_auto_is_quoted_as_the_model_it_means(server: RunningServer) -> None:
    quote = _quote(server, model="auto")
    assert (quote["strategy"], quote["model"]) == ("auto", MODEL)


@pytest.mark.parametrize(
    ("fields", "status"), [({"model": "no/such"}, 404), ({"messages": []}, 400), ({"n": 129}, 400)]
)
def test_what_would_be_refused_is_refused(
    server: RunningServer, fields: dict[str, Any], status: int
) -> None:
    body = chat_body(**{"model": MODEL, **fields})
    quoted = server.request("POST", "/api/v1/quote", body, PLAIN)
    asked = server.request("POST", "/api/v1/chat/completions", body, PLAIN)
    assert quoted.status == asked.status == status
    for answer in (quoted, asked):
        answer.json()["error"]["metadata"].pop("request_id", None)
    assert quoted.json()["error"]["message"] == asked.json()["error"]["message"]


def test_a_quote_needs_a_key(server: RunningServer) -> None:
    answer = server.request("POST", "/v1/quote", chat_body(model=MODEL), PLAIN, with_key=False)
    assert answer.status == 401
    assert answer.headers["x-request-id"]


def test_a_quote_of_a_large_body_is_given_too(server: RunningServer) -> None:
    quote = _quote(server, messages=[{"role": "user", "content": "a b c " * 50_000}])
    assert quote["completion_tokens"]["max"] == 1000  # longer than the context: who knows
    assert quote["cost"]["max"] == quote["hold"]["max"]
    assert quote["prompt_tokens"]["expected"] > 100_000


def test_what_is_charged_lies_within_the_quote(gateway: RunningServer) -> None:
    body = chat_body(max_tokens=50)
    quote = json.loads(gateway.request("POST", "/v1/quote", body, PLAIN).body)
    answer = gateway.request("POST", "/v1/chat/completions", body, PLAIN).json()
    assert quote["cost"]["min"] <= answer["usage"]["cost"] <= quote["cost"]["max"]


def test_quotes_wait_for_one_another_alone(server: RunningServer) -> None:
    """Whoever asks for many keeps no request of anybody waiting."""
    others = threading.Event()
    busy = server.service.quotes.submit(others.wait, PATIENCE)
    with ThreadPoolExecutor(1) as client:
        waiting = client.submit(
            server.request, "POST", "/v1/quote?simulate=9", chat_body(model=MODEL), PLAIN
        )
        try:
            assert _quote(server)["model"] == MODEL  # a short one waits for nobody
            assert server.request("GET", "/v1/key").status == 200
            assert not waiting.done()
        finally:
            others.set()
        assert busy.result(PATIENCE)
        assert json.loads(waiting.result(PATIENCE).body)["simulated"]["draws"] == 9
