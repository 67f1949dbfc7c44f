"""Mapping: each outermost nest of the scheduled loops becomes one device kernel.

Loops mapped to workgroup and invocation axes disappear, their variables become ids;
cooperative copies are shared out between the invocations, with a barrier before and after;
guards move below barriers, so that every invocation reaches every barrier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, assert_never

from workbench.base.errors import CodegenError
from workbench.base.source import NOWHERE, Origin
from workbench.ir.device import LOCAL_IDS, LOCAL_INDEX, WORKGROUP_IDS, DeviceKernel, Mapped, Turns
from workbench.ir.expr import Expr, Var, apply, free_names, integer
from workbench.ir.extents import Extent, expression, literals, uniform
from workbench.ir.loops import Loops
from workbench.ir.repeats import turns
from workbench.ir.stmt import (
    Alloc,
    Assign,
    Barrier,
    Body,
    Break,
    Continue,
    For,
    If,
    Local,
    LoopKind,
    Memory,
    Outside,
    Stmt,
    Store,
    While,
    bodies,
    expressions,
    map_bodies,
    reads,
    walk_stmts,
    writes,
)
from workbench.passes.barriers import join
from workbench.passes.fold import fold, literal_int
from workbench.passes.names import fresh_name
from workbench.passes.short_names import short_names

if TYPE_CHECKING:
    from collections.abc import Iterator

_AXES = {
    LoopKind.WORKGROUP_X: (0, 0), LoopKind.WORKGROUP_Y: (0, 1), LoopKind.WORKGROUP_Z: (0, 2),
    LoopKind.INVOCATION_X: (1, 0), LoopKind.INVOCATION_Y: (1, 1), LoopKind.INVOCATION_Z: (1, 2),
}  # fmt: skip
_IDS = (WORKGROUP_IDS, LOCAL_IDS)


@dataclass(frozen=True, slots=True)
class _Grid:
    """How many workgroups and invocations there are along (x, y, z)."""

    workgroups: tuple[Extent, Extent, Extent]
    size: tuple[int, int, int]
    shared: frozenset[str] = frozenset()
    """The arrays in workgroup memory."""

    @property
    def invocations(self) -> int:
        x, y, z = self.size
        return x * y * z

    def along(self, level: int, axis: int) -> Extent:
        """The extent of an axis; level 0 is of workgroups, 1 of invocations."""
        return self.size[axis] if level else self.workgroups[axis]


def map_kernels(loops: Loops) -> Mapped:
    """The device kernels of scheduled loops, in order of dispatch.

    A nest that stands in several places, as the same object, is one kernel.
    Raises `CodegenError` where a schedule cannot be mapped: an axis loop that does not start
    at 0 or whose extent only a run can say, a store that several invocations would repeat.
    """
    names: set[str] = {loops.name} | {b.name for b in loops.buffers}
    kernels: list[DeviceKernel] = []
    numbers: dict[tuple[int, ...], int] = {}
    single = len({tuple(map(id, nest)) for nest in _all_nests(loops.body)}) == 1

    def order(body: Body) -> Iterator[int | Turns]:
        for nest in _nests(body):
            match nest:
                case (For(kind=LoopKind.REPEAT) as repeat,):
                    yield turns(repeat, tuple(order(repeat.body)))
                case _:
                    same = tuple(map(id, nest))
                    if same not in numbers:
                        numbers[same] = len(kernels)
                        kernels.append(_kernel(loops, nest, names, single=single))
                    yield numbers[same]

    steps = tuple(order(loops.body))
    plain = steps == tuple(range(len(kernels)))
    return Mapped(
        loops.name, loops.buffers, loops.scalars, tuple(kernels), loops.outputs,
        () if plain else steps, loops.open, origin=loops.origin,
    )  # fmt: skip


def _all_nests(body: Body) -> Iterator[Body]:
    """The nests, those inside repeats too."""
    for nest in _nests(body):
        match nest:
            case (For(kind=LoopKind.REPEAT) as repeat,):
                yield from _all_nests(repeat.body)
            case _:
                yield nest


def _nests(body: Body) -> Iterator[Body]:
    """Each top-level parallel loop or repeat alone, and the runs of other statements between."""
    run: list[Stmt] = []
    for s in body:
        if isinstance(s, For) and (s.kind.mapped or s.kind in {LoopKind.PARALLEL, LoopKind.REPEAT}):
            if run:
                yield tuple(run)
                run = []
            yield (s,)
        else:
            run.append(s)
    if run:
        yield tuple(run)


def _kernel(loops: Loops, nest: Body, names: set[str], *, single: bool) -> DeviceKernel:
    grid = _grid(nest, loops.open)
    _refuse_repeated_stores(nest, grid)
    written = {s.array for s in writes(nest) if loops.buffer(s.array)}
    used = written | {x.array for x in reads(nest) if loops.buffer(x.array)}
    first = next((b.name for b in loops.buffers if b.name in written), "step")
    name = loops.name if single else fresh_name(f"{loops.name}_{first}", names)
    body, workgroup_arrays = _workgroup_arrays(_device_body(nest, grid, inside_loop=False))
    if isinstance(body[-1], Barrier):  # nothing follows that would have to wait
        body = body[:-1]
    ids = _used_names(body)
    if LOCAL_INDEX in ids:
        body = (Local(LOCAL_INDEX, _linear(grid), fixed=True), *body)
    buffers = tuple(b for b in loops.buffers if b.name in used)
    ids |= {n for b in buffers for x in b.shape for n in free_names(expression(x))}
    scalars = tuple(s for s in loops.scalars if s.name in ids)
    return DeviceKernel(
        name,
        buffers,
        frozenset(written),
        scalars,
        grid.size,
        grid.workgroups,
        short_names((*workgroup_arrays, *body), set(used) | {s.name for s in scalars}),
        origin=_nest_origin(nest, loops.origin),
    )


def _nest_origin(nest: Body, default: Origin) -> Origin:
    return next((s.place for s in writes(nest) if s.place is not NOWHERE), default)


def _grid(nest: Body, open_dims: tuple[str, ...]) -> _Grid:
    extents: list[list[Extent | None]] = [[None] * 3, [None] * 3]
    for s in walk_stmts(nest):
        if isinstance(s, For) and s.kind in _AXES:
            level, axis = _AXES[s.kind]
            stop = _number(s.stop)
            known = isinstance(stop, int) or (level == 0 and uniform(stop, open_dims))
            if literal_int(s.start) != 0 or not known or s.step != 1:
                raise CodegenError(
                    f"loop '{s.var}' cannot be mapped to {s.kind.value}: "
                    "its range is not range(literal)",
                    span=s.origin.nearest_span(),
                )
            extents[level][axis] = _longer(extents[level][axis], stop)
    groups, size = ([_at_least_one(x) for x in axes] for axes in extents)
    x, y, z = literals(tuple(size))
    shared = frozenset(
        s.name for s in walk_stmts(nest) if isinstance(s, Alloc) and s.memory is Memory.WORKGROUP
    )
    return _Grid((groups[0], groups[1], groups[2]), (x, y, z), shared)


def _at_least_one(x: Extent | None) -> Extent:
    """The extent of an axis; a loop that does not run on it is guarded."""
    return 1 if x is None else max(1, x) if isinstance(x, int) else x


def _number(e: Expr) -> Extent:
    """An extent, a number where it is one."""
    number = literal_int(e)
    return e if number is None else number


def _longer(a: Extent | None, b: Extent) -> Extent:
    """The larger of two extents."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    if a is None or a == b:
        return b
    return apply("max", expression(a), expression(b))


