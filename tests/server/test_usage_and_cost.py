"""Cost on the wire and in the record, from any provider's spelling of its usage."""

from __future__ import annotations

import copy
import json
import queue
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT
from seekroute.config.catalog import Price, Tier
from seekroute.config.prices import price_table
from seekroute.gateway import price_usage
from seekroute.server.logs import json_line
from seekroute.testing import Image, Raw
from serving import MODEL, PATIENCE, Answer, RunningServer, running_server

DOCS = ROOT / "docs" / "usage-and-cost.md"
NANO = Decimal("1e-9")
IMAGES = "acme/painter"


def table() -> dict[str, Any]:
    """5.5 % markup; flex at half of the price; a tier above 1000 tokens of prompt."""
    long = Tier(above=1000, input="6", output="22.5", cache_read="0.6")
    price = Price(input="3", cache_read="0.3", cache_write="3.75", output="15", tiers=(long,))
    base = price_table(price, 0, "")
    flex = copy.deepcopy(base["variants"][0])
    flex["service_tier"] = "flex"
    for name, rate in flex["rates"].items():
        flex["rates"][name] = format(Decimal(rate) / 2, "f")
    return {"revision": "2026-11-20.a1", "markup_bps": 550, "variants": [flex, *base["variants"]]}


def priced(server: RunningServer, model: str, price: dict[str, Any]) -> dict[str, Any]:
    """The server's snapshot with another price of one model."""
    snapshot = server.snapshot()
    row = next(row for row in snapshot["models"] if row["id"] == model)
    for candidate in row["candidates"]:
        candidate["price"] = price
    return snapshot


@dataclass
class Priced:
    """A gateway whose MODEL has the table above, and how its exchanges ended."""

    server: RunningServer
    records: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def answer(self, usage: Any, *, stream: bool, **extra: Any) -> tuple[Answer, Any]:
        """One chat whose provider answers with this usage object."""
        self.server.mock.reset()
        self.server.mock.queue(reply(usage, stream=stream, **extra))
        answer = self.server.chat(stream=stream)
        return answer, self.records.get(timeout=PATIENCE)


def reply(usage: Any, *, stream: bool, **extra: Any) -> Raw:
    """An answer of a provider, byte for byte."""
    base = {"id": "x", "created": 1, "model": "m", **extra}
    if not stream:
        choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}}
        choices = [{**choice, "finish_reason": "stop"}]
        whole = {**base, "object": "chat.completion", "choices": choices, "usage": usage}
        body = json.dumps(whole).encode()
        head = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        return Raw([("head", 200, head), ("send", body)])
    first = {"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = [
        {**base, "choices": [first]},
        {**base, "choices": [last]},
        {**base, "choices": [], "usage": usage},
    ]
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    return Raw([("head", 200, {"Content-Type": "text/event-stream"}), ("send", text.encode())])


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Priced]:
    with running_server(tmp_path_factory.mktemp("cost")) as server:
        server.gateway.core.install(priced(server, MODEL, table()))
        made = Priced(server)
        server.gateway.on_record(made.records.put)
        yield made


def usage_told(answer: Answer) -> dict[str, Any]:
    """The usage a client reads, with exact numbers."""
    assert answer.status == 200
    text = answer.body.decode()
    if answer.headers["content-type"] == "text/event-stream":
        text = text.split("\n\n")[-3].removeprefix("data: ")
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)["usage"]
    return found


