"""Barriers between what invocations do on their own and what their workgroup does together."""

from __future__ import annotations

from workbench.ir.stmt import Alloc, Barrier, Body, For, Stmt, reads, writes


def join(out: list[Stmt], copy: Body, shared: frozenset[str]) -> None:
    """Append a copy with the barriers that it needs and no others.

    One that touches nothing of the copy before it shares that one's barriers; where one stands
    right before it, the last copy has been read; and what invocations have written on their own
    is complete before the whole workgroup reads it. `shared` are the arrays in workgroup memory.
    """
    place = next((n for n in reversed(range(len(out))) if not isinstance(out[n], Alloc)), 0)
    match out[place - 1 : place + 1], copy:
        case [For() as before, Barrier()], (*_, For() as loop, Barrier() as complete):
            if not _written(before) & _touched((loop,)) | _written(loop) & _touched((before,)):
                del out[place]
            copy = (loop, complete)
        case [*_, Barrier()], (Barrier(), *_):
            copy = copy[1:]
        case _, (For() as loop, *_) if _clashes(out, loop, shared):
            words = "what each invocation wrote is there before the workgroup uses it"
            out.append(Barrier(origin=loop.origin.derive(words)))
        case _:
            pass
    out.extend(copy)


def _written(loop: For) -> set[str]:
    return {s.array for s in writes(loop.body)}


def _touched(body: Body) -> set[str]:
    return {x.array for x in reads(body)} | {s.array for s in writes(body)}


def _clashes(out: list[Stmt], loop: For, shared: frozenset[str]) -> bool:
    """Whether a copy needs what was written in workgroup memory since the last barrier."""
    last = max((n for n, s in enumerate(out) if isinstance(s, Barrier)), default=-1)
    since = tuple(out[last + 1 :])
    changed = {s.array for s in writes(since)} & _touched((loop,))
    used = {s.array for s in writes((loop,))} & _touched(since)
    return bool((changed | used) & shared)
