"""A prompt with mistyped characters, made without NumPy."""

from __future__ import annotations

import random
import string
from typing import Final

COPIES: Final = 2
"""Copies of each prompt that `model: "auto"` also learns from, so that a mistyped prompt is decided
as the prompt is."""
SHARE: Final = 0.08
"""The share of a copy's characters that is replaced."""
TYPED: Final = string.printable[:95] + "\n"
"""What is typed instead: letters, digits, signs, spaces and line ends."""


def mistyped_once(prompt: bytes, share: float, seed: int) -> bytes:
    """The prompt with this share of its characters, line ends too, replaced at random.

    >>> mistyped_once(b"Why is the sky blue?", 0.0, seed=1)
    b'Why is the sky blue?'
    """
    draw = random.Random(f"{seed} {len(prompt)}")
    return "".join(
        draw.choice(TYPED) if draw.random() < share else character
        for character in prompt.decode("utf-8", "replace")
    ).encode("utf-8", "replace")
