"""Two answers to a request, graded: what shadow pairs are there for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.gateway import Gateway
    from seekroute.learning import Rating
    from seekroute.learning.grading import Pair
    from seekroute.plan import GraderPlan

_log: Final = logging.getLogger("seekroute.server")

GRADE_POLL_S: Final = 1.0
"""How often pairs are looked for."""
_OK: Final = 200
_LOOK_S: Final = 0.2  # how soon a stop is seen
_WEBHOOK_S: Final = 30.0  # that a program has for a pair
_PAIRS_AT_ONCE: Final = 16  # of one turn of a program
_JUDGED_AT_ONCE: Final = 8  # by a model: two requests each
_FORGET_S: Final = 600.0  # a judge that has not answered by then never will
_WAITING: Final = 64  # for a judge
# Between two lines in the log that say that grading fails.
_SAY_AGAIN_S: Final = 60.0


@dataclass
class _Judged:
    """A pair that a model has been asked about, in both orders."""

    pair: Pair
    since: float
    verdicts: dict[str, bytes] = field(default_factory=dict)


class Grading:
    """Takes pairs from the core, and gives ratings of both models. For one thread.

    Args:
        gateway: whose pairs they are.
        rate: takes the ratings of a pair; False: its request is not known any more.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        gateway: Gateway,
        rate: Callable[[list[Rating]], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway: Final = gateway
        self._rate: Final = rate
        self._clock: Final = clock
        self._plan: GraderPlan | None = None
        self._waiting: list[Pair] = []
        self._judged: dict[str, _Judged] = {}
        self._said = float("-inf")
        self._stopping: Final = threading.Event()
        self.graded = 0
        self.failed = 0

    def adopt(self, plan: GraderPlan | None) -> None:
        """Grades by a plan from now on; None: nobody does, and the core drops pairs in time."""
        self._plan = plan

    def turn(self) -> bool:
        """Takes what is there. For a `Follower`: whether there is more."""
        from seekroute.learning.grading import Pair

        plan = self._plan
        if plan is None:
            return False  # who has no grader may take pairs in another way
        for taken in self._gateway.core.take_shadow_pairs():
            generation, models, body, first, second, _, status = taken
            if status == _OK:
                self._waiting.append(Pair(generation, models, body, (first, second)))
        del self._waiting[:-_WAITING]
        for tag, answer, status in self._gateway.core.take_verdicts():
            self._hear(tag, answer, status)
        if plan.webhook:
            self._ask_program(plan)
        else:
            self._ask_model(plan.judge)
        return False

    def stop(self) -> None:
        """A program that is being asked is not waited for any more."""
        self._stopping.set()

    def _ask_program(self, plan: GraderPlan) -> None:
        for _ in range(_PAIRS_AT_ONCE):
            if not self._waiting or self._stopping.is_set():
                return
            pair = self._waiting.pop(0)
            said = self._said_of(plan, pair)
            if isinstance(said, tuple):
                self._grade(pair, said)
            elif said is not None:
                self._fail(f"{said}" if isinstance(said, SeekrouteError) else type(said).__name__)
                return  # the others are for the next turn

    def _said_of(self, plan: GraderPlan, pair: Pair) -> tuple[float, float] | Exception | None:
        """What the program says, or why it says nothing; None: the server stops."""
        from seekroute.learning.grading import ask_webhook

        said: list[tuple[float, float] | Exception] = []

        def ask() -> None:
            try:
                said.append(ask_webhook(plan.webhook, plan.key, pair, _WEBHOOK_S))
            except Exception as error:  # also of an answer that is none
                said.append(error)

        asking = threading.Thread(target=ask, name="seekroute-grader", daemon=True)
        asking.start()
        while asking.is_alive() and not self._stopping.is_set():
            asking.join(_LOOK_S)
        return said[0] if said else None

    def _ask_model(self, judge: str) -> None:
        from seekroute.learning.grading import judge_request

        now = self._clock()
        for generation in [g for g, each in self._judged.items() if now - each.since > _FORGET_S]:
            del self._judged[generation]
        for pair in self._take(_JUDGED_AT_ONCE - len(self._judged)):
            try:
                bodies = [judge_request(judge, pair, turned=turned) for turned in (False, True)]
            except Exception as error:  # an answer that is none
                self._fail(f"it cannot be shown to a judge: {type(error).__name__}")
                continue
            asked = [
                self._gateway.core.ask_as_operator(
                    body, f"{order} {pair.generation}", pair.generation
                )
                for body, order in zip(bodies, ("straight", "turned"), strict=True)
            ]
            if all(asked):
                self._judged[pair.generation] = _Judged(pair, now)
            else:
                self._fail("too many requests of the operator are under way")

    def _hear(self, tag: str, answer: bytes, status: int) -> None:
        from seekroute.learning.grading import GradingError, mean_of_orders

        order, _, generation = tag.partition(" ")
        judged = self._judged.get(generation)
        if judged is None:
            return
        if status != _OK:
            del self._judged[generation]
            self._fail(
                f"the judge has answered with status {status}"
                if status
                else "the judge was not asked: the day's bound is reached, or it is not well"
            )
            return
        judged.verdicts[order] = answer
        if len(judged.verdicts) < 2:
            return
        del self._judged[generation]
        try:
            scores = mean_of_orders(judged.verdicts["straight"], judged.verdicts["turned"])
        except GradingError as error:
            self._fail(str(error))
            return
        except Exception as error:  # an answer that is none
            self._fail(type(error).__name__)
            return
        self._grade(judged.pair, scores)

    def _take(self, most: int) -> list[Pair]:
        taken, self._waiting = self._waiting[: max(most, 0)], self._waiting[max(most, 0) :]
        return taken

    def _grade(self, pair: Pair, scores: tuple[float, float]) -> None:
        from seekroute.learning import Rating

        ratings = [
            Rating(pair.generation, model, "shadow", "", score)
            for model, score in zip(pair.models, scores, strict=True)
        ]
        if self._rate(ratings):
            self.graded += 1

    def _fail(self, why: str) -> None:
        self.failed += 1
        if self._clock() - self._said >= _SAY_AGAIN_S:
            self._said = self._clock()
            _log.warning("a shadow pair was not graded: %s", why)
