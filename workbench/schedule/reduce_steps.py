"""Steps that compute a reduction in parts: `rfactor`.

The operations of reductions may be done in any order and grouping; what that does to the last
digits of float sums is said in the verdict's notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from workbench.ir.expr import Expr, Var, apply, integer
from workbench.ir.extents import Extent
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import Alloc, Body, For, LoopKind, Memory, Stmt
from workbench.schedule.names import shown
from workbench.schedule.nests import (
    extent,
    fresh,
    literal,
    renamed,
    replaced,
    taken,
    trips,
)
from workbench.schedule.producers import kept_outside
from workbench.schedule.reductions import Reduction, reduction
from workbench.schedule.states import Cell, Fold
from workbench.schedule.step import YES, Verdict, no, step

MEMORIES = tuple(m.value for m in Memory)
_SHARED = {LoopKind.COOPERATIVE, LoopKind.PREFETCH, LoopKind.WORKER, LoopKind.VECTOR}
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
    What `online_softmax` and `welford` made is computed in parts, too: each part has all results.
    """

    loop: str
    memory: str = field(default="private", kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses what is no reduction; float sums that are grouped anew are noted."""
        found = _parts_of(self, loops)
        if isinstance(found, Verdict):
            return found
        refusal = YES if self.memory == "private" else _whole(self, loops, found)
        if not refusal:
            return refusal
        return Verdict(notes=_notes(found))

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = _parts_of(self, loops)
        assert isinstance(found, Reduction)
        match self.memory:
            case "private":
                return _privately(loops, found)
            case "workgroup":
                return _by_workgroup(loops, found)
            case _:
                return _in_storage(loops, found)


def _parts_of(step: Rfactor, loops: Loops) -> Reduction | Verdict:
    """The reduction whose loop gives the parts."""
    found = reduction(loops, step.loop)
    if isinstance(found, Verdict):
        return found
    loop = found.loop
    if step.memory not in MEMORIES:
        hint = ", ".join(f"memory={m!r}" for m in MEMORIES)
        return no(f"no memory '{step.memory}'", loop.origin, hint=hint)
    count = extent(loop)
    if count is None or count < 1 or literal(loop.start) != 0 or loop.step != 1:
        reason = f"'{step.loop}' does not run from 0 to a literal"
        return no(reason, loop.origin, hint=f"split({step.loop!r}, 64), then one of the two")
    if not isinstance(found.state, Fold) and not found.plain:
        reason = f"{found.starts[0].array} begins with a value of its own"
        return no(reason, found.starts[0].origin)
    return found


def _notes(r: Reduction) -> tuple[str, ...]:
    match r.state:
        case Fold() as fold:
            floats = fold.term.dtype.kind == "f"
            word = _WORDS.get(fold.op) if floats else None
            arrays = [fold.update.array]
        case _:
            word, arrays = _WORDS["add"], [c.array for c in r.state.cells if c.dtype.kind == "f"]
    return tuple(f"changes the order of the float {word} of {a}" for a in arrays[-1:] if word)


def _whole(step: Rfactor, loops: Loops, r: Reduction) -> Verdict:
    """Refuses nests that do more than the reduction, which is to be taken apart."""
    private = [c.array for c in r.state.cells if loops.buffer(c.array) is None]
    if private:
        array = private[0]
        reason = f"{array} is private to an iteration of what stands around it"
        return no(reason, r.loop.origin, hint=f"rfactor({step.loop!r}), or an equation of its own")
    kept = kept_outside(loops, (*r.starts, r.whole))
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
        if len(s.body) != (1 + len(r.starts) if n == len(r.outer) else 1):
            return no(f"more stands in {name} than the reduction", s.origin)
    return YES


def _open(loops: Loops, s: For) -> bool:
    plain = s.kind in {LoopKind.SERIAL, LoopKind.PARALLEL}
    return plain and literal(s.start) == 0 and s.step == 1 and trips(loops, s) is not None


def _privately(loops: Loops, r: Reduction) -> Loops:
    names = taken(loops)
    part = Var(r.loop.var, origin=r.loop.origin)
    parts = _elsewhere(r, names, "parts", (part,), "in parts")
    shape = (_count(r),)
    declared = [Alloc(c.array, c.dtype, shape, Memory.PRIVATE, origin=c.origin) for c in parts]
    empty = _over_parts(r, names, lambda at: _empty(r, _at(parts, (at,))))
    summed = r.rewritten(r.state.at(_as_updated(r, parts)).body())
    last = _over_parts(r, names, lambda at: _merged(r, _at(parts, (at,)), names))
    body = replaced(loops.body, r.whole, (*declared, empty, *summed, last))
    return replace(loops, body=body)


def _by_workgroup(loops: Loops, r: Reduction) -> Loops:
    """One invocation for each part; then half of them add the other half, and so on."""
    names = taken(loops)
    note = "by the whole workgroup"
    mine = (Var(r.loop.var, origin=r.loop.origin),)
    shared = _elsewhere(r, names, "parts", mine, note)
    own = _elsewhere(r, names, "private", (), note)
    shape = (_count(r),)
    alone = (
        *(Alloc(c.array, c.dtype, (), Memory.PRIVATE, origin=c.origin) for c in own),
        *_empty(r, own),
        *r.rewritten(r.state.at(_as_updated(r, own)).body(), without=r.loop),
        *(to.store(c.load) for to, c in zip(shared, own, strict=True)),
    )
    body: Body = (
        *(Alloc(c.array, c.dtype, shape, Memory.WORKGROUP, origin=c.origin) for c in shared),
        replace(r.loop, kind=LoopKind.INVOCATION_X, body=alone),
        *_tree(r, shared, names),
        _result(r, shared, fresh(names, "last")),
    )
    if not r.outer:
        once = fresh(names, "whole")
        origin = shared[0].origin
        body = (For(once, integer(0), integer(1), body, LoopKind.WORKGROUP_X, origin=origin),)
    rest = loops.body
    for s in r.starts:
        rest = replaced(rest, s, ())
    return replace(loops, body=replaced(rest, r.whole, body))


def _tree(r: Reduction, shared: Sequence[Cell], names: set[str]) -> Body:
    """The loops that leave the combination of all parts in the first one."""
    origin = r.state.cells[0].origin.derive("two parts become one")
    out: list[Stmt] = []
    count = _count(r)
    while count > 1:
        half = 1 << (count - 1).bit_length() - 1
        at = Var(fresh(names, "part"), origin=origin)
        other = apply("add", at, integer(half, origin), origin=origin)
        mine = r.state.at(_as_updated(r, _at(shared, (at,))))
        both = mine.merged(_at(shared, (other,)), names)
        stop = integer(count - half)
        kind = LoopKind.COOPERATIVE
        out.append(For(at.name, integer(0), stop, both, kind, origin=origin))
        count = half
    return tuple(out)


def _result(r: Reduction, shared: Sequence[Cell], var: str) -> For:
    """One invocation stores the results."""
    origin = r.state.cells[0].origin.derive("the result")
    first = _at(shared, (integer(0, origin),))
    if r.plain:
        pairs = zip(r.state.cells, first, strict=True)
        body: Body = tuple(replace(c.store(part.load), origin=c.origin) for c, part in pairs)
    else:
        body = (*r.starts, *r.state.merged(first, set()))
    return For(var, integer(0), integer(1), body, LoopKind.COOPERATIVE, origin=origin)


def _in_storage(loops: Loops, r: Reduction) -> Loops:
    """A nest that computes arrays of parts, and one that combines them."""
    names = taken(loops)
    outer = [s for s in r.outer if isinstance(s, For)]
    index = tuple(Var(s.var, origin=s.origin) for s in outer)
    mine = (*index, Var(r.loop.var, origin=r.loop.origin))
    parts = _elsewhere(r, names, "parts", mine, "in parts")
    inside = r.rewritten(r.state.at(_as_updated(r, parts)).body(), without=r.loop)
    nest: Stmt = replace(r.loop, kind=LoopKind.PARALLEL, body=(*_empty(r, parts), *inside))
    for s in reversed(outer):
        nest = replace(s, body=(nest,))
    nest = renamed(nest, {s.var: fresh(names, s.var) for s in outer}, "its own loop")
    last = _over_parts(r, names, lambda at: _merged(r, _at(parts, (*index, at)), names))
    first: Stmt = outer[0] if outer else r.starts[0]
    combined = replaced((first,), r.whole, (last,))
    body = replaced(loops.body, first, (nest, *combined))
    if not outer:
        body = replaced(body, r.whole, (last,))
    shape = tuple(_extent(loops, s) for s in (*outer, r.loop))
    made = (Buffer(c.array, c.dtype, shape, "temporary", origin=c.origin) for c in parts)
    return replace(loops, body=body, buffers=(*loops.buffers, *made))


def _count(r: Reduction) -> int:
    count = extent(r.loop)
    assert count is not None, "check has seen that the loop has an extent"
    return count


def _elsewhere(
    r: Reduction, names: set[str], suffix: str, index: tuple[Expr, ...], note: str
) -> tuple[Cell, ...]:
    """Elements of new arrays, one for each that the reduction keeps up to date."""
    return tuple(
        replace(
            c, array=fresh(names, f"{c.array}_{suffix}"), index=index, origin=c.origin.derive(note)
        )
        for c in r.state.cells
    )


def _at(cells: Sequence[Cell], index: tuple[Expr, ...]) -> tuple[Cell, ...]:
    return tuple(replace(c, index=index) for c in cells)


def _as_updated(r: Reduction, cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells with the origins of those that the reduction has."""
    pairs = zip(cells, r.state.cells, strict=True)
    return tuple(replace(c, origin=old.origin) for c, old in pairs)


def _empty(r: Reduction, cells: Sequence[Cell]) -> Body:
    """The stores with which a part begins."""
    pairs = zip(cells, r.state.cells, strict=True)
    return tuple(c.store(r.identity(old)) for c, old in pairs)


def _merged(r: Reduction, parts: Sequence[Cell], names: set[str]) -> Body:
    """The statements by which the results take in a part."""
    return r.state.merged(_as_updated(r, parts), names)


def _extent(loops: Loops, s: For) -> Extent:
    count = trips(loops, s)
    assert count is not None, "check has seen that the loop has an extent"
    number = literal(count)
    return count if number is None else number


def _over_parts(r: Reduction, names: set[str], make: Callable[[Var], Body]) -> For:
    """A loop over the parts, with a variable of its own."""
    origin = r.loop.origin.derive("over the parts")
    at = Var(fresh(names, r.loop.var), origin=origin)
    return For(at.name, integer(0), integer(_count(r)), make(at), origin=origin)
