"""Prices of random use against exact fractions: what is charged is what was used, once."""

from __future__ import annotations

import copy
import math
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seekroute.gateway import price_usage

PROMPT = (
    "input",
    "cache_read",
    "cache_write",
    "cache_write_1h",
    "audio_input",
    "audio_cache_read",
    "image_input",
)
COMPLETION = ("output", "reasoning", "audio_output", "image_output")
EVERY = (*PROMPT, *COMPLETION, "per_image", "per_request")
TIERS = ("", "flex", "priority", "default")
BATCH = 25  # usages a table

counts = st.integers(-200_000, 300_000).map(lambda n: max(n, 0))  # zero is common
instants = st.integers(0, 4_000_000_000)


def plain(pico: int) -> str:
    """Pico-USD as the decimal of USD that a table holds."""
    return format(Decimal(pico).scaleb(-12), "f")


# --- tables ---------------------------------------------------------------------------------------

rate = st.integers(-(10**8), 10**9).map(lambda n: max(n, 0))
rates = st.lists(rate, min_size=len(EVERY), max_size=len(EVERY)).map(
    lambda picos: dict(zip(EVERY, map(plain, picos), strict=True))
)


@st.composite
def variants(draw: st.DrawFn, *, last: bool = False) -> dict[str, Any]:
    thresholds = sorted(draw(st.sets(st.integers(1, 400_000), max_size=3)))
    found = {
        "service_tier": "",
        "from": 0,
        "until": 0,
        "day_start": 0,
        "day_end": 0,
        "rates": draw(rates),
        "tiers": [{"above": above, "rates": draw(rates)} for above in thresholds],
    }
    if last:
        return found
    found["service_tier"] = draw(st.sampled_from(TIERS))
    if draw(st.booleans()):
        found["from"] = draw(instants)
    if draw(st.booleans()):
        found["until"] = found["from"] + draw(st.integers(1, 10**9))
    if draw(st.booleans()):
        found["day_start"], found["day_end"] = draw(st.tuples(*[st.integers(0, 1440)] * 2))
    return found


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "revision": draw(st.text("abc0-", max_size=8)),
        "markup_bps": draw(st.one_of(st.just(0), st.integers(-10_000, 20_000))),
        "variants": [*draw(st.lists(variants(), max_size=3)), draw(variants(last=True))],
    }


def holds(variant: dict[str, Any], now: int, service_tier: str) -> bool:
    """Whether a variant's conditions are met, by the calendar instead of by division."""
    moment = datetime.fromtimestamp(now, UTC)
    minutes = moment.hour * 60 + moment.minute
    start, end = variant["day_start"], variant["day_end"]
    hours = set(range(start, end)) if start <= end else set(range(1440)) - set(range(end, start))
    return (
        variant["service_tier"] in ("", service_tier)
        and now >= variant["from"]
        and (not variant["until"] or now < variant["until"])
        and (start == end or minutes in hours)
    )


def expected(table: dict[str, Any], use: dict[str, int], now: int, tier: str) -> dict[str, int]:
    """The charge for use that is known by class, in fractions."""
    index, variant = next((i, v) for i, v in enumerate(table["variants"]) if holds(v, now, tier))
    prompt = sum(use[name] for name in PROMPT)
    steps = [step for step in variant["tiers"] if prompt > step["above"]]
    step = max(steps, key=lambda s: s["above"], default={"above": 0, "rates": variant["rates"]})
    nano = {name: Fraction(text) * 10**9 for name, text in step["rates"].items()}
    cost = {name: nano[name] * use[name] for name in EVERY}
    all_of_it = sum(cost.values())
    return {
        "cost_nano": math.ceil(all_of_it * Fraction(10_000 + table["markup_bps"], 10_000)),
        "upstream_nano": math.ceil(all_of_it),
        "prompt_nano": math.ceil(sum(cost[name] for name in PROMPT)),
        "completion_nano": math.ceil(sum(cost[name] for name in (*COMPLETION, "per_image"))),
        "variant": index,
        "tier_above": step["above"],
    }


# --- use, and how providers write it --------------------------------------------------------------


def openai(use: dict[str, int]) -> dict[str, Any]:
    prompt, completion = (sum(use[name] for name in side) for side in (PROMPT, COMPLETION))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {
            "cached_tokens": use["cache_read"] + use["audio_cache_read"],
            "cached_tokens_details": {"audio_tokens": use["audio_cache_read"]},
            "cache_write_tokens": use["cache_write"] + use["cache_write_1h"],
            "cache_creation": {"ephemeral_1h_input_tokens": use["cache_write_1h"]},
            "audio_tokens": use["audio_input"] + use["audio_cache_read"],
            "image_tokens": use["image_input"],
        },
        "completion_tokens_details": {
            "reasoning_tokens": use["reasoning"],
            "audio_tokens": use["audio_output"],
            "image_tokens": use["image_output"],
        },
        "images": use["per_image"],
    }


