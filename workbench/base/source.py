"""Where things come from: sources, spans of them, and origins that lead back to a span.

Imports the standard library only, and knows nothing of programs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Source:
    """A text that a person wrote, with the name under which errors show it."""

    text: str
    name: str = "cell"

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset, both counted from 1."""
        before = self.text[:offset]
        return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1

    def line(self, number: int) -> str:
        """The text of one line, counted from 1, without its line end."""
        lines = self.text.split("\n")
        return lines[number - 1] if 1 <= number <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Span:
    """The characters `start` to `end` (exclusive) of a source."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    @property
    def position(self) -> tuple[int, int]:
        """Line and column of the first character, counted from 1."""
        return self.source.position(self.start)


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Why a node exists: a span of the source, or the nodes it was made from and by what.

    Compared by identity, and ignored by the equality of the nodes that carry it.
    """

    span: Span | None = None
    parents: tuple[Origin, ...] = ()
    note: str = ""

    def derive(self, note: str) -> Origin:
        """A new origin made from this one; the note says by what, in a few words."""
        return Origin(parents=(self,), note=note)

    def ancestors(self) -> Iterator[Origin]:
        """This origin and everything that it was made from, nearest first, each once."""
        seen: set[int] = set()
        queue: list[Origin] = [self]
        while queue:
            origin = queue.pop(0)
            if id(origin) not in seen:
                seen.add(id(origin))
                yield origin
                queue.extend(origin.parents)

    def nearest_span(self) -> Span | None:
        """The first source span met on the way back; None for what no text stands behind."""
        return next((o.span for o in self.ancestors() if o.span is not None), None)


def join(*parents: Origin, note: str) -> Origin:
    """An origin made from several."""
    return Origin(parents=parents, note=note)


NOWHERE = Origin(note="built in")
"""The origin of nodes that no text stands behind."""


def origin_field() -> Origin:
    """The dataclass field every node ends with: kept by `replace`, ignored by equality."""
    return field(default=NOWHERE, compare=False, repr=False, kw_only=True)
