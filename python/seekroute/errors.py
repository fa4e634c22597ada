"""Exceptions of seekroute."""

from __future__ import annotations


class SeekrouteError(Exception):
    """Base class of every error that seekroute raises on purpose."""
