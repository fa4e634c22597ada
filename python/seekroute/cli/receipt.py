"""`seekroute receipt`: signed receipts of requests, checked offline or issued by the operator."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from seekroute.cli.requests import ID_HELP, find_request
from seekroute.cli.shared import JsonOption, print_json, say, shared, usable
from seekroute.errors import SeekrouteError

app = typer.Typer(no_args_is_help=True, help="Signed receipts of requests.")

_MOST_BYTES: Final = 1024 * 1024
_MOST_KEY: Final = 1024


@app.command()
def verify(
    file: Annotated[
        Path, typer.Argument(help="The receipt; `-`: from the standard input.", allow_dash=True)
    ] = Path("-"),
    key_stdin: Annotated[
        bool,
        typer.Option("--key-stdin", help="Read the API key from the standard input."),
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            "--data-dir",
            readable=False,
            help="Check the operator's signature, with the pepper of this data directory.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a receipt without asking anybody. Exit code 0: it is genuine; 1: it is not; 2: it
    could not be checked.

    With the API key that asked for it, in SEEKROUTE_API_KEY or by --key-stdin; or, as the
    operator, with --data-dir. With --data-dir and --key-stdin both signatures have to be right.
    """
    from seekroute.api import receipts

    if key_stdin and str(file) == "-":
        raise typer.BadParameter("--key-stdin: the receipt has to come from a file then")
    key = ""
    if key_stdin:
        key = _key_from_stdin()
    elif data_dir is None:  # else the variable may be for something else
        key = os.environ.get("SEEKROUTE_API_KEY", "").strip()
    if not key and data_dir is None:
        raise typer.BadParameter(
            "give the API key in SEEKROUTE_API_KEY or by --key-stdin, or --data-dir as the operator"
        )
    try:
        pepper = None if data_dir is None else _pepper(data_dir)
        text = _read(file)
    except SeekrouteError as error:  # nothing was found out about the receipt
        say(f"error: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(2) from None
    try:
        receipt = receipts.parse(text)
        if pepper is not None:
            receipts.check_operator(receipt, pepper)
        if key:
            receipts.check_signature(receipt, key)
    except receipts.ReceiptError as error:
        if as_json:
            print_json({"valid": False, "reason": str(error)})
            raise typer.Exit(1) from None
        say(f"not valid: {error}", fg=typer.colors.RED, err=True)
        raise typer.Exit(1) from None
    if as_json:
        print_json({"valid": True, "receipt": receipt})
        return
    by = "the operator's signature" if not key else "the signature"
    by = by if pepper is None or not key else "both signatures"
    say(
        f"valid, by {by}: {receipt.get('generation_id')} of {receipt.get('created_at')}, "
        f"{receipt.get('model')}, {receipt.get('charged')} {receipt.get('currency')} "
        f"({receipt.get('settlement')})"
    )


@app.command()
def show(
    ctx: typer.Context,
    generation: Annotated[str, typer.Argument(metavar="ID", help=ID_HELP)],
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", readable=False, help="Where ledger and pepper are."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the receipt of a request, signed by the operator; also while the server runs.

    It is JSON in either case: with --json indented, which does not matter to its signature.
    """
    from seekroute.api import receipts

    common = shared(ctx)
    directory = common.folder() if data_dir is None else usable(data_dir)
    pepper = _pepper(directory)
    with common.open_ledger(directory) as ledger:
        row = find_request(ledger, generation)
    if row is None:
        raise SeekrouteError(f"the ledger has no request {generation!r}")
    if row["state"] == "held":
        raise SeekrouteError(f"the request {row['generation']} has not ended yet")
    receipt = receipts.issue(row, pepper)
    if as_json:
        print_json(receipt)
    else:
        say(receipts.serialize(receipt).decode("ascii"))


def _pepper(data_dir: Path) -> bytes:
    from seekroute.control.pepper import load_pepper

    # Keys or none: a pepper that was made here would have signed nothing.
    return load_pepper(data_dir, environ=os.environ, has_keys=True)


def _key_from_stdin() -> str:
    key = sys.stdin.readline(_MOST_KEY).strip()
    if not key:
        raise typer.BadParameter("--key-stdin: the standard input has no key on its first line")
    return key


def _read(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(_MOST_BYTES)
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES)
    except OSError as error:
        raise SeekrouteError(f"cannot read {file}: {error.strerror}") from error
