"""The client of the commands that ask models: `ask` and `chat`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from seekroute.cli.shared import Shared, say
from seekroute.errors import ConfigError

if TYPE_CHECKING:
    from seekroute.client import Client


def client_of(options: Shared, mock: str | None) -> Client:
    """Who answers: the gateway at SEEKROUTE_BASE_URL, else one in this process.

    The setting `mock` counts as it does for `serve`, so that what the documentation shows works
    before there is a key. That nobody but the mock answers is said on the standard error, unless it
    was asked for.

    Args:
        options: those before the command.
        mock: the option; None where it was not given.

    Raises ConfigError, in the words of the command line.
    """
    import seekroute
    from seekroute.client.wires.setting_words import in_python, with_option

    elsewhere = mock is None and options.config is None
    if elsewhere and os.environ.get("SEEKROUTE_BASE_URL"):
        return seekroute.Client()
    if elsewhere and os.environ.get("SEEKROUTE_API_KEY"):
        say(
            "SEEKROUTE_API_KEY is set, and SEEKROUTE_BASE_URL is not: no gateway is asked",
            fg=typer.colors.YELLOW,
            err=True,
        )
    try:
        asked = _mock_setting(options, mock)
        return seekroute.Client(config=options.config, mock=asked)
    except ConfigError as error:
        raise with_option(ConfigError([in_python(each) for each in error.problems])) from None


def _mock_setting(options: Shared, mock: str | None) -> str:
    """The setting `mock`; says what `auto` comes to where that may surprise. Raises ConfigError."""
    from seekroute.config import catalog_of, load_settings, mock_is_on

    settings = load_settings(options.config, overrides={"mock": mock})
    if settings.mock == "auto" and mock_is_on(settings, catalog_of(settings), os.environ):
        say(
            "no provider has a key: the built-in mock provider answers (set OPENAI_API_KEY, "
            "DEEPSEEK_API_KEY, ...; with --mock off this is an error)",
            fg=typer.colors.YELLOW,
            err=True,
        )
    return settings.mock
