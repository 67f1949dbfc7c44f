"""Accesses that are checked when they run, in the words of the error that reports them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.base.errors import Mistake
from workbench.ir.show import expr_text
from workbench.program import STATUS_ITERATION, STATUS_WORDS, CheckedAccess

if TYPE_CHECKING:
    from workbench.ir.expr import Expr, Iteration
    from workbench.ir.stmt import Outside


def reported(s: Outside) -> tuple[Expr, ...]:
    """The values of the indices around an access that its report has room for."""
    return tuple(value for _, value in _reported(s))


def describe_access(s: Outside) -> CheckedAccess:
    """An access in the words of its report."""
    return CheckedAccess(_text(s), tuple(name for name, _ in _reported(s)), s.kind == "finds")


def _reported(s: Outside) -> Iteration:
    return s.iteration[-(STATUS_WORDS - STATUS_ITERATION) :]


def _text(s: Outside) -> str:
    """What errors call an access: `table[idx[i]] in line 2 reads outside its extent 5`.

    Below it the line of the source, with a caret under the access.
    """
    span = s.origin.nearest_span()
    text = s.array if span is None else " ".join(span.text.split())
    line = "" if span is None else f" in line {span.position[0]}"
    if s.kind == "finds":
        return Mistake(f"{text}{line} runs over nothing", span).render()
    which = "its extent" if len(s.index) == 1 else f"the extent of dimension {s.place},"
    words = f"{text}{line} {s.kind} outside {which} {expr_text(s.extent)}"
    return Mistake(words, span).render()
