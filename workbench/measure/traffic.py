"""What a scheduled kernel moves and computes: reads, writes and operations, by memory.

Counted on the loops, not measured: every number is exact, or says that it is modelled. A tile is
what one workgroup does, on a CPU what one iteration shared out to a worker does. A cooperative
copy is made once by its workgroup, and counted so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from workbench.base.errors import CodegenError
from workbench.ir.access import Access, accesses
from workbench.ir.bound import bound
from workbench.ir.count import NONE, Count, Tag, count_points, points_of, worse
from workbench.ir.executions import executions, float_operations, range_of, times
from workbench.ir.expr import Expr, Select, integer, substitute, walk
from workbench.ir.stmt import (
    Alloc,
    For,
    Local,
    LoopKind,
    Memory,
    expressions,
    walk_stmts,
)
from workbench.passes.fold import literal_int

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.base.dtypes import DType
    from workbench.ir.loops import Loops
    from workbench.ir.stmt import Stmt
    from workbench.pipeline import Compilation


@dataclass(frozen=True, slots=True)
class ArrayTraffic:
    """One array in one nest: how often its elements are read and written, and how large they are.

    `distinct` are the elements that a tile in the middle touches, None where they are too many
    to look at; `reuse` is how often it uses each of them.
    """

    array: str
    memory: str
    element_bytes: int
    reads: Count
    writes: Count
    distinct: Count | None
    reuse: float | None

    @property
    def bytes(self) -> Count:
        """Bytes of all reads and writes."""
        return (self.reads + self.writes).times(self.element_bytes)


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a limit of the device a workgroup takes."""

    limit: str
    value: int
    most: int


@dataclass(frozen=True, slots=True)
class NestTraffic:
    """One nest, all its turns together.

    `outputs` are the elements of the arrays in storage that it writes; `tiles` how many
    workgroups or shared-out iterations it has, `invocations` how many run in each;
    `operations` are floating-point operations; `intensity` is operations for each byte of
    storage traffic; `registers` are the 32-bit values that one invocation keeps (modelled).
    """

    computes: tuple[str, ...]
    outputs: int
    turns: Count
    tiles: Count
    invocations: int
    arrays: tuple[ArrayTraffic, ...]
    operations: Count
    intensity: float | None
    registers: Count
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True)
class Traffic:
    """The nests of a function in order."""

    nests: tuple[NestTraffic, ...]


def traffic(c: Compilation) -> Traffic:
    """The traffic of a compilation's scheduled loops, its open dims at their values."""
    if "scheduled" not in c.stages:
        raise CodegenError(f"{c.name} has no loops: it was written as a shader")
    loops: Loops = bound(c.stages["scheduled"].value, c.dims)
    return Traffic(tuple(_nest(loops, s, around, c) for s, around in _nests(loops.body, ())))


def _nests(body: Sequence[Stmt], around: tuple[For, ...]) -> Iterator[tuple[Stmt, tuple[For, ...]]]:
    """The nests that do something, each with the repeats around it."""
    for s in body:
        match s:
            case For(kind=LoopKind.REPEAT):
                yield from _nests(s.body, (*around, s))
            case Alloc():
                pass
            case _:
                yield s, around


def _nest(loops: Loops, nest: Stmt, around: tuple[For, ...], c: Compilation) -> NestTraffic:
    inner = {s.var: s for s in walk_stmts((nest,)) if isinstance(s, For)}
    turns = _turns(around)
    found = accesses((nest,))
    dtypes = _dtypes(loops, nest)
    memories = _memories(nest)
    arrays = tuple(
        _array(a, memories.get(a, Memory.STORAGE), dtypes[a], found, inner, turns)
        for a in dict.fromkeys(x.array for x in found)
        if a in dtypes
    )
    written = dict.fromkeys(a.array for a in found if a.changes and a.array not in memories)
    buffers = [b for b in loops.buffers if b.name in written]
    operations = _operations(nest, inner, turns)
    moved = sum(a.bytes.value for a in arrays if a.memory == "storage")
    invocations = _over(inner.values(), lambda s: s.kind.on_invocations).value
    return NestTraffic(
        computes=tuple(written),
        outputs=sum(math.prod(b.sizes) for b in buffers),
        turns=turns,
        tiles=_over(inner.values(), _outer),
        invocations=invocations,
        arrays=arrays,
        operations=operations,
        intensity=operations.value / moved if moved else None,
        registers=_registers(nest),
        uses=_uses(nest, invocations, c),
    )


def _turns(around: Sequence[For]) -> Count:
    conditions = [x for s in around for x in range_of(s)]
    return count_points([s.var for s in around], conditions)


def _dtypes(loops: Loops, nest: Stmt) -> dict[str, DType]:
    """The dtypes of arrays; locals are not arrays."""
    found = {b.name: b.dtype for b in loops.buffers}
    return found | {s.name: s.dtype for s in walk_stmts((nest,)) if isinstance(s, Alloc)}


