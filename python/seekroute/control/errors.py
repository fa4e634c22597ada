"""The one exception of the control plane."""

from __future__ import annotations

from seekroute.errors import SeekrouteError


class ControlError(SeekrouteError):
    """A request to the control plane cannot be carried out; the text says why and what to do.

    Never holds a key or the pepper.

    Example:
        >>> raise ControlError("no organization named 'acme'")
        Traceback (most recent call last):
        ...
        seekroute.control.errors.ControlError: no organization named 'acme'
    """


class StaleError(ControlError):
    """What was to be changed is no longer what the change was made for."""


class DirectoryInUseError(ControlError):
    """Another process has the data directory. The text names its pid."""
