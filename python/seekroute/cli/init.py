"""`seekroute init`: a first configuration file, from the provider keys that are already there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli.shared import JsonOption, print_json, say, shared, usable
from seekroute.errors import SeekrouteError
from seekroute.files import why_no_file

if TYPE_CHECKING:
    from seekroute.config import Catalog

_HEAD = """\
# seekroute's configuration. Everything here is optional; what is commented out shows the default or
# an example. Paths start from this file's folder.
#   seekroute config check           what is wrong with this file
#   seekroute config show --origin   what is in force, and why
#   seekroute doctor                 whether it works
"""

_SERVER = """
server:
  host: 127.0.0.1        # 0.0.0.0 listens on every address: put TLS in front of it then
  port: 8000
  # log_level: info
  # log_format: pretty   # json: one object a line, for machines
  # shutdown_seconds: 30    # how long running answers may take to finish after SIGTERM

data_dir: seekroute-data # keys, organizations and the pepper that keys are hashed with: back it up

# The vocabulary spoken to clients: seekroute, seekrouter, solrouter, router9, routerone, reseller,
# or the path of a profile of your own.
profile: seekroute
"""

_FOUND = """
# Found in the environment. The keys stay there: ${NAME} refers to them.
"""

_NOT_FOUND = """
# No provider key was found in the environment: export one, or name it here.
"""

_LOCAL = """\
  # perplexity:
  #   base_url: https://proxy.example.com/v1   # instead of the packaged one
  # local:               # any server that speaks OpenAI's protocol
  #   base_url: http://127.0.0.1:11434/v1
  #   allow_http: true
  #   allow_private: true
"""

_TAIL = """
# Prices of your own, a markup, models that are not sold: docs/catalog.md.
# catalog_overlay: prices.yaml

# Models of your own; one with the id of a packaged model replaces it.
# models:
#   - id: local/llama
#     context: 131072
#     endpoints:
#       - provider: local
#         model: llama3.3
#         price: {input: "0", output: "0"}   # USD per million tokens, in quotes

# The ledger: what organizations have, what is held and charged, a row for every request. A new
# organization is prepaid: seekroute credits add NAME 10.
# credits:
#   enabled: true
#   max_output_tokens: 0   # longest answer of one choice; 0: the model's own

# The built-in mock provider. auto: answers while no provider has a key; on: answers for every
# model, and no provider is asked; beside: answers for models that no provider serves; off: never.
mock: auto

# limits:
#   max_body_bytes: 20971520
#   max_active: 10000
# timeouts:
#   connect_timeout_ms: 5000
#   total_timeout_ms: 1800000
"""

_IGNORE = ".gitignore"


def found_keys(catalog: Catalog, environ: Mapping[str, str]) -> dict[str, str]:
    """The packaged providers whose key is in the environment, with the variable it is in."""
    found = {}
    for provider_id, provider in catalog.providers.items():
        for variable in provider.env:
            key = environ.get(variable, "").strip()
            if key and key.isascii() and not any(char.isspace() for char in key):
                found[provider_id] = variable
                break
    return found


def first_config(catalog: Catalog, found: Mapping[str, str]) -> str:
    """The text of a configuration file that switches on the providers of `found_keys`.

    Keys are not written: the file refers to the variables they are in.

    Args:
        catalog: Where the names of providers come from.
        found: Variable by provider id.
    """
    lines = [_HEAD, _SERVER]
    lines.append(_FOUND if found else _NOT_FOUND)
    lines.append("providers:\n")
    for provider_id, variable in found.items():
        name = catalog.providers[provider_id].name
        lines.append(f"  {provider_id}:  # {name}\n    api_key: ${{{variable}}}\n")
    if not found:
        lines.append("  # openai:\n  #   api_key: ${OPENAI_API_KEY}\n")
    lines.append(_LOCAL)
    lines.append("\n# What `auto` means; without it, the first of a short list that is served.\n")
    lines.append("# default_model: openai/gpt-5-mini\n")
    lines.append(_TAIL)
    return "".join(lines)


def init(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("seekroute.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a commented seekroute.yaml, with the providers whose keys are in the environment."""
    from seekroute.config import load_settings, packaged_catalog
    from seekroute.control import ControlPlane

    catalog = packaged_catalog()
    found = found_keys(catalog, os.environ)
    if path.suffix not in (".yaml", ".yml"):
        raise typer.BadParameter("the file is YAML: give it the suffix .yaml", param_hint="PATH")
    text = first_config(catalog, found)
    try:
        # Exclusive unless forced: two of us never write one file, and no file is lost by accident.
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise SeekrouteError(
            why_no_file(path) or f"{path} exists: choose another name, or replace it with --force"
        ) from None
    except OSError as error:
        raise SeekrouteError(f"cannot write {path}: {error.strerror}") from error
    folder = shared(ctx).data_dir or Path(load_settings(path).data_dir)
    with ControlPlane(usable(folder)):
        pass  # so that organizations can be made before the first start
    hidden = _hide_from_git(folder)
    if as_json:
        print_json({"path": str(path), "providers": found, "data_dir": str(folder)})
        return
    say(f"wrote {path}, and keeps its data in {folder}")
    for provider_id, variable in found.items():
        say(f"  {provider_id}: key from {variable}")
    if hidden:
        say(f"  git: {folder / _IGNORE} keeps what is in there out of commits")
    if not found:
        say("  no provider key found: the mock provider will answer until there is one")
    say("next: seekroute doctor, then seekroute serve")


def _hide_from_git(folder: Path) -> bool:
    """Whether git will not see a data directory because of what this has written: it holds the
    pepper and the books. Nothing is done outside of a working tree, or where somebody has chosen.

    Raises SeekrouteError: the file cannot be written.
    """
    whole = folder.resolve()
    if not any((parent / ".git").exists() for parent in whole.parents):
        return False
    try:
        with (whole / _IGNORE).open("x", encoding="utf-8") as file:
            file.write("*\n")
    except FileExistsError:
        return False
    except OSError as error:
        raise SeekrouteError(f"cannot write {whole / _IGNORE}: {error.strerror}") from error
    return True
