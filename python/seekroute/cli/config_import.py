"""`seekroute config import`: a first configuration file from another gateway's."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli.shared import JsonOption, print_json, say
from seekroute.errors import SeekrouteError
from seekroute.visible import visible

if TYPE_CHECKING:
    from seekroute.config.from_litellm import Converted, Finding

_WIDTH = 80
_HEADS = {"not taken": "not taken", "changed": "taken otherwise", "to set": "to be set by you"}


class Source(StrEnum):
    """The gateways whose configuration can be read."""

    LITELLM = "litellm"


def import_(
    source: Annotated[Source, typer.Argument(help="Whose configuration it is: litellm.")],
    file: Annotated[Path, typer.Argument(help="LiteLLM's config.yaml.", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The file to write; - for the standard output.")
    ] = Path("seekroute.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a seekroute.yaml from the configuration of another gateway, and say line by line what
    of it was not taken. Keys are not copied: the file refers to variables. Exit with 1 if there is
    nothing to write."""
    from seekroute.config import packaged_catalog
    from seekroute.config.documents import read_text
    from seekroute.config.from_litellm import convert

    assert source is Source.LITELLM
    to_stdout = str(out) == "-"
    if not to_stdout and out.suffix not in (".yaml", ".yml"):
        raise typer.BadParameter("the file is YAML: give it the suffix .yaml", param_hint="--out")
    text = read_text(file)
    if not (to_stdout or force) and os.path.lexists(out):
        raise _exists(out)
    converted = convert(text, name=str(file), catalog=packaged_catalog())
    written = bool(converted.models or converted.providers)
    if written:
        _prove(converted)
        if to_stdout:
            say(converted.text, nl=False)
        else:
            _write(out, converted.text, file, force=force)
    place = out if written and not to_stdout else None
    if as_json and not to_stdout:
        _print_json(file, place, converted)
    else:
        _report(file, place, converted, aside=to_stdout)
    if not written:
        raise typer.Exit(1)


def _exists(out: Path) -> SeekrouteError:
    return SeekrouteError(f"{out} exists: choose another name, or replace it with --force")


def _prove(converted: Converted) -> None:
    """Reads the file as the gateway will. Raises ConfigError where that would refuse it."""
    from seekroute.config import catalog_of, load_settings

    # A value that may stand anywhere: as a key, in a header and as a URL.
    environ = dict.fromkeys(converted.variables, "https://provider.invalid")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seekroute.yaml"
        path.write_text(converted.text, encoding="utf-8")
        catalog_of(load_settings(path, environ=environ))


def _write(out: Path, text: str, source: Path, *, force: bool) -> None:
    try:
        if force and out.exists() and out.samefile(source):
            raise SeekrouteError(f"{out} is the file that is read: choose another name")
        # Exclusive unless forced: two of us never write one file, and no file is lost by accident.
        with out.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise _exists(out) from None
    except OSError as error:
        raise SeekrouteError(f"cannot write {out}: {error.strerror}") from error


def _print_json(file: Path, out: Path | None, converted: Converted) -> None:
    def rows(kind: str) -> list[dict[str, object]]:
        found = (dataclasses.asdict(each) for each in converted.findings if each.kind == kind)
        return [{key: row[key] for key in row if key != "kind"} for row in found]

    print_json(
        {
            "file": str(file),
            "out": str(out) if out else None,
            "models": [dataclasses.asdict(each) for each in converted.models],
            "providers": list(converted.providers),
            "variables": list(converted.variables),
            "not_taken": rows("not taken"),
            "changed": rows("changed"),
            "to_set": rows("to set"),
        }
    )


def _report(file: Path, out: Path | None, converted: Converted, *, aside: bool) -> None:
    for kind, head in _HEADS.items():
        found = [each for each in converted.findings if each.kind == kind]
        if not found:
            continue
        say(f"{head}:", err=aside)
        for section, group in _sections(found).items():
            say(_shortened(f"  {section}", _WIDTH), err=aside)
            for each in group:
                say(_line(each), err=aside)
    count = sum(each.kind == "not taken" for each in converted.findings)
    models = len(converted.models)
    say(
        f"{models} {'model' if models == 1 else 'models'} taken,"
        f" {count} {'thing' if count == 1 else 'things'} not",
        err=True,
    )
    if not (converted.models or converted.providers):
        say(f"nothing to write: no model of {file} can be served", err=True)
        return
    if unset := [each for each in converted.variables if not os.environ.get(each)]:
        say("not set in this environment:", err=True)
        for name in unset:
            say(f"  {name}", err=True)
    if out:
        say(f"wrote {out}", err=True)
        say("next: seekroute config check, then seekroute serve", err=True)


def _sections(findings: Sequence[Finding]) -> dict[str, list[Finding]]:
    """Findings by section, in the order of their first lines."""
    found: dict[str, list[Finding]] = {}
    for each in findings:
        found.setdefault(each.section, []).append(each)
    return found


def _line(each: Finding) -> str:
    """A finding in one line; what it says is below it where there is no room for both."""
    head = f"{each.line:>8}  "
    room = _WIDTH - len(head)
    if len(visible(each.what)) + len(f": {each.text}") <= room:
        return f"{head}{visible(each.what)}: {each.text}"
    return f"{head}{_shortened(each.what, room - 1)}:\n{' ' * len(head)}{each.text}"


def _shortened(text: str, width: int) -> str:
    shown = visible(text)
    return shown if len(shown) <= width else shown[: width - 1] + "…"
