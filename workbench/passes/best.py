"""Argmax and argmin along a range that grows: where the last record stands.

y[i] = argmax(x[k] for k in range(i + 1))

y_before[k] = max(x[n] for n in range(k))
y_argmax[i] = max(k for k in range(i + 1) if k == 0 or x[k] > y_before[k])
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import BOOL, I32
from workbench.base.errors import CodegenError
from workbench.ir.expr import Const, Expr, Range, Reduce, Select, Var, apply, integer
from workbench.ir.show import expr_text
from workbench.passes.names import fresh_name
from workbench.passes.prefixes import Scan, earlier, prefixes

if TYPE_CHECKING:
    from workbench.ir.graph import Definition
    from workbench.passes.ranges import Form


def records(scan: Scan, names: set[str], *, backward: bool) -> tuple[tuple[Definition, ...], Scan]:
    """A scan of argmax or argmin as one of the number of the last record, and what it needs.

    Of equal terms the one with the smallest index counts: the first, or the last of a walk that
    goes backward. A NaN is better than any number.
    """
    op = "max" if scan.op == "argmax" else "min"
    best = replace(
        scan, op=op, dtype=scan.term.dtype, name=fresh_name(f"{scan.name}_before", names)
    )
    definitions = prefixes(best, names)
    term, so_far, origin = scan.term, earlier(best), scan.origin
    if backward:
        better: Expr = apply("ge" if op == "max" else "le", term, so_far, origin=origin)
        nan: Expr = apply("ne", term, term, origin=origin)
    else:
        better = apply("gt" if op == "max" else "lt", term, so_far, origin=origin)
        nan = apply("and", apply("ne", term, term), apply("eq", so_far, so_far), origin=origin)
    if term.dtype.kind == "f":
        better = apply("or", better, nan, origin=origin)
    if not backward:
        more, first = _first(scan, names)
        definitions += more
        better = apply("or", first, better, origin=origin)
    if scan.cond is not None:
        better = Select(scan.cond, better, Const(value=False, dtype=BOOL), origin=origin)
    return definitions, replace(scan, op="max", dtype=I32, cond=better, term=Var(scan.step))


def _first(scan: Scan, names: set[str]) -> tuple[tuple[Definition, ...], Expr]:
    """Whether no term came before this one."""
    if scan.cond is None:
        return (), apply("eq", Var(scan.step), integer(0), origin=scan.origin)
    some = replace(
        scan, op="or", dtype=BOOL, cond=None, term=scan.cond,
        name=fresh_name(f"{scan.name}_any", names),
    )  # fmt: skip
    return prefixes(some, names), apply("not", earlier(some), origin=scan.origin)


def reported(found: Expr, e: Reduce, names: set[str]) -> Expr:
    """The number that was found; below 0 it says that nothing was, and is reported."""
    var = fresh_name("found", names)
    over = Range(var, found, apply("add", found, integer(1)), origin=e.origin)
    some = apply("ge", Var(var), integer(0), origin=e.origin)
    return Reduce("argmax", (over,), some, integer(0), I32, e.iteration, origin=e.origin)


def refuse_empty(e: Reduce, form: Form) -> None:
    """Refuse an argmax that has nothing to choose from at the first, or last, of its axes."""
    place = "last" if form.backward else "first"
    raise CodegenError(
        f"{e.op} along '{', '.join(form.axes)}' has no answer at the {place} of it: "
        f"there is no {e.ranges[0].var} in its range",
        span=e.origin.nearest_span(),
        hint=f"{expr_text(e)} if {expr_text(form.last)} >= 0 else -1",
    )
