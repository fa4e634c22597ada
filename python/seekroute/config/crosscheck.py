"""What is wrong between the parts of a configuration: references to catalog, profiles and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from seekroute.config.catalog import (
    AUTO_NAMES,
    MOCK_PROVIDER,
    Catalog,
    Provider,
    check_rows,
    packaged_catalog,
)
from seekroute.config.overlay import apply_overlay, load_overlay
from seekroute.config.profile import PACKAGED_PROFILES, load_profile
from seekroute.config.routes import means, tag_of
from seekroute.config.schema import did_you_mean, provider_hint
from seekroute.errors import ConfigError, Problem

# What tells an endpoint's tag from that of its provider, in this order.
_VARIANT = ("quantization", "region")


def cross_check(
    data: Mapping[str, Any],
    environ: Mapping[str, str],
    folder: Path | None,
    where: Callable[[str], str],
    *,
    provider_keys: bool = True,
) -> list[Problem]:
    """Checks raw settings against each other, the catalog, the profiles and the file system.

    It works on the raw data, passing over what has the wrong shape, so that one wrong value does
    not hide the others.

    Args:
        data: Settings as merged from their sources.
        environ: Where provider keys are looked up.
        folder: What relative profile paths start from.
        where: Gives file and line of a path.
        provider_keys: Whether providers have to have what they need to be called.
    """
    problems: list[Problem] = []

    def add(at: str, message: str, hint: str = "") -> None:
        problems.append(Problem(at, message, hint, where(at)))

    packaged = packaged_catalog()
    providers = data.get("providers")
    providers = providers if isinstance(providers, dict) else {}
    for name, own in providers.items():
        if isinstance(own, dict):
            _check_provider(str(name), own, environ, add, provider_keys=provider_keys)
    rows = data.get("models")
    known = packaged.providers.keys() | {str(name) for name in providers}
    below, found = _overlaid(packaged, data.get("catalog_overlay"), known, folder, where)
    problems += found
    problems += check_rows(rows, known, below.sources, where)
    default = data.get("default_model")
    if isinstance(default, str) and default:
        names = (set(below.names) | _names_in(rows)) - set(AUTO_NAMES)
        if default not in names:
            hint = did_you_mean(default, names)
            add("default_model", "no model of this name in the catalog", hint)
        elif _embeds(default, rows, below):
            add("default_model", "an embedding model answers no chats", "name one that does")
    _check_routes(data, set(below.names) | _names_in(rows), add)
    _check_members(data, known | set(below.providers), below, add)
    _check_members_once(data, below, add)
    _check_pool(data, below, add)
    return problems + _check_profiles(data, folder, where)


def _check_routes(data: Mapping[str, Any], names: set[str], add: Callable[..., None]) -> None:
    """Names of models where there has to be one, and of virtual ones where there may be none."""

    virtual_models = _dict(data.get("virtual_models"))

    def check(at: str, name: object) -> None:
        if not isinstance(name, str) or not name or name in names:
            return
        if name in virtual_models:
            add(at, f"{name!r} is a virtual model, which cannot stand here", "name its models")
        else:
            add(at, "no model of this name in the catalog", did_you_mean(name, names))

    for name, virtual in virtual_models.items():
        at = f"virtual_models.{name}"
        if name in names or name in AUTO_NAMES:
            add(at, "the catalog has a model of this name", "give it another one")
        for number, member in enumerate(_list(_dict(virtual).get("candidates"))):
            check(f"{at}.candidates.{number}.model", _dict(member).get("model"))
    for at, pooled in _pooled(data):
        check(at, pooled)
    check("routing.auto.shadow.grader.judge", _judge(data))
    lists = _dict(_dict(data.get("routing")).get("fallbacks"))
    for kind, by_model in lists.items():
        for name, others in _dict(by_model).items():
            at = f"routing.fallbacks.{kind}.{name}"
            check(at, name)
            for number, other in enumerate(_list(others)):
                check(f"{at}.{number}", other)


def _pooled(data: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """The models that `auto` chooses from, by their places."""
    rows = _list(_dict(_dict(data.get("routing")).get("auto")).get("models"))
    for number, row in enumerate(rows):
        at = f"routing.auto.models.{number}"
        yield (f"{at}.model", row.get("model")) if isinstance(row, dict) else (at, row)


def _judge(data: Mapping[str, Any]) -> object:
    """The model that grades shadow pairs."""
    auto = _dict(_dict(data.get("routing")).get("auto"))
    return _dict(_dict(auto.get("shadow")).get("grader")).get("judge")


def _check_pool(data: Mapping[str, Any], below: Catalog, add: Callable[..., None]) -> None:
    """Whether each model that `auto` chooses from is listed once, and answers chats."""
    rows, seen = data.get("models"), dict[str, str]()
    for at, name in _pooled(data):
        model_id = _id_of(name, rows, below)
        if not model_id:
            continue
        if (before := seen.setdefault(model_id, at)) != at:
            add(at, f"{before} is this model already", "list a model once")
        if _embeds(str(name), rows, below):
            add(at, "an embedding model answers no chats", "list models that do")


def _check_members(
    data: Mapping[str, Any], providers: Set[str], below: Catalog, add: Callable[..., None]
) -> None:
    """Where virtual models ask: providers that have the model, or endpoints of it by their tags."""
    providers = {name.lower() for name in {*providers, MOCK_PROVIDER}}
    for name, virtual in _dict(data.get("virtual_models")).items():
        for number, member in enumerate(_list(_dict(virtual).get("candidates"))):
            model, provider = (_dict(member).get(key) for key in ("model", "provider"))
            if not isinstance(provider, str) or provider.lower() in ("", MOCK_PROVIDER):
                continue
            tags = _tags_of(model, data.get("models"), below)
            if any(means(provider, tag) for tag in tags):
                continue
            at = f"virtual_models.{name}.candidates.{number}.provider"
            if provider.lower() not in providers:
                hint = provider_hint(provider, {*providers, *tags})
                add(at, "no provider of this name, and no endpoint of the model", hint)
            elif tags:
                message = f"{provider} has no endpoint of {model}: it would never be asked"
                add(at, message, f"name one of {', '.join(sorted(tags))}")


def _check_members_once(data: Mapping[str, Any], below: Catalog, add: Callable[..., None]) -> None:
    """Whether a virtual model lists an endpoint twice: a request would ask it twice."""
    rows = data.get("models")
    for name, virtual in _dict(data.get("virtual_models")).items():
        seen: list[tuple[int, str, str, set[str]]] = []
        for number, member in enumerate(_list(_dict(virtual).get("candidates"))):
            model, provider = (_dict(member).get(key) for key in ("model", "provider"))
            model_id = _id_of(model, rows, below)
            at = provider.lower() if isinstance(provider, str) else ""
            tags = {t for t in _tags_of(model, rows, below) if not at or means(at, t)}
            for before, other_id, other, other_tags in seen if model_id else ():
                if other_id == model_id and (other == at or other_tags & tags):
                    place = f"{other_id} at {other or at}" if other or at else other_id
                    message = f"candidates.{before} has {place} already"
                    hint = "list an endpoint once; weight says how often it comes first"
                    add(f"virtual_models.{name}.candidates.{number}", message, hint)
                    break
            seen.append((number, model_id, at, tags))


def _id_of(name: object, rows: object, below: Catalog) -> str:
    """The id of the model that a name means; empty: there is none."""
    if not isinstance(name, str):
        return ""
    for row in _list(rows):
        if name in _names_of(row):
            return str(row["id"])
    found = below.resolve(name)
    return found.id if found else ""


def _tags_of(model: object, rows: object, below: Catalog) -> set[str]:
    """The tags of a model's endpoints, in small letters; of settings' rows as far as they can be
    read."""
    for row in _list(rows):
        if isinstance(model, str) and model in _names_of(row):
            ends = [_dict(each) for each in _list(row.get("endpoints"))]
            said = [[str(e.get(k) or "") for k in ("provider", *_VARIANT)] for e in ends]
            return {tag_of(*each).lower() for each in said}
    known = below.resolve(model) if isinstance(model, str) else None
    found = known.endpoints if known else ()
    return {tag_of(e.provider, e.quantization, e.region or "").lower() for e in found}


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else ()


def _overlaid(
    packaged: Catalog,
    overlay: object,
    providers: Iterable[str],
    folder: Path | None,
    where: Callable[[str], str],
) -> tuple[Catalog, list[Problem]]:
    """The catalog below the settings' own models, and what is wrong with the overlay."""
    if not isinstance(overlay, str) or not overlay:
        return packaged, []
    # What these providers are is checked elsewhere; here they only have to exist.
    stand_in = Provider(base_url="https://provider.invalid")
    added = {name: stand_in for name in providers if name not in packaged.providers}
    try:
        return apply_overlay(packaged, load_overlay((folder or Path()) / overlay), added), []
    except ConfigError as error:
        problems = []
        for problem in error.problems:
            at = f"catalog_overlay: {problem.path}" if problem.path else "catalog_overlay"
            place = problem.where or where("catalog_overlay")
            problems.append(Problem(at, problem.message, problem.hint, place))
        return packaged, problems