def _refuse_repeated_stores(nest: Body, grid: _Grid) -> None:
    """Every store outside private memory stands inside a loop of every axis in use."""
    local = {s.name: s.memory for s in walk_stmts(nest) if isinstance(s, Alloc)}

    def visit(body: Body, axes: frozenset[tuple[int, int]]) -> None:
        for s in body:
            if isinstance(s, Store) and local.get(s.array) is None:
                missing = [
                    f"{('workgroup', 'invocation')[level]}.{'xyz'[axis]}"
                    for level in (0, 1)
                    for axis in range(3)
                    if grid.along(level, axis) != 1 and (level, axis) not in axes
                ]
                if missing:
                    raise CodegenError(
                        f"the write of '{s.array}' stands outside the loop mapped to "
                        f"{', '.join(missing)}, so several invocations would repeat it",
                        span=s.origin.nearest_span(),
                        hint="map loops that surround every write of the nest",
                    )
            inner = axes
            if isinstance(s, For) and s.kind in _AXES:
                inner = axes | {_AXES[s.kind]}
            elif isinstance(s, For) and s.kind is LoopKind.COOPERATIVE:
                inner = frozenset((level, axis) for level in (0, 1) for axis in range(3))
            for b in bodies(s):
                visit(b, inner)

    visit(nest, frozenset())


def _device_body(body: Body, grid: _Grid, *, inside_loop: bool) -> Body:
    out: list[Stmt] = []
    for s in body:
        match s:
            case For() if s.kind in _AXES:
                out += _mapped_loop(s, grid, inside_loop=inside_loop)
            case For() if s.kind is LoopKind.COOPERATIVE:
                join(out, _cooperative(s, grid, inside_loop=inside_loop), grid.shared)
            case For():
                inner = _device_body(s.body, grid, inside_loop=True)
                kind = s.kind if s.kind is LoopKind.VECTOR else LoopKind.SERIAL
                out.append(replace(s, body=inner, kind=kind))
            case If() if s.guard and _has_cooperative(s.then):
                out += _sink(s, s.then, grid, inside_loop=inside_loop)
            case While() | If():
                _refuse_barrier_inside(s)
                out.append(map_bodies(s, lambda b: _device_body(b, grid, inside_loop=True)))
            case (
                Local()
                | Assign()
                | Store()
                | Alloc()
                | Break()
                | Continue()
                | Barrier()
                | Outside()
            ):
                out.append(s)
            case _:
                assert_never(s)
    return tuple(out)


