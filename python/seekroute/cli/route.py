"""`seekroute route`: where a request would go, without asking anybody."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seekroute.cli.asking import client_of
from seekroute.cli.asking_server import ask_server
from seekroute.cli.shared import JsonOption, MockOption, Shared, print_json, print_rows, say, shared
from seekroute.errors import SeekrouteError

if TYPE_CHECKING:
    from seekroute.client.spend.quotes import Routing

_MOST_BODY = 64 * 1024 * 1024
_MOST_DRAWS = 10_000
_MOST_SEED = (1 << 53) - 1
_WHY_UNREAD: dict[type[OSError], str] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a folder",
    PermissionError: "it may not be read",
}
_SAMPLE = [{"role": "user", "content": "Hello!"}]
# Longer prompts fit no model.
_MOST_FILLER = 8 << 20
# Members that decide by their own values where a request may go.
_ROUTED_BY = (
    *(
        "model",
        "models",
        "provider",
        "route",
        "plugins",
        "n",
        "max_tokens",
        "max_completion_tokens",
    ),
    *("max_cost", "service_tier", "reasoning", "reasoning_effort", "logprobs", "modalities"),
)


def route(
    ctx: typer.Context,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="The model to ask; default: the body's.")
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option(
            "--body",
            help="File with the JSON of a chat completion request, `-` for the standard input; "
            "default: a greeting.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", min=0, max=_MOST_SEED, help="Draw the order by this; default: chance."
        ),
    ] = None,
    simulate: Annotated[
        int,
        typer.Option(
            "--simulate",
            min=0,
            max=_MOST_DRAWS,
            help="Draw the order this many times, and show how often each endpoint comes first.",
        ),
    ] = 0,
    as_key: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="KEY",
            help="Ask the running server what it would do for this key (an id), with its models "
            "and what is known of providers now. Of messages it is told the length alone.",
        ),
    ] = None,
    mock: MockOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where a request would go, and why: without a server, by the one at
    SEEKROUTE_BASE_URL, or with --as by the one of the data directory."""
    fields = _read(body)
    if as_key is not None:
        asked = {"messages": _SAMPLE, **fields}
        asked["model"] = model or asked.get("model", "auto")
        _say_planned(shared(ctx), as_key, asked, (seed, simulate), as_json=as_json)
        return
    messages = fields.pop("messages", _SAMPLE)
    named = fields.pop("model", "auto")
    with client_of(shared(ctx), mock) as client:
        found = client.route(
            messages,
            model=named if model is None else model,
            seed=seed,
            simulate=simulate,
            extra_body=fields or None,
        )
        if as_json:
            print_json(found.to_dict())
        else:
            _say_route(found)


def _say_planned(
    options: Shared, key: str, body: dict[str, Any], drawn: tuple[int | None, int], *, as_json: bool
) -> None:
    """What the server of the data directory would do with a request of a key."""
    from seekroute.client.spend.quotes import Quote

    seed, simulate = drawn
    question = {"key": key, "body": _without_words(body), "seed": seed, "simulate": simulate}
    answer = ask_server(options, "quote", json.dumps(question))
    if answer["status"] != 200:
        raise SeekrouteError(answer["body"]["error"]["message"])
    routing = Quote(answer["body"]).routing
    if as_json:
        print_json(routing.to_dict())
    else:
        _say_route(routing)


def _say_route(routing: Routing) -> None:
    rows = [{name: value or None for name, value in row.items()} for row in routing.rows()]
    columns = list(rows[0]) if rows else []
    spare = ("first_in_draws", "expected_usd")
    print_rows(rows, columns, as_json=False, spare=spare, folded=("model", "status"))
    if choice := routing.choice():
        say(choice, err=True)
    if order := routing.order():
        say(order, err=True)  # beside the lines of a table in a pipe


def _without_words(body: dict[str, Any]) -> dict[str, Any]:
    """What decides the route of a request, and nothing of what it says: the question stands in a
    file, and no prompt may. Messages become one as long as all of them."""
    told = {name: body[name] for name in _ROUTED_BY if name in body}
    length = min(len(json.dumps(body.get("messages"), ensure_ascii=False)), _MOST_FILLER)
    told["messages"] = [{"role": "user", "content": "word " * max(1, length // 5)}]
    if body.get("tools"):
        told["tools"] = [{"type": "function", "function": {"name": "f"}}]
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") == "json_schema":
        told["response_format"] = {"type": "json_schema", "json_schema": {"name": "f"}}
    return told


def _read(body: Path | None) -> dict[str, Any]:
    if body is None:
        return {}
    try:
        stream = sys.stdin.buffer if str(body) == "-" else body.open("rb")
        with stream:
            text = stream.read(_MOST_BODY + 1)
    except OSError as error:
        raise _bad_body(
            body, _WHY_UNREAD.get(type(error)) or error.strerror or str(error)
        ) from None
    if len(text) > _MOST_BODY:
        raise _bad_body(body, "it is larger than 64 MiB")
    try:
        found = json.loads(text)
    except RecursionError:
        raise _bad_body(body, "it is nested too deeply") from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise _bad_body(body, f"it is not JSON: {at}") from None
    except ValueError:
        raise _bad_body(body, "it is not UTF-8") from None
    if not isinstance(found, dict):
        raise _bad_body(body, "expected a JSON object")
    found.pop("stream", None)
    return found


def _bad_body(body: Path, why: str) -> typer.BadParameter:
    name = "the standard input" if str(body) == "-" else body
    return typer.BadParameter(f"{name}: {why}", param_hint="--body")
