"""`seekroute keys`: API keys. They work, or stop working, within a second in a running server."""

from __future__ import annotations

import enum
import os
import shlex
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli.limits import limits_app, shown_limits
from seekroute.cli.money import limit_of, shown_limit
from seekroute.cli.shared import (
    Fields,
    JsonOption,
    Shared,
    moment,
    parse_expiry,
    print_json,
    print_row,
    print_rows,
    say,
    shared,
)

if TYPE_CHECKING:
    from seekroute.config import ProfileFile, Settings
    from seekroute.control import ControlPlane
    from seekroute.control.models import ApiKey, Organization

app = typer.Typer(no_args_is_help=True, help="API keys.")

_LISTED = (
    *("id", "name", "org", "status", "limit", "used"),
    *("models", "label", "profile", "expires_at", "auto_strategy"),
)
# What a narrow terminal does without.
_SPARE = ("profile", "label", "auto_strategy", "expires_at", "org", "models", "limit", "used", "id")
_FOLDED = ("name", "org", "models", "label", "profile")
_LEAST_FOLDED = 10
_SPANS = {"daily": "day", "weekly": "week", "monthly": "month"}
_MAX_KEY = 512  # characters read from the standard input


class Reset(enum.StrEnum):
    """When a limit starts anew."""

    NEVER = "never"
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class AutoStrategy(enum.StrEnum):
    """How requests for `auto` choose their model; none: as the settings say."""

    BALANCED = "balanced"
    COST = "cost"
    LATENCY = "latency"
    QUALITY = "quality"
    NONE = "none"

    @property
    def own(self) -> str | None:
        """That of the key itself."""
        return None if self is AutoStrategy.NONE else self.value


def _key_or_stdin(value: str) -> str:
    return sys.stdin.readline(_MAX_KEY).strip() if value == "-" else value


_Key = Annotated[
    str,
    typer.Argument(
        metavar="KEY",
        callback=_key_or_stdin,
        help="Its id, the beginning of that, or its name; or - to read one of them, or the key "
        "itself, from the standard input.",
    ),
]


