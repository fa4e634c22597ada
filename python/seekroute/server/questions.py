"""Answers what commands ask about providers: `seekroute providers`."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from seekroute.control.errors import ControlError
from seekroute.gateway import CHAT, SERVER
from seekroute.routing_state import SAVE_S
from seekroute.server.followers import Follower

if TYPE_CHECKING:
    from seekroute.control import ControlPlane
    from seekroute.gateway import Gateway
    from seekroute.routing_state import RoutingState

_log: Final = logging.getLogger("seekroute.server")

# How often it is looked whether somebody has asked: a command waits for its answer.
QUESTION_POLL_S: Final = 0.25


class Questions:
    """One server's answers. One thread at a time.

    Args:
        control: where commands ask, and are answered.
        gateway: whose endpoints and provider keys they are about.
    """

    def __init__(self, control: ControlPlane, gateway: Gateway) -> None:
        self._control = control
        self._gateway = gateway
        self._seen: int | None = None

    def turn(self) -> bool:
        """Answers all that wait."""
        version = self._control.version()
        if version == self._seen:
            return False
        for question in self._control.questions.pending():
            told = self._answer(question.kind, question.name)
            self._control.questions.answer(question.n, json.dumps(told))
        self._seen = version  # what failed is looked at again
        return False

    def _answer(self, kind: str, name: str) -> dict[str, Any]:
        core = self._gateway.core
        if kind == "quote":
            return self._quote(name)
        if kind == "reset":
            count = core.reset_health(name)
            if count:
                _log.info("marked as healthy: %s", name)
            return {"reset": count}
        return {"health": core.health()}

    def _quote(self, asked: str) -> dict[str, Any]:
        """Where a request of a key would go, by `{"key": , "body": , "seed": , "simulate": }`."""
        question = json.loads(asked)
        try:
            mac = self._control.keys.get(question["key"]).mac
        except ControlError as error:
            return {"status": 404, "body": {"error": {"message": str(error)}}}
        body = json.dumps(question["body"]).encode()
        status, _, answer = self._gateway.core.quote(
            CHAT, body, None, None, SERVER, question["seed"], question["simulate"], mac
        )
        return {"status": status, "body": json.loads(answer)}


def of_providers(
    control: ControlPlane, gateway: Gateway, state: RoutingState
) -> tuple[Follower, ...]:
    """What a server does by itself for what it knows of providers: it keeps and tells it."""
    questions = Questions(control, gateway)
    return (
        Follower(
            "state",
            SAVE_S,
            partial(state.turn, gateway),
            does=f"write {state.path}",
            trouble="what routing knows is not kept over a restart",
        ),
        Follower(
            "questions",
            QUESTION_POLL_S,
            questions.turn,
            does="look for questions about providers",
            trouble="questions about providers are not seen",
        ),
    )
