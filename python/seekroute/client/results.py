"""What calls return: the JSON of the answer with attribute access, in OpenAI's names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, overload

from seekroute._shown import Shown

if TYPE_CHECKING:
    from seekroute.client.quotes import Routing

_SHOWN = 60  # characters of a text in a repr


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        return f"[{len(value)} items]" if len(value) != 1 else "[1 item]"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]}...'"


class Result(Mapping[str, Any]):
    """A JSON object read by attribute or by key; unknown fields are kept.

    A field that the API documents as optional reads as None in the object that may have it; any
    other missing name raises AttributeError.

        >>> from seekroute.client.results import Result
        >>> r = Result({"choices": [{"message": {"content": "hi"}}]})
        >>> r.choices[0].message.content
        'hi'
        >>> r
        Result(choices=[1 item])
    """

    __slots__ = ("_data",)

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

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

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
        shown = ", ".join(f"{name}={_short(value)}" for name, value in self._data.items())
        limit = 2 * _SHOWN
        shown = shown if len(shown) <= limit else f"{shown[:limit]}..."
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._data,)

    def to_dict(self) -> dict[str, Any]:
        """The answer as the plain dict it came as."""
        return self._data

    model_dump = to_dict

    def to_json(self, *, indent: int | None = None) -> str:
        """The answer as JSON text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False)

    model_dump_json = to_json


class ChatCompletion(Shown, Result):
    """A whole answer, of a stream too once it has ended.

    `message`, `content`, `tool_calls` and `finish_reason` are those of the first choice.

    Attributes:
        cost: Its exact price in USD; None where a remote gateway did not say.
        provider: Who served it; empty where unknown.
        request_id: What to tell the operator.
        latency: Seconds from the call to the end of the answer, retries included.
        ttft: Seconds from the call to the first content of a stream; None without a stream.
        attempts: How often it was tried: 1 when the first upstream of the first request answered.
    """

    __slots__ = ("attempts", "cost", "latency", "provider", "request_id", "ttft")

    def __init__(
        self,
        data: dict[str, Any],
        *,
        cost: Decimal | None = None,
        provider: str = "",
        request_id: str = "",
        latency: float = 0.0,
        ttft: float | None = None,
        attempts: int = 1,
    ) -> None:
        super().__init__(data)
        self.cost = cost
        self.provider = provider
        self.request_id = request_id
        self.latency = latency
        self.ttft = ttft
        self.attempts = attempts

    @property
    def message(self) -> Result:
        """The first choice's message; empty where there is no choice."""
        return Result(self._message)

    @property
    def content(self) -> Any:
        """The content of `message` as it came: a text, a list of parts, or None; see `text`."""
        return self._wrap(self._message.get("content"))

    @property
    def tool_calls(self) -> list[Result] | None:
        """The tool calls of `message`; None where it has none."""
        found = self._message.get("tool_calls")
        return [Result(call) for call in found] if found else None

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended: `stop`, `length` (it was cut off), `tool_calls`, ...; None
        where nobody said."""
        choices = self._data.get("choices")
        return choices[0].get("finish_reason") if choices else None

    @property
    def text(self) -> str:
        """The first choice's content; empty where there is none (a tool call, a refusal)."""
        content = self._message.get("content")
        if isinstance(content, list):
            return "".join(part.get("text") or "" for part in content if isinstance(part, dict))
        return content or ""

    @property
    def routing(self) -> Routing | None:
        """How it was routed: candidates, attempts; None where the gateway did not say."""
        from seekroute.client.quotes import Routing

        found = self._data.get("seekroute")
        return Routing(found) if isinstance(found, dict) else None

    @property
    def images(self) -> list[str]:
        """URLs and data URLs of the images in the answer's messages, in their order."""
        found: list[str] = []
        for choice in self._data.get("choices") or ():
            message = choice.get("message") or {}
            content = message.get("content")
            parts = content if isinstance(content, list) else []
            for part in [*parts, *(message.get("images") or ())]:
                url = part.get("image_url") if isinstance(part, dict) else None
                url = url.get("url") if isinstance(url, dict) else url
                if isinstance(url, str):
                    found.append(url)
            if isinstance(content, str) and _is_image(content):
                found.append(content)
        return found

    @property
    def _message(self) -> dict[str, Any]:
        choices = self._data.get("choices")
        message: dict[str, Any] = (choices[0].get("message") or {}) if choices else {}
        return message

    def __repr__(self) -> str:
        parts = [_short(self.text)]
        parts.append(f"model={self._data.get('model')!r}")
        if self.provider:
            parts.append(f"provider={self.provider!r}")
        usage = self._data.get("usage")
        if usage:
            parts.append(f"tokens={usage.get('total_tokens')}")
        if self.cost is not None:
            parts.append(f"cost={self.cost:f}")
        return f"ChatCompletion({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        extra = {name: getattr(self, name) for name in ChatCompletion.__slots__}
        return _completion, (self._data, extra)


