"""Ranges that end, or begin, at an axis: how a reduction reads as a scan, and what it touches.

Extents are literals here. Where a range ends and what an index takes is found by interval
arithmetic on whole numbers; what that cannot say is no scan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.base.dtypes import I32
from workbench.ir.expr import (
    Apply,
    Const,
    Expr,
    Iterated,
    Reduce,
    Var,
    apply,
    free_names,
    integer,
    loads,
    substitute,
    walk,
)
from workbench.ir.intervals import joined
from workbench.passes.fold import fold, literal_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.ir.expr import Range
    from workbench.ir.graph import Array

    Spans = Mapping[str, tuple[int, int]]
    """The least and the greatest value of variables."""

_END = 2**31
LARGEST = 2**26
"""Terms beyond which a scan stays a triangular reduction, for its prefixes would not fit."""


@dataclass(frozen=True, slots=True)
class Form:
    """A reduction read as a scan over `count` terms, the n-th of them at `first + n`, or before.

    `place` is the number of the range, `axes` are those at which it ends. Of the terms, the
    first `last + 1` are taken, `least` of them at the fewest. `backward`: from the end on.
    """

    place: int
    axes: tuple[str, ...]
    first: int
    count: int
    last: Expr
    least: int
    backward: bool

    def term(self, e: Reduce, step: Var) -> tuple[Expr | None, Expr]:
        """The condition and the value of the term number `step`; other ranges are inside it."""
        at = self.index(step)
        values = {e.ranges[self.place].var: at}
        others = tuple(
            replace(r, start=_at(r.start, values), stop=_at(r.stop, values))
            for n, r in enumerate(e.ranges)
            if n != self.place
        )
        cond = None if e.cond is None else _at(e.cond, values)
        body = _at(e.body, values)
        return (None, replace(e, ranges=others, cond=cond, body=body)) if others else (cond, body)

    def index(self, step: Expr) -> Expr:
        """The value of the range's index at the term number `step`."""
        first = integer(self.first)
        return fold(apply("sub" if self.backward else "add", first, step))


def form_of(e: Reduce, extents: Mapping[str, int]) -> Form | None:
    """How a reduction is a scan along axes with these extents; None where it is none."""
    spans = {name: (0, extent - 1) for name, extent in extents.items()}
    for place, r in enumerate(e.ranges):
        form = _form(place, r, spans)
        if form is not None and form.count <= LARGEST and not _rest(e, place) & set(form.axes):
            return form
    return None


def stays_inside(e: Reduce, extents: Mapping[str, int], shapes: Mapping[str, Array]) -> bool:
    """Whether a reduction ends, and every access is inside its array, whatever the axes are."""
    if any(isinstance(x, Iterated) for x in walk(e)):
        return False  # it may not end where nobody asks for it
    spans = {name: (0, extent - 1) for name, extent in extents.items()}
    for r in (r for x in _reductions(e) for r in x.ranges):
        start, stop = spread(r.start, spans), spread(r.stop, spans)
        if start is None or stop is None:
            return False
        spans[r.var] = (start[0], max(start[0], stop[1] - 1))
    return all(
        not x.checked and x.array in shapes and _holds(x.index, shapes[x.array], spans)
        for x in loads(e)
    )


def spread(e: Expr, spans: Spans) -> tuple[int, int] | None:
    """Bounds of an i32 expression, exact where every variable stands in it once; or None."""
    match e:
        case Const(value) if e.dtype is I32:
            found = (int(value), int(value))
        case Var(name) if name in spans:
            found = spans[name]
        case Apply(op, (a, b)):
            left, right = spread(a, spans), spread(b, spans)
            found = None if left is None or right is None else joined(op, left, right)
            if op in {"floordiv", "mod"} and right is not None and right[0] != right[1]:
                found = None
        case _:
            found = None
    return found if found is not None and found[0] >= -_END and found[1] < _END else None


def _form(place: int, r: Range, spans: Spans) -> Form | None:
    start, stop = literal_int(r.start), literal_int(r.stop)
    if (start is None) == (stop is None):
        return None
    end = r.stop if stop is None else r.start
    names = tuple(n for n in spans if n in free_names(end))
    reach = spread(end, spans) if names and _rises(end, frozenset(names)) else None
    if reach is None:
        return None
    if start is not None:
        last = _shifted(end, -start - 1)
        return _some(
            Form(place, names, start, reach[1] - start, last, reach[0] - start, backward=False)
        )
    assert stop is not None
    last = _taken_from(stop - 1, end)
    return _some(
        Form(place, names, stop - 1, stop - reach[0], last, stop - reach[1], backward=True)
    )


def _some(form: Form) -> Form | None:
    return form if form.count > 0 else None


def _rises(e: Expr, names: frozenset[str]) -> bool:
    """Whether an expression never falls where these variables grow, and holds no others."""
    match e:
        case Const():
            return True
        case Var(name):
            return name in names
        case Apply(("add" | "min" | "max"), (a, b)):
            return _rises(a, names) and _rises(b, names)
        case Apply("sub", (a, Const())):
            return _rises(a, names)
        case Apply("mul", (a, Const(by))) | Apply("mul", (Const(by), a)):
            return by >= 0 and _rises(a, names)
        case Apply("floordiv", (a, Const(by))):
            return by > 0 and _rises(a, names)
        case _:
            return False


def _rest(e: Reduce, place: int) -> frozenset[str]:
    """The names that a reduction uses beside the range at `place`."""
    r = e.ranges[place]
    return free_names(replace(e, ranges=tuple(x for x in e.ranges if x is not r)))


def _shifted(e: Expr, by: int) -> Expr:
    """`e + by`, literals joined."""
    match e:
        case Apply("add", (a, Const(value))) | Apply("add", (Const(value), a)):
            return _shifted(a, by + int(value))
        case Apply("sub", (a, Const(value))):
            return _shifted(a, by - int(value))
        case _ if by == 0:
            return e
        case _:
            return apply("add" if by > 0 else "sub", e, integer(abs(by)), origin=e.origin)


def _taken_from(number: int, e: Expr) -> Expr:
    """`number - e`, literals joined."""
    match e:
        case Apply("add", (a, Const(value))) | Apply("add", (Const(value), a)):
            return _taken_from(number - int(value), a)
        case Apply("sub", (a, Const(value))):
            return _taken_from(number + int(value), a)
        case _:
            return apply("sub", integer(number), e, origin=e.origin)


def _reductions(e: Expr) -> list[Reduce]:
    return [x for x in walk(e) if isinstance(x, Reduce)]


def _holds(index: tuple[Expr, ...], array: Array, spans: Spans) -> bool:
    for e, extent in zip(index, array.shape, strict=True):
        reach, size = spread(e, spans), literal_int(extent)
        if reach is None or size is None or reach[0] < 0 or reach[1] >= size:
            return False
    return True


def _at(e: Expr, values: Mapping[str, Expr]) -> Expr:
    return fold(substitute(e, values))
