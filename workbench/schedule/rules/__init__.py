"""Default schedules: rules that return an ordinary `Schedule`, visible and editable.

Numbers for a class of device are data (`WORKGROUP`), not code. A rule looks only at nests that
no step has mapped yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workbench.base.limits import GUARANTEED
from workbench.ir.expr import Var, free_names
from workbench.ir.stmt import Alloc, For, LoopKind, Store, walk_stmts
from workbench.schedule.names import shown
from workbench.schedule.nests import extent
from workbench.schedule.rules.tiles import tiled
from workbench.schedule.step import Schedule, make

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workbench.base.device_class import DeviceClass
    from workbench.ir.loops import Loops
    from workbench.ir.stmt import Body, Stmt

WORKGROUP: dict[int, tuple[int, ...]] = {1: (64,), 2: (8, 8), 3: (2, 4, 8)}
"""Invocations per workgroup along the innermost parallel loops, outermost first."""
_AXES = "xyz"
_MOST_WORKGROUPS = GUARANTEED.max_compute_workgroups_per_dimension


def default_states(loops: Loops, on: DeviceClass) -> Iterator[tuple[Any, Loops]]:
    """Steps that make a sane parallel kernel of every nest that is not mapped yet.

    Gives each step with the loops after it; a step that is not legal here is left out.
    """
    rule = _gpu_nest if on in {"gpu", "software gpu"} else _cpu_nest
    seen: set[str] = set()
    while (nest := _unmapped(loops, seen)) is not None:
        seen.add(nest.var)
        for state in tiled(loops, _chain(nest), on) or _legal(loops, rule(loops, nest)):
            yield state
            loops = state[1]


def _unmapped(loops: Loops, seen: set[str]) -> For | None:
    """The first nest of parallel loops that is not mapped, of those not seen yet."""
    nests = (s for s in _nests(loops.body) if isinstance(s, For) and s.kind is LoopKind.PARALLEL)
    return next((s for s in nests if s.var not in seen and not _mapped(s)), None)


def _legal(loops: Loops, steps: Iterable[Any]) -> Iterator[tuple[Any, Loops]]:
    """The steps that are legal, one after the other."""
    for step in steps:
        if step.check(loops):
            loops = step.apply(loops)
            yield step, loops


def _nests(body: Body) -> Iterator[Stmt]:
    """The statements of a function's body, those of its repeats in their place."""
    for s in body:
        if isinstance(s, For) and s.kind is LoopKind.REPEAT:
            yield from _nests(s.body)
        else:
            yield s


def default_schedule(loops: Loops, on: DeviceClass) -> Schedule:
    """The steps of `default_states` as a schedule."""
    return Schedule(tuple(step for step, _ in default_states(loops, on)))


def _mapped(nest: For) -> bool:
    return any(
        isinstance(s, For) and (s.kind.mapped or s.kind is LoopKind.WORKER)
        for s in walk_stmts((nest,))
    )


def _chain(nest: For) -> list[For]:
    """The outermost parallel loops that stand directly inside one another."""
    chain = [nest]
    while len(chain[-1].body) == 1:
        (inner,) = chain[-1].body
        if not (isinstance(inner, For) and inner.kind is LoopKind.PARALLEL):
            break
        chain.append(inner)
    return chain


def _gpu_nest(loops: Loops, nest: For) -> Iterator[Any]:
    """The innermost three parallel loops onto workgroups of 64 invocations, x innermost.

    A loop of more workgroups than an axis may have takes a second axis; of three loops, the
    shortest stays a loop for that. Arrays that a reduction accumulates into are kept in private
    memory meanwhile.
    """
    chain = _chain(nest)[-3:]
    if len(chain) == len(_AXES) and any(map(_is_long, chain, WORKGROUP[len(chain)])):
        chain.remove(min(chain, key=lambda x: extent(x) or 0))
    innermost = ""
    sizes, spare = WORKGROUP[len(chain)], _AXES[len(chain) :]
    for axis, loop, size in zip(_AXES, reversed(chain), reversed(sizes), strict=False):
        name = shown(loops, loop.var)
        if _is_long(loop, size):
            yield make("split", name, size * (_MOST_WORKGROUPS // 2 + 1))
            yield make("parallelize", f"{name}_o", f"workgroup.{spare[0]}")
            name = f"{name}_i"
        yield make("parallelize", name, f"workgroup.{axis}", size)
        innermost = innermost or f"{name}_i"
    for array in _accumulated(chain[-1], loops):
        yield make("cache", array, "private", at=innermost)


def _is_long(loop: For, size: int) -> bool:
    """Whether its workgroups are more than an axis may have; at most one loop of a nest is.

    Two would be the axes of an array of more than 2^31 elements.
    """
    return (extent(loop) or 0) > _MOST_WORKGROUPS * size


def _cpu_nest(loops: Loops, nest: For) -> Iterator[Any]:
    """The outermost parallel loop is shared out to the workers.

    A sum over `k` into `C[i, j]` runs `k` outside `j`, so that `j` walks along rows and is
    vectorised; where there is no such `j`, the sum is kept in a register.
    """
    chain = _chain(nest)
    along = _walks_rows(chain)
    if along is not None:
        yield make("reorder", shown(loops, along.var), shown(loops, chain[-1].var))
    else:
        for array in _accumulated(chain[-1], loops):
            yield make("cache", array, "private", at=shown(loops, chain[-1].var))
    yield make("parallelize", shown(loops, nest.var), "worker")


def _walks_rows(chain: list[For]) -> For | None:
    """The reduction loop of `for j: C[.., j] = 0; for k: C[.., j] += ..`, if that is the nest."""
    if len(chain) < 2:
        return None
    match chain[-1].body:
        case (Store(index=first), For(body=(Store(index=index, reduce=str()),)) as along):
            last = Var(chain[-1].var)
            even = last.name not in free_names(along.start) | free_names(along.stop)
            return along if even and first == index and index[-1:] == (last,) else None
        case _:
            return None


def _accumulated(innermost: For, loops: Loops) -> list[str]:
    """Arrays in storage that a reduction inside the loop accumulates into."""
    private = {s.name for s in walk_stmts((innermost,)) if isinstance(s, Alloc)}
    found = [
        s.array
        for s in walk_stmts(innermost.body)
        if isinstance(s, Store) and s.reduce is not None and not s.atomic and s.array not in private
    ]
    return [a for a in dict.fromkeys(found) if loops.buffer(a) is not None]
