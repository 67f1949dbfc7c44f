"""Which arrays there are, for the table of memory, and scopes that free what was made in them.

Also who is told when memory may have changed; nobody is, unless somebody asked.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from workbench.runtime.arrays import Array


@dataclass(slots=True, eq=False)
class Tidy:
    """The arrays made in a scope of `wb.tidy()`, and the scope around it."""

    around: Tidy | None
    made: dict[int, weakref.ref[Array]] = field(default_factory=dict[int, "weakref.ref[Array]"])

    def keep(self, *arrays: Array) -> Array | tuple[Array, ...]:
        """Let arrays outlive this scope; in a scope around it they are freed at that one's end."""
        for a in arrays:
            kept = self.made.pop(id(a), None)
            if kept is not None and self.around is not None:
                self.around.made[id(a)] = kept
        return arrays[0] if len(arrays) == 1 else arrays


_live: weakref.WeakSet[Array] = weakref.WeakSet()
_scope: ContextVar[Tidy | None] = ContextVar("workbench.tidy", default=None)


Told = Callable[[str, str, int], None]
"""Hears what happened: a call, its place and the bytes of its temporaries; or else nothing."""
_watching: list[Told] = []


def born(a: Array) -> None:
    """Take note of a new array."""
    _live.add(a)
    scope = _scope.get()
    if scope is not None:
        scope.made[id(a)] = weakref.ref(a)
    happened()


def happened(words: str = "", place: str = "", temporaries: int = 0) -> None:
    """Tell those who watch that memory may have changed; costs nothing where nobody does."""
    for told in _watching:
        told(words, place, temporaries)


@contextmanager
def watched(told: Told) -> Generator[None]:
    """Tell somebody what happens, in the block."""
    _watching.append(told)
    try:
        yield
    finally:
        _watching.remove(told)


def live() -> tuple[Array, ...]:
    """Every array that Python still holds and that was not freed, oldest first."""
    return tuple(sorted((a for a in _live if not a.freed), key=lambda a: a.number))


@contextmanager
def tidy() -> Generator[Tidy]:
    """Free the arrays made in the block when it ends, but those that `keep` is given.

    ```
    with wb.tidy() as scope:
        h = layer(x, w)
        y = scope.keep(layer(h, v))
    ```
    Holds for this thread and task. Reading a freed array raises `CallError`.
    """
    scope = Tidy(_scope.get())
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)
        for made in scope.made.values():
            a = made()
            if a is not None:
                a.free()
