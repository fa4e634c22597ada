"""The JSON shapes of OpenAI's chat completion, its chunks, and its errors."""

from __future__ import annotations

import itertools
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from seekroute.testing.usage import Usage

# A token of the mock provider: blanks and then a piece of a word or one other character.
_TOKEN = re.compile(r"\s*(?:\w{1,12}|[^\w\s])|\s+")
# Tokens that one image in a prompt counts for.
IMAGE_TOKENS = 85
# What the roles and separators of one message count for.
MESSAGE_TOKENS = 4

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
_ERROR_CODES = {401: "invalid_api_key", 402: "insufficient_quota", 429: "rate_limit_exceeded"}


def dump(value: Any) -> bytes:
    """Compact JSON in UTF-8; lone surrogates, which UTF-8 cannot hold, as escapes."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def tokens_of(text: str) -> list[str]:
    """Cut a text into the mock provider's tokens; joined they give the text."""
    return _TOKEN.findall(text)


def error_body(
    message: str, *, status: int = 400, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """OpenAI's error envelope."""
    default_type = "server_error" if status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": message,
            "type": _ERROR_TYPES.get(status, default_type),
            "param": param,
            "code": code or _ERROR_CODES.get(status),
        }
    }


def prompt_text(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = (part.get("text") for part in parts if isinstance(part, dict))
    return " ".join(text for text in texts if isinstance(text, str))


def count_prompt(body: Mapping[str, Any]) -> int:
    """How many tokens the mock provider counts for a chat request."""
    messages = body.get("messages")
    total = 0
    for message in messages if isinstance(messages, list) else []:
        content = message.get("content") if isinstance(message, dict) else None
        total += MESSAGE_TOKENS + len(tokens_of(prompt_text(content)))
        for part in content if isinstance(content, list) else []:
            if isinstance(part, dict) and part.get("type") == "image_url":
                total += IMAGE_TOKENS
    if body.get("tools"):
        total += len(tokens_of(json.dumps(body["tools"])))
    return total


def asks_usage(body: Mapping[str, Any]) -> bool:
    """Whether the client asked for usage in the stream."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


@dataclass
class Choice:
    """One choice of a completion; `pieces` are the parts its content is streamed in."""

    pieces: Sequence[str] | None = None
    _: KW_ONLY
    finish_reason: str = "stop"
    reasoning: str | None = None
    tool_calls: Sequence[dict[str, Any]] = ()
    # One logprobs entry per piece, or empty.
    logprobs: Sequence[dict[str, Any]] = ()

    def message(self) -> dict[str, Any]:
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if self.pieces is None else "".join(self.pieces),
            "refusal": None,
        }
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        return message

    def deltas(self) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None, str | None]]:
        """The choice as stream parts: delta, logprobs, finish reason."""
        content = None if self.pieces is None else ""
        yield {"role": "assistant", "content": content, "refusal": None}, None, None
        for piece in tokens_of(self.reasoning or ""):
            yield {"reasoning_content": piece}, None, None
        for index, piece in enumerate(self.pieces or ()):
            logprobs = None
            if self.logprobs:
                logprobs = {"content": [self.logprobs[index]], "refusal": None}
            yield {"content": piece}, logprobs, None
        for index, call in enumerate(self.tool_calls):
            function = call["function"]
            start = {**call, "function": {"name": function["name"], "arguments": ""}}
            yield {"tool_calls": [{"index": index, **start}]}, None, None
            for piece in tokens_of(function["arguments"]):
                part = {"index": index, "function": {"arguments": piece}}
                yield {"tool_calls": [part]}, None, None
        yield {}, None, self.finish_reason


@dataclass
class Completion:
    """A chat completion that can be sent whole or as chunks."""

    model: str
    choices: Sequence[Choice]
    _: KW_ONLY
    usage: Usage
    fingerprint: str | None = None
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def body(self) -> dict[str, Any]:
        """The answer to a request that does not stream."""
        body = self._envelope("chat.completion")
        body["choices"] = [
            {
                "index": index,
                "message": choice.message(),
                "logprobs": (
                    {"content": list(choice.logprobs), "refusal": None} if choice.logprobs else None
                ),
                "finish_reason": choice.finish_reason,
            }
            for index, choice in enumerate(self.choices)
        ]
        if self.usage.where != "missing":
            body["usage"] = self.usage.to_dict()
        return body

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The chunks of a stream, without usage; several choices take turns."""
        for parts in itertools.zip_longest(*(choice.deltas() for choice in self.choices)):
            for index, part in enumerate(parts):
                if part is None:
                    continue
                delta, logprobs, finish_reason = part
                chunk = self._envelope("chat.completion.chunk")
                chunk["choices"] = [
                    {
                        "index": index,
                        "delta": delta,
                        "logprobs": logprobs,
                        "finish_reason": finish_reason,
                    }
                ]
                yield chunk

    def _envelope(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "service_tier": "default",
        }
