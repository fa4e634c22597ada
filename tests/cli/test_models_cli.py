"""`seekroute models list | search | show | check`."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import rich.console

from models_cli import CATALOG, clear, files_served, rows, run, table, write
from seekroute.testing import MockProvider

ENDPOINT = "{provider: openai, model: v, price: {input: '1'}}"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)


# --- list -----------------------------------------------------------------------------------------


def test_list_has_what_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    result = run("list")
    ids = [row[0] for row in table(result)]
    assert ids == [
        model.id
        for model in CATALOG.models
        if any(e.provider == "groq" and CATALOG.is_served(e) for e in model.endpoints)
    ]
    for _, context, price_in, price_out, providers, _ in table(result):
        assert int(context) > 0
        assert Decimal(price_in) < Decimal(price_out)
        assert providers == "groq"
    assert "USD per million tokens, no markup" in result.stderr
    assert "mock" not in result.stderr


def test_without_a_key_the_mock_serves_everything() -> None:
    result = run("list")
    assert len(table(result)) == len(CATALOG.models)
    assert "mock provider" in result.stderr


def test_list_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    found = rows(run("list", "--all", "--json"))
    assert [row["id"] for row in found] == [model.id for model in CATALOG.models]
    by_id = {row["id"]: row for row in found}
    assert by_id["openai/gpt-oss-120b"]["served"] is True
    assert by_id["openai/gpt-4o-mini"]["served"] is False
    assert len(by_id["openai/gpt-oss-120b"]["providers"]) > 5


def test_list_filters() -> None:
    def ids(*words: str) -> set[str]:
        return {row["id"] for row in rows(run("list", "--all", "--json", *words))}

    assert ids("--author", "openai") == {m.id for m in CATALOG.models if m.author == "openai"}
    assert ids("--provider", "groq") == {
        m.id for m in CATALOG.models if any(e.provider == "groq" for e in m.endpoints)
    }
    assert ids("--feature", "tools", "--feature", "reasoning") == {
        m.id for m in CATALOG.models if {"tools", "reasoning"} <= set(m.features)
    }
    assert ids("--image") == {m.id for m in CATALOG.models if m.is_image}
    assert ids("--embedding") == {m.id for m in CATALOG.models if m.is_embedding}
    free = ids("--free")
    assert {m.id for m in CATALOG.models if m.endpoints[0].free} <= free
    assert "openai/gpt-4o" not in free
    assert ids("--author", "nobody") == set()


def test_embedding_models_are_listed_by_their_dimensions() -> None:
    """Nobody pays for their answers, and they have no features."""
    found = {row[0]: row[1:] for row in table(run("list", "--embedding"))}
    assert found["openai/text-embedding-3-small"] == ["8191", "1536", "0.02", "openai"]
    assert {row[1] for row in found.values()} >= {"384", "768", "1024", "3072"}
    by_id = {row["id"]: row for row in rows(run("list", "--json"))}
    assert by_id["openai/text-embedding-3-small"]["dimensions"] == 1536
    assert by_id["openai/gpt-4o-mini"]["dimensions"] is None
    own = "{id: a/v, context: 512, output: [embedding], endpoints: [" + ENDPOINT + "]}"
    write(f"models: [{own}]\n")
    assert table(run("list", "--author", "a", "--embedding")) == [
        ["a/v", "512", "-", "1", "openai"]
    ]


def test_list_orders() -> None:
    def listed(order: str) -> list[dict[str, Any]]:
        return rows(run("list", "--json", "--sort", order))

    tokens = [row for row in listed("price") if row["per_image"] is None]
    totals = [Decimal(row["input"]) + Decimal(row["output"] or 0) for row in tokens]
    assert totals == sorted(totals)
    lengths = [row["context"] for row in listed("context")]
    assert lengths == sorted(lengths, reverse=True)
    days = [row["created"] or "0" for row in listed("newest")]
    assert days == sorted(days, reverse=True)
    names = [row["name"].casefold() for row in listed("name")]
    assert names == sorted(names)


def test_list_shows_prices_with_markup() -> None:
    write("catalog_overlay: mine.yaml\n")
    write("markup: {default: 1000, models: {openai/gpt-4o: 0}}\n", "mine.yaml")
    result = run("list", "--all", "--author", "openai")
    by_id = {row[0]: row for row in table(result)}
    assert by_id["openai/gpt-4o-mini"][2:4] == ["0.165", "0.66"]
    assert by_id["openai/gpt-4o"][2:4] == ["2.5", "10"]
    assert "your markup included" in result.stderr


def test_list_refuses_what_there_is_not() -> None:
    assert "did you mean groq" in run("list", "--provider", "grok", code=1).stderr
    run("list", "--sort", "beauty", code=2)
    run("list", "--feature", "smell", code=2)


def test_on_a_terminal_there_are_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    assert "┃" in run("list", "--author", "openai").stdout
    page = run("show", "gemini-2.5-pro").stdout
    assert "above 200000 prompt tokens" in page
    assert "no key: set GEMINI_API_KEY or GOOGLE_API_KEY" in page
    assert "┃" in page


@pytest.mark.parametrize(
    ("model", "dialect"),
    [
        ("openai/text-embedding-3-small", "openai-embeddings"),
        ("bytedance/seedream-4.5", "openai-images"),
        ("openai/gpt-4o-mini", "openai-chat"),
    ],
)
def test_show_names_the_protocol_in_which_a_model_is_asked(model: str, dialect: str) -> None:
    shown = json.loads(run("show", model, "--json").stdout)
    assert {each["dialect"] for each in shown["endpoints"]} == {dialect}


# --- search ---------------------------------------------------------------------------------------


def test_search_ranks() -> None:
    ids = [row[0] for row in table(run("search", "gpt-4o"))]
    assert ids[0] == "openai/gpt-4o"
    assert "openai/gpt-4o-mini" in ids
    assert rows(run("search", "GPT", "oss", "--json"))[0]["id"].startswith("openai/gpt-oss")
    assert len(table(run("search", "gpt", "--limit", "2"))) == 2
    assert "more: raise --limit" in run("search", "gpt", "--limit", "2").stderr


def test_search_looks_into_descriptions_last() -> None:
    price = "endpoints: [{provider: openai, model: m, free: true}], context: 9"
    write(
        "models:\n"
        f"  - {{id: a/one, description: Knows the zebrafish, {price}}}\n"
        f"  - {{id: a/two, name: The Zebrafish, {price}}}\n"
        f"  - {{id: a/three, aliases: [zebrafish], {price}}}\n"
    )
    assert [row[0] for row in table(run("search", "zebrafish"))] == ["a/three", "a/two", "a/one"]


def test_search_offers_close_names() -> None:
    result = run("search", "gtp-4o-mini", code=1)
    assert "openai/gpt-4o-mini" in [row[0] for row in table(result)]
    assert "nearly" in result.stderr
    found = rows(run("search", "gtp-4o-mini", "--json", code=1))
    assert {row["match"] for row in found} == {"close"}
    assert rows(run("search", "qqqqqqqqqqqqqqqq", "--json", code=1)) == []


# --- show -----------------------------------------------------------------------------------------

SHOWN = """
providers: {openai: {enabled: false}, groq: {api_key: k}}
catalog_overlay: mine.yaml
models:
  - id: acme/all
    aliases: [everything]
    context: 64000
    endpoints:
      - provider: groq
        model: acme-all
        context: 32000
        source: deepseek
        checked_on: 2026-11-01
        price:
          input: "2"
          output: "10"
          tiers: [{above: 16000, input: "4"}]
          variants:
            - {service_tier: flex, input: "1", tiers: []}
            - {hours: "16:30-00:30", valid_from: 2026-12-01, output: "5",
               tiers: [{above: 8000, output: "6"}]}
      - {provider: openai, model: acme-all, price: {input: "3", output: "9"}}
      - {provider: mistral, model: acme-all, free: true}
      - {provider: groq, model: other, free: true, dialect: anthropic-messages}
