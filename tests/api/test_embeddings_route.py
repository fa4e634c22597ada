"""POST /v1/embeddings through real sockets: what is sent on, answered, charged and refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from checkout import ROOT
from seekroute.api import openapi
from seekroute.gateway import estimate_tokens
from seekroute.money import nano
from seekroute.testing import MockProvider, Raw, Status, Vectors
from serving import MODEL, Answer, RunningServer, chat_body, running_server

EMBEDDER = "openai/text-embedding-3-small"
TWO = "test/vectors"
PLAIN = {"Content-Type": "application/json"}
BASES = ("/v1", "/api/v1")


@pytest.fixture(scope="module")
def upstreams() -> Iterator[tuple[MockProvider, MockProvider]]:
    """The providers of a model of two endpoints, in the order of asking."""
    with MockProvider() as first, MockProvider() as second:
        yield first, second


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, upstreams: tuple[MockProvider, MockProvider]
) -> Iterator[RunningServer]:
    """A gateway with credits and a mock for every model."""
    providers = {
        name: {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
        for name, mock in zip(("first", "second"), upstreams, strict=True)
    }
    price = {"input": "2", "variants": [{"service_tier": "flex", "input": "1"}]}
    endpoints = [{"provider": name, "model": f"{name}-embed", "price": price} for name in providers]
    model = {"id": TWO, "context": 8192, "output": ["embedding"], "endpoints": endpoints}
    with running_server(
        tmp_path_factory.mktemp("embeddings"),
        providers=providers,
        models=[model],
        default_model=MODEL,
        credits={"enabled": True},
        routing={"balance": "listed"},  # the first is the one that is asked
    ) as running:
        book = running.service.ledger
        assert book is not None
        book.topup("test:1", running.service.control.orgs.get("default").id, nano("10"))
        yield running


@pytest.fixture(autouse=True)
def fresh(server: RunningServer, upstreams: tuple[MockProvider, MockProvider]) -> Iterator[None]:
    for mock in (server.mock, *upstreams):
        mock.reset()
    yield
    for mock in (server.mock, *upstreams):
        assert mock.errors == []


def embed(
    server: RunningServer,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    base: str = "/v1",
    **fields: Any,
) -> Answer:
    if body is None:
        body = json.dumps({"model": EMBEDDER, "input": "a cat", **fields}).encode()
    return server.request("POST", f"{base}/embeddings", body, {**PLAIN, **(headers or {})})


# --- what is answered -----------------------------------------------------------------------------


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize(
    ("given", "count", "tokens"),
    [
        ("a cat", 1, 2),
        (["a cat", "a dog"], 2, 4),
        ([1, 2, 3], 1, 3),
        ([[1, 2], [3]], 2, 3),
        (["a"] * 2048, 2048, 2048),
    ],
    ids=["text", "texts", "tokens", "token-arrays", "most"],
)
def test_every_form_of_input(
    server: RunningServer, base: str, given: Any, count: int, tokens: int
) -> None:
    answer = embed(server, base=base, input=given, dimensions=4)
    assert answer.status == 200, answer.body
    found = json.loads(answer.body, parse_float=Decimal)
    assert (found["object"], found["model"]) == ("list", EMBEDDER)
    assert [each["index"] for each in found["data"]] == list(range(count))
    assert {len(each["embedding"]) for each in found["data"]} == {4}
    usage = found["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"]) == (tokens, tokens)
    assert usage["cost"] == tokens * Decimal("0.00000002")
    assert answer.headers["x-seekroute-cost"] == f"{usage['cost']:f}"
    (request,) = server.mock.requests
    assert request.path == "/v1/embeddings"
    assert request.json["input"] == given


def test_the_page_s_example(server: RunningServer) -> None:
    page = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
    section = page.partition("\n## Embeddings\n")[2].partition("\n## ")[0]
    [body] = re.findall(r"-d '(.*)'", section)
    [shown] = re.findall(r"^```json\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert embed(server, body.encode()).json() == json.loads(shown)


def test_the_request_goes_as_it_came(server: RunningServer) -> None:
    body = (
        b'{"model" : "text-embedding-3-small", "input_type":"query", "input":["\\u0061 c\\u00e4t"],'
        b' "dimensions": 2.0e0, "encoding_format":"base64" , "user":null,"new":{"a":[1.50]}}'
    )
    server.mock.queue(Vectors([[1.0, 0.0]]))
    assert embed(server, body).status == 200
    (request,) = server.mock.requests
    assert request.body == body.replace(b'"text-embedding-3-small"', f'"{EMBEDDER}"'.encode())


def test_the_vectors_come_as_they_were_sent(server: RunningServer) -> None:
    """Spellings of numbers, order and further members are the provider's."""
    sent = (
        b'{ "data":[{"embedding":[1E-3, -0.0,1.50],"index":0,"object":"embedding","x":1}],'
        b'"model":"inner","usage":{"prompt_tokens":3,"total_tokens":3},"id":"e-1"}'
    )
    server.mock.queue(Status(200, body=sent))
    answer = embed(server)
    assert answer.status == 200
    assert b'[{"embedding":[1E-3, -0.0,1.50],"index":0,"object":"embedding","x":1}]' in answer.body
    found = answer.json()
    assert found["model"] == EMBEDDER
    assert found["usage"]["prompt_tokens"] == 3
    assert answer.headers["content-type"].startswith("application/json")


