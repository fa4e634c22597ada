"""Tables of the client in a terminal: as wide as it is, or 80 columns, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import seekroute
from seekroute.client.spend.rollup import Rollup

MODELS = ["openai/gpt-4o", "openai/gpt-4o-2024-11-20", "deepseek/deepseek-chat"]
PROMPT = "What is the capital of France, and why is it that one and not another?"


def compared(client: seekroute.Client) -> Any:
    return client.compare(PROMPT, MODELS)


def used(client: seekroute.Client) -> Any:
    client.compare(PROMPT, MODELS)
    return client.usage()


def models(client: seekroute.Client) -> Any:
    return client.models.list()


def quoted(client: seekroute.Client) -> Any:
    return client.estimate(PROMPT, model=MODELS[0], max_tokens=100)


def routed(client: seekroute.Client) -> Any:
    return client.route(PROMPT, model=MODELS[0])


def summed(client: seekroute.Client) -> Any:
    return client.map([PROMPT], MODELS[0]).summary()


TABLES = [compared, used, models, quoted, routed, summed]


@pytest.mark.parametrize("columns", ["", "100", "200"])
@pytest.mark.parametrize("table", TABLES, ids=lambda each: each.__name__)
def test_a_table_is_as_wide_as_the_terminal(
    table: Callable[[seekroute.Client], Any], columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with seekroute.Client(mock="on") as client:
        shown = table(client)
        lines = str(shown).splitlines()
        bundle = getattr(shown, "_repr_mimebundle_", None)
        if bundle is not None:
            lines += bundle()["text/plain"].splitlines()
    assert max(map(len, lines)) <= int(columns or 80), "\n".join(lines)
    assert all(line == line.rstrip() for line in lines)


def test_numbers_stay_whole_and_words_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rollup = Rollup()
    for name in ("openai/gpt-4o", "somebody/a-model-with-a-rather-long-name"):
        rollup.add(name, ok=True, seconds=1.5, cost_nano=123_456_789_012, prompt_tokens=1_234_567)
    shown = str(rollup.usage())
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("123.456789012") == 2
    assert shown.count("1,234,567") == 2
    assert "somebody/a-model-with-a-rather-long-name" not in shown
    first = [line.split("  ")[0].strip() for line in shown.splitlines()]
    assert "somebody/a-model-with-a-rather-long-name" in "".join(first)
    monkeypatch.setenv("COLUMNS", "200")
    assert "│ somebody/a-model-with-a-rather-long-name │" in str(rollup.usage())