def anthropic(use: dict[str, int]) -> dict[str, Any]:
    """The cache stands outside of the input. There is no audio."""
    for name in ("audio_input", "audio_cache_read", "audio_output", "image_output", "image_input"):
        use[name] = 0
    written = use["cache_write"] + use["cache_write_1h"]
    return {
        "input_tokens": use["input"],
        "cache_read_input_tokens": use["cache_read"],
        "cache_creation_input_tokens": written,
        "cache_creation": {
            "ephemeral_5m_input_tokens": use["cache_write"],
            "ephemeral_1h_input_tokens": use["cache_write_1h"],
        },
        "output_tokens": use["output"] + use["reasoning"],
        "output_tokens_details": {"thinking_tokens": use["reasoning"]},
        "images": use["per_image"],
    }


def deepseek(use: dict[str, int]) -> dict[str, Any]:
    """Hits and misses of the cache instead of a prompt."""
    usage = openai(use)
    prompt = usage.pop("prompt_tokens")
    hits = use["cache_read"] + use["audio_cache_read"]
    return usage | {"prompt_cache_hit_tokens": hits, "prompt_cache_miss_tokens": prompt - hits}


def xai(use: dict[str, int]) -> dict[str, Any]:
    """Reasoning stands outside of the completion, inside of the total."""
    usage = openai(use)
    return usage | {"completion_tokens": usage["completion_tokens"] - use["reasoning"]}


def gemini(use: dict[str, int]) -> dict[str, Any]:
    """Thoughts are in the total and nowhere else."""
    for name in ("cache_read", "audio_cache_read", "cache_write", "cache_write_1h"):
        use[name] = 0  # or a gap as large as they are would mean them
    usage = xai(use)
    del usage["completion_tokens_details"]["reasoning_tokens"]
    return usage


def cache_outside(use: dict[str, int]) -> dict[str, Any]:
    """Everything of the cache stands outside of the prompt, inside of the total."""
    use["reasoning"] = 0  # likewise
    usage = openai(use)
    details = usage["prompt_tokens_details"]
    outside = details["cached_tokens"] + details["cache_write_tokens"]
    return usage | {"prompt_tokens": usage["prompt_tokens"] - outside}


SPELLINGS = (openai, anthropic, deepseek, xai, gemini, cache_outside)
used = st.tuples(
    st.lists(counts, min_size=len(EVERY) - 1, max_size=len(EVERY) - 1),
    st.sampled_from(SPELLINGS),
    instants,
    st.sampled_from(TIERS),
)
LENIENT = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=700, **LENIENT)
@given(tables(), st.lists(used, min_size=BATCH, max_size=BATCH))
def test_what_was_used_is_charged_once(table: dict[str, Any], batch: list[Any]) -> None:
    for numbers, spelled, now, tier in batch:
        use = dict(zip(EVERY, [*numbers, 1], strict=True))
        usage = spelled(use)
        priced = price_usage(table, usage, now=now, service_tier=tier)
        assert priced.pop("classes") == use, spelled.__name__
        assert priced.pop("odd") is False
        assert priced == expected(table, use, now, tier)


# --- counts that contradict one another -----------------------------------------------------------

strange = st.one_of(st.integers(0, 100), st.none(), st.sampled_from([-1, 2**53 + 1, 1.5, "7", []]))
pieces = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": strange,
        "completion_tokens": strange,
        "total_tokens": strange,
        "input_tokens": strange,
        "output_tokens": strange,
        "cache_read_input_tokens": strange,
        "cache_creation_input_tokens": strange,
        "prompt_tokens_details": st.fixed_dictionaries(
            {},
            optional={
                "cached_tokens": strange,
                "audio_tokens": strange,
                "image_tokens": strange,
                "cached_tokens_details": st.fixed_dictionaries({"audio_tokens": strange}),
            },
        ),
        "completion_tokens_details": st.fixed_dictionaries(
            {}, optional={"reasoning_tokens": strange, "audio_tokens": strange}
        ),
        "cache_creation": st.fixed_dictionaries({"ephemeral_1h_input_tokens": strange}),
    },
)


def numbers_in(value: Any) -> list[int]:
    """Every count of a usage, however deep."""
    if isinstance(value, dict):
        return [n for inner in value.values() for n in numbers_in(inner)]
    return [value] if type(value) is int and 0 <= value <= 2**53 else []