def test_headers(server: RunningServer) -> None:
    answer = embed(server, headers={"X-Request-Id": "vectors-1", "X-Seekroute-Explain": "1"})
    assert answer.headers["x-request-id"] == "vectors-1"
    assert answer.headers["x-generation-id"].startswith("gen-")
    assert answer.headers["x-seekroute-provider"] == "mock"
    assert answer.headers["x-seekroute-model"] == EMBEDDER
    assert answer.headers["x-seekroute-attempts"] == "1"
    told = answer.json()["seekroute"]
    assert told["strategy"] == "direct"
    assert [each["provider"] for each in told["endpoints"]["available"]] == ["mock"]
    routed = embed(server, provider={"order": ["first"]}, transforms=["x"])
    assert routed.headers["x-seekroute-ignored"] == "transforms"
    assert "provider" not in server.mock.requests[-1].json


# --- money ----------------------------------------------------------------------------------------


def test_a_row_and_a_receipt_are_left(server: RunningServer) -> None:
    before = server.request("GET", "/v1/credits").json()["data"]["total_usage"]
    answer = embed(server, input=["a cat", "a dog"])
    cost = Decimal(answer.headers["x-seekroute-cost"])
    after = server.request("GET", "/v1/credits").json()["data"]["total_usage"]
    assert Decimal(str(after)) - Decimal(str(before)) == cost == Decimal("0.00000008")
    generation = answer.headers["x-generation-id"]
    row = server.request("GET", f"/v1/generation?id={generation}").json()["data"]
    assert (row["model"], row["tokens_prompt"], row["tokens_completion"]) == (EMBEDDER, 4, 0)
    assert Decimal(str(row["total_cost"])) == cost
    assert row["held"] >= row["total_cost"]
    assert row["api_type"] == "embeddings"
    assert server.request("GET", f"/v1/receipt?id={generation}").status == 200


@pytest.mark.parametrize(("tier", "rate"), [("flex", 1), ("default", 2), (None, 2)])
def test_the_tier_that_the_answer_names_has_its_price(
    server: RunningServer,
    upstreams: tuple[MockProvider, MockProvider],
    tier: str | None,
    rate: int,
) -> None:
    rows = [{"object": "embedding", "index": 0, "embedding": [1.0]}]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    body = {"object": "list", "data": rows, "usage": usage, "service_tier": tier}
    upstreams[0].queue(Status(200, body=body))
    answer = embed(server, model=TWO, service_tier="flex")
    assert upstreams[0].requests[0].json["service_tier"] == "flex"
    assert Decimal(answer.headers["x-seekroute-cost"]) == 5 * rate * Decimal("0.000001")
    generation = answer.headers["x-generation-id"]
    row = server.request("GET", f"/v1/generation?id={generation}").json()["data"]
    assert row["service_tier"] == tier
    assert answer.json()["service_tier"] == tier


def test_the_quote_is_what_is_held(server: RunningServer) -> None:
    for given in ("a cat sat on the mat", ["one", "two"], [1, 2, 3], [[1], [2, 3]]):
        body = json.dumps({"model": EMBEDDER, "input": given}).encode()
        answers = [
            server.request("POST", f"{base}/quote/embeddings", body, PLAIN) for base in BASES
        ]
        assert [each.status for each in answers] == [200, 200], answers[0].body
        quote = json.loads(answers[0].body, parse_float=Decimal)
        assert (quote["object"], quote["model"]) == ("quote", EMBEDDER)
        assert quote["completion_tokens"] == {"expected": 0, "max": 0}
        cost = quote["cost"]
        assert 0 < cost["min"] <= cost["expected"] <= cost["max"]
        assert server.mock.requests == []
        generation = embed(server, body).headers["x-generation-id"]
        row = server.request("GET", f"/v1/generation?id={generation}").json()["data"]
        assert Decimal(str(row["held"])) == cost["max"]
        server.mock.reset()


