"""What only `map` raises."""

from __future__ import annotations

from seekroute.errors import SeekrouteError


class CheckpointError(SeekrouteError):
    """A checkpoint file cannot be used: another run's, in use, or not a checkpoint."""


class NotRunError(SeekrouteError):
    """Stands in `Results` for a prompt that was not asked; `reason` says why.

    Reasons are `max_cost`, `budget`, `deadline`, `rate limit` (the provider asks for a longer pause
    than a run waits), `authentication`, `credits`, `permission`, `model` (there is none of
    this name, or not for this key), `path` (`base_url` is not that of an API), and `interrupted`.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"not asked: {reason}")