def _check_provider(
    name: str,
    own: dict[str, Any],
    environ: Mapping[str, str],
    add: Callable[..., None],
    *,
    provider_keys: bool,
) -> None:
    packaged = packaged_catalog().providers
    at, known, url = f"providers.{name}", packaged.get(name), own.get("base_url")
    if name == MOCK_PROVIDER:
        add(at, "this name is reserved", "use the setting mock")
    elif known is None and url is None and provider_keys:
        message = "a provider that is not packaged needs a base_url"
        add(at, message, did_you_mean(name, packaged))
    plain = isinstance(url, str) and url.startswith("http://")
    if plain and str(own.get("allow_http", False)).lower() not in ("true", "1", "yes", "on"):
        add(f"{at}.base_url", "expected an https URL", "or set allow_http: true")
    enabled = str(own.get("enabled", "")).lower() in ("true", "1", "yes", "on")
    if provider_keys and enabled and (hint := _lacks_key(own, known, environ)):
        add(f"{at}.enabled", "enabled, but no key was found", hint)
    ca_file = own.get("ca_file")
    if isinstance(ca_file, str) and ca_file and not Path(ca_file).is_file():
        add(f"{at}.ca_file", "no such file")


def _lacks_key(own: dict[str, Any], known: Provider | None, environ: Mapping[str, str]) -> str:
    """What to set so that a provider has a key; empty: it has one, or needs none."""
    if own.get("api_key") is not None:
        return ""
    named = [_dict(key) for key in _list(own.get("keys"))]
    if named:
        if any(key.get("env") is None for key in named):
            return ""  # in the file itself, or wrong, which is said elsewhere
        variables = tuple(str(key["env"]) for key in named)
        hint = f"set {' or '.join(variables)}"
    elif known and own.get("base_url") is None:
        variables = known.env
        hint = f"set {' or '.join(variables)}, or its api_key"
    else:
        return ""
    return "" if any(environ.get(each, "").strip() for each in variables) else hint


