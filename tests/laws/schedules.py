"""Steps chosen by chance: most do not apply, and a law keeps those that `check` lets pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workbench.ir.loops import Loops
from workbench.ir.stmt import For
from workbench.schedule.compute_steps import ComputeAt, Inline
from workbench.schedule.layout_steps import TransformLayout
from workbench.schedule.loop_steps import Reorder, Split
from workbench.schedule.memory_steps import Cache
from workbench.schedule.names import find, shown
from workbench.schedule.nest_steps import Fuse, Peel, Specialize, Tile, Unroll
from workbench.schedule.nests import around, loops_in, repeated
from workbench.schedule.parallel_steps import AXES, Parallelize
from workbench.schedule.reduce_steps import Rfactor
from workbench.schedule.step import Schedule, Step
from workbench.schedule.tails import TAILS
from workbench.schedule.vector_steps import Vectorize

KINDS = (
    "split", "reorder", "reorder", "parallelize", "cache",
    "tile", "fuse", "unroll", "peel", "vectorize", "specialize", "inline", "compute_at",
    "rfactor", "rfactor", "transform_layout",
)  # fmt: skip
"""The steps drawn; an order is often the one that stands, or not legal."""
MEMORIES = ["private", "workgroup"]
Pick = Callable[[list[Any]], Any]
ON_DEVICE = {
    "cpu": ("worker",),
    "wasm": ("worker",),
    "native": tuple(axis for axis in AXES if axis != "worker"),
}


def some_step(pick: Pick, loops: Loops, axes: tuple[str, ...] = tuple(AXES)) -> Step:
    """A step that names a loop of the function, legal or not."""
    name = pick([shown(loops, x.var) for x in loops_in(loops.body) if not repeated(x)])
    between = any(b.role == "temporary" for b in loops.buffers)
    match pick([k for k in KINDS if between or k not in {"inline", "compute_at"}]):
        case "split":
            return Split(name, pick([1, 2, 3, 4]), pick(list(TAILS)))
        case "tile":
            sizes = (part for n in _nested(loops, name)[:2] for part in (n, pick([2, 3])))
            return Tile(tuple(sizes), tail=pick(list(TAILS)))
        case "fuse":
            return Fuse(tuple(_nested(loops, name)[:2]))
        case "unroll":
            return Unroll(name, pick([None, 2, 3]), tail=pick(list(TAILS)))
        case "peel":
            return Peel(name, first=pick([0, 1]), last=pick([0, 1, 2]))
        case "vectorize":
            return Vectorize(name, pick([None, 2, 4]))
        case "specialize":
            return Specialize(name, pick([s.name for s in loops.scalars] or ["N"]), pick([2, 3]))
        case "reorder":
            return Reorder(tuple(_shuffled(pick, _nested(loops, name))))
        case "parallelize":
            axis = pick(list(axes))
            size = pick([1, 2, 3]) if axis.startswith("workgroup") else None
            return Parallelize(name, axis, size)
        case kind:
            return _memory_step(pick, loops, kind, name)


def _memory_step(pick: Pick, loops: Loops, kind: str, name: str) -> Step:
    """A step that says where values live, or where they are computed."""
    between = [b.name for b in loops.buffers if b.role == "temporary"]
    arrays = [b.name for b in loops.buffers]
    match kind:
        case "rfactor":
            return Rfactor(name, memory=pick([*MEMORIES, "storage"]))
        case "transform_layout":
            return TransformLayout(pick(arrays), pick([0, 1]), pick([1, 2, 3]))
        case "inline":
            return Inline(pick(between or arrays))
        case "compute_at":
            return ComputeAt(pick(between or arrays), name, memory=pick(MEMORIES))
        case _:
            lies = {"transposed": pick([False, False, True]), "pad": pick([0, 0, 1])}
            return Cache(pick(arrays), pick(MEMORIES), at=name, **lies)


def some_schedule(pick: Pick, loops: Loops, device: str) -> Schedule:
    """Up to six legal steps for a device's target; most that are drawn are not."""
    steps: list[Step] = []
    can = any(not repeated(x) for x in loops_in(loops.body))
    wanted = pick([1, 3, 6]) if can else 0
    for _ in range(3 * wanted + 4 if can else 0):
        step = some_step(pick, loops, ON_DEVICE[device])
        if step.check(loops):
            loops = step.apply(loops)
            steps.append(step)
        if len(steps) == wanted:
            break
    return Schedule(tuple(steps))


def _nested(loops: Loops, name: str) -> list[str]:
    """The names of the loop and of some that stand around or inside it."""
    loop = find(loops, name)
    assert isinstance(loop, For)
    chain = [s for s in around(loops.body, loop.var) if isinstance(s, For) and not repeated(s)]
    return [shown(loops, x.var) for x in (*chain, *loops_in(loop.body[-1:]))][:5]


def _shuffled(pick: Pick, names: list[str]) -> list[str]:
    rest, result = list(names), list[str]()
    while rest:
        result.append(rest.pop(rest.index(pick(rest))))
    return result
