"""`seekroute models import | diff | check`: our prices and models beside those of others."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seekroute.cli.shared import JsonOption, print_json, print_rows, say, shared
from seekroute.errors import ConfigError, Problem, SeekrouteError
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.config.catalog import Catalog
    from seekroute.config.importers import Imported, Remark
    from seekroute.config.price_lists import Import, ListName

_MAX_BYTES = 64 * 1024 * 1024
_TIMEOUT_S = 30.0
_MAX_REDIRECTS = 5
_SHOWN = 20  # remarks on a terminal; a pipe and --json get all


class From(StrEnum):
    """The price lists that can be read."""

    MODELS_DEV = "models.dev"
    LITELLM = "litellm"
    GENAI_PRICES = "genai-prices"
    OPENROUTER = "openrouter"


FromOption = Annotated[
    From | None, typer.Option("--from", help="Which list it is; default: by its content.")
]
CheckedOption = Annotated[
    datetime | None,
    typer.Option(
        "--checked-on",
        formats=["%Y-%m-%d"],
        help="When the list was fetched; default: today, of a file its date.",
        show_default=False,
    ),
]
ProviderOption = Annotated[
    list[str] | None, typer.Option("--provider", help="Only this provider; may be repeated.")
]


# --- reading --------------------------------------------------------------------------------------


def _read(place: str) -> tuple[bytes, date]:
    """A text and when it was fetched.

    Args:
        place: A file, `-` for the standard input, an https URL, or the name of a list.

    Raises:
        SeekrouteError: It cannot be had, or is too long.
    """
    from seekroute.config.price_lists import LISTS

    today = datetime.now(UTC).date()
    listed = {str(name): each.url for name, each in LISTS.items()}
    if place in listed and not Path(place).exists():
        place = listed[place]
    if place.startswith("https://"):
        return _fetch(place), today
    if place.startswith("http://"):
        raise SeekrouteError("prices are fetched by https only: give an https URL or a file")
    try:
        if place == "-":
            body, day = sys.stdin.buffer.read(_MAX_BYTES + 1), today
        else:
            with open(place, "rb") as file:
                body = file.read(_MAX_BYTES + 1)
                day = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC).date()
    except OSError as error:
        raise SeekrouteError(f"{place} cannot be read: {error.strerror}") from error
    if len(body) > _MAX_BYTES:
        raise SeekrouteError(f"{place} is longer than {_MAX_BYTES >> 20} MiB")
    return body, day


def _fetch(url: str) -> bytes:
    import httpx2

    try:
        with httpx2.Client(timeout=_TIMEOUT_S) as client:
            # By hand, so that a redirect away from https is never followed.
            place = url
            for _ in range(_MAX_REDIRECTS + 1):
                body, there = _get(client, place)
                if not there:
                    say(f"fetched {place}: {number_of(len(body), 'byte')}", err=True)
                    return body
                if not there.startswith("https://"):
                    raise SeekrouteError(f"{url} leads away from https")
                place = there
    except httpx2.TimeoutException:
        raise SeekrouteError(f"{url} does not answer within {_TIMEOUT_S:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise SeekrouteError(f"{url} cannot be fetched ({type(error).__name__})") from None
    raise SeekrouteError(f"{url} leads on more than {_MAX_REDIRECTS} times")


def _get(client: Any, url: str) -> tuple[bytes, str]:
    """The body at a URL, or else where it says to look."""
    with client.stream("GET", url) as response:
        if response.has_redirect_location:
            return b"", str(response.url.join(response.headers["location"]))
        if response.status_code != 200:
            raise SeekrouteError(f"{url} answers {response.status_code}")
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > _MAX_BYTES:
                raise SeekrouteError(f"{url} is longer than {_MAX_BYTES >> 20} MiB")
        return bytes(body), ""


def _listed(
    body: bytes,
    name: From | None,
    *,
    checked_on: date,
    catalog: Catalog,
    providers: Sequence[str] | None,
) -> tuple[ListName, Imported]:
    from seekroute.config.price_lists import guess_list, read_list

    which: ListName = guess_list(body) if name is None else name.value
    found = read_list(
        which, body, checked_on=checked_on, catalog=catalog, providers=providers or None
    )
    return which, found


# --- import ---------------------------------------------------------------------------------------


def import_(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            help="A file, - for the standard input, an https URL, or the name of a list:"
            " models.dev, litellm, genai-prices, openrouter.",
        ),
    ],
    which: FromOption = None,
    provider: ProviderOption = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Only these ids, with *; may be repeated.")
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The overlay to write; - for the standard output.")
    ] = Path("catalog-overlay.yaml"),
    checked: CheckedOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make an overlay of a public price list: new models, and changed prices of ours."""
    from seekroute.config import catalog_of, packaged_catalog
    from seekroute.config.price_lists import overlay_text, take

    settings = shared(ctx).settings()
    catalog = catalog_of(settings)
    to_stdout = str(out) == "-"
    if not to_stdout and out.suffix not in (".yaml", ".yml"):
        raise SeekrouteError(f"{out}: expected a name that ends with .yaml")
    if out.exists() and not (to_stdout or force or dry_run):
        raise SeekrouteError(f"{out} exists: --force overwrites it, --out writes another")
    body, day = _read(source)
    day = checked.date() if checked else day
    name, found = _listed(body, which, checked_on=day, catalog=catalog, providers=provider)
    taken = take(found, catalog, model or ())
    if taken.models:
        text = overlay_text(
            name,
            taken.models,
            catalog=catalog,
            packaged=packaged_catalog().sources,
            checked_on=day,
        )
        _prove(text, catalog)
        if to_stdout and not dry_run:
            say(text, nl=False)
        elif not dry_run:
            _write(out, text)
    written = bool(taken.models) and not dry_run
    _report(name, day, taken, out if written else None, as_json=as_json, aside=to_stdout)
    if not as_json and written and not to_stdout:
        say(f"to use it, write into seekroute.yaml: catalog_overlay: {out}", err=True)
        if settings.catalog_overlay:
            say(
                f"there is an overlay already, {settings.catalog_overlay}: put the models into it",
                err=True,
            )
    if not taken.models and not taken.unchanged:
        raise typer.Exit(1)


