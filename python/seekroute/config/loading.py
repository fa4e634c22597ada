"""Finds, merges and checks settings: command line over environment over file over defaults."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seekroute.config._documents import Document, interpolate, join, read_document
from seekroute.config._schema import did_you_mean, problems_of
from seekroute.config.catalog import Catalog, Provider, packaged_catalog
from seekroute.config.profile import (
    PACKAGED_PROFILES,
    ProfileFile,
    load_profile,
    packaged_profile,
)
from seekroute.config.settings import Origin, Settings
from seekroute.errors import ConfigError, Problem

__all__ = ["ENV_PREFIX", "catalog_of", "load_settings", "profiles_of"]

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
) -> Settings:
    """Reads the settings and checks them whole, cross references included.

    Args:
        path: Configuration file; default: the variable SEEKROUTE_CONFIG, else ./seekroute.yaml
            if it exists, else none.
        overrides: Values from the command line by dotted path (`{"server.port": 9000}`); None
            means not given.
        environ: Environment; default: the process's.

    Raises:
        ConfigError: Everything that is wrong, at once.

    Example:
        >>> load_settings(overrides={"server.port": 0}, environ={}).server.port
        0
    """
    env = dict(os.environ if environ is None else environ)
    problems: list[Problem] = []
    document = _find_document(path, env, problems)
    touched, unset = interpolate(document, env)
    problems += unset
    data: dict[str, Any] = {}
    origins: dict[str, tuple[Origin, str]] = {}

    def place(values: dict[str, Any], kind: Origin, details: Mapping[str, str]) -> None:
        for leaf, value in _leaves(values, ""):
            _put(data, leaf, value)
            for old in [o for o in origins if o.startswith(leaf + ".")]:
                del origins[old]
            origins[leaf] = (kind, details.get(leaf) or document.where(leaf))

    place(document.data, "file", {})
    from_env, names, env_problems = _read_environment(env)
    problems += env_problems
    place(from_env, "env", names)
    touched |= set(names)
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

    broken = {problem.path for problem in problems}
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        found = problems_of(error, Settings, where=where, secrets=touched)
        # An unset variable is one problem, not also whatever the gap fails to be.
        problems += [problem for problem in found if problem.path not in broken]
        raise ConfigError(problems) from None
    settings._origins.update(origins)
    settings._folder = str(Path(document.name).parent) if document.name else ""
    problems += _cross_check(settings, env, where)
    if problems:
        raise ConfigError(problems)
    return settings


def _find_document(
    path: str | Path | None, env: Mapping[str, str], problems: list[Problem]
) -> Document:
    chosen = path or env.get("SEEKROUTE_CONFIG")
    if chosen is None or chosen == "":
        if not Path(DEFAULT_FILE).is_file():
            return Document({})
        chosen = DEFAULT_FILE
    try:
        return read_document(Path(chosen))
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
        if not variable.upper().startswith(ENV_PREFIX):
            continue
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


def _cross_check(settings: Settings, env: Mapping[str, str], where: Any) -> list[Problem]:
    """What only shows when settings, catalog and profiles are seen together."""
    problems: list[Problem] = []
    packaged = packaged_catalog()
    for provider_id, provider in settings.providers.items():
        at = f"providers.{provider_id}"
        known = packaged.providers.get(provider_id)
        if known is None and provider.base_url is None:
            hint = did_you_mean(provider_id, packaged.providers) or "or is this a typing error?"
            message = "a provider that is not packaged needs a base_url"
            problems.append(Problem(at, message, hint, where(at)))
        switched_on = provider.enabled and provider.base_url is None and provider.api_key is None
        if known and switched_on and not any(env.get(name, "").strip() for name in known.env):
            hint = f"set {' or '.join(known.env)}, or its api_key"
            message = "enabled, but no key was found"
            problems.append(Problem(f"{at}.enabled", message, hint, where(f"{at}.enabled")))
        if provider.ca_file and not Path(provider.ca_file).is_file():
            at = f"{at}.ca_file"
            problems.append(Problem(at, "no such file", "", where(at)))
    try:
        catalog = catalog_of(settings)
    except ConfigError as error:
        problems += [Problem(p.path, p.message, p.hint, where(p.path)) for p in error.problems]
        catalog = packaged
    if settings.default_model and catalog.resolve(settings.default_model) is None:
        hint = did_you_mean(settings.default_model, catalog.names)
        at = "default_model"
        problems.append(Problem(at, "no model of this name in the catalog", hint, where(at)))
    problems += _check_profiles(settings, where)
    return problems


def _check_profiles(settings: Settings, where: Any) -> list[Problem]:
    problems: list[Problem] = []
    wanted = {"profile": settings.profile}
    wanted |= {f"profiles.{index}": name for index, name in enumerate(settings.profiles)}
    seen: dict[str, str] = {}
    for at, name in wanted.items():
        try:
            profile = _load(settings, name)
        except ConfigError as error:
            for problem in error.problems:
                inner = f"{at}: {problem.path}" if problem.path else at
                place = problem.where or where(at)
                problems.append(Problem(inner, problem.message, problem.hint, place))
            continue
        if seen.setdefault(profile.name, name) != name:
            message = f"two files define the profile {profile.name}"
            problems.append(Problem(at, message, "give one of them another name", where(at)))
    return problems


def _load(settings: Settings, name: str) -> ProfileFile:
    return load_profile(name, relative_to=Path(settings._folder) if settings._folder else None)


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
    """The packaged catalog with the settings' own providers and models.

    Raises:
        ConfigError: The settings' models are wrong.
    """
    packaged = packaged_catalog()
    providers = {
        provider_id: Provider(name=provider_id, base_url=provider.base_url)
        for provider_id, provider in settings.providers.items()
        if provider_id not in packaged.providers and provider.base_url is not None
    }
    if not providers and not settings.models:
        return packaged
    return packaged.extended(providers, settings.models)
