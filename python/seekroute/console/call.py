"""A request to the console and its answer, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from seekroute.api.call import RefusedError
from seekroute.control.audit import Actor
from seekroute.control.people.roles import Grant

if TYPE_CHECKING:
    from seekroute.control.models import ApiKey
    from seekroute.control.people.tables import Session, User

__all__ = ["Answer", "Body", "Call", "Caller", "Cookie", "take"]

_MOST_SHOWN: Final = 64  # characters of a wrong value's path


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a person who is signed in, a management key, or nobody.

    Attributes:
        user: the person; None: no person.
        session: of the person's browser.
        key: the management key; None: no program.
        address: from where.
    """

    user: User | None = None
    session: Session | None = None
    key: ApiKey | None = None
    address: str = ""

    @property
    def actor(self) -> Actor:
        """Who is told of in the audit log."""
        if self.user is not None:
            return Actor("user", self.user.id, self.user.email, self.address)
        assert self.key is not None, "nobody changes nothing"
        return Actor("key", self.key.id, f"{self.key.name} ({self.key.label})", self.address)


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked.

    Attributes:
        caller: who asks.
        org: the id of the organization it is about; empty: none.
        grant: how far the caller's right goes that the route needs.
        params: what stands in the path for the names of the route.
        query: what stands behind the question mark; each name once.
        body: of a POST, PUT or PATCH.
        headers: those that handlers read, by their names in lower case.
        csrf: what pages of the caller's session send with what changes something.
        now: Unix seconds.
    """

    caller: Caller
    now: float
    org: str = ""
    grant: Grant = Grant.NONE
    role: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    csrf: str = field(default="", repr=False)

    @property
    def user(self) -> User:
        """The person who asks, where the route is for people."""
        assert self.caller.user is not None, "a route for people"
        return self.caller.user

    @property
    def only_by(self) -> str | None:
        """The id of the user to whose own rows the answer is bound; None: to nobody's."""
        return self.user.id if self.grant is Grant.OWN else None


@dataclass(frozen=True, slots=True)
class Cookie:
    """The session's cookie as an answer sets it; without a token it is taken away."""

    token: str = field(default="", repr=False)
    lasts_s: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: JSON.

    Attributes:
        value: what `seekroute.api.account.encode` writes; None: no body. Bytes are JSON already.
        status: of HTTP.
        cookie: what becomes of the session's cookie; None: nothing.
        headers: beside those of every answer.
    """

    value: Any = None
    status: int = 200
    cookie: Cookie | None = None
    headers: Sequence[tuple[str, str]] = ()


class Body(BaseModel):
    """What a request says. Fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def given(self) -> dict[str, Any]:
        """The fields that were sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


_Body = TypeVar("_Body", bound=Body)


def take(call: Call, kind: type[_Body]) -> _Body:
    """The body of a call.

    Raises:
        RefusedError: it is no JSON object of that kind; names the first field at fault.
    """
    try:
        return kind.model_validate_json(call.body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(map(str, first["loc"]))[:_MOST_SHOWN]
        if first["type"] == "json_invalid":
            raise RefusedError("invalid_json", "expected a JSON object in UTF-8") from None
        code = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
        words = first["msg"].removeprefix("Value error, ")
        said = f"{path}: {words[:1].lower()}{words[1:]}" if path else words
        raise RefusedError(code.get(first["type"], "invalid_value"), said, path) from None