def test_max_cost(server: RunningServer) -> None:
    refused = embed(server, max_cost=0.000000001)
    assert (refused.status, refused.code) == (402, "max_cost_exceeded")
    assert server.mock.requests == []
    assert embed(server, max_cost=1).status == 200
    assert "max_cost" not in server.mock.requests[-1].json


def test_without_credit_nothing_is_sent(server: RunningServer) -> None:
    org = server.service.control.orgs.create("poor")
    key = server.another_key(org.id)
    refused = embed(server, headers={"Authorization": f"Bearer {key}"})
    assert (refused.status, refused.code) == (402, "insufficient_credits")
    assert server.mock.requests == []


def test_a_repeated_request_is_sent_once(server: RunningServer) -> None:
    once = {"Idempotency-Key": "vectors"}
    first, again, other = (
        embed(server, headers=once),
        embed(server, headers=once),
        embed(server, headers=once, input="a dog"),
    )
    assert (first.status, again.status, other.status) == (200, 409, 422)
    assert again.code == "idempotency_completed"
    assert len(server.mock.requests) == 1


# --- providers that fail --------------------------------------------------------------------------


def test_another_endpoint_is_asked(
    server: RunningServer, upstreams: tuple[MockProvider, MockProvider]
) -> None:
    first, second = upstreams
    first.queue(Status(503))
    answer = embed(server, model=TWO)
    assert answer.status == 200
    assert answer.headers["x-seekroute-provider"] == "second"
    assert answer.headers["x-seekroute-attempts"] == "2"
    assert [each.json["model"] for each in (first.requests[0], second.requests[0])] == [
        "first-embed",
        "second-embed",
    ]
    assert answer.json()["model"] == TWO


def test_a_provider_without_usage_is_charged_by_the_estimate(server: RunningServer) -> None:
    rows = [{"object": "embedding", "index": 0, "embedding": [1.0]}]
    server.mock.queue(Status(200, body={"data": rows}))
    answer = embed(server, input="a black cat")
    found = answer.json()
    assert (found["object"], found["model"]) == ("list", EMBEDDER)
    expected, _ = estimate_tokens(b"a black cat")
    assert found["usage"]["prompt_tokens"] == expected
    row = server.request("GET", f"/v1/generation?id={answer.headers['x-generation-id']}").json()
    assert row["data"]["usage_estimated"] is True
    assert Decimal(str(row["data"]["total_cost"])) == expected * Decimal("0.00000002")


def test_the_hold_covers_any_vocabulary(server: RunningServer) -> None:
    """Georgian in cl100k: a token for less than two bytes, four times what is expected."""
    text = "თბილისი საქართველოს დედაქალაქია"
    counted = len(text.encode()) * 2 // 3
    rows = [{"object": "embedding", "index": 0, "embedding": [1.0]}]
    usage = {"prompt_tokens": counted, "total_tokens": counted}
    server.mock.queue(Status(200, body={"data": rows, "usage": usage}))
    answer = embed(server, input=text)
    row = server.request("GET", f"/v1/generation?id={answer.headers['x-generation-id']}").json()
    assert Decimal(str(row["data"]["total_cost"])) == counted * Decimal("0.00000002")
    assert row["data"]["held"] >= row["data"]["total_cost"]


def test_what_cannot_fit_is_not_sent(server: RunningServer) -> None:
    """2,048 vectors of the 3,072 numbers that the catalog knows are more than 32 MiB."""
    large = "openai/text-embedding-3-large"
    for encoding, cure in (("float", "or ask for the encoding_format base64"), ("base64", "fewer")):
        refused = embed(server, model=large, input=["a"] * 2048, encoding_format=encoding)
        assert (refused.status, refused.code) == (400, "invalid_value"), refused.body
        assert cure in refused.json()["error"]["message"]
    assert server.mock.requests == []


