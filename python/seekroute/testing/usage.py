"""Usage shapes: what a provider counts, and where in its answer it says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

UsagePlace = Literal["asked", "final", "finish", "every", "missing"]
Event = dict[str, Any] | str | bytes


@dataclass(frozen=True)
class Usage:
    """Token counts and the place of an answer that carries them. Immutable.

    Args:
        prompt_tokens: tokens of the request, cached ones included.
        completion_tokens: tokens of the answer, reasoning included.
        cached_tokens: ``prompt_tokens_details.cached_tokens``.
        cache_write_tokens: ``prompt_tokens_details.cache_write_tokens``; left out when None.
        reasoning_tokens: ``completion_tokens_details.reasoning_tokens``.
        total_tokens: the sum of the first two when None.
        where: the place in a stream. ``"asked"`` is OpenAI's own rule: a last chunk without
            choices, only when the client asked with ``stream_options.include_usage``.
            ``"final"`` sends that chunk unasked, ``"finish"`` puts the counts on the chunk with
            the finish reason, ``"every"`` puts growing counts on each chunk, ``"missing"``
            leaves them out, of unstreamed answers too.
        as_strings: send the counts as JSON strings, as some providers do.
        details: whether to send the two ``*_details`` objects.
        extra: further fields of the usage object, sent as they are; they win over the others.

    Example::

        mock.queue(Text("Hello", usage=Usage(100, 10, cached_tokens=90, where="finish")))
    """

    prompt_tokens: int = 10
    completion_tokens: int = 5
    _: KW_ONLY
    cached_tokens: int = 0
    cache_write_tokens: int | None = None
    reasoning_tokens: int = 0
    total_tokens: int | None = None
    where: UsagePlace = "asked"
    as_strings: bool = False
    details: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self, completion_tokens: int | None = None) -> dict[str, Any]:
        """The usage object; `completion_tokens` replaces the count, for growing counts."""
        completion = self.completion_tokens if completion_tokens is None else completion_tokens
        total = self.total_tokens
        if total is None or completion_tokens is not None:
            total = self.prompt_tokens + completion
        usage: dict[str, Any] = {
            "prompt_tokens": self._count(self.prompt_tokens),
            "completion_tokens": self._count(completion),
            "total_tokens": self._count(total),
        }
        if self.details:
            prompt = {"cached_tokens": self._count(self.cached_tokens), "audio_tokens": 0}
            if self.cache_write_tokens is not None:
                prompt["cache_write_tokens"] = self._count(self.cache_write_tokens)
            usage["prompt_tokens_details"] = prompt
            usage["completion_tokens_details"] = {
                "reasoning_tokens": self._count(self.reasoning_tokens),
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            }
        return usage | dict(self.extra)

    def _count(self, tokens: int) -> int | str:
        return str(tokens) if self.as_strings else tokens


def with_usage(events: Iterable[Event], usage: Usage, *, asked: bool) -> Iterator[Event]:
    """Put `usage` into a stream of chunks at its place; `asked`: the client wants usage.

    Only chunks given as dicts are changed; strings and bytes pass as they are.
    """
    last: dict[str, Any] = {}
    content_chunks = 0
    for event in events:
        if not isinstance(event, dict):
            yield event
            continue
        last = event
        choices = event.get("choices") or []
        if any((choice.get("delta") or {}).get("content") for choice in choices):
            content_chunks += 1
        finishes = any(choice.get("finish_reason") for choice in choices)
        if usage.where == "every":
            so_far = None if finishes else min(content_chunks, usage.completion_tokens)
            event = event | {"usage": usage.to_dict(so_far)}
        elif usage.where == "finish" and finishes:
            event = event | {"usage": usage.to_dict()}
        elif asked and usage.where in ("asked", "final"):
            event = event | {"usage": None}
        yield event
    if usage.where == "final" or (usage.where == "asked" and asked):
        yield last | {"choices": [], "usage": usage.to_dict()}
