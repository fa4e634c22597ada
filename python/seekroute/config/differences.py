"""What a new configuration changes of the one in force, in words for whoever runs the gateway."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from seekroute.config.core_options import QUEUE_OPTIONS, ROUTING_OPTIONS
from seekroute.config.prices import plain
from seekroute.config.settings import LimitSettings, TimeoutSettings
from seekroute.money import usd
from seekroute.plan import Plan
from seekroute.rate_limits import LimitPlan
from seekroute.reloading import Change, Differences

__all__ = ["MOST_CHANGES", "differences"]

MOST_CHANGES: Final = 500
_Row = Mapping[str, Any]

# Of a provider: what is told to have changed, and never shown.
_HIDDEN: Final = {"authorization": "key", "headers": "headers", "keys": "keys", "proxy": "proxy"}
# What is not a figure per million tokens.
_WHOLE_UNITS: Final = frozenset({"per_request", "per_image"})
_MILLION: Final = 6


def differences(before: Plan, after: Plan) -> Differences:
    """What differs, settings that a running server cannot take over apart.

    Args:
        before: the plan in force.
        after: the one that was read.
    """
    found = list(_changes(before, after))
    shown = tuple(found[:MOST_CHANGES])
    return Differences(shown, len(found) - len(shown), tuple(_needs_restart(before, after)))


def _changes(before: Plan, after: Plan) -> Iterator[Change]:
    old, new = before.snapshot, after.snapshot
    yield from _rows("provider", old["providers"], new["providers"], _provider)
    yield from _rows("model", old["models"], new["models"], _model)
    yield from _names(old, new)
    yield from _rows("profile", old["profiles"], new["profiles"], _fields("profile"), key="name")
    yield from _limits(before.limits, after.limits)
    for name, rule in new["routing"].items():
        if old["routing"][name] != rule:
            yield _changed("routing", name, "", old["routing"][name], rule)
    yield from _rows("virtual_model", _virtual_models(old), _virtual_models(new), _virtual_model)
    for kind in new["fallbacks"]:
        was, now = old["fallbacks"][kind], new["fallbacks"][kind]
        for model in _differing(was, now):
            lists = (", ".join(each.get(model, ())) for each in (was, now))
            yield _changed("routing", f"fallbacks.{kind} of {model}", "", *lists)
    yield from _auto(old["auto"], new["auto"])
    if old["default_model"] != new["default_model"]:
        yield _changed("name", "auto", "means", old["default_model"], new["default_model"])
    if old["default_profile"] != new["default_profile"]:
        yield _changed("default", "profile", "", old["default_profile"], new["default_profile"])


def _auto(old: _Row | None, new: _Row | None) -> Iterator[Change]:
    """What `auto` chooses from, and how; of files, that they are others."""
    was, now = old or {}, new or {}
    for name in ("strategy", "cost_weight", "cost_slack", "stay", "learn", "explore"):
        if was.get(name) != now.get(name):
            yield _changed("routing", f"auto.{name}", "", was.get(name), now.get(name))
    shadows = [row.get("shadow", {}) for row in (was, now)]
    if shadows[0].get("share") != shadows[1].get("share"):
        yield _changed("routing", "auto.shadow.share", "", *(each.get("share") for each in shadows))
    bounds = [each.get("nano_per_day") for each in shadows]
    if bounds[0] != bounds[1]:
        told = (None if bound is None else usd(bound) for bound in bounds)
        yield _changed("routing", "auto.shadow.usd_per_day", "", *told)
    lists = [", ".join(each["id"] for each in row.get("models", ())) for row in (was, now)]
    if lists[0] != lists[1]:
        yield _changed("routing", "auto.models", "", *lists)
    elif was.get("models") != now.get("models"):
        yield Change(kind="routing", name="auto.models", change="changed")
    if was.get("weights") != now.get("weights"):
        yield Change(kind="routing", name="auto.weights", change="changed")


def _virtual_models(snapshot: _Row) -> list[_Row]:
    return [{**virtual, "id": name} for name, virtual in snapshot["virtual_models"].items()]


def _virtual_model(name: str, old: _Row, new: _Row) -> Iterator[Change]:
    yield from _fields("virtual_model", without=("candidates",))(name, old, new)
    if old["candidates"] != new["candidates"]:
        yield Change(kind="virtual_model", name=name, change="changed", field="candidates")


def _rows(
    kind: str,
    old: Sequence[_Row],
    new: Sequence[_Row],
    compare: Callable[[str, _Row, _Row], Iterator[Change]],
    *,
    key: str = "id",
) -> Iterator[Change]:
    was, now = ({row[key]: row for row in rows} for rows in (old, new))
    for name in sorted({*was, *now}):
        if name not in now:
            yield Change(kind=kind, name=name, change="removed")
        elif name not in was:
            yield Change(kind=kind, name=name, change="added")
        elif was[name] != now[name]:
            yield from compare(name, was[name], now[name])


def _provider(name: str, old: _Row, new: _Row) -> Iterator[Change]:
    yield from _own_limits(f"of provider {name}", old, new)
    was, now = ({key["id"]: key for key in row.get("keys", ())} for row in (old, new))
    for key in sorted({*was} & {*now}):
        yield from _own_limits(f"of key {key} of {name}", was[key], now[key])
    old, new = (_without_key_limits(row) for row in (old, new))
    for field in _differing(old, new):
        if field in _HIDDEN:
            yield Change(kind="provider", name=name, change="changed", field=_HIDDEN[field])
        elif field != "limits":
            yield _changed("provider", name, field, old.get(field), new.get(field))


def _without_key_limits(row: _Row) -> _Row:
    if "keys" not in row:
        return row
    keys = [{k: v for k, v in key.items() if k != "limits"} for key in row["keys"]]
    return {**row, "keys": keys}


def _model(name: str, old: _Row, new: _Row) -> Iterator[Change]:
    yield from _fields("model", without=("candidates", "excluded"))(name, old, new)
    was, now = (_endpoints(name, row["candidates"]) for row in (old, new))
    yield from _rows("endpoint", was, now, _endpoint, key="_label")


def _endpoints(model: str, candidates: Sequence[_Row]) -> list[_Row]:
    """Endpoints with a label each: by their provider and, where it has several, by what else tells
    them apart, and their number where nothing does."""
    seen: dict[str, int] = {}
    providers = [each["provider"] for each in candidates]
    rows: list[_Row] = []
    for each in candidates:
        label = f"{model} at {each['provider']}"
        if providers.count(each["provider"]) > 1:
            parts = (each.get(name) for name in ("upstream_model", "quantization", "region"))
            label += f" ({', '.join(part for part in parts if part)})"
        seen[label] = seen.get(label, 0) + 1
        if seen[label] > 1:
            label += f" #{seen[label]}"
        rows.append({**each, "_label": label})
    return rows


def _endpoint(label: str, old: _Row, new: _Row) -> Iterator[Change]:
    yield from _fields("endpoint", without=("price", "limits", "_label"))(label, old, new)
    yield from _own_limits(label, old, new)
    if old["price"] != new["price"]:
        yield from _price(label, old["price"], new["price"])


def _own_limits(name: str, old: _Row, new: _Row) -> Iterator[Change]:
    yield from _fields("limit")(name, old.get("limits") or {}, new.get("limits") or {})


def _price(label: str, old: _Row, new: _Row) -> Iterator[Change]:
    was, now = (table["variants"][-1]["rates"] for table in (old, new))
    told: set[tuple[str, str]] = set()
    for unit in now:
        step = (was[unit], now[unit])
        # What falls back on a unit changes with it, and says nothing more.
        if step[0] != step[1] and step not in told:
            told.add(step)
            yield _changed("price", label, unit, *(_shown(unit, rate) for rate in step))
    if old["markup_bps"] != new["markup_bps"]:
        yield _changed("price", label, "markup_bps", old["markup_bps"], new["markup_bps"])
    if _other_rates(old) != _other_rates(new):
        yield Change(kind="price", name=label, change="changed", field="variants or tiers")
    elif not told and old["markup_bps"] == new["markup_bps"]:
        yield _changed("price", label, "revision", old["revision"], new["revision"])


def _other_rates(table: _Row) -> tuple[Any, Any]:
    *others, base = table["variants"]
    return others, base["tiers"]


def _shown(unit: str, rate: str) -> str:
    """A rate in USD, of tokens for a million of them."""
    amount = Decimal(rate)
    return plain(amount if unit in _WHOLE_UNITS else amount.scaleb(_MILLION))


def _names(old: _Row, new: _Row) -> Iterator[Change]:
    # A model brings its names along.
    both = {row["id"] for row in old["models"]} & {row["id"] for row in new["models"]}
    was, now = old["names"], new["names"]
    for name in sorted(set(was) | set(now)):
        if was.get(name) != now.get(name) and {was.get(name), now.get(name)} & both:
            yield _changed("name", name, "means", was.get(name), now.get(name))


def _limits(old: LimitPlan, new: LimitPlan) -> Iterator[Change]:
    compare = _fields("limit")
    for name in ("key", "org"):
        yield from compare(f"of each {name}", getattr(old, name), getattr(new, name))
    for kind in ("profile", "model"):
        was, now = (getattr(plan, f"{kind}s") for plan in (old, new))
        for each in sorted({*was, *now}):
            yield from compare(f"of {kind} {each}", was.get(each, {}), now.get(each, {}))
    yield from compare("of the gateway", old.gateway, new.gateway)


def _fields(
    kind: str, *, without: Sequence[str] = ()
) -> Callable[[str, _Row, _Row], Iterator[Change]]:
    def compare(name: str, old: _Row, new: _Row) -> Iterator[Change]:
        for field in _differing(old, new):
            if field not in without:
                yield _changed(kind, name, field, old.get(field), new.get(field))

    return compare


def _differing(old: _Row, new: _Row) -> list[str]:
    names = list(dict.fromkeys((*old, *new)))
    return [name for name in names if old.get(name) != new.get(name)]


def _changed(kind: str, name: str, field: str, was: Any, now: Any) -> Change:
    values = [None if value is None else _said(value) for value in (was, now)]
    return Change(kind=kind, name=name, change="changed", field=field, was=values[0], now=values[1])


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in ("", [], {}) else str(value)


# --- what only a start can take ------------------------------------------------------------------


def _needs_restart(before: Plan, after: Plan) -> Iterator[str]:
    for each in dataclasses.fields(before.server):
        if getattr(before.server, each.name) != getattr(after.server, each.name):
            yield f"server.{each.name}"
    if before.data_dir != after.data_dir:
        yield "data_dir"
    if before.orphans != after.orphans:
        yield "credits.orphans"
    if before.console is not None:
        if after.console is None:
            yield "console.enabled"
        elif before.console.public_url != after.console.public_url:
            yield "console.public_url"
    old, new = before.options, after.options
    for name in _differing(old, new):
        path = _path_of(name)
        # These follow from others, which are told.
        derived = path == "credits.local_org" or (
            path == "credits.progress_note_ms" and before.orphans != after.orphans
        )
        if not derived:
            yield path


def _path_of(option: str) -> str:
    """The setting that an option of the core is made of."""
    if option in LimitSettings.model_fields:
        return f"limits.{option}"
    if option in TimeoutSettings.model_fields:
        return f"timeouts.{option}"
    for options in (ROUTING_OPTIONS, QUEUE_OPTIONS):
        if option in options:
            return options[option]
    if option == "credits":
        return "credits.enabled"
    for section in ("credits", "limits"):
        option = option.replace(f"{section}_", f"{section}.", 1)
    return option
