"""The token estimate against counts of the real vocabulary."""

from __future__ import annotations

import hashlib
import json
import math
import random
import statistics
from typing import Any

import pytest

from checkout import ROOT
from seekroute.gateway import estimate_prompt, estimate_tokens
from token_texts import KINDS, LANGUAGES, TEXTS, Text
from vocabularies import VOCABULARIES, real_encoding

# What docs/tokens.md states for texts of a few hundred bytes.
MOST_OFF = 0.20
MEDIAN_OFF = 0.07


def off(text: Text) -> float:
    """Relative error of the estimate of a text."""
    return estimate_tokens(text.text.encode())[0] / text.tokens - 1


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_estimate_is_near(text: Text) -> None:
    tokens, upper = estimate_tokens(text.text.encode())
    assert abs(off(text)) <= MOST_OFF
    assert tokens <= upper <= len(text.text.encode())
    assert upper >= text.tokens


def test_errors_are_small_in_the_middle_and_even_out() -> None:
    assert statistics.median(abs(off(text)) for text in TEXTS) <= MEDIAN_OFF
    for texts in (LANGUAGES, KINDS):
        estimated = sum(estimate_tokens(text.text.encode())[0] for text in texts)
        assert math.isclose(estimated, sum(text.tokens for text in texts), rel_tol=0.06)


def test_four_bytes_a_token_would_not_pass() -> None:
    worst = max(abs(len(text.text.encode()) / 4 / text.tokens - 1) for text in TEXTS)
    assert worst > 3 * MOST_OFF


def test_invalid_bytes_and_nothing() -> None:
    assert estimate_tokens(b"") == (0, 0)
    noise = random.Random(5).randbytes(4096)
    tokens, upper = estimate_tokens(noise)
    assert 1024 < tokens <= upper <= len(noise)
    with pytest.raises(TypeError):
        estimate_tokens("text")  # type: ignore[arg-type]


def test_prompt_counts_text_not_json() -> None:
    text = LANGUAGES[0].text * 3
    messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
    tokens, upper = estimate_prompt(json.dumps({"model": "m", "messages": messages}).encode())
    assert tokens == estimate_tokens(text.encode())[0] + 7
    assert upper > tokens
    # The same words as escapes are the same words.
    cyrillic = next(text.text for text in LANGUAGES if text.name == "russian")
    request = {"messages": [{"role": "user", "content": cyrillic}]}
    escaped = estimate_prompt(json.dumps(request).encode())
    assert escaped == estimate_prompt(json.dumps(request, ensure_ascii=False).encode())


@pytest.fixture(scope="module")
def o200k() -> Any:
    """The real vocabulary, from the npm package that has it."""
    return real_encoding("o200k_base")


def test_counts_in_the_table_are_true(o200k: Any) -> None:
    wrong = {
        text.name: len(o200k.encode_ordinary(text.text))
        for text in TEXTS
        if len(o200k.encode_ordinary(text.text)) != text.tokens
    }
    assert not wrong


def test_bounds_hold_on_generated_texts(o200k: Any) -> None:
    # Mixtures no corpus has: cuts of all texts, of every length, one after the other.
    chance = random.Random(11)
    errors = []
    exceeded = 0
    for _ in range(1500):
        parts = []
        for _ in range(chance.randint(1, 12)):
            text = chance.choice(TEXTS).text
            start = chance.randrange(len(text))
            parts.append(text[start : start + chance.randint(1, 400)])
        mixed = chance.choice(["", " ", "\n", "\n\n"]).join(parts)
        true = len(o200k.encode_ordinary(mixed))
        tokens, upper = estimate_tokens(mixed.encode())
        exceeded += true > upper
        if len(mixed.encode()) >= 1024:
            errors.append(abs(tokens / true - 1))
    assert exceeded <= 1
    assert statistics.median(errors) <= 0.05
    assert max(errors) <= MOST_OFF


def test_source_of_this_package_is_estimated_within_a_few_percent(o200k: Any) -> None:
    errors = {}
    for path in sorted((ROOT / "python/seekroute").rglob("*.py")):
        raw = path.read_bytes()
        if len(raw) >= 1024:
            true = len(o200k.encode_ordinary(raw.decode()))
            errors[path.name] = abs(estimate_tokens(raw)[0] / true - 1)
    assert len(errors) > 20
    assert statistics.median(errors.values()) <= 0.05
    assert max(errors.values()) <= 0.15, errors


def test_vocabulary_is_the_published_one() -> None:
    path = VOCABULARIES / "o200k_base.tiktoken"
    if not path.exists():
        pytest.skip(f"{path} is absent: run `npm ci` in tests/node")
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    assert checksum == "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
