"""What ratings teach between two refits: the regression of the weights takes a step for each.

Steps are no version. They begin anew from the weights in force and the ratings that those have not
learned of: the same ratings give the same steps. A refit takes all of them up, a rollback forgets
them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from seekroute.learning.book import RatingBook, Version
from seekroute.learning.looks import is_aside, twin_of, with_steps
from seekroute.learning.standing import allowances

__all__ = ["MOST_STEPS", "PRIOR", "stepped"]

MOST_STEPS: Final = 512
"""Ratings that are learned of, the latest: the core's bound."""
PRIOR: Final = 200.0
"""Rated prompts that are granted: what organizations that are not trusted may say, is by this."""


def stepped(weights: bytes, version: Version, book: RatingBook, trusted: Collection[str]) -> bytes:
    """The weights after the ratings that came since; they say "learned through rating N".

    Of the prompts that are kept aside, and of hints, nothing is learned.

    Args:
        weights: of the version.
        version: that is in force.
        book: where the ratings are.
        trusted: ids of organizations, whose ratings all count.

    Raises:
        LearningError: the ratings cannot be read.
    """
    since = book.learned_through(version)
    given = book.since(since, MOST_STEPS)
    left = _left(book.said(), book.said(since), trusted)
    kept: list[bytes] = []
    steps: list[tuple[int, int, float]] = []
    for each, looks in reversed(given):  # of whoever says too much, the latest count
        if not looks or each.score is None or each.model not in version.models:
            continue
        if is_aside(twin_of(looks)) or left.get(each.org, 0.0) < 1:
            continue
        left[each.org] -= 1
        steps.append((len(kept), version.models.index(each.model), each.score))
        kept.append(looks)
    if not steps:
        return weights
    through = f", learned through rating {book.last_given()[0]}"
    return with_steps(weights, through, kept, steps[::-1])


def _left(
    all_said: Mapping[str, float], since: Mapping[str, float], trusted: Collection[str]
) -> dict[str, float]:
    """How much of what each organization has said since is heard: what it may say of all, less what
    the weights have heard."""
    before = {org: count - since.get(org, 0.0) for org, count in all_said.items()}
    heard = allowances(before, trusted, PRIOR)
    may = allowances(all_said, trusted, PRIOR)
    return {org: max(0.0, may[org] - heard[org]) for org in since}
