"""Steps that say where values live: `cache`.

What one iteration touches is worked out in `regions`; here it is copied in and out. The copies
are ordinary loops: whoever prints or runs the function sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.ir.access import Access, accesses, before, leaves
from workbench.ir.deps import OTHER, covered, holds_at
from workbench.ir.expr import Expr, Var, apply, free_names, integer, loads, substitute
from workbench.ir.extents import Extent, expression
from workbench.ir.linear import linear, plus
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import For, If, LoopKind, Memory, Stmt, While
from workbench.schedule.copies import Plan, cached
from workbench.schedule.names import find, shown
from workbench.schedule.nests import around, loops_in, nest_of, replace_loop, taken
from workbench.schedule.regions import Box, box, escapes, reach, spans_of
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

    Private memory holds arrays that are read or written, each invocation its own elements.
    Workgroup memory holds arrays that are only read: one copy of what all invocations of the
    workgroup touch, which they fetch together. Elements outside the array are fetched as 0.
    """

    array: str
    memory: str
    at: str = field(kw_only=True)

    def check(self, loops: Loops) -> Verdict:
        """Refuses regions that are not a box, and arrays that others change meanwhile."""
        plan = _plan(self, loops)
        return plan if isinstance(plan, Verdict) else YES

    def apply(self, loops: Loops) -> Loops:
        """The function after the step."""
        plan = _plan(self, loops)
        assert isinstance(plan, Plan)
        return replace_loop(loops, plan.loop.var, lambda s: (cached(s, plan, taken(loops)),))


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
    misplaced = _misplaced(step, loops, found)
    if not misplaced:
        return misplaced
    update = next((a for a in touched if a.atomic), None)
    if update is not None:
        reason = f"{step.array} is updated atomically; a copy would miss what others add meanwhile"
        return no(reason, update.origin)
    if memory is Memory.WORKGROUP:
        refusal = _unshared(loops, step, path, touched)
        if not refusal:
            return refusal
    return _planned(step, buffer, path, inside)


def _misplaced(step: Cache, loops: Loops, found: For) -> Verdict:
    """Refusals of the loop that the copy is to stand in."""
    if leaves(found.body):
        return no(f"a break or continue belongs to '{step.at}'", found.origin)
    if found.kind is LoopKind.VECTOR:
        reason = f"'{step.at}' is a vector, whose lanes have no arrays of their own"
        return no(reason, found.origin, hint="cache at a loop around it")
    deeper = next((x for x in loops_in(found.body) if x.kind.mapped), None)
    if deeper is not None:
        name = shown(loops, deeper.var)
        reason = f"'{name}' inside '{step.at}' is mapped onto {deeper.kind.value}"
        return no(reason, deeper.origin, hint="cache at a loop inside it")
    return YES


def _planned(
    step: Cache, buffer: Buffer, path: Sequence[Stmt], inside: Sequence[Access]
) -> Plan | Verdict:
    found = path[-1]
    assert isinstance(found, For)
    memory = PLACES[step.memory]
    shared = memory is Memory.WORKGROUP
    inner = [x for x in path if isinstance(x, For) and _invocation(x)] if shared else []
    region = box(inside, [*inner, *loops_in(found.body)])
    if region is None or escapes(inside, region):
        reason = f"the elements of {step.array} that '{step.at}' touches are not a box"
        return no(reason, found.origin, *(a.origin for a in inside))
    moving = {x.var for x in inner}
    outer = [x for x in path if isinstance(x, For) and x.var not in moving]
    holds = _around(path, outer, guards=not shared)
    outside = tuple(
        _outside(outer, holds, corner, size, extent)
        for corner, size, extent in zip(region.corner, region.extents, buffer.shape, strict=True)
    )
    changed = [a for a in inside if a.changes]
    if changed and not _fills(changed, region, buffer.shape, outer, holds):
        reason = f"one iteration of '{step.at}' does not write all of a box of {step.array}"
        return no(reason, found.origin, *(a.origin for a in changed))
    return Plan(
        loop=found,
        buffer=buffer,
        memory=memory,
        region=region,
        outside=outside,
        fetch=not all(_written_before(a, inside, outer) for a in inside if a.kind != "writes"),
        keep=bool(changed),
        origin=inside[0].origin.derive(f"kept in {step.memory} memory"),
    )