@pytest.mark.parametrize("count", [0, 2])
def test_another_number_of_vectors_is_no_answer(server: RunningServer, count: int) -> None:
    server.mock.queue(Vectors([[1.0]] * count))
    failed = embed(server)
    assert (failed.status, failed.code) == (502, "bad_upstream_response")
    assert f"{count} embeddings of 1 input" in failed.json()["error"]["message"]


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Status(429, headers={"Retry-After": "7"}), 429, "upstream_rate_limited"),
        (Status(401), 502, "upstream_auth_error"),
        (Status(400, body={"error": {"message": "no such size"}}), 400, "upstream_invalid_request"),
        (Status(200, body="<html>"), 502, "bad_upstream_response"),
        (Raw([("rst",)]), 502, "upstream_truncated"),
    ],
    ids=["limited", "key", "refused", "html", "reset"],
)
def test_what_a_provider_does(server: RunningServer, reply: Any, status: int, code: str) -> None:
    server.mock.queue(reply)
    failed = embed(server)
    assert failed.status == status, failed.body
    assert failed.code == code
    generation = failed.headers.get("x-generation-id")
    if generation:
        row = server.request("GET", f"/v1/generation?id={generation}").json()["data"]
        assert row["total_cost"] == 0


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ["a"] * 2049}, "input"),
        ({"input": []}, "input"),
        ({"input": ""}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", 1]}, "input[1]"),
        ({"input": None}, "input"),
        ({"input": [-1]}, "input[0]"),
        ({"input": [{"content": [{"type": "text", "text": "a"}]}]}, "input[0]"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"stream": True}, "stream"),
        ({"messages": []}, "messages"),
        ({"base_url": "http://elsewhere"}, "base_url"),
        ({"model": 5}, "model"),
    ],
)
def test_requests_that_are_refused(
    server: RunningServer, fields: dict[str, Any], param: str
) -> None:
    refused = embed(server, **fields)
    assert refused.status == 400, refused.body
    assert refused.json()["error"]["param"] == param
    assert server.mock.requests == []


def test_the_page_the_description_and_the_gateway_have_the_same_fields(
    server: RunningServer,
) -> None:
    page = (ROOT / "docs/http-api.md").read_text(encoding="utf-8")
    section = page.partition("\n## Embeddings\n")[2].partition("\n## ")[0]
    schemas = openapi.document()["components"]["schemas"]
    described = schemas["EmbeddingsRequest"]["properties"]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(described)
    for name in described:
        refused = embed(server, **{name: {}})
        assert (refused.status, refused.code) == (400, "invalid_type"), name
        assert refused.json()["error"]["param"] == name
    assert described["max_cost"] == schemas["ChatRequest"]["properties"]["max_cost"]


def test_models_that_are_for_something_else(server: RunningServer) -> None:
    for model in (MODEL, "auto", "bytedance/seedream-4.5"):
        refused = embed(server, model=model)
        assert 400 <= refused.status < 500, model
        assert refused.json()["error"]["message"]
    chat = server.request("POST", "/v1/chat/completions", chat_body(model=EMBEDDER), PLAIN)
    assert 400 <= chat.status < 500
    assert server.mock.requests == []
    assert embed(server, model="nobody/nothing").code == "model_not_found"


def test_who_may_not_ask(server: RunningServer) -> None:
    body = b'{"model":"text-embedding-3-small","input":"a"}'
    without = server.request("POST", "/v1/embeddings", body, PLAIN, with_key=False)
    assert (without.status, without.code) == (401, "missing_api_key")
    assert server.request("GET", "/v1/embeddings").status == 405
    wrong = embed(server, headers={"Content-Type": "text/plain"})
    assert (wrong.status, wrong.code) == (415, "unsupported_media_type")
    large = embed(server, input="a" * (21 * 2**20))
    assert (large.status, large.code) == (413, "request_too_large")


def test_metrics_tell_them_apart(server: RunningServer) -> None:
    assert embed(server).status == 200
    text = server.request("GET", "/metrics").body.decode()
    assert re.search(
        r'^seekroute_http_requests_total\{[^}]*route="embeddings"[^}]*\} [1-9]', text, re.M
    )


@pytest.mark.parametrize("wish", [{"zdr": True}, {"data_collection": "deny"}])
def test_a_wish_for_privacy_at_the_top_is_kept(server: RunningServer, wish: dict[str, Any]) -> None:
    # Nothing is known of these providers: they keep no promise.
    for answer in (embed(server, model=TWO, **wish), server.chat(**wish)):
        assert answer.status == 404, answer.body
        assert answer.code == "no_matching_endpoint"
    assert embed(server, model=TWO).status == 200
