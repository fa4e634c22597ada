"""`limits show` and `limits set`, of keys, organizations, apps, models and the gateway."""

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from seekroute.cli.shared import JsonOption, Shared, print_json, print_rows, say, shared
from seekroute.errors import SeekrouteError
from seekroute.rate_limits import LIMIT_NAMES, Limits, effective, names_of, source_of

if TYPE_CHECKING:
    from seekroute.control import ControlPlane

# Options of `limits set`, and what they set.
_OPTIONS: Final = {
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "rpd": "requests_per_day",
    "tpd": "tokens_per_day",
    "concurrent": "concurrent",
    "burst": "burst_requests",
    "burst_tokens": "burst_tokens",
    "queue_ms": "queue_ms",
    "queue_weight": "queue_weight",
    "hedge": "hedge",
}
_SWITCH: Final = {True: "on", False: "off"}
_OWN: Final = "own"
# Whose use of a day the ledger knows.
_IN_LEDGER: Final = ("key", "org", "app")
_DAY_S: Final = 86_400
# The id, the name and, of keys, the profile of what is limited.
_Found = tuple[str, str, str]

_Rpm = Annotated[
    str | None, typer.Option("--rpm", help="Requests a minute; `none` removes the limit.")
]
_Tpm = Annotated[
    str | None, typer.Option("--tpm", help="Tokens a minute; `none` removes the limit.")
]
_Rpd = Annotated[
    str | None, typer.Option("--rpd", help="Requests a day (UTC); `none` removes the limit.")
]
_Tpd = Annotated[
    str | None, typer.Option("--tpd", help="Tokens a day (UTC); `none` removes the limit.")
]
_Concurrent = Annotated[
    str | None, typer.Option(help="Requests at once; `none` removes the limit.")
]
_Burst = Annotated[
    str | None,
    typer.Option("--burst", help="Most requests in one instant; or none: those of a minute."),
]
_BurstTokens = Annotated[
    str | None,
    typer.Option("--burst-tokens", help="Most tokens in one instant; or none: those of a minute."),
]


def limits_app(
    scope: str, kind: str, metavar: str, find: Callable[[Shared, "ControlPlane", str], _Found]
) -> typer.Typer:
    """The commands of one kind.

    Args:
        scope: as control.db calls it.
        kind: what it is, in words.
        metavar: of the argument.
        find: gives the id, the name and, of keys, the profile of what is named.
    """
    app = typer.Typer(no_args_is_help=True, help=f"Limits of requests and tokens of {kind}.")
    which = Annotated[str, typer.Argument(metavar=metavar, help="Id or name.")]
    for_model = Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Of a key, for this model alone, beside its own.",
            hidden=scope != "key",
        ),
    ]

    def option(name: str, text: str, metavar: str | None = None) -> Any:
        # What would always be refused is not offered.
        hidden = name.replace("-", "_") not in names_of(scope)
        return typer.Option(f"--{name}", help=text, metavar=metavar, hidden=hidden)

    for_queue_ms = Annotated[
        str | None,
        option(
            "queue-ms",
            "How long a request waits for room in its limits, in milliseconds; or none: as the "
            "configuration says.",
        ),
    ]
    for_queue_weight = Annotated[
        str | None,
        option("queue-weight", "Turns beside those of one that waits for the same; or none: 1."),
    ]
    for_hedge = Annotated[
        str | None,
        option(
            "hedge",
            "Whether a slow stream is asked for at a second provider, too; or none: as the "
            "configuration says.",
            "on|off|none",
        ),
    ]

    def show(
        ctx: typer.Context, one: which, model: for_model = None, as_json: JsonOption = False
    ) -> None:
        options = shared(ctx)
        with options.open_control() as control:
            of_model = _model(options, control, model)[0] if model is not None else ""
            found = find(options, control, one)
            _show(options, control, scope, found, model=of_model, as_json=as_json)

    def set_(
        ctx: typer.Context,
        one: which,
        rpm: _Rpm = None,
        tpm: _Tpm = None,
        rpd: _Rpd = None,
        tpd: _Tpd = None,
        concurrent: _Concurrent = None,
        burst: _Burst = None,
        burst_tokens: _BurstTokens = None,
        queue_ms: for_queue_ms = None,
        queue_weight: for_queue_weight = None,
        hedge: for_hedge = None,
        model: for_model = None,
        as_json: JsonOption = False,
    ) -> None:
        limits = (rpm, tpm, rpd, tpd, concurrent, burst, burst_tokens)
        given = (*limits, queue_ms, queue_weight, hedge)
        _set(
            ctx,
            scope,
            lambda control: find(shared(ctx), control, one),
            given,
            model=model,
            as_json=as_json,
        )

    used = " What was used today is the ledger's figure: requests that run are not in it."
    shows = "Show the limits that were set, and those in force."
    app.command("show", help=shows + used * (scope in _IN_LEDGER))(show)
    app.command(
        "set",
        help="Set limits; a running server follows within a second. 0 lets nothing pass, and none "
        "takes a limit back.",
    )(set_)
    return app