def _unshared(
    loops: Loops, step: Cache, path: Sequence[Stmt], touched: Sequence[Access]
) -> Verdict:
    """Refusals of a copy that a whole workgroup makes together."""
    found = path[-1]
    assert isinstance(found, For)
    change = next((a for a in touched if a.changes), None)
    if change is not None:
        return no(
            f"{step.array} is written in the nest of '{step.at}'; the workgroup shares what is "
            "only read",
            change.origin,
            hint=f"cache({step.array!r}, 'private', at={step.at!r})",
        )
    invocations = [x for x in loops_in((path[0],)) if _invocation(x)]
    if not invocations:
        return no(
            f"no loop around '{step.at}' runs on invocations that could share a copy",
            found.origin,
            hint="parallelize first, or cache in 'private'",
        )
    own = {x.var for x in invocations}
    for s in path:
        if isinstance(s, While) or (isinstance(s, If) and not s.guard):
            return no("not every invocation may reach the copy", s.origin)
        if isinstance(s, For) and leaves(s.body):
            return no(f"a break or continue belongs to '{shown(loops, s.var)}'", s.origin)
        if isinstance(s, For) and (own | {"?"}) & _bound_names(s):
            return no(f"'{shown(loops, s.var)}' runs differently often", s.origin)
    return YES


def _bound_names(s: For) -> set[str]:
    """The names in the bounds of a loop; "?" for what an array decides."""
    bounds = (s.start, s.stop)
    read = {"?" for e in bounds for _ in loads(e)}
    return read.union(*(free_names(e) for e in bounds))


def _invocation(s: For) -> bool:
    return s.kind.value.startswith("invocation.")


def _around(path: Sequence[Stmt], outer: Sequence[For], *, guards: bool) -> tuple[Expr, ...]:
    """What holds around the body of the last loop of a path; without `guards`, bounds only."""
    conditions: list[Expr] = []
    for s, following in zip(path, (*path[1:], None), strict=True):
        match s:
            case For(var, start, stop) if s in outer:
                conditions += _inside(Var(var), start, stop)
                if s.step != 1:
                    turns = apply("mod", apply("sub", Var(var), start), integer(s.step))
                    conditions.append(apply("eq", turns, integer(0)))
            case If(cond, then) if guards:
                conditions.append(cond if following in then else apply("not", cond))
            case _:
                pass
    return tuple(conditions)


def _inside(e: Expr, start: Expr, stop: Expr) -> list[Expr]:
    return [apply("ge", e, start), apply("lt", e, stop)]


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
    conditions = [*holds, *_inside(place, integer(0), integer(size))]
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
    ranges = [c for x in outer for c in _inside(Var(x.var), x.start, x.stop)]
    used = free_names(corner)
    known = (c for c in holds if free_names(c) & used)
    return all(isinstance(t, Var) for t in linear(corner)[0]) and all(c in ranges for c in known)


def _fills(
    changes: Sequence[Access],
    region: Box,
    shape: Sequence[Extent],
    outer: Sequence[For],
    holds: Sequence[Expr],
) -> bool:
    """Whether one statement writes every element of the box that lies in the array."""
    shared = [x.var for x in outer]
    outer_names = set(shared)
    elements: list[Expr] = []
    wanted = list(holds)
    for d, (corner, size) in enumerate(zip(region.corner, region.extents, strict=True)):
        place = Var(f"place {d} in the box")
        elements.append(corner if size == 1 else plus(corner, place))
        if size > 1:
            shared.append(place.name)
            wanted += _inside(place, integer(0), integer(size))
        wanted += _inside(elements[-1], integer(0), expression(shape[d]))
    for a in changes:
        given = [*a.conditions, *_meeting(a.index, elements)]
        inner = [v for v in a.loops if v not in outer_names]
        if a.exact and covered(shared, wanted, inner, given):
            return True
    return False


def _meeting(index: Sequence[Expr | None], elements: Sequence[Expr | None]) -> list[Expr]:
    """The conditions under which two subscripts name the same element."""
    pairs = [(a, b) for a, b in zip(index, elements, strict=True) if a and b]
    return [apply("eq", a, b) for a, b in pairs if linear(a) != linear(b)]


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
