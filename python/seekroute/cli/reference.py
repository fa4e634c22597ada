"""Writes the table of commands in docs/command-line.md from the commands themselves.

Run `python -m seekroute.cli.reference docs` after changing a command.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from seekroute.cli.root import app

__all__ = ["commands_reference", "with_commands"]

_MARKED = re.compile(r"(<!-- command-line:begin -->\n).*?(<!-- command-line:end -->)", re.DOTALL)
# Those of every program made with typer, and --help.
_COMMON = {"--help", "--install-completion", "--show-completion"}


def commands_reference() -> str:
    """Every command with its arguments and options, as Markdown: a heading and a table each."""
    root = get_command(app)
    parts = ["### `seekroute`\n", "Options of every command, given before its name.\n"]
    parts += [*_table(root), ""]
    for path, command in _leaves(root, "seekroute"):
        parts += [f"### `{_usage(path, command)}`\n", f"{_text(command.help)}\n"]
        parts += [*_table(command), ""]
    return "\n".join(parts).strip()


def _leaves(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    # Any: typer's releases differ in whose Group and Command these are.
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            if command.invoke_without_command:  # it does something on its own, too
                yield f"{path} {name}", command
            yield from _leaves(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _usage(path: str, command: Any) -> str:
    words = [path]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = _argument(parameter)
            words.append(name if parameter.required else f"[{name}]")
    return " ".join(words)


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())  # as --help shows it


def _table(command: Any) -> list[str]:
    rows = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            name = f"`{_argument(parameter)}`"
        elif parameter.hidden or _COMMON.intersection(parameter.opts):
            continue
        else:
            spellings = [*sorted(parameter.opts, key=len, reverse=True), *parameter.secondary_opts]
            name = ", ".join(f"`{spelling}`" for spelling in spellings)
        rows.append(f"| {name} | {_text(parameter.help)}{_default(parameter)} |")
    return ["| | |", "|---|---|", *rows] if rows else ["It has no options."]


def _default(parameter: Any) -> str:
    if parameter.required:
        return " Required."
    default = parameter.default
    if isinstance(default, bool) or default is None or callable(default):
        return ""
    return f" Default: `{default}`."


def _text(help_text: str | None) -> str:
    return " ".join((help_text or "").split()).replace("|", "\\|").replace("*", "\\*")


def with_commands(text: str) -> str:
    """`text` with the marked part written anew."""
    return _MARKED.sub(lambda m: f"{m.group(1)}{commands_reference()}\n{m.group(2)}", text)


if __name__ == "__main__":
    page = Path(sys.argv[1]) / "command-line.md"
    page.write_text(with_commands(page.read_text(encoding="utf-8")), encoding="utf-8")
