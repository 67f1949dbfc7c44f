"""Reductions: the loops that take terms in, the first values before them, what stands around.

`reduce_steps` and `algebra_steps` change them; here they are recognised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from workbench.ir.expr import Const, Expr, free_names, loads
from workbench.ir.loops import Loops
from workbench.ir.stmt import (
    Body,
    For,
    If,
    LoopKind,
    Stmt,
    Store,
    bodies,
    expressions,
    map_bodies,
    walk_stmts,
)
from workbench.schedule.names import find
from workbench.schedule.nests import around, loops_in, repeated
from workbench.schedule.states import Cell, Fold, State, state_of
from workbench.schedule.step import YES, Verdict, no

TURNS = (LoopKind.SERIAL, LoopKind.UNROLLED)
"""The kinds of loops whose iterations take terms in one after the other."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """`body` holds the first values and the loops `whole` of a reduction; `loop` is one of them.

    `path` leads from the statement of a function's body to `loop`; `inner` are the statements
    that take a term in, and keep up `state`.
    """

    path: tuple[Stmt, ...]
    body: Body
    whole: For
    loop: For
    starts: tuple[Store, ...]
    inner: Body
    state: State

    @property
    def plain(self) -> bool:
        """Whether the first values are what an empty reduction gives, so that parts take it."""
        return all(_empty(s.value, c) for s, c in zip(self.starts, self.state.cells, strict=True))

    def identity(self, cell: Cell) -> Const:
        """Where a part begins: what changes no result, -0.0 for sums unless all begin at 0.0."""
        match self.state:
            case Fold(update) if update.reduce == "add" and cell.dtype.kind == "f":
                first = cell.unit if self.plain else Const(-0.0, cell.dtype)
                return replace(first, origin=cell.origin)
            case _:
                return cell.unit

    @property
    def outer(self) -> tuple[Stmt, ...]:
        """The statements around `whole`, outermost first."""
        return self.path[: next(n for n, s in enumerate(self.path) if s is self.whole)]

    def rewritten(self, inner: Body, *, without: For | None = None) -> Body:
        """Its loops around other statements, perhaps without one of them."""

        def changed(body: Body) -> Body:
            if body is self.inner:
                return inner
            return tuple(x for s in body for x in one(s))

        def one(s: Stmt) -> Body:
            if s is without and isinstance(s, For):
                return changed(s.body)
            return (map_bodies(s, changed),)

        return one(self.whole)


def _empty(first: Expr, cell: Cell) -> bool:
    if not isinstance(first, Const) or first != cell.unit:
        return False
    return math.copysign(1, first.value) > 0 or first.value != 0


def reduction(loops: Loops, name: str) -> Reduction | Verdict:
    """The reduction of which a loop is one, or why it is of none."""
    loop = find(loops, name)
    return loop if isinstance(loop, Verdict) else reduction_over(loops, loop, name)


def reduction_over(loops: Loops, loop: For, name: str) -> Reduction | Verdict:
    """The reduction of a loop that the reader calls so."""
    if loop.kind not in TURNS:
        return no(f"'{name}' is {loop.kind.value}", loop.origin, hint="before it")
    found = _only(loop.body)
    if found is None:
        reason = f"'{name}' does more than update one element"
        return no(reason, loop.origin, hint="a loop of a sum, prod, max, min, any or all")
    inner, state = found
    path = tuple(s for s in around(loops.body, loop.var) if not repeated(s))
    place = _outermost(path, state)
    whole = path[place]
    assert isinstance(whole, For)
    refusal = _uneven(name, whole, inner, state)
    if not refusal:
        return refusal
    body = body_of(loops, path, place)
    starts = first_values(body, whole, state.cells)
    if starts is None:
        reason = f"no first value of {state.cells[0].array} is stored right before '{name}'"
        return no(reason, loop.origin, hint="before reorder")
    return Reduction(path, body, whole, loop, starts, inner, state)


def _only(body: Body) -> tuple[Body, State] | None:
    """What a body comes down to, through loops and conditions of one statement each."""
    state = state_of(body)
    if state is not None:
        return body, state
    match body:
        case (For() as inner,) if inner.kind in TURNS:
            return _only(inner.body)
        case (If(orelse=()) as inner,):
            return _only(inner.then)
        case _:
            return None


def _outermost(path: Sequence[Stmt], state: State) -> int:
    """The place of the outermost loop of a reduction in the path to one of its loops."""
    index = frozenset[str]().union(*(free_names(e) for c in state.cells for e in c.index))
    place = len(path) - 1
    for n in reversed(range(len(path) - 1)):
        s = path[n]
        alone = len(bodies(s)[0]) == 1 and not (isinstance(s, If) and s.orelse)
        if not alone or (isinstance(s, For) and (s.kind not in TURNS or s.var in index)):
            break
        if isinstance(s, For):
            place = n
    return place


def _uneven(name: str, whole: For, inner: Body, state: State) -> Verdict:
    """Refuses an element that varies in the loops, and terms that depend on the result."""
    variables = {x.var for x in loops_in((whole,))}
    for c in state.cells:
        for e in c.index:
            if free_names(e) & variables or next(loads(e), None) is not None:
                reason = f"'{name}' updates more than one element of {c.array}"
                return no(reason, c.origin, hint="a loop of the reduction alone")
    arrays = {c.array for c in state.cells}
    own = set(map(id, inner))
    outside = (e for s in walk_stmts((whole,)) if id(s) not in own for e in expressions(s))
    for e in (*outside, state.term):
        read = next((x for x in loads(e) if x.array in arrays), None)
        if read is not None:
            return no(f"a term needs {read.array} as it is so far", read.origin)
    return YES


def body_of(loops: Loops, path: Sequence[Stmt], place: int) -> Body:
    """The body in which a statement of a path stands."""
    if place:
        return next(b for b in bodies(path[place - 1]) if any(s is path[place] for s in b))

    def search(body: Body) -> Body | None:
        if any(s is path[0] for s in body):
            return body
        inner = (search(s.body) for s in body if isinstance(s, For) and repeated(s))
        return next((b for b in inner if b is not None), None)

    found = search(loops.body)
    assert found is not None, "the path begins in a body of nests"
    return found


def first_values(body: Body, whole: For, cells: Sequence[Cell]) -> tuple[Store, ...] | None:
    """The plain stores of the cells behind which the loops stand, nothing between them."""
    place = next(n for n, s in enumerate(body) if s is whole)
    before = body[max(0, place - len(cells)) : place]
    stores = [s for s in before if isinstance(s, Store) and s.reduce is None]
    found = [s for c in cells for s in stores if (s.array, s.index) == (c.array, c.index)]
    return tuple(found) if len(found) == len(cells) else None
