"""What steps ask of a loop before they change it: that nothing of it is placed or shared yet."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.ir.access import accesses, leaves
from workbench.ir.deps import carried
from workbench.ir.expr import free_names, loads
from workbench.ir.loops import Loops
from workbench.ir.stmt import Alloc, For, If, LoopKind, Memory, Stmt, While, walk_stmts
from workbench.schedule.names import shown
from workbench.schedule.nests import loops_in, nest_of
from workbench.schedule.step import YES, Verdict, no

_PLACED = {LoopKind.COOPERATIVE, LoopKind.PREFETCH, LoopKind.VECTOR}


def placed(loop: For) -> bool:
    """Whether a step has said where the iterations of a loop run."""
    return loop.kind.mapped or loop.kind in _PLACED


def unplaced(loops: Loops, loop: For, *, hint: str) -> Verdict:
    """Refuses a loop on an axis of the device, a shared copy, a vector."""
    if not placed(loop):
        return YES
    name = f"'{shown(loops, loop.var)}'"
    if loop.kind.together:
        return no(f"{name} is a copy shared by the workgroup", loop.origin)
    words = "a vector" if loop.kind is LoopKind.VECTOR else f"mapped onto {loop.kind.value}"
    return no(f"{name} is already {words}", loop.origin, hint=hint)


def independent(loops: Loops, loop: For, name: str) -> Verdict:
    """Refuses a loop, called so by the reader, whose iterations need each other."""
    clash = carried(accesses((nest_of(loops, loop.var),)), loop.var)
    if clash is None:
        return YES
    return no(
        f"the iterations of '{name}' need each other",
        loop.origin,
        *clash.where,
        example=clash.words,
        hint="a loop whose iterations write elements of their own",
    )


def repeatable(loops: Loops, loop: For) -> Verdict:
    """Refuses a body that cannot stand twice: loops on axes, and what a workgroup shares."""
    for s in loops_in(loop.body):
        if s.kind.mapped or s.kind.together or s.kind is LoopKind.WORKER:
            reason = f"'{shown(loops, s.var)}' inside of it is already mapped onto {s.kind.value}"
            return no(reason, s.origin, hint="before parallelize and cache")
    for s in walk_stmts(loop.body):
        if isinstance(s, Alloc) and s.memory is not Memory.PRIVATE:
            reason = f"it holds {s.name} in {s.memory.value} memory, which would stand twice"
            return no(reason, s.origin, hint="before cache")
    return YES


def holds_arrays(loops: Loops, at: str, found: For, *, among: bool = False) -> Verdict:
    """Refuses a loop whose iterations cannot have an array of their own.

    With `among`, it is one array of all invocations, whose loops may stand inside.
    """
    if leaves(found.body):
        return no(f"a break or continue belongs to '{at}'", found.origin)
    if found.kind is LoopKind.VECTOR:
        reason = f"'{at}' is a vector, whose lanes have no arrays of their own"
        return no(reason, found.origin, hint="a loop around it")
    mapped = (x for x in loops_in(found.body) if x.kind.mapped)
    deeper = next((x for x in mapped if not (among and invocation(x))), None)
    if deeper is not None:
        reason = f"'{shown(loops, deeper.var)}' inside '{at}' is mapped onto {deeper.kind.value}"
        return no(reason, deeper.origin, hint="a loop inside it")
    return YES


def shared(loops: Loops, at: str, path: Sequence[Stmt]) -> Verdict:
    """Refuses a place that not every invocation of a workgroup reaches, equally often.

    `path` leads from the statement of a function's body to the loop `at`.
    """
    found = path[-1]
    assert isinstance(found, For)
    own = {x.var for x in loops_in((path[0],)) if invocation(x)}
    if not own:
        return no(
            f"no loop around '{at}' runs on invocations that could share a copy",
            found.origin,
            hint="parallelize first, or 'private'",
        )
    for s in path:
        if isinstance(s, While) or (isinstance(s, If) and not s.guard):
            return no("not every invocation may reach the copy", s.origin)
        if isinstance(s, For) and leaves(s.body):
            return no(f"a break or continue belongs to '{shown(loops, s.var)}'", s.origin)
        if isinstance(s, For) and (own | {"?"}) & _bound_names(s):
            return no(f"'{shown(loops, s.var)}' runs differently often", s.origin)
    return YES


def invocation(s: For) -> bool:
    """Whether the iterations of a loop run on invocations."""
    return s.kind.on_invocations


def _bound_names(s: For) -> set[str]:
    """The names in the bounds of a loop; "?" for what an array decides."""
    bounds = (s.start, s.stop)
    read = {"?" for e in bounds for _ in loads(e)}
    return read.union(*(free_names(e) for e in bounds))
