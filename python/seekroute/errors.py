"""Exceptions that seekroute raises, in the names of OpenAI's SDK where it has them.

SeekrouteError
 ├─ ConfigError                        the configuration was refused, with all its problems
 └─ APIError                           a call failed
     ├─ APIConnectionError             no answer, or not all of it, came
     │   └─ APITimeoutError            ... within the timeout
     ├─ BudgetExceededError            refused here, before the call
     ├─ NotSupportedError              this client cannot do it
     └─ APIStatusError                 the gateway answered with an error
         ├─ BadRequestError            400, 413, 415
         ├─ AuthenticationError        401
         ├─ InsufficientCreditsError   402
         ├─ PermissionDeniedError      403
         ├─ NotFoundError              404
         │   └─ NoProviderError        no provider of the model is configured
         ├─ ConflictError              409
         ├─ UnprocessableEntityError   422
         ├─ RateLimitError             429
         └─ InternalServerError        any 5xx
             └─ UpstreamError          the provider failed, also inside a stream

Where `openai` has been imported, an error that is raised is also an instance of openai's class of
the same name, so that `except openai.RateLimitError` catches it. Nothing here imports `openai`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

from seekroute.error_table import row_of
from seekroute.hints import hint_for
from seekroute.shown import Shown

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "ConfigError",
    "ConflictError",
    "InsufficientCreditsError",
    "InternalServerError",
    "NoProviderError",
    "NotFoundError",
    "NotSupportedError",
    "PermissionDeniedError",
    "Problem",
    "RateLimitError",
    "SeekrouteError",
    "UnprocessableEntityError",
    "UpstreamError",
    "error_for_status",
    "retry_after_of",
    "timed_out",
]


class SeekrouteError(Exception):
    """Base of every exception this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration.

    Args:
        path: Where it is, as keys joined by dots: `providers.openai.base_url`. Empty for the
            file as a whole.
        message: What was expected and what was found. Never holds a secret.
        hint: What to do about it; may be empty.
        where: File and position (`seekroute.yaml:3:7`), environment variable or `command line`;
            may be empty.
    """

    path: str
    message: str
    hint: str = ""
    where: str = ""

    def __str__(self) -> str:
        text = ": ".join(part for part in (self.where, self.path, self.message) if part)
        return f"{text} ({self.hint})" if self.hint else text


class ConfigError(Shown, SeekrouteError):
    """A configuration was refused; `problems` lists everything wrong with it at once.

    Example:
        >>> raise ConfigError([Problem("server.port", "expected 0 to 65535, found 70000")])
        Traceback (most recent call last):
        seekroute.errors.ConfigError: server.port: expected 0 to 65535, found 70000
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[Any, ...]:
        return ConfigError, (self.problems,)


class APIError(Shown, SeekrouteError):
    """A call failed.

    Attributes:
        message: What was wrong and what to do. Never holds a key or a prompt of ours.
        hint: What to do about it; may be empty.
        request_id: What to tell the operator; empty where unknown.
        attempts: How often it was tried: each request of this client counts the upstreams that
            the gateway asked for it, and at least one. 0 where nothing was sent.
        retryable: Whether the same call may well succeed later. The client has tried
            `max_retries` times more before it raises an error that is.
        retry_after: Seconds to wait before the next try, or None.
        status_code: HTTP status; None where there was no answer, 0 for an error inside a stream,
            whose status had been sent.
        code: The error's name, `model_not_found`, or None.
        type: OpenAI's error type, or None.
        param: The offending field of the request, or None.
        body: The `error` object of the answer, or None.
    """

    status_code: int | None = None
    code: Any = None
    type: Any = None
    param: Any = None
    body: Any = None

    # openai's class that this one is for, by name: looked up only where openai is loaded.
    _openai_name: ClassVar[str] = "APIError"
    _own_class: ClassVar[type[APIError]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "_own_class" not in cls.__dict__:
            cls._own_class = cls

    def __new__(cls, *args: Any, **options: Any) -> Self:
        return super().__new__(_also_openai(cls))

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        request_id: str = "",
        attempts: int = 0,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        # Not super(): behind us in the order may stand openai's class with another signature.
        Exception.__init__(self, message)
        self.message = message
        self._hint = ""
        self.hint = hint
        self.request_id = request_id
        self.attempts = attempts
        self.retryable = retryable
        self.retry_after = retry_after

    @property
    def hint(self) -> str:
        """What to do about it; may be empty. A traceback ends with it, unless the message does."""
        return self._hint

    @hint.setter
    def hint(self, value: str) -> None:
        notes = [note for note in getattr(self, "__notes__", ()) if note != self._hint or not note]
        self._hint = value
        if value and value not in self.message:
            notes.append(value)
        if notes or hasattr(self, "__notes__"):
            self.__notes__ = notes

    @property
    def request(self) -> Any:
        """As openai's errors have it, without headers and body."""
        return _http_library().Request("POST", "http://seekroute.invalid")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._own_class, self.args, self.__dict__)