# Usage, as written; prompt and completion as told; cost of both parts in nano-USD.
SPELLED = {
    "openai": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 110,
            "prompt_tokens_details": {"cached_tokens": 90},
        },
        (100, 10),
        (10 * 3000 + 90 * 300, 150_000),
    ),
    "openrouter": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 70},
            "cost": 123,
        },
        (100, 10),
        (10 * 3000 + 20 * 300 + 70 * 3750, 150_000),
    ),
    "anthropic": (
        {
            "input_tokens": 10,
            "cache_read_input_tokens": 20,
            "cache_creation_input_tokens": 70,
            "output_tokens": 10,
        },
        (100, 10),
        (10 * 3000 + 20 * 300 + 70 * 3750, 150_000),
    ),
    "deepseek": (
        {"prompt_cache_hit_tokens": 90, "prompt_cache_miss_tokens": 10, "completion_tokens": 10},
        (100, 10),
        (10 * 3000 + 90 * 300, 150_000),
    ),
    "xai": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 2,
            "total_tokens": 110,
            "completion_tokens_details": {"reasoning_tokens": 8},
        },
        (100, 10),
        (300_000, 150_000),
    ),
    "gemini": (
        {"prompt_tokens": 100, "completion_tokens": 2, "total_tokens": 110},
        (100, 10),
        (300_000, 150_000),
    ),
    "long": (
        {"prompt_tokens": 1001, "completion_tokens": 1},
        (1001, 1),
        (1001 * 6000, 22_500),
    ),
    "zero": ({"prompt_tokens": 0, "completion_tokens": 0}, (0, 0), (0, 0)),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", SPELLED)
