"""Steps that say where values live: `cache`.

What one iteration touches is worked out in `regions`; here it is copied in and out. The copies
are ordinary loops: whoever prints or runs the function sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.ir.access import Access, accesses, before
from workbench.ir.deps import OTHER, covered
from workbench.ir.expr import Expr, Var, apply, integer, loads, substitute
from workbench.ir.extents import Extent, expression
from workbench.ir.linear import linear, plus
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import For, LoopKind, Memory, Stmt
from workbench.schedule.borders import around_it, borders, within
from workbench.schedule.copies import Plan, ahead, cached
from workbench.schedule.names import find, shown
from workbench.schedule.nests import (
    around,
    literal,
    loops_in,
    nest_of,
    positive,
    replace_loop,
    taken,
)
from workbench.schedule.places import holds_arrays, invocation, shared
from workbench.schedule.regions import Box, box, escapes
from workbench.schedule.step import YES, Verdict, no, step

PLACES = {Memory.PRIVATE.value: Memory.PRIVATE, Memory.WORKGROUP.value: Memory.WORKGROUP}


@step
@dataclass(frozen=True, slots=True)
class Cache:
    """Keep what one iteration of a loop touches of an array in private or workgroup memory.

    before:  for i in range(n):
                 C[i] = 0
                 for k in range(m): C[i] += A[i, k]
    after cache('C', 'private', at='i'):
             for i in range(n):
                 C_private[0] = 0
                 for k in range(m): C_private[0] += A[i, k]
                 C[i] = C_private[0]

    Private memory holds what each invocation reads or writes of its own. Workgroup memory holds
    one copy of what all invocations of the workgroup touch, which they fetch together and, at a
    loop around all invocations, write back together. Elements outside the array are fetched as 0.
    With transposed=True the copy's rows are the array's columns; `pad` adds elements to its rows
    that nobody uses, so that a column does not fall into one bank of the memory. With double=True
    a copy in workgroup memory has two halves: while one iteration uses its half, what the next
    one needs is fetched into the other, with one barrier for each iteration.
    """

    array: str
    memory: str
    at: str = field(kw_only=True)
    transposed: bool = field(default=False, kw_only=True)
    pad: int = field(default=0, kw_only=True)
    double: bool = field(default=False, kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses regions that are not a box, and arrays that others change meanwhile."""
        plan = _plan(self, loops)
        return plan if isinstance(plan, Verdict) else YES

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        plan = _plan(self, loops)
        assert isinstance(plan, Plan)
        names = taken(loops)
        if self.double:
            return replace_loop(loops, plan.loop.var, lambda s: ahead(s, plan, names))
        return replace_loop(loops, plan.loop.var, lambda s: (cached(s, plan, names),))


def _plan(step: Cache, loops: Loops) -> Plan | Verdict:
    found = find(loops, step.at)
    if isinstance(found, Verdict):
        return found
    buffer = loops.buffer(step.array)
    if buffer is None:
        names = ", ".join(repr(b.name) for b in loops.buffers)
        return no(f"no array '{step.array}' in storage", found.origin, hint=names)
    if step.memory not in PLACES:
        reason = f"no memory '{step.memory}'"
        return no(reason, found.origin, hint="'private' or 'workgroup'")
    memory = PLACES[step.memory]
    path = around(loops.body, found.var)
    nest = nest_of(loops, found.var)
    touched = [a for a in accesses((nest,)) if a.array == step.array]
    inside = [a for a in touched if found.var in a.loops]
    if not inside:
        return no(f"'{step.at}' does not touch {step.array}", found.origin)
    update = next((a for a in touched if a.atomic), None)
    if update is not None:
        reason = f"{step.array} is updated atomically; a copy would miss what others add meanwhile"
        return no(reason, update.origin)
    refusal = holds_arrays(loops, step.at, found, among=_among(memory, touched))
    if refusal and memory is Memory.WORKGROUP:
        refusal = _collects(loops, step, path, touched) and shared(loops, step.at, path)
    return _planned(step, buffer, path, inside) if refusal else refusal


def _among(memory: Memory, touched: Sequence[Access]) -> bool:
    """Whether a copy is one of all invocations, who write it."""
    return memory is Memory.WORKGROUP and any(a.changes for a in touched)


def _planned(
    step: Cache, buffer: Buffer, path: Sequence[Stmt], inside: Sequence[Access]
) -> Plan | Verdict:
    found = path[-1]
    assert isinstance(found, For)
    memory = PLACES[step.memory]
    together = memory is Memory.WORKGROUP
    inner = [x for x in path if isinstance(x, For) and invocation(x)] if together else []
    region = box(inside, [*inner, *loops_in(found.body)])
    if region is None or escapes(inside, region):
        reason = f"the elements of {step.array} that '{step.at}' touches are not a box"
        return no(reason, found.origin, *(a.origin for a in inside))
    moving = {x.var for x in inner}
    outer = [x for x in path if isinstance(x, For) and x.var not in moving]
    holds = around_it(path, outer, guards=not together)
    if any(next(loads(e), None) for e in region.corner) and not _surely(inside, holds):
        reason = f"which element of {step.array} '{step.at}' touches is read under a condition"
        return no(reason, found.origin, *(a.origin for a in inside), hint="a loop inside of it")
    changed = [a for a in inside if a.changes]
    if changed and not _fills(changed, region, buffer.shape, outer, holds):
        reason = f"one iteration of '{step.at}' does not write all of a box of {step.array}"
        return no(reason, found.origin, *(a.origin for a in changed))
    refusal = _layout(step, found, region) and _twice(step, found, region, keeps=bool(changed))
    if not refusal:
        return refusal
    return Plan(
        loop=found,
        buffer=buffer,
        memory=memory,
        region=region,
        outside=borders(region, buffer.shape, outer, holds),
        fetch=not all(_written_before(a, inside, outer) for a in inside if a.kind != "writes"),
        keep=bool(changed),
        origin=inside[0].origin.derive(f"kept in {step.memory} memory"),
        transposed=step.transposed,
        pad=step.pad,
    )


