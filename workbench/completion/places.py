"""What can stand at a place of a cell: options, names of the kernel, words of the language.

Gives candidates in the order in which they are offered. It asks no device and runs nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.base.dtypes import DTYPES
from workbench.completion import steps
from workbench.completion.explain import IN_EXPRESSIONS, STATEMENTS, WORDS
from workbench.completion.reading import (
    Cell,
    Function,
    Statement,
    body_of,
    definitions,
    in_comment,
    knobs,
    open_text,
    signature,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workbench.completion.surroundings import Option, Surroundings

_WORD = re.compile(r"(?:[^\W\d]\w*)?\Z")
_BRACES = re.compile(r"\{\{\s*((?:[^\W\d]\w*)?)\Z")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that may stand at the cursor, and what it is in one word."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Offer:
    """The candidates that begin with `fragment`, the text right before the cursor."""

    fragment: str
    candidates: tuple[Candidate, ...]


def offer(cell: Cell, offset: int, around: Surroundings) -> Offer:
    """What can stand at an offset of a cell, beginning with what is typed there already."""
    before = cell.text[:offset]
    braces = _BRACES.search(before)
    if braces is not None:
        names = (n for n in around.variables if not n.startswith("_"))
        return _offer(braces.group(1), (Candidate(n, "variable") for n in sorted(names)))
    if cell.in_head(offset):
        return _of_head(cell, cell.text[cell.head : offset], around)
    if cell.other:
        return Offer("", ())
    return _of_body(cell, offset, before)


def _offer(fragment: str, candidates: Iterable[Candidate]) -> Offer:
    fitting = [c for c in candidates if c.text.startswith(fragment)]
    return Offer(fragment, tuple({c.text: c for c in reversed(fitting)}.values())[::-1])


def _of_head(cell: Cell, typed: str, around: Surroundings) -> Offer:
    """An option, the value of one, or the name of a kernel."""
    fragment = "" if typed[-1:].isspace() else typed.rsplit(maxsplit=1)[-1]
    words = typed[: len(typed) - len(fragment)].split()
    given, equals, value = fragment.partition("=")
    asked = given if equals else (words[-1] if words else "")
    option = next((o for o in around.options if o.name and o.name == asked), None)
    if option is not None and option.takes_value:
        return _of_value(cell, option, value if equals else fragment, around)
    left = (o for o in around.options if o.name and (o.several or o.name not in words))
    names = [Candidate(o.name, "option") for o in left]
    return _offer(fragment, [*names, *(Candidate(n, "kernel") for n in cell.kernels())])


def _of_value(cell: Cell, option: Option, fragment: str, around: Surroundings) -> Offer:
    if option.values:
        last = fragment.rpartition(",")[2] if option.name == "--show" else fragment
        return _offer(last, (Candidate(v, "value") for v in option.values))
    match option.name:
        case "--schedule":
            own = [f.name for f in cell.schedules() if f.name]
            kinds = {"Schedule", "KernelSchedule"}
            others = [n for n, v in around.variables.items() if type(v).__name__ in kinds]
            return _offer(fragment, (Candidate(n, "schedule") for n in [*own, *sorted(others)]))
        case "--set":
            names = dict.fromkeys(n for f in cell.schedules() for n in knobs(f))
            return _offer(fragment, (Candidate(f"{n}=", "knob") for n in names))
        case _:
            return Offer(fragment, ())


def _of_body(cell: Cell, offset: int, before: str) -> Offer:
    f = cell.function(offset)
    if re.search(r"(?:\A|\n)@\w*\Z", before):
        return _offer(before.rpartition("\n")[2], _at_margin(cell))
    if f is not None and f.kernel is not None:
        offered = steps.offer(cell, f, offset)
        return _offer(offered[0], (Candidate(*c) for c in offered[1]))
    found = _WORD.search(before)
    fragment = found.group() if found else ""
    start = offset - len(fragment)
    if start and (before[start - 1].isdigit() or before[start - 1] == "."):
        return Offer("", ())
    if before[start - 1] == "\n" and (f is None or not f.name or fragment):
        return _offer(fragment, _at_margin(cell))
    if f is None or in_comment(f.tokens, offset) or open_text(f.tokens, offset) is not None:
        return Offer("", ())
    if cell.in_signature(f, start):
        return _offer(fragment, _in_signature(f, start))
    return _offer(fragment, _in_body(cell, f, start))


def _at_margin(cell: Cell) -> Iterator[Candidate]:
    yield Candidate("def", "keyword")
    for name in cell.kernels():
        yield Candidate(f"@schedule({name})", "schedule")


def _in_signature(f: Function, start: int) -> Iterator[Candidate]:
    """A dtype after a colon or an arrow, a dim in square brackets."""
    words = [t for t in f.tokens if t.end <= start and t.kind not in {"space", "line", "comment"}]
    texts = [t.text for t in words]
    if texts.count("[") > texts.count("]"):
        for d in signature(f):
            if d.kind == "dim" or (d.kind == "scalar" and "->" in texts):
                yield Candidate(d.name, d.kind)
        return
    if texts and (texts[-1] in {":", "->"} or ("->" in texts and texts[-1] in {"(", ","})):
        for name in DTYPES:
            yield Candidate(name, "dtype")


def _in_body(cell: Cell, f: Function, start: int) -> Iterator[Candidate]:
    statement = _statement(f, start)
    words = [] if statement is None else [t for t in statement.tokens if t.end <= start]
    last = words[-1].text if words else ""
    if last == "in":
        yield from (Candidate(n, "function") for n in ("range", "grid"))
        return
    for d in definitions(f, start):
        if words or d.kind in {"array", "local"}:
            yield Candidate(d.name, d.kind)
    if not words:
        yield from (Candidate(n, "keyword") for n in STATEMENTS)
        return
    if last == ":" and words[-2].kind == "name" and len(words) == 2:
        yield from (Candidate(n, "dtype") for n in DTYPES)
        return
    for name in cell.kernels():
        if name != f.name:
            yield Candidate(name, "function")
    yield from (Candidate(n, WORDS[n].kind) for n in IN_EXPRESSIONS)


def _statement(f: Function, start: int) -> Statement | None:
    """The statement that an offset continues, None where it begins one."""
    text_end = [t for t in f.tokens if t.start < start and t.kind not in {"space", "comment"}]
    found = None
    for s in body_of(f):
        if s.start < start:
            found = s
    if found is None or not text_end:
        return None
    depth = 0
    for t in found.tokens:
        if t.start < start:
            depth += (t.text in {"(", "["}) - (t.text in {")", "]"})
    return None if text_end[-1].kind == "line" and depth <= 0 else found
