"""The vectors a mock provider gives: of the same text always the same, of like texts near ones."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from seekroute.testing.shapes import tokens_of

DIMENSIONS = 1536
MAX_DIMENSIONS = 8192
MAX_INPUTS = 2048

# Numbers of a vector of models that have others; the last part of their names.
_DIMENSIONS_OF = {"text-embedding-3-large": 3072}
_WORD = re.compile(r"\w+")
# Where a word of a text leaves its mark: eight numbers of the vector, each with a sign.
_MARKS = struct.Struct("<8I")
# What tells texts of the same words apart, and is all there is of a text without words.
_GRAIN = 0.02


def vector(text: str, dimensions: int = DIMENSIONS) -> array[float]:
    """A unit vector of a text, in single precision.

    Texts that share words have a high cosine, others one near 0; neither order nor meaning counts.

    Args:
        text: any.
        dimensions: how many numbers.

    Example:
        >>> from seekroute.testing.embeddings import vector
        >>> cat, kitten, tax = map(vector, ("a black cat", "a black kitten", "income tax"))
        >>> def cosine(one, other):
        ...     return sum(a * b for a, b in zip(one, other))
        >>> cosine(cat, kitten) > 0.5 > cosine(cat, tax)
        True
    """
    data = text.encode("utf-8", "surrogatepass")
    grain = hashlib.shake_256(data).digest(dimensions)
    numbers = [(each - 127.5) * (_GRAIN / 127.5) for each in grain]
    for word in _WORD.findall(text.casefold()):
        digest = hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=_MARKS.size)
        for mark in _MARKS.unpack(digest.digest()):
            numbers[(mark >> 1) % dimensions] += 1.0 if mark & 1 else -1.0
    length = math.sqrt(sum(each * each for each in numbers))
    return array("f", [each / length for each in numbers])


def inputs_of(fields: Mapping[str, Any]) -> list[str | list[int]] | None:
    """What is to be embedded, one by one; None where `input` is nothing that could be."""
    given = fields.get("input")
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list) or not given:
        return None
    if all(map(_is_token, given)):
        return [given]
    if all(isinstance(each, str) and each for each in given):
        return given
    if all(isinstance(each, list) and each and all(map(_is_token, each)) for each in given):
        return given
    return None


def _is_token(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def embeddings_body(
    fields: Mapping[str, Any],
    vectors: Sequence[Sequence[float]] | None = None,
    usage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The answer to an embeddings request, which is a good one.

    Args:
        fields: of the request.
        vectors: to give; None makes them.
        usage: its object; None counts the tokens.
    """
    inputs = inputs_of(fields) or []
    name = str(fields.get("model"))
    if vectors is None:
        dimensions = fields.get("dimensions")
        dimensions = dimensions or _DIMENSIONS_OF.get(name.rpartition("/")[2], DIMENSIONS)
        vectors = [vector(_text(each), dimensions) for each in inputs]
    if usage is None:
        count = sum(len(tokens_of(each) if isinstance(each, str) else each) for each in inputs)
        usage = {"prompt_tokens": count, "total_tokens": count}
    packed = fields.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _packed(one) if packed else list(one)}
        for index, one in enumerate(vectors)
    ]
    return {"object": "list", "data": data, "model": name, "usage": dict(usage)}


def _text(each: str | list[int]) -> str:
    return each if isinstance(each, str) else " ".join(map(str, each))


def _packed(numbers: Sequence[float]) -> str:
    """As OpenAI sends them: single precision, little-endian, base64."""
    packed = array("f", numbers)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode()
