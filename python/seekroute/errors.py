"""Exceptions that seekroute raises, in the names of OpenAI's SDK where it has them.

SeekrouteError
 ├─ ConfigError                      the configuration was refused, with all its problems
 └─ APIError                         a call failed
     ├─ APIConnectionError           the gateway went away under the call
     └─ APIStatusError               the gateway answered with an error
         ├─ BadRequestError          400, 413, 415
         ├─ AuthenticationError      401
         ├─ InsufficientCreditsError 402
         ├─ PermissionDeniedError    403
         ├─ NotFoundError            404
         ├─ RateLimitError           429
         ├─ APITimeoutError          408, 504
         └─ UpstreamError            any 5xx, and a stream that broke
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "InsufficientCreditsError",
    "NotFoundError",
    "PermissionDeniedError",
    "Problem",
    "RateLimitError",
    "SeekrouteError",
    "UpstreamError",
    "error_for_status",
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


class ConfigError(SeekrouteError):
    """A configuration was refused; `problems` lists everything wrong with it at once.

    Example:
        >>> raise ConfigError([Problem("server.port", "expected 0 to 65535, found 70000")])
        Traceback (most recent call last):
        seekroute.errors.ConfigError: server.port: expected 0 to 65535, found 70000
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class APIError(SeekrouteError):
    """A call failed."""


class APIConnectionError(APIError):
    """The gateway went away before the answer was complete."""


class APIStatusError(APIError):
    """The gateway answered with an error.

    Attributes:
        message: What was wrong and what to do.
        status_code: HTTP status; 0 for an error inside a stream, whose status had been sent.
        code: The error's name, `model_not_found`.
        type: OpenAI's error type.
        param: The offending field of the request, or None.
        request_id: What to tell the operator; empty where unknown.
        retry_after: Seconds to wait before the next try, or None.
    """

    def __init__(
        self, status_code: int, error: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        self.message = str(error.get("message", ""))
        super().__init__(self.message)
        self.status_code = status_code
        self.code = error.get("code")
        self.type = error.get("type")
        self.param = error.get("param")
        metadata = error.get("metadata") or {}
        self.request_id = headers.get("x-request-id") or metadata.get("request_id") or ""
        wait = headers.get("retry-after-ms")
        self.retry_after = int(wait) / 1000 if wait else None


class BadRequestError(APIStatusError):
    """The request is wrong; `param` names the field."""


class AuthenticationError(APIStatusError):
    """No valid API key was given."""


class InsufficientCreditsError(APIStatusError):
    """The balance does not cover the request."""


class PermissionDeniedError(APIStatusError):
    """The key may not do this."""


class NotFoundError(APIStatusError):
    """There is no such model."""


class RateLimitError(APIStatusError):
    """Too many requests; see `retry_after`."""


class APITimeoutError(APIStatusError):
    """Something took too long."""


class UpstreamError(APIStatusError):
    """The provider, or the gateway itself, failed."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: InsufficientCreditsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: APITimeoutError,
    413: BadRequestError,
    415: BadRequestError,
    429: RateLimitError,
    504: APITimeoutError,
}


def error_for_status(
    status: int, error: Mapping[str, Any], headers: Mapping[str, str]
) -> APIStatusError:
    """The exception for an error answer.

    Args:
        status: HTTP status; 0 inside a stream.
        error: The body's `error` object.
        headers: Response headers, names in lower case.

    Example:
        >>> type(error_for_status(404, {"message": "no such model"}, {})).__name__
        'NotFoundError'
    """
    return _BY_STATUS.get(status, UpstreamError)(status, error, headers)
