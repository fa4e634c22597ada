"""When a run may start, retry and pause: the state machine under a made-up clock."""

from __future__ import annotations

import random

import pytest

from seekroute.client.batch.schedule import (
    FIRST_WAIT,
    JITTER,
    MAX_RETRIES,
    Failure,
    Schedule,
    ends_the_run,
)
from seekroute.errors import error_for_status

LIMITED = Failure(429, retry_after=10.0)


class Steady(random.Random):
    """No jitter."""

    def random(self) -> float:
        return 0.0


def schedule_of(concurrency: int = 4, rng: random.Random | None = None) -> Schedule[str]:
    return Schedule(concurrency, rng or Steady())


def start(schedule: Schedule[str], count: int, now: float = 0.0) -> None:
    for _ in range(count):
        assert schedule.may_start(now)
        schedule.begin()


def test_no_more_than_asked_are_in_flight() -> None:
    schedule = schedule_of(2)
    start(schedule, 2)
    assert not schedule.may_start(0)
    assert schedule.wake_at() is None
    schedule.succeed()
    assert schedule.may_start(0)


def test_one_rate_limit_pauses_all_until_it_has_passed() -> None:
    schedule = schedule_of(4)
    start(schedule, 2)
    assert schedule.fail("a", LIMITED, tries=1, began=0.0, now=1.0)
    assert not schedule.may_start(1.0)
    assert not schedule.may_start(10.999)
    assert schedule.wake_at() == 11.0
    schedule.succeed()  # what runs may finish
    assert schedule.due(10.999) is None
    assert schedule.due(11.0) == "a"  # retries go before new prompts
    assert schedule.due(11.0) is None
    assert schedule.may_start(11.0)
    assert schedule.pauses == 1


def test_refusals_of_one_moment_are_one_pause() -> None:
    schedule = schedule_of(4)
    start(schedule, 4)
    for number, job in enumerate("abcd"):
        assert schedule.fail(job, LIMITED, tries=1, began=0.0, now=1.0 + number)
    assert schedule.pauses == 1
    assert schedule.paused_until == 14.0  # the longest that was asked for
    assert [schedule.due(14.0) for _ in range(4)] == ["a", "b", "c", "d"]


def test_pauses_nobody_named_grow_while_nothing_succeeds() -> None:
    schedule = schedule_of(1)
    now, waits = 0.0, []
    for tries in range(1, 5):
        schedule.begin()
        assert schedule.fail("a", Failure(429), tries=tries, began=now, now=now)
        waits.append(schedule.paused_until - now)
        now = schedule.paused_until
        assert schedule.due(now) == "a"
    assert waits == [FIRST_WAIT * 2**n for n in range(4)]
    schedule.begin()
    schedule.succeed()
    schedule.begin()
    schedule.fail("b", Failure(429), tries=1, began=now, now=now)
    assert schedule.paused_until - now == FIRST_WAIT


def test_a_late_refusal_without_a_time_does_not_lengthen_the_pause() -> None:
    schedule = schedule_of(2)
    start(schedule, 2)
    schedule.fail("a", LIMITED, tries=1, began=0.0, now=1.0)
    schedule.fail("b", Failure(429), tries=1, began=0.0, now=2.0)
    assert schedule.paused_until == 11.0
    assert schedule.pauses == 1


def test_a_fault_of_one_prompt_delays_that_prompt_alone() -> None:
    schedule = schedule_of(2)
    start(schedule, 1)
    assert schedule.fail("a", Failure(500), tries=1, began=0.0, now=0.0)
    assert schedule.pauses == 0
    assert schedule.may_start(0.0)
    assert schedule.due(FIRST_WAIT - 0.01) is None
    assert schedule.due(FIRST_WAIT) == "a"


def test_unavailable_pauses_only_when_it_says_for_how_long() -> None:
    schedule = schedule_of(4)
    start(schedule, 2)
    schedule.fail("a", Failure(503), tries=1, began=0.0, now=0.0)
    assert schedule.may_start(0.0)
    schedule.fail("b", Failure(503, retry_after=2.0), tries=1, began=0.0, now=0.0)
    assert not schedule.may_start(1.9)
    assert schedule.may_start(2.0)


