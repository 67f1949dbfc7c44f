"""Steps that compute a reduction in parts: `rfactor`.

The operations of reductions may be done in any order and grouping; what that does to the last
digits of float sums is said in the verdict's notes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from workbench.ir.expr import Const, Expr, Load, Var, apply, free_names, integer, loads
from workbench.ir.extents import Extent
from workbench.ir.loops import Buffer, Loops
from workbench.ir.ops import unit
from workbench.ir.stmt import (
    Alloc,
    Body,
    For,
    If,
    LoopKind,
    Memory,
    Stmt,
    Store,
    bodies,
    expressions,
    map_bodies,
    walk_stmts,
)
from workbench.schedule.names import find, shown
from workbench.schedule.nests import (
    around,
    extent,
    fresh,
    literal,
    loops_in,
    renamed,
    repeated,
    replaced,
    taken,
    trips,
)
from workbench.schedule.producers import kept_outside
from workbench.schedule.step import YES, Verdict, no, step

MEMORIES = tuple(m.value for m in Memory)
_TURNS = {LoopKind.SERIAL, LoopKind.UNROLLED}
_SHARED = {LoopKind.COOPERATIVE, LoopKind.WORKER, LoopKind.VECTOR}
_WORDS = {"add": "additions", "mul": "multiplications"}


@step
@dataclass(frozen=True, slots=True)
class Rfactor:
    """Give each iteration of a reduction's loop a partial result, and combine these at the end.

    before:  C[i] = 0
             for k_o in range(n):
                 for k_i in range(4): C[i] += A[i, k_o * 4 + k_i]
    after rfactor('k_i'):
             C_parts[0:4] = 0
             for k_o in range(n):
                 for k_i in range(4): C_parts[k_i] += A[i, k_o * 4 + k_i]
             C[i] = 0
             for k_i_1 in range(4): C[i] += C_parts[k_i_1]

    Partial results in private memory can be a vector. In workgroup memory each is computed by an
    invocation of its own, and they are combined two by two. In storage they are an array
    of their own, computed by a nest of its own, whose loops later steps may run side by side.
    """

    loop: str
    memory: str = field(default="private", kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses what is no reduction; float sums that are grouped anew are noted."""
        found = _reduction(self, loops)
        if isinstance(found, Verdict):
            return found
        refusal = YES if self.memory == "private" else _whole(self, loops, found)
        if not refusal:
            return refusal
        word = _WORDS.get(found.op) if found.update.value.dtype.kind == "f" else None
        notes = (f"changes the order of the float {word} of {found.update.array}",) if word else ()
        return Verdict(notes=notes)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = _reduction(self, loops)
        assert isinstance(found, _Reduction)
        match self.memory:
            case "private":
                return _privately(loops, found)
            case "workgroup":
                return _by_workgroup(loops, found)
            case _:
                return _in_storage(loops, found)


@dataclass(frozen=True, slots=True)
class _Reduction:
    """`body` holds the first value and the loops `whole` of a reduction; `loop` is one of them.

    `path` leads from the statement of a function's body to `loop`.
    """

    path: tuple[Stmt, ...]
    body: Body
    whole: For
    loop: For
    count: int
    start: Store
    update: Store

    @property
    def op(self) -> str:
        """The operation that combines results."""
        assert self.update.reduce is not None
        return self.update.reduce

    @property
    def plain(self) -> bool:
        """Whether the first value is what an empty reduction gives, so that parts take it over."""
        first, dtype = self.start.value, self.update.value.dtype
        if not isinstance(first, Const) or first != unit(self.op, dtype):
            return False
        return math.copysign(1, first.value) > 0 or first.value != 0

    @property
    def identity(self) -> Const:
        """Where a part begins: what changes no result, -0.0 for sums unless all begin at 0.0."""
        dtype = self.update.value.dtype
        if self.op == "add" and dtype.kind == "f" and not self.plain:
            return Const(-0.0, dtype, origin=self.update.origin)
        return replace(unit(self.op, dtype), origin=self.update.origin)

    @property
    def outer(self) -> tuple[Stmt, ...]:
        """The statements around `whole`, outermost first."""
        return self.path[: next(n for n, s in enumerate(self.path) if s is self.whole)]


def _reduction(step: Rfactor, loops: Loops) -> _Reduction | Verdict:
    loop = find(loops, step.loop)
    if isinstance(loop, Verdict):
        return loop
    if step.memory not in MEMORIES:
        hint = ", ".join(f"memory={m!r}" for m in MEMORIES)
        return no(f"no memory '{step.memory}'", loop.origin, hint=hint)
    count = extent(loop)
    if count is None or count < 1 or literal(loop.start) != 0 or loop.step != 1:
        reason = f"'{step.loop}' does not run from 0 to a literal"
        return no(reason, loop.origin, hint=f"split({step.loop!r}, 64), then one of the two")
    if loop.kind not in _TURNS:
        return no(f"'{step.loop}' is {loop.kind.value}", loop.origin, hint="rfactor before it")
    update = _only(loop.body)
    if update is None or update.reduce is None or update.atomic or update.unproved:
        reason = f"'{step.loop}' does more than update one element"
        return no(reason, loop.origin, hint="a loop of a sum, prod, max, min, any or all")
    path = tuple(s for s in around(loops.body, loop.var) if not repeated(s))
    place = _outermost(path, update)
    whole = path[place]
    assert isinstance(whole, For)
    refusal = _uneven(step, whole, update)
    if not refusal:
        return refusal
    body = _body_of(loops, path, place)
    start = _first_value(body, whole, update)
    if start is None:
        reason = f"no first value of {update.array} is stored right before '{step.loop}'"
        return no(reason, loop.origin, hint="rfactor before reorder")
    return _Reduction(path, body, whole, loop, count, start, update)


