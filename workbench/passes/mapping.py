"""Mapping: each outermost nest of the scheduled loops becomes one device kernel.

Loops mapped to workgroup and invocation axes disappear, their variables become ids;
cooperative copies are shared out between the invocations, with a barrier before and after;
guards move below barriers, so that every invocation reaches every barrier.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from workbench.base.errors import CodegenError
from workbench.base.source import NOWHERE, Origin
from workbench.ir.device import LOCAL_IDS, LOCAL_INDEX, WORKGROUP_IDS, DeviceKernel, Mapped, Turns
from workbench.ir.expr import Var, apply, free_names
from workbench.ir.extents import expression
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
from workbench.passes.grid import AXES, Grid, extent_of, for_all, grid_of, linear_index
from workbench.passes.names import fresh_name
from workbench.passes.short_names import short_names

if TYPE_CHECKING:
    from collections.abc import Iterator

_IDS = (WORKGROUP_IDS, LOCAL_IDS)


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
    grid = grid_of(nest, loops.open)
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
        body = (Local(LOCAL_INDEX, linear_index(grid), fixed=True), *body)
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


def _refuse_repeated_stores(nest: Body, grid: Grid) -> None:
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
            if isinstance(s, For) and s.kind in AXES:
                inner = axes | {AXES[s.kind]}
            elif isinstance(s, For) and s.kind.together:
                inner = frozenset((level, axis) for level in (0, 1) for axis in range(3))
            for b in bodies(s):
                visit(b, inner)

    visit(nest, frozenset())


def _device_body(body: Body, grid: Grid, *, inside_loop: bool) -> Body:
    out: list[Stmt] = []
    for s in body:
        match s:
            case For() if s.kind in AXES:
                out += _mapped_loop(s, grid, inside_loop=inside_loop)
            case For(kind=LoopKind.PREFETCH):
                out.append(_shared_out(s, grid))
            case For(kind=LoopKind.COOPERATIVE):
                join(out, _cooperative(s, grid, inside_loop=inside_loop), grid.shared)
            case For():
                out.append(_looped(s, _device_body(s.body, grid, inside_loop=True)))
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


def _mapped_loop(s: For, grid: Grid, *, inside_loop: bool) -> Body:
    """The id takes the place of the loop; an axis that is longer elsewhere needs a guard."""
    level, axis = AXES[s.kind]
    extent = extent_of(s.stop)
    number = Var(_IDS[level][axis], origin=s.origin)
    name = Local(s.var, number, fixed=True, origin=s.origin)
    if extent == grid.along(level, axis):
        return (name, *_device_body(s.body, grid, inside_loop=inside_loop))
    fits = apply("lt", Var(s.var), expression(extent), origin=s.origin)
    guard = If(fits, s.body, guard=True, origin=s.origin)
    return (name, *_device_body((guard,), grid, inside_loop=inside_loop))


def _shared_out(s: For, grid: Grid) -> For:
    """The loop of each invocation over its share of a copy."""
    return replace(
        s,
        start=Var(LOCAL_INDEX, origin=s.origin),
        step=grid.invocations,
        kind=LoopKind.SERIAL,
        body=_device_body(s.body, grid, inside_loop=True),
    )


def _cooperative(s: For, grid: Grid, *, inside_loop: bool) -> Body:
    loop = _shared_out(s, grid)
    barrier = Barrier(origin=s.origin.derive("the copy is complete before anyone reads it"))
    if not inside_loop:
        return (loop, barrier)
    done = Barrier(origin=s.origin.derive("everyone has read the last copy"))
    return (done, loop, barrier)


def _sink(guard: If, body: Body, grid: Grid, *, inside_loop: bool) -> Body:
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
            case For() if s.kind.together or s.kind in AXES:
                release()
                held_by = for_all(guard, grid) if s.kind.together else guard
                wrapped = s if held_by is None else replace(
                    s, body=(replace(held_by, then=s.body),)
                )  # fmt: skip
                join(out, _device_body((wrapped,), grid, inside_loop=inside_loop), grid.shared)
            case For() if _has_cooperative(s.body):
                release()
                out.append(_looped(s, _sink(guard, s.body, grid, inside_loop=True)))
            case If() if s.guard and _has_cooperative(s.then):
                release()
                both = apply("and", guard.cond, s.cond, origin=s.origin)
                out += _sink(replace(s, cond=both), s.then, grid, inside_loop=inside_loop)
            case _:
                held.append(s)
    release()
    return tuple(out)


def _has_cooperative(body: Body) -> bool:
    return any(isinstance(s, For) and s.kind.together for s in walk_stmts(body))


def _looped(s: For, inner: Body) -> For:
    """A loop of a device kernel; one that copies ahead meets at its end."""
    kind = s.kind if s.kind is LoopKind.VECTOR else LoopKind.SERIAL
    if any(_copies_ahead(x) for x in s.body):
        words = "the next copy is complete, and everyone has read this one"
        inner = (*inner, Barrier(origin=s.origin.derive(words)))
    return replace(s, body=inner, kind=kind)


def _copies_ahead(s: Stmt) -> bool:
    """Whether the loop right around a statement copies for its next iteration there."""
    match s:
        case For(kind=LoopKind.PREFETCH):
            return True
        case For() if s.kind not in AXES:
            return False
        case _:
            return any(_copies_ahead(x) for body in bodies(s) for x in body)


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


def _used_names(body: Body) -> frozenset[str]:
    found: set[str] = set()
    for s in walk_stmts(body):
        for e in expressions(s):
            found |= free_names(e)
    return frozenset(found)
