"""What a word of a cell means: the language's own words, steps, options, and the cell's names.

Plain text, as a tooltip shows it. Nothing is looked up in Python: a cell never runs as Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING

from workbench.base.dtypes import DTYPES, DType
from workbench.completion.reading import body_of, definitions, knobs, open_call
from workbench.ir.ops import OPS, REDUCTIONS
from workbench.lang.calls import FUNCTIONS
from workbench.lang.expressions import NUMBERS
from workbench.schedule.step import step_classes

if TYPE_CHECKING:
    from workbench.completion.reading import Cell, Function, Token
    from workbench.completion.surroundings import Option, Surroundings


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the language: how it is written, and what it means."""

    kind: str
    usage: str
    meaning: str

    @property
    def text(self) -> str:
        """Usage and meaning, as a tooltip shows them."""
        return f"{self.usage}\n\n{self.meaning}"


STATEMENTS: Mapping[str, Word] = {
    "for": Word("keyword", "for y, x in grid(H, W):\nfor t in range(T):",
                "A loop block. grid loops are parallel, range loops run in order."),
    "if": Word("keyword", "if x[i] > 0:\na if c else b",
               "A condition of a loop block, or a choice that evaluates only what it takes."),
    "while": Word("keyword", "while r > 1e-6:", "A loop of a loop block that a condition ends."),
    "return": Word("keyword", "return y\nreturn top, where",
                   "The arrays that the kernel gives, as in the result of its signature."),
    "assert": Word("keyword", "assert N % 4 == 0",
                   "A fact about dims and scalars: checked at each call, and used in proofs."),
    "break": Word("keyword", "break", "Ends the innermost serial loop."),
    "continue": Word("keyword", "continue", "Goes on with the next iteration of the loop."),
}  # fmt: skip
"""Words that begin a statement."""

_REDUCTIONS: Mapping[str, str] = {
    "sum": "The sum; 0 of an empty range.",
    "prod": "The product; 1 of an empty range.",
    "max": "The largest value; of an empty range the least of the dtype, -inf for floats.",
    "min": "The smallest value; of an empty range the greatest of the dtype, inf for floats.",
    "any": "Whether one is true; False of an empty range.",
    "all": "Whether each is true; True of an empty range.",
    "argmax": "The index of the largest value, as i32; the first on ties.",
    "argmin": "The index of the smallest value, as i32; the first on ties.",
}

_PARTICULAR: Mapping[str, Word] = {
    "abs": Word("function", "abs(x)", "The value without its sign."),
    "round": Word("function", "round(x)", "The nearest whole number, halves to the even one."),
    "minimum": Word("function", "minimum(a, b)", "The smaller of two values."),
    "maximum": Word("function", "maximum(a, b)", "The larger of two values."),
    "clip": Word("function", "clip(x, low, high)", "minimum(maximum(x, low), high)."),
    "where": Word("function", "where(c, a, b)", "a where c is true, else b."),
    "power": Word("function", "power(x, n)",
                  "x ** n: a product for a whole literal n, else pow on floats."),
    "erf": Word("function", "erf(x)", "The error function, element by element."),
}  # fmt: skip

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("arctan2", "atan2"), ("y", "x")),
    **dict.fromkeys(("hypot", "logaddexp", "fmod"), ("a", "b")),
    "pow": ("x", "n"),
}
"""Those of functions of two."""

_OTHERS: Mapping[str, Word] = {
    "range": Word("function", "range(stop)\nrange(start, stop)",
                  "The values of a loop or of a reduction's index, from start to before stop."),
    "grid": Word("function", "for y, x in grid(H, W):",
                 "The points of a parallel loop block, one index for each extent."),
    "in": Word("keyword", "for k in range(K)", "Names what an index goes over."),
    "else": Word("keyword", "a if c else b", "The other case."),
    "and": Word("keyword", "a and b", "Both hold."),
    "or": Word("keyword", "a or b", "One of them holds."),
    "not": Word("keyword", "not a", "It does not hold."),
    "True": Word("number", "True", "A bool."),
    "False": Word("number", "False", "A bool."),
}  # fmt: skip

_AT_THE_MARGIN: Mapping[str, Word] = {
    "def": Word("keyword", "def double(x: f32[N]) -> f32[N]:",
                "A function of the cell: a kernel where its signature has arrays."),
    "schedule": Word("keyword", "@schedule(kernel)\ndef rows(T=64):",
                     "A schedule of a kernel: one step a line; its arguments are knobs."),
}  # fmt: skip


