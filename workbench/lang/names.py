"""The names of a kernel: one namespace for dims, arrays, scalars, indices and locals.

A `Context` is what an expression is read in: the names it may use and the report it fills.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, assert_never

from workbench.ir.expr import Expr, Iteration, Var
from workbench.ir.graph import Array, Graph, Scalar

if TYPE_CHECKING:
    import ast
    from collections.abc import Mapping

    from workbench.base.dtypes import DType
    from workbench.base.source import Span
    from workbench.lang.report import Place, Report
    from workbench.lang.values import Value

INDICES = "ijklmnpq"
"""Names for indices, in the order in which hints take them."""

RESERVED = frozenset({"on", "schedule"})
"""Names that calls of a kernel use for themselves."""


@dataclass(frozen=True, slots=True)
class Dim:
    """A symbol of the signature."""

    span: Span


@dataclass(frozen=True, slots=True)
class ArrayName:
    """A parameter or a defined array; `blocked` says why it cannot be read here, if so.

    `remedy` is the hint for that.
    """

    array: Array
    span: Span
    blocked: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ScalarName:
    """A scalar parameter."""

    scalar: Scalar
    span: Span


@dataclass(frozen=True, slots=True)
class Index:
    """An index of an equation or of a reduction, or the variable of a loop.

    Not `said` where the source has no name for it.
    """

    span: Span
    said: bool = True


@dataclass(frozen=True, slots=True)
class LocalName:
    """A scalar of a loop block; not `certain` where a path leads here without a value."""

    dtype: DType
    span: Span
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Broken:
    """A name whose definition is wrong: its uses are not reported again."""

    span: Span


@dataclass(frozen=True, slots=True)
class Bound:
    """A parameter or a local of an inlined function, or an `index`: it stands for a value."""

    value: Value
    span: Span
    index: bool = False


Name = Dim | ArrayName | ScalarName | Index | LocalName | Bound | Broken


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an inlined function; without a dtype it takes that of its argument."""

    name: str
    dtype: DType | None
    default: Value | None


@dataclass(frozen=True, slots=True)
class Function:
    """A function without arrays: assignments to locals, branches, loops of literal ranges.

    Every way through the lines ends at a `return` of as many values. `indices` are names that no
    other word of the text is, for the indices of its reductions.
    """

    node: ast.FunctionDef
    parameters: tuple[Parameter, ...]
    results: tuple[DType, ...] | None
    lines: tuple[ast.stmt, ...]
    indices: Mapping[str, str]


Callee = Function | Graph | None
"""What a name of another function of the text stands for; None: it is not callable here."""


def noun(name: Name) -> str:
    """What a name is, for messages."""
    match name:
        case Dim():
            return "a dim"
        case ArrayName(array):
            return "an array" if array.shape else "a 0-d array"
        case ScalarName():
            return "a scalar parameter"
        case Index():
            return "an index"
        case LocalName() | Bound():
            return "a local"
        case Broken():
            return "a name"
        case _:
            assert_never(name)


@dataclass(frozen=True, slots=True)
class Context:
    """The names that stand at one place of a kernel, and where mistakes go.

    `in_block` is true in loop blocks, where ranges may depend on loops around them.
    `functions` are the other functions of the text by name, `indices` the names of the variables
    of ranges where they are not those of the text.
    """

    report: Report
    names: Mapping[str, Name]
    in_block: bool = False
    functions: Mapping[str, Callee] = field(default_factory=dict[str, Callee])
    indices: Mapping[str, str] = field(default_factory=dict[str, str])

    def adding(self, names: Mapping[str, Name]) -> Context:
        """The same place with more names."""
        return replace(self, names={**self.names, **names})

    @property
    def iteration(self) -> Iteration:
        """The indices that stand here, outermost first, and their values."""
        found: list[tuple[str, Expr]] = []
        for name, stands in self.names.items():
            match stands:
                case Index(said=True):
                    found.append((name, Var(name)))
                case Bound(value, index=True):
                    found.append((name, value.expr))
                case _:
                    pass
        return tuple(found)

    def wrong(self, place: Place, message: str, *, hint: str = "") -> None:
        """Report a mistake."""
        self.report.wrong(place, message, hint=hint)

    def dunder(self, place: Place, name: str) -> bool:
        """Report a name that starts with two underscores; true if it does."""
        if not name.startswith("__"):
            return False
        self.wrong(
            place,
            f"'{name}' is not part of the language: a cell is read, never executed, "
            "and no name starts with two underscores",
        )
        return True

    def clash(self, place: Place, name: str, what: str, hint: str = "") -> bool:
        """Report a new name that is reserved or stands for something already; true if so.

        `hint` is the line with another name, where more than the place has to be renamed.
        """
        if self.dunder(place, name):
            return True
        if name in RESERVED:
            self.wrong(
                place,
                f"'{name}' is reserved for calls: k(x, {name}=...)",
                hint=self.renamed(place, name, f"{name}_1"),
            )
            return True
        old = self.names.get(name)
        if old is None:
            return False
        if isinstance(old, Broken):
            return True
        line, column = old.span.position
        text = " ".join(old.span.source.line(line).split())
        self.wrong(
            place,
            f"'{name}' is {what} here and {noun(old)} at line {line}, column {column} "
            f"({text}); a kernel has one namespace",
            hint=hint or self.renamed(place, name, self.another(name, what)),
        )
        return True

    def free(self, count: int) -> list[str]:
        """Names for so many indices, none of which stands for something else."""
        free = [x for x in INDICES if x not in self.names]
        numbered = (f"i{n}" for n in range(len(self.names) + count))
        return [*free, *(x for x in numbered if x not in self.names)][:count]

    def another(self, name: str, what: str = "") -> str:
        """A name that no word of the text is, in the place of one that is taken."""
        used = {*self.names, *re.findall(r"\w+", self.report.source.text)}
        if what in {"an index", "a loop"}:
            found = next((x for x in self.free(len(INDICES)) if x not in used), "")
            return found or f"{name}_1"
        numbered = (f"{name}_{n}" for n in range(1, len(used) + 2))
        return next(x for x in (name.lower(), *numbered) if x not in used)

    def renamed(self, place: Place, name: str, new: str) -> str:
        """The line with another name at the place, which begins with the name."""
        span = self.report.span(place)
        start = span.start + max(span.text.find(name), 0)
        return self.report.mended(replace(span, start=start, end=start + len(name)), new)


def arrays_of(names: Mapping[str, Name]) -> dict[str, ArrayName]:
    """The arrays among the names."""
    return {k: n for k, n in names.items() if isinstance(n, ArrayName)}
