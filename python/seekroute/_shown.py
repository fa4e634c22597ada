"""The hook by which notebooks show results and errors."""

from __future__ import annotations

from typing import Any


class Shown:
    """Base of what notebooks show as more than its repr; see `seekroute.client.display`."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        # Everything is given: the caller picks, as IPython's protocol allows.
        from seekroute.client.display import bundle

        return bundle(self)
