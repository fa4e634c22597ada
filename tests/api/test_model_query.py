"""The query of GET /v1/models, over rows made here."""

from __future__ import annotations

from typing import Any

import pytest

from seekroute.api.model_query import BadQueryError, ModelQuery

DAY = 86_400
NOW = 1_800_000_000


def _row(model_id: str, **fields: Any) -> dict[str, Any]:
    author, _, slug = model_id.partition("/")
    row = {
        "id": model_id,
        "name": slug.title(),
        "description": "",
        "owned_by": author,
        "created": NOW - 100 * DAY,
        "context_length": 8000,
        "architecture": {"input_modalities": ["text"], "output_modalities": ["text"]},
        "pricing": {"prompt": "0.000001", "completion": "0.000002"},
        "supported_parameters": ["temperature"],
        "providers": ["openai"],
    }
    return {**row, **fields}


ROWS = [
    _row("openai/small", created=NOW - 10 * DAY, supported_parameters=["temperature", "tools"]),
    _row(
        "openai/large",
        context_length=200_000,
        pricing={"prompt": "0.00001", "completion": "0.00003"},
        description="Thinks for long",
    ),
    _row(
        "meta/vision",
        architecture={"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        providers=["groq", "together"],
        created=0,
    ),
    _row(
        "acme/painter",
        architecture={"input_modalities": ["text"], "output_modalities": ["image"]},
        pricing={"prompt": "0", "completion": "0"},
        providers=["together"],
    ),
]


def _ids(query: str) -> list[str]:
    return [row["id"].partition("/")[2] for row in ModelQuery(query, now=NOW).page(ROWS).rows]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["small", "large", "vision", "painter"]),
        ("q=LONG+thinks", ["large"]),
        ("q=openai/", ["small", "large"]),
        ("supported_parameters=tools,temperature", ["small"]),
        ("input_modalities=image", ["vision"]),
        ("output_modalities=image", ["painter"]),
        ("output_modalities=all", ["small", "large", "vision", "painter"]),
        ("providers=together,Groq", ["vision", "painter"]),
        ("model_authors=openai,acme", ["small", "large", "painter"]),
        ("context=200000", ["large"]),
        ("context=200001", []),
        ("min_price=1", ["small", "large", "vision"]),
        ("max_price=1.0", ["small", "vision", "painter"]),
        ("min_output_price=2.000001", ["large"]),
        ("max_output_price=0", ["painter"]),
        ("min_age_days=50", ["large", "painter"]),
        ("max_age_days=10", ["small"]),
        ("sort=pricing-low-to-high", ["painter", "small", "vision", "large"]),
        ("sort=pricing-high-to-low", ["large", "small", "vision", "painter"]),
        ("sort=context-high-to-low", ["large", "small", "vision", "painter"]),
        ("sort=newest&model_authors=openai", ["small", "large"]),
        ("limit=1&offset=2", ["vision"]),
        ("q=", ["small", "large", "vision", "painter"]),
    ],
)
def test_each_parameter_does_what_it_says(query: str, expected: list[str]) -> None:
    assert _ids(query) == expected


def test_pages_follow_one_another_to_the_end() -> None:
    seen: list[str] = []
    query: str | None = "sort=pricing-low-to-high&limit=3"
    while query is not None:
        page = ModelQuery(query, now=NOW).page(ROWS)
        assert page.total == 4
        seen += [row["id"] for row in page.rows]
        query = page.next
    assert seen == ["acme/painter", "openai/small", "meta/vision", "openai/large"]


def test_a_page_without_a_limit_is_of_five_hundred() -> None:
    rows = [_row(f"a/m{i}") for i in range(501)]
    page = ModelQuery("offset=0").page(rows)
    assert len(page.rows) == 500
    assert page.next == "offset=500&limit=500"


@pytest.mark.parametrize(
    ("query", "param", "words"),
    [
        ("category=programming", "category", "no figures"),
        ("sort=most-popular", "sort", "pricing-low-to-high"),
        ("contxt=1", "contxt", "there are: context"),
        ("context=0", "context", "whole number from 1"),
        ("context=-1", "context", "whole number"),
        ("context=1e3", "context", "whole number"),
        ("limit=1001", "limit", "from 1 to 1000"),
        ("offset=\u0663", "offset", "whole number"),
        ("max_price=NaN", "max_price", "USD per million"),
        ("max_price=-1", "max_price", "USD per million"),
        ("input_modalities=smell", "input_modalities", "text, image"),
        ("q=a&q=b", "q", "twice"),
        ("&".join(f"x{i}=1" for i in range(60)), "", "at most 50"),
    ],
)
def test_nothing_wrong_is_ignored(query: str, param: str, words: str) -> None:
    with pytest.raises(BadQueryError, match=words) as caught:
        ModelQuery(query)
    assert caught.value.param == param


def test_an_empty_query_asks_for_nothing() -> None:
    assert not ModelQuery("")
    assert not ModelQuery("output_modalities=all")
    assert ModelQuery("limit=5")