def _only(body: Body) -> Store | None:
    """The store that a body comes down to, through loops and conditions of one statement each."""
    match body:
        case (Store() as store,):
            return store
        case (For() as inner,) if inner.kind in _TURNS:
            return _only(inner.body)
        case (If(orelse=()) as inner,):
            return _only(inner.then)
        case _:
            return None


def _outermost(path: Sequence[Stmt], update: Store) -> int:
    """The place of the outermost loop of a reduction in the path to one of its loops."""
    index = frozenset[str]().union(*(free_names(e) for e in update.index))
    place = len(path) - 1
    for n in reversed(range(len(path) - 1)):
        s = path[n]
        alone = len(bodies(s)[0]) == 1 and not (isinstance(s, If) and s.orelse)
        if not alone or (isinstance(s, For) and (s.kind not in _TURNS or s.var in index)):
            break
        if isinstance(s, For):
            place = n
    return place


def _uneven(step: Rfactor, whole: For, update: Store) -> Verdict:
    """Refuses an element that varies in the loops, and terms that depend on the result."""
    inner = {x.var for x in loops_in((whole,))}
    for e in update.index:
        if free_names(e) & inner or next(loads(e), None) is not None:
            reason = f"'{step.loop}' updates more than one element of {update.array}"
            return no(reason, update.origin, hint="a loop of the reduction alone")
    for s in walk_stmts((whole,)):
        for e in expressions(s):
            read = next((x for x in loads(e) if x.array == update.array), None)
            if read is not None:
                return no(f"a term needs {update.array} as it is so far", read.origin)
    return YES


def _body_of(loops: Loops, path: Sequence[Stmt], place: int) -> Body:
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


def _first_value(body: Body, whole: For, update: Store) -> Store | None:
    """The plain store of the same element behind which the loops stand, nothing between them."""
    place = next(n for n, s in enumerate(body) if s is whole)
    before = body[place - 1] if place else None
    match before:
        case Store(array, index, reduce=None) if (array, index) == (update.array, update.index):
            return before
        case _:
            return None


def _whole(step: Rfactor, loops: Loops, r: _Reduction) -> Verdict:
    """Refuses nests that do more than the reduction, which is to be taken apart."""
    array = r.update.array
    if loops.buffer(array) is None:
        reason = f"{array} is private to an iteration of what stands around it"
        return no(reason, r.loop.origin, hint=f"rfactor({step.loop!r}), or an equation of its own")
    kept = kept_outside(loops, (r.start, r.whole))
    if kept:
        reason = f"'{min(kept)}', which a term needs, is kept by what stands around it"
        return no(reason, r.loop.origin, hint=f"rfactor({step.loop!r})")
    for n, s in enumerate(r.outer, 1):
        name = f"'{shown(loops, s.var)}'" if isinstance(s, For) else "a condition"
        if not isinstance(s, For) or (step.memory == "storage" and not _open(loops, s)):
            reason = f"{name} stands around it and is no plain loop from 0"
            return no(reason, s.origin, hint="rfactor before split and parallelize")
        if s.kind.on_invocations or s.kind in _SHARED:
            hint = "parallelize(loop, 'workgroup.x') without a size: a workgroup for each result"
            return no(f"{name} is mapped onto {s.kind.value}", s.origin, hint=hint)
        if len(s.body) != (2 if n == len(r.outer) else 1):
            return no(f"more stands in {name} than the reduction", s.origin)
    return YES


def _open(loops: Loops, s: For) -> bool:
    plain = s.kind in {LoopKind.SERIAL, LoopKind.PARALLEL}
    return plain and literal(s.start) == 0 and s.step == 1 and trips(loops, s) is not None


def _privately(loops: Loops, r: _Reduction) -> Loops:
    names = taken(loops)
    name = fresh(names, f"{r.update.array}_parts")
    origin = r.update.origin.derive("in parts")
    declared = Alloc(name, r.update.value.dtype, (r.count,), Memory.PRIVATE, origin=origin)
    empty = _over_parts(r, names, lambda at: Store(name, (at,), r.identity, origin=origin))
    part = Var(r.loop.var, origin=r.loop.origin)
    summed = _rewritten(r.whole, replace(r.update, array=name, index=(part,)))
    last = _over_parts(r, names, lambda at: replace(r.update, value=_part(r, name, (at,))))
    body = replaced(loops.body, r.whole, (declared, empty, *summed, last))
    return replace(loops, body=body)