def test_tries_of_one_prompt_are_bounded() -> None:
    schedule = schedule_of(1)
    for tries in range(1, MAX_RETRIES + 1):
        schedule.begin()
        assert schedule.fail("a", Failure(500), tries=tries, began=0.0, now=0.0)
        assert schedule.due(1e6) == "a"
    schedule.begin()
    assert not schedule.fail("a", Failure(500), tries=MAX_RETRIES + 1, began=0.0, now=0.0)
    assert schedule.idle
    assert schedule.retries == MAX_RETRIES


def test_waits_are_spread_by_the_given_randomness() -> None:
    waits = set()
    for seed in range(20):
        schedule = schedule_of(1, random.Random(seed))
        schedule.begin()
        schedule.fail("a", LIMITED, tries=1, began=0.0, now=0.0)
        waits.add(schedule.paused_until)
    assert len(waits) == 20
    assert all(10.0 <= wait <= 10.0 * (1 + JITTER) for wait in waits)


def test_waiting_retries_are_bounded() -> None:
    schedule = schedule_of(2)
    started = 0
    while schedule.may_start(0.0):
        schedule.begin()
        started += 1
        schedule.fail("x", Failure(500), tries=1, began=0.0, now=0.0)
        assert started < 100
    assert schedule.waiting == started == 2


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (Failure(401, retryable=False, ends="authentication"), "authentication"),
        (Failure(402, retryable=False, ends="credits"), "credits"),
        (Failure(429, retry_after=86400.0), "rate limit"),
    ],
)
def test_what_would_meet_every_prompt_ends_the_run(failure: Failure, reason: str) -> None:
    schedule = schedule_of(2)
    start(schedule, 2)
    assert not schedule.fail("a", failure, tries=1, began=0.0, now=0.0)
    assert schedule.stopped == reason
    assert not schedule.may_start(1e9)
    schedule.succeed()
    assert schedule.idle


@pytest.mark.parametrize(
    ("status", "code", "ends", "of_its_own_model"),
    [
        (401, "invalid_api_key", "authentication", "authentication"),
        (402, "insufficient_credits", "credits", "credits"),
        (402, "max_cost_exceeded", "", ""),
        (403, "permission_denied", "permission", ""),
        (403, "moderation", "", ""),
        (404, "model_not_found", "model", ""),
        (404, None, "model", ""),
        (401, "upstream_auth_error", "authentication", ""),
        (402, "upstream_no_credit", "credits", ""),
        (403, "upstream_forbidden", "permission", ""),
        (404, "upstream_model_not_found", "model", ""),
        (400, "invalid_value", "", ""),
        (429, "upstream_rate_limited", "", ""),
        (502, "upstream_error", "", ""),
    ],
)
def test_what_is_every_prompt_s_trouble(
    status: int, code: str | None, ends: str, of_its_own_model: str
) -> None:
    error = error_for_status(status, {"message": "no", "code": code}, {})
    assert ends_the_run(error, own_model=False) == ends
    assert ends_the_run(error, own_model=True) == of_its_own_model


def test_money_that_others_hold_is_waited_for() -> None:
    """The run's own requests hold the balance: the gateway asks to come again."""
    headers = {"x-should-retry": "true", "retry-after": "5"}
    error = error_for_status(402, {"message": "held", "code": "insufficient_credits"}, headers)
    assert ends_the_run(error, own_model=False) == ""
    schedule = schedule_of(4)
    start(schedule, 2)
    held = Failure(402, error.retry_after, error.retryable)
    assert schedule.fail("a", held, tries=1, began=0.0, now=1.0)
    assert not schedule.stopped
    assert not schedule.may_start(5.999)
    assert schedule.due(6.0) == "a"


def test_a_wrong_request_is_not_tried_again() -> None:
    schedule = schedule_of(1)
    schedule.begin()
    assert not schedule.fail("a", Failure(400, retryable=False), tries=1, began=0.0, now=0.0)
    assert not schedule.stopped
    assert schedule.may_start(0.0)
