"""How many tokens a text or a conversation is: counted where a vocabulary is at hand, else
estimated. Never touches the network.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seekroute.gateway import estimate_prompt, estimate_tokens

# The vocabularies tiktoken keeps as a file, and the checksum it demands of each. A file that failed
# it would be deleted and downloaded again, so it is checked here first.
_URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_VOCABULARIES = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
_FILE_OF = {"o200k_harmony": "o200k_base"}
# Models whose vocabulary the estimate was fitted to.
_FITTED = ("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-oss", "chatgpt-4o", "o1", "o3", "o4")
# Counting is exact but slow, and memory-hungry on odd input: a longer text is estimated.
_MOST_COUNTED_BYTES = 4 << 20

# The upper bound for other vocabularies, in percent of that for o200k_base: they cut text outside
# ASCII much finer. docs/tokens.md has what this rests on.
OTHER_ASCII_PERCENT = 150
OTHER_FOREIGN_PERCENT = 350

_NOTE_OTHER = "this model's tokenizer is not o200k_base; the upper bound is widened for it"
_NOTE_TEMPLATE = "text is counted; the chat template, images and files are estimated"


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens something is.

    Attributes:
        tokens: the count, or what is expected of it.
        upper: a bound that the true count should not exceed; `tokens` itself for counted text.
        method: "tiktoken:o200k_base" (or another vocabulary's name), or "estimate".
        note: what to keep in mind; empty for counted text.
    """

    tokens: int
    upper: int
    method: str
    note: str = ""


