"""Routing by content in a notebook: `seekroute.Router`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seekroute.auto.evaluation import Report, evaluate_weights
from seekroute.auto.lessons import Rated
from seekroute.auto.outcomes import Outcomes, outcomes_of, read_outcomes
from seekroute.auto.scoring import (
    MEMBERS,
    STRATEGIES,
    Scorer,
    WordVectors,
    counters_of,
    excerpt,
    scan,
    scorer_of,
    shipped_vectors,
)
from seekroute.auto.training import train
from seekroute.errors import SeekrouteError
from seekroute.shown import Bundle, Shown, bundle, register
from seekroute.weights_file import read_bounded, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_PICO: Final = 10**12  # in a USD
_MOST_USD: Final = 1_000_000  # of a request: its pico-USD are within 64 bits

RatedRows = Outcomes | Rated | str | Path | Iterable[Mapping[str, Any]]
"""Rated prompts: read already, a file of them, or rows as `read_outcomes` reads them."""


@dataclass(frozen=True)
class ModelExplanation:
    """What the weights say of one model for a prompt.

    Attributes:
        name: The model.
        quality: The probability that it serves the prompt well.
        rank: The worth of asking it instead of the first model: the share of the prompts that were
            learned from for which it was less; 0 of the first.
        members: What each member that counts says of `quality`, uncalibrated.
    """

    name: str
    quality: float
    rank: float
    members: dict[str, float]


@dataclass(frozen=True)
class Explanation(Shown):
    """What routing by content sees in a prompt, and what it makes of it.

    Attributes:
        features: The counters of the prompt by name; counts and lengths as such.
        difficulty: How hard the prompt looks by length and keywords, as a rank from 0 to 1 among
            those that were learned from.
        models: Of the weights, the reference first.
        reason: The same in a sentence.
        revision: Of the weights.
    """

    features: dict[str, float]
    difficulty: float
    models: list[ModelExplanation]
    reason: str
    revision: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "reason": self.reason,
            "difficulty": self.difficulty,
            "models": [
                {
                    "model": model.name,
                    "quality": model.quality,
                    "rank": model.rank,
                    "members": model.members,
                }
                for model in self.models
            ],
            "features": self.features,
            "revision": self.revision,
        }

    def tables(self) -> dict[str, list[list[str]]]:
        """Tables of text by their captions, the head of each first."""
        members = [name for name in MEMBERS if name in self.models[0].members]
        models = [["model", "quality", "rank", *members]]
        for model in self.models:
            numbers = [model.quality, model.rank, *model.members.values()]
            models.append([model.name, *(f"{number:.3f}" for number in numbers)])
        features = [["feature", "value"]]
        features += [[name, f"{value:.4g}"] for name, value in self.features.items() if value]
        return {
            f"{self.reason} Difficulty: {self.difficulty:.2f}.": models,
            "Features that are not 0": features,
        }

    def __str__(self) -> str:
        return bundle(self)["text/plain"]


@dataclass(frozen=True)
class Verdict:
    """What a decision says of one model.

    Attributes:
        model: Its name.
        quality: The probability that it serves the prompt well, as a server takes it.
        cost: What a request is expected to cost with it, in USD.
        score: What the strategy goes by.
        reason: Why it has its place, in a word: see `docs/auto.md`.
    """

    model: str
    quality: float
    cost: Decimal
    score: float
    reason: str


@dataclass(frozen=True)
class Decision(Shown):
    """Which model `model: "auto"` would ask, and which it would fall back on.

    Attributes:
        strategy: By which it was made.
        verdicts: Of all models, the chosen one first.
    """

    strategy: str
    verdicts: list[Verdict]

    @property
    def model(self) -> str:
        """The chosen one."""
        return self.verdicts[0].model

    @property
    def reason(self) -> str:
        """Why it was chosen."""
        return self.verdicts[0].reason

    def table(self) -> list[list[str]]:
        """The verdicts as text, the head first."""
        rows = [["model", "quality", "cost, USD", "score", "reason"]]
        for each in self.verdicts:
            numbers = [f"{each.quality:.3f}", f"{each.cost:f}", f"{each.score:.3f}"]
            rows.append([each.model, *numbers, each.reason])
        return rows


class Router(Shown):
    """Routing by content: learns from rated prompts, says what it makes of others, is measured.

    What it says of a prompt is what a server with the same weights says: the core computes both.
    Not thread-safe while it is fitted.

    >>> rows = [{"prompt": f"{i} apples", "weak": i % 2, "strong": 1} for i in range(20)]
    >>> router = Router().fit(rows)
    >>> [model.name for model in router.explain("How many apples?").models]
    ['weak', 'strong']
    """

    def __init__(self, weights: bytes = b"", *, vectors: WordVectors | None = None) -> None:
        """Begins with weights, or with nothing: then `fit` comes first.

        Args:
            weights: As `seekroute.auto.train` gives them.
            vectors: Another table of word vectors than the package's.

        Raises:
            SeekrouteError: The weights are damaged, of another version, or of another table.
        """
        self._vectors = vectors
        self._weights = weights
        self._scorer = scorer_of(weights, vectors) if weights else None
        self._report: Report | None = None

    @classmethod
    def load(cls, path: str | Path, *, vectors: WordVectors | None = None) -> Router:
        """A router with the weights in a file, as `save` and `seekroute router train` write it.

        Raises:
            SeekrouteError: It cannot be read; and as `Router`.
        """
        return cls(read_bounded(Path(path)), vectors=vectors)

    def save(self, path: str | Path) -> None:
        """Writes the weights to a file, which is replaced whole.

        Raises:
            SeekrouteError: There are none yet, or it cannot be written.
        """
        self._ready()
        write_whole(Path(path), self._weights)

    @property
    def models(self) -> list[str]:
        """The models of the weights, the reference first; none before there are weights."""
        return [] if self._scorer is None else self._scorer.models

    def fit(self, outcomes: RatedRows, *, models: Sequence[str] = (), seed: int = 0) -> Router:
        """Learns anew from rated prompts, and returns itself. Takes seconds for 1,500 of them.

        Args:
            outcomes: A file of them, or rows with a `prompt` and an outcome of each model, 0 to 1;
                of a pandas frame give `frame.to_dict("records")`.
            models: As in `read_outcomes`.
            seed: The same gives the same weights.

        Raises:
            SeekrouteError: They are too few, a row lacks something, or a package of
                `seekroute[router]` is not installed. The weights stay as they were.
        """
        rated = _rated(outcomes, models)
        revision = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        table = self._vectors or shipped_vectors()
        weights = train(rated, vectors=table, seed=seed, revision=revision)
        self._scorer = Scorer(weights, table)
        self._weights, self._report = weights, None
        return self

    def explain(self, prompt: str | Sequence[Mapping[str, Any]]) -> Explanation:
        """What is seen in a prompt, and how well each model would serve it.

        Args:
            prompt: A text, or messages as a request has them: their last one of a user counts.

        Raises:
            SeekrouteError: There are no weights yet, or no message of a user.
        """
        scorer = self._ready()
        text = excerpt_of(prompt)
        scores = scorer.score([text])
        there = scorer.members
        models = [
            ModelExplanation(
                name=name,
                quality=float(scores.quality[0, place]),
                rank=float(scores.ranks[0, place]),
                members={
                    member: float(scores.members[0, place, i])
                    for i, member in enumerate(MEMBERS)
                    if member in there
                },
            )
            for place, name in enumerate(scorer.models)
        ]
        return Explanation(
            features=counters_of(scan([text]).dense[0]),
            difficulty=float(scores.prior[0]),
            models=models,
            reason=_reason(models),
            revision=scorer.revision,
        )

    def decide(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        strategy: str = "balanced",
        costs: Mapping[str, Decimal | str | int | float] | None = None,
    ) -> Decision:
        """Which model `model: "auto"` would ask for a prompt, if all of the weights' models could
        serve it; the core decides. Latency is unknown here: by it the prices decide.

        Args:
            prompt: As in `explain`.
            strategy: "balanced", "cost", "latency" or "quality".
            costs: What a request costs with each model, in USD. Default: what a short one does at
                the cheapest endpoint in the packaged catalog.

        Raises:
            SeekrouteError: There are no weights yet, no such strategy, no message of a user, or a
                model whose cost is not known.
        """
        scorer = self._ready()
        if not isinstance(strategy, str) or strategy not in STRATEGIES:
            raise SeekrouteError(f"strategy: give one of {', '.join(STRATEGIES)}, not {strategy!r}")
        usd = {name: _cost_of(name, costs) for name in scorer.models}
        pico = [int(amount * _PICO) for amount in usd.values()]
        return Decision(
            strategy=strategy,
            verdicts=[
                Verdict(model, quality, usd[model], score, reason)
                for model, quality, score, reason in scorer.rank(excerpt_of(prompt), pico, strategy)
            ],
        )

    def evaluate(
        self, outcomes: RatedRows, *, models: Sequence[str] = (), published: str | None = None
    ) -> Report:
        """Measures the weights as they are, next to length, keywords, chance and the oracle.

        Args:
            outcomes: As in `fit`, of the same two models; prompts that were learned from flatter.
            models: As in `read_outcomes`.
            published: A key of `seekroute.auto.PUBLISHED`, whose lines are added.

        Raises:
            SeekrouteError: There are no weights yet, or they are of other models or more than two;
                or the strong model is not better.
        """
        scorer = self._ready()
        rated = _rated(outcomes, models or scorer.models)
        self._report = evaluate_weights(scorer, rated, published=published)
        return self._report

    def plot(self) -> Figure:
        """Draws what `evaluate` measured last.

        Raises:
            SeekrouteError: Nothing was measured yet, or matplotlib is not installed.
        """
        if self._report is None:
            raise SeekrouteError("nothing was measured yet: call evaluate() first")
        return self._report.plot()

    def _ready(self) -> Scorer:
        if self._scorer is None:
            raise SeekrouteError("the router has no weights yet: call fit(), or Router.load()")
        return self._scorer

    def __repr__(self) -> str:
        if self._scorer is None:
            return "Router(no weights yet)"
        return (
            f"Router({' | '.join(self.models)}, learned from {self._scorer.ratings} prompts, "
            f"{self._scorer.revision})"
        )


def excerpt_of(prompt: str | Sequence[Mapping[str, Any]]) -> bytes:
    """What a server looks at of a prompt: a text, or the text of the last message of a user. Of
    more than 4 KiB the first and the last 2 KiB.

    Raises:
        SeekrouteError: There is no message of a user, or it is neither a text nor messages.

    >>> excerpt_of([{"role": "user", "content": "Hello!"}])
    b'Hello!'
    """
    content: Any = prompt
    if not isinstance(prompt, str):
        if not _are_messages(prompt):
            raise SeekrouteError(
                "prompt: give a text, or messages as a request has them, such as "
                '[{"role": "user", "content": "Hello!"}]'
            )
        content = next((each.get("content") for each in reversed(prompt) if _is_users(each)), None)
        if content is None:
            raise SeekrouteError("there is no message of a user: give one, or a text")
    try:
        return excerpt(json.dumps(content).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise SeekrouteError(
            "prompt: the content of the last message of a user is no JSON: give a text, or a list "
            'of parts such as {"type": "text", "text": "Hello!"}'
        ) from error


def _cost_of(model: str, costs: Mapping[str, Decimal | str | int | float] | None) -> Decimal:
    """In USD, not above a million."""
    if costs is None:
        found = _catalog_cost(model)
    elif not isinstance(costs, Mapping):
        raise SeekrouteError(f"costs: give the USD of each model, such as {{{model!r}: 0.001}}")
    else:
        said = costs.get(model)
        try:
            found = None if said is None else Decimal(str(said))
        except InvalidOperation:
            found = None
    if found is None or not found.is_finite() or not 0 <= found <= _MOST_USD:
        raise SeekrouteError(
            f"what a request costs with {model} is not known: give costs={{{model!r}: USD, ...}}"
        )
    return abs(found)  # of -0.0 it makes 0


def _catalog_cost(model: str) -> Decimal | None:
    """Of a short request at the cheapest endpoint in the packaged catalog."""
    from seekroute.config.catalog import packaged_catalog
    from seekroute.config.price_jumps import short_request_costs
    from seekroute.config.prices import endpoint_table

    catalog = packaged_catalog()
    known = catalog.resolve(model)
    if known is None:
        return None
    candidates = [
        {"price": endpoint_table(catalog, known, each), "max_output": each.max_output}
        for each in known.endpoints
    ]
    row = {"output": known.kind, "max_output": known.max_output or 0, "candidates": candidates}
    return min(short_request_costs(row), default=None)


def _are_messages(prompt: Any) -> bool:
    return (
        isinstance(prompt, Sequence)
        and not isinstance(prompt, bytes | bytearray | memoryview)
        and all(isinstance(each, Mapping) for each in prompt)
    )


def _is_users(message: Mapping[str, Any]) -> bool:
    return message.get("role") == "user" and message.get("content") is not None


def _rated(outcomes: RatedRows, models: Sequence[str]) -> Rated:
    if isinstance(outcomes, Rated):
        return outcomes
    if isinstance(outcomes, str | Path):
        outcomes = read_outcomes([Path(outcomes)], models)
    if not isinstance(outcomes, Outcomes):
        outcomes = outcomes_of(outcomes, models)
    return outcomes.rated


def _reason(models: Sequence[ModelExplanation]) -> str:
    first, *others = models
    said = [
        f"asking {model.name} instead is worth more here than for {model.rank:.0%} of the prompts "
        f"that were learned from"
        for model in others
    ]
    return (
        f"{first.name} serves this well with a probability of {first.quality:.0%}; "
        f"{'; '.join(said)}."
    )


def _explanation_bundle(explanation: Explanation) -> Bundle:
    from seekroute.client.show.display import rows_bundle

    return _joined([rows_bundle(*each) for each in explanation.tables().items()])


def _decision_bundle(decision: Decision) -> Bundle:
    from seekroute.client.show.display import rows_bundle

    return rows_bundle(f"auto, {decision.strategy}: {decision.model}", decision.table())


def _report_bundle(report: Report) -> Bundle:
    from seekroute.client.show.display import rows_bundle

    head = ["router", "APGR", "sd", "CPT50", "CPT80"]
    rows = [head, *([row[name] or "" for name in row] for row in report.rows())]
    return rows_bundle(report.caption, rows)


def _router_bundle(router: Router) -> Bundle:
    from seekroute.client.show.display import rows_bundle

    table = rows_bundle("seekroute.Router", [["Router"], [repr(router)]])
    return {**table, "text/plain": repr(router)}


def _joined(bundles: Sequence[Bundle]) -> Bundle:
    gaps = {"text/plain": "\n\n", "text/markdown": "\n\n", "text/html": ""}
    return {kind: gap.join(each[kind] for each in bundles) for kind, gap in gaps.items()}


register(Decision, _decision_bundle)
register(Explanation, _explanation_bundle)
register(Report, _report_bundle)
register(Router, _router_bundle)
