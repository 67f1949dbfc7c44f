"""Steps chosen by chance: most do not apply, and a law keeps those that `check` lets pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from workbench.ir.access import accesses
from workbench.ir.deps import carried
from workbench.ir.loops import Loops
from workbench.ir.stmt import Alloc, For, walk_stmts
from workbench.schedule.algebra_steps import OnlineSoftmax, Welford
from workbench.schedule.compute_steps import ComputeAt, Inline
from workbench.schedule.decompose_steps import Decompose
from workbench.schedule.layout_steps import TransformLayout
from workbench.schedule.loop_steps import Reorder, Split
from workbench.schedule.memory_steps import Cache
from workbench.schedule.names import find, shown
from workbench.schedule.nest_steps import Fuse, Peel, Specialize, Tile, Unroll
from workbench.schedule.nests import around, loops_in, nest_of, repeated
from workbench.schedule.pad_steps import Pad
from workbench.schedule.parallel_steps import AXES, Parallelize
from workbench.schedule.reduce_steps import Rfactor
from workbench.schedule.root_steps import ComputeRoot
from workbench.schedule.step import Schedule, Step, step_classes
from workbench.schedule.storage_steps import SetDtype
from workbench.schedule.tails import TAILS
from workbench.schedule.vector_steps import Vectorize

MEMORIES = ["private", "workgroup"]
Pick = Callable[[list[Any]], Any]
GPU = tuple(axis for axis in AXES if axis != "worker")
ON_DEVICE = {"cpu": ("worker",), "wasm": ("worker",), "native": GPU, "simt": GPU}
"""The axes of each path; "simt" simulates what would run natively."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a step is drawn from: choices, the loops, a name of one of them, the axes."""

    pick: Pick
    loops: Loops
    name: str
    axes: tuple[str, ...]

    @property
    def size(self) -> int:
        """A factor, a size of a workgroup."""
        return self.pick([1, 2, 3, 4])

    @property
    def tail(self) -> str:
        """What is done where a factor does not divide."""
        return self.pick(list(TAILS))

    @property
    def array(self) -> str:
        """An array in storage."""
        return self.pick([b.name for b in self.loops.buffers])

    @property
    def between(self) -> str:
        """An array that is no result, where there is one."""
        names = [b.name for b in self.loops.buffers if b.role == "temporary"]
        return self.pick(names) if names else self.array

    @property
    def kept(self) -> str:
        """An array that is neither input nor result, in storage or in nearer memory."""
        near = [s.name for s in walk_stmts(self.loops.body) if isinstance(s, Alloc)]
        return self.pick([self.between, *near])

    @property
    def nested(self) -> list[str]:
        """The names of the loop and of some that stand around or inside it."""
        loop = find(self.loops, self.name)
        assert isinstance(loop, For)
        path = around(self.loops.body, loop.var)
        chain = [s for s in path if isinstance(s, For) and not repeated(s)]
        return [shown(self.loops, x.var) for x in (*chain, *loops_in(loop.body[-1:]))][:5]

    @property
    def shuffled(self) -> list[str]:
        """Those in any order: often the one that stands, or not legal."""
        rest, result = self.nested, list[str]()
        while rest:
            result.append(rest.pop(rest.index(self.pick(rest))))
        return result


def _parallelize(d: Draw) -> Step:
    axis = d.pick(list(d.axes))
    return Parallelize(d.name, axis, d.size if axis.startswith("workgroup") else None)


def _tile(d: Draw) -> Step:
    sizes = (part for n in d.nested[:2] for part in (n, d.pick([2, 3])))
    return Tile(tuple(sizes), tail=d.tail)


def _cache(d: Draw) -> Step:
    lies = {"transposed": d.pick([False, False, True]), "pad": d.pick([0, 0, 1])}
    lies["double"] = d.pick([False, False, True])
    return Cache(d.array, d.pick(MEMORIES), at=d.name, **lies)


DRAWERS: dict[str, Callable[[Draw], Step]] = {
    "split": lambda d: Split(d.name, d.size, d.tail),
    "reorder": lambda d: Reorder(tuple(d.shuffled)),
    "parallelize": _parallelize,
    "cache": _cache,
    "rfactor": lambda d: Rfactor(d.name, memory=d.pick([*MEMORIES, "storage"])),
    "decompose": lambda d: Decompose(d.name),
    "compute_root": lambda d: ComputeRoot(
        d.pick([r.buffer.name for r in d.loops.roots] or [d.between])
    ),
    "pad": lambda d: Pad(d.array, d.pick([0, 1]), d.pick([2, 3, 4])),
    "set_dtype": lambda d: SetDtype(d.kept, d.pick(["f16", "f64"])),
    "online_softmax": lambda d: OnlineSoftmax(d.name),
    "welford": lambda d: Welford(d.name),
    "transform_layout": lambda d: TransformLayout(
        d.array, d.pick([0, 1]), d.pick([1, 2, 3]), given=d.pick([False, True])
    ),
    "inline": lambda d: Inline(d.between),
    "compute_at": lambda d: ComputeAt(d.between, d.name, memory=d.pick(MEMORIES)),
    "tile": _tile,
    "fuse": lambda d: Fuse(tuple(d.nested[:2])),
    "unroll": lambda d: Unroll(d.name, d.pick([None, 2, 3]), tail=d.tail),
    "peel": lambda d: Peel(d.name, first=d.pick([0, 1]), last=d.pick([0, 1, 2])),
    "vectorize": lambda d: Vectorize(d.name, d.pick([None, 2, 4])),
    "specialize": lambda d: Specialize(
        d.name, d.pick([s.name for s in d.loops.scalars] or ["N"]), d.pick([0, 1, 2, 3])
    ),
}
"""How a step of each kind is drawn; a new step adds its own."""


def some_step(
    pick: Pick, loops: Loops, axes: tuple[str, ...] = tuple(AXES), kinds: tuple[str, ...] = ()
) -> Step:
    """A step that names a loop of the function, legal or not; of any kind without `kinds`."""
    name = pick([shown(loops, x.var) for x in loops_in(loops.body) if not repeated(x)])
    kind = pick([*(kinds or (*sorted(step_classes()), "reorder"))])
    return DRAWERS[kind](Draw(pick, loops, name, axes))


def some_schedule(
    pick: Pick, loops: Loops, device: str, seen: Counter[str] | None = None
) -> Schedule:
    """The legal ones of up to nine steps for a path; `seen` counts the drawn and the refused.

    Those that round otherwise have laws of their own, with values that this does not change.
    """
    steps: list[Step] = []
    seen = Counter() if seen is None else seen
    can = any(not repeated(x) for x in loops_in(loops.body))
    for _ in range(pick([3, 6, 9]) if can else 0):
        step = some_step(pick, loops, ON_DEVICE[device])
        verdict = step.check(loops)
        legal = bool(verdict) and not any(n.startswith("rounds") for n in verdict.notes)
        legal = legal and not isinstance(step, SetDtype)
        seen.update(["drawn step", "step taken" if legal else "step refused"])
        if legal:
            loops = step.apply(loops)
            steps.append(step)
    return Schedule(tuple(steps))


def dependent(loops: Loops) -> bool:
    """Whether an iteration of a loop surely needs what another one wrote, sums left aside."""
    for x in loops_in(loops.body):
        nest = around(loops.body, x.var)[0] if repeated(x) else nest_of(loops, x.var)
        clash = carried([a for a in accesses((nest,)) if a.op is None], x.var)
        if clash is not None and clash.exact:
            return True
    return False
