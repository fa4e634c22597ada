"""router.db: what was chosen, how it was rated, and the versions of the weights."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from seekroute.closable import Closable
from seekroute.errors import SeekrouteError
from seekroute.file_names import ROUTER_WEIGHTS
from seekroute.learning.database import LearningError, RouterDatabase
from seekroute.learning.tables import choice, rating, version
from seekroute.weights_file import read_bounded, write_whole

__all__ = ["Choice", "Rating", "RatingBook", "Version"]

_FOLDER_MODE: Final = 0o700
_RATED_FACTOR: Final = 4  # times the unrated ones that are kept
_KEPT_VERSIONS: Final = 20
# Of what is learned prompt by prompt: hints are too little.
_TEACHES: Final = rating.c.score.is_not(None) & rating.c.source.in_(("feedback", "shadow"))
_TAKE_BACK: Final = "seekroute router rollback takes the version before"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for a request that has ended.

    Attributes:
        generation: the request's id.
        org: whose request it was.
        created: Unix seconds.
        strategy: how it was chosen.
        revision: of the weights; empty: nothing was learned.
        served: the model that answered.
        offers: model, quality, pico-USD, milliseconds or 0, whether it was out of service, and the
            chance that it came to be the first; the chosen one first.
        looks: what is kept of the prompt; empty: it had no text.
    """

    generation: str
    org: str
    created: int
    strategy: str
    revision: str
    served: str
    offers: Sequence[tuple[str, float, int, int, bool, float]]
    looks: bytes


