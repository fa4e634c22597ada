"""Prompts with mistyped characters: training holds for them, and decisions are measured on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seekroute.mistyping import TYPED

_TYPED = np.array([ord(c) for c in TYPED], np.uint32)


def mistyped(prompts: Sequence[bytes], share: float, seed: int) -> list[bytes]:
    """The prompts with this share of their characters, line ends too, replaced at random.

    >>> mistyped([b"Why is the sky blue?"], 0.0, seed=1)
    [b'Why is the sky blue?']
    """
    draw = np.random.default_rng(seed)
    found = []
    for prompt in prompts:
        text = prompt.decode("utf-8", "replace").encode("utf-32-le")
        characters = np.frombuffer(text, np.uint32).copy()
        replaced = draw.random(len(characters)) < share
        characters[replaced] = draw.choice(_TYPED, int(replaced.sum()))
        found.append(characters.tobytes().decode("utf-32-le").encode())
    return found