def _by_workgroup(loops: Loops, r: _Reduction) -> Loops:
    """One invocation for each part; then half of them add the other half, and so on."""
    names = taken(loops)
    array, dtype = r.update.array, r.update.value.dtype
    shared, own = fresh(names, f"{array}_parts"), fresh(names, f"{array}_private")
    origin = r.update.origin.derive("by the whole workgroup")
    alone = (
        Alloc(own, dtype, (), Memory.PRIVATE, origin=origin),
        Store(own, (), r.identity, origin=origin),
        *_rewritten(r.whole, replace(r.update, array=own, index=()), without=r.loop),
        Store(
            shared, (Var(r.loop.var, origin=origin),), Load(own, (), dtype, origin=origin),
            origin=origin,
        ),
    )  # fmt: skip
    body: Body = (
        Alloc(shared, dtype, (r.count,), Memory.WORKGROUP, origin=origin),
        replace(r.loop, kind=LoopKind.INVOCATION_X, body=alone),
        *_tree(r, shared, names),
        _result(r, shared, fresh(names, "last")),
    )
    if not r.outer:
        once = fresh(names, "whole")
        body = (For(once, integer(0), integer(1), body, LoopKind.WORKGROUP_X, origin=origin),)
    rest = replaced(loops.body, r.start, ())
    return replace(loops, body=replaced(rest, r.whole, body))


def _tree(r: _Reduction, shared: str, names: set[str]) -> Body:
    """The loops that leave the combination of all parts in the first one."""
    origin = r.update.origin.derive("two parts become one")
    out: list[Stmt] = []
    count = r.count
    while count > 1:
        half = 1 << (count - 1).bit_length() - 1
        at = Var(fresh(names, "part"), origin=origin)
        other = apply("add", at, integer(half, origin), origin=origin)
        both = replace(r.update, array=shared, index=(at,), value=_part(r, shared, (other,)))
        stop = integer(count - half)
        kind = LoopKind.COOPERATIVE
        out.append(For(at.name, integer(0), stop, (both,), kind, origin=origin))
        count = half
    return tuple(out)


def _result(r: _Reduction, shared: str, var: str) -> For:
    """One invocation stores the result."""
    origin = r.update.origin.derive("the result")
    first = _part(r, shared, (integer(0, origin),))
    store = replace(r.update, value=first, reduce=None)
    body: Body = (store,) if r.plain else (r.start, replace(store, reduce=r.op))
    return For(var, integer(0), integer(1), body, LoopKind.COOPERATIVE, origin=origin)


def _in_storage(loops: Loops, r: _Reduction) -> Loops:
    """A nest that computes an array of parts, and one that combines them."""
    names = taken(loops)
    outer = [s for s in r.outer if isinstance(s, For)]
    name = fresh(names, f"{r.update.array}_parts")
    index = tuple(Var(s.var, origin=s.origin) for s in outer)
    mine = (*index, Var(r.loop.var, origin=r.loop.origin))
    origin = r.update.origin.derive("in parts")
    parts: Stmt = replace(
        r.loop, kind=LoopKind.PARALLEL,
        body=(
            Store(name, mine, r.identity, origin=origin, place=r.update.place),
            *_rewritten(r.whole, replace(r.update, array=name, index=mine), without=r.loop),
        ),
    )  # fmt: skip
    for s in reversed(outer):
        parts = replace(s, body=(parts,))
    parts = renamed(parts, {s.var: fresh(names, s.var) for s in outer}, "its own loop")
    last = _over_parts(r, names, lambda at: replace(r.update, value=_part(r, name, (*index, at))))
    first: Stmt = outer[0] if outer else r.start
    combined = replaced((first,), r.whole, (last,))
    body = replaced(loops.body, first, (parts, *combined))
    if not outer:
        body = replaced(body, r.whole, (last,))
    shape = tuple(_extent(loops, s) for s in (*outer, r.loop))
    buffer = Buffer(name, r.update.value.dtype, shape, "temporary", origin=origin)
    return replace(loops, body=body, buffers=(*loops.buffers, buffer))


def _extent(loops: Loops, s: For) -> Extent:
    count = trips(loops, s)
    assert count is not None, "check has seen that the loop has an extent"
    number = literal(count)
    return count if number is None else number


def _over_parts(r: _Reduction, names: set[str], make: Callable[[Var], Store]) -> For:
    """A loop over the parts, with a variable of its own."""
    origin = r.loop.origin.derive("over the parts")
    at = Var(fresh(names, r.loop.var), origin=origin)
    return For(at.name, integer(0), integer(r.count), (make(at),), origin=origin)


def _part(r: _Reduction, name: str, index: tuple[Expr, ...]) -> Load:
    return Load(name, index, r.update.value.dtype, origin=r.update.origin)


def _rewritten(s: Stmt, update: Store, *, without: For | None = None) -> Body:
    """The loops of a reduction around another update, without one of them."""
    if isinstance(s, Store):
        return (update,)

    def inside(body: Body) -> Body:
        return tuple(x for y in body for x in _rewritten(y, update, without=without))

    if s is without and isinstance(s, For):
        return inside(s.body)
    return (map_bodies(s, inside),)
