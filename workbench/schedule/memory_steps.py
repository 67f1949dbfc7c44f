"""Steps that say where values live: `cache`.

What one iteration touches is worked out in `regions`; here it is copied in and out. The copies
are ordinary loops: whoever prints or runs the function sees them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

from workbench.base.source import Origin
from workbench.ir.access import Access, accesses, before, leaves
from workbench.ir.deps import OTHER, covered, holds_at
from workbench.ir.expr import (
    Const,
    Expr,
    Load,
    Select,
    Var,
    apply,
    free_names,
    integer,
    loads,
    substitute,
)
from workbench.ir.loops import Buffer, Loops
from workbench.ir.stmt import (
    Alloc,
    Body,
    For,
    If,
    LoopKind,
    Memory,
    Stmt,
    Store,
    While,
    map_bodies,
    map_exprs,
)
from workbench.schedule.names import find, shown
from workbench.schedule.nests import (
    around,
    derived,
    fresh,
    loops_in,
    nest_of,
    replace_loop,
    taken,
    with_loads,
)
from workbench.schedule.regions import Box, box, escapes, minus, plus
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
        assert isinstance(plan, _Plan)
        return replace_loop(loops, plan.loop.var, lambda s: (_cached(s, plan, taken(loops)),))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is cached and how: `fetch` the old values first, `keep` the new ones at the end.

    `outside` tells for each dimension whether the box may begin before the array and end
    past it.
    """

    loop: For
    buffer: Buffer
    memory: Memory
    region: Box
    outside: tuple[tuple[bool, bool], ...]
    fetch: bool
    keep: bool
    origin: Origin


def _plan(step: Cache, loops: Loops) -> _Plan | Verdict:
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
    if leaves(found.body):
        return no(f"a break or continue belongs to '{step.at}'", found.origin)
    if memory is Memory.WORKGROUP:
        refusal = _unshared(loops, step, path, touched)
        if not refusal:
            return refusal
    return _planned(step, loops, buffer, path, inside)


def _planned(
    step: Cache, loops: Loops, buffer: Buffer, path: Sequence[Stmt], inside: Sequence[Access]
) -> _Plan | Verdict:
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
    return _Plan(
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
    for x in invocations:
        if x not in path:
            reason = f"'{shown(loops, x.var)}' runs on invocations inside '{step.at}'"
            return no(reason, x.origin, hint="cache at a loop inside it")
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
    outer: Sequence[For], holds: Sequence[Expr], corner: Expr, size: int, extent: int
) -> tuple[bool, bool]:
    """Whether elements of the box may lie before the array's first, and past its last."""
    place = Var("place in the box")
    conditions = [*holds, *_inside(place, integer(0), integer(size))]
    element = plus(corner, place)
    ends = (apply("lt", element, integer(0)), apply("ge", element, integer(extent)))
    names = [*(x.var for x in outer), place.name]
    low, high = (holds_at(names, [*conditions, end]) is not None for end in ends)
    return low, high


def _fills(
    changes: Sequence[Access],
    region: Box,
    shape: Sequence[int],
    outer: Sequence[For],
    holds: Sequence[Expr],
) -> bool:
    """Whether one statement writes every element of the box that lies in the array."""
    places = [Var(f"place {d} in the box") for d in range(len(shape))]
    elements = [plus(c, p) for c, p in zip(region.corner, places, strict=True)]
    wanted = list(holds)
    for place, size, element, extent in zip(places, region.extents, elements, shape, strict=True):
        wanted += _inside(place, integer(0), integer(size))
        wanted += _inside(element, integer(0), integer(extent))
    around_it = [x.var for x in outer]
    for a in changes:
        index = [e for e in a.index if e is not None]
        meets = [apply("eq", e, x) for e, x in zip(index, elements, strict=True)]
        shared = [*around_it, *(p.name for p in places)]
        inner = [v for v in a.loops if v not in around_it]
        if a.exact and covered(shared, wanted, inner, [*a.conditions, *meets]):
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
    for mine, its in zip(a.index, x.index, strict=True):
        if mine is None or its is None:
            return False
        given.append(apply("eq", mine, substitute(its, values)))
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


def _cached(loop: For, plan: _Plan, names: set[str]) -> For:
    """The loop with the copy declared, fetched, used instead of the array, and kept."""
    name = fresh(names, f"{plan.buffer.name}_{plan.memory.value}")
    shape = plan.region.extents
    declared = Alloc(name, plan.buffer.dtype, shape, plan.memory, origin=plan.origin)
    fetched: Body = ()
    if plan.fetch:
        shared = plan.memory is Memory.WORKGROUP
        fetched = (_fetch_together if shared else _fetch_alone)(plan, name, names)
    kept = _keep(plan, name, names) if plan.keep else ()
    used = tuple(_using(s, plan, name) for s in loop.body)
    return replace(loop, body=(declared, *fetched, *used, *kept))