def _function(name: str) -> Word:
    """The word for a function, made from its row in the tables where it has no text of its own."""
    if name in _PARTICULAR:
        return _PARTICULAR[name]
    if name in REDUCTIONS:
        meaning = _REDUCTIONS.get(name, "A reduction.")
        several = f"\n{name}(a, b)" if name in {"min", "max"} else ""
        usage = f"{name}(x[i, k] for k in range(K) if k != i)"
        return Word("function", usage + several, f"{meaning}\nThe `if` may be left out.")
    row = OPS.get(name)
    close = f"; within {row.ulp:g} units in the last place of f32" if row and row.ulp else ""
    usage = f"{name}({', '.join(_ARGUMENTS.get(name, ('x',)))})"
    return Word("function", usage, f"numpy.{name}, element by element{close}.")


def _dtype(t: DType) -> Word:
    what = {"f": "floats", "i": "whole numbers", "u": "whole numbers from 0", "b": "True and False"}
    width = "" if t.kind == "b" else f" of {t.bits} bits"
    return Word("dtype", f"x: {t}[N]\n{t}(x)", f"{what[t.kind].capitalize()}{width}; also a cast.")


WORDS: Mapping[str, Word] = {
    **{name: _function(name) for name in sorted(FUNCTIONS - set(DTYPES))},
    **_OTHERS,
    **{name: _dtype(t) for name, t in DTYPES.items()},
    **{name: Word("number", name, f"The number {name}.") for name in NUMBERS},
    **STATEMENTS,
    **_AT_THE_MARGIN,
}
"""Every word of the language."""

IN_EXPRESSIONS = tuple(w for w in WORDS if w not in {*STATEMENTS, *_AT_THE_MARGIN, "range", "grid"})
"""The words that stand inside statements."""


def explain(cell: Cell, offset: int, around: Surroundings) -> str | None:
    """What the word at an offset means, or the function in whose brackets it stands."""
    if cell.in_head(offset):
        return _of_head(cell, offset, around)
    f = cell.function(offset)
    if f is None or cell.other:
        return None
    at = next((t for t in f.tokens if t.kind == "name" and t.start <= offset <= t.end), None)
    if at is not None:
        found = _of_name(cell, f, at)
        if found is not None:
            return found
    call = open_call(f.tokens, offset)
    return None if call is None else _of_word(cell, f, call[0])


def _of_head(cell: Cell, offset: int, around: Surroundings) -> str | None:
    """The option under the cursor, or the one whose value stands there."""
    start, end = offset, offset
    while start > cell.head and not cell.text[start - 1].isspace():
        start -= 1
    while end < cell.body and not cell.text[end].isspace():
        end += 1
    before = cell.text[cell.head : start].split()
    wanted = [cell.text[start:end].partition("=")[0], *before[-1:]]
    options = {o.name: o for o in around.options if o.name}
    return next((_of_option(options[w]) for w in wanted if w in options), None)


def _of_option(o: Option) -> str:
    values = f" {{{','.join(o.values)}}}" if o.values else " VALUE" if o.takes_value else ""
    return f"{o.name}{values}\n\n{o.text}"


def _of_name(cell: Cell, f: Function, at: Token) -> str | None:
    """A name that the function defines comes before a word of the language."""
    if f.kernel is not None:
        if at.text in knobs(f):
            return f"{at.text}\n\nA knob of the schedule {f.name}: --set {at.text}=VALUE turns it."
        return _of_word(cell, f, at.text)
    statement = next((s for s in body_of(f) if at in s.tokens), None)
    last = f.body if statement is None else statement.tokens[-1].end
    found = next((d for d in definitions(f, last) if d.name == at.text), None)
    if found is None:
        return _of_word(cell, f, at.text)
    article = "an" if found.kind in {"array", "index"} else "a"
    return f"{found.text}\n\n{at.text} is {article} {found.kind} of {f.name}."


def _of_word(cell: Cell, f: Function, name: str) -> str | None:
    """A step in schedules, a word of the language, or another function of the cell."""
    if f.kernel is not None and name in step_classes():
        return _of_step(name)
    if name in WORDS:
        return WORDS[name].text
    other = next((x for x in cell.functions if x.name == name), None)
    if other is None:
        return None
    body = cell.text[other.start : other.body].strip()
    kind = "A schedule" if other.kernel is not None else "A function"
    return f"{body}\n\n{kind} of this cell."


def _of_step(name: str) -> str:
    parts: list[str] = []
    for x in fields(step_classes()[name]):
        default = "" if x.default is MISSING else f"={x.default!r}"
        many = "*" if "tuple" in str(x.type) else ""
        parts.append(f"{many}{x.name}{default or ('=...' if x.kw_only else '')}")
    doc = step_classes()[name].__doc__ or ""
    return f"{name}({', '.join(parts)})\n\n{doc.strip()}"
