"""`seekroute chat`: a conversation in the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seekroute.cli.asking import client_of
from seekroute.cli.shared import MockOption, say, shared, told
from seekroute.errors import APIError, NotFoundError, SeekrouteError

if TYPE_CHECKING:
    from seekroute.client import Client

# Of an answer that tells more than that there is no such path.
_NO_MODEL = ("model_not_found", "no_matching_endpoint")
_HELP = """\
/model NAME   ask another model from now on; alone: which it is
/system TEXT  set the system message; alone: remove it
/reset        forget the conversation
/cost         what the conversation has cost
/help         this
/quit         leave (Ctrl-D too)
"""


class UnknownModelError(SeekrouteError):
    """What /model names is not served; the conversation goes on with the model it had."""

    def __init__(self, error: NotFoundError, model: str) -> None:
        super().__init__(str(error))
        self.model = model


class Conversation:
    """What has been said, and to whom. One turn at a time."""

    def __init__(self, client: Client, model: str, system: str | None, *, as_json: bool) -> None:
        self._client = client
        self._as_json = as_json
        self.model = model
        self.system = system
        self.messages: list[dict[str, Any]] = []
        self.done = False

    def take(self, line: str) -> None:
        """One line from the user: a command, or the next message."""
        if not line.startswith("/"):
            self._say(line)
            return
        word, _, rest = line[1:].partition(" ")
        command = getattr(self, f"_do_{word}", None)
        if command is None:
            say(f"there is no /{word}; /help lists what there is", err=True)
        else:
            command(rest.strip())

    def _say(self, text: str) -> None:
        messages = [*self.messages, {"role": "user", "content": text}]
        if self.system:
            messages.insert(0, {"role": "system", "content": self.system})
        parts: list[str] = []
        stream = self._client.chat.completions.create(
            model=self.model, messages=messages, stream=True
        )
        try:
            with stream:
                for part in _deltas(stream):
                    parts.append(part)
                    if not self._as_json:
                        say(part, nl=False)
                        sys.stdout.flush()
        except KeyboardInterrupt:
            # What was said so far stays in the conversation; the request is cancelled.
            if not self._as_json:
                say(" [stopped]", nl=False)
        answer = "".join(parts)
        self.messages += [
            {"role": "user", "content": text},
            {"role": "assistant", "content": answer},
        ]
        if self._as_json:
            cost = stream.cost
            say(json.dumps({"content": answer, "cost": None if cost is None else str(cost)}))
        else:
            say()

    def _do_model(self, name: str) -> None:
        if name:
            self._find(name)
            self.model = name
        say(f"model: {self.model}", err=True)

    def _find(self, name: str) -> None:
        """Raises UnknownModelError where the gateway knows that it serves no such model: it names
        the nearest ones. Nobody is asked. A gateway that cannot say it finds out later."""
        try:
            self._client.route("x", model=name)
        except NotFoundError as error:
            if error.code not in _NO_MODEL:
                return
            if not any(words in error.message for words in ("did you mean", "/v1/models")):
                error.args = (f"{error.message}: seekroute models list shows what there is",)
            raise UnknownModelError(error, self.model) from None
        except APIError:
            return

    def _do_system(self, text: str) -> None:
        self.system = text or None
        say(f"system: {self.system or '-'}", err=True)

    def _do_reset(self, _: str) -> None:
        self.messages.clear()
        say("forgotten", err=True)

    def _do_cost(self, _: str) -> None:
        say(f"{self._client.spend:f} USD", err=True)

    def _do_help(self, _: str) -> None:
        say(_HELP, err=True, nl=False)

    def _do_quit(self, _: str) -> None:
        self.done = True

    _do_exit = _do_quit


def chat(
    ctx: typer.Context,
    model: Annotated[str, typer.Option("--model", "-m", help="The model to talk to.")] = "auto",
    system: Annotated[
        str | None, typer.Option("--system", "-s", help="The system message.")
    ] = None,
    mock: MockOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each answer.")
    ] = False,
) -> None:
    """Talk with a model, without a server. One line is one message; /help lists the commands."""
    interactive = sys.stdin.isatty()
    failed = False
    with client_of(shared(ctx), mock) as client:
        talk = Conversation(client, model, system, as_json=as_json)
        for line in _lines(interactive):
            try:
                talk.take(line)
            except UnknownModelError as error:
                say(f"error: {error}", fg=typer.colors.RED, err=True)
                say(f"model: {error.model}, as before", err=True)
                failed = True  # a script sees it by the exit code; its other lines are asked
            except APIError as error:
                say(f"error: {told(error)}", fg=typer.colors.RED, err=True)
                if not interactive:
                    raise typer.Exit(1) from error
            if talk.done:
                break
    if failed and not interactive:
        raise typer.Exit(1)


def _lines(interactive: bool) -> Iterator[str]:
    if interactive:
        import readline  # noqa: F401  # line editing and history for input()
    while True:
        try:
            line = input("> " if interactive else "").strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            say(err=True)
            return
        if line:
            yield line


def _deltas(chunks: Any) -> Iterator[str]:
    for chunk in chunks:
        if chunk.choices:
            yield chunk.choices[0].delta.content or ""
