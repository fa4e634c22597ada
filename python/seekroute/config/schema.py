"""What the configuration models share: their base class, and pydantic's errors as problems."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Set
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from seekroute.config.documents import join, kind_of
from seekroute.errors import Problem
from seekroute.visible import begins_as_key


class Strict(BaseModel):
    """A part of the configuration: immutable, unknown keys refused, inputs never in error texts."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


PROVIDER_ID = r"^[a-z0-9][a-z0-9_-]{0,62}$"
MODEL_ID = r"^[a-z0-9][a-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._:@+-]{0,126}$"
ALIAS = r"^[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,190}$"
_PATTERN_WORDS = {
    PROVIDER_ID: "lower-case letters, digits, - and _",
    MODEL_ID: "author/slug, the author in lower case",
    ALIAS: "a model name without spaces",
}

# Values under these keys are never shown, whatever they look like.
_SECRET_KEYS = frozenset(["api_key", "headers", "proxy"])
# Short plain words are worth quoting back; anything else may be a secret in the wrong place.
_QUOTABLE = re.compile(r"[A-Za-z0-9_. /:-]{1,32}")
_SCHEME = re.compile(r"(?i)(?:bearer|basic)[-_ ]")
_QUOTED = re.compile(r"'([^']*)'")
_TYPE_WORDS = {
    "dataclass_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "a string",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "date_type": "a date such as 2026-07-02",
    "date_parsing": "a date such as 2026-07-02",
    "date_from_datetime_parsing": "a date such as 2026-07-02",
}
_BOUND_WORDS = {
    "greater_than_equal": ("ge", "at least {}"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "at most {}"),
    "less_than": ("lt", "less than {}"),
    "too_short": ("min_length", "at least {} entries"),
    "too_long": ("max_length", "at most {} entries"),
    "string_too_short": ("min_length", "at least {} characters"),
    "string_too_long": ("max_length", "at most {} characters"),
    "string_pattern_mismatch": ("pattern", "text matching {}"),
    "literal_error": ("expected", "{}"),
    "enum": ("expected", "{}"),
}


def shown(value: object, *, secret: bool = False) -> str:
    """`value` for an error text: quoted when short and plain, else only its kind."""
    if not secret:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return str(value)
        if isinstance(value, str):
            if not value:
                return "an empty string"
            shaped = _SCHEME.match(value) or begins_as_key(value)
            if _QUOTABLE.fullmatch(value) and not shaped:
                return repr(value)
    return kind_of(value)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint naming the closest of `known`, or listing them when they are few."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.7)
    if close:
        return f"did you mean {close[0]}?"
    if 0 < len(choices) <= 12:
        return f"expected one of: {', '.join(choices)}"
    return ""


def provider_hint(name: str, known: Iterable[str]) -> str:
    """What to do about a name that no provider has."""
    return did_you_mean(name, known) or (
        "add it under providers with its base_url, or name one that `seekroute models list --all` "
        "shows"
    )


def _keys_at(model: type, loc: tuple[Any, ...]) -> list[str]:
    """The keys that the mapping at `loc` may have, found by walking the annotations."""
    current: Any = model
    for part in loc:
        known = _fields_of(current)
        if known:
            found = known.get(str(part))
            current = _required(found.annotation) if found else None
        else:
            current = _required(_element_of(current))
    return sorted(_fields_of(current))


def _fields_of(model: Any) -> dict[str, Any]:
    """The fields of a pydantic model or dataclass; empty for anything else."""
    found: dict[str, Any] = getattr(model, "__pydantic_fields__", {})
    return found if isinstance(model, type) else {}


def _required(annotation: Any) -> Any:
    """`X` of `X | None` and of `Annotated[X, ...]`."""
    while True:
        arguments: tuple[Any, ...] = getattr(annotation, "__args__", ())
        if type(None) in arguments:
            annotation = next(a for a in arguments if a is not type(None))
        elif hasattr(annotation, "__metadata__"):
            annotation = arguments[0]
        else:
            return annotation


def _element_of(annotation: Any) -> Any:
    arguments = [a for a in getattr(annotation, "__args__", ()) if a is not Ellipsis]
    return arguments[-1] if arguments else None