def _prove(text: str, catalog: Catalog) -> None:
    """Reads the file as the gateway will. Raises ConfigError where that would refuse it."""
    from seekroute.config import packaged_catalog
    from seekroute.config.overlay import apply_overlay, load_overlay

    packaged = packaged_catalog()
    own = {k: v for k, v in catalog.providers.items() if k not in packaged.providers}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "overlay.yaml"
        file.write_text(text, encoding="utf-8")
        apply_overlay(packaged, load_overlay(file), own)


def _write(out: Path, text: str) -> None:
    """Puts the file in place whole."""
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, out)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SeekrouteError(f"{out} cannot be written: {error.strerror}") from error


def _report(
    name: ListName, day: date, taken: Import, out: Path | None, *, as_json: bool, aside: bool
) -> None:
    from rich.console import Console

    added = set(taken.added)
    if as_json and not aside:
        print_json(
            {
                "list": name,
                "checked_on": day.isoformat(),
                "out": str(out) if out else None,
                "added": taken.added,
                "changed": [each.id for each in taken.models if each.id not in added],
                "unchanged": taken.unchanged,
                "skipped": [{"row": each.row, "reason": each.text} for each in taken.skipped],
                "notes": [{"row": each.row, "text": each.text} for each in taken.notes],
            }
        )
        return
    whole = not Console(stderr=aside).is_terminal

    def rows(kind: str, remarks: Sequence[Remark]) -> None:
        for each in remarks if whole else remarks[:_SHOWN]:
            say(f"{kind}\t{each.row}\t{each.text}", err=aside)
        if not whole and len(remarks) > _SHOWN:
            say(f"{kind}\tand {len(remarks) - _SHOWN} more: --json has all", err=aside)

    rows("skipped", taken.skipped)
    rows("note", taken.notes)
    for model in taken.models:
        what = "added" if model.id in added else "changed"
        providers = ", ".join(dict.fromkeys(each.provider for each in model.endpoints))
        say(f"{what}\t{model.id}\t{providers}", err=aside)
    changed = len(taken.models) - len(taken.added)
    say(
        f"{name} of {day}: {len(taken.added)} added, {changed} changed,"
        f" {taken.unchanged} unchanged, {len(taken.skipped)} skipped",
        err=True,
    )
    if out:
        say(f"wrote {out}", err=True)


