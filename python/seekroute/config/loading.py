"""Finds, merges and checks settings: command line over environment over file over defaults."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seekroute.config.catalog import Catalog, Provider, packaged_catalog
from seekroute.config.crosscheck import cross_check
from seekroute.config.documents import Document, interpolate, join, kind_of, read_document
from seekroute.config.overlay import apply_overlay, load_overlay
from seekroute.config.profile import (
    PACKAGED_PROFILES,
    ProfileFile,
    load_profile,
    packaged_profile,
)
from seekroute.config.schema import did_you_mean, problems_of
from seekroute.config.settings import Origin, Settings
from seekroute.errors import ConfigError, Problem
from seekroute.files import why_no_file
from seekroute.plan import Source

__all__ = [
    "ENV_PREFIX",
    "catalog_of",
    "config_file",
    "data_dir_of",
    "load_settings",
    "profile_place",
    "profiles_of",
]

ENV_PREFIX = "SEEKROUTE_"
DEFAULT_FILE = "seekroute.yaml"
# Short spellings of what is set most often.
_SHORT = {
    "HOST": "server.host",
    "PORT": "server.port",
    "LOG_LEVEL": "server.log_level",
    "LOG_FORMAT": "server.log_format",
}
# Variables with this prefix that are read elsewhere (clients, the control plane, tests).
_ELSEWHERE = (
    "ADMIN_KEY",
    "API_KEY",
    "BASE_URL",
    "CONFIG",
    "DATABASE_URL",
    "PEPPER",
    "REDIS_URL",
    "SECRET_KEY",
    "SHARED",
)


def load_settings(
    path: str | Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    provider_keys: bool = True,
) -> Settings:
    """Reads the settings and checks them whole, cross references included.

    Args:
        path: Configuration file; default: the variable SEEKROUTE_CONFIG, else ./seekroute.yaml
            if it exists, else none.
        overrides: Values from the command line by dotted path (`{"server.port": 9000}`); None
            means not given.
        environ: Environment; default: the process's.
        provider_keys: False for what calls no provider: a provider whose variables are unset is
            then one without a key, and that is no problem. A backup from cron has no keys. So it
            is with `mock: on`, which asks nobody.

    Raises:
        ConfigError: Everything that is wrong, at once.

    Example:
        >>> load_settings(overrides={"server.port": 0}, environ={}).server.port
        0
    """
    env = dict(os.environ if environ is None else environ)
    problems: list[Problem] = []
    document = _find_document(path, env, problems)
    without_keys = not provider_keys or _mock_alone(document, env, overrides or {})
    touched, unset = interpolate(document, env, without_keys=without_keys)
    problems += unset
    data: dict[str, Any] = {}
    origins: dict[str, tuple[Origin, str]] = {}

    def place(values: dict[str, Any], kind: Origin, details: Mapping[str, str]) -> None:
        for leaf, value in _leaves(values, ""):
            if value is None:  # a key left empty is a key not given
                continue
            blocked = _blocked(data, leaf)
            if blocked:
                message = f"expected a mapping, found {kind_of(_get(data, blocked))}"
                problems.append(Problem(blocked, message, "", document.where(blocked)))
            _put(data, leaf, value)
            for old in [o for o in origins if o.startswith(leaf + ".")]:
                del origins[old]
            origins[leaf] = (kind, details.get(leaf) or document.where(leaf))

    place(document.data, "file", {})
    from_env, names, env_problems = _read_environment(env)
    problems += env_problems
    place(from_env, "env", names)
    given: dict[str, Any] = {}
    for dotted, value in (overrides or {}).items():
        if value is not None:
            _put(given, dotted, value)
    place(given, "cli", {leaf: "command line" for leaf, _ in _leaves(given, "")})

    def where(at: str) -> str:
        probe = at
        while probe:
            if probe in origins:
                kind, detail = origins[probe]
                return document.where(at) if kind == "file" else detail
            probe = probe.rpartition(".")[0]
        return document.where(at)

    folder = Path(document.name).parent if document.name else None
    if folder is not None:
        _place_beside(folder, data, origins)
    broken = {problem.path for problem in problems}
    settings: Settings | None = None
    found: list[Problem] = []
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        found = problems_of(error, Settings, where=where, secrets=touched)
    found += cross_check(data, env, folder, where, provider_keys=provider_keys)
    # A value that is already a problem is not reported again for what it therefore fails to be.
    problems += [problem for problem in found if problem.path not in broken]
    if problems or settings is None:
        raise ConfigError(problems)
    settings._origins.update(origins)
    settings._folder = str(folder) if folder else ""
    settings._source = Source(document.name or None, given, _working_directory())
    return settings


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # it was removed under us
        return ""


def _mock_alone(
    document: Document, environ: Mapping[str, str], overrides: Mapping[str, Any]
) -> bool:
    """Whether `mock: on` is what counts: then no provider is asked, and none needs its key."""
    given = overrides.get("mock") or environ.get(f"{ENV_PREFIX}MOCK") or document.data.get("mock")
    return given in ("on", True)


def _place_beside(
    folder: Path, data: dict[str, Any], origins: Mapping[str, tuple[Origin, str]]
) -> None:
    """Makes paths that a file holds, or leaves at their defaults, start from the file's folder: one
    file means one data directory, from wherever it is read. What the command line or a variable
    says starts from the working directory."""
    if origins.get("data_dir", ("file", ""))[0] == "file":
        given = data.get("data_dir", Settings.model_fields["data_dir"].default)
        if isinstance(given, str) and given:
            data["data_dir"] = str(folder / given)
    providers = data.get("providers")
    for name, own in providers.items() if isinstance(providers, dict) else ():
        given = own.get("ca_file") if isinstance(own, dict) else None
        origin = origins.get(f"providers.{name}.ca_file", ("default", ""))[0]
        if isinstance(given, str) and given and origin == "file":
            own["ca_file"] = str(folder / given)


def config_file(
    path: str | Path | None = None, environ: Mapping[str, str] | None = None
) -> Path | None:
    """The file that `load_settings` reads with the same arguments; None where there is none."""
    chosen = path or (os.environ if environ is None else environ).get("SEEKROUTE_CONFIG")
    if chosen:
        return Path(chosen)
    return Path(DEFAULT_FILE) if os.path.lexists(DEFAULT_FILE) else None


def data_dir_of(path: str | Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """The data directory that a configuration names, however wrong the rest of it is; where it
    cannot be read at all, the default one beside it. Arguments as in `load_settings`."""
    env = dict(os.environ if environ is None else environ)
    told = _read_environment(env)[0].get("data_dir")
    if isinstance(told, str):
        return Path(told)
    document = _find_document(path, env, [])
    interpolate(document, env, without_keys=True)
    named = document.data.get("data_dir")
    if not isinstance(named, str) or not named:
        named = Settings.model_fields["data_dir"].default
    return Path(document.name).parent / named


def _find_document(
    path: str | Path | None, env: Mapping[str, str], problems: list[Problem]
) -> Document:
    chosen = config_file(path, env)
    if chosen is None:
        return Document({})
    given = path or env.get("SEEKROUTE_CONFIG")
    # Whoever put something else in the default's place meant a file, and would be served without.
    if not given and (why := why_no_file(chosen)):
        hint = "remove it, or name another with --config or SEEKROUTE_CONFIG"
        problems.append(Problem("", why, hint))
        return Document({}, str(chosen))
    try:
        return read_document(chosen)
    except ConfigError as error:
        # The environment and the command line are still worth checking in the same run.
        problems += error.problems
        return Document({}, str(chosen))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value that is not a non-empty mapping, with its dotted path."""
    for key, child in value.items():
        at = join(path, key)
        if isinstance(child, dict) and child and all("." not in str(k) for k in child):
            yield from _leaves(child, at)
        else:
            yield at, child