def _len(value: object) -> int:
    return len(value) if isinstance(value, list | tuple | dict) else 0


def problems_of(
    error: ValidationError,
    model: type,
    *,
    prefix: str = "",
    where: Callable[[str], str] = lambda path: "",
    secrets: Set[str] = frozenset(),
) -> list[Problem]:
    """Turns a validation error into problems with path, expectation, what was found, and a hint.

    Args:
        error: Raised by validating `model`.
        model: The class that was validated, for "did you mean".
        prefix: Path of the validated value.
        where: Gives file and line of a path.
        secrets: Paths whose values are never shown.
    """
    problems: list[Problem] = []
    for item in error.errors(include_url=False, include_context=True):
        loc = tuple(part for part in item["loc"] if part != "[key]")
        path = prefix
        for part in loc:
            path = join(path, part)
        kind, context, value = item["type"], item.get("ctx", {}), item.get("input")
        if kind == "too_short" and _len(value) >= context["min_length"]:
            continue  # entries that are wrong do not count for pydantic, and are told themselves
        hint = ""
        if kind in ("extra_forbidden", "unexpected_keyword_argument"):
            message, hint = "unknown key", did_you_mean(str(loc[-1]), _keys_at(model, loc[:-1]))
        elif kind == "missing":
            message = "this key is required"
        else:
            expected = _TYPE_WORDS.get(kind)
            if kind in _BOUND_WORDS:
                name, words = _BOUND_WORDS[kind]
                limit = context.get(name)
                expected = _PATTERN_WORDS.get(str(limit)) or words.format(limit)
                expected = re.sub(r"^(at (?:least|most) 1 )entries$", r"\1entry", expected)
            if kind == "value_error":
                message, _, hint = str(context.get("error", item["msg"])).partition("; ")
            elif expected:
                hidden = path in secrets or not _SECRET_KEYS.isdisjoint(path.split("."))
                found = shown(value, secret=hidden)
                if kind in ("too_short", "too_long"):
                    found = str(_len(value))
                message = f"expected {expected}, found {found}"
                if kind in ("literal_error", "enum") and isinstance(value, str):
                    near = difflib.get_close_matches(
                        value.lower(), _QUOTED.findall(str(context.get("expected"))), n=1
                    )
                    hint = f"did you mean {near[0]}?" if near else ""
            else:
                message = item["msg"][:1].lower() + item["msg"][1:]
        problems.append(Problem(path, message, hint, where(path)))
    return problems


def check_path(path: str) -> str:
    """Returns a path or the name of a file.

    Raises:
        ValueError: It holds a NUL, which no path can, or is not UTF-8, which the core's paths are.
    """
    if "\0" in path:
        raise ValueError("expected a path, found one with a NUL character in it")
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError("expected a path in UTF-8, found one that is not") from None
    return path


def check_host(host: str) -> str:
    """Returns the name or address of a host.

    Raises:
        ValueError: It is neither.
    """
    try:
        usable = not any(c.isspace() or ord(c) < 33 for c in host) and host.encode("idna")
    except UnicodeError:
        usable = False
    if not usable:
        raise ValueError("expected an address such as 127.0.0.1, or the name of this machine")
    return host


def check_base_url(url: str, *, allow_http: bool) -> str:
    """Returns `url` without a trailing slash.

    Raises:
        ValueError: Not https (http only with `allow_http`), no host, or with user name, query,
            fragment or the path of a request. The text holds no part of the URL, which may carry
            a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("expected a URL such as https://api.example.com/v1") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError("a base URL must not hold a user name or password; use api_key")
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        raise ValueError("expected a URL such as https://api.example.com/v1")
    if parts.scheme == "http" and not allow_http:
        raise ValueError("expected an https URL; set allow_http: true to send keys unencrypted")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("a base URL must not hold a query or fragment")
    if not url.isascii() or any(c.isspace() or ord(c) < 33 for c in url) or "\\" in url:
        raise ValueError("a base URL must be plain ASCII without spaces or backslashes")
    if any(part in (".", "..") for part in parts.path.split("/")):
        raise ValueError("a base URL must not hold . or .. in its path")
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError(
            "a base URL ends before /chat/completions, which is appended: leave it out"
        )
    return url.rstrip("/")
