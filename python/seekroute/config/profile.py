"""Profiles: which vocabulary a gateway speaks on the wire. Data in profiles/*.yaml."""

from __future__ import annotations

import functools
import importlib.resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from seekroute.config.documents import Document, join, parse_document, read_document
from seekroute.config.limit_schema import LimitValues
from seekroute.config.schema import Strict, did_you_mean, problems_of
from seekroute.errors import ConfigError, Problem

__all__ = [
    "ERROR_NAMES",
    "PACKAGED_PROFILES",
    "Checks",
    "ErrorWords",
    "ProfileFile",
    "load_profile",
    "packaged_profile",
]

PACKAGED_PROFILES = ("seekroute", "seekrouter", "solrouter", "router9", "routerone", "reseller")

# The wire names of the core's error table.
_NAMES = """
invalid_json json_too_deep duplicate_key invalid_value invalid_type missing_required_parameter
unknown_parameter invalid_unicode context_length_exceeded invalid_host invalid_request
request_too_large unsupported_content_encoding unsupported_media_type headers_too_large
uri_too_long method_not_allowed not_found request_timeout missing_api_key invalid_api_key
permission_denied app_not_approved model_not_found no_matching_endpoint insufficient_credits
rate_limit_exceeded
max_cost_exceeded idempotency_key_invalid idempotency_in_progress idempotency_completed
idempotency_mismatch conflict precondition_failed not_signed_in csrf_failed
reauthentication_required console_unavailable
request_too_large_for_limit store_unavailable storage_full storage_corrupt
shutting_down overloaded no_upstream internal_error upstream_error upstream_tls
bad_upstream_response answer_too_large upstream_truncated upstream_auth_error
upstream_model_not_found upstream_timeout upstream_idle_timeout upstream_rate_limited
upstream_unavailable
upstream_invalid_request client_closed upstream_no_credit upstream_forbidden
content_policy_violation
"""
ERROR_NAMES = frozenset(_NAMES.split())


class ErrorWords(Strict):
    """What one error is called; unset parts keep seekroute's own words. The status stays."""

    type: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """`error.type`."""
    code: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """`error.code`."""
    message: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    """Replaces the whole sentence."""


class Checks(Strict):
    """Ranges that requests are held to; unset: the provider decides."""

    temperature: tuple[float, float] | None = None
    """Smallest and largest `temperature`."""
    top_p: tuple[float, float] | None = None
    """Smallest and largest `top_p`."""
    max_tokens_min: Annotated[int, Field(ge=0, le=10**12)] | None = None
    """Smallest `max_tokens`."""

    @field_validator("temperature", "top_p")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] <= value[1]:
            raise ValueError("expected the smaller number first")
        return value


class ProfileFile(Strict):
    """One profile.

    Example:
        >>> packaged_profile("router9").object
        'text_completion'
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    """What configuration and keys call it."""
    description: str = ""
    """One line."""
    base_path: Literal["/v1", "/api/v1"] = "/v1"
    """The path that documentation and examples show; both always answer."""
    key_prefix: Annotated[str, Field(pattern=r"^[a-z0-9]{1,8}(?:[-_][a-z0-9]{1,8})?[-_]$")]
    """How new keys begin."""
    model_ids: Literal["full", "bare"] = "full"
    """How `GET /v1/models` spells ids: `author/slug` or the slug alone. Requests may use both."""
    auto: bool = True
    """Whether documentation and examples mention the model `auto`, which always works."""
    answer_model: Literal["as_asked", "canonical", "bare"] = "canonical"
    """How the `model` of an answer is spelled."""
    id_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,16}$")] = "gen-"
    """How the `id` of an answer begins."""
    object: Annotated[str, Field(pattern=r"^[a-z._]{1,32}$")] = "chat.completion"
    """`object` of an answer that is not streamed."""
    usage_cost: bool = True
    """Whether answers carry `usage.cost` and the header `x-seekroute-cost`."""
    upstream_cost: bool | None = None
    """Whether customers see who answered and what the provider charges; default: while the
    catalog has no markup."""
    error_metadata: bool = True
    """Whether errors carry `metadata`."""
    error_param: bool = True
    """Whether errors carry `param`, null where there is none."""
    integer_code_on_api_v1: bool = False
    """Whether `error.code` is the HTTP status under `/api/v1`."""
    reasoning_on_v1: bool = False
    """Whether thinking that a provider calls `reasoning_content` is called `reasoning` too under
    `/v1`, as it is under `/api/v1` in every profile."""
    checks: Checks = Checks()
    """Ranges that requests are held to."""
    limits: LimitValues = LimitValues()
    """Each limit that a key does not set itself."""
    errors: dict[str, ErrorWords] = Field(default_factory=dict)
    """Words by the error's own name."""

    def shows_upstream_cost(self, *, marked_up: bool) -> bool:
        """Whether customers see what the provider charges.

        Args:
            marked_up: Whether any price has a markup, which they could then work out.
        """
        return not marked_up if self.upstream_cost is None else self.upstream_cost

    def to_core(self, *, marked_up: bool = False) -> dict[str, Any]:
        """This profile in the shape the core installs.

        Args:
            marked_up: Whether any price has a markup.
        """
        words = {
            name: entry.model_dump(exclude_none=True) for name, entry in sorted(self.errors.items())
        }
        return {
            "name": self.name,
            "id_prefix": self.id_prefix,
            "object": self.object,
            "answer_model": self.answer_model,
            "usage_cost": self.usage_cost,
            "upstream_cost": self.shows_upstream_cost(marked_up=marked_up),
            "error_metadata": self.error_metadata,
            "error_param": self.error_param,
            "integer_code_on_api_v1": self.integer_code_on_api_v1,
            "reasoning_on_v1": self.reasoning_on_v1,
            "errors": words,
            "temperature": list(self.checks.temperature) if self.checks.temperature else None,
            "top_p": list(self.checks.top_p) if self.checks.top_p else None,
            "max_tokens_min": self.checks.max_tokens_min,
        }


