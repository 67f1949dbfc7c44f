"""Where things stand in the user's text, and the list of everything wrong with it.

Knows Python's syntax trees and nothing of the language.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING

from workbench.base.errors import Mistake
from workbench.base.source import Origin, Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Place = ast.expr | ast.stmt | ast.arg | ast.comprehension | ast.keyword | Span


@dataclass(frozen=True, slots=True)
class Report:
    """A source with its line starts, and the mistakes found in it so far (the list grows).

    `call` is where the function that is being read is inlined.
    """

    source: Source
    mistakes: list[Mistake] = field(default_factory=list[Mistake])
    _starts: tuple[int, ...] = ()
    call: Origin | None = None

    @staticmethod
    def of(source: Source) -> Report:
        """A report without mistakes."""
        ends = (m.end() for m in re.finditer(r"\r\n|\r|\n", source.text))
        return Report(source, [], (0, *ends, len(source.text)))

    def offset(self, line: int, column: int) -> int:
        """The character offset of a line, from 1, and a column in UTF-8 bytes, from 0."""
        begin, end = self._line(line)
        text = self.source.text[begin:end]
        if text.isascii():
            return begin + column
        return begin + len(text.encode()[:column].decode(errors="ignore"))

    def characters(self, line: int, first: int, last: int) -> Span:
        """The span of the columns `first` to `last`, in characters from 0, of a line from 1."""
        begin, end = self._line(line)
        start = min(begin + max(first, 0), end)
        return Span(self.source, start, min(max(begin + last, start + 1), max(end, start)))

    def span(self, place: Place) -> Span:
        """The characters of a node of the tree."""
        match place:
            case Span():
                return place
            case ast.comprehension():
                start, end = self.span(place.target), self.span(place.iter)
                return Span(self.source, start.start, end.end)
            case _:
                start = self.offset(place.lineno, place.col_offset)
                if place.end_lineno is None or place.end_col_offset is None:
                    return Span(self.source, start, start + 1)
                end = self.offset(place.end_lineno, place.end_col_offset)
                return Span(self.source, start, end)

    def header(self, node: ast.stmt) -> Span:
        """The first line of a statement, without what stands below it."""
        span = self.span(node)
        first = span.text.split("\n")[0].rstrip()
        return Span(self.source, span.start, span.start + len(first))

    def origin(self, place: Place) -> Origin:
        """A new origin for a node of the tree."""
        return Origin(self.span(place), () if self.call is None else (self.call,))

    def text(self, place: Place) -> str:
        """A node as the user wrote it, on one line."""
        return " ".join(self.span(place).text.split())

    def wrong(self, place: Place, message: str, *, hint: str = "") -> None:
        """Add a mistake; the same one at the same place is said once."""
        called = None if self.call is None else self.call.nearest_span()
        where = "" if called is None else f" (called at line {called.position[0]})"
        mistake = Mistake(message + where, self.span(place), hint)
        if mistake not in self.mistakes:
            self.mistakes.append(mistake)

    def told(self, name: str, place: Place) -> bool:
        """Whether a mistake of the same function says already that nothing has this name."""
        start = self.span(place).start
        begin = self.source.text.rfind("\ndef ", 0, start)
        return any(
            begin < m.span.start < start
            and (m.span.text.startswith(f"{name} :=")
                 or (m.span.text == name and "is not known" in m.message))
            for m in self.mistakes
            if m.span is not None
        )  # fmt: skip

    def unknown(
        self, place: Place, what: str, name: str, known: Iterable[str], *, hint: str = ""
    ) -> None:
        """Add "no name 'x'" with the closest known name and the line that would use it.

        `hint` is said where no name is close.
        """
        close = closest(name, known)
        if close is None:
            self.wrong(place, f"{what} '{name}' is not known", hint=hint)
        else:
            message = f"{what} '{name}' is not known; did you mean '{close}'?"
            self.wrong(place, message, hint=self.mended(place, close))

    def mended(self, place: Place, replacement: str) -> str:
        """The line of a place, or the lines as one, with the characters of the place replaced."""
        span = self.span(place)
        before = self.source.text[: span.start].splitlines()
        after = self.source.text[span.end :].splitlines()
        first = before[-1] if before and span.position[1] > 1 else ""
        return (first + replacement + (after[0] if after else "")).strip()

    def called(self, node: ast.Call, names: Sequence[str], missing: Mapping[str, str]) -> str:
        """The line of a call with each of its parameters once: as given, or else from `missing`."""
        given = dict(zip(names, map(self.text, node.args), strict=False))
        given |= {
            k.arg: self.text(k.value)
            for k in node.keywords
            if k.arg in names and k.arg not in given
        }
        texts = (given.get(name, missing.get(name)) for name in names)
        arguments = ", ".join(text for text in texts if text is not None)
        return self.mended(node, f"{self.text(node.func)}({arguments})")

    def _line(self, line: int) -> tuple[int, int]:
        """Where a line, from 1, starts and ends; the end of the text beyond the last one."""
        lines = list(pairwise(self._starts))
        last = (len(self.source.text), len(self.source.text))
        return lines[line - 1] if 1 <= line <= len(lines) else last


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that somebody who wrote `name` most likely meant."""
    names = [k for k in known if k != name]
    same = [k for k in names if k.lower() == name.lower()]
    return next(iter(same or get_close_matches(name, names, n=1)), None)