def _surely(inside: Sequence[Access], holds: Sequence[Expr]) -> bool:
    """Whether one of the accesses happens in every iteration, and so what its subscript reads."""
    return any(a.exact and all(c in holds for c in a.conditions) for a in inside)


def _layout(step: Cache, found: For, region: Box) -> Verdict:
    """Refuses a layout that the copy cannot have."""
    rank = sum(size > 1 for size in region.extents)
    if step.transposed and rank < 2:
        reason = f"the copy of {step.array} has {rank} dimensions, transposed are two"
        return no(reason, found.origin, hint="without transposed, or at a loop further out")
    if step.pad and (not positive(step.pad) or not rank):
        reason = f"pad is {step.pad!r}, and the copy of {step.array} has {rank} dimensions"
        return no(reason, found.origin, hint="pad=1")
    return YES


def _twice(step: Cache, found: For, region: Box, *, keeps: bool) -> Verdict:
    """Refuses a copy in two halves that no iteration can fetch for the next one."""
    if not step.double:
        return YES
    options = f"{step.array!r}, {step.memory!r}, at={step.at!r}"
    hint = f"cache({options})"
    if step.memory != Memory.WORKGROUP.value or keeps:
        reason = "two halves are for what a workgroup reads and nobody writes"
        return no(reason, found.origin, hint=hint)
    if found.kind is not LoopKind.SERIAL or literal(found.start) != 0 or found.step != 1:
        reason = f"'{step.at}' does not run serially from 0, one iteration after the other"
        return no(reason, found.origin, hint=hint)
    if any(next(loads(e), None) for e in region.corner):
        reason = f"which element of {step.array} the next iteration needs is read from an array"
        return no(reason, found.origin, hint=hint)
    return YES


def _collects(
    loops: Loops, step: Cache, path: Sequence[Stmt], touched: Sequence[Access]
) -> Verdict:
    """Refuses a copy that is written, where not all invocations collect their elements in it."""
    change = next((a for a in touched if a.changes), None)
    if change is None:
        return YES
    hint = f"cache({step.array!r}, 'private', at={step.at!r})"
    found = path[-1]
    assert isinstance(found, For)
    for s in path:
        if not isinstance(s, For) or s.kind.on_workgroups:
            continue
        if s.kind is not LoopKind.PARALLEL:
            reason = f"{step.array} is written by the iterations of '{shown(loops, s.var)}'"
            return no(f"{reason}, each for itself", change.origin, hint=hint)
    beside = next((a for a in touched if found.var not in a.loops), None)
    if beside is not None:
        reason = f"{step.array} is also used beside '{step.at}', by other invocations"
        return no(reason, beside.origin, hint=hint)
    return YES


def _fills(
    changes: Sequence[Access],
    region: Box,
    shape: Sequence[Extent],
    outer: Sequence[For],
    holds: Sequence[Expr],
) -> bool:
    """Whether one statement writes every element of the box that lies in the array."""
    given_names = [x.var for x in outer]
    outer_names = set(given_names)
    elements: list[Expr] = []
    wanted = list(holds)
    for d, (corner, size) in enumerate(zip(region.corner, region.extents, strict=True)):
        place = Var(f"place {d} in the box")
        elements.append(corner if size == 1 else plus(corner, place))
        if size > 1:
            given_names.append(place.name)
            wanted += within(place, integer(0), integer(size))
        wanted += within(elements[-1], integer(0), expression(shape[d]))
    for a in changes:
        given = [*a.conditions, *_meeting(a.index, elements)]
        inner = [v for v in a.loops if v not in outer_names]
        if a.exact and covered(given_names, wanted, inner, given):
            return True
    return False


def _written_before(a: Access, inside: Sequence[Access], outer: Sequence[For]) -> bool:
    """Whether a plain store of the same iteration gives the element before `a` uses it."""
    return any(
        _gives(x, a, {s.var for s in outer}) for x in inside if x.kind == "writes" and x.exact
    )


def _gives(x: Access, a: Access, outer: set[str]) -> bool:
    rename = {v: v + OTHER for v in x.loops if v not in outer}
    values: dict[str, Expr] = {v: Var(w) for v, w in rename.items()}
    given = [substitute(c, values) for c in x.conditions]
    if None in a.index or None in x.index:
        return False
    its = [None if e is None else substitute(e, values) for e in x.index]
    given += _meeting(a.index, its)
    for signs in before(x, a):
        if all(sign == 0 for v, sign in signs.items() if v in outer):
            order = [
                apply("eq" if sign == 0 else "lt", Var(rename[v]), Var(v))
                for v, sign in signs.items()
                if v not in outer
            ]
            if covered(a.loops, a.conditions, list(rename.values()), [*given, *order]):
                return True
    return False


def _meeting(index: Sequence[Expr | None], elements: Sequence[Expr | None]) -> list[Expr]:
    """The conditions under which two subscripts name the same element."""
    pairs = [(a, b) for a, b in zip(index, elements, strict=True) if a and b]
    return [apply("eq", a, b) for a, b in pairs if linear(a) != linear(b)]