def _http_library() -> Any:
    """The library whose types openai's errors carry, where openai is loaded."""
    library = sys.modules.get("httpx2") or sys.modules.get("httpx")
    if library is None or "openai" not in sys.modules:
        raise AttributeError("there is one only where openai has been imported")
    return library


APIError._own_class = APIError


def _rebuild(kind: type[APIError], args: tuple[Any, ...], state: dict[str, Any]) -> APIError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


_E = TypeVar("_E", bound=APIError)
_combined: dict[tuple[type, type], Any] = {}


def _also_openai(cls: type[_E]) -> type[_E]:
    """`cls`, and where openai is loaded a subclass of both it and openai's class of that name."""
    openai = sys.modules.get("openai")
    other = getattr(openai, cls._openai_name, None) if openai is not None else None
    if not isinstance(other, type) or issubclass(cls, other):
        return cls
    both = _combined.get((cls, other))
    if both is None:
        names = {"__module__": cls.__module__, "__doc__": cls.__doc__, "_own_class": cls}
        both = _combined[cls, other] = type(cls.__name__, (cls, other), names)
    return both


class APIConnectionError(APIError):
    """No answer came, or it broke off before it was complete."""

    _openai_name = "APIConnectionError"


class APITimeoutError(APIConnectionError):
    """No response for as long as `timeout` allows."""

    _openai_name = "APITimeoutError"


def timed_out(timeout: float) -> APITimeoutError:
    """What is raised after `timeout` seconds of silence.

    Not to be tried again: the provider may still write the answer, and charge for it.
    """
    return APITimeoutError(
        f"no response for {timeout:g} s",
        hint="give timeout= more seconds, or ask for a stream",
    )


class BudgetExceededError(APIError):
    """The call was not made: it could cost more than a budget set here allows."""


class NotSupportedError(APIError):
    """The client, or the way it reaches its gateway, cannot do this."""


_BODY_HEADERS = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class APIStatusError(APIError):
    """The gateway answered with an error. `headers` are the answer's, names in lower case."""

    _openai_name = "APIStatusError"
    status_code: int

    def __init__(
        self,
        status_code: int,
        error: Mapping[str, Any],
        headers: Mapping[str, str],
        *,
        attempts: int = 1,
    ) -> None:
        self.status_code = status_code
        self.code = error.get("code")
        self.type = error.get("type")
        self.param = error.get("param")
        self.body = error
        self.headers = headers
        metadata = error.get("metadata")
        named = metadata.get("request_id") if isinstance(metadata, Mapping) else None
        message = str(error.get("message") or f"the answer was HTTP status {status_code}")
        super().__init__(
            message,
            hint=hint_for(status_code, self.code, self.param, message),
            request_id=headers.get("x-request-id") or named or "",
            attempts=attempts,
            retryable=_may_succeed(status_code, error, headers),
            retry_after=retry_after_of(headers),
        )

    @property
    def response(self) -> Any:
        """The answer as openai's errors have it: of the HTTP library that openai uses."""
        # Those that speak of the body's bytes do not fit the one made here.
        headers = {k: v for k, v in self.headers.items() if k not in _BODY_HEADERS}
        return _http_library().Response(
            self.status_code or 200,
            headers={"x-request-id": self.request_id, **headers},
            json={"error": dict(self.body)},
            request=self.request,
        )


