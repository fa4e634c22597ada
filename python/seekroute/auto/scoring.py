"""Features and scores of prompts, as the core makes them: what a server decides by is what is
trained and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from seekroute.errors import SeekrouteError
from seekroute.weights_file import read_bounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from seekroute import _core

COUNTERS: Final = 27
DENSE: Final = 43  # counters, then the numbers of the vector
WORD_BUCKETS: Final = 1 << 16
QUANTILES: Final = 1001
STRATEGIES: Final = ("balanced", "cost", "latency", "quality")
_UNTOLD_QUALITY: Final = (
    0.7  # of a model of which none is declared: a server's, where all are alike
)
MEMBERS: Final = ("linear", "trees", "neighbours")
UNRATED: Final = 255  # of a stored outcome, which else is 0 to 254
_MOST_TABLE: Final = 32 << 20  # bytes of a table of word vectors


def as_bytes(prompts: Sequence[str]) -> list[bytes]:
    """The prompts in UTF-8; a lone half of a character becomes a question mark."""
    return [prompt.encode("utf-8", "replace") for prompt in prompts]


@dataclass(frozen=True)
class Features:
    """What the core sees in prompts, a row each.

    Attributes:
        dense: float32, (prompts, 43): the counters, then the vector, which is 0 without a table.
        difficulty: float32, (prompts, 2): length and keyword score.
        ends: of `buckets` and `counts`, where each prompt's words end.
        buckets: the words, by hash.
        counts: how often each occurs in its prompt.
    """

    dense: NDArray[np.float32]
    difficulty: NDArray[np.float32]
    ends: NDArray[np.uint32]
    buckets: NDArray[np.uint16]
    counts: NDArray[np.uint16]

    def __len__(self) -> int:
        return len(self.dense)

    def at(self, rows: NDArray[np.intp]) -> Features:
        """Those of the prompts at these places."""
        begins = np.concatenate([[0], self.ends[:-1]]).astype(np.int64)[rows]
        sizes = self.ends.astype(np.int64)[rows] - begins
        ends = np.cumsum(sizes)
        words = np.arange(ends[-1] if len(ends) else 0) + np.repeat(begins - (ends - sizes), sizes)
        return Features(
            dense=self.dense[rows],
            difficulty=self.difficulty[rows],
            ends=ends.astype(np.uint32),
            buckets=self.buckets[words],
            counts=self.counts[words],
        )


class WordVectors:
    """The table of word vectors; see `script/word_vectors.py`, which builds it."""

    def __init__(self, table: bytes) -> None:
        """Reads a table.

        Raises:
            SeekrouteError: The bytes are no table.
        """
        from seekroute import _core

        try:
            self.core: _core.WordVectors = _core.WordVectors(table)
        except _core.CoreError as error:
            raise SeekrouteError(error.message) from None

    @property
    def checksum(self) -> int:
        """Tells one table from another."""
        return self.core.checksum


def word_vectors(file: Path) -> WordVectors:
    """The table in a file.

    Raises:
        SeekrouteError: It cannot be read, or is none.
    """
    return WordVectors(read_bounded(file, _MOST_TABLE))


def shipped_vectors() -> WordVectors:
    """The table that the package has."""
    from importlib.resources import files

    return WordVectors((files("seekroute") / "data" / "word_vectors.bin").read_bytes())


def excerpt(content: bytes) -> bytes:
    """What a server looks at of the `content` of a message, in JSON: a string, or parts.

    >>> excerpt(b'"Hello!"')
    b'Hello!'
    """
    from seekroute import _core

    return _core.excerpt_of(content)


def scan(texts: list[bytes], vectors: WordVectors | None = None) -> Features:
    """The features of texts, of which the core looks at 4 KiB each.

    >>> scan([b"Why is the sky blue?"]).dense.shape
    (1, 43)
    """
    from seekroute import _core

    core = None if vectors is None else vectors.core
    dense, difficulty, ends, buckets, counts = _core.scan_texts(texts, core)
    return Features(
        dense=np.frombuffer(dense, np.float32).reshape(-1, DENSE),
        difficulty=np.frombuffer(difficulty, np.float32).reshape(-1, 2),
        ends=np.frombuffer(ends, np.uint32),
        buckets=np.frombuffer(buckets, np.uint16),
        counts=np.frombuffer(counts, np.uint16),
    )


def joined(parts: Sequence[Features]) -> Features:
    """Features of texts that were scanned apart, one part after the other."""
    counts = [len(part.buckets) for part in parts]
    before = np.cumsum([0, *counts[:-1]]).astype(np.uint32)
    return Features(
        dense=np.concatenate([part.dense for part in parts]),
        difficulty=np.concatenate([part.difficulty for part in parts]),
        ends=np.concatenate([part.ends + at for part, at in zip(parts, before, strict=True)]),
        buckets=np.concatenate([part.buckets for part in parts]),
        counts=np.concatenate([part.counts for part in parts]),
    )


def counters_of(dense: NDArray[np.float32]) -> dict[str, float]:
    """The counters of a row of `Features.dense` by name, counts and lengths as such.

    >>> counters_of(scan([b"Why is the sky blue?"]).dense[0])["words"]
    5.0
    """
    from seekroute import _core

    found = {}
    for (name, is_log), value in zip(_core.auto_counters(), dense[:COUNTERS], strict=True):
        # Of a whole number, or a mean of such: what a float32 leaves of one is rounded away.
        found[name] = round(float(np.expm1(np.float64(value))), 3) if is_log else float(value)
    return found


def directions(dense: NDArray[np.float32], spreads: NDArray[np.float32]) -> NDArray[np.int8]:
    """Where the core looks for neighbours of rows of `Features.dense`: (rows, 48)."""
    from seekroute import _core

    found = _core.text_directions(
        np.ascontiguousarray(dense, np.float32).tobytes(), spreads.astype(np.float32).tobytes()
    )
    return np.frombuffer(found, np.int8).reshape(len(dense), -1)


def write_weights(weights: dict[str, Any]) -> bytes:
    """Weights in the core's form, checked by it.

    Raises:
        SeekrouteError: They do not fit together.
    """
    from seekroute import _core

    try:
        return _core.write_auto_weights(weights)
    except _core.CoreError as error:
        raise SeekrouteError(error.message) from None


class OnlineModel:
    """A regression that learns of prompts one after the other: a step for each rating. Not
    thread-safe."""

    def __init__(self, dense: NDArray[np.float32], spread: float) -> None:
        """Knows nothing yet.

        Args:
            dense: Rows of `Features.dense` of some traffic, by which counters are scaled.
            spread: Of a counter, when it is scaled.
        """
        from seekroute import _core

        counters = dense[:, :COUNTERS].astype(np.float64)
        found = counters.std(axis=0)
        scale = np.where(found > 1e-6, spread / np.maximum(found, 1e-6), 0.0)
        spreads = np.stack([counters.mean(axis=0), scale], axis=1).astype(np.float32)
        self._core = _core.OnlineLinearModel(spreads.tobytes())

    def follow(self, texts: list[bytes], outcomes: NDArray[np.floating]) -> NDArray[np.float32]:
        """Of each text the probability that it is served well, before its outcome is learned; of
        one whose outcome is NaN nothing is learned."""
        found = self._core.follow(texts, np.asarray(outcomes, np.float32).tobytes())
        return np.frombuffer(found, np.float32)

    def weights(self) -> dict[str, Any]:
        """The members `words`, `counters` and `bias` of a model's weights."""
        return self._core.weights()


