"""`%load_ext seekroute`: the magics `%ask` and `%%ask` for IPython and Jupyter."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

from seekroute.client.client import Client
from seekroute.client.show.display import bundle
from seekroute.client.show.live import live
from seekroute.client.wires.setting_words import with_option
from seekroute.errors import APIError, ConfigError

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_NAME: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
# The next word of a line, in quotes or not; an option may be joined to its value by "=".
_WORD: Final = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|(--[a-z-]+)=|(\S+))""")
_QUESTION: Final = re.compile(r"^%ask[ \t]+(\S.*\?)(?=\s*$)")
_FLAGS: Final = ("-e", "--expand", "-h", "--help")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _usage(f"{message}; %ask --help lists the options")


def _usage(message: str) -> Exception:
    from IPython.core.error import UsageError

    return UsageError(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="%ask",
        usage="%%ask [options] prompt, or %%%%ask [options] with the prompt below",
        description="Asks a model and shows the answer while it comes.",
        add_help=False,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-m", "--model", default="auto", help="model to ask (default: auto)")
    add("-s", "--system", help="system message")
    add("-t", "--temperature", type=float, help="0 to 2")
    add("--max-tokens", type=int, help="longest answer, in tokens")
    add("--client", metavar="NAME", help="variable that holds the seekroute.Client to ask")
    add("--mock", metavar="ON", help="on: the built-in mock provider answers, no key is needed")
    add("--into", metavar="NAME", help="variable to put the answer into")
    add("-e", "--expand", action="store_true", help="replace {name} by that variable")
    add("-h", "--help", action="store_true", help="show this")
    return parser


def _split(line: str) -> tuple[list[str], str]:
    """The options at the beginning of a line, and the rest as it is.

    >>> _split("-m gpt-4o --into x What's -this?")
    (['-m', 'gpt-4o', '--into', 'x'], "What's -this?")
    """
    words: list[str] = []
    while line.lstrip().startswith("-"):
        word, line = _next_word(line)
        if word == "--":
            break
        words.append(word)
        if word not in _FLAGS and line.strip():
            value, line = _next_word(line)
            words.append(value)
    return words, line.strip()


def _next_word(line: str) -> tuple[str, str]:
    found = _WORD.match(line)
    assert found is not None  # the line is not blank
    word = next(group for group in found.groups() if group is not None)
    return word, line[found.end() :]


class _Magics:
    """What the magics need to remember; one for each shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._parser = _parser()
        self._clients: dict[str | None, Client] = {}  # by --mock: as many as it has values

    def ask(self, line: str, cell: str | None = None) -> None:
        """Asks a model and shows the answer while it comes.

        `%ask [options] prompt`, or `%%ask [options]` with the prompt in the cell below it. Shows
        the answer and returns nothing; `--into NAME` keeps it. `%ask --help` lists the options.

        Braces and dollar signs in the prompt are left alone; with `-e`, `{name}` becomes the value
        of that variable.
        """
        words, rest = _split(line)
        given = self._parser.parse_args(words)
        if given.help:
            sys.stdout.write(self._parser.format_help())
            return
        prompt = self._prompt(rest, cell)
        if given.expand:
            prompt = self._expanded(prompt)
        if given.into is not None and not given.into.isidentifier():
            raise _usage(f"--into: expected the name of a variable, found {given.into!r}")
        fields = {"temperature": given.temperature, "max_tokens": given.max_tokens}
        messages = [{"role": "user", "content": prompt}]
        if given.system is not None:
            messages.insert(0, {"role": "system", "content": given.system})
        try:
            client = self._chosen_client(given.client, given.mock)
            stream = client.chat.completions.create(
                model=given.model, messages=messages, stream=True, **fields
            )
            answer = live(stream)
        except ConfigError as error:
            raise _short(with_option(error, "%%ask" if cell is not None else "%ask")) from None
        except APIError as error:
            raise _short(error) from None
        if given.into is not None:
            self._shell.user_ns[given.into] = answer

    def _prompt(self, rest: str, cell: str | None) -> str:
        if cell is not None and rest:
            raise _usage(f"%%ask takes options on its first line; {rest!r} is none")
        prompt = rest if cell is None else cell.strip()
        if not prompt:
            raise _usage("there is no prompt: %ask Why is the sky blue?")
        return prompt

    def _expanded(self, prompt: str) -> str:
        names = self._shell.user_ns

        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if name not in names:
                raise _usage(f"-e: there is no variable {name!r}")
            return str(names[name])

        return _NAME.sub(value, prompt)

    def _chosen_client(self, name: str | None, mock: str | None) -> Client:
        if name is not None:
            if mock is not None:
                raise _usage("--mock is for the client of the magic; --client names another")
            found = self._shell.user_ns.get(name)
            if not isinstance(found, Client):
                raise _usage(f"--client: expected a seekroute.Client in the variable {name!r}")
            return found
        if mock not in self._clients:
            self._clients[mock] = Client() if mock is None else Client(mock=mock)
        return self._clients[mock]

    def close(self) -> None:
        """Ends the clients that were made for prompts without `--client`."""
        while self._clients:
            self._clients.popitem()[1].close()


def _short(error: APIError | ConfigError) -> APIError | ConfigError:
    """The error with a traceback that is its message: the frames would be ours and IPython's."""
    lines = bundle(error)["text/plain"].split("\n")
    error._render_traceback_ = lambda: lines  # type: ignore[union-attr]
    return error


def _keep_questions(lines: list[str]) -> list[str]:
    """Lets `%ask` have a prompt that ends in a question mark, which IPython takes for its help.

    >>> _keep_questions(["%ask Why?"])
    ["get_ipython().run_line_magic('ask', 'Why?')"]
    """
    if any(quotes in line for line in lines for quotes in ("'''", '"""')):
        return lines  # may be text, not commands
    return [_QUESTION.sub(_as_call, line) for line in lines]


def _as_call(found: re.Match[str]) -> str:
    return f"get_ipython().run_line_magic('ask', {found.group(1)!r})"


_loaded: Final[dict[int, _Magics]] = {}


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Adds the magics `%ask` and `%%ask`; what `%load_ext seekroute` calls.

    Prompts go to `--client NAME`, else to a `seekroute.Client()` made with the first of them.
    """
    magic: Any = importlib.import_module("IPython.core.magic")
    magics = _Magics(ipython)

    def ask(line: str, cell: str | None = None) -> None:
        magics.ask(line, cell)

    ask.__doc__ = _Magics.ask.__doc__
    # Without this, IPython would put Python's values into the braces of a prompt.
    ask = magic.no_var_expand(ask)
    manager: Any = ipython.magics_manager
    manager.register_function(ask, "line_cell", "ask")
    ipython.input_transformers_cleanup.append(_keep_questions)
    _loaded[id(ipython)] = magics


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """Takes the magics away again; what `%unload_ext seekroute` calls."""
    magics = _loaded.pop(id(ipython), None)
    if magics is None:
        return
    magics.close()
    ipython.input_transformers_cleanup.remove(_keep_questions)
    for kind in ("line", "cell"):
        ipython.magics_manager.magics[kind].pop("ask", None)