def _validated(document: Document) -> ProfileFile:
    data = document.data
    problems: list[Problem] = []
    base = data.pop("extends", None)
    if base is not None:
        if isinstance(base, str) and base in PACKAGED_PROFILES:
            inherited = packaged_profile(base).model_dump(mode="python", exclude_unset=True)
            inherited.pop("name")
            inherited.pop("description", None)
            data = _merged(inherited, data)
        else:
            hint = did_you_mean(str(base), PACKAGED_PROFILES)
            message = "expected the name of a packaged profile"
            problems.append(Problem("extends", message, hint, document.where("extends")))
    errors = data.get("errors")
    if isinstance(errors, dict):
        for name in errors:
            if name not in ERROR_NAMES:
                path = join("errors", name)
                hint = did_you_mean(str(name), ERROR_NAMES)
                problems.append(Problem(path, "no error of this name", hint, document.where(path)))
    try:
        profile = ProfileFile.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error, ProfileFile, where=document.where)
        raise ConfigError(problems) from None
    if problems:
        raise ConfigError(problems)
    return profile


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        mine = result.get(key)
        both = isinstance(mine, dict) and isinstance(value, dict)
        result[key] = _merged(mine, value) if both else value  # type: ignore[arg-type]
    return result


@functools.cache
def packaged_profile(name: str) -> ProfileFile:
    """The profile `name` of `PACKAGED_PROFILES`; KeyError for another name."""
    if name not in PACKAGED_PROFILES:
        raise KeyError(name)
    file = importlib.resources.files("seekroute.config") / "profiles" / f"{name}.yaml"
    text = file.read_text(encoding="utf-8")
    return _validated(parse_document(text, name=f"seekroute/config/profiles/{name}.yaml"))


def load_profile(name_or_path: str, *, relative_to: Path | None = None) -> ProfileFile:
    """A packaged profile by name, or a custom one from a file.

    Args:
        name_or_path: A name from `PACKAGED_PROFILES`, or the path of a YAML, JSON or TOML file,
            told apart by a slash or one of these suffixes. A file may start from a packaged
            profile with `extends: <name>`.
        relative_to: Folder that a relative path starts from; default: the working directory.

    Raises:
        ConfigError: No such profile, or everything wrong with the file.
    """
    if name_or_path in PACKAGED_PROFILES:
        return packaged_profile(name_or_path)
    path = Path(name_or_path)
    if "/" in name_or_path or path.suffix in (".yaml", ".yml", ".json", ".toml"):
        file = relative_to / path if relative_to else path
        profile = _validated(read_document(file))
        if profile.name in PACKAGED_PROFILES:
            hint = "choose another name"
            message = f"{profile.name} is the name of a packaged profile"
            raise ConfigError([Problem("name", message, hint, str(file))])
        return profile
    hint = did_you_mean(name_or_path, PACKAGED_PROFILES)
    raise ConfigError([Problem("", "no packaged profile of this name", hint)])
