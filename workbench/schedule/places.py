"""What steps ask of a loop before they change it: that nothing of it is placed or shared yet."""

from __future__ import annotations

from workbench.ir.loops import Loops
from workbench.ir.stmt import Alloc, For, LoopKind, Memory, walk_stmts
from workbench.schedule.names import shown
from workbench.schedule.nests import loops_in
from workbench.schedule.step import YES, Verdict, no

_PLACED = {LoopKind.COOPERATIVE, LoopKind.VECTOR}


def placed(loop: For) -> bool:
    """Whether a step has said where the iterations of a loop run."""
    return loop.kind.mapped or loop.kind in _PLACED


def unplaced(loops: Loops, loop: For, *, hint: str) -> Verdict:
    """Refuses a loop on an axis of the device, a shared copy, a vector."""
    if not placed(loop):
        return YES
    name = f"'{shown(loops, loop.var)}'"
    if loop.kind is LoopKind.COOPERATIVE:
        return no(f"{name} is a copy shared by the workgroup", loop.origin)
    words = "a vector" if loop.kind is LoopKind.VECTOR else f"mapped onto {loop.kind.value}"
    return no(f"{name} is already {words}", loop.origin, hint=hint)


def repeatable(loops: Loops, loop: For) -> Verdict:
    """Refuses a body that cannot stand twice: loops on axes, and what a workgroup shares."""
    for s in loops_in(loop.body):
        if s.kind.mapped or s.kind in {LoopKind.COOPERATIVE, LoopKind.WORKER}:
            reason = f"'{shown(loops, s.var)}' inside of it is already mapped onto {s.kind.value}"
            return no(reason, s.origin, hint="before parallelize and cache")
    for s in walk_stmts(loop.body):
        if isinstance(s, Alloc) and s.memory is not Memory.PRIVATE:
            reason = f"it holds {s.name} in {s.memory.value} memory, which would stand twice"
            return no(reason, s.origin, hint="before cache")
    return YES
