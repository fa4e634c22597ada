"""How long answers were decides what the next one is expected to cost, also after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from choosing import HARD, MIDDLE, STRONG, Choosing, choosing, settings_for
from seekroute.testing import MockProvider, Status, Text, Usage

LONG = Text("Long.", usage=Usage(100, 3000))


def offers(gateway: Choosing, **fields: Any) -> dict[str, Any]:
    """What a quote tells of the models that `auto` would choose from."""
    found = gateway.post("/v1/quote", HARD, **fields).json()["auto"]["models"]
    return {each["model"]: each for each in found}


def test_a_model_with_long_answers_is_dear(tmp_path: Path) -> None:
    with MockProvider() as mock:
        settings = settings_for(mock)
        with choosing(tmp_path, mock, **settings) as gateway:
            before = offers(gateway)
            assert {each["answer_tokens"] for each in before.values()} == {400}
            for _ in range(8):
                mock.queue(LONG)
                assert gateway.model(HARD, route="auto/quality") == STRONG
            after = offers(gateway)
            assert after[STRONG]["answer_tokens"] > 1500
            assert after[STRONG]["expected_usd"] > 3 * before[STRONG]["expected_usd"]
            # Nothing is known of the others but what they are like.
            assert 1000 < after[MIDDLE]["answer_tokens"] < after[STRONG]["answer_tokens"]
            # No longer than the request lets it be.
            assert offers(gateway, max_tokens=50)[STRONG]["answer_tokens"] == 50
        with choosing(tmp_path, mock, **settings) as gateway:
            assert offers(gateway)[STRONG]["answer_tokens"] == after[STRONG]["answer_tokens"]


def test_only_whole_answers_that_auto_chose_count(tmp_path: Path) -> None:
    with MockProvider() as mock, choosing(tmp_path, mock, **settings_for(mock)) as gateway:
        mock.queue(LONG)
        gateway.model(HARD, model=STRONG)  # it was named
        mock.queue(Status(400))
        assert gateway.post("/v1/chat/completions", HARD).status == 400
        assert offers(gateway)[STRONG]["answer_tokens"] == 400
        mock.queue(LONG)
        gateway.model(HARD)
        assert offers(gateway)[STRONG]["answer_tokens"] > 500
        # Of three answers each is a third.
        mock.queue(Text("Three.", usage=Usage(100, 3)))
        told = offers(gateway)[STRONG]["answer_tokens"]
        gateway.model(HARD, n=3)
        assert offers(gateway)[STRONG]["answer_tokens"] < told
