"""What calls return: the JSON of the answer with attribute access, in OpenAI's names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar


class Result(Mapping[str, Any]):
    """A JSON object read by attribute or by key; unknown fields are kept.

    A field that the API documents as optional reads as None where it is absent; any other missing
    name raises AttributeError.

        >>> from seekroute.client.results import Result
        >>> r = Result({"choices": [{"message": {"content": "hi"}}]})
        >>> r.choices[0].message.content
        'hi'
    """

    __slots__ = ("_data",)

    OPTIONAL: ClassVar[frozenset[str]] = frozenset(
        {
            "audio",
            "cached_tokens",
            "completion_tokens_details",
            "content",
            "cost",
            "finish_reason",
            "function_call",
            "logprobs",
            "prompt_tokens_details",
            "reasoning",
            "reasoning_content",
            "reasoning_tokens",
            "refusal",
            "role",
            "service_tier",
            "system_fingerprint",
            "tool_calls",
            "usage",
        }
    )

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    @staticmethod
    def _wrap(value: Any) -> Any:
        if isinstance(value, dict):
            return Result(value)
        if isinstance(value, list):
            return [Result._wrap(item) for item in value]
        return value

    def __getattr__(self, name: str) -> Any:
        if name in self._data:
            return self._wrap(self._data[name])
        if name in self.OPTIONAL:
            return None
        raise AttributeError(f"the answer has no field {name!r}; it has {sorted(self._data)}")

    def __getitem__(self, key: str) -> Any:
        return self._wrap(self._data[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._data!r})"

    def to_dict(self) -> dict[str, Any]:
        """The answer as the plain dict it came as."""
        return self._data

    model_dump = to_dict

    def to_json(self, *, indent: int | None = None) -> str:
        """The answer as JSON text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False)


class ChatCompletion(Result):
    """A whole answer. `cost` is its exact price in USD, `provider` who served it."""

    __slots__ = ("cost", "provider", "request_id")

    def __init__(
        self, data: dict[str, Any], *, cost: Decimal, provider: str, request_id: str
    ) -> None:
        super().__init__(data)
        self.cost = cost
        self.provider = provider
        self.request_id = request_id

    @property
    def text(self) -> str:
        """The first choice's content; empty where there is none (a tool call, a refusal)."""
        return self._data["choices"][0]["message"].get("content") or ""