def _completion(data: dict[str, Any], extra: dict[str, Any]) -> ChatCompletion:
    return ChatCompletion(data, **extra)


def _is_image(content: str) -> bool:
    """Whether a message is an image model's: the image's URL and nothing else."""
    if content.startswith("data:image/"):
        return True
    if not content.startswith(("https://", "http://")) or content.split() != [content]:
        return False
    path = content.partition("?")[0].lower()
    return path.endswith((".png", ".jpg", ".jpeg", ".webp", ".gif"))


class Page(Sequence[Result]):
    """A list that a gateway gives, as a sequence; also in `data`, as OpenAI's SDK has it."""

    __slots__ = ("_data", "data")

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
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

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._data,)

    def to_dict(self) -> dict[str, Any]:
        """The list as the plain dict it came as."""
        return self._data

    model_dump = to_dict

    def to_json(self, *, indent: int | None = None) -> str:
        """The list as JSON text."""
        return json.dumps(self._data, indent=indent, ensure_ascii=False)


class ModelPage(Shown, Page):
    """The models that were asked for.

    >>> page = ModelPage({"object": "list", "data": [{"id": "openai/gpt-4o-mini"}]})
    >>> [model.id for model in page]
    ['openai/gpt-4o-mini']
    >>> page
    ModelPage(1 models)
    """

    __slots__ = ()

    def __str__(self) -> str:
        from seekroute.client.display import bundle

        return bundle(self)["text/plain"]

    @property
    def object(self) -> str:
        """Always `list`."""
        return str(self._data["object"])

    @property
    def total_count(self) -> int:
        """How many models there are on all pages."""
        return int(self._data.get("total_count", len(self.data)))


class ProviderPage(Page):
    """The providers that are on."""

    __slots__ = ()


class ImagesResponse(Shown, Result):
    """Generated images in OpenAI's shape: `data[0].url` or `data[0].b64_json`.

    `cost`, `provider`, `request_id`, `latency` and `attempts` are as in `ChatCompletion`.
    """

    __slots__ = ("attempts", "cost", "latency", "provider", "request_id")

    def __init__(
        self,
        data: dict[str, Any],
        *,
        cost: Decimal | None = None,
        provider: str = "",
        request_id: str = "",
        latency: float = 0.0,
        attempts: int = 1,
    ) -> None:
        super().__init__(data)
        self.cost = cost
        self.provider = provider
        self.request_id = request_id
        self.latency = latency
        self.attempts = attempts

    @classmethod
    def of(cls, answer: ChatCompletion) -> ImagesResponse:
        """The images of a chat with an image model, which answers with one choice an image."""
        images = []
        for choice in answer.to_dict()["choices"]:
            url = choice["message"]["content"]
            head, comma, data = url.partition(";base64,")
            inline = comma and head.startswith("data:")
            images.append({"b64_json": data} if inline else {"url": url})
        shaped = {"created": answer.created, "data": images}
        if answer.usage is not None:
            shaped["usage"] = answer.to_dict()["usage"]
        return cls(
            shaped,
            cost=answer.cost,
            provider=answer.provider,
            request_id=answer.request_id,
            latency=answer.latency,
            attempts=answer.attempts,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        extra = {name: getattr(self, name) for name in ImagesResponse.__slots__}
        return _images, (self._data, extra)


def _images(data: dict[str, Any], extra: dict[str, Any]) -> ImagesResponse:
    return ImagesResponse(data, **extra)
