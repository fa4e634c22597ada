"""What is kept of a prompt: its features, and those of copies of it with mistyped letters."""

from __future__ import annotations

import array
import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from seekroute.mistyping import COPIES, SHARE, mistyped_once

if TYPE_CHECKING:
    from seekroute import _core

__all__ = [
    "NO_TEXT",
    "Looks",
    "Packed",
    "is_aside",
    "pack",
    "qualities",
    "twin_of",
    "unpacked",
    "with_steps",
]

_DENSE_BYTES: Final = 4 * 43
_DIFFICULTY_BYTES: Final = 4 * 2
_HEAD: Final = struct.Struct("<H")
_ASIDE: Final = 5  # one of so many prompts
_MOST: Final = 1 << 20  # bytes that are unpacked of one prompt: three texts of 4 KiB have far fewer


@dataclass(frozen=True, slots=True)
class Packed:
    """Features of texts as the core takes them: rows one after the other.

    Attributes:
        dense: float32, 43 a text.
        difficulty: float32, two a text.
        ends: uint32, where each text's words end.
        buckets: uint16, words by hash.
        counts: uint16, how often each occurs.
    """

    dense: bytes
    difficulty: bytes
    ends: bytes
    buckets: bytes
    counts: bytes

    def parts(self) -> tuple[bytes, bytes, bytes, bytes, bytes]:
        """In the order in which the core takes them."""
        return self.dense, self.difficulty, self.ends, self.buckets, self.counts


def _numbers(kind: str, data: bytes) -> array.array[int]:
    numbers = array.array(kind)
    numbers.frombytes(data)
    return numbers


class Looks:
    """Looks at prompts as the core does. Thread-safe."""

    def __init__(self) -> None:
        from seekroute import _core

        table = (files("seekroute") / "data" / "word_vectors.bin").read_bytes()
        self._vectors: Final = _core.WordVectors(table)

    def at(self, excerpt: bytes) -> bytes:
        """What is kept of a prompt, for `unpacked`."""
        from seekroute import _core

        texts = [excerpt, *(mistyped_once(excerpt, SHARE, seed) for seed in range(COPIES))]
        return pack(Packed(*_core.scan_texts(texts, self._vectors)))

    def router(self, settings: dict[str, Any]) -> _core.AutoRouter:
        """What judges as a server with these settings does, which are `Plan.snapshot["auto"]`.

        Raises:
            ValueError: the core refuses them.
        """
        from seekroute import _core

        return _core.AutoRouter(settings)


def pack(looks: Packed) -> bytes:
    """Features as bytes that are kept."""
    out = [_HEAD.pack(len(looks.ends) // 4), looks.dense, looks.difficulty, looks.ends]
    return zlib.compress(b"".join([*out, looks.buckets, looks.counts]), 6)


NO_TEXT: Final = pack(Packed(bytes(_DENSE_BYTES), bytes(_DIFFICULTY_BYTES), bytes(4), b"", b""))
"""What stands in the place of a prompt without text."""


def qualities(
    router: _core.AutoRouter, kept: Sequence[bytes], is_text: Sequence[bool]
) -> array.array[float]:
    """The chance of each model of the pool to serve each prompt well: prompts, then models."""
    _, found = router.judge(*unpacked(kept).parts(), bytes(is_text))
    numbers = array.array("f")
    numbers.frombytes(found)
    return numbers


def with_steps(
    weights: bytes, revision: str, kept: Sequence[bytes], steps: Sequence[tuple[int, int, float]]
) -> bytes:
    """Weights whose regression has taken a step for each rating.

    Args:
        weights: in the core's form.
        revision: what is added to what they say of themselves.
        kept: of the prompts.
        steps: the prompt's place there, the model's in the weights, and the outcome.
    """
    from seekroute import _core

    return _core.step_auto_weights(weights, revision, *unpacked(kept).parts(), steps)


def unpacked(kept: Sequence[bytes], *, copies: bool = False) -> Packed:
    """Features of many prompts: with `copies`, those of all texts of each; else of the prompts.

    Raises:
        ValueError: they are damaged.
    """
    dense, difficulty, buckets, counts = (bytearray() for _ in range(4))
    ends = array.array("I")
    for each in kept:
        texts, parts = _parts(each)
        taken = texts if copies else min(texts, 1)
        stops = _numbers("I", parts.ends)
        before, words = len(buckets) // 2, 2 * (stops[taken - 1] if taken else 0)
        dense += parts.dense[: taken * _DENSE_BYTES]
        difficulty += parts.difficulty[: taken * _DIFFICULTY_BYTES]
        ends.extend(before + stop for stop in stops[:taken])
        buckets += parts.buckets[:words]
        counts += parts.counts[:words]
    return Packed(bytes(dense), bytes(difficulty), ends.tobytes(), bytes(buckets), bytes(counts))


def twin_of(kept: bytes) -> bytes:
    """A name for a prompt: the same of those that have the same words as often."""
    texts, parts = _parts(kept)
    stop = 2 * _numbers("I", parts.ends)[0] if texts else 0
    buckets, counts = _numbers("H", parts.buckets[:stop]), _numbers("H", parts.counts[:stop])
    words = sorted(zip(buckets, counts, strict=True))
    return hashlib.blake2b(repr(words).encode(), digest_size=8).digest()


def is_aside(twin: bytes) -> bool:
    """Whether a prompt is never learned from, by its `twin_of`: new weights are judged by those."""
    return twin[0] % _ASIDE == 0


def _parts(kept: bytes) -> tuple[int, Packed]:
    opener = zlib.decompressobj()
    try:
        found = opener.decompress(kept, _MOST)
    except zlib.error as error:
        raise ValueError(f"what is kept of a prompt is damaged: {error}") from None
    if not opener.eof or len(found) < _HEAD.size:
        raise ValueError("what is kept of a prompt is damaged")
    (texts,) = _HEAD.unpack_from(found)
    bounds = [_HEAD.size]
    for size in (_DENSE_BYTES, _DIFFICULTY_BYTES, 4):
        bounds.append(bounds[-1] + texts * size)
    ends = found[bounds[2] : bounds[3]]
    words = _numbers("I", ends)[-1] if texts and len(ends) == 4 * texts else 0
    if len(found) != bounds[3] + 4 * words:
        raise ValueError("what is kept of a prompt is damaged")
    buckets = found[bounds[3] : bounds[3] + 2 * words]
    return texts, Packed(
        found[bounds[0] : bounds[1]],
        found[bounds[1] : bounds[2]],
        ends,
        buckets,
        found[bounds[3] + 2 * words :],
    )