@app.command()
def create(
    ctx: typer.Context,
    org: Annotated[str, typer.Option("--org", help="Id or name of its organization.")],
    name: Annotated[str, typer.Option("--name", help="What it is for.")] = "key",
    profile: Annotated[
        str | None,
        typer.Option("--profile", help="The profile it works with.", show_default="the gateway's"),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option("--expires", help="When it ends: 12h, 30d, 1y, 2027-01-31. Default: never."),
    ] = None,
    models: Annotated[
        str | None,
        typer.Option("--models", help="Model ids and author/* patterns, by commas. Default: all."),
    ] = None,
    app_: Annotated[
        str | None, typer.Option("--app", help="Id or name of the app it belongs to.")
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option("--limit", help="The most it may spend, in USD. Default: no limit."),
    ] = None,
    limit_reset: Annotated[
        Reset, typer.Option("--limit-reset", help="When the limit resets (UTC).")
    ] = Reset.NEVER,
    store_answers: Annotated[
        bool,
        typer.Option("--store-answers", help="Keep answers for repeats of an Idempotency-Key."),
    ] = False,
    auto_strategy: Annotated[
        AutoStrategy,
        typer.Option(
            "--auto-strategy",
            help="How its requests for auto choose a model, where they do not say it; "
            "none: as routing.auto.strategy says.",
        ),
    ] = AutoStrategy.NONE,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, this once."""
    limit_nano = None if limit is None else limit_of(limit, "--limit")
    if limit_nano is None and limit_reset is not Reset.NEVER:
        raise typer.BadParameter("--limit-reset needs --limit", param_hint="--limit-reset")
    expires_at = None if expires is None else parse_expiry(expires)
    allowed = None if models is None else [model.strip() for model in models.split(",")]
    options = shared(ctx)
    with options.open_control() as control:
        settings = options.settings(profile=control.told_profile())
        chosen = _profile(settings, profile)
        if allowed is not None:
            _known_patterns(settings, allowed)
        row, text = control.keys.create(
            org,
            name=name,
            profile=chosen.name,
            prefix=chosen.key_prefix,
            expires_at=expires_at,
            models=allowed,
            app=app_,
            limit_nano=limit_nano,
            limit_reset=limit_reset.value,
            store_answers=store_answers,
            auto_strategy=auto_strategy.own,
        )
        _show_once(control, row, text, as_json=as_json)
        if settings.credits.enabled:
            _hint_at_credit(options, control.orgs.get(row.org_id))


@app.command("list")
def list_(
    ctx: typer.Context,
    org: Annotated[str | None, typer.Option("--org", help="Only of this organization.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys, revoked ones too."""
    with shared(ctx).open_control() as control:
        names = {row.id: row.name for row in control.orgs.list()}
        used = _used(shared(ctx))
        said = control.limits.all("key")
        rows = [
            {
                **_fields(row, names.get(row.org_id, row.org_id)),
                "rate_limits": said.get(row.id, {}),
                "used": used.get(row.id),
            }
            for row in control.keys.list(org)
        ]
    if not as_json:  # a word in every line, to say nothing
        rows = [{**row, "limit": _limit_in_time(row)} for row in rows]
    print_rows(
        rows, _LISTED, as_json=as_json, spare=_SPARE, folded=_FOLDED, least_folded=_LEAST_FOLDED
    )


def _limit_in_time(row: Fields) -> str | None:
    """A limit as lists show it: `5.00` in all, `5.00/day` where it resets."""
    if row["limit_nano"] is None:
        return None
    span = _SPANS.get(row["limit_reset"], "")
    return f"{row['limit']}/{span}" if span else str(row["limit"])


@app.command()
def show(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Show what is known about a key."""
    with shared(ctx).open_control() as control:
        _show(control, control.keys.get(key), as_json=as_json)


@app.command()
def disable(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Turn a key away (403) until it is enabled."""
    with shared(ctx).open_control() as control:
        _show(control, control.keys.disable(key), as_json=as_json)


@app.command()
def enable(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Let a disabled key work again."""
    with shared(ctx).open_control() as control:
        _show(control, control.keys.enable(key), as_json=as_json)


@app.command()
def revoke(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Revoke a key permanently (401)."""
    with shared(ctx).open_control() as control:
        _show(control, control.keys.revoke(key), as_json=as_json)


@app.command()
def roll(ctx: typer.Context, key: _Key, as_json: JsonOption = False) -> None:
    """Replace a key: the old one ends, the new one has its id and rights and is shown only once."""
    with shared(ctx).open_control() as control:
        row, text = control.keys.roll(key)
        _show_once(control, row, text, as_json=as_json)


@app.command("limit")
def limit_(
    ctx: typer.Context,
    key: _Key,
    usd: Annotated[str, typer.Argument(metavar="USD", help="The most it may spend; or none.")],
    reset: Annotated[
        Reset | None,
        typer.Option("--reset", help="When the limit resets (UTC); default: as it was."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Limit what a key may spend; a running server follows within a second."""
    limit = limit_of(usd)
    if limit is None and reset not in (None, Reset.NEVER):
        raise typer.BadParameter("--reset needs a limit", param_hint="--reset")
    with shared(ctx).open_control() as control:
        row = control.keys.set_limit(key, limit, reset=None if reset is None else reset.value)
        _show(control, row, as_json=as_json)


@app.command("store-answers")
def store_answers_(
    ctx: typer.Context,
    key: _Key,
    on: Annotated[bool, typer.Option("--on/--off", help="Whether they are kept.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Keep a key's answers for repeats of an Idempotency-Key, or no longer."""
    with shared(ctx).open_control() as control:
        _show(control, control.keys.set_store_answers(key, on), as_json=as_json)


@app.command("auto-strategy")
def auto_strategy_(
    ctx: typer.Context,
    key: _Key,
    strategy: Annotated[
        AutoStrategy,
        typer.Argument(metavar="STRATEGY", help="balanced, cost, latency, quality; or none."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Say how a key's requests for auto choose a model; none: as routing.auto.strategy says."""
    with shared(ctx).open_control() as control:
        _show(control, control.keys.set_auto_strategy(key, strategy.own), as_json=as_json)


def _limited(_options: Shared, control: ControlPlane, key: str) -> tuple[str, str, str]:
    row = control.keys.get(_key_or_stdin(key))
    return row.id, row.name, row.profile


app.add_typer(limits_app("key", "a key", "KEY", _limited), name="limits")


def _used(options: Shared) -> dict[str, str]:
    """What each key has been charged in all, in USD, by its id. Empty without a ledger."""
    from seekroute.ledger import FILE_NAME, Ledger, LedgerError
    from seekroute.money import usd

    path = options.folder() / FILE_NAME
    used: dict[str, int] = {}
    try:
        if os.path.exists(path):
            with Ledger(path, read_only=True) as ledger:
                used = ledger.key_charges()
    except LedgerError as error:
        say(f"what keys have used cannot be read: {error}", err=True)
    return {key: usd(amount) for key, amount in used.items()}


def _known_patterns(settings: Settings, given: list[str]) -> None:
    """Refuses ids and patterns that no model of the catalog has: such a key could use nothing."""
    from seekroute.api.models import is_allowed
    from seekroute.config import catalog_of
    from seekroute.config.schema import did_you_mean

    catalog = catalog_of(settings)
    ids = [model.id for model in catalog.models]
    for entry in given:
        if any(is_allowed(each, [entry]) for each in ids):
            continue
        named = catalog.resolve(entry)
        near = (
            f"did you mean {named.id!r}?"
            if named
            else did_you_mean(entry, [*ids, *{f"{each.partition('/')[0]}/*" for each in ids}])
        )
        raise typer.BadParameter(
            f"no model of the catalog is {entry!r}: {near or 'see seekroute models list'}",
            param_hint="--models",
        )


def _hint_at_credit(options: Shared, org: Organization) -> None:
    """Says that requests would get 402, where they would."""
    from seekroute.ledger import FILE_NAME, Ledger, LedgerError

    if org.credit_line_nano != 0:
        return
    path = options.folder() / FILE_NAME
    try:
        if os.path.exists(path):
            with Ledger(path, read_only=True) as ledger:
                balance = ledger.balance(org.id)
            if balance.available > 0:
                return
    except LedgerError as error:  # the key is made: it must not look as if it were not
        say(f"whether {org.name} has credit cannot be read: {error}", err=True)
        return
    say(f"{org.name} has no credit yet: seekroute credits add {shlex.quote(org.name)} 10", err=True)


def _profile(settings: Settings, name: str | None) -> ProfileFile:
    """One of the profiles that the gateway speaks; by default its first."""
    from seekroute.config import profiles_of

    profiles = profiles_of(settings)
    for profile in profiles:
        if name in (None, profile.name):
            return profile
    known = ", ".join(profile.name for profile in profiles)
    raise typer.BadParameter(f"no profile {name!r}: choose one of {known}", param_hint="--profile")


def _warn_of_refusal(control: ControlPlane, row: ApiKey) -> None:
    """Says that requests would get 403, where they would, for another reason than the key's own."""
    if row.revoked:
        return
    org = control.orgs.get(row.org_id)
    if org.suspended:
        name = shlex.quote(org.name)
        say(f"{org.name} is suspended: its keys get 403; seekroute orgs resume {name}", err=True)
    for app_ in control.apps.list(org.id) if row.app_id else ():
        if app_.id == row.app_id and app_.status != "approved":
            say(
                f"the app {app_.name} is {app_.status}: its keys get 403; "
                f"seekroute apps approve {shlex.quote(app_.name)}",
                err=True,
            )


def _show(control: ControlPlane, row: ApiKey, *, as_json: bool) -> None:
    fields = dict(_fields(row, control.orgs.get(row.org_id).name))
    said = control.limits.get("key", row.id)
    fields["rate_limits"] = said if as_json else shown_limits(said) or None
    of_models = control.limits.for_models(row.id)
    if as_json and of_models:
        fields["model_rate_limits"] = of_models
    if not as_json:
        for model, own in of_models.items():
            fields[f"rate_limits of {model}"] = shown_limits(own)
        del fields["limit_nano"]
    print_row(fields, as_json=as_json)
    _warn_of_refusal(control, row)


def _show_once(control: ControlPlane, row: ApiKey, text: str, *, as_json: bool) -> None:
    if as_json:
        fields = _fields(row, control.orgs.get(row.org_id).name)
        print_json({**fields, "rate_limits": control.limits.get("key", row.id), "key": text})
        _warn_of_refusal(control, row)
        return
    # Only the key goes to the standard output: KEY=$(seekroute keys create ...) works.
    say(text)
    say(
        f"Copy the key now: it is shown only once and is not stored. Its id is {row.id}.",
        err=True,
    )
    _warn_of_refusal(control, row)


def _fields(row: ApiKey, org: str) -> Fields:
    if row.revoked:
        status = "revoked"
    elif row.expires_at is not None and row.expires_at <= time.time():
        status = "expired"
    else:
        status = "disabled" if row.disabled else "active"
    return {
        "id": row.id,
        "name": row.name,
        "label": row.label,
        "org": org,
        "org_id": row.org_id,
        "app_id": row.app_id,
        "profile": row.profile,
        "status": status,
        "models": row.models,
        "created_at": moment(row.created_at),
        "expires_at": moment(row.expires_at),
        "disabled_at": moment(row.disabled_at),
        "revoked_at": moment(row.revoked_at),
        "limit": shown_limit(row.limit_nano),
        "limit_nano": row.limit_nano,
        "limit_reset": row.limit_reset,
        "store_answers": row.store_answers,
        "auto_strategy": row.auto_strategy,
    }
