"""A JSON object of an answer with attribute access, and pages of them: what all results are."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar, TypedDict, overload

from seekroute.wording import number_of

_SHOWN = 60  # characters of a text in a repr


def short(value: Any) -> str:
    """A value as a repr shows it that has no room for all of it."""
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        return f"[{number_of(len(value), 'item')}]"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]}...'"


class _Json:
    """Base of what has a JSON object that came."""

    __slots__ = ("_data",)

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._data,)

    def to_dict(self) -> dict[str, Any]:
        """The JSON as the plain dict it came as."""
        return self._data

    def to_json(self, *, indent: int | None = None) -> str:
        """The JSON as text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False)

    def model_dump(self) -> dict[str, Any]:
        """As `to_dict`."""
        return self.to_dict()

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """As `to_json`."""
        return self.to_json(indent=indent)


class Result(_Json, Mapping[str, Any]):
    """A JSON object read by attribute or by key; unknown fields are kept.

    A field that the API documents as optional reads as None in the object that may have it; any
    other missing name raises AttributeError.

        >>> from seekroute.client.result import Result
        >>> r = Result({"choices": [{"message": {"content": "hi"}}]})
        >>> r.choices[0].message.content
        'hi'
        >>> r
        Result(choices=[1 item])
    """

    __slots__ = ()

    OPTIONAL: ClassVar[frozenset[str]] = frozenset(
        {
            "audio",
            "b64_json",
            "cached_tokens",
            "completion_tokens_details",
            "content",
            "cost",
            "cost_details",
            "finish_reason",
            "function_call",
            "logprobs",
            "prompt_tokens_details",
            "reasoning",
            "reasoning_content",
            "reasoning_tokens",
            "refusal",
            "revised_prompt",
            "role",
            "service_tier",
            "system_fingerprint",
            "tool_calls",
            "url",
            "usage",
        }
    )

    # Those of a message: asked of the answer or of a choice they are a slip, and no None.
    _OF_MESSAGES: ClassVar[frozenset[str]] = frozenset(
        {
            "audio",
            "content",
            "function_call",
            "reasoning",
            "reasoning_content",
            "refusal",
            "role",
            "tool_calls",
        }
    )

    _OF_CHOICES: ClassVar[frozenset[str]] = frozenset({"finish_reason", "logprobs"})
    _OF_ANSWERS: ClassVar[frozenset[str]] = frozenset(
        {"service_tier", "system_fingerprint", "usage"}
    )

    def _place_of(self, name: str) -> str:
        """Where a field is that this object cannot have; empty where it may be absent here."""
        data = self._data
        if "message" in data or "delta" in data:  # a choice
            inner = "message" if "message" in data else "delta"
            if name in self._OF_MESSAGES:
                return f"its {inner}"
            return "the answer" if name in self._OF_ANSWERS else ""
        if "choices" not in data:
            message = not data.keys().isdisjoint(("role", "content"))
            usage = not data.keys().isdisjoint(("prompt_tokens", "completion_tokens"))
            if (message or usage) and name in self._OF_CHOICES:
                return "its choice"
            if (message or usage) and name in self._OF_ANSWERS:
                return "the answer"
            return "the message of a choice" if usage and name in self._OF_MESSAGES else ""
        choices = data["choices"]
        part = "delta" if choices and "delta" in choices[0] else "message"
        if "chunk" in str(data.get("object")):
            part = "delta"
        if name in self._OF_MESSAGES:
            return f"choices[0].{part}"
        if name in self._OF_CHOICES:
            return "choices[0]"
        return "" if name in self._OF_ANSWERS else "one of its parts"

    @staticmethod
    def _wrap(value: Any) -> Any:
        if isinstance(value, dict):
            return Result(value)
        if isinstance(value, list):
            return [Result._wrap(item) for item in value]
        return value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_data":  # asked for by copy and pickle
            raise AttributeError(name)
        if name in self._data:
            return self._wrap(self._data[name])
        if name in self.OPTIONAL:
            place = self._place_of(name)
            if not place:
                return None
            raise AttributeError(f"{name!r} is not a field of this object: look in {place}")
        raise AttributeError(f"the answer has no field {name!r}; it has {sorted(self._data)}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._data})

    def __getitem__(self, key: str) -> Any:
        return self._wrap(self._data[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if isinstance(other, Result) else self._data == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if len(self._data) == 1:  # an envelope: what is in it is worth more than its name
            ((name, value),) = self._data.items()
            if isinstance(value, dict):
                return f"{type(self).__name__}({name}={Result(value)!r})"
        shown = ", ".join(f"{name}={short(value)}" for name, value in self._data.items())
        limit = 2 * _SHOWN
        shown = shown if len(shown) <= limit else f"{shown[:limit]}..."
        return f"{type(self).__name__}({shown})"


class Beside(TypedDict, total=False):
    """What is known of an answer besides its JSON; see `Answer`."""

    id: str
    cost: Decimal | None
    provider: str
    request_id: str
    latency: float
    attempts: int


class Answer(Result):
    """What was made and charged for one request, and what is known of it besides its JSON.

    Attributes:
        id: Of its generation, for `client.generation()`; empty where no gateway keeps one. A chat
            completion has it in its JSON.
        cost: Its exact price in USD; None where a remote gateway did not say.
        provider: Who served it; empty where unknown.
        request_id: What to tell the operator.
        latency: Seconds from the call to the end of the answer, retries included.
        attempts: How often it was tried: 1 when the first upstream of the first request answered.
    """

    __slots__ = ("_id", "attempts", "cost", "latency", "provider", "request_id")

    def __init__(
        self,
        data: dict[str, Any],
        *,
        id: str = "",
        cost: Decimal | None = None,
        provider: str = "",
        request_id: str = "",
        latency: float = 0.0,
        attempts: int = 1,
    ) -> None:
        super().__init__(data)
        self._id = id
        self.cost = cost
        self.provider = provider
        self.request_id = request_id
        self.latency = latency
        self.attempts = attempts

    @property
    def id(self) -> str:
        return self._data.get("id") or self._id

    def beside(self) -> Beside:
        """What is known besides the JSON, as arguments that make another answer with it."""
        return {
            "id": self.id,
            "cost": self.cost,
            "provider": self.provider,
            "request_id": self.request_id,
            "latency": self.latency,
            "attempts": self.attempts,
        }

    def _told(self, kind: str, content: str) -> str:
        parts = [content, f"model={self._data.get('model')!r}"]
        if self.provider:
            parts.append(f"provider={self.provider!r}")
        usage = self._data.get("usage")
        if usage:
            parts.append(f"tokens={usage.get('total_tokens')}")
        if self.cost is not None:
            parts.append(f"cost={self.cost:f}")
        return f"{kind}({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(type(self), **self.beside()), (self._data,)


class Page(_Json, Sequence[Result]):
    """A list that a gateway gives, as a sequence; also in `data`, as OpenAI's SDK has it."""

    __slots__ = ("data",)

    def __init__(self, data: dict[str, Any]) -> None:
        super().__init__(data)
        self.data = [Result(row) for row in data["data"]]

    @overload
    def __getitem__(self, index: int) -> Result: ...

    @overload
    def __getitem__(self, index: slice) -> list[Result]: ...

    def __getitem__(self, index: int | slice) -> Result | list[Result]:
        return self.data[index]

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        kind = type(self).__name__
        return f"{kind}({len(self.data)} {kind.removesuffix('Page').lower()}s)"