@dataclass(frozen=True)
class Scores:
    """What the core says of prompts.

    Attributes:
        ranks: (prompts, models): the worth of asking a model instead of the first, 0 to 1.
        quality: (prompts, models): the probability that a model serves the prompt well.
        members: (prompts, models, 3): the same of each member, uncalibrated; 0 of absent ones.
        leads: (prompts, models, 3): each member's lead before the first model.
        prior: (prompts,): rank by length and keywords.
        nanoseconds: (prompts,): what each decision took.
    """

    ranks: NDArray[np.float32]
    quality: NDArray[np.float32]
    members: NDArray[np.float32]
    leads: NDArray[np.float32]
    prior: NDArray[np.float32]
    nanoseconds: NDArray[np.int64]


def scorer_of(weights: bytes, table: WordVectors | None = None) -> Scorer:
    """Weights with the table that they were trained with: the package's, where they were with one
    and `table` is none.

    Raises:
        SeekrouteError: As `Scorer`.
    """
    from seekroute import _core

    try:
        trained_with = _core.auto_vectors_checksum(weights)
    except _core.CoreError as error:
        raise SeekrouteError(error.message) from None
    if trained_with and table is None:
        table = shipped_vectors()
    return Scorer(weights, table)


class Scorer:
    """Weights, ready for use. Immutable; may be used by any thread."""

    def __init__(self, weights: bytes, vectors: WordVectors | None = None) -> None:
        """Reads weights.

        Args:
            weights: As `seekroute.auto.train` gives them.
            vectors: The table that they were trained with, if with any.

        Raises:
            SeekrouteError: They are damaged, of another version, or of another table.
        """
        from seekroute import _core

        try:
            self._core = _core.AutoScorer(weights, None if vectors is None else vectors.core)
        except _core.CoreError as error:
            raise SeekrouteError(error.message) from None

    @property
    def models(self) -> list[str]:
        """The models, the reference first."""
        return self._core.models

    @property
    def revision(self) -> str:
        """Who trained the weights, when."""
        return self._core.revision

    @property
    def ratings(self) -> int:
        """How many rated prompts they were learned from."""
        return self._core.ratings

    @property
    def shares(self) -> tuple[float, float, float]:
        """How much each member counts, where it is there."""
        return self._core.shares

    @property
    def members(self) -> list[str]:
        """Those of MEMBERS that are there and count."""
        there = zip(MEMBERS, self._core.members, self.shares, strict=True)
        return [name for name, is_there, share in there if is_there and share > 0]

    def rank(
        self, text: bytes, costs: Sequence[int], strategy: str
    ) -> list[tuple[str, float, float, str]]:
        """The models in the order in which `model: "auto"` would ask them.

        Args:
            text: What is looked at of the prompt.
            costs: Of a request with each of the models, in pico-USD.
            strategy: One of STRATEGIES.

        Returns:
            The name, the quality, the score and the reason of each.
        """
        _, ranked = self._core.rank(text, costs, _UNTOLD_QUALITY, strategy)
        models = self.models
        return [(models[place], quality, score, why) for place, quality, score, why in ranked]

    def score(self, texts: list[bytes], *, neighbours: bool = True) -> Scores:
        """Scores texts. Without `neighbours` that member is not asked."""
        return self._scores(len(texts), self._core.score(texts, neighbours))

    def score_features(self, features: Features, *, neighbours: bool = True) -> Scores:
        """Scores texts by their features, which are of the weights' table of word vectors."""
        parts = (
            np.ascontiguousarray(features.dense).tobytes(),
            np.ascontiguousarray(features.difficulty).tobytes(),
            features.ends.tobytes(),
            features.buckets.tobytes(),
            features.counts.tobytes(),
        )
        return self._scores(len(features), self._core.score_features(*parts, neighbours))

    def _scores(self, rows: int, parts: Sequence[bytes]) -> Scores:
        models = len(self.models)
        ranks, quality, members, leads, prior = (
            np.frombuffer(each, np.float32) for each in parts[:5]
        )
        return Scores(
            ranks=ranks.reshape(rows, models),
            quality=quality.reshape(rows, models),
            members=members.reshape(rows, models, len(MEMBERS)),
            leads=leads.reshape(rows, models, len(MEMBERS)),
            prior=prior,
            nanoseconds=np.frombuffer(parts[5], np.int64),
        )