def _model(options: Shared, _control: "ControlPlane", name: str) -> _Found:
    from seekroute.config import catalog_of
    from seekroute.config.schema import did_you_mean

    settings = options.settings()
    catalog = catalog_of(settings)
    model = catalog.resolve(name)
    if model is None and (virtual := settings.virtual_models.get(name)):
        members = ", ".join(dict.fromkeys(each.model for each in virtual.candidates))
        raise SeekrouteError(f"{name} is a virtual model: limit its models instead: {members}")
    if model is None:
        near = did_you_mean(name, [each.id for each in catalog.models])
        raise SeekrouteError(f"no model of the catalog is {name!r}: {near or 'see models list'}")
    return model.id, model.id, ""


models = limits_app("model", "a model, whoever sends them", "MODEL", _model)

gateway = typer.Typer(
    no_args_is_help=True,
    help="Limits of all requests of the gateway together; and a list of all limits.",
)


def _whole(_control: "ControlPlane") -> _Found:
    return "", "gateway", ""


@gateway.command("show")
def show_gateway(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show the limits that were set, and those in force."""
    with shared(ctx).open_control() as control:
        _show(shared(ctx), control, "gateway", _whole(control), as_json=as_json)


@gateway.command("list")
def list_limits(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Show the limits in force of the gateway, its models, its providers with their keys and
    endpoints, and those of each key and organization that nothing else is said of."""
    from seekroute.config import catalog_of, limit_plan, profiles_of

    options = shared(ctx)
    with options.open_control() as control:
        settings = options.settings(profile=control.told_profile())
        own, of_models = control.limits.get("gateway"), control.limits.all("model")
    catalog = catalog_of(settings)
    plan = limit_plan(settings, profiles_of(settings), catalog)
    rows: list[dict[str, Any]] = []

    def add(scope: str, name: str, said: Mapping[str, Limits]) -> None:
        limits = effective(*said.values())
        if limits:
            words = ", ".join(who for who, values in said.items() if values)
            rows.append({"scope": scope, "name": name, "limits": limits, "from": words})

    add("gateway", "", {_OWN: own, "limits.gateway": plan.gateway})
    add("each key", "", {"limits.defaults.key": plan.key})
    for name, limits in plan.profiles.items():
        add("each key", name, {f"profile {name}": limits})
    add("each organization", "", {"limits.defaults.org": plan.org})
    for name in sorted({*plan.models, *of_models}):
        add("model", name, {_OWN: of_models.get(name, {}), "catalog": plan.models.get(name, {})})
    for name, provider in settings.providers.items():
        add("provider", name, {"providers": provider.limits.said()})
        for key in provider.keys:
            add("provider_key", f"{name}#{key.id}", {"providers": key.limits.said()})
    for model in catalog.models:
        for endpoint in model.endpoints:
            name = f"{endpoint.provider}/{endpoint.model}"
            add("endpoint", name, {f"model {model.id}": endpoint.limits.said()})
    if as_json:
        print_json(rows)
        return
    cells = [{**row, "limits": shown_limits(row["limits"])} for row in rows]
    print_rows(cells, ("scope", "name", "limits", "from"), as_json=False)


@gateway.command("set")
def set_gateway(
    ctx: typer.Context,
    rpm: _Rpm = None,
    tpm: _Tpm = None,
    rpd: _Rpd = None,
    tpd: _Tpd = None,
    concurrent: _Concurrent = None,
    burst: _Burst = None,
    burst_tokens: _BurstTokens = None,
    as_json: JsonOption = False,
) -> None:
    """Set limits; a running server follows within a second. 0 lets nothing pass, and none takes a
    limit back."""
    given = (rpm, tpm, rpd, tpd, concurrent, burst, burst_tokens)
    _set(ctx, "gateway", _whole, given, as_json=as_json)


def shown_limits(said: Mapping[str, int]) -> list[str]:
    """Limits as one cell of a table shows them."""
    return [f"{name} {_shown(value)}" for name, value in said.items()]


def _shown(value: int | None) -> str | int | None:
    return _SWITCH[value] if isinstance(value, bool) else value


def _set(
    ctx: typer.Context,
    scope: str,
    find: Callable[["ControlPlane"], _Found],
    given: tuple[str | None, ...],
    *,
    model: str | None = None,
    as_json: bool,
) -> None:
    values = {
        name: _limit_of(text, f"--{option.replace('_', '-')}")
        for (option, name), text in zip(_OPTIONS.items(), given, strict=False)
        if text is not None
    }
    if not values:
        raise typer.BadParameter("give at least one limit: --help lists them")
    with shared(ctx).open_control() as control:
        of_model = _model(shared(ctx), control, model)[0] if model is not None else ""
        found = find(control)
        try:
            control.limits.set(scope, found[0], values, model=of_model)
        except SeekrouteError as error:
            raise SeekrouteError(_by_options(str(error))) from error
        _show(shared(ctx), control, scope, found, model=of_model, as_json=as_json)


def _by_options(text: str) -> str:
    """A text with the options in the place of the limits that they set."""
    options = {name: f"--{option.replace('_', '-')}" for option, name in _OPTIONS.items()}
    return re.sub(r"\w+", lambda word: options.get(word.group(), word.group()), text)


def _limit_of(text: str, option: str) -> int | None:
    if text.lower() == "none":
        return None
    if option == "--hedge":
        for switch, word in _SWITCH.items():
            if text.lower() == word:
                return switch
        raise typer.BadParameter(f"expected on, off or none, found {text!r}", param_hint=option)
    if not text.isascii() or not text.isdigit():
        raise typer.BadParameter(
            f"expected a whole number, or none, found {text!r}", param_hint=option
        )
    return int(text)


def _show(
    options: Shared,
    control: "ControlPlane",
    scope: str,
    found: _Found,
    *,
    model: str = "",
    as_json: bool,
) -> None:
    id, name, profile = found
    own = control.limits.get(scope, id, model=model)
    said: dict[str, Mapping[str, int]] = {_OWN: own}
    if not model:
        said |= _configured(options, control, scope, id, profile)
    used = _used_today(options, control, scope, id, model)
    rows: list[dict[str, Any]] = []
    for limit in LIMIT_NAMES if model else names_of(scope):
        holds = source_of(limit, said)
        rows.append(
            {
                "limit": limit,
                "set": own.get(limit),
                "in_force": holds and holds[0],
                "from": holds and holds[1],
                "used_today": used.get(limit),
            }
        )
    models = control.limits.for_models(id) if scope == "key" and not model else {}
    if as_json:
        told: dict[str, Any] = {"id": id or None, "name": name, "limits": rows}
        if scope == "key":
            told |= {"model": model} if model else {"models": models}
        print_json(told)
        return
    for row in rows:
        row |= {"set": _shown(row["set"]), "in_force": _shown(row["in_force"])}
    columns = ("limit", "set", "in_force", "from")
    print_rows(rows, (*columns, "used_today") if used else columns, as_json=False)
    if models:
        print_rows(
            [{"model": each, "limits": shown_limits(said)} for each, said in models.items()],
            ("model", "limits"),
            as_json=False,
        )


def _used_today(
    options: Shared, control: "ControlPlane", scope: str, id: str, model: str
) -> dict[str, int]:
    """What the ledger has of this day in UTC, by the limits of a day; empty where there is none."""
    from seekroute.ledger import FILE_NAME, LedgerError

    if scope not in _IN_LEDGER or not (options.folder() / FILE_NAME).exists():
        return {}
    keys: frozenset[str] = frozenset()
    if scope == "key":
        org = control.keys.get(id).org_id
    elif scope == "app":
        org, keys = control.apps.get(id).org_id, frozenset(control.apps.keys(id))
    else:
        org = id
    used = {"requests_per_day": 0, "tokens_per_day": 0}
    try:
        with options.open_ledger() as ledger:
            rows = ledger.day_rows(
                org,
                int(time.time()) // _DAY_S,
                key=id if scope == "key" else "",
                by_key=scope == "app",
            )
            for row in rows:
                if (scope == "app" and row["key"] not in keys) or model not in ("", row["model"]):
                    continue
                used["requests_per_day"] += row["requests"]
                used["tokens_per_day"] += row["prompt_tokens"] + row["completion_tokens"]
    except LedgerError as error:
        say(f"what was used today cannot be read: {error}", err=True)
        return {}
    return used


def _patience(queue_ms: int | None) -> Mapping[str, int]:
    """How long requests wait, of those who say nothing else with it."""
    return {} if queue_ms is None else {"queue_ms": queue_ms}


def _configured(
    options: Shared, control: "ControlPlane", scope: str, id: str, profile: str
) -> dict[str, Mapping[str, int]]:
    """What others say of one, by who says it, the most specific first: the configuration, and its
    organization of how long the requests of a key wait."""
    from seekroute.config import catalog_of, limit_plan, profiles_of

    if scope == "app":
        return {}
    settings = options.settings(profile=control.told_profile())
    plan = limit_plan(settings, profiles_of(settings), catalog_of(settings))
    if scope == "key":
        own = plan.profiles.get(profile, {})
        org = control.orgs.get(control.keys.get(id).org_id)
        of_org = control.limits.get("org", org.id)
        return {
            f"profile {profile}": own,
            "limits.defaults.key": plan.key,
            f"organization {org.name}": _patience(of_org.get("queue_ms")),
            "limits.queue_ms": _patience(settings.limits.queue_ms),
        }
    if scope == "org":
        return {
            "limits.defaults.org": plan.org,
            "limits.queue_ms": _patience(settings.limits.queue_ms),
        }
    if scope == "model":
        return {"catalog": plan.models.get(id, {})}
    return {"limits.gateway": plan.gateway}