@settings(max_examples=1000, **LENIENT)
@given(rates, st.lists(pieces, min_size=4, max_size=4))
def test_no_token_is_charged_twice_or_invented(rate: dict[str, str], batch: list[Any]) -> None:
    always = {"service_tier": "", "from": 0, "until": 0, "day_start": 0, "day_end": 0}
    table = {
        "revision": "",
        "markup_bps": 0,
        "variants": [{**always, "rates": rate, "tiers": []}],
    }
    dearest = max(Fraction(text) * 10**9 for text in rate.values())
    for usage in batch:
        before = copy.deepcopy(usage)
        priced = price_usage(table, usage, now=0)
        classes = priced["classes"]
        assert usage == before
        assert all(units >= 0 for units in classes.values())
        # Nobody can have used more than all the counts together say.
        tokens = sum(classes[name] for name in (*PROMPT, *COMPLETION))
        assert tokens <= sum(numbers_in(usage))
        prompt = usage.get("prompt_tokens")
        if not priced["odd"] and type(prompt) is int and "total_tokens" not in usage:
            assert sum(classes[name] for name in PROMPT) == prompt
        exact = sum(Fraction(rate[name]) * 10**9 * classes[name] for name in EVERY)
        assert priced["cost_nano"] == priced["upstream_nano"] == math.ceil(exact)
        assert exact <= (tokens + 1) * dearest


@settings(max_examples=300, **LENIENT)
@given(tables(), used, instants, st.integers(0, 30_000))
def test_a_markup_scales_and_changes_nothing_else(
    table: dict[str, Any], one: Any, now: int, markup: int
) -> None:
    numbers, spelled, _, tier = one
    usage = spelled(dict(zip(EVERY, [*numbers, 1], strict=True)))
    plain_table = {**table, "markup_bps": 0}
    without = price_usage(plain_table, usage, now=now, service_tier=tier)
    marked = price_usage({**table, "markup_bps": markup}, usage, now=now, service_tier=tier)
    assert without["cost_nano"] == without["upstream_nano"] == marked["upstream_nano"]
    assert marked["cost_nano"] >= without["cost_nano"]
    assert {**marked, "cost_nano": 0} == {**without, "cost_nano": 0}


# --- tables that are none -------------------------------------------------------------------------


def table_of(**changes: Any) -> dict[str, Any]:
    variant = {
        "service_tier": "",
        "from": 0,
        "until": 0,
        "day_start": 0,
        "day_end": 0,
        "rates": dict.fromkeys(EVERY, "0.5"),
        "tiers": [],
    }
    return {"revision": "r", "markup_bps": 0, "variants": [variant | changes]}


def without(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name != key}


GOOD = dict.fromkeys(EVERY, "0")


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (without(table_of(), "revision"), "revision: missing"),
        ({**table_of(), "revision": 3}, "revision: expected a string"),
        ({**table_of(), "revision": "r" * 65}, "revision: too long"),
        ({**table_of(), "markup_bps": 0.5}, "markup_bps: expected an integer"),
        ({**table_of(), "markup_bps": True}, "markup_bps: expected an integer"),
        ({**table_of(), "markup_bps": 2**40}, "markup_bps: out of range"),
        ({**table_of(), "markup_bps": -10_001}, "markup_bps: expected -10000"),
        ({**table_of(), "mark_up": 1}, "mark_up: unknown"),
        ({**table_of(), "variants": ()}, "variants: expected a list"),
        ({**table_of(), "variants": []}, "variants: expected at least one"),
        ({**table_of(), "variants": [7]}, r"variants\[0\]: expected a dict"),
        (table_of(tier="flex"), r"variants\[0\].tier: unknown"),
        (table_of(service_tier="flex"), r"variants\[0\]: the last variant must have no condition"),
        (table_of(rates=without(GOOD, "reasoning")), r"variants\[0\].rates.reasoning: missing"),
        (table_of(rates={**GOOD, "resoning": "1"}), r"variants\[0\].rates.resoning: unknown"),
        (table_of(rates={**GOOD, "input": 1}), r"variants\[0\].rates.input: expected a string"),
        (table_of(rates={**GOOD, "input": "1e-6"}), r"variants\[0\].rates.input: .*plain decimal"),
        (table_of(rates={**GOOD, "input": "0." + "1" * 13}), "more than 12 decimals"),
        (table_of(day_start=1441), r"variants\[0\].day_start: expected minutes"),
        (table_of(tiers=[{"above": 5}]), r"variants\[0\].tiers\[0\].rates: missing"),
        (table_of(tiers=[{"above": 0, "rates": GOOD}]), r"tiers\[0\].above: expected tiers"),
        (table_of(tiers=[{"above": 9, "rates": GOOD}] * 2), r"tiers\[1\].above: expected tiers"),
    ],
)
def test_a_table_that_is_none_is_refused_by_path(table: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^(?:.*{problem}|{problem})"):
        price_usage(table, {"prompt_tokens": 1}, now=0)


def test_a_usage_is_no_more_than_json() -> None:
    with pytest.raises(TypeError):
        price_usage(table_of(), {"prompt_tokens": object()}, now=0)
    with pytest.raises(ValueError, match="images: expected an integer"):
        price_usage(table_of(), {"images": "2"}, now=0)