def count_tokens(
    text_or_messages: str | Sequence[Mapping[str, Any]],
    model: str | None = None,
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> TokenCount:
    """Counts the tokens of a text, or of a prompt given as chat messages.

    Counts with tiktoken where it is installed, knows the model, and has the vocabulary in its cache
    (`TIKTOKEN_CACHE_DIR`); nothing is ever downloaded. Everything else is estimated.

    Args:
        text_or_messages: a text, or messages as `chat.completions.create` takes them.
        model: whose tokens; an author's prefix ("openai/gpt-4o") may stay. None: o200k_base.
        tools: tool definitions sent with the messages.

    Raises:
        TypeError: for what is neither a text nor a sequence of JSON-like mappings.

    >>> from seekroute.client.tokens import count_tokens
    >>> count = count_tokens("The ferry left at seven.", model="deepseek/deepseek-chat")
    >>> count.method, count.tokens, count.upper
    ('estimate', 6, 18)
    """
    encode = _encoder(model)
    if isinstance(text_or_messages, str):
        if tools is not None:
            raise TypeError("tools belong to a conversation: pass a list of messages, not a text")
        raw = text_or_messages.encode(errors="replace")
        if encode is not None and len(raw) <= _MOST_COUNTED_BYTES:
            tokens = encode.count(text_or_messages)
            return TokenCount(tokens, tokens, encode.method)
        return _estimated(estimate_tokens(raw), raw, model)

    messages = _checked(text_or_messages)
    request: dict[str, Any] = {"messages": messages}
    if tools is not None:
        request["tools"] = list(tools)
    try:
        # Not as \u escapes: the share of bytes outside ASCII matters below.
        body = json.dumps(request, ensure_ascii=False).encode(errors="replace")
    except (TypeError, ValueError) as error:
        raise TypeError(f"messages and tools must hold what JSON can hold: {error}") from error
    if encode is None or len(body) > _MOST_COUNTED_BYTES:
        return _estimated(estimate_prompt(body), body, model)

    texts: list[str] = []
    bare = [_without_text(message, texts) for message in messages]
    if tools is not None:
        texts.append(json.dumps(list(tools), ensure_ascii=False))
    tokens = sum(encode.count(text) for text in texts)
    around, around_upper = estimate_prompt(json.dumps({"messages": bare}).encode())
    return TokenCount(tokens + around, tokens + around_upper, encode.method, _NOTE_TEMPLATE)


def _checked(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if isinstance(messages, (bytes, bytearray)) or not isinstance(messages, Sequence):
        raise TypeError(f"expected a str or a list of messages, got {type(messages).__name__}")
    for message in messages:
        if not isinstance(message, Mapping):
            raise TypeError(f"expected every message to be a dict, got {type(message).__name__}")
    return list(messages)


def _without_text(message: Mapping[str, Any], texts: list[str]) -> dict[str, Any]:
    """The message with its text moved to `texts`: what the core counts as text, and no more."""
    bare: dict[str, Any] = {}
    for key, value in message.items():
        if isinstance(value, str) and key not in ("role", "tool_call_id"):
            texts.append(value)
            bare[key] = ""
        elif key == "content":
            bare[key] = _strip(value, ("text", "refusal"), texts, depth=2)
        else:
            bare[key] = _strip(value, ("name", "arguments", "input", "text"), texts, depth=128)
    return bare


def _strip(value: Any, keys: tuple[str, ...], texts: list[str], depth: int) -> Any:
    if depth == 0:
        return value
    if isinstance(value, (list, tuple)):
        return [_strip(item, keys, texts, depth - 1) for item in value]
    if not isinstance(value, Mapping):
        return value
    bare = {}
    for key, item in value.items():
        if isinstance(item, str) and key in keys:
            texts.append(item)
            bare[key] = ""
        else:
            bare[key] = _strip(item, keys, texts, depth - 1)
    return bare


def _estimated(estimate: tuple[int, int], raw: bytes, model: str | None) -> TokenCount:
    tokens, upper = estimate
    if model is None or _bare(model).startswith(_FITTED):
        return TokenCount(tokens, upper, "estimate")
    ascii_bytes = len(raw.decode("utf-8", "ignore").encode("ascii", "ignore"))
    foreign = len(raw) - ascii_bytes
    percent = OTHER_ASCII_PERCENT
    if raw:
        percent += (OTHER_FOREIGN_PERCENT - OTHER_ASCII_PERCENT) * foreign // len(raw)
    # Of a text, the number of its bytes still bounds it; a prompt has images and a template too.
    most = max(len(raw), upper)
    return TokenCount(tokens, min(upper * percent // 100, most), "estimate", _NOTE_OTHER)


def _bare(model: str) -> str:
    return model.rsplit("/", 1)[-1]


@dataclass(frozen=True, slots=True)
class _Encoder:
    method: str
    count: Callable[[str], int]


def _encoder(model: str | None) -> _Encoder | None:
    """What counts this model's tokens exactly; None where that would need a download."""
    if importlib.util.find_spec("tiktoken") is None:
        return None
    import tiktoken

    try:
        name = "o200k_base" if model is None else tiktoken.encoding_name_for_model(_bare(model))
    except KeyError:
        return None
    vocabulary = _FILE_OF.get(name, name)
    if vocabulary not in _VOCABULARIES:
        return None
    path = _cached_file(vocabulary)
    if path is None or not _is_whole(path, _VOCABULARIES[vocabulary]):
        return None
    encoding = tiktoken.get_encoding(name)
    return _Encoder(f"tiktoken:{name}", lambda text: len(encoding.encode_ordinary(text)))


def _cached_file(vocabulary: str) -> Path | None:
    """Where tiktoken would look for a vocabulary; None when its cache is switched off."""
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder is None:
        folder = str(Path(tempfile.gettempdir()) / "data-gym-cache")
    if not folder:
        return None
    return Path(folder) / hashlib.sha1(_URL.format(vocabulary).encode()).hexdigest()


def _is_whole(path: Path, checksum: str) -> bool:
    try:
        state = path.stat()
        return _checksum(path, state.st_mtime_ns, state.st_size) == checksum
    except OSError:
        return False


@functools.lru_cache(maxsize=8)
def _checksum(path: Path, changed: int, size: int) -> str:
    """Of a file as it was at that time: a few milliseconds that need not be spent twice."""
    del changed, size
    return hashlib.sha256(path.read_bytes()).hexdigest()
