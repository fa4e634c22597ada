"""Prices: what a file may say, what falls back on what, and the table that the core takes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seekroute.config import packaged_catalog
from seekroute.config.catalog import Catalog, Markup, Price, load_catalog
from seekroute.config.prices import endpoint_table, price_table, revision_of, sold_at
from seekroute.errors import ConfigError, Problem

HEAD = """
version: 1
sources:
  s: {title: S, url: "https://s", checked_on: 2026-01-02, valid_from: 2026-01-01}
providers:
  one: {base_url: "https://one.example.com/v1", env: [ONE_KEY]}
models:
"""
UNITS = [
    *("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning"),
    *("audio_input", "audio_output", "audio_cache_read", "image_input", "image_output"),
    *("per_request", "per_image"),
]


def row(price: str, *, more: str = "", fields: str = "") -> str:
    endpoint = f"{{provider: one, model: m, price: {price}{more}}}"
    return f"{HEAD}  - {{id: a/m, context: 9, {fields} endpoints: [{endpoint}]}}\n"


def price_of(text: str) -> Price:
    return load_catalog(row(text)).models[0].endpoints[0].price


def refused(text: str) -> dict[str, Problem]:
    with pytest.raises(ConfigError) as caught:
        load_catalog(text)
    return {problem.path: problem for problem in caught.value.problems}


def base(price: Price) -> dict[str, str]:
    found: dict[str, str] = price_table(price, 0, "r")["variants"][-1]["rates"]
    return found


# --- fall-backs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_prices", "expected"),
    [
        ({}, {"cache_read": "2", "cache_write": "2", "cache_write_1h": "2", "reasoning": "8"}),
        ({}, {"audio_input": "2", "audio_output": "8", "image_input": "2", "image_output": "8"}),
        ({}, {"audio_cache_read": "2", "per_request": "0", "per_image": "0"}),
        ({"cache_write": "2.5"}, {"cache_write_1h": "2.5", "cache_read": "2"}),
        ({"cache_write_1h": "4"}, {"cache_write_1h": "4", "cache_write": "2"}),
        ({"cache_read": "0.2"}, {"audio_cache_read": "0.2"}),
        ({"cache_read": "0.2", "audio_input": "9"}, {"audio_cache_read": "9"}),
        ({"audio_input": "9", "audio_cache_read": "1"}, {"audio_cache_read": "1"}),
        ({"cache_read": "0", "reasoning": "0"}, {"cache_read": "0", "reasoning": "0"}),
        ({"image_output": "120"}, {"image_output": "120", "output": "8"}),
    ],
)
def test_what_is_not_given_falls_back(
    given_prices: dict[str, str], expected: dict[str, str]
) -> None:
    rates = base(Price(input="2", output="8", **given_prices))
    assert list(rates) == UNITS
    for unit, price in expected.items():
        scale = 0 if unit.startswith("per_") else 6
        assert Decimal(rates[unit]).scaleb(scale) == Decimal(price), unit


def test_units_are_charged_per_piece() -> None:
    rates = base(Price(per_request="0.0050", per_image="0.04"))
    assert (rates["per_request"], rates["per_image"], rates["input"]) == ("0.005", "0.04", "0")


# --- tiers and variants -----------------------------------------------------------------------

FULL = """{input: "2", output: "8", cache_read: "0.5", per_request: "0.01",
  tiers: [{above: 1000, input: "4"}, {above: 5000, input: "6", output: "20", cache_read: "1"}],
  variants: [
    {service_tier: flex, valid_from: 2026-07-01, valid_until: 2026-09-01, input: "1", output: "4",
     tiers: [{above: 1000, output: "5"}]},
    {hours: "16:30-00:30", input: "1.5", tiers: []},
    {hours: "05:00-24:00", output: "7", tiers: []}]}"""


def test_a_whole_table() -> None:
    table = price_table(price_of(FULL), 250, "rev")
    assert (table["revision"], table["markup_bps"]) == ("rev", 250)
    flex, night, day, plain = table["variants"]
    july, september = (int(datetime(2026, m, 1, tzinfo=UTC).timestamp()) for m in (7, 9))
    assert [flex[k] for k in ("service_tier", "from", "until")] == ["flex", july, september]
    assert (flex["day_start"], flex["day_end"]) == (0, 0)
    assert (night["day_start"], night["day_end"]) == (16 * 60 + 30, 30)
    # The end of the day is its beginning, as in any window past midnight.
    assert (day["day_start"], day["day_end"]) == (300, 0)
    assert [plain[k] for k in ("service_tier", "from", "until", "day_start", "day_end")] == [
        *("", 0, 0, 0, 0)
    ]
    assert (flex["rates"]["input"], flex["rates"]["cache_read"]) == ("0.000001", "0.0000005")
    assert (flex["rates"]["reasoning"], flex["rates"]["per_request"]) == ("0.000004", "0.01")
    (only,) = flex["tiers"]
    assert (only["above"], only["rates"]["input"], only["rates"]["output"]) == (
        *(1000, "0.000001"),
        "0.000005",
    )
    assert night["tiers"] == []
    low, high = plain["tiers"]
    assert (low["rates"]["input"], low["rates"]["output"]) == ("0.000004", "0.000008")
    assert (low["rates"]["cache_read"], low["rates"]["cache_write"]) == ("0.0000005", "0.000004")
    assert (high["rates"]["reasoning"], high["rates"]["cache_read"]) == ("0.00002", "0.000001")


@pytest.mark.parametrize(
    ("price", "path", "words"),
    [
        ('variants: [{input: "1"}]', "variants.0", "expected a condition"),
        ("variants: [{service_tier: flex}]", "variants.0", "at least one price"),
        ("tiers: [{above: 5}]", "tiers.0", "at least one price"),
        ('tiers: [{above: 0, input: "1"}]', "tiers.0.above", "more than 0"),
        ('tiers: [{above: 5, input: "1"}, {above: 4, input: "1"}]', "tiers", "rising"),
        ('variants: [{hours: "25:00-01:00", input: "1"}]', "variants.0.hours", "hours such as"),
        ('variants: [{hours: "01:00-01:00", input: "1"}]', "variants.0.hours", "two different"),
        ('variants: [{hours: "00:00-24:00", input: "1"}]', "variants.0.hours", "two different"),
        ('variants: [{hours: "1:00-2:00", input: "1"}]', "variants.0.hours", "hours such as"),
        (
            'variants: [{valid_from: 2026-02-01, valid_until: 2026-02-01, input: "1"}]',
            *("variants.0", "valid_until after valid_from"),
        ),
        ('variants: [{service_tier: "Flex!", input: "1"}]', "variants.0.service_tier", "lower"),
        ("variants: [{service_tier: x, input: 0.5}]", "variants.0.input", "in quotes"),
        (
            'variants: [{hours: "01:00-02:00", input: "1"}, {hours: "01:00-02:00", input: "2"}]',
            *("", "same conditions"),
        ),
        (
            'tiers: [{above: 5, input: "2"}], variants: [{hours: "01:00-02:00", input: "1"}]',
            *("", "does not say its own"),
        ),
        ('cache_raed: "1"', "cache_raed", "unknown key"),
        ('cache_write_1h: "0.1234567"', "cache_write_1h", "at most 6 decimals"),
        ('reasoning: "-1"', "reasoning", "negative"),
    ],
)
def test_prices_that_make_no_sense(price: str, path: str, words: str) -> None:
    problems = refused(row(f'{{input: "1", output: "1", {price}}}'))
    at = "models.0.endpoints.0.price" + ("." + path if path else "")
    assert set(problems) == {at}
    assert words in problems[at].message
    assert problems[at].where.startswith("catalog.yaml:")


def test_a_price_of_less_than_nothing_is_nothing() -> None:
    for zero in ("-0", "-0.00"):
        assert price_of(f'{{input: "{zero}", output: "1"}}').input == "0"


def test_hints_name_what_was_meant_deep_inside() -> None:
    text = row('{input: "1", output: "1", variants: [{servicetier: flex, input: "1"}]}')
    problem = refused(text)["models.0.endpoints.0.price.variants.0.servicetier"]
    assert problem.hint == "did you mean service_tier?"


# --- free and unknown -------------------------------------------------------------------------


def test_a_price_nobody_knows_is_refused() -> None:
    assert "required" in refused(row('{input: "1"}'))["models.0.endpoints.0.price.output"].message
    missing = f"{HEAD}  - {{id: a/m, context: 9, endpoints: [{{provider: one, model: m}}]}}\n"
    problem = refused(missing)["models.0.endpoints.0.price"]
    assert problem.hint == "or write free: true"


@pytest.mark.parametrize("where", ["endpoint", "model"])
def test_free_is_said_not_guessed(where: str) -> None:
    if where == "endpoint":
        text = row("{}", more=", free: true")
    else:
        text = row("{}", fields="free: true,")
    catalog = load_catalog(text)
    table = endpoint_table(catalog, catalog.models[0], catalog.models[0].endpoints[0])
    assert set(table["variants"][0]["rates"].values()) == {"0"}


def test_what_is_free_charges_nothing() -> None:
    price = '{input: "0", output: "0.0", variants: [{service_tier: x, input: "1"}]}'
    problems = refused(row(price, more=", free: true"))
    assert set(problems) == {"models.0.endpoints.0.price.variants.0.input"}


# --- dialects ---------------------------------------------------------------------------------


def test_dialects_come_from_a_closed_list() -> None:
    prices = '{input: "1", output: "1"}'
    assert "dialect" in str(refused(row(prices, more=", dialect: telnet")))
    catalog = load_catalog(row(prices, more=", dialect: anthropic-messages"))
    assert not catalog.is_served(catalog.models[0].endpoints[0])
    text = row(prices).replace("env: [ONE_KEY]", "env: [ONE_KEY], dialect: google-generate")
    catalog = load_catalog(text)
    assert not catalog.is_served(catalog.models[0].endpoints[0])
    catalog = load_catalog(text.replace("model: m,", "model: m, dialect: openai-chat,"))
    assert catalog.is_served(catalog.models[0].endpoints[0])


# --- markup and revision ----------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.decimals(min_value=0, max_value=10, places=12, allow_nan=False),
    st.integers(-10_000, 1_000_000),
)
def test_a_markup_is_exact(rate: Decimal, markup: int) -> None:
    sold = sold_at(format(rate, "f"), markup)
    assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", sold)
    whole = int(rate.scaleb(12)) * (10_000 + markup)
    assert int(Decimal(sold).scaleb(16)) == whole


def test_a_markup_below_everything_is_refused() -> None:
    assert sold_at("0.5", -10_000) == "0"
    with pytest.raises(ValueError, match="10000 basis points"):
        price_table(Price(input="1", output="1"), -10_001, "r")


def test_the_most_specific_markup_wins() -> None:
    markup = Markup(
        default=1,
        providers={"p": 2},
        models={"a/*": 3, "a/m*": 4, "a/m": 5, "*/m2": 6, "a/?2": 7},
    )
    asked = [("a/m", "p"), ("a/mm", "p"), ("a/x", "p"), ("b/x", "p"), ("b/x", "q"), ("b/m2", "p")]
    assert [markup.of(*names) for names in asked] == [5, 4, 3, 2, 1, 6]
    # Equally long patterns: always the same one.
    assert markup.of("a/m2", "p") == 6


def test_a_table_has_the_catalog_s_markup() -> None:
    found = packaged_catalog()
    marked = Catalog(found.providers, found.models, found.sources, Markup(providers={"groq": 70}))
    model = marked.get("openai/gpt-oss-120b")
    tables = {e.provider: endpoint_table(marked, model, e) for e in model.endpoints}
    assert tables["groq"]["markup_bps"] == 70
    assert tables["nebius"]["markup_bps"] == 0
    plain = endpoint_table(found, model, model.endpoints[0])
    assert tables["groq"]["variants"] == plain["variants"]


def test_a_revision_names_a_price() -> None:
    def revision(price: str, *, more: str = "") -> str:
        catalog = load_catalog(row(price, more=more))
        return revision_of(catalog.models[0].endpoints[0], catalog.sources)

    one = revision('{input: "1", output: "2"}')
    assert one == revision('{output: "2", input: "1"}')
    assert one != revision('{input: "1", output: "2", cache_read: "1"}')
    assert one != revision('{input: "1", output: "2", tiers: [{above: 5, input: "1"}]}')
    sourced = revision('{input: "1", output: "2"}', more=", source: s")
    assert sourced == f"2026-01-02-{one}"
    checked = revision('{input: "1", output: "2"}', more=", source: s, checked_on: 2026-03-04")
    assert checked == f"2026-03-04-{one}"


def test_every_packaged_price_has_a_complete_table() -> None:
    catalog = packaged_catalog()
    seen: dict[str, Any] = {}
    for model in catalog.models:
        for endpoint in model.endpoints:
            table = endpoint_table(catalog, model, endpoint)
            last = table["variants"][-1]
            conditions = ("service_tier", "from", "until", "day_start", "day_end")
            assert not any(last[key] for key in conditions)
            for variant in table["variants"]:
                bounds = [tier["above"] for tier in variant["tiers"]]
                assert bounds == sorted(set(bounds))
                for rates in (variant["rates"], *(tier["rates"] for tier in variant["tiers"])):
                    assert list(rates) == UNITS
                    for rate in rates.values():
                        assert len(rate.partition(".")[2]) <= 12, endpoint
                        assert "e" not in rate.lower()
            # One revision, one price.
            assert seen.setdefault(table["revision"], table["variants"]) == table["variants"]


def test_packaged_prices_by_tier_hour_date_and_modality() -> None:
    catalog = packaged_catalog()
    table = price_table(catalog.get("deepseek/deepseek-chat").endpoints[0].price, 0, "")
    assert [(v["day_start"], v["day_end"]) for v in table["variants"]] == [
        (240, 360),
        (600, 60),
        (0, 0),
    ]
    assert {Decimal(v["rates"]["input"]) * 2 for v in table["variants"][:2]} == {
        Decimal(table["variants"][2]["rates"]["input"])
    }
    tiers = {v.service_tier for v in catalog.get("openai/gpt-5").endpoints[0].price.variants}
    assert {"flex", "priority"} <= tiers
    coming = catalog.get("google/gemini-3.8-flash").endpoints[0].price.variants
    assert [str(v.valid_from) for v in coming] == ["2027-01-01"]
    haiku = catalog.get("anthropic/claude-haiku-4-5").endpoints[0].price
    assert (haiku.cache_write, haiku.cache_write_1h) == ("1.25", "2")
    flash = catalog.get("google/gemini-2.5-flash").endpoints[0].price
    assert (flash.audio_input, flash.audio_cache_read) == ("1", "0.1")
    assert catalog.get("google/gemini-3-pro-image-preview").endpoints[0].price.image_output == "120"