@dataclass(frozen=True, slots=True)
class Rating:
    """How well a model did on a request.

    Attributes:
        generation: the request's id.
        model: the model.
        source: one of `tables.SOURCES`.
        org: whose key has given it; empty: the operator.
        score: 0 (bad) to 1 (good); None: what was said is no score.
        category: OpenRouter's word for what was wrong; empty: none was given.
        comment: what was said beside it.
        given: Unix milliseconds.
    """

    generation: str
    model: str
    source: str
    org: str
    score: float | None
    category: str = ""
    comment: str = ""
    given: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the weights.

    Attributes:
        number: counts up.
        created: Unix seconds.
        state: one of `tables.STATES`.
        models: the models that it knows.
        ratings: rated requests that it was learned from.
        sha256: of its file.
        report: how it did against the one in force then.
    """

    number: int
    created: int
    state: str
    models: Sequence[str]
    ratings: int
    sha256: str
    report: Mapping[str, Any]


class RatingBook(Closable):
    """An open router.db. Thread-safe; blocks on the disk.

    Args:
        home: the data directory.
        keep: choices that wait to be rated.
        make: whether it is made where it is missing.

    Raises:
        LearningError: it is missing, damaged, or of a newer release.
    """

    def __init__(
        self,
        home: Path,
        *,
        keep: int = 50_000,
        make: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database: Final = RouterDatabase(home, make=make)
        self._folder: Final = home / ROUTER_WEIGHTS
        self.keep: Final = keep
        self._now = now

    def check(self, *, writable: bool = False) -> None:
        """Looks whether the file is still there and can be read; also whether it can be written.

        Raises:
            LearningError: it is gone, another one, or damaged; or it cannot be written.
        """
        self._database.check()
        if writable:
            self._database.check_writable()

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    # --- choices ----------------------------------------------------------------------------------

    def add(self, choices: Sequence[Choice], hints: Sequence[Rating] = ()) -> None:
        """Writes down what was chosen, and what the answers themselves hint at; forgets the oldest
        beyond the bound. One that is known stays as it is."""
        if not choices:
            return
        rows = [
            {
                "generation": each.generation,
                "org": each.org,
                "created": each.created,
                "strategy": each.strategy,
                "revision": each.revision,
                "served": each.served,
                "offers": json.dumps(list(map(list, each.offers))),
                "looks": each.looks,
                "rated": 0,
            }
            for each in choices
        ]
        with self._database.write() as connection:
            connection.execute(upsert(choice).on_conflict_do_nothing(), rows)
            for each in hints:
                self._rate(connection, each)
            self._prune(connection, rated=0, most=self.keep)

    def find(self, generation: str) -> Choice | None:
        """What was chosen for a request; None where nothing is known of it."""
        with self._database.read() as connection:
            row = connection.execute(
                select(choice).where(choice.c.generation == generation)
            ).one_or_none()
        return None if row is None else _choice(row._mapping)

    # --- ratings ----------------------------------------------------------------------------------

    def rate(self, *ratings: Rating) -> None:
        """Writes down ratings of requests that are known; a second one of the same source takes the
        place of the first.

        Raises:
            LearningError: as opening it; or a request is not known.
        """
        with self._database.write() as connection:
            for each in ratings:
                if not self._rate(connection, each):
                    raise LearningError(f"nothing was chosen for {each.generation}")
            self._prune(connection, rated=1, most=_RATED_FACTOR * self.keep)

    def _rate(self, connection: Connection, each: Rating) -> bool:
        marked = connection.execute(
            update(choice).where(choice.c.generation == each.generation).values(rated=1)
        )
        if marked.rowcount == 0:
            return False
        row = {
            "generation": each.generation,
            "model": each.model,
            "source": each.source,
            "org": each.org,
            "score": each.score,
            "category": each.category,
            "comment": each.comment,
            "given": each.given or int(self._now() * 1000),
        }
        statement = upsert(rating).values(row)
        connection.execute(
            statement.on_conflict_do_update(index_elements=list(rating.primary_key), set_=row)
        )
        return True

    def _prune(self, connection: Connection, *, rated: int, most: int) -> None:
        there = connection.execute(
            select(func.count()).select_from(choice).where(choice.c.rated == rated)
        ).scalar_one()
        if there <= most:
            return
        oldest = (
            select(choice.c.generation)
            .where(choice.c.rated == rated)
            .order_by(choice.c.created)
            .limit(there - most)
        )
        connection.execute(delete(choice).where(choice.c.generation.in_(oldest)))

    def latest(self, model: str, most: int) -> list[tuple[Rating, bytes]]:
        """The last ratings of a model that have a score, the latest first, each with what is kept
        of its prompt."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(rating, choice.c.looks)
                .join(choice, choice.c.generation == rating.c.generation)
                .where(rating.c.model == model, rating.c.score.is_not(None))
                .order_by(rating.c.given.desc(), rating.c.generation)
                .limit(most)
            ).all()
        return [(_rating(row._mapping), row.looks) for row in rows]

    def since(self, given: int, most: int) -> list[tuple[Rating, bytes]]:
        """The last ratings with a score that are no hints and came after that moment, the oldest
        first, each with what is kept of its prompt."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(rating, choice.c.looks)
                .join(choice, choice.c.generation == rating.c.generation)
                .where(_TEACHES, rating.c.given > given)
                .order_by(rating.c.given.desc(), rating.c.generation, rating.c.model)
                .limit(most)
            ).all()
        return [(_rating(row._mapping), row.looks) for row in reversed(rows)]

    def said(self, since: int = 0) -> dict[str, float]:
        """How many such ratings each organization has given, of those after a moment."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(rating.c.org, func.count())
                .where(_TEACHES, rating.c.given > since)
                .group_by(rating.c.org)
            ).all()
        return {org: float(count) for org, count in rows}

    def last(self, most: int) -> list[Rating]:
        """The last ratings, the latest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(rating).order_by(rating.c.given.desc()).limit(most)
            ).all()
        return [_rating(row._mapping) for row in rows]

    def rated(self) -> Iterator[tuple[Choice, list[Rating]]]:
        """All that was rated, the oldest first: linear in memory for the length of the list."""
        with self._database.read() as connection:
            found: dict[str, list[Rating]] = {}
            for row in connection.execute(select(rating)):
                each = _rating(row._mapping)
                found.setdefault(each.generation, []).append(each)
            rows = connection.execute(
                select(choice).where(choice.c.rated == 1).order_by(choice.c.created)
            ).all()
        for row in rows:
            ratings = found.get(row.generation)
            if ratings:
                yield _choice(row._mapping), ratings

    def offers(self, strategy: str, most: int) -> list[list[tuple[float, int]]]:
        """Of the last choices by a strategy, the latest first: quality and pico-USD of each model
        that was in service."""
        with self._database.read() as connection:
            rows = connection.execute(
                select(choice.c.offers)
                .where(choice.c.strategy == strategy)
                .order_by(choice.c.created.desc())
                .limit(most)
            ).all()
        found = []
        for row in rows:
            offers = json.loads(row.offers)
            there = [(float(each[1]), int(each[2])) for each in offers if not each[4]]
            if there:
                found.append(there)
        return found

    def counts(self) -> tuple[int, int]:
        """How many choices are kept, and how many ratings."""
        with self._database.read() as connection:
            kept = connection.execute(select(func.count()).select_from(choice)).scalar_one()
            given = connection.execute(select(func.count()).select_from(rating)).scalar_one()
        return kept, given

    def last_given(self) -> tuple[int, int]:
        """Another value after each rating."""
        with self._database.read() as connection:
            row = connection.execute(select(func.count(), func.max(rating.c.given))).one()
        return int(row[0]), int(row[1] or 0)

    # --- versions ---------------------------------------------------------------------------------

    def versions(self) -> list[Version]:
        """All versions, the latest first."""
        with self._database.read() as connection:
            rows = connection.execute(select(version).order_by(version.c.number.desc())).all()
        return [_version(row._mapping) for row in rows]

    def latest_version(self) -> Version | None:
        """The one that was made last, in force or not; None: there is none."""
        return self._latest_version()

    def in_force(self) -> Version | None:
        """The version that is in force; None: the weights of the configuration are, if any."""
        return self._latest_version(version.c.state == "in_force")

    def _latest_version(self, *where: ColumnElement[bool]) -> Version | None:
        query = select(version).where(*where).order_by(version.c.number.desc()).limit(1)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _version(row._mapping)

    def learned_through(self, which: Version) -> int:
        """The moment, in Unix milliseconds, from which on ratings are new to a version: what it was
        learned from came before, and what was there when another one was taken back is forgotten
        with that."""
        taken_back = [int(each.report.get("taken_back", 0)) for each in self.versions()]
        return max(int(which.report.get("through", which.created * 1000)), *taken_back)

    def weights(self, which: Version) -> bytes:
        """The weights of a version.

        Raises:
            LearningError: their file is missing or damaged.
        """
        file = self._file(which.number)
        try:
            found = read_bounded(file)
        except SeekrouteError as error:
            raise LearningError(
                f"{error}: seekroute router rollback takes the version before"
            ) from None
        if hashlib.sha256(found).hexdigest() != which.sha256:
            raise LearningError(f"{file} is damaged: {_TAKE_BACK}")
        return found

    def put_in_force(
        self, weights: bytes, models: Sequence[str], ratings: int, report: Mapping[str, Any]
    ) -> Version:
        """Makes weights a version and puts it in force; the one before is kept.

        Raises:
            LearningError: they cannot be written.
        """
        return self._add(weights, models, ratings, report, "in_force")

    def refuse(self, models: Sequence[str], ratings: int, report: Mapping[str, Any]) -> Version:
        """Writes down that weights were refused, without them."""
        return self._add(b"", models, ratings, report, "refused")

    def _add(
        self,
        weights: bytes,
        models: Sequence[str],
        ratings: int,
        report: Mapping[str, Any],
        state: str,
    ) -> Version:
        with self._database.write() as connection:
            row = {
                "created": int(self._now()),
                "state": state,
                "models": json.dumps(list(models)),
                "ratings": ratings,
                "sha256": hashlib.sha256(weights).hexdigest() if weights else "",
                "report": json.dumps(dict(report)),
            }
            if state == "in_force":
                _demote(connection, "kept")
            made = connection.execute(insert(version).values(row))
            assert made.inserted_primary_key is not None
            number = int(made.inserted_primary_key[0])
            if weights:
                # Before the row is there: a version in force always has its file.
                self._folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
                write_whole(self._file(number), weights)
            self._forget_versions(connection)
        return _version({"number": number, **row})

    def roll_back(self) -> tuple[Version, Version | None]:
        """Takes the version in force out of force and puts the one before it in.

        Returns:
            The one that was in force, and the one that is: None where there was none before, and
            the configuration's weights are.

        Raises:
            LearningError: none is in force.
        """
        with self._database.write() as connection:
            rows = [
                _version(row._mapping)
                for row in connection.execute(select(version).order_by(version.c.number.desc()))
            ]
            was = next((each for each in rows if each.state == "in_force"), None)
            if was is None:
                raise LearningError(
                    "no learned weights are in force: there is nothing to be taken back"
                )
            _demote(connection, "rolled_back")
            report = {**was.report, "taken_back": int(self._now() * 1000)}
            connection.execute(
                update(version)
                .where(version.c.number == was.number)
                .values(report=json.dumps(report))
            )
            now = next(
                (each for each in rows if each.state == "kept" and each.number < was.number), None
            )
            if now is not None:
                connection.execute(
                    update(version).where(version.c.number == now.number).values(state="in_force")
                )
        return was, now

    def _forget_versions(self, connection: Connection) -> None:
        rows = connection.execute(
            select(version.c.number)
            .where(version.c.state != "in_force")
            .order_by(version.c.number.desc())
            .offset(_KEPT_VERSIONS)
        ).all()
        for row in rows:
            connection.execute(delete(version).where(version.c.number == row.number))
            self._file(row.number).unlink(missing_ok=True)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06d}.bin"


def _demote(connection: Connection, state: str) -> None:
    connection.execute(update(version).where(version.c.state == "in_force").values(state=state))


def _choice(row: Mapping[Any, Any]) -> Choice:
    offers = tuple(
        (str(model), float(quality), int(cost), int(latency), bool(last), float(chance))
        for model, quality, cost, latency, last, chance in json.loads(row["offers"])
    )
    names = ("generation", "org", "created", "strategy", "revision", "served", "looks")
    return Choice(offers=offers, **{name: row[name] for name in names})


def _rating(row: Mapping[Any, Any]) -> Rating:
    names: Iterable[str] = Rating.__slots__  # the columns have their names
    return Rating(**{name: row[name] for name in names})


def _version(row: Mapping[Any, Any]) -> Version:
    return Version(
        number=row["number"],
        created=row["created"],
        state=row["state"],
        models=json.loads(row["models"]),
        ratings=row["ratings"],
        sha256=row["sha256"],
        report=json.loads(row["report"]),
    )
