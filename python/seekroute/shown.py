"""The hook by which notebooks show results and errors.

Errors are shown too, so this lies below all of them and knows nothing of what it shows: whoever can
show a class registers it. `seekroute` itself says where that is, because nobody loads it before
there is something to show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Shown", "bundle", "register", "register_with"]

T = TypeVar("T")

Bundle = dict[str, str]
"""What there is of an object, by MIME type."""

_makers: list[tuple[type, Callable[[Any], Bundle]]] = []
_loaders: list[Callable[[], object]] = []


def register(kind: type[T], make: Callable[[T], Bundle]) -> None:
    """Shows objects of a class by what `make` returns. What is registered first goes first."""
    _makers.append((kind, make))


def register_with(load: Callable[[], object]) -> None:
    """Calls `load`, once, when something is first shown: it registers what there is."""
    _loaders.append(load)


def bundle(result: object) -> Bundle:
    """The bundle of any result or error of this package.

    Raises:
        TypeError: there is none for this object.
    """
    while _loaders:
        _loaders.pop()()
    for kind, make in _makers:
        if isinstance(result, kind):
            return make(result)
    raise TypeError(f"nothing is known of how to show a {type(result).__name__}")


class Shown:
    """Base of what notebooks show as more than its repr; see `seekroute.client.show.display`."""

    __slots__ = ()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Bundle:
        # Everything is given: the caller picks, as IPython's protocol allows.
        return bundle(self)

    def _repr_html_(self) -> str | None:
        # For front ends that know no bundles.
        return bundle(self).get("text/html")
