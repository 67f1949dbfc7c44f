"""Accesses that may leave their array, and a best of nothing: made, or else reported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workbench.base.errors import CodegenError
from workbench.ir.expr import Iterated, Load, Reduce, apply, integer
from workbench.ir.extents import expression
from workbench.ir.stmt import If, Outside, Store
from workbench.passes.fold import literal_int

if TYPE_CHECKING:
    from workbench.ir.expr import Expr, Iteration, Range
    from workbench.ir.extents import Extent
    from workbench.ir.stmt import Body

_LITERALS = re.compile(r"range\([\s\d,()+*/-]*\)\s*$")
"""A range whose bounds are numbers, at the end of the text of a generator."""


def needs_statements(e: Expr) -> bool:
    """Whether an expression is computed by statements: a reduction, or an access to check."""
    return isinstance(e, Reduce | Iterated) or (isinstance(e, Load) and bool(e.checked))


def inside(
    e: Load | Store,
    index: tuple[Expr, ...],
    shape: tuple[Extent, ...],
    iteration: Iteration,
    access: Body,
) -> Body:
    """The access where its index is inside, else its report.

    `index` and `iteration` are lowered, and `shape` is that of the array.
    """
    origin = e.place if isinstance(e, Store) else e.origin
    for place in reversed(e.checked):
        at, extent = index[place], shape[place]
        test = apply(
            "and",
            apply("le", integer(0), at, origin=origin),
            apply("lt", at, expression(extent), origin=origin),
            origin=origin,
        )
        kind = "writes" if isinstance(e, Store) else "reads"
        report = Outside(e.array, index, place, extent, kind, iteration, origin=origin)
        access = (If(test, access, (report,), origin=origin),)
    return access


def found_something(e: Reduce, best: Load, iteration: Iteration) -> If:
    """The report of an argmax or argmin whose best index is still -1; `iteration` is lowered."""
    report = Outside(best.array, (best,), 0, 0, "finds", iteration, origin=e.origin)
    missing = apply("lt", best, integer(0), origin=e.origin)
    return If(missing, (report,), origin=e.origin)


def refuse_empty_range(e: Reduce, over: Range) -> None:
    """Refuse an argmax or argmin over a range of literals that has nothing in it."""
    start, stop = literal_int(over.start), literal_int(over.stop)
    if start is not None and stop is not None and start >= stop:
        raise CodegenError(
            f"{e.op} over the empty range {over.var} in range({start}, {stop}) has no answer",
            span=e.origin.nearest_span(),
            hint=_larger_range(e, over),
        )


def _larger_range(e: Reduce, over: Range) -> str:
    """The call to make where a dim is 0; where the text says an empty range, the text to write."""
    span = over.origin.nearest_span()
    written = span is not None and _LITERALS.search(span.text)
    if not written:
        return "call it with a dim of at least 1"
    return f"{e.op}(... for {over.var} in range({literal_int(over.start)}, N)), not empty"