class BadRequestError(APIStatusError):
    """The request is wrong; `param` names the field."""

    _openai_name = "BadRequestError"


class AuthenticationError(APIStatusError):
    """No valid API key was given."""

    _openai_name = "AuthenticationError"


class InsufficientCreditsError(APIStatusError):
    """The balance does not cover the request."""


class PermissionDeniedError(APIStatusError):
    """The key may not do this."""

    _openai_name = "PermissionDeniedError"


class NotFoundError(APIStatusError):
    """There is no such model, or no such path."""

    _openai_name = "NotFoundError"


class NoProviderError(NotFoundError):
    """The model is known, and nobody serves it for this: no provider of it is configured at the
    gateway, or it is asked by another method."""


class ConflictError(APIStatusError):
    """Something else was being done to the same thing."""

    _openai_name = "ConflictError"


class UnprocessableEntityError(APIStatusError):
    """The request was understood and cannot be done."""

    _openai_name = "UnprocessableEntityError"


class RateLimitError(APIStatusError):
    """Too many requests; see `retry_after`."""

    _openai_name = "RateLimitError"


class InternalServerError(APIStatusError):
    """The gateway, or a provider behind it, failed."""

    _openai_name = "InternalServerError"


class UpstreamError(InternalServerError):
    """The provider failed."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: BadRequestError,
    415: BadRequestError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}
_BAD_REQUEST = "invalid_request_error"
_UPSTREAM = "upstream_error"


def _class_for(status: int, error: Mapping[str, Any]) -> type[APIStatusError]:
    code, row = error.get("code"), row_of(error.get("code"))
    if status == 0:  # inside a stream: the status that had been sent says nothing
        if row is None:
            # A code of the provider's own comes with the type of a request that is wrong.
            return BadRequestError if error.get("type") == _BAD_REQUEST else UpstreamError
        status = row.status
    if status < 500:
        if status == 404 and code == "no_matching_endpoint":
            return NoProviderError
        return _BY_STATUS.get(status, APIStatusError)
    types = (error.get("type"), row.type if row is not None else None)
    return UpstreamError if _UPSTREAM in types else InternalServerError


def error_for_status(
    status: int, error: Mapping[str, Any], headers: Mapping[str, str], *, attempts: int = 1
) -> APIStatusError:
    """The exception for an error answer.

    Args:
        status: HTTP status; 0 inside a stream.
        error: The body's `error` object.
        headers: Response headers, names in lower case.
        attempts: How often it was tried; see `APIError`.

    Example:
        >>> type(error_for_status(404, {"message": "no such model"}, {})).__name__
        'NotFoundError'
    """
    return _class_for(status, error)(status, error, headers, attempts=attempts)


def _may_succeed(status: int, error: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    """Whether the same call may well succeed later."""
    said = headers.get("x-should-retry")
    if said in ("true", "false"):
        return said == "true"
    if status == 0:  # inside a stream, after the headers
        row = row_of(error.get("code"))
        if row is None:
            return error.get("type") != _BAD_REQUEST
        if row.should_retry is not None:
            return row.should_retry
        status = row.status
    return status in (408, 409, 429) or status >= 500


def retry_after_of(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """Seconds to wait, as an answer's headers say; None where they do not.

    `retry-after-ms` comes first, then `Retry-After` in seconds or as an HTTP date. What cannot be
    read or lies in the past counts as not said.

    Args:
        headers: Response headers, names in lower case.
        now: Unix seconds, for a date. Default: the clock.

    Example:
        >>> retry_after_of({"retry-after-ms": "1500", "retry-after": "2"})
        1.5
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) * unit
        except ValueError:
            seconds = _until(text, time.time() if now is None else now)
        if 0 <= seconds < float("inf"):  # false for NaN, too
            return seconds
    return None


def _until(date: str, now: float) -> float:
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(date).timestamp() - now
    except (ValueError, OverflowError):
        return -1.0
