"""Totals in two steps: a long reduction to one number, made parallel by partial results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.ir.expr import (
    Expr,
    Iterated,
    Load,
    Range,
    Reduce,
    Var,
    apply,
    integer,
    rebuild,
    rebuild_turns,
    substitute,
)
from workbench.ir.extents import uniform
from workbench.ir.graph import Axis, Block, Equation, Graph, expanded
from workbench.passes.fold import fold, literal_int
from workbench.passes.names import fresh_name, names_of

if TYPE_CHECKING:
    from workbench.ir.graph import Definition

PARTS = 256
"""Partial results of a total: enough for every invocation of some workgroups."""
SHORTEST = 4 * PARTS
"""Terms below which one loop is as good."""
_FOLDS = {"add", "mul", "max", "min", "and", "or"}


def split_totals(graph: Graph) -> Graph:
    """A long reduction to a single number is computed in 256 parts, then over the parts.

    before:  s = sum(x[i] for i in range(100000))
    after:   s_part[p] = sum(x[q * 256 + p] for q in range(391) if q * 256 + p < 100000)
             s = sum(s_part[p] for p in range(256))
    This changes the order of a float sum, not its terms.
    """
    names = names_of(graph)

    def split(d: Equation | Block) -> tuple[Definition, ...]:
        if isinstance(d, Block) or d.axes:
            return (d,)
        parts: list[Equation] = []
        value = _split(d.value, d, parts, _Names(names, graph.open))
        return (*parts, replace(d, value=value) if parts else d)

    definitions = expanded(graph.definitions, split)
    return graph if definitions is graph.definitions else replace(graph, definitions=definitions)


@dataclass(frozen=True, slots=True)
class _Names:
    """The names in use (the set grows), and which of them are open dims."""

    taken: set[str]
    open: tuple[str, ...]


def _split(e: Expr, home: Equation, parts: list[Equation], names: _Names) -> Expr:
    if isinstance(e, Reduce):
        return _parts(e, home, parts, names.taken) if _is_long(e, names.open) else e
    if isinstance(e, Iterated):
        return rebuild_turns(e, lambda x: _split(x, home, parts, names), lambda x: x)
    return rebuild(e, lambda x: _split(x, home, parts, names))


def _is_long(e: Reduce, open_dims: tuple[str, ...]) -> bool:
    """Whether the first range is long; one that an open dim ends may be."""
    first = e.ranges[0]
    stop = literal_int(first.stop)
    long = uniform(first.stop, open_dims) if stop is None else stop >= SHORTEST
    return e.op in _FOLDS and literal_int(first.start) == 0 and long


def _parts(e: Reduce, home: Equation, parts: list[Equation], names: set[str]) -> Expr:
    first, *rest = e.ranges
    extent = literal_int(first.stop)
    part, step = fresh_name("p", names), fresh_name("q", names)
    origin = e.origin.derive("in 256 parts")
    along = apply("mul", Var(step), integer(PARTS), origin=first.origin)
    index = apply("add", along, Var(part), origin=first.origin)
    inside = apply("lt", index, first.stop, origin=first.origin)

    def moved(x: Expr) -> Expr:
        return substitute(x, {first.var: index})

    cond = inside if extent is None or extent % PARTS else None
    if e.cond is not None:
        cond = moved(e.cond) if cond is None else apply("and", cond, moved(e.cond))
    most = fold(apply("add", first.stop, integer(PARTS - 1)))
    turns = fold(apply("floordiv", most, integer(PARTS)))
    steps = Range(step, integer(0), turns, origin=first.origin)
    others = tuple(replace(r, start=moved(r.start), stop=moved(r.stop)) for r in rest)
    body = Reduce(e.op, (steps, *others), cond, moved(e.body), e.dtype, origin=e.origin)
    name = fresh_name(f"{home.target}_part", names)
    axis = Axis(part, integer(PARTS), origin=first.origin)
    parts.append(Equation(name, e.dtype, (axis,), body, origin=e.origin, place=origin))
    over = Range(part, integer(0), integer(PARTS), origin=origin)
    return Reduce(e.op, (over,), None, Load(name, (Var(part),), e.dtype, origin=origin),
                  e.dtype, origin=origin)  # fmt: skip
