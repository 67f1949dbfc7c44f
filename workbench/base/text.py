"""Text that remembers where its characters come from: the one way any code is written out.

A `Writer` is the one mutable value; it ends as an immutable `Text`.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from workbench.base.source import Origin


@dataclass(frozen=True, slots=True)
class Mark:
    """The characters `start` to `end` (exclusive) were written for `origin`."""

    start: int
    end: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Text:
    """A string and its marks; marks nest, an outer one stands before those inside it."""

    value: str
    marks: tuple[Mark, ...] = ()

    def __str__(self) -> str:
        return self.value

    def at(self, offset: int) -> Origin | None:
        """The innermost origin whose mark holds the character; of equal marks the last written."""
        inside = [m for m in self.marks if m.start <= offset < m.end]
        return min(reversed(inside), key=lambda m: m.end - m.start).origin if inside else None

    def marked(self, origin: Origin) -> tuple[tuple[int, int], ...]:
        """The ranges written for exactly this origin."""
        return tuple((m.start, m.end) for m in self.marks if m.origin is origin)

    def offset(self, line: int, column: int) -> int:
        """The character offset of a line and column, both counted from 1."""
        start = 0
        for _ in range(line - 1):
            end = self.value.find("\n", start)
            if end < 0:
                return len(self.value)
            start = end + 1
        return min(start + column - 1, len(self.value))


def concatenated(texts: Iterable[Text]) -> Text:
    """One text of several, with an empty line between them."""
    value, marks = "", list[Mark]()
    for text in texts:
        value += "\n" if value else ""
        shift = len(value)
        value += text.value
        marks += [Mark(m.start + shift, m.end + shift, m.origin) for m in text.marks]
    return Text(value, tuple(marks))


class Writer:
    """Writes lines with indentation and marks what is written for which origin."""

    def __init__(self, indent: str = "    ") -> None:
        """Start an empty text; `indent` is one level of indentation."""
        self._indent = indent
        self._level = 0
        self._parts: list[str] = []
        self._length = 0
        self._marks: list[tuple[int, int, Origin]] = []
        self._fresh = True

    def write(self, text: str) -> None:
        """Append to the current line; the first piece of a line is indented. No line ends."""
        if self._fresh and text:
            self._append(self._indent * self._level)
            self._fresh = False
        self._append(text)

    def end(self) -> None:
        """End the current line."""
        self._append("\n")
        self._fresh = True

    def line(self, text: str = "") -> None:
        """Write a whole line."""
        self.write(text)
        self.end()

    @contextmanager
    def indented(self) -> Generator[None]:
        """Lines written inside stand one level deeper."""
        self._level += 1
        try:
            yield
        finally:
            self._level -= 1

    @contextmanager
    def mark(self, origin: Origin) -> Generator[None]:
        """What is written inside is marked with `origin` (indentation and line end excluded)."""
        if self._fresh:
            self._append(self._indent * self._level)
            self._fresh = False
        start, place = self._length, len(self._marks)
        self._marks.append((start, start, origin))
        yield
        end = self._length - 1 if self._parts and self._parts[-1] == "\n" else self._length
        self._marks[place] = (start, end, origin)

    def text(self) -> Text:
        """Everything written so far, with its non-empty marks."""
        return Text("".join(self._parts), tuple(Mark(*m) for m in self._marks if m[0] < m[1]))

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