# --- diff -----------------------------------------------------------------------------------------


def diff(
    ctx: typer.Context,
    other: Annotated[
        str,
        typer.Argument(help="A catalog or overlay in YAML, or a price list as for import."),
    ],
    which: FromOption = None,
    provider: ProviderOption = None,
    checked: CheckedOption = None,
    prices_only: Annotated[
        bool, typer.Option("--prices-only", help="Only prices that differ.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 when there are differences.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the catalog with another, or with a price list: endpoints and their prices.

    With a price list, only the providers in it are compared.
    """
    from seekroute.config import catalog_of
    from seekroute.config.importers import diff as compare

    catalog = catalog_of(shared(ctx).settings())
    newer, whole = _other(other, which, checked, catalog, provider)
    covered = set(provider or ()) or (
        None if whole else {each.provider for model in newer.models for each in model.endpoints}
    )
    found = compare(_only(catalog, covered), _only(newer, covered))
    rows: list[dict[str, Any]] = []
    if not prices_only:
        for kind, names in (("added", found.added), ("removed", found.removed)):
            rows += [_difference(kind, model, at, upstream) for model, at, upstream in names]
    rows += [
        _difference("price", each.model, each.provider, each.upstream)
        | {"field": each.field, "old": _shown(each.old), "new": _shown(each.new)}
        for each in found.changed
    ]
    columns = ("change", "model", "provider", "upstream", "field", "old", "new")
    if rows or as_json:
        spare, folded = ("upstream", "provider"), ("model", "upstream", "provider", "field")
        print_rows(rows, columns, as_json=as_json, spare=spare, folded=folded)
    else:
        say("no differences", err=True)
    if rows and exit_code:
        raise typer.Exit(1)


def _difference(kind: str, model: str, provider: str, upstream: str) -> dict[str, Any]:
    row = {"change": kind, "model": model, "provider": provider, "upstream": upstream}
    return row | {"field": None, "old": None, "new": None}


def _shown(value: object) -> object:
    """A price as JSON has it; its dates as text."""
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    if isinstance(value, dict):
        return {key: _shown(each) for key, each in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def _only(catalog: Catalog, providers: set[str] | None) -> Catalog:
    """The catalog without the endpoints of other providers."""
    from dataclasses import replace

    from seekroute.config.catalog import Catalog as Made

    if providers is None:
        return catalog
    models = []
    for model in catalog.models:
        endpoints = tuple(each for each in model.endpoints if each.provider in providers)
        if endpoints:
            models.append(replace(model, endpoints=endpoints))
    return Made(catalog.providers, models, catalog.sources, catalog.markup)


def _other(
    place: str,
    which: From | None,
    checked: datetime | None,
    catalog: Catalog,
    providers: Sequence[str] | None,
) -> tuple[Catalog, bool]:
    """The catalog to compare with, and whether it is one as a whole."""
    from seekroute.config import packaged_catalog
    from seekroute.config.catalog import load_catalog
    from seekroute.config.overlay import apply_overlay, load_overlay
    from seekroute.config.price_lists import as_catalog

    if which is None and place.endswith((".yaml", ".yml")) and "://" not in place:
        file = Path(place)
        try:
            overlay = load_overlay(file)
            if "providers" in overlay.document.data:
                return load_catalog(file), True
        except OSError as error:
            raise SeekrouteError(f"{place} cannot be read: {error.strerror}") from error
        packaged = packaged_catalog()
        own = {k: v for k, v in catalog.providers.items() if k not in packaged.providers}
        return apply_overlay(packaged, overlay, own), True
    body, day = _read(place)
    day = checked.date() if checked else day
    name, found = _listed(body, which, checked_on=day, catalog=catalog, providers=providers)
    return as_catalog(name, found, catalog, day), False


# --- check ----------------------------------------------------------------------------------------


def check(
    ctx: typer.Context,
    provider: ProviderOption = None,
    new: Annotated[
        bool, typer.Option("--new", help="List the models that only the provider has.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the providers that are on for their models, and compare. Exit 1 when a model of ours is
    gone, or a provider cannot be asked."""
    from seekroute.config import catalog_of, usable_providers
    from seekroute.config.probe import ask_providers

    settings = shared(ctx).settings(provider_keys=True)
    catalog = catalog_of(settings)
    if settings.mock == "on":
        raise SeekrouteError("mock is on, so no provider is asked: set mock: auto, or leave it out")
    usable = usable_providers(settings, catalog, os.environ)
    for name in provider or ():
        if name not in catalog.providers:
            from seekroute.config.schema import did_you_mean

            hint = did_you_mean(name, catalog.providers)
            raise ConfigError([Problem(f"providers.{name}", "no such provider", hint)])
        if name not in usable:
            variables = " or ".join(catalog.providers[name].env)
            hint = f"set {variables}" if variables else "set its base_url"
            raise ConfigError([Problem(f"providers.{name}", "this provider is not on", hint)])
    if not usable:
        raise SeekrouteError("no provider is on: export OPENAI_API_KEY, DEEPSEEK_API_KEY, ...")
    results = []
    for answer in ask_providers(settings, catalog, only=provider or None):
        ours = {
            each.model: model.id
            for model in catalog.models
            for each in model.endpoints
            if each.provider == answer.provider and catalog.is_served(each)
        }
        # Some have no list; that says nothing about chat completions.
        state = "ok" if not answer.problem else "no list" if answer.status == 404 else "failed"
        there = set(answer.models)
        results.append(
            {
                "provider": answer.provider,
                "state": state,
                "problem": answer.problem or None,
                "hint": answer.hint or None,
                "listed": len(there),
                "ours": len(ours),
                "gone": [name for name in ours if state == "ok" and name not in there],
                "new": [name for name in answer.models if name not in ours],
            }
        )
    if as_json:
        print_json(results)
    else:
        _print_check(results, catalog, show_new=new)
    if any(each["state"] == "failed" or each["gone"] for each in results):
        raise typer.Exit(1)


def _print_check(results: Sequence[dict[str, Any]], catalog: Catalog, *, show_new: bool) -> None:
    ids = {(e.provider, e.model): m.id for m in catalog.models for e in m.endpoints}
    rows: list[dict[str, Any]] = []
    for each in results:
        name = each["provider"]
        if each["state"] != "ok":
            detail = f"{each['problem']}; {each['hint']}" if each["hint"] else each["problem"]
            rows.append({"provider": name, "finding": each["state"], "detail": detail})
            continue
        here = each["ours"] - len(each["gone"])
        detail = (
            f"{here} of our {each['ours']} are there, and {number_of(len(each['new']), 'other')}"
        )
        rows.append({"provider": name, "finding": "ok", "detail": detail})
        for model in each["gone"]:
            detail = f"{model} ({ids[(name, model)]})"
            rows.append({"provider": name, "finding": "gone", "detail": detail})
        for model in each["new"] if show_new else ():
            rows.append({"provider": name, "finding": "new", "detail": model})
    columns, folded = ("provider", "finding", "detail"), ("provider", "detail")
    print_rows(rows, columns, as_json=False, spare=("detail",), folded=folded)