"""


def test_show_has_everything() -> None:
    write(SHOWN)
    write("markup: {providers: {groq: 5000}}\n", "mine.yaml")
    found = json.loads(run("show", "everything", "--json").stdout)
    assert found["id"] == "acme/all"
    assert found["aliases"] == ["all", "everything"]
    assert found["served_by"] == ["groq"]
    first, off, keyless, foreign = found["endpoints"]
    assert (first["served"], first["why_not"], first["context"]) == (True, None, 32000)
    assert (first["checked_on"], first["valid_from"]) == ("2026-11-01", "2026-09-10")
    assert first["source_title"].startswith("DeepSeek")
    assert first["markup_bps"] == 5000
    prices = {price["when"]: price["rates"] for price in first["prices"]}
    assert prices == {
        "always": {"input": "3", "output": "15"},
        "above 16000 prompt tokens": {"input": "6"},
        "tier flex": {"input": "1.5"},
        "16:30-00:30 UTC, from 2026-12-01": {"output": "7.5"},
        "16:30-00:30 UTC, from 2026-12-01, above 8000 prompt tokens": {"output": "9"},
    }
    assert off["why_not"] == "providers.openai.enabled is false"
    assert keyless["why_not"] == "no key: set MISTRAL_API_KEY"
    assert (keyless["free"], keyless["source"]) == (True, None)
    assert foreign["why_not"] == "its protocol anthropic-messages is not spoken yet"


def test_show_into_a_pipe() -> None:
    write(SHOWN)
    write("{}\n", "mine.yaml")
    lines = table(run("show", "acme/all"))
    assert ["context", "64000"] in lines
    assert ["endpoint", "groq", "acme-all", "context", "32000"] in lines
    assert ["price", "groq", "acme-all", "tier flex", "input", "1"] in lines
    assert ["price", "groq", "acme-all", "above 16000 prompt tokens", "input", "4"] in lines


def test_show_says_what_it_does_not_know() -> None:
    assert "did you mean openai/gpt-4o-mini" in run("show", "gpt-4o-mimi", code=1).stderr
    assert "seekroute models search" in run("show", "qqqqqqqqqqqqqqq", code=1).stderr


def test_show_knows_every_model() -> None:
    for model in CATALOG.models[::9]:
        found = json.loads(run("show", model.id, "--json").stdout)
        assert len(found["endpoints"]) == len(model.endpoints)
        assert found["served_by"] == ["mock"]


# --- check ----------------------------------------------------------------------------------------


def use(provider: MockProvider, *names: str, key: str = "k") -> None:
    one = f"{{base_url: '{provider.base_url}', api_key: {key}, allow_http: true}}"
    write("providers:\n" + "".join(f"  {name}: {one}\n" for name in names))


def at(provider: str) -> list[str]:
    return [e.model for m in CATALOG.models for e in m.endpoints if e.provider == provider]


def test_check_finds_nothing_wrong() -> None:
    with MockProvider(models=at("groq")) as provider:
        use(provider, "groq")
        count = len(set(at("groq")))
        assert table(run("check")) == [
            ["groq", "ok", f"{count} of our {count} are there, and 0 others"]
        ]


def test_check_finds_what_is_gone_and_what_is_new() -> None:
    gone, *rest = at("groq")
    with MockProvider(models=[*rest, "brand/new"]) as provider:
        use(provider, "groq")
        lines = table(run("check", code=1))
        assert [line[1] for line in lines] == ["ok", "gone"]
        assert lines[1][2].startswith(f"{gone} (")
        assert ["groq", "new", "brand/new"] in table(run("check", "--new", code=1))
        (found,) = rows(run("check", "--json", code=1))
        assert (found["gone"], found["new"]) == ([gone], ["brand/new"])
        assert found["state"] == "ok"


def test_check_tells_refusals_from_silence() -> None:
    with MockProvider(api_key="right", models=at("groq")) as provider:
        use(provider, "groq", key="wrong")
        (line,) = table(run("check", code=1))
        assert line[:2] == ["groq", "failed"]
        assert "refuses the key (401); is the key complete" in line[2]
        address = provider.base_url
    write(f"providers: {{groq: {{base_url: '{address}', api_key: k, allow_http: true}}}}\n")
    (found,) = rows(run("check", "--json", code=1))
    assert "cannot be reached" in found["problem"]
    assert found["hint"]
    assert found["gone"] == []


def test_a_provider_without_a_list_is_not_a_failure() -> None:
    with files_served() as port:
        address = f"http://127.0.0.1:{port}/v1"
        write(f"providers: {{groq: {{base_url: '{address}', api_key: k, allow_http: true}}}}\n")
        (line,) = table(run("check"))
        assert line[1] == "no list"


def test_check_asks_only_who_is_named() -> None:
    with MockProvider(models=[*at("groq"), *at("cerebras")]) as provider:
        use(provider, "groq", "cerebras")
        assert [line[0] for line in table(run("check", "--provider", "groq"))] == ["groq"]
        assert len(table(run("check"))) == 2
        said = run("check", "--provider", "openai", code=2).stderr
        assert "providers.openai: this provider is not on (set OPENAI_API_KEY)" in said
        assert "no such provider" in run("check", "--provider", "grok", code=2).stderr


def test_check_needs_a_provider() -> None:
    assert "no provider is on" in run("check", code=1).stderr


def test_show_tells_what_an_endpoint_is_routed_by(monkeypatch: pytest.MonkeyPatch) -> None:
    own = "quantization: fp8, region: eu, weight: 3, context: 4000, limits: {concurrent: 20}"
    Path("seekroute.yaml").write_text(
        "models:\n"
        "  - id: own/m\n"
        "    context: 8000\n"
        "    limits: {requests_per_minute: 60}\n"
        "    endpoints:\n"
        f"      - {{provider: openai, model: up, free: true, {own}}}\n"
        "      - {provider: groq, model: up, free: true}\n"
    )
    found = json.loads(run("show", "own/m", "--json").stdout)
    assert found["limits"] == {"requests_per_minute": 60}
    routed = [
        {name: each[name] for name in ("tag", "quantization", "region", "weight", "limits")}
        for each in found["endpoints"]
    ]
    assert routed == [
        {
            **{"tag": "openai/fp8-eu", "quantization": "fp8", "region": "eu"},
            **{"weight": 3, "limits": {"concurrent": 20}},
        },
        {
            **{"tag": "groq", "quantization": "unknown", "region": None},
            **{"weight": 1, "limits": {}},
        },
    ]
    assert ["endpoint", "openai", "up", "limits", "concurrent 20"] in table(run("show", "own/m"))
    plain = rich.console.Console
    monkeypatch.setattr(rich.console, "Console", lambda: plain(force_terminal=True, width=80))
    shown = run("show", "own/m").stdout
    assert "  tag openai/fp8-eu; quantization fp8; weight 3; region eu; context 4000" in shown
    assert "  limits concurrent 20" in shown
    assert "  tag groq" in shown
