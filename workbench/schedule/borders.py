"""What holds around a loop, and whether a box of elements may leave its array there."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.ir.deps import holds_at
from workbench.ir.expr import Expr, Var, apply, free_names, integer
from workbench.ir.extents import Extent, expression
from workbench.ir.linear import linear, plus
from workbench.ir.stmt import For, If, Stmt
from workbench.schedule.regions import Box, reach, spans_of

Borders = tuple[tuple[bool, bool], ...]
"""For each dimension: whether a box may begin before the array, and end past it."""


def around_it(path: Sequence[Stmt], outer: Sequence[For], *, guards: bool) -> tuple[Expr, ...]:
    """What holds around the body of the last loop of a path; without `guards`, bounds only."""
    conditions: list[Expr] = []
    for s, following in zip(path, (*path[1:], None), strict=True):
        match s:
            case For(var, start, stop) if s in outer:
                conditions += within(Var(var), start, stop)
                if s.step != 1:
                    turns = apply("mod", apply("sub", Var(var), start), integer(s.step))
                    conditions.append(apply("eq", turns, integer(0)))
            case If(cond, then) if guards:
                conditions.append(cond if following in then else apply("not", cond))
            case _:
                pass
    return tuple(conditions)


def within(e: Expr, start: Expr, stop: Expr) -> list[Expr]:
    """`start <= e` and `e < stop`."""
    return [apply("ge", e, start), apply("lt", e, stop)]


def borders(
    region: Box, shape: Sequence[Extent], outer: Sequence[For], holds: Sequence[Expr]
) -> Borders:
    """Where the box of an array of a shape may leave it, while `holds` is true."""
    sides = zip(region.corner, region.extents, shape, strict=True)
    return tuple(_outside(outer, holds, corner, size, extent) for corner, size, extent in sides)


def _outside(
    outer: Sequence[For], holds: Sequence[Expr], corner: Expr, size: int, extent: Extent
) -> tuple[bool, bool]:
    """Whether elements of the box may lie before the array's first, and past its last."""
    place = Var("place in the box")
    element = corner if size == 1 else plus(corner, place)
    before_it = apply("lt", element, integer(0))
    after_it = apply("ge", element, expression(extent))
    spans = spans_of(outer)
    at = None if spans is None else reach(corner, spans)
    low, high = True, apply("lt", element, expression(extent)) not in holds
    if at is not None and not at.terms and not at.guessed:
        low, high = at.low < 0, high and (not isinstance(extent, int) or at.high + size > extent)
    names = [*(x.var for x in outer), place.name]
    conditions = [*holds, *within(place, integer(0), integer(size))]
    if at is not None and _only_bounds(outer, holds, corner):
        return low, high
    return (
        low and holds_at(names, [*conditions, before_it]) is not None,
        high and holds_at(names, [*conditions, after_it]) is not None,
    )


def _only_bounds(outer: Sequence[For], holds: Sequence[Expr], corner: Expr) -> bool:
    """Whether the corner is a sum of loop variables of which no more than their ranges is known.

    Then its least and greatest values are those of the sum.
    """
    ranges = [c for x in outer for c in within(Var(x.var), x.start, x.stop)]
    used = free_names(corner)
    known = (c for c in holds if free_names(c) & used)
    return all(isinstance(t, Var) for t in linear(corner)[0]) and all(c in ranges for c in known)
