"""router.db: what is kept, what is forgotten, versions of weights."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from seekroute.learning import Choice, LearningError, Rating, RatingBook
from seekroute.learning.database import RouterDatabase


def choice(number: int, org: str = "org_a") -> Choice:
    offers = [("a/b", 0.8, 1000, 0, False, 0.97), ("a/c", 0.7, 500, 200, True, 0.03)]
    return Choice(f"gen-{number}", org, 1000 + number, "balanced", "", "a/b", offers, b"looks")


def test_gives_back_what_was_put(tmp_path: Path) -> None:
    with RatingBook(tmp_path) as book:
        book.add([choice(1)], [Rating("gen-1", "a/b", "implicit", "org_a", 0.0)])
        book.rate(Rating("gen-1", "a/b", "feedback", "org_a", 0.5, comment="so-so", given=7))
    with RatingBook(tmp_path, make=False) as book:
        found = book.find("gen-1")
        assert found is not None
        assert list(found.offers) == list(choice(1).offers)
        (kept, ratings), *others = book.rated()
        assert not others
        assert kept == found
        assert {each.source: each.score for each in ratings} == {"implicit": 0.0, "feedback": 0.5}
        assert book.latest("a/b", 1)[0][1] == b"looks"
        assert book.counts() == (1, 2)
        assert book.find("gen-2") is None


def test_a_second_rating_takes_the_place_of_the_first(tmp_path: Path) -> None:
    with RatingBook(tmp_path) as book:
        book.add([choice(1)])
        seen = book.last_given()
        for score in (0.0, 1.0):
            book.rate(Rating("gen-1", "a/b", "feedback", "org_a", score))
        assert book.last_given() != seen
        assert [each.score for each in book.last(10)] == [1.0]


def test_a_rating_of_what_is_not_known_is_refused_whole(tmp_path: Path) -> None:
    with RatingBook(tmp_path) as book:
        book.add([choice(1)])
        known = Rating("gen-1", "a/b", "feedback", "org_a", 1.0)
        unknown = Rating("gen-2", "a/b", "feedback", "org_a", 1.0)
        with pytest.raises(LearningError):
            book.rate(known, unknown)
        assert book.last(10) == []


def test_forgets_the_oldest_that_nobody_rated(tmp_path: Path) -> None:
    with RatingBook(tmp_path, keep=10) as book:
        book.add([choice(number) for number in range(3)])
        book.rate(Rating("gen-0", "a/b", "feedback", "org_a", 1.0))
        book.add([choice(number) for number in range(3, 20)])
        there = [number for number in range(20) if book.find(f"gen-{number}")]
        assert there == [0, *range(10, 20)]
        for number in range(10, 20):
            book.rate(Rating(f"gen-{number}", "a/b", "feedback", "org_a", 1.0))
        book.add([choice(number) for number in range(20, 60)])
        for number in range(50, 60):
            book.rate(Rating(f"gen-{number}", "a/b", "feedback", "org_a", 1.0))
        rated = [kept.generation for kept, _ in book.rated()]
        assert len(rated) == 21


def test_versions_come_and_go(tmp_path: Path) -> None:
    with RatingBook(tmp_path) as book:
        with pytest.raises(LearningError, match="nothing to be taken back"):
            book.roll_back()
        first = book.put_in_force(b"one", ["a/b"], 60, {"loss": 0.5})
        second = book.put_in_force(b"two", ["a/b"], 70, {"loss": 0.4})
        refused = book.refuse(["a/b"], 80, {"loss": 0.9})
        assert [each.state for each in book.versions()] == ["refused", "in_force", "kept"]
        assert book.weights(second) == b"two"
        was, now = book.roll_back()
        assert (was.number, now and now.number) == (second.number, first.number)
        in_force = book.in_force()
        assert in_force is not None
        assert book.weights(in_force) == b"one"
        assert book.roll_back()[1] is None
        assert book.in_force() is None
        assert refused.number == 3


def test_damaged_weights_are_not_used(tmp_path: Path) -> None:
    with RatingBook(tmp_path) as book:
        made = book.put_in_force(b"one", ["a/b"], 60, {})
        (tmp_path / "router" / "000001.bin").write_bytes(b"two")
        with pytest.raises(LearningError, match="damaged: seekroute router rollback"):
            book.weights(made)
        (tmp_path / "router" / "000001.bin").unlink()
        with pytest.raises(LearningError, match="seekroute router rollback"):
            book.weights(made)


def test_a_look_at_what_has_not_changed_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RatingBook(tmp_path) as book:
        book.add([choice(1)])
        book.check()
        with monkeypatch.context() as patched:
            patched.setattr(RouterDatabase, "read", None)
            book.check()
            book.check()
        book.add([choice(2)])
        book.check()
        with closing(sqlite3.connect(tmp_path / "router.db")) as other:
            other.execute("DROP TABLE rating")
        for _ in range(2):  # and it stays so
            with pytest.raises(LearningError, match="rating"):
                book.check()


def test_says_why_a_file_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(LearningError, match=r"routing\.auto\.learning\.enabled"):
        RatingBook(tmp_path, make=False)
    file = tmp_path / "router.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(LearningError, match="another program's"):
        RatingBook(tmp_path)
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA user_version = 9")
    with pytest.raises(LearningError, match="schema 9"):
        RatingBook(tmp_path)
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(LearningError, match="move it away"):
        RatingBook(tmp_path)
    file.unlink()
    file.mkdir()
    with pytest.raises(LearningError, match="folder"):
        RatingBook(tmp_path)