def _memories(nest: Stmt) -> dict[str, Memory]:
    return {s.name: s.memory for s in walk_stmts((nest,)) if isinstance(s, Alloc)}


def _array(
    name: str,
    memory: Memory,
    dtype: DType,
    found: Sequence[Access],
    inner: Mapping[str, For],
    turns: Count,
) -> ArrayTraffic:
    mine = [a for a in found if a.array == name]
    reads, writes = NONE, NONE
    for a in mine:
        n = times(a, inner)
        reads += n if a.kind != "writes" else NONE
        writes += n if a.changes else NONE
    distinct, uses = (None, 0) if memory is Memory.PRIVATE else _tile(mine, inner)
    reuse = None if distinct is None or not distinct.value else uses / distinct.value
    return ArrayTraffic(
        name, memory.value, dtype.bytes,
        _times(reads, turns), _times(writes, turns), distinct, reuse,
    )  # fmt: skip


def _times(count: Count, turns: Count) -> Count:
    return Count(count.value * turns.value, worse(count.tag, turns.tag))


def _fixed(a: Access, values: Mapping[str, int]) -> Access:
    """An access with some of its loops at one value each."""
    literals: dict[str, Expr] = {n: integer(v) for n, v in values.items()}
    return replace(
        a,
        index=tuple(None if e is None else substitute(e, literals) for e in a.index),
        loops=tuple(n for n in a.loops if n not in values),
        conditions=tuple(substitute(e, literals) for e in a.conditions),
    )


def _outer(s: For) -> bool:
    return s.kind.on_workgroups or s.kind is LoopKind.WORKER


def _tile(mine: Sequence[Access], inner: Mapping[str, For]) -> tuple[Count | None, int]:
    """The distinct elements that the tile in the middle touches, and how often it touches one."""
    middle = {n: _middle(s) for n, s in inner.items() if _outer(s)}
    there = [_fixed(a, {n: v for n, v in middle.items() if n in a.loops}) for a in mine]
    uses = sum(times(a, inner).value for a in there)
    found: list[NDArray[np.int64]] = []
    for a in there:
        known = [e for e in a.index if e is not None]
        rows = points_of(known, a.loops, a.conditions)
        if rows is None or len(known) < len(a.index):
            return None, uses
        found.append(rows)
    tag: Tag = "exact" if all(a.exact for a in there) else "modelled"
    return Count(len(np.unique(np.concatenate(found), axis=0)), tag), uses


def _middle(s: For) -> int:
    """The value of a loop's variable in the middle of its iterations, 0 where it has no bounds."""
    start, stop = literal_int(s.start), literal_int(s.stop)
    if start is None or stop is None:
        return 0
    return start + len(range(start, stop, s.step)) // 2 * s.step


def _over(loops: Iterable[For], chosen: Callable[[For], bool]) -> Count:
    """The product of the extents of the loops chosen, one for each kind, the longest."""
    longest: dict[LoopKind, Count] = {}
    for s in loops:
        if chosen(s):
            found = count_points([s.var], range_of(s))
            longest[s.kind] = max(found, longest.get(s.kind, NONE), key=lambda x: x.value)
    tags: list[Tag] = [x.tag for x in longest.values()]
    return Count(math.prod(x.value for x in longest.values()), worse(*tags))


def _operations(nest: Stmt, inner: Mapping[str, For], turns: Count) -> Count:
    """Operations on floats, a comparison is one as well; of a choice both sides are counted."""
    total = NONE
    for run in executions((nest,)):
        ops = float_operations(run.statement)
        if ops:
            each = (x for e in expressions(run.statement) for x in walk(e))
            exact = run.exact and not any(isinstance(x, Select) for x in each)
            total += times(replace(run, exact=exact), inner).times(ops)
    return _times(total, turns)


def _registers(nest: Stmt) -> Count:
    """32-bit values in private arrays and locals, as if all of them lived at once."""
    total = 0
    for s in walk_stmts((nest,)):
        match s:
            case Alloc(memory=Memory.PRIVATE):
                total += math.prod(s.shape) * _words(s.dtype)
            case Local():
                total += _words(s.value.dtype)
            case _:
                pass
    return Count(total, "modelled")


def _words(dtype: DType) -> int:
    return max(1, dtype.bits // 32)


def _uses(nest: Stmt, invocations: int, c: Compilation) -> tuple[Use, ...]:
    """What a workgroup takes of the device's limits; a CPU has none of these."""
    if c.target != "wgsl":
        return ()
    shared = sum(
        math.prod(s.shape) * s.dtype.bytes
        for s in walk_stmts((nest,))
        if isinstance(s, Alloc) and s.memory is Memory.WORKGROUP
    )
    limits = c.limits
    return (
        Use("invocations per workgroup", invocations, limits.max_compute_invocations_per_workgroup),
        Use("bytes of workgroup memory", shared, limits.max_compute_workgroup_storage_size),
    )
