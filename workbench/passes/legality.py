"""Whether device kernels are legal, found before any code is emitted.

No barrier that only some invocations reach, no two invocations at one element with nothing
between them, no access outside its array: each is asked of isl for all sizes of the loops at once
(`ir/together.py`, `ir/deps.py`), and refuted by an example. What isl cannot say is left to the
simulation of workgroups (`ir/simt.py`) where the program itself leaves it open (indices that are
elements of an array), and refused in workgroup memory, which steps alone make.
Limits of the device are in `passes/demands.py`; which step is to blame in `schedule/blame.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations_with_replacement
from operator import is_

from workbench.base.source import Origin
from workbench.ir.access import Access, number
from workbench.ir.deps import OTHER, Clash, holds_at, touching
from workbench.ir.device import LOCAL_IDS, WORKGROUP_IDS, DeviceKernel, Mapped
from workbench.ir.distinct import surely_distinct
from workbench.ir.expr import Expr, Var, apply, free_names, integer, substitute
from workbench.ir.extents import Extent
from workbench.ir.findings import Access as Made, Id, OutOfBounds, Race
from workbench.ir.inside import known_of, leaves, surely_inside
from workbench.ir.lanes import quoted
from workbench.ir.linear import linear, plus
from workbench.ir.stmt import Alloc, Barrier, Body, For, Memory, Stmt, map_bodies, walk_stmts
from workbench.ir.together import Barriers, Place, Way, ids_of, placed, sums_of, ways, without
from workbench.ir.witness import watch

_THEIRS = tuple(name + OTHER for name in LOCAL_IDS)


@dataclass(frozen=True, slots=True)
class Divergence:
    """One invocation reaches a barrier that another one of its workgroup does not reach.

    The ids are None where values decide.
    """

    reaches: Id | None
    misses: Id | None
    workgroup: Id
    origin: Origin

    @property
    def words(self) -> str:
        """Who comes and who does not."""
        where = f"a barrier ({quoted(self.origin)})"
        if self.reaches is None or self.misses is None:
            return f"it depends on values which invocations of a workgroup reach {where}"
        return (
            f"invocation {self.reaches} of workgroup {self.workgroup} reaches {where}, "
            f"invocation {self.misses} does not"
        )


Illegal = Race | Divergence | OutOfBounds


def illegal(kernel: DeviceKernel, facts: Sequence[Expr] = ()) -> Illegal | None:
    """The first thing that is wrong with a kernel; None where nothing is.

    `facts` hold for its scalars.
    """
    barriers, places = placed(kernel, facts)
    found = (
        _divergences(kernel, barriers, facts),
        _races(kernel, barriers.loops, places),
        _outside(kernel, places),
    )
    return next((fault for faults in found for fault in faults), None)


def minimal(mapped: Mapped) -> Mapped:
    """The same kernels without the barriers that keep no two accesses apart.

    The innermost go first, for they are met most often. A kernel that is not legal keeps each
    barrier after which two invocations meet.
    """
    kernels = tuple(map(_minimal, mapped.kernels))
    return mapped if all(map(is_, kernels, mapped.kernels)) else replace(mapped, kernels=kernels)


def _minimal(kernel: DeviceKernel) -> DeviceKernel:
    if not any(isinstance(s, Barrier) for s in walk_stmts(kernel.body)):
        return kernel
    barriers, places = placed(kernel)
    gone: set[int] = set()
    for n in sorted(range(len(barriers.marks)), key=lambda n: -len(barriers.marks[n][1].time)):
        if not _meet(kernel, barriers.loops, without(barriers, {*gone, n}, places)):
            gone.add(n)
    spare, kept = set[int](), set[int]()
    for n, (barrier, _) in enumerate(barriers.marks):
        (spare if n in gone else kept).add(id(barrier))
    spare -= kept  # one that stands in several places stays in all

    def body(inner: Body) -> Body:
        return tuple(map_bodies(s, body) for s in inner if id(s) not in spare)

    return replace(kernel, body=body(kernel.body)) if spare else kernel


def _meet(kernel: DeviceKernel, loops: Mapping[str, For], places: Sequence[Place]) -> bool:
    """Whether two invocations of a workgroup meet; isl is asked where no example is near."""
    near = watch(kernel, loops)
    groups = {name: _of(places, name) for name in _shared(kernel)}
    seen = (
        near.meet(a, b, way)
        for found in groups.values()
        for a, b in combinations_with_replacement([alike[0] for _, alike in _alike(found)], 2)
        if a.access.changes or b.access.changes
        for way in ways(a, b, loops)
    )
    return any(seen) or any(
        _met(kernel, found, Memory.WORKGROUP, loops) is not None for found in groups.values()
    )


def explained(mapped: Mapped) -> Mapped:
    """The same kernels, each barrier with the two accesses that it keeps apart."""
    return replace(mapped, kernels=tuple(map(_explained, mapped.kernels)))


def _explained(kernel: DeviceKernel) -> DeviceKernel:
    barriers, places = placed(kernel)
    if not barriers.marks:
        return kernel
    words = {
        id(barrier): _why(kernel, barriers.loops, without(barriers, {n}, places))
        for n, (barrier, _) in enumerate(barriers.marks)
    }

    def stmt(s: Stmt) -> Stmt:
        if isinstance(s, Barrier):
            return replace(s, why=words[id(s)])
        return map_bodies(s, lambda body: tuple(map(stmt, body)))

    return replace(kernel, body=tuple(map(stmt, kernel.body)))


def _why(kernel: DeviceKernel, loops: Mapping[str, For], places: Sequence[Place]) -> str:
    """Two accesses that meet where a barrier is gone; "" where none do."""
    for name in _shared(kernel):
        found = _met(kernel, _of(places, name), Memory.WORKGROUP, loops)
        if found is not None:
            return _order(*found)
    return ""


def _order(a: Place, b: Place, clash: Clash, way: Way) -> str:
    """The two accesses of a clash, the one that comes first before the other."""
    past = {"reads": "read", "writes": "written", "updates": "updated"}
    done = [
        f"{past[kind]} by invocation {_id(values, LOCAL_IDS)}"
        for kind, values in zip(clash.kinds, (clash.first, clash.second), strict=True)
    ]
    back = way.step[1] < 0 if way.step else a.access.time > b.access.time
    first, then = reversed(done) if back else done
    return f"{clash.place}: {first}, then {then}"


# Barriers that not all reach ----------------------------------------------------------------


def _divergences(
    kernel: DeviceKernel, barriers: Barriers, facts: Sequence[Expr]
) -> Iterator[Divergence]:
    rename = {name: Var(theirs) for name, theirs in zip(LOCAL_IDS, _THEIRS, strict=True)}
    for barrier, mark in barriers.marks:
        if not mark.exact:
            yield Divergence(None, None, (0, 0, 0), barrier.origin)
            continue
        tests = [c for c in mark.conditions if free_names(c) & set(LOCAL_IDS)]
        if not tests:
            continue
        other = substitute(reduce(lambda a, b: apply("and", a, b), tests), rename)
        ids = (*facts, *ids_of(kernel))
        theirs = [substitute(c, rename) for c in ids if free_names(c) & set(LOCAL_IDS)]
        names = [*WORKGROUP_IDS, *LOCAL_IDS, *_THEIRS, *mark.loops]
        found = holds_at(names, [*ids, *theirs, *mark.conditions, apply("not", other)])
        if found is not None:
            values, exact = found
            known = (_id(values, LOCAL_IDS), _id(values, _THEIRS)) if exact else (None, None)
            yield Divergence(*known, _id(values, WORKGROUP_IDS), barrier.origin)


# Two invocations at one element -------------------------------------------------------------


def _races(
    kernel: DeviceKernel, loops: Mapping[str, For], places: Sequence[Place]
) -> Iterator[Race]:
    arrays = dict.fromkeys(_shared(kernel), Memory.WORKGROUP)
    arrays |= dict.fromkeys(sorted(kernel.written), Memory.STORAGE)
    for name, memory in arrays.items():
        found = _met(kernel, _of(places, name), memory, loops)
        if found is not None and (found[2].exact or memory is Memory.WORKGROUP):
            yield _race(found[2], memory)


def _shared(kernel: DeviceKernel) -> tuple[str, ...]:
    """The arrays in workgroup memory."""
    return tuple(
        s.name
        for s in walk_stmts(kernel.body)
        if isinstance(s, Alloc) and s.memory is Memory.WORKGROUP
    )


def _of(places: Sequence[Place], name: str) -> list[Place]:
    return [p for p in places if p.access.array == name]


def _met(
    kernel: DeviceKernel, places: Sequence[Place], memory: Memory, loops: Mapping[str, For]
) -> tuple[Place, Place, Clash, Way] | None:
    """Two accesses that meet; first many at once, then one by one where those may."""
    groups = _alike(places)
    for one, other in combinations_with_replacement(groups, 2):
        found = _meeting(kernel, one[0], other[0], memory, loops)
        if found is None or len(one[1]) == len(other[1]) == 1:
            if found is not None:
                return found
            continue
        pairs = (
            combinations_with_replacement(one[1], 2)
            if one is other
            else ((a, b) for a in one[1] for b in other[1])
        )
        met = (_meeting(kernel, a, b, memory, loops) for a, b in pairs)
        real = next((x for x in met if x is not None), None)
        if real is not None:
            return real
    return None


def _meeting(
    kernel: DeviceKernel, a: Place, b: Place, memory: Memory, loops: Mapping[str, For]
) -> tuple[Place, Place, Clash, Way] | None:
    """An element at which instances of two accesses by different invocations meet."""
    first, second = a.access, b.access
    peace = first.atomic and second.atomic and first.op == second.op
    if peace or not (first.changes or second.changes):
        return None
    group = frozenset(WORKGROUP_IDS) if memory is Memory.WORKGROUP else frozenset[str]()
    ids = _varying(kernel, group)
    if not ids:
        return None
    different = reduce(
        lambda a, b: apply("or", a, b), (apply("ne", Var(v), Var(v + OTHER)) for v in ids)
    )
    ordered = ways(a, b, loops) if memory is Memory.WORKGROUP else iter((Way(frozenset()),))
    for way in ordered:
        same = group | way.same
        if surely_distinct(a, b, same, ids):
            continue
        rename = {v: Var(v + OTHER) for v in second.loops if v not in same}
        also = [different, *way.then, *(substitute(c, rename) for c in way.other)]
        if way.step is not None:
            loop, step = way.step
            also.append(apply("eq", Var(loop + OTHER), apply("add", Var(loop), integer(step))))
        clash = touching(first, second, same, also)
        if clash is not None:
            return a, b, clash, way
    return None


def _varying(kernel: DeviceKernel, group: frozenset[str]) -> list[str]:
    """The ids that differ between invocations, or between those with the same ids in `group`."""
    extents: tuple[Extent, ...] = (*kernel.workgroups, *kernel.workgroup_size)
    ids = zip((*WORKGROUP_IDS, *LOCAL_IDS), extents, strict=True)
    return [v for v, n in ids if n != 1 and v not in group]


def _alike(places: Sequence[Place]) -> list[tuple[Place, list[Place]]]:
    """Accesses that differ in whole numbers only, as one that stands for more than all of them."""
    groups: dict[object, dict[object, Place]] = {}
    for p in places:
        a = p.access
        terms = tuple(None if x is None else frozenset(x[0].items()) for x in p.sums)
        key = (a.kind, a.op, a.atomic, a.unproved, a.exact, a.loops, p.path, terms)
        groups.setdefault(key, {}).setdefault((a.index, a.conditions), p)
    return [(_rolled(list(parts.values())), list(parts.values())) for parts in groups.values()]


def _rolled(parts: Sequence[Place]) -> Place:
    """One access whose index runs over those of some that differ in whole numbers."""
    first = parts[0].access
    if len(parts) == 1:
        return parts[0]
    common = set(first.conditions).intersection(*(p.access.conditions for p in parts))
    conditions = [c for c in first.conditions if c in common]
    index, loops = list[Expr | None](), list(first.loops)
    for d, e in enumerate(first.index):
        numbers = sorted({x[1] for p in parts if (x := p.sums[d]) is not None})
        if e is None or len(numbers) < 2:
            index.append(e)
            continue
        step = reduce(_divisor, (n - numbers[0] for n in numbers[1:]))
        turn = Var(f"copy {d}")
        loops.append(turn.name)
        conditions += [
            apply("ge", turn, integer(0)),
            apply("le", turn, integer((numbers[-1] - numbers[0]) // step)),
        ]
        start = plus(e, integer(numbers[0] - linear(e)[1]))
        index.append(apply("add", start, apply("mul", turn, integer(step))))
    access = replace(
        first, index=tuple(index), loops=tuple(loops), conditions=tuple(conditions), exact=False
    )
    return Place(access, parts[0].path, known_of(conditions), sums_of(index))


def _divisor(a: int, b: int) -> int:
    return a if b == 0 else _divisor(b, a % b)


def _race(clash: Clash, memory: Memory) -> Race:
    first, second = (
        Made(_id(values, LOCAL_IDS), _id(values, WORKGROUP_IDS), kind, origin)
        for values, kind, origin in zip(
            (clash.first, clash.second), clash.kinds, clash.where, strict=True
        )
    )
    return Race(clash.array, memory, clash.element or (), first, second)


def _id(values: Mapping[str, int], names: Sequence[str]) -> Id:
    x, y, z = (values.get(n, 0) for n in names)
    return x, y, z


# Accesses outside ---------------------------------------------------------------------------


def _outside(kernel: DeviceKernel, places: Sequence[Place]) -> Iterator[OutOfBounds]:
    shapes: dict[str, tuple[Extent, ...]] = {b.name: b.shape for b in kernel.buffers}
    shapes |= {s.name: s.shape for s in walk_stmts(kernel.body) if isinstance(s, Alloc)}
    seen: set[object] = set()
    for p in places:
        a = p.access
        if a.array not in shapes or surely_inside(a, p.known, shapes[a.array]):
            continue
        key = (a.array, a.index, a.conditions)
        found = None if key in seen else _example(a, shapes[a.array])
        seen.add(key)
        if found is not None:
            yield found


def _example(a: Access, shape: tuple[Extent, ...]) -> OutOfBounds | None:
    """Where an access is outside; None also where isl cannot say: the simulation watches it."""
    for test in leaves(a, shape):
        found = holds_at(a.loops, [*a.conditions, test])
        if found is None or not found[1] or not a.exact:
            continue
        values = found[0]
        index = tuple(-1 if e is None else number(e, values) or 0 for e in a.index)
        extents = tuple(number(x, values) or 0 if not isinstance(x, int) else x for x in shape)
        made = Made(_id(values, LOCAL_IDS), _id(values, WORKGROUP_IDS), a.kind, a.origin)
        return OutOfBounds(a.array, index, extents, made)
    return None
