"""What a fork does to objects that own threads, locks or connections.

A child of `os.fork()` gets copies of them: locks that a thread held which is not there any more,
C++ objects whose threads are missing, sockets that the parent goes on using. Whoever owns such
things is watched, and told in the child before any other code of it runs.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """An object that a fork copies without what it needs."""

    def after_fork(self) -> None:
        """Called in the child, by its only thread: renews locks, forgets what is the parent's.

        Must not wait, use a lock of before, or write to what the parent reads.
        """


_watched: weakref.WeakSet[Forked] = weakref.WeakSet()


def watch(owner: Forked) -> None:
    """Lets `owner.after_fork()` be called in every child from now on; holds it only weakly."""
    _watched.add(owner)


def forget(owner: object) -> None:
    """Keeps the parent's `owner` as it is for ever: what ends it would wait for threads that are
    not in this process, or end connections that the parent uses."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))


def _in_child() -> None:
    for each in list(_watched):
        each.after_fork()


os.register_at_fork(after_in_child=_in_child)