def _mapped_loop(s: For, grid: _Grid, *, inside_loop: bool) -> Body:
    """The id takes the place of the loop; an axis that is longer elsewhere needs a guard."""
    level, axis = _AXES[s.kind]
    extent = _number(s.stop)
    number = Var(_IDS[level][axis], origin=s.origin)
    name = Local(s.var, number, fixed=True, origin=s.origin)
    if extent == grid.along(level, axis):
        return (name, *_device_body(s.body, grid, inside_loop=inside_loop))
    fits = apply("lt", Var(s.var), expression(extent), origin=s.origin)
    guard = If(fits, s.body, guard=True, origin=s.origin)
    return (name, *_device_body((guard,), grid, inside_loop=inside_loop))


def _cooperative(s: For, grid: _Grid, *, inside_loop: bool) -> Body:
    loop = replace(
        s,
        start=Var(LOCAL_INDEX, origin=s.origin),
        step=grid.invocations,
        kind=LoopKind.SERIAL,
        body=_device_body(s.body, grid, inside_loop=True),
    )
    barrier = Barrier(origin=s.origin.derive("the copy is complete before anyone reads it"))
    if not inside_loop:
        return (loop, barrier)
    done = Barrier(origin=s.origin.derive("everyone has read the last copy"))
    return (done, loop, barrier)


def _sink(guard: If, body: Body, grid: _Grid, *, inside_loop: bool) -> Body:
    """The guard put around everything in `body` except barriers and what leads to them."""
    out: list[Stmt] = []
    held: list[Stmt] = []

    def release() -> None:
        if held:
            inner = _device_body(tuple(held), grid, inside_loop=inside_loop)
            out.append(replace(guard, then=inner))
            held.clear()

    for s in body:
        match s:
            case Alloc() | Local():
                release()
                out.append(s)
            case For() if s.kind is LoopKind.COOPERATIVE or s.kind in _AXES:
                release()
                wrapped = s if s.kind is LoopKind.COOPERATIVE else replace(
                    s, body=(replace(guard, then=s.body),)
                )  # fmt: skip
                join(out, _device_body((wrapped,), grid, inside_loop=inside_loop), grid.shared)
            case For() if _has_cooperative(s.body):
                release()
                inner = _sink(guard, s.body, grid, inside_loop=True)
                kind = s.kind if s.kind is LoopKind.VECTOR else LoopKind.SERIAL
                out.append(replace(s, body=inner, kind=kind))
            case If() if s.guard and _has_cooperative(s.then):
                release()
                both = apply("and", guard.cond, s.cond, origin=s.origin)
                out += _sink(replace(s, cond=both), s.then, grid, inside_loop=inside_loop)
            case _:
                held.append(s)
    release()
    return tuple(out)


def _has_cooperative(body: Body) -> bool:
    return any(isinstance(s, For) and s.kind is LoopKind.COOPERATIVE for s in walk_stmts(body))


def _refuse_barrier_inside(s: While | If) -> None:
    if any(_has_cooperative(b) for b in bodies(s)):
        raise CodegenError(
            "a cooperative copy stands under a condition, where not every invocation "
            "may reach its barrier",
            span=s.origin.nearest_span(),
            hint="cache at a loop outside the condition",
        )


def _workgroup_arrays(body: Body) -> tuple[Body, Body]:
    """The body without workgroup-memory declarations, and those declarations."""
    found: list[Stmt] = []

    def take(inner: Body) -> Body:
        out: list[Stmt] = []
        for s in inner:
            if isinstance(s, Alloc) and s.memory is Memory.WORKGROUP:
                found.append(s)
            else:
                out.append(map_bodies(s, take))
        return tuple(out)

    rest = take(body)
    return rest, tuple(found)


def _linear(grid: _Grid) -> Expr:
    x, y, _ = grid.size
    ids = [Var(name) for name in LOCAL_IDS]
    rows = apply("add", apply("mul", ids[2], integer(y)), ids[1])
    return fold(apply("add", apply("mul", rows, integer(x)), ids[0]))


def _used_names(body: Body) -> frozenset[str]:
    found: set[str] = set()
    for s in walk_stmts(body):
        for e in expressions(s):
            found |= free_names(e)
    return frozenset(found)