def _using(s: Stmt, plan: _Plan, name: str) -> Stmt:
    """The statement with every access of the array turned to the copy."""
    array, corner = plan.buffer.name, plan.region.corner

    def moved(index: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return tuple(
            derived(minus(e, c), e.origin) for e, c in zip(index, corner, strict=True)
        )

    def stores(s: Stmt) -> Stmt:
        inner = map_bodies(s, lambda b: tuple(stores(x) for x in b))
        if isinstance(inner, Store) and inner.array == array:
            return replace(inner, array=name, index=moved(inner.index))
        return inner

    def turned(x: Load) -> Expr:
        return replace(x, array=name, index=moved(x.index))

    return stores(map_exprs(s, lambda e: with_loads(e, array, turned)))


def _fetch_together(plan: _Plan, name: str, names: set[str]) -> Body:
    var, shape = fresh(names, "fetch"), plan.region.extents
    count = Var(var, origin=plan.origin)
    places: list[Expr] = []
    for d, size in enumerate(shape):
        after = math.prod(shape[d + 1 :])
        place: Expr = count if after == 1 else _op("floordiv", count, after, plan.origin)
        if math.prod(shape[:d]) > 1:
            place = _op("mod", place, size, plan.origin)
        places.append(integer(0, plan.origin) if size == 1 else place)
    body = (_fetched(plan, name, places),)
    return (
        For(
            var,
            integer(0),
            integer(math.prod(shape)),
            body,
            LoopKind.COOPERATIVE,
            origin=plan.origin.derive("fetched by the whole workgroup"),
        ),
    )


def _op(op: str, e: Expr, by: int, origin: Origin) -> Expr:
    return apply(op, e, integer(by, origin), origin=origin)


def _fetch_alone(plan: _Plan, name: str, names: set[str]) -> Body:
    places, variables = _places(plan, "fetch", names)
    return _over(plan, variables, (_fetched(plan, name, places),), "fetched")


def _keep(plan: _Plan, name: str, names: set[str]) -> Body:
    places, variables = _places(plan, "keep", names)
    elements = _elements(plan, places)
    load = Load(name, tuple(places), plan.buffer.dtype, origin=plan.origin)
    origin = plan.origin.derive("written back")
    stored: Stmt = Store(plan.buffer.name, elements, load, origin=origin, place=plan.origin)
    test = _in_array(plan, elements)
    if test is not None:
        stored = If(test, (stored,), guard=True, origin=origin)
    return _over(plan, variables, (stored,), "written back")


def _fetched(plan: _Plan, name: str, places: Sequence[Expr]) -> Store:
    """The store that brings one element of the box into the copy, 0 from outside the array."""
    elements = _elements(plan, places)
    dtype = plan.buffer.dtype
    value: Expr = Load(plan.buffer.name, elements, dtype, origin=plan.origin)
    test = _in_array(plan, elements)
    if test is not None:
        zero = Const(0.0 if dtype.kind == "f" else dtype.kind != "b" and 0, dtype)
        value = Select(test, value, replace(zero, origin=plan.origin), origin=plan.origin)
    return Store(name, tuple(places), value, origin=plan.origin, place=plan.origin)


def _places(plan: _Plan, stem: str, names: set[str]) -> tuple[list[Expr], list[tuple[str, int]]]:
    """A subscript into the copy, and the variables (with extents) that run over it."""
    places: list[Expr] = []
    variables: list[tuple[str, int]] = []
    for d, size in enumerate(plan.region.extents):
        if size == 1:
            places.append(integer(0, plan.origin))
        else:
            variables.append((fresh(names, f"{stem}_{d}"), size))
            places.append(Var(variables[-1][0], origin=plan.origin))
    return places, variables


def _over(plan: _Plan, variables: Sequence[tuple[str, int]], body: Body, note: str) -> Body:
    for var, size in reversed(variables):
        origin = plan.origin.derive(note)
        body = (For(var, integer(0), integer(size), body, origin=origin),)
    return body


def _elements(plan: _Plan, places: Sequence[Expr]) -> tuple[Expr, ...]:
    """The elements of the array at places of the box."""
    pairs = zip(plan.region.corner, places, strict=True)
    return tuple(derived(plus(corner, place), plan.origin) for corner, place in pairs)


def _in_array(plan: _Plan, elements: Sequence[Expr]) -> Expr | None:
    """Whether the element is one of the array, as far as that is not certain."""
    tests: list[Expr] = []
    for e, (low, high), extent in zip(elements, plan.outside, plan.buffer.shape, strict=True):
        tests += [apply("ge", e, integer(0), origin=plan.origin)] if low else []
        tests += [apply("lt", e, integer(extent), origin=plan.origin)] if high else []
    if not tests:
        return None
    return reduce(lambda a, b: apply("and", a, b, origin=plan.origin), tests)