def _put(target: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for part in parents:
        inner = target.get(part)
        if not isinstance(inner, dict):
            inner = target[part] = {}
        target = inner
    target[last] = value


def _get(data: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _blocked(data: dict[str, Any], dotted: str) -> str:
    """The parent of `dotted` that a weaker source set to something else than a mapping."""
    parent = dotted.rpartition(".")[0]
    while parent:
        if not isinstance(_get(data, parent), dict | None):
            return parent
        parent = parent.rpartition(".")[0]
    return ""


def _read_environment(
    env: Mapping[str, str],
) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    """The settings in SEEKROUTE_* variables, which variable gave which path, and problems."""
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    problems: list[Problem] = []
    top = set(Settings.model_fields)
    known = {name.upper() for name in top} | set(_SHORT) | set(_ELSEWHERE)
    for variable in sorted(env):
        if not variable.upper().startswith(ENV_PREFIX) or not env[variable]:
            continue  # as in `${NAME:-default}`, set to nothing is not set
        rest = variable[len(ENV_PREFIX) :]
        dotted = _SHORT.get(rest.upper()) or ".".join(rest.lower().split("__"))
        first = dotted.partition(".")[0]
        if first not in top:
            hint = did_you_mean(rest.partition("__")[0].upper(), known)
            # A foreign variable with this prefix is no fault; a near miss or a nested one is.
            if rest.upper() not in _ELSEWHERE and ("__" in rest or hint):
                hint = hint.replace("did you mean ", f"did you mean {ENV_PREFIX}")
                problems.append(Problem(dotted, "unknown variable", hint, variable))
            continue
        value: Any = env[variable]
        if value[:1] in ("[", "{"):
            try:
                value = json.loads(value)
            except ValueError:
                message = "expected JSON, as the value begins with a bracket"
                problems.append(Problem(dotted, message, "", variable))
                continue
        _put(values, dotted, value)
        names[dotted] = variable
        if isinstance(value, dict):
            names.update({leaf: variable for leaf, _ in _leaves(value, dotted)})
    return values, names, problems


def _load(settings: Settings, name: str) -> ProfileFile:
    return load_profile(name, relative_to=Path(settings._folder) if settings._folder else None)


def profile_place(settings: Settings) -> str:
    """The default profile as anybody finds it from any folder: a packaged name, or a whole path."""
    name = settings.profile
    return name if name in PACKAGED_PROFILES else str((Path(settings._folder) / name).resolve())


def profiles_of(settings: Settings) -> list[ProfileFile]:
    """The profiles a gateway with these settings speaks, the default one first.

    Raises:
        ConfigError: A profile's file became wrong since the settings were loaded.
    """
    result: dict[str, ProfileFile] = {}
    for name in (settings.profile, *settings.profiles):
        found = packaged_profile(name) if name in PACKAGED_PROFILES else _load(settings, name)
        result.setdefault(found.name, found)
    return list(result.values())


def catalog_of(settings: Settings) -> Catalog:
    """The packaged catalog with the settings' overlay, providers and models.

    Raises:
        ConfigError: The settings' models are wrong, or the overlay became wrong since they were
            loaded.
    """
    packaged = packaged_catalog()
    providers = {
        provider_id: Provider(name=provider_id, base_url=provider.base_url)
        for provider_id, provider in settings.providers.items()
        if provider_id not in packaged.providers and provider.base_url is not None
    }
    if settings.catalog_overlay:
        file = Path(settings._folder) / settings.catalog_overlay
        packaged = apply_overlay(packaged, load_overlay(file), providers)
    if not providers and not settings.models:
        return packaged
    return packaged.extended(providers, settings.models)
