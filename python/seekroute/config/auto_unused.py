"""What is said of `auto` and has no effect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from seekroute.errors import Problem

if TYPE_CHECKING:
    from seekroute.config.routing_schema import AutoSettings
    from seekroute.config.settings import Settings

__all__ = ["unused_auto"]


def unused_auto(settings: Settings) -> list[Problem]:
    """A warning of each setting under `routing.auto` that changes nothing.

    Without models none does, which is one warning. Names of organizations are not looked at: a
    configuration does not know them.
    """
    own = settings.routing.auto
    said = sorted(own.model_fields_set - {"models"})
    if own.models:
        found = [*_of_shadows(own), *_of_spending(own), *_of_one(own)]
    elif said:
        found = [
            (
                said[0],
                "it has no effect: routing.auto.models is empty, so `auto` means default_model",
                "list the models to choose from, or leave it out",
            )
        ]
    else:
        found = []
    return [
        Problem(at, message, hint, settings.origin_detail(at))
        for at, message, hint in ((f"routing.auto.{name}", *rest) for name, *rest in found)
    ]


_Found = tuple[str, str, str]  # the setting below routing.auto, the message, the hint


def _of_shadows(own: AutoSettings) -> Iterator[_Found]:
    grader = own.shadow.grader
    if "grader" not in own.shadow.model_fields_set:
        return
    if not grader.webhook and not grader.judge:
        yield (
            "shadow.grader",
            "it has no effect: nobody grades",
            "name a webhook or a judge, or leave it out",
        )
    elif own.shadow.share == 0:
        yield (
            "shadow.grader",
            "it has no effect: routing.auto.shadow.share is 0, so there is nothing to grade",
            "set shadow.share, such as 0.02, or leave it out",
        )
    if grader.webhook_key_env and not grader.webhook:
        yield (
            "shadow.grader.webhook_key_env",
            "it has no effect: there is no webhook that the key could be shown to",
            "leave it out",
        )


def _of_spending(own: AutoSettings) -> Iterator[_Found]:
    if "spending" not in own.model_fields_set:
        return
    if not own.spending.usd_per_request and own.spending.dearest_share is None:
        yield (
            "spending",
            "it has no effect: it names nothing that is to be held",
            "give usd_per_request or dearest_share, or leave it out",
        )
    elif own.strategy != "balanced":
        yield (
            "spending",
            f"routing.auto.strategy is {own.strategy}, which spending does not change: it holds "
            "only for requests and keys that say `balanced`",
            "set routing.auto.strategy to balanced, or leave it out",
        )


def _of_one(own: AutoSettings) -> Iterator[_Found]:
    """What needs a second model."""
    if len(own.models) > 1:
        return
    for name, share in (
        ("shadow.share", own.shadow.share),
        (
            "learning.explore",
            own.learning.explore if "explore" in own.learning.model_fields_set else 0,
        ),
    ):
        if share > 0:
            yield (
                name,
                "it has no effect: routing.auto.models has one model, and there is no other to ask",
                "list another model, or leave it out",
            )