def test_every_spelling_is_charged_exactly(gateway: Priced, name: str, stream: bool) -> None:
    usage, tokens, (prompt, completion) = SPELLED[name]
    answer, record = gateway.answer(usage, stream=stream)
    told = usage_told(answer)
    assert (told["prompt_tokens"], told["completion_tokens"]) == tokens
    assert told["total_tokens"] == sum(tokens)
    upstream = prompt + completion
    charged = -(-upstream * 10_550 // 10_000)
    assert Decimal(told["cost"]) == charged * NANO
    assert {k: Decimal(v) for k, v in told["cost_details"].items()} == {
        "upstream_inference_cost": upstream * NANO,
        "upstream_inference_prompt_cost": prompt * NANO,
        "upstream_inference_completions_cost": completion * NANO,
    }
    assert (record.cost_nano, record.upstream_cost_nano) == (charged, upstream)
    assert (record.prompt_tokens, record.completion_tokens) == tokens
    assert record.price_revision == "2026-11-20.a1"
    assert (record.estimated, record.usage_odd, record.service_tier) == (False, False, "")
    assert record.cache_write_tokens == (70 if name in ("openrouter", "anthropic") else 0)
    # Known before the head only where the whole answer was.
    if stream:
        assert "x-seekroute-cost" not in answer.headers
    else:
        assert Decimal(answer.headers["x-seekroute-cost"]) == charged * NANO
    # Reasoning that providers count apart is told where OpenAI's clients look for it.
    if name in ("xai", "gemini"):
        assert told["completion_tokens_details"]["reasoning_tokens"] == 8
        assert record.reasoning_tokens == 8


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("tier", "halved"), [("flex", True), ("default", False), (None, False)])
def test_the_answers_tier_decides(
    gateway: Priced, stream: bool, tier: str | None, halved: bool
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    answer, record = gateway.answer(usage, stream=stream, service_tier=tier)
    upstream = 450_000 // (2 if halved else 1)
    assert record.upstream_cost_nano == upstream
    assert record.service_tier == (tier or "")
    told = usage_told(answer)
    assert Decimal(told["cost"]) * 10**9 == record.cost_nano == -(-upstream * 10_550 // 10_000)
    if not stream:
        assert answer.json()["service_tier"] == tier


def test_numbers_have_no_exponent(gateway: Priced) -> None:
    answer, _ = gateway.answer({"prompt_tokens": 1, "completion_tokens": 0}, stream=False)
    assert b'"cost":0.000003165,' in answer.body
    assert b'"upstream_inference_cost":0.000003,' in answer.body
    assert b'"upstream_inference_completions_cost":0}' in answer.body


def test_the_example_of_the_documentation(gateway: Priced) -> None:
    block = re.search(r"```json\n(.+?)```", DOCS.read_text(), re.DOTALL)
    assert block
    shown = json.loads(block[1], parse_float=Decimal)["usage"]
    usage = {k: v for k, v in shown.items() if not k.startswith("cost")}
    answer, _ = gateway.answer(usage, stream=True)
    assert usage_told(answer) == shown


def test_a_provider_that_ignores_its_cap_is_counted_and_recorded(gateway: Priced) -> None:
    mock = gateway.server.mock
    mock.reset()
    mock.queue(reply({"prompt_tokens": 10, "completion_tokens": 20_000}, stream=False))
    assert gateway.server.chat(max_tokens=1).status == 200
    record = gateway.records.get(timeout=PATIENCE)
    assert record.cap_ignored
    assert mock.requests[-1].json["max_completion_tokens"] == 1
    assert "max_tokens" not in mock.requests[-1].json
    text = gateway.server.request("GET", "/metrics").body.decode()
    labels = '{model="openai/gpt-4o-mini",provider="mock"}'
    assert f"seekroute_cap_ignored_total{labels} 1.0" in text
    assert f"seekroute_endpoint_ignores_cap{labels} 1.0" in text
    line = json.loads(json_line(record, "2026-11-29T12:00:00.000Z"))
    assert (line["level"], line["cap_ignored"], line["status"]) == ("warning", True, 200)


def test_contradictions_are_charged_low_and_recorded(gateway: Priced) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "cached_tokens": 1000}
    answer, record = gateway.answer(usage, stream=False)
    told = json.loads(answer.body)["usage"]
    assert told["prompt_tokens_details"] == {"cached_tokens": 10}
    assert told["reported"]["prompt_tokens_details"] == {"cached_tokens": 1000}
    assert record.cached_tokens == 10
    assert record.usage_odd
    assert not record.estimated
    assert record.upstream_cost_nano == 10 * 300


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_function_for_python_prices_as_the_gateway(gateway: Priced, stream: bool) -> None:
    usage: dict[str, Any] = {
        "prompt_tokens": 1200,
        "completion_tokens": 345,
        "total_tokens": 1611,
        "prompt_tokens_details": {"cached_tokens": 700, "audio_tokens": 11},
        "completion_tokens_details": {"reasoning_tokens": 66},
    }
    _, record = gateway.answer(usage, stream=stream, service_tier="flex")
    same = price_usage(table(), usage, now=record.created, service_tier="flex")
    assert (record.cost_nano, record.upstream_cost_nano) == (
        same["cost_nano"],
        same["upstream_nano"],
    )


def test_images_pay_by_the_piece(tmp_path: Path) -> None:
    endpoint = {"provider": "openai", "model": "up", "price": {"per_image": "0.03"}}
    model = {"id": IMAGES, "context": 1000, "output": ["image"], "endpoints": [endpoint]}
    with running_server(tmp_path, models=[model]) as server:
        server.mock.queue(Image())
        told = usage_told(server.chat(model=IMAGES))
    assert told["cost"] == Decimal("0.03")
    assert told["cost_details"]["upstream_inference_completions_cost"] == Decimal("0.03")
    assert told["cost_details"]["upstream_inference_prompt_cost"] == 0


@pytest.mark.parametrize(
    ("profile", "cost", "details"),
    [("seekroute", True, True), ("solrouter", True, False), ("router9", False, False)],
)
def test_profiles_choose_what_is_told(
    gateways: Any, profile: str, cost: bool, details: bool
) -> None:
    for stream in (False, True):
        told = usage_told(gateways(profile).chat(stream=stream))
        assert ("cost" in told) == cost
        assert ("cost_details" in told) == details


def test_a_model_without_price_is_not_sold(gateway: Priced) -> None:
    server = gateway.server
    snapshot = server.snapshot()
    row = next(row for row in snapshot["models"] if row["id"] == MODEL)
    del row["candidates"][0]["price"]
    with pytest.raises(ValueError, match=rf"^models\.{MODEL}\.candidates\.0\.price: missing"):
        server.gateway.core.install(snapshot)
    misspelled = table()
    misspelled["variants"][1]["rates"]["ouput"] = "0"
    with pytest.raises(ValueError, match=r"candidates\.0\.price\.variants\[1\]\.rates\.ouput"):
        server.gateway.core.install(priced(server, MODEL, misspelled))
