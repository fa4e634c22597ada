"""`seekroute serve`, `mock` and `ask`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from seekroute.cli.asking import client_of
from seekroute.cli.shared import JsonOption, MockOption, print_json, say, shared
from seekroute.errors import SeekrouteError

# Whether this is the process' own program, which may start afresh; not so in tests.
is_program = False
_MAX_INPUT = 20 * 1024 * 1024  # characters; the gateway takes no more bytes in a body


def serve(
    ctx: typer.Context,
    data_dir: Annotated[
        Path | None, typer.Option(readable=False, help="Where keys and records are kept.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="The configuration file.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="Name of a profile, or a profile file: of callers without a key, and of the keys "
            "that are made until a server starts without this option."
        ),
    ] = None,
    mock: Annotated[
        str | None,
        typer.Option(
            help="The built-in mock provider: on (no provider is asked), beside (for models that "
            "no provider serves), off, or auto (on while no provider has a key)."
        ),
    ] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="pretty or json.")] = None,
    new_ledger: Annotated[
        bool,
        typer.Option("--new-ledger", help="Once: ledger.db is lost; begin a new, empty one."),
    ] = False,
    new_control: Annotated[
        bool,
        typer.Option(
            "--new-control", help="Once: control.db, or a part of it, is lost; go on without."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As --log-format json.")] = False,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C. Options left out come from the configuration."""
    run: Callable[..., int]
    if is_program:
        from seekroute.server import serve_program as run
    else:
        from seekroute.server import serve as run
    options = shared(ctx)
    raise typer.Exit(
        run(
            config=config or options.config,
            data_dir=data_dir or options.data_dir,
            host=host,
            port=port,
            profile=profile,
            mock=mock,
            log_level=log_level,
            log_format="json" if as_json else log_format,
            new_ledger=new_ledger,
            new_control=new_control,
        )
    )


def mock(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")
    ] = 8001,
    as_json: JsonOption = False,
) -> None:
    """Run the mock provider, an OpenAI-compatible upstream for tests."""
    from seekroute.testing import MockProvider, run_mock

    def started(provider: MockProvider) -> None:
        if as_json:
            print_json({"base_url": provider.base_url})
        else:
            say(f"listening on {provider.base_url}")

    try:
        run_mock(host, port, on_start=started)
    except OSError as error:
        raise SeekrouteError(f"cannot listen on {host}:{port}: {error.strerror}") from error


def ask(
    ctx: typer.Context,
    prompt: Annotated[
        str | None, typer.Argument(help="The question; text piped in is put after it.")
    ] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="The model to ask.")] = "auto",
    system: Annotated[
        str | None, typer.Option("--system", "-s", help="The system message.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream/--no-stream", help="Show the answer while it arrives.")
    ] = True,
    mock: MockOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a model and show its answer: without a server, or by the one at SEEKROUTE_BASE_URL."""
    question = "\n\n".join(part for part in (prompt, _piped()) if part)
    if not question:
        raise typer.BadParameter("give a question, or pipe one in", param_hint="PROMPT")
    messages = [{"role": "user", "content": question}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})

    with client_of(shared(ctx), mock) as client:
        create = client.chat.completions.create
        if stream and not as_json:
            _show(_deltas(create(model=model, messages=messages, stream=True)))
            return
        answer = create(model=model, messages=messages, stream=False)
        if as_json:
            cost = None if answer.cost is None else f"{answer.cost:f}"
            told = {"text": answer.text, "provider": answer.provider, "cost": cost}
            print_json({**told, "answer": answer.to_dict()})
        else:
            _show([answer.text])


def _piped() -> str:
    if sys.stdin.isatty():
        return ""
    text = sys.stdin.read(_MAX_INPUT + 1)
    if len(text) > _MAX_INPUT:
        raise typer.BadParameter(f"more than {_MAX_INPUT} characters were piped in")
    return text.strip()


def _deltas(chunks: Iterable[Any]) -> Iterator[str]:
    for chunk in chunks:
        if chunk.choices:
            yield chunk.choices[0].delta.content or ""


def _show(parts: Iterable[str]) -> None:
    last = ""
    for part in parts:
        if part:
            say(part, nl=False)
            sys.stdout.flush()
            last = part
    if not last.endswith("\n"):
        say()
