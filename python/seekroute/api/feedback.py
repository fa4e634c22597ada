"""Ratings of answers, from which `model: "auto"` learns."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from seekroute.api.call import ApiAnswer, ApiCall, RefusedError, Sources, Unrated

__all__ = ["CATEGORIES", "MOST_COMMENT", "feedback", "generation_feedback"]

CATEGORIES: Final[Mapping[str, float | None]] = {
    "incorrect_response": 0.0,
    "incoherence": 0.0,
    "formatting": 0.0,
    "latency": None,
    "billing": None,
    "api_error": None,
    "other": None,
}
"""OpenRouter's, and what each says of how well the model did: nothing, where that is None."""

MOST_COMMENT: Final = 1000
_MOST_ID: Final = 200


def feedback(call: ApiCall, sources: Sources) -> ApiAnswer:
    """POST /feedback: how well a request was answered, 0 to 1."""
    given = _body(call, ("generation_id", "score", "comment"))
    score = given.get("score")
    if score is None:
        raise RefusedError("missing_required_parameter", "score: expected 0 to 1", "score")
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise RefusedError("invalid_type", "score: expected a number", "score")
    if not math.isfinite(score) or not 0 <= score <= 1:
        raise RefusedError("invalid_value", "score: expected 0 (bad) to 1 (good)", "score")
    score += 0  # of -0.0 it makes 0
    generation = _rate(call, sources, given, float(score))
    return _answer({"generation_id": generation, "score": score})


def generation_feedback(call: ApiCall, sources: Sources) -> ApiAnswer:
    """POST /generation/feedback: what was wrong with an answer, in OpenRouter's words."""
    given = _body(call, ("generation_id", "category", "comment"))
    category = given.get("category")
    if category is None:
        words = ", ".join(CATEGORIES)
        raise RefusedError(
            "missing_required_parameter", f"category: expected one of {words}", "category"
        )
    if not isinstance(category, str) or category not in CATEGORIES:
        words = ", ".join(CATEGORIES)
        raise RefusedError("invalid_value", f"category: expected one of {words}", "category")
    _rate(call, sources, given, CATEGORIES[category], category)
    return _answer({"data": {"success": True}})


def _rate(
    call: ApiCall,
    sources: Sources,
    given: Mapping[str, Any],
    score: float | None,
    category: str = "",
) -> str:
    generation, comment = _text(given, "generation_id", _MOST_ID), ""
    if not generation:
        raise RefusedError(
            "missing_required_parameter",
            "generation_id: expected the `id` of the answer",
            "generation_id",
        )
    if given.get("comment") is not None:
        comment = _text(given, "comment", MOST_COMMENT)
    if sources.ratings is None:
        raise RefusedError(
            "not_found",
            "this gateway takes no ratings: routing.auto.learning.enabled is off",
        )
    try:
        sources.ratings.rate(
            org=call.viewer.org,
            generation=generation,
            score=score,
            category=category,
            comment=comment,
        )
    except Unrated:
        raise RefusedError(
            "not_found",
            "there is no such generation of 'auto' that can be rated: it has not ended yet, is too "
            "old, or asked that its prompt not be kept",
            "generation_id",
        ) from None
    return generation


def _body(call: ApiCall, names: tuple[str, ...]) -> dict[str, Any]:
    try:
        found = json.loads(call.body)
    except (ValueError, RecursionError):
        raise RefusedError("invalid_json", "the body is no JSON") from None
    if not isinstance(found, dict):
        raise RefusedError("invalid_json", "the body is no JSON object")
    for name in found:
        if name not in names:
            raise RefusedError("unknown_parameter", f"expected {', '.join(names)} and nothing else")
    return found


def _text(given: Mapping[str, Any], name: str, most: int) -> str:
    text = given.get(name, "")
    if not isinstance(text, str):
        raise RefusedError("invalid_type", f"{name}: expected a string", name)
    if len(text) > most:
        raise RefusedError("invalid_value", f"{name}: expected at most {most} characters", name)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedError("invalid_unicode", f"{name}: it has half a character", name) from None
    return text


def _answer(value: Mapping[str, Any]) -> ApiAnswer:
    return ApiAnswer(json.dumps(value, separators=(",", ":")).encode())
