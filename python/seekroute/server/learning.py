"""What a server does to learn from ratings: between the core, which chooses, and router.db."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from seekroute.api.call import Unrated
from seekroute.server.followers import Follower
from seekroute.server.grading import GRADE_POLL_S, Grading
from seekroute.server.refits import Refits

if TYPE_CHECKING:
    from seekroute.gateway import Gateway
    from seekroute.learning import Choice, LearningError, Looks, Rating, RatingBook
    from seekroute.plan import LearningPlan, Plan
    from seekroute.server.metrics import Sample

_log: Final = logging.getLogger("seekroute.server")

# How often what was chosen is taken from the core.
_LEARN_POLL_S: Final = 1.0
# How often models are judged anew, where there are new ratings: that reads hundreds of them.
_JUDGE_S: Final = 2.0
# How often the weight of cost is found anew, where one is to be.
_SPEND_S: Final = 10.0
# How long ratings are refused after one could not be written, and how long one waits for others.
_REFUSE_S: Final = 1.0
# Between two lines in the log that say so.
_SAY_AGAIN_S: Final = 60.0
# Choices that wait for a disk that cannot be written: the latest.
_MOST_UNWRITTEN: Final = 4096
# The default of `trusted`, of which nobody has said that it is there.
_USUALLY_TRUSTED: Final = "default"
# How an answer ends that hints at nothing good.
_BAD_ENDS: Final = frozenset({"content_filter", "refusal"})


class Learning:
    """Takes what was chosen, takes ratings, tells the core how well models have done. Thread-safe.

    Without `routing.auto.learning.enabled` it does nothing and opens no file.

    Args:
        home: the data directory.
        gateway: whose core chooses.
        org_named: the id of an organization, by its id or name; None: there is none.
    """

    def __init__(
        self, home: Path, gateway: Gateway, org_named: Callable[[str], str | None]
    ) -> None:
        self._home: Final = home
        self._gateway: Final = gateway
        self._org_named: Final = org_named
        self._lock = threading.Lock()
        self._settings: dict[str, Any] | None = None  # `auto` of the snapshot
        self._plan: LearningPlan | None = None
        self._refits: Final = Refits(home)
        self.grading: Final = Grading(gateway, self.rate_pair)
        self._weight: float | None = None  # of cost; None: the configuration's
        self._weighed = 0.0
        self._book: RatingBook | None = None
        self._unwritten: tuple[list[Choice], list[Rating]] = ([], [])
        self._looks: Looks | None = None
        self._seen: object = None  # what was last told to the core was made of this
        self._judged = 0.0
        self._refuse_until = 0.0
        self._complained = float("-inf")
        self._told_missing: frozenset[str] = frozenset()
        self.reason = ""  # why nothing is learned though it should be

    # --- the configuration ------------------------------------------------------------------------

    def adopt(self, plan: Plan) -> None:
        """Learns by a plan that is in force from now on."""
        with self._lock:
            self._adopt(plan)

    @contextlib.contextmanager
    def adopting(self, plan: Plan, snapshot: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Gives the core's snapshot with what was learned, to be put in force inside; learns by the
        plan from then on, unless that fails."""
        with self._lock:  # or what was learned for the old one could take the place of the new
            yield {**snapshot, "auto": self._learned_or_plain(snapshot["auto"])}
            self._adopt(plan)

    def _adopt(self, plan: Plan) -> None:
        self._settings = plan.snapshot["auto"]
        self._seen = None  # the next turn looks again
        self._plan = plan.learning
        self.grading.adopt(plan.learning.grader if plan.learning is not None else None)
        if self._book is not None and (self._plan is None or self._plan.keep != self._book.keep):
            self._close()
        if self._plan is None:
            self.reason = ""
            return
        for name in self._plan.trusted:
            if name != _USUALLY_TRUSTED and self._org_named(name) is None:
                _log.warning(
                    "routing.auto.learning.trusted: there is no organization %r (yet): seekroute "
                    "orgs list shows them",
                    name,
                )
        self._open(self._plan)

    @property
    def takes_ratings(self) -> bool:
        """Whether they are asked for, also where they cannot be written down now."""
        return self._plan is not None

    def close(self) -> None:
        """Writes down what was chosen, and closes the file. Idempotent."""
        with self._lock:
            if self._book is not None:
                try:
                    self._take()
                except Exception as error:
                    _log.error("what auto chose last is lost: %s", error)
            self._close()

    def _open(self, plan: LearningPlan) -> None:
        if self._book is not None:
            return
        from seekroute.learning import LearningError, Looks, RatingBook

        try:
            book = RatingBook(self._home, keep=plan.keep)
        except LearningError as error:
            self._give_up(error)
            return
        try:
            book.check(writable=True)
        except LearningError as error:
            book.close()
            self._give_up(error)
            return
        self._book = book
        self._looks = self._looks or Looks()
        self._seen = None
        if self.reason:
            _log.info("auto learns again")
        self.reason = ""

    def _give_up(self, error: LearningError) -> None:
        """Nothing is learned until the file can be used again, which is tried every turn."""
        if str(error) != self.reason:
            _log.error("auto does not learn: %s", error)
        self.reason = str(error)
        self._refuse_until = time.monotonic() + _REFUSE_S
        self._close()

    def _close(self) -> None:
        self._refits.close()
        if self._book is not None:
            self._book.close()
            self._book = None

    def followers(self) -> Iterator[Follower]:
        """What is done every so often, on threads of their own: a grader may take its time."""
        yield Follower(
            "learning",
            _LEARN_POLL_S,
            self.turn,
            does="write down what auto chose",
            trouble="auto does not learn: the log says why",
        )
        yield Follower(
            "grading",
            GRADE_POLL_S,
            self.grading.turn,
            does="have shadow pairs graded",
            trouble="shadow pairs are not graded: the log says why",
        )

    # --- every so often ---------------------------------------------------------------------------

    def turn(self) -> bool:
        """Takes what was chosen, and tells the core what was learned. For a `Follower`."""
        from seekroute.learning import LearningError

        with self._lock:
            if self._book is None:
                if self.reason and self._plan is not None:
                    self._open(self._plan)  # the file may have been mended
                return False
            try:
                self._book.check()
                self._take()
                if time.monotonic() - self._judged >= _JUDGE_S:
                    self._weigh()
                    self._tell()
                    self._refit()
            except LearningError as error:
                self._give_up(error)
        return False

    def _take(self) -> None:
        """Writes down what was chosen; what cannot be written is kept for the next time.

        Raises:
            LearningError: it cannot be written.
        """
        from seekroute.learning import Choice, Rating

        assert self._book is not None
        assert self._looks is not None
        choices, hints = self._unwritten
        for each in self._gateway.core.take_decisions():
            excerpt: bytes = each["excerpt"]
            choices.append(
                Choice(
                    generation=each["generation"],
                    org=each["org"],
                    created=each["created"],
                    strategy=each["strategy"],
                    revision=each["revision"],
                    served=each["served"],
                    offers=each["offers"],
                    looks=self._looks.at(excerpt) if excerpt else b"",
                )
            )
            if each["empty"] or each["finish_reason"] in _BAD_ENDS:
                hints.append(
                    Rating(each["generation"], each["served"], "implicit", each["org"], 0.0)
                )
        del choices[:-_MOST_UNWRITTEN], hints[:-_MOST_UNWRITTEN]
        self._book.add(choices, hints)
        self._unwritten = ([], [])

    def _tell(self) -> None:
        """Tells the core what was learned, where that is new."""
        assert self._book is not None
        now = self._book.in_force()
        seen = (now.number if now else 0, self._weight, *self._book.last_given())
        self._judged = time.monotonic()
        if seen == self._seen or self._settings is None:
            return
        self._gateway.core.set_auto(self._learned(self._settings))
        self._seen = seen

    def _refit(self) -> None:
        if self._plan is None or not self._plan.refit or self._settings is None:
            return
        assert self._book is not None
        latest = self._book.latest_version()
        ratings, _ = self._book.last_given()
        learned = latest.report.get("ratings", 0) if latest is not None else 0
        self._refits.turn(ratings, learned, self._settings, self._trusted())

    def _learned(self, settings: dict[str, Any] | None) -> dict[str, Any] | None:
        """What the core is given to choose by: with the weights in force, and how models have done
        of late."""
        if settings is None or self._book is None:
            return settings
        from seekroute.learning import LearningError, settings_with_weights, shifts_of

        assert self._looks is not None
        learned = settings
        try:
            learned = settings_with_weights(settings, self._book, self._trusted())
            self._looks.router(learned)
        except (LearningError, ValueError) as error:  # of another release's table of vectors, say
            self._say_once(str(error))
            learned = settings
        shifts = shifts_of(learned, self._book, self._looks, self._trusted())
        models = [{**row, "shift": shifts.get(row["id"], 0.0)} for row in learned["models"]]
        weight = learned["cost_weight"] if self._weight is None else self._weight
        return {**learned, "models": models, "cost_weight": weight}

    def _weigh(self) -> None:
        """Finds the weight of cost by which the last requests would have kept to the target."""
        plan, book = self._plan, self._book
        assert book is not None
        if plan is None or (plan.pico_per_request is None and plan.dearest_share is None):
            self._weight = None
            return
        if self._weighed and time.monotonic() - self._weighed < _SPEND_S:
            return
        from seekroute.learning.spending import (
            LATEST_CHOICES,
            LEAST_CHOICES,
            Offer,
            Target,
            cost_weight_for,
        )

        kept = book.offers("balanced", LATEST_CHOICES)
        requests = [[Offer(*offer) for offer in offers] for offers in kept]
        if len(requests) < LEAST_CHOICES:
            self._weight = None
            return
        self._weighed = time.monotonic()
        target = Target(plan.pico_per_request, plan.dearest_share)
        self._weight = cost_weight_for(requests, target)

    def _trusted(self) -> set[str]:
        """The ids of those whose ratings count whole; the operator's own is empty."""
        names = self._plan.trusted if self._plan is not None else ()
        return {"", *(org for name in names if (org := self._org_named(name)))}

    def _learned_or_plain(self, settings: dict[str, Any] | None) -> dict[str, Any] | None:
        """The same; where what was learned cannot be read, without it."""
        from seekroute.learning import LearningError

        try:
            return self._learned(settings)
        except LearningError as error:
            self._give_up(error)
            return settings

    def _say_once(self, reason: str) -> None:
        if reason not in self._told_missing:
            self._told_missing |= {reason}
            _log.error("learned weights are not used: %s", reason)

    # --- ratings ----------------------------------------------------------------------------------

    def rate(
        self, *, org: str, generation: str, score: float | None, category: str, comment: str
    ) -> None:
        """Takes a rating of a request of the organization.

        Raises:
            Unrated: there is no such request.
            RefusedError: it cannot be written down.
        """
        from seekroute.api.call import RefusedError
        from seekroute.learning import LearningError, Rating

        refused = RefusedError(
            "store_unavailable", "ratings cannot be written down now: try again later"
        )
        # Who waits has a thread that others need: while the file hangs, nobody does.
        if time.monotonic() < self._refuse_until or not self._lock.acquire(timeout=_REFUSE_S):
            raise refused
        try:
            if self._book is None:
                raise refused
            found = self._book.find(generation)
            if found is None:
                self._take()  # it may have ended a moment ago
                found = self._book.find(generation)
            if found is None or found.org != org:
                raise Unrated
            self._book.rate(
                Rating(generation, found.served, "feedback", org, score, category, comment)
            )
        except LearningError as error:
            self._refuse_until = time.monotonic() + _REFUSE_S
            self._complain(error)
            raise refused from None
        finally:
            self._lock.release()

    def _complain(self, error: LearningError) -> None:
        """Says in the log that ratings cannot be written down: once a minute."""
        if time.monotonic() - self._complained >= _SAY_AGAIN_S:
            self._complained = time.monotonic()
            _log.error("a rating cannot be written down: %s", error)

    def rate_pair(self, ratings: list[Rating]) -> bool:
        """Takes what a grader says of both answers to a request; False: nothing is known of it."""
        from seekroute.learning import LearningError

        with self._lock:
            if self._book is None:
                return False
            try:
                self._take()
                if self._book.find(ratings[0].generation) is None:
                    return False
                self._book.rate(*ratings)
            except LearningError as error:
                self._complain(error)
                return False
        return True

    # --- what operators look at -------------------------------------------------------------------

    def samples(self) -> Iterator[Sample]:
        """Metrics of it."""
        from seekroute.learning import LearningError

        if self._plan is None:
            return
        book = self._book
        with contextlib.suppress(LearningError):  # the next turn says why
            kept, given = (0, 0) if book is None else book.counts()
            yield "seekroute_auto_choices", (), float(kept)
            yield "seekroute_auto_ratings", (), float(given)
        yield "seekroute_shadow_graded_total", (), float(self.grading.graded)
        yield "seekroute_shadow_ungraded_total", (), float(self.grading.failed)
        if self._weight is not None:
            yield "seekroute_auto_cost_weight", (), self._weight
