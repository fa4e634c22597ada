"""What a server follows by itself: when it looks, and what it says of a look that fails."""

from __future__ import annotations

import logging
import threading

import pytest

from seekroute.server.followers import LOOK_ANYWAY_S, ChangeWatch, Follower
from serving import PATIENCE


def test_control_db_is_read_when_it_was_written_and_now_and_then() -> None:
    now, version = 100.0, 7
    watch = ChangeWatch(lambda: version, lambda: now)
    assert watch.is_due()
    assert watch.is_due(), "the read that was due has failed"
    watch.done()
    assert not watch.is_due()
    version = 8
    assert watch.is_due()
    version = 9  # while 8 was read
    watch.done()
    assert watch.is_due()
    watch.done()
    now += LOOK_ANYWAY_S
    assert watch.is_due()


def test_a_failure_is_said_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "seekroute.server")
    turns = iter([OSError("the disk"), OSError("again"), False, False])

    def turn() -> bool:
        found = next(turns)
        if isinstance(found, OSError):
            raise found
        return found

    follower = Follower("keys", 1.0, turn, does="read key changes", trouble="nobody reads")
    reasons = []
    for _ in range(4):
        follower.turn()
        reasons.append(follower.reason)
    assert reasons == ["nobody reads", "nobody reads", "", ""]
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [
        ("ERROR", "cannot read key changes: the disk"),
        ("INFO", "can read key changes again"),
    ]


def test_what_is_left_is_not_waited_for_and_the_end_is() -> None:
    turns: list[threading.Thread] = []
    done = threading.Event()

    def turn() -> bool:
        turns.append(threading.current_thread())
        if len(turns) == 3:
            done.set()
        return len(turns) < 3

    hours = 3600.0
    follower = Follower("orders", hours, turn, does="x", trouble="y", at_once=True)
    with follower.running():
        assert done.wait(PATIENCE)
    assert len(turns) == 3
    (thread,) = set(turns)
    assert thread.name == "seekroute-orders"
    assert not thread.is_alive()
