"""`seekroute router ratings | refit | versions | rollback | replay`: what `auto` has learned."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from seekroute.cli.router import app, progress
from seekroute.cli.shared import JsonOption, print_json, print_rows, say, shared
from seekroute.errors import SeekrouteError
from seekroute.money import usd

if TYPE_CHECKING:
    from seekroute.cli.shared import Shared
    from seekroute.learning import RatingBook, Version

__all__ = ["app"]

_STEPS = 4  # of a training
_SHOWN = 20
_MOST_SHOWN = 10_000


def _book(options: Shared) -> RatingBook:
    from seekroute.learning import RatingBook

    return RatingBook(options.folder(), make=False)


def _chooser(options: Shared) -> tuple[dict[str, Any], frozenset[str]]:
    """What the configuration chooses by, and the ids of the organizations that it trusts."""
    from seekroute.config import prepare
    from seekroute.control import ControlError

    settings = options.settings()
    plan = prepare(settings, os.environ)
    auto: dict[str, Any] | None = plan.snapshot["auto"]
    if auto is None:
        raise SeekrouteError("the configuration has no routing.auto.models: auto chooses nothing")
    trusted = {""}
    with options.open_control() as control:
        for name in settings.routing.auto.learning.trusted:
            try:
                trusted.add(control.orgs.get(name).id)
            except ControlError:
                continue
    return auto, frozenset(trusted)


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))


def _row(version: Version) -> dict[str, Any]:
    report = version.report
    return {
        "version": version.number,
        "state": version.state,
        "created": _moment(version.created),
        "ratings": version.ratings,
        "loss": report.get("loss"),
        "against": report.get("loss_in_force"),
        "models": ", ".join(version.models),
    }


@app.command("ratings")
def ratings(
    ctx: typer.Context,
    most: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=_MOST_SHOWN, help="Rows at most.")
    ] = _SHOWN,
    as_json: JsonOption = False,
) -> None:
    """List the last ratings of answers of `auto`, the latest first."""
    with _book(shared(ctx)) as book:
        kept, given = book.counts()
        rows = [
            {
                "given": _moment(each.given / 1000),
                "generation": each.generation,
                "model": each.model,
                "source": each.source,
                "org": each.org or "operator",
                "score": each.score,
                "category": each.category,
                "comment": each.comment,
            }
            for each in book.last(most)
        ]
    if as_json:
        print_json(rows)
        return
    names = ("given", "generation", "model", "source", "score", "category", "comment")
    print_rows(rows, names, as_json=False, folded=("comment",))
    say(f"{given} ratings; {kept} requests are kept to be rated or learned from")


@app.command("refit")
def refit(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Learn from all ratings, and put the weights in force unless they are worse.

    A server that runs takes them over within seconds. It does this by itself, too.
    """
    options = shared(ctx)
    settings, trusted = _chooser(options)
    try:
        from seekroute.learning.refit import refit as run
    except ImportError as error:
        raise SeekrouteError(str(error)) from None
    with _book(options) as book, progress(_STEPS, "learning") as step:
        found = run(book, settings, trusted, step=step)
    if as_json:
        print_json(_row(found.version))
        return
    verdict = (
        "in force"
        if found.version.state == "in_force"
        else "refused: they are worse than what is in force"
    )
    say(
        f"version {found.version.number}: {verdict}. Learned from {found.learned} prompts; loss on "
        f"{found.aside} ratings kept aside: {found.loss:.4f}, of what was in force "
        f"{found.loss_in_force:.4f}"
    )


@app.command("versions")
def versions(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """List the versions of the learned weights, the latest first."""
    with _book(shared(ctx)) as book:
        rows = [_row(each) for each in book.versions()]
    names = ("version", "state", "created", "ratings", "loss", "against", "models")
    print_rows(rows, names, as_json=as_json, folded=("models",))
    if not rows and not as_json:
        say("no weights have been learned yet: seekroute router refit makes some of the ratings")


@app.command("rollback")
def rollback(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Take the learned weights out of force, and put those before them in.

    A server that runs takes that over within seconds.
    """
    with _book(shared(ctx)) as book:
        was, now = book.roll_back()
    if as_json:
        print_json({"rolled_back": was.number, "in_force": now.number if now else None})
        return
    weights = f"version {now.number} is" if now else "those of the configuration are"
    after = f"{weights} in force"
    say(f"version {was.number} is taken back; {after}")


@app.command("replay")
def replay(
    ctx: typer.Context,
    policies: Annotated[
        str, typer.Option("--policies", help="Strategies to compare, separated by commas.")
    ] = "cost,balanced,quality,latency",
    weights: Annotated[
        Path | None,
        typer.Option("--weights", "-w", help="A file of weights, in the place of those in force."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate what other strategies, or other weights, would have cost and scored.

    From the rated requests of `auto` for which they choose what was chosen, weighted by the chance
    that it had: without `learning.explore` only what was done can be told.
    """
    from seekroute.config.routing_schema import AutoStrategy
    from seekroute.learning import settings_with_weights
    from seekroute.learning.judging import word_vectors
    from seekroute.learning.replay import replay as run
    from seekroute.weights_file import read_bounded

    strategies = get_args(AutoStrategy)
    asked = [name.strip() for name in policies.split(",") if name.strip()]
    if not asked or not set(asked) <= set(strategies):
        raise typer.BadParameter(f"--policies takes some of {', '.join(strategies)}")
    options = shared(ctx)
    settings, _ = _chooser(options)
    with _book(options) as book:
        if weights is None:
            settings = settings_with_weights(settings, book)
        else:
            settings = {**settings, "weights": read_bounded(weights), "vectors": word_vectors()}
        try:
            found = run(book, settings, asked)
        except ValueError as error:
            raise SeekrouteError(str(error)) from None
    rows = [
        {
            "policy": each.policy,
            "requests": each.requests,
            "agreed": each.agreed,
            "effective": round(each.effective, 1),
            "usd_per_1000": usd(round(each.cost_pico)),  # as many nano-USD as pico-USD of one
            "score": None if each.score != each.score else round(each.score, 4),
            "within": None if each.within != each.within else round(each.within, 4),
        }
        for each in found
    ]
    print_rows(rows, tuple(rows[0]), as_json=as_json)
    if not as_json:
        say("score is expected within the interval 19 times of 20; more requests narrow it")
