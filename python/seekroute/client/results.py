"""What calls return: the JSON of the answer with attribute access, in OpenAI's names."""

from __future__ import annotations

import functools
from typing import Any, Unpack

from seekroute.client.result import Answer, Beside, short
from seekroute.client.result import Page as Page
from seekroute.client.result import Result as Result
from seekroute.client.spend.quotes import Routing
from seekroute.shown import Shown, bundle


class ChatCompletion(Shown, Answer):
    """A whole answer, of a stream too once it has ended.

    `message`, `content`, `tool_calls` and `finish_reason` are those of the first choice.

    Attributes:
        id, cost, provider, request_id, latency, attempts: as of every `Answer`.
        ttft: Seconds from the call to the first content of a stream; None without a stream.
    """

    __slots__ = ("ttft",)

    def __init__(
        self, data: dict[str, Any], *, ttft: float | None = None, **beside: Unpack[Beside]
    ) -> None:
        super().__init__(data, **beside)
        self.ttft = ttft

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
        return self._told("ChatCompletion", short(self.text))

    def __reduce__(self) -> tuple[Any, ...]:
        made = functools.partial(ChatCompletion, ttft=self.ttft, **self.beside())
        return made, (self._data,)


def _is_image(content: str) -> bool:
    """Whether a message is an image model's: the image's URL and nothing else."""
    if content.startswith("data:image/"):
        return True
    if not content.startswith(("https://", "http://")) or content.split() != [content]:
        return False
    path = content.partition("?")[0].lower()
    return path.endswith((".png", ".jpg", ".jpeg", ".webp", ".gif"))


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


class ImagesResponse(Shown, Answer):
    """Generated images in OpenAI's shape: `data[0].url` or `data[0].b64_json`."""

    __slots__ = ()

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
        return cls(shaped, **answer.beside())
