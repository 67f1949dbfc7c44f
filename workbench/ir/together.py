"""Which accesses of a workgroup may happen at once: those with no barrier between them.

Every invocation runs through the same barriers (`passes/legality.py` sees to that first), so two
accesses are apart in time where one surely stands between them, whichever iterations of the
loops around they are in. A `Place` says where an access stands among the barriers; `ways` gives
the iterations in which two of them meet. Barriers order workgroup memory only: storage that one
invocation writes is not there for another before the kernel ends.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.ir.access import Access, accesses
from workbench.ir.device import LOCAL_IDS, WORKGROUP_IDS
from workbench.ir.expr import Expr, Var, apply, free_names, integer
from workbench.ir.extents import expression
from workbench.ir.forms import constant
from workbench.ir.inside import Known, known_of
from workbench.ir.linear import linear
from workbench.ir.stmt import Barrier, Body, For, Stmt, Store, map_bodies, walk_stmts

if TYPE_CHECKING:
    from workbench.ir.device import DeviceKernel

Time = tuple[int | str, ...]
Sum = tuple[dict[Expr, int], int]
"""Terms with their factors, and a number."""
_MARK = "barrier "


@dataclass(frozen=True, slots=True)
class Level:
    """Where something stands in a body with `count` barriers: behind `rank // 2` of them.

    The rank is odd for what holds the barrier itself.
    """

    rank: int
    count: int

    @property
    def last(self) -> bool:
        """Whether no barrier of the body comes later."""
        return self.rank >= 2 * self.count - 1

    @property
    def first(self) -> bool:
        """Whether no barrier of the body came before."""
        return self.rank <= 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where an access stands: the levels and the loops around it, outermost first.

    `known` is what its conditions say, `sums` are the indices of its element taken apart.
    """

    access: Access
    path: tuple[Level | str, ...]
    known: Known
    sums: tuple[Sum | None, ...]


@dataclass(frozen=True, slots=True)
class Barriers:
    """The barriers of a kernel: as marks that say when they are reached, and where they stand.

    `sure` has the places in each body at which a barrier is certainly reached, `loops` every
    loop by its variable.
    """

    marks: tuple[tuple[Barrier, Access], ...]
    sure: Mapping[Time, tuple[int, ...]]
    loops: Mapping[str, For]


@dataclass(frozen=True, slots=True)
class Way:
    """How two accesses meet: loops in the same iteration, and what else holds.

    `then` is said of the first, `other` of the second, and `steps` are loops in which the
    second is one iteration after the first (1) or before it (-1).
    """

    same: frozenset[str]
    then: tuple[Expr, ...] = ()
    other: tuple[Expr, ...] = ()
    step: tuple[str, int] | None = None


def placed(kernel: DeviceKernel, facts: Sequence[Expr] = ()) -> tuple[Barriers, tuple[Place, ...]]:
    """The barriers of a kernel, and every access to an array with its place.

    `facts` hold for its scalars.
    The ids count as the outermost loops of each access (not of the marks of barriers).
    """
    marked, found = _marked(kernel.body)
    touched = accesses(marked)
    marks = {a.array: a for a in touched if a.array.startswith(_MARK)}
    barriers = tuple((b, marks[f"{_MARK}{n}"]) for n, b in enumerate(found))
    loops = {s.var: s for s in walk_stmts(kernel.body) if isinstance(s, For)}
    times = [a.time for _, a in barriers]
    sure = _sure(times, loops)
    rest = (a for a in touched if not a.array.startswith(_MARK))
    return Barriers(barriers, sure, loops), tuple(_places(rest, (*facts, *ids_of(kernel)), sure))


def _places(
    touched: Iterable[Access], first: Sequence[Expr], sure: Mapping[Time, tuple[int, ...]]
) -> Iterator[Place]:
    """The places of accesses; those under the same conditions know the same.

    `first` holds for all of them.
    """
    ids = (*WORKGROUP_IDS, *LOCAL_IDS)
    seen: dict[int, tuple[tuple[Expr, ...], Known]] = {}
    of_all = known_of(first)
    for a in touched:
        if id(a.conditions) not in seen:
            seen[id(a.conditions)] = (*first, *a.conditions), known_of(a.conditions, of_all)
        conditions, known = seen[id(a.conditions)]
        there = replace(a, loops=(*ids, *a.loops), conditions=conditions)
        yield Place(there, _path(a.time, sure), known, sums_of(a.index))


def sums_of(index: Iterable[Expr | None]) -> tuple[Sum | None, ...]:
    """The indices of an element taken apart."""
    return tuple([None if e is None else linear(e) for e in index])


def without(
    barriers: Barriers, numbers: Collection[int], places: Sequence[Place]
) -> tuple[Place, ...]:
    """The places where the barriers of those numbers are not there."""
    times = [a.time for n, (_, a) in enumerate(barriers.marks) if n not in numbers]
    sure = _sure(times, barriers.loops)
    return tuple(replace(p, path=_path(p.access.time, sure)) for p in places)


def ids_of(kernel: DeviceKernel) -> tuple[Expr, ...]:
    """What is known of the ids: each is at least 0 and below its extent."""
    extents = (*kernel.workgroups, *kernel.workgroup_size)
    return tuple(
        test
        for name, extent in zip((*WORKGROUP_IDS, *LOCAL_IDS), extents, strict=True)
        for test in (
            apply("ge", Var(name), integer(0)),
            apply("lt", Var(name), expression(extent)),
        )
    )


