"""Steps that say where an intermediate array is computed: `inline` and `compute_at`.

An equation is a value; these decide whether it is stored whole, in part, or not at all. What an
equation reads must be the same at its new place (`producers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workbench.base.source import Origin
from workbench.ir.access import accesses
from workbench.ir.expr import Expr, Load, loads, substitute, walk
from workbench.ir.loops import Loops, Root
from workbench.ir.stmt import (
    Body,
    For,
    Memory,
    Outside,
    Stmt,
    Store,
    expressions,
    map_bodies,
    map_exprs,
    reads,
    walk_stmts,
)
from workbench.schedule.borders import around_it, borders
from workbench.schedule.copies import Plan, computed
from workbench.schedule.memory_steps import PLACES
from workbench.schedule.names import find, shown
from workbench.schedule.nests import around, loops_in, repeated, stored, taken, with_loads
from workbench.schedule.places import holds_arrays, invocation, shared
from workbench.schedule.producers import Producer, changed, producer, readers, refuse_change
from workbench.schedule.regions import box, escapes
from workbench.schedule.step import YES, Verdict, no, step

LARGEST_VALUE = 4096
"""Operations that an expression may hold once others are put into it."""


@step
@dataclass(frozen=True, slots=True)
class Inline:
    """Put an intermediate array's expression where the array is read, and store it no more.

    before:  for i in range(n): e[i] = exp(x[i])
             for i_1 in range(n - 1): y[i_1] = e[i_1] + e[i_1 + 1]
    after inline('e'):
             for i_1 in range(n - 1): y[i_1] = exp(x[i_1]) + exp(x[i_1 + 1])

    What is read twice is computed twice. An array that needs a loop of its own, as a sum does,
    is computed inside a loop of its reader by `compute_at`.
    """

    array: str

    def check(self, loops: Loops) -> Verdict:
        """Refuses arrays that are more than one expression, and inputs that change meanwhile."""
        found = producer(loops, self.array)
        if isinstance(found, Verdict):
            return found
        match found.element:
            case (Store(reduce=None),):
                pass
            case _:
                hint = _example(loops, found)
                return no(f"{self.array} is more than one expression", _origin(found), hint=hint)
        refusal = _elsewhere(loops, found)
        if not refusal:
            return refusal
        later = _inlined(found)
        size = max((sum(1 for _ in walk(e)) for e in _expressions(later)), default=0)
        if size > LARGEST_VALUE:
            reason = f"an expression would have {size} parts; {LARGEST_VALUE} are the most"
            return no(reason, _origin(found), hint=_example(loops, found))
        clash = changed(found, later)
        return YES if clash is None else refuse_change(found, clash)

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        found = producer(loops, self.array)
        assert isinstance(found, Producer)
        return _replaced(loops, found, _inlined(found))


@step
@dataclass(frozen=True, slots=True)
class ComputeAt:
    """Compute of an intermediate array what one iteration of a loop reads, inside that loop.

    before:  for i in range(n): b[i] = x[i] + x[i + 1]
             for i_1 in range(n - 2): y[i_1] = b[i_1] + b[i_1 + 2]
    after compute_at('b', 'y.i'):
             for i_1 in range(n - 2):
                 for i in range(3): b[i] = x[i_1 + i] + x[i_1 + i + 1]
                 y[i_1] = b[0] + b[2]

    The part is a box (with the border that the reads need), kept in private memory of each
    invocation; what neighbours share is computed by each of them. With memory='workgroup' the
    invocations of a workgroup compute one box together. Loops keep their names: `b.i`. Arrays
    between this one and the loop come along.
    """

    array: str
    at: str
    memory: str = field(default="private", kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses arrays read elsewhere, regions that are no box, inputs that change meanwhile."""
        made = self._made(loops)
        return made if isinstance(made, Verdict) else YES

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        made = self._made(loops)
        assert isinstance(made, Loops)
        return made

    def _made(self, loops: Loops) -> Loops | Verdict:
        found = producer(loops, self.array)
        if isinstance(found, Verdict):
            return found
        loop = find(loops, self.at)
        if isinstance(loop, Verdict):
            return loop
        between = self._between(loops, found, loop)
        if between is not None:
            first = replace(self, array=between)
            verdict = first.check(loops)
            return self._made(first.apply(loops)) if verdict else verdict
        refusal = self._misplaced(loops, found, loop)
        if not refusal:
            return refusal
        plan = self._plan(loops, found, loop)
        if isinstance(plan, Verdict):
            return plan
        names = taken(loops)
        later = tuple(_with(s, loop, computed(loop, plan, found, names)) for s in found.later)
        clash = changed(found, later)
        if clash is not None:
            return refuse_change(found, clash)
        after = _replaced(loops, found, later)
        return replace(after, inner=(*loops.inner, self.array))

    def _between(self, loops: Loops, found: Producer, loop: For) -> str | None:
        """An intermediate array that is computed of this one outside of the loop, before it."""
        for s, _ in readers(found.later, self.array):
            if any(x is loop for x in loops_in((s,))):
                return None
            made = [loops.buffer(name) for name in stored(loops, (s,))]
            for b in made:
                if b is not None and b.role == "temporary" and b.name not in loops.outputs:
                    return b.name
        return None

    def _misplaced(self, loops: Loops, found: Producer, loop: For) -> Verdict:
        """Refusals of the loop in which the array is to be computed."""
        if self.memory not in PLACES:
            reason = f"no memory '{self.memory}'"
            return no(reason, loop.origin, hint="memory='private' or 'workgroup'")
        if any(x is loop for x in loops_in((found.body[found.place],))):
            return no(f"'{self.at}' computes {self.array} itself", loop.origin)
        refusal = _elsewhere(loops, found)
        if not refusal:
            return refusal
        if not _reads((loop,), self.array):
            hint = _example(loops, found)
            return no(f"'{self.at}' does not read {self.array}", loop.origin, hint=hint)
        hollow = replace(loop, body=())
        others = _reads(tuple(_with(s, loop, hollow) for s in found.later), self.array)
        if others:
            reason = f"{self.array} is also read outside of '{self.at}'"
            return no(reason, others[0].origin, loop.origin, hint=_example(loops, found))
        return holds_arrays(loops, self.at, loop)

    def _plan(self, loops: Loops, found: Producer, loop: For) -> Plan | Verdict:
        path = tuple(s for s in around(found.later, loop.var) if not repeated(s))
        together = PLACES[self.memory] is Memory.WORKGROUP
        if together:
            refusal = shared(loops, self.at, path)
            if not refusal:
                return refusal
        touched = [a for a in accesses((path[0],)) if a.array == self.array]
        inner = [x for x in path if isinstance(x, For) and invocation(x)] if together else []
        region = box(touched, [*inner, *loops_in(loop.body)])
        values = region is not None and any(next(loads(e), None) for e in region.corner)
        if region is None or values or escapes(touched, region):
            reason = f"the elements of {self.array} that '{self.at}' reads are not a box"
            return no(reason, loop.origin, *(a.origin for a in touched))
        moving = {x.var for x in inner}
        outer = [x for x in path if isinstance(x, For) and x.var not in moving]
        holds = around_it(path, outer, guards=not together)
        return Plan(
            loop=loop,
            buffer=found.buffer,
            memory=PLACES[self.memory],
            region=region,
            outside=borders(region, found.buffer.shape, outer, holds),
            fetch=True,
            keep=False,
            origin=found.buffer.origin.derive(f"computed in {self.memory} memory"),
        )