def _names_in(rows: object) -> set[str]:
    names: set[str] = set()
    for row in rows if isinstance(rows, list | tuple) else ():
        names |= _names_of(row)
    return names


def _names_of(row: object) -> set[str]:
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        return set()
    author, _, slug = row["id"].partition("/")
    names = {row["id"], slug}
    aliases = row.get("aliases")
    for alias in aliases if isinstance(aliases, list | tuple) else ():
        names |= {str(alias), f"{author}/{alias}"}
    return names


def _embeds(name: str, rows: object, below: Catalog) -> bool:
    """Whether a name that there is means an embedding model."""
    for row in rows if isinstance(rows, list | tuple) else ():
        if name in _names_of(row):
            output = row.get("output")
            return isinstance(output, list | tuple) and "embedding" in output
    model = below.resolve(name)
    return model is not None and model.is_embedding


def _check_profiles(
    data: Mapping[str, Any], folder: Path | None, where: Callable[[str], str]
) -> list[Problem]:
    problems: list[Problem] = []
    listed = data.get("profiles", ())
    if isinstance(listed, str):
        listed = [part.strip() for part in listed.split(",") if part.strip()]
    wanted = {"profile": data.get("profile", PACKAGED_PROFILES[0])}
    if isinstance(listed, list | tuple):
        wanted |= {f"profiles.{index}": name for index, name in enumerate(listed)}
    seen: dict[str, str] = {}
    for at, name in wanted.items():
        if not isinstance(name, str) or not name:
            continue
        try:
            profile = load_profile(name, relative_to=folder)
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