def ways(a: Place, b: Place, loops: Mapping[str, For]) -> Iterator[Way]:
    """The ways in which an instance of each meet with no barrier between them."""
    same: list[str] = []
    for depth, (x, y) in enumerate(zip(a.path, b.path, strict=False), 1):
        if isinstance(x, str) or isinstance(y, str):
            level = a.path[depth] if depth < len(a.path) else None
            if x != y or not isinstance(level, Level) or not level.count:
                break  # no barrier inside: any iteration of each
            assert isinstance(x, str)
            yield from _carried(a, b, depth, x, frozenset(same), loops)
            same.append(x)
        elif x.rank != y.rank:
            early, late = (a, b) if x.rank < y.rank else (b, a)
            low, high = sorted((x.rank, y.rank))
            if low + (1 if low % 2 == 0 else 2) >= high:
                yield from _apart(early, late, depth, frozenset(same), loops, swapped=early is b)
            return
    yield Way(frozenset(same))


def _carried(
    a: Place, b: Place, depth: int, loop: str, same: frozenset[str], loops: Mapping[str, For]
) -> Iterator[Way]:
    """The ways in which they meet across the end of an iteration of `loop`."""
    for way in _apart(a, b, depth, same, loops, swapped=False):
        yield replace(way, step=(loop, loops[loop].step))
    if a is not b:
        for way in _apart(b, a, depth, same, loops, swapped=True):
            yield replace(way, step=(loop, -loops[loop].step))


def _apart(
    early: Place, late: Place, depth: int, same: frozenset[str], loops: Mapping[str, For],
    *, swapped: bool,
) -> Iterator[Way]:  # fmt: skip
    """The way in which no barrier follows `early` inside `depth`, and none precedes `late`."""
    after, before = _ends(early, depth, loops), _starts(late, depth, loops)
    if after is not None and before is not None:
        yield Way(same, before, after) if swapped else Way(same, after, before)


def _ends(p: Place, depth: int, loops: Mapping[str, For]) -> tuple[Expr, ...] | None:
    """What holds where no barrier follows inside `depth`; None where one surely does."""
    found: list[Expr] = []
    for n in reversed(range(depth, len(p.path))):
        x = p.path[n]
        if isinstance(x, Level):
            if not x.last:
                return None
        elif _holds_barrier(p, n) and _said(loops[x].stop, p):
            step = apply("add", Var(x), integer(loops[x].step))
            found.append(apply("ge", step, loops[x].stop))
    return tuple(found)


def _starts(p: Place, depth: int, loops: Mapping[str, For]) -> tuple[Expr, ...] | None:
    """What holds where no barrier precedes inside `depth`; None where one surely does."""
    found: list[Expr] = []
    for n in reversed(range(depth, len(p.path))):
        x = p.path[n]
        if isinstance(x, Level):
            if not x.first:
                return None
        elif _holds_barrier(p, n) and _said(loops[x].start, p):
            found.append(apply("eq", Var(x), loops[x].start))
    return tuple(found)


def _holds_barrier(p: Place, n: int) -> bool:
    inside = p.path[n + 1] if n + 1 < len(p.path) else None
    return isinstance(inside, Level) and inside.count > 0


def _said(e: Expr, p: Place) -> bool:
    """Whether a bound is made of the loops around an access and literals."""
    return free_names(e) <= set(p.access.loops)


def _marked(body: Body) -> tuple[Body, list[Barrier]]:
    """The body with a store in place of each barrier, and the barriers in text order."""
    found: list[Barrier] = []

    def stmt(s: Stmt) -> Stmt:
        if isinstance(s, Barrier):
            found.append(s)
            return Store(f"{_MARK}{len(found) - 1}", (), integer(0), origin=s.origin)
        return map_bodies(s, lambda inner: tuple(map(stmt, inner)))

    return tuple(map(stmt, body)), found


def _sure(times: Sequence[Time], loops: Mapping[str, For]) -> dict[Time, tuple[int, ...]]:
    """The places of sure barriers by body: those of loops count where the loop surely runs."""
    found: dict[Time, set[int]] = {}
    bodies = [(t[:-1], t[-1]) for t in times]
    while bodies:
        body, place = bodies.pop()
        assert isinstance(place, int)
        if body and not isinstance(body[-1], str):
            continue  # under a condition
        found.setdefault(body, set()).add(place)
        if body and isinstance(body[-1], str) and _runs(loops.get(body[-1])):
            bodies.append((body[:-2], body[-2]))
    return {body: tuple(sorted(numbers)) for body, numbers in found.items()}


def _runs(loop: For | None) -> bool:
    if loop is None:  # the turns of a while
        return False
    start, stop = constant(loop.start), constant(loop.stop)
    return start is not None and stop is not None and start < stop


def _path(time: Time, sure: Mapping[Time, tuple[int, ...]]) -> tuple[Level | str, ...]:
    """A time with its text positions as levels."""
    found: list[Level | str] = []
    for n, x in enumerate(time):
        if isinstance(x, str):
            found.append(x)
            continue
        numbers = sure.get(time[:n], ())
        before = bisect_left(numbers, x)
        odd = before < len(numbers) and numbers[before] == x
        found.append(Level(2 * before + odd, len(numbers)))
    return tuple(found)