def _origin(p: Producer) -> Origin:
    return p.body[p.place].origin


def _elsewhere(loops: Loops, p: Producer) -> Verdict:
    """Refuses an array that is read before its nest, or outside of the body in which it stands."""
    array = p.buffer.name
    behind = _loads(p.later, array)
    if not behind:
        return no(f"nothing reads {array}", _origin(p))
    own = _loads((p.body[p.place],), array)
    if behind + own != _loads(loops.body, array):
        first = next(x for x in reads(loops.body) if x.array == array)
        return no(f"{array} is also read where an earlier turn has left it", first.origin)
    for s in walk_stmts(p.later):
        if isinstance(s, Outside) and s.array == array:
            reason = f"an access of {array} is checked when it runs, and needs all of it"
            return no(reason, s.origin)
    return YES


def _reads(body: Body, array: str) -> list[Load]:
    return [x for x in reads(body) if x.array == array]


def _loads(body: Body, array: str) -> int:
    return len(_reads(body, array))


def _example(loops: Loops, p: Producer) -> str:
    """A call of `compute_at` that may work."""
    found = next(readers(p.later, p.buffer.name), None)
    loop = next(loops_in((found[0],)), None) if found else None
    return "" if loop is None else f"compute_at({p.buffer.name!r}, {shown(loops, loop.var)!r})"


def _inlined(p: Producer) -> Body:
    """The statements behind the nest, with the expression in place of the array's elements."""
    (store,) = p.element
    assert isinstance(store, Store)

    def element(x: Load) -> Expr:
        values = dict(zip((a.var for a in p.axes), x.index, strict=True))
        return substitute(store.value, values)

    return tuple(map_exprs(s, lambda e: with_loads(e, p.buffer.name, element)) for s in p.later)


def _expressions(body: Body) -> Sequence[Expr]:
    return [e for s in walk_stmts(body) for e in expressions(s)]


def _replaced(loops: Loops, p: Producer, later: Body) -> Loops:
    """The function without the nest and its array, and with `later` behind."""

    def visit(body: Body) -> Body:
        if body is p.body:
            return (*body[: p.place], *later)
        return tuple(
            map_bodies(s, visit) if isinstance(s, For) and repeated(s) else s for s in body
        )

    buffers = tuple(b for b in loops.buffers if b is not p.buffer)
    nest = p.body[p.place]
    used = {x.array for x in reads((nest,))} - {p.buffer.name}
    root = Root(p.buffer, nest, tuple(b for b in buffers if b.name in used))
    roots = (*loops.roots, root)
    return replace(loops, body=visit(loops.body), buffers=buffers, roots=roots)


def _with(s: Stmt, old: Stmt, new: Stmt) -> Stmt:
    """The statement with one inside of it, or itself, replaced."""
    return new if s is old else map_bodies(s, lambda b: _each(b, old, new))


def _each(body: Body, old: Stmt, new: Stmt) -> Body:
    out = tuple(_with(s, old, new) for s in body)
    return body if all(a is b for a, b in zip(out, body, strict=True)) else out
